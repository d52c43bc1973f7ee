//! Who may issue, and how much of it without somebody else's word.

use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    audit::NewAudit,
    document::{Change, DocumentFilter, Expected},
    voucher::{BatchRecord, VoucherRecord},
};

use super::office::{Issue, Office};
use crate::{
    auth::kept::{Organisation, OrganisationKind, PLATFORM},
    organisations::{quota, tree},
};

/// The kind of the documents that say what was issued without an approval; each is kept for a day.
const KIND: &str = "voucher_issued";
const DAY_MS: i64 = 24 * 3_600_000;
/// Batches without an approval in a day, at most.
const BATCHES: u32 = 500;
/// How often somebody else may be faster.
const TRIES: usize = 30;

/// How much somebody may issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Whatever can be issued: an admin does it, or has approved it.
    Any,
    /// What the issuer issues within 24 hours is worth at most so much, in each currency's smallest unit.
    Daily(i64),
}

fn too_much(limit: i64) -> Problem {
    Problem::new(
        Code::LimitExceeded,
        format!("vouchers worth more than {limit} within 24 hours, or without limit, need an approval"),
    )
    .help("launch `franchise/issue-vouchers`, which asks for one; the limit is `vouchers.issue_limit`")
    .no_effect()
}

/// Whether the issuer is the platform, or a franchisee that may act.
fn is_issuer(engine: &Engine, name: &str) -> Result<Option<Organisation>, Problem> {
    let found = Organisation::find(engine, name)?;
    Ok(found.filter(|found| tree::kind(found) == OrganisationKind::Franchisee))
}

impl Issue {
    /// What all redemptions may cost; none without a limit.
    fn worth(&self) -> Option<i64> {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        let worth = self.credit.saturating_mul(self.max_redemptions).saturating_mul(count);
        (self.max_redemptions > 0).then_some(worth)
    }
}

impl Office<'_> {
    /// Refuses an issuer that is neither the platform nor a franchisee that may act.
    pub(super) fn require_issuer(&self, name: &str) -> Result<(), Problem> {
        if name == PLATFORM {
            return Ok(());
        }
        if is_issuer(self.engine, name)?.is_none() {
            let message = format!("`{name}` is no franchisee: only the platform and franchisees issue vouchers");
            return Err(Problem::new(Code::PermissionDenied, message)
                .data(json!({ "reason": "issuer", "organisation": name }))
                .no_effect());
        }
        tree::require_active(self.engine, name)
    }

    /// Whether whoever issued a voucher is there and may act. What an organisation has issued that was removed is nobody's, also
    /// when there is another one of its name.
    pub(super) fn has_issuer(&self, voucher: &VoucherRecord) -> Result<bool, Problem> {
        if voucher.issuer == PLATFORM {
            return Ok(true);
        }
        let Some(found) = Organisation::find(self.engine, &voucher.issuer)? else { return Ok(false) };
        Ok(found.created_at_ms <= voucher.created_at_ms && tree::suspended(self.engine, &found.id)?.is_none())
    }

    /// Keeps what is issued within its bounds; `issue` commits the changes that it is given together with the batch. Whoever was
    /// overtaken counts once more.
    pub(super) fn within(
        &self,
        (issue, key, leave): (&Issue, &str, Leave),
        mut keep: impl FnMut(Vec<Change>) -> Result<BatchRecord, Problem>,
    ) -> Result<BatchRecord, Problem> {
        let Leave::Daily(limit) = leave else { return keep(Vec::new()) };
        let mut tries = 0;
        loop {
            tries += 1;
            let changes = self.room(issue, key, limit)?;
            match keep(changes) {
                Err(problem) if tries < TRIES && quota::is_overtaken(&problem) => {}
                other => return other,
            }
        }
    }

    /// Refuses what is worth too much together with what was issued lately; else what has to be committed with it.
    fn room(&self, issue: &Issue, key: &str, limit: i64) -> Result<Vec<Change>, Problem> {
        let prefix = format!("{}/{}/", issue.issuer, issue.currency);
        let id = format!("{prefix}{}", blake3::hash(key.as_bytes()).to_hex());
        // Before it is counted: who issues meanwhile has changed this.
        let guard = quota::guard(self.engine, &format!("{}/vouchers", issue.issuer))?;
        if self.engine.document(KIND, &id)?.is_some() {
            // The same batch again.
            return Ok(Vec::new());
        }
        let filter = DocumentFilter {
            kind: KIND.into(),
            id_prefix: Some(prefix),
            // Those whose day is over go some time later.
            limit: BATCHES * 2,
            ..DocumentFilter::default()
        };
        let now_ms = self.engine.now_ms();
        let mut lately = self.engine.documents(&filter)?;
        lately.retain(|one| one.expires_at_ms.is_none_or(|end| end > now_ms));
        let worth = issue.worth().ok_or_else(|| too_much(limit))?;
        let before = lately.iter().filter_map(|one| one.body["worth"].as_i64()).fold(0, i64::saturating_add);
        if issue.signed || before.saturating_add(worth) > limit || lately.len() >= BATCHES as usize {
            return Err(too_much(limit));
        }
        let put = Change::Put {
            kind: KIND.into(),
            id,
            organisation: PLATFORM.into(),
            body: json!({ "worth": worth }),
            keys: Vec::new(),
            expires_at_ms: Some(now_ms.saturating_add(DAY_MS)),
            expected: Expected::Any,
        };
        Ok(vec![guard, put])
    }
}

/// Takes back what an organisation has issued that was removed.
pub fn revoke_all(engine: &Engine, issuer: &str, by: (&str, &str)) -> Result<u64, Problem> {
    let issuers = [issuer.to_owned()];
    let (mut revoked, mut before) = (0, None::<String>);
    loop {
        let batches = engine.voucher_batches(Some(&issuers), before.as_deref())?;
        let Some(oldest) = batches.last() else { return Ok(revoked) };
        before = Some(oldest.id.clone());
        for batch in &batches {
            let audited = engine.audited(NewAudit {
                actor: by.0.to_owned(),
                organisation: issuer.to_owned(),
                action: "voucher.revoke".into(),
                target: batch.id.clone(),
                source: by.1.to_owned(),
                before: serde_json::Value::Null,
                after: json!({ "removed": issuer }),
            });
            revoked += audited.revoke_vouchers(None, Some(&batch.id), false)?;
        }
    }
}

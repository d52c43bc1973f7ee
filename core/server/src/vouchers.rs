//! Vouchers as scripts see them: whose run it is, and the office that keeps them.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::Organisation,
    organisations::tree,
    vouchers::{Issue, Leave, Office, Sealing},
};
use windlass_engine::Engine;
use windlass_hosts::{
    owner::{Organisations as _, PLATFORM},
    voucher::{self, Redeem, Settling, Step, Vouchers},
};
use windlass_model::{
    Code, Problem, RunId,
    audit::NewAudit,
    ledger::Balance,
    voucher::{BatchRecord, Closed, RedemptionRecord, Totals, VoucherRecord},
};
use zeroize::Zeroizing;

use crate::vault::Vault;

impl Sealing for Vault {
    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        self.seal_text(context, plain)
    }

    fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, Problem> {
        self.open_text(context, sealed)
    }
}

/// Vouchers in the database that the vault is attached to.
pub struct Book {
    vault: Arc<Vault>,
    /// What an issuer may issue in a day without an approval.
    issue_limit: i64,
}

/// Refuses a run that has nothing to do with an organisation. It isn't said whether there is one.
fn refused(organisation: &str, own: &str) -> Problem {
    let message = format!("the run is of the organisation `{own}`, and can't act for `{organisation}`");
    Problem::new(Code::PermissionDenied, message)
        .help("a run acts for its own organisation; one of the platform for any")
        .data(json!({ "reason": "organisation" }))
        .no_effect()
}

impl Book {
    /// Of this database.
    pub fn new(vault: Arc<Vault>, issue_limit: i64) -> Self {
        Self { vault, issue_limit }
    }

    /// How much the run may issue: whatever an admin has approved in it, and else what fits in a day.
    fn leave(&self, engine: &Engine, run: &RunId, signed: bool) -> Result<Leave, Problem> {
        let agreed = engine.approvals(Some(run), false)?.into_iter().any(|one| {
            let by_admin = one.request.role.as_deref() == Some("admin") && !one.request.allow_self;
            // What nobody decided in time is nobody's word.
            let decided = one.settled && !one.decisions.is_empty();
            by_admin && decided && one.decisions.iter().all(|decision| decision.approved)
        });
        match agreed {
            true => Ok(Leave::Any),
            false if signed => {
                Err(Problem::new(Code::LimitExceeded, "vouchers that other Sovereigns redeem need an approval")
                    .help("ask with `approve`, and the role `admin`, as `franchise/issue-vouchers` does")
                    .no_effect())
            }
            false => Ok(Leave::Daily(self.issue_limit)),
        }
    }

    /// Refuses a customer of somebody else: nothing is booked in its accounts.
    fn require_own(&self, engine: &Engine, customer: &str, issuer: &str) -> Result<(), Problem> {
        let theirs = match Organisation::find(engine, customer)? {
            Some(found) => tree::parent(&found) != Some(issuer),
            None => customer == PLATFORM,
        };
        match theirs {
            false => Ok(()),
            true => Err(Problem::new(Code::Conflict, format!("`{customer}` is no customer of `{issuer}`"))
                .help("a voucher is redeemed for a new organisation, or for one under its issuer")
                .data(json!({ "organisation": customer }))
                .no_effect()),
        }
    }

    /// The database, and the run's organisation, which may act for this one.
    fn acting(&self, run: &RunId, organisation: &str) -> Result<(Engine, String), Problem> {
        let own = self.vault.of(run)?;
        match Office::may_act(&own, organisation) {
            true => Ok((self.vault.attached()?, own)),
            false => Err(refused(organisation, &own)),
        }
    }

    /// The same, with an entry in the audit log that goes with the next change.
    fn noted(
        &self,
        run: &RunId,
        (organisation, action, target): (&str, &str, &str),
        after: Value,
    ) -> Result<Engine, Problem> {
        let (engine, _) = self.acting(run, organisation)?;
        Ok(engine.audited(NewAudit {
            actor: format!("run:{run}"),
            organisation: organisation.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            source: "run".to_owned(),
            before: Value::Null,
            after,
        }))
    }

    /// A voucher of an issuer that the run may act for; others aren't there.
    fn voucher(&self, run: &RunId, text: &str) -> Result<VoucherRecord, Problem> {
        let (engine, own) = (self.vault.attached()?, self.vault.of(run)?);
        let voucher = Office::new(&engine, &*self.vault).find(text)?;
        match Office::may_act(&own, &voucher.issuer) {
            true => Ok(voucher),
            false => Err(Problem::new(Code::NotFound, "there is no such voucher").no_effect()),
        }
    }
}

impl Vouchers for Book {
    fn issue(&self, step: &Step<'_>, issue: &voucher::Issue) -> Result<BatchRecord, Problem> {
        let (engine, _) = self.acting(step.run, &issue.issuer)?;
        let leave = self.leave(&engine, step.run, issue.signed)?;
        let after =
            json!({ "count": issue.count, "credit": issue.credit, "currency": issue.currency, "name": issue.name });
        let audited = self.noted(step.run, (&issue.issuer, "voucher.issue", &issue.issuer), after)?;
        Office::new(&engine, &*self.vault).prepare()?;
        let issue = Issue {
            issuer: issue.issuer.clone(),
            name: issue.name.clone(),
            count: issue.count,
            credit: issue.credit,
            currency: issue.currency.clone(),
            description: issue.description.clone(),
            max_redemptions: issue.max_redemptions,
            products: issue.products.clone(),
            expires_at_ms: issue.open_ms.map(|open_ms| engine.now_ms().saturating_add(open_ms)),
            signed: issue.signed,
        };
        Office::new(&audited, &*self.vault).issue(issue, step.key, &format!("run:{}", step.run), leave)
    }

    fn revoke(&self, step: &Step<'_>, issuer: &str, what: &str) -> Result<u64, Problem> {
        let (engine, _) = self.acting(step.run, issuer)?;
        let (voucher, batch) = match what.starts_with("v_") {
            true => (engine.voucher(what)?.filter(|found| found.voucher.issuer == issuer).map(|_| what), None),
            // A step's key is one of its own run: nobody else's batch has it.
            false => match engine.voucher_batch(what)? {
                Some(batch) => (None, Some(what).filter(|_| batch.issuer == issuer)),
                None => (None, Some(what).filter(|key| key.contains('/'))),
            },
        };
        if voucher.is_none() && batch.is_none() {
            return Err(Problem::new(Code::NotFound, format!("`{issuer}` has issued no `{what}`")).no_effect());
        }
        let audited = self.noted(step.run, (issuer, "voucher.revoke", what), Value::Null)?;
        audited.revoke_vouchers(voucher, batch, false)
    }

    fn preview(&self, run: &RunId, voucher: &str) -> Result<(VoucherRecord, Option<Closed>), Problem> {
        let found = self.voucher(run, voucher)?;
        let closed = found.closed(self.vault.attached()?.now_ms());
        Ok((found, closed))
    }

    fn redeem(&self, step: &Step<'_>, redeem: &Redeem) -> Result<RedemptionRecord, Problem> {
        // A step that is done again finds what it did, whatever has become of the voucher since.
        if let Some(known) = self.vault.attached()?.redemption_by_key(step.key)? {
            return Ok(known);
        }
        let voucher = self.voucher(step.run, &redeem.voucher)?;
        let (engine, _) = self.acting(step.run, &voucher.issuer)?;
        self.require_own(&engine, &redeem.customer, &voucher.issuer)?;
        let after = json!({ "customer": redeem.customer, "credit": voucher.credit, "currency": voucher.currency });
        let engine = self.noted(step.run, (&voucher.issuer, "voucher.redeemed", &voucher.id), after)?;
        let office = Office::new(&engine, &*self.vault);
        let who = (redeem.customer.as_str(), redeem.email.as_str());
        let redeemed = office.redeem(&voucher, who, redeem.product.as_deref(), step.key);
        // What was refused was written nowhere.
        redeemed.map_err(|problem| match problem.code {
            Code::Gone | Code::Conflict | Code::NotFound | Code::InvalidInput => problem.no_effect(),
            _ => problem,
        })
    }

    fn reverse(&self, run: &RunId, by: &str) -> Result<Option<RedemptionRecord>, Problem> {
        let engine = self.vault.attached()?;
        let Some(found) = engine.redemption_by_key(by)? else { return Ok(None) };
        let voucher = self.voucher(run, &found.voucher)?;
        let after = json!({ "customer": found.customer, "credit": found.amount, "currency": found.currency });
        self.noted(run, (&voucher.issuer, "voucher.reverse", &voucher.id), after)?.reverse_redemption(by)
    }

    fn write_off(&self, step: &Step<'_>, customer: &str, issuer: &str) -> Result<u64, Problem> {
        let (engine, own) = self.acting(step.run, issuer)?;
        // The platform's runs, too: what is written off goes to whoever has granted it, and to nobody else.
        if !Office::new(&engine, &*self.vault).is_customer(customer, issuer)? {
            return Err(refused(customer, &own));
        }
        let audited = self.noted(step.run, (issuer, "ledger.write_off", customer), Value::Null)?;
        audited.write_off(customer, issuer, step.key)
    }

    fn settle<'a>(&'a self, run: &'a RunId, sovereign: &'a str) -> Settling<'a> {
        Box::pin(async move {
            let engine = self.vault.attached()?;
            let office = Office::new(&engine, &*self.vault);
            let organisation = office.organisation_of(sovereign)?;
            self.acting(run, &organisation)?;
            Ok(json!(office.settle(sovereign, &format!("run:{run}")).await?))
        })
    }

    fn balance(&self, run: &RunId, organisation: &str) -> Result<Vec<Balance>, Problem> {
        let (engine, own) = (self.vault.attached()?, self.vault.of(run)?);
        let office = Office::new(&engine, &*self.vault);
        match Office::may_act(&own, organisation) || office.is_customer(organisation, &own)? {
            true => engine.ledger_balances(Some(organisation)),
            false => Err(refused(organisation, &own)),
        }
    }

    fn totals(&self, run: &RunId, issuer: &str) -> Result<Vec<Totals>, Problem> {
        let (engine, _) = self.acting(run, issuer)?;
        match issuer {
            "*" => engine.voucher_totals(None),
            one => engine.voucher_totals(Some(&[one.to_owned()])),
        }
    }
}

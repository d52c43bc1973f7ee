//! The audit log: read by those who manage an organisation, exported, and checked.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{
    Code, Problem,
    audit::{AuditFilter, AuditRecord},
};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
};

/// An entry.
#[derive(Serialize, JsonSchema)]
struct AuditEntry {
    /// Its number, from 1; of all organisations.
    seq: i64,
    /// When, in milliseconds since 1970.
    at_ms: i64,
    /// Who.
    actor: String,
    /// The organisation that it happened in.
    organisation: String,
    /// What.
    action: String,
    /// To what.
    target: String,
    /// From where: an address, `cli`.
    source: String,
    /// What it was before.
    before: Value,
    /// What it is now.
    after: Value,
    /// Hash of the entry before this one, hex.
    previous: String,
    /// blake3 of all of the above, hex.
    hash: String,
}

/// Which entries.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AuditQuery {
    /// By this actor: `ann` (and her tokens), `token:ann/ci`.
    actor: Option<String>,
    /// Whose action begins so: `user.`, `run.launch`.
    action: Option<String>,
    /// To this.
    target: Option<String>,
    /// In this organisation.
    organisation: Option<String>,
    /// At or after this time, in milliseconds since 1970.
    since_ms: Option<i64>,
    /// Before this time, in milliseconds since 1970.
    until_ms: Option<i64>,
    /// Entries on a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<i64>,
}

/// Which entries to export.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ExportQuery {
    /// After this number.
    after: Option<i64>,
    /// By this actor: `ann` (and her tokens), `token:ann/ci`.
    actor: Option<String>,
    /// Whose action begins so: `user.`, `run.launch`.
    action: Option<String>,
    /// To this.
    target: Option<String>,
    /// In this organisation.
    organisation: Option<String>,
    /// At or after this time, in milliseconds since 1970.
    since_ms: Option<i64>,
    /// Before this time, in milliseconds since 1970.
    until_ms: Option<i64>,
}

impl ExportQuery {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        let by = |actor: &String| {
            let token = record.actor.strip_prefix("token:").and_then(|token| token.split_once('/'));
            record.actor == *actor || token.is_some_and(|(user, _)| user == actor)
        };
        self.actor.as_ref().is_none_or(by)
            && is(&self.target, &record.target)
            && is(&self.organisation, &record.organisation)
            && self.action.as_deref().is_none_or(|action| record.action.starts_with(action))
            && self.since_ms.is_none_or(|since| since <= record.at_ms)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
    }
}

/// Entries that are read at once for an export.
const PIECE: u32 = 500;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/audit", "audit", "List entries of the audit log, newest first")
            .access(Access::Can(Permission::Manage))
            .query::<AuditQuery>()
            .answers::<Page<AuditEntry>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::get(
            "/api/v1/audit/export",
            "audit",
            "All entries, or those that are asked for, oldest first, one a line",
        )
        .access(Access::Can(Permission::Manage))
        .query::<ExportQuery>()
        .answers_raw(200, "application/x-ndjson")
        .problems(&[Code::InvalidInput])
        .stream(export),
        Route::get("/api/v1/audit/verify", "audit", "Check that no entry was changed, taken out or put in")
            .access(Access::Can(Permission::Administer))
            .answers::<crate::Verified>(200)
            .handle(verify),
    ]
}

fn entry(record: AuditRecord) -> AuditEntry {
    AuditEntry {
        seq: record.seq,
        at_ms: record.at_ms,
        actor: record.actor,
        organisation: record.organisation,
        action: record.action,
        target: record.target,
        source: record.source,
        before: record.before,
        after: record.after,
        previous: record.previous,
        hash: record.hash,
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: AuditQuery = request.query()?;
    let texts = [&query.actor, &query.action, &query.target, &query.organisation];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::new(Code::InvalidInput, "what is looked for has no zero byte"));
    }
    let limit = page::limit(query.limit);
    let mut organisations = request.principal.organisations(Permission::Manage);
    if let Some(asked) = query.organisation {
        let seen = organisations.is_none_or(|all| all.contains(&asked));
        organisations = Some(if seen { vec![asked] } else { Vec::new() });
    }
    let filter = AuditFilter {
        organisations,
        actor: query.actor,
        action: query.action,
        target: query.target,
        since_ms: query.since_ms,
        until_ms: query.until_ms,
        before: query.cursor,
        limit: limit + 1,
    };
    let entries = request.api.engine.audit_log(&filter)?.into_iter().map(entry).collect();
    Answer::json(&Page::of(entries, limit, |entry: &AuditEntry| entry.seq.to_string()))
}

/// Piece by piece, as fast as the client reads: what it hasn't taken isn't in memory.
async fn export(request: Request) -> Result<Answer, Problem> {
    let query: Arc<ExportQuery> = Arc::new(request.query()?);
    let organisations = request.principal.organisations(Permission::Manage);
    let engine = request.api.engine.clone();
    let pieces = stream::unfold(Some(query.after.unwrap_or(0)), move |after| {
        let (engine, organisations, query) = (engine.clone(), organisations.clone(), query.clone());
        async move {
            let after = after?;
            let read = tokio::task::spawn_blocking(move || engine.audit_after(after, PIECE)).await;
            let records = match read {
                Ok(Ok(records)) => records,
                // The status is sent already: the connection has to break, so that nobody takes a part for the whole.
                Ok(Err(problem)) => return Some((Err(std::io::Error::other(problem.message)), None)),
                Err(error) => return Some((Err(std::io::Error::other(error)), None)),
            };
            let last = records.last()?.seq;
            let seen =
                |record: &AuditRecord| organisations.as_ref().is_none_or(|all| all.contains(&record.organisation));
            let mut text = String::new();
            for record in records.into_iter().filter(|record| seen(record) && query.wants(record)) {
                text += &serde_json::to_string(&entry(record)).unwrap_or_default();
                text.push('\n');
            }
            Some((Ok(Bytes::from(text)), Some(last)))
        }
    });
    Ok(Answer::stream("application/x-ndjson", Box::pin(pieces)))
}

fn verify(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    Answer::json(&crate::verify_audit(&request.api.engine)?)
}

//! The ledger: balances and entries of organisations, and whether all of it is as it has to be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{
    Code, Problem,
    ledger::{Balance, EntryFilter, EntryRecord},
};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
};

/// An account's sum.
#[derive(Serialize, JsonSchema)]
struct BalanceView {
    /// The account's id.
    account: String,
    organisation: String,
    /// What it is for: `credit`, `vouchers-granted`, `clearing/<sovereign>` …
    name: String,
    /// `asset`, `liability`, `income` or `expense`.
    kind: String,
    /// ISO 4217.
    currency: String,
    /// Debits less credits, in the currency's smallest unit: what is owed to others is negative.
    amount: i64,
    /// How many entries it has.
    entries: i64,
}

/// An entry.
#[derive(Serialize, JsonSchema)]
struct EntryView {
    transaction: String,
    /// Its place in the transaction, from 1.
    seq: i64,
    at_ms: i64,
    /// `redeem`, `reverse`, `settle`, `dispute`, `write_off` or `pay`.
    kind: String,
    /// What it is about: a redemption, a claim, the transaction that is reversed.
    reference: String,
    description: String,
    account: String,
    organisation: String,
    /// Debit positive, credit negative, in the currency's smallest unit.
    amount: i64,
    currency: String,
}

/// Whose accounts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BalancesQuery {
    /// Only this organisation's.
    organisation: Option<String>,
}

/// Which entries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EntriesQuery {
    /// Only this organisation's.
    organisation: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// What a look at the whole ledger has found.
#[derive(Serialize, JsonSchema)]
struct CheckView {
    transactions: i64,
    entries: i64,
    /// What isn't as it has to be; empty if all is well.
    faults: Vec<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/ledger/balances", "ledger", "List accounts with their sums")
            .access(Access::Can(Permission::Manage))
            .query::<BalancesQuery>()
            .answers::<Vec<BalanceView>>(200)
            .handle(balances),
        Route::get("/api/v1/ledger/entries", "ledger", "List entries, newest first")
            .access(Access::Can(Permission::Manage))
            .query::<EntriesQuery>()
            .answers::<Page<EntryView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(entries),
        Route::get("/api/v1/ledger/verify", "ledger", "Look whether the whole ledger is as it has to be")
            .access(Access::Can(Permission::Administer))
            .answers::<CheckView>(200)
            .handle(verify),
    ]
}

/// The organisations whose accounts are meant, among those that whoever asks looks after; `None`: all.
fn meant(request: &Request, asked: Option<String>) -> Option<Vec<String>> {
    let own = request.principal.organisations(Permission::Manage);
    match asked {
        Some(one) if request.may(Permission::Manage, &one, "*") && !one.contains('\0') => Some(vec![one]),
        Some(_) => Some(Vec::new()),
        None => own,
    }
}

fn balances(request: Request) -> Result<Answer, Problem> {
    let query: BalancesQuery = request.query()?;
    let engine = &request.api.engine;
    let found = match meant(&request, query.organisation) {
        None => engine.ledger_balances(None)?,
        Some(those) => {
            let each = those.iter().map(|one| engine.ledger_balances(Some(one)));
            each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
    };
    let view = |one: Balance| BalanceView {
        account: one.account,
        organisation: one.organisation,
        name: one.name,
        kind: one.kind.to_string(),
        currency: one.currency,
        amount: one.amount,
        entries: one.entries,
    };
    Answer::json(&found.into_iter().map(view).collect::<Vec<_>>())
}

fn entries(request: Request) -> Result<Answer, Problem> {
    let query: EntriesQuery = request.query()?;
    let limit = page::limit(query.limit);
    let before = query.cursor.as_deref().map(place).transpose()?;
    let organisations = meant(&request, query.organisation);
    let found = request.api.engine.ledger_entries(&EntryFilter { organisations, before, limit: limit + 1 })?;
    let items = found.into_iter().map(view).collect();
    Answer::json(&Page::of(items, limit, |one: &EntryView| format!("{}/{}", one.seq, one.transaction)))
}

/// `seq/transaction`, as `next` says it.
fn place(cursor: &str) -> Result<(String, i64), Problem> {
    let parts = cursor.split_once('/').filter(|_| !cursor.contains('\0'));
    let parsed = parts.and_then(|(seq, transaction)| Some((transaction.to_owned(), seq.parse().ok()?)));
    parsed.ok_or_else(|| Problem::new(Code::InvalidInput, "the cursor isn't one that a page has given"))
}

fn view(one: EntryRecord) -> EntryView {
    EntryView {
        transaction: one.transaction,
        seq: one.seq,
        at_ms: one.at_ms,
        kind: one.kind.to_string(),
        reference: one.reference,
        description: one.description,
        account: one.account,
        organisation: one.organisation,
        amount: one.amount,
        currency: one.currency,
    }
}

fn verify(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let found = request.api.engine.ledger_check()?;
    Answer::json(&CheckView { transactions: found.transactions, entries: found.entries, faults: found.faults })
}

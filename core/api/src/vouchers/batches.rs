//! Batches and vouchers for those who look after the organisation that issues them.

use std::collections::BTreeMap;

use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem,
    voucher::{BatchRecord, VoucherFilter, VoucherRecord},
};

use super::{
    leave::Leave,
    office::{Issue, Office},
    views::{BatchView, VoucherView},
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{kept::PLATFORM, users::require_organisation},
    page::{self, Page},
};

/// Redemptions that one listing gives.
const REDEMPTIONS: u32 = 500;

/// Vouchers to issue.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IssueBody {
    /// The organisation that answers for them; if none is named, yours.
    issuer: Option<String>,
    /// How people call the batch.
    name: String,
    /// How many vouchers: 1 to 10,000; 1 if nothing is said.
    #[serde(default = "one")]
    count: usize,
    /// What each is worth, in the currency's smallest unit.
    credit: i64,
    /// ISO 4217.
    currency: String,
    #[serde(default)]
    description: String,
    /// How often each may be redeemed (0: without limit).
    #[serde(default = "once")]
    max_redemptions: i64,
    /// Greatest numbers of redemptions by product (0: no limit); empty: for anything.
    #[serde(default)]
    products: BTreeMap<String, i64>,
    /// When they can't be redeemed any more.
    expires_at_ms: Option<i64>,
    /// Whether other Sovereigns may redeem them by their signature.
    #[serde(default)]
    signed: bool,
}

fn one() -> usize {
    1
}

fn once() -> i64 {
    1
}

/// Which vouchers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VouchersQuery {
    /// Only those of this organisation.
    issuer: Option<String>,
    /// Only those of this batch.
    batch: Option<String>,
    /// Also those that were deleted.
    deleted: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// How many were taken back.
#[derive(Serialize, JsonSchema)]
struct RevokedView {
    /// Vouchers that could be redeemed before.
    revoked: u64,
}

/// A redemption.
#[derive(Serialize, JsonSchema)]
struct RedemptionView {
    id: String,
    voucher: String,
    /// The organisation that got the credit.
    customer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    /// In the currency's smallest unit.
    amount: i64,
    currency: String,
    /// What was booked.
    transaction: String,
    redeemed_at_ms: i64,
    /// What was booked when it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed_at_ms: Option<i64>,
}

/// An issuer's sums in one currency, in its smallest unit.
#[derive(Serialize, JsonSchema)]
struct TotalsView {
    issuer: String,
    currency: String,
    /// Vouchers that it has issued.
    vouchers: i64,
    /// What those could cost that have a limit.
    issued: i64,
    /// What was redeemed and not taken back, here and elsewhere.
    redeemed: i64,
    /// What open ones that have a limit can still cost.
    outstanding: i64,
    /// Open ones without a limit, which are in no sum.
    unlimited: i64,
}

pub(super) fn routes() -> Vec<Route> {
    let manage = |route: Route| route.access(Access::Can(Permission::Manage));
    vec![
        manage(Route::get("/api/v1/vouchers/totals", "vouchers", "Sum up vouchers by issuer and currency"))
            .answers::<Vec<TotalsView>>(200)
            .handle(totals),
        manage(Route::get("/api/v1/vouchers/batches", "vouchers", "List batches, newest first"))
            .answers::<Vec<BatchView>>(200)
            .handle(list_batches),
        manage(Route::post("/api/v1/vouchers/batches", "vouchers", "Issue vouchers"))
            .describe(
                "The codes are in the batch's export. With an `Idempotency-Key`, a second request gives the first one's batch. What is \
                 makes an issuer's vouchers of 24 hours worth more than `vouchers.issue_limit`, or is signed, is issued by \
                 `franchise/issue-vouchers`, which asks for an approval. The issuer is the platform, or a franchisee.",
            )
            .headers(&[("Idempotency-Key", "A second request with this key gives the same batch")])
            .body::<IssueBody>()
            .answers::<BatchView>(201)
            .problems(&[Code::InvalidInput, Code::LimitExceeded])
            .handle(issue),
        manage(Route::get("/api/v1/vouchers/batches/{id}", "vouchers", "Show a batch"))
            .answers::<BatchView>(200)
            .problems(&[Code::NotFound])
            .handle(show_batch),
        manage(Route::get("/api/v1/vouchers/batches/{id}/export", "vouchers", "Get a batch's codes, as CSV"))
            .describe("Each export stands in the audit log.")
            .answers_raw(200, "text/csv")
            .problems(&[Code::NotFound])
            .handle(export),
        manage(Route::post("/api/v1/vouchers/batches/{id}/revoke", "vouchers", "Take a batch back"))
            .describe("What was redeemed stays.")
            .answers::<RevokedView>(200)
            .problems(&[Code::NotFound])
            .handle(revoke_batch),
        manage(Route::get("/api/v1/vouchers", "vouchers", "List vouchers, without their codes"))
            .query::<VouchersQuery>()
            .answers::<Page<VoucherView>>(200)
            .handle(list),
        manage(Route::get("/api/v1/vouchers/{id}", "vouchers", "Show a voucher, without its code"))
            .answers::<VoucherView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        manage(Route::get("/api/v1/vouchers/{id}/redemptions", "vouchers", "List who redeemed a voucher, newest first"))
            .answers::<Vec<RedemptionView>>(200)
            .problems(&[Code::NotFound])
            .handle(redemptions),
        manage(Route::post("/api/v1/vouchers/{id}/revoke", "vouchers", "Take a voucher back"))
            .describe("What was redeemed stays.")
            .answers::<RevokedView>(200)
            .problems(&[Code::NotFound])
            .handle(revoke),
        manage(Route::delete("/api/v1/vouchers/{id}", "vouchers", "Take a voucher back, and list it no more"))
            .answers_nothing()
            .problems(&[Code::NotFound])
            .handle(delete),
    ]
}

/// The issuers that whoever asks looks after; `None`: all.
fn issuers(request: &Request) -> Option<Vec<String>> {
    request.principal.organisations(Permission::Manage)
}

fn totals(request: Request) -> Result<Answer, Problem> {
    let totals = request.api.engine.voucher_totals(issuers(&request).as_deref())?;
    let view = |one: windlass_model::voucher::Totals| TotalsView {
        issuer: one.issuer,
        currency: one.currency,
        vouchers: one.vouchers,
        issued: one.issued,
        redeemed: one.redeemed,
        outstanding: one.outstanding,
        unlimited: one.unlimited,
    };
    Answer::json(&totals.into_iter().map(view).collect::<Vec<_>>())
}

fn list_batches(request: Request) -> Result<Answer, Problem> {
    let batches = request.api.engine.voucher_batches(issuers(&request).as_deref(), None)?;
    Answer::json(&batches.into_iter().map(BatchView::from).collect::<Vec<_>>())
}

/// Where somebody who names no organisation issues: in the first of theirs.
fn own(request: &Request) -> String {
    issuers(request).and_then(|own| own.into_iter().next()).unwrap_or_else(|| PLATFORM.to_owned())
}

fn issue(request: Request) -> Result<Answer, Problem> {
    let body: IssueBody = request.json()?;
    let issuer = body.issuer.unwrap_or_else(|| own(&request));
    request.require_in(Permission::Manage, &issuer)?;
    let engine = &request.api.engine;
    if issuer != PLATFORM {
        require_organisation(engine, &issuer).map_err(|problem| problem.data(json!({ "pointer": "/issuer" })))?;
    }
    let issue = Issue {
        issuer: issuer.clone(),
        name: body.name,
        count: body.count,
        credit: body.credit,
        currency: body.currency,
        description: body.description,
        max_redemptions: body.max_redemptions,
        products: body.products,
        expires_at_ms: body.expires_at_ms,
        signed: body.signed,
    };
    let leave = leave(&request, &issue)?;
    let key = match request.header("idempotency-key").map(str::trim) {
        Some(key) if (1..=255).contains(&key.len()) => format!("request/{issuer}/{key}"),
        Some(_) => return Err(Problem::new(Code::InvalidInput, "an idempotency key has 1 to 255 characters")),
        None => format!("request/{:032x}", rand::random::<u128>()),
    };
    let after = json!({ "count": issue.count, "credit": issue.credit, "currency": issue.currency, "name": issue.name });
    let audited = request.audited("voucher.issue", &issuer, &issuer, Value::Null, after);
    let sealing = &*request.api.secrets;
    // Keys are made without the entry: it goes with the batch.
    Office::new(engine, &sealing).prepare()?;
    let batch = Office::new(&audited, &sealing).issue(issue, &key, &request.principal.actor(), leave)?;
    Answer::created(&format!("/api/v1/vouchers/batches/{}", batch.id), &BatchView::from(batch))
}

/// How much whoever asks may issue without somebody else's word.
fn leave(request: &Request, issue: &Issue) -> Result<Leave, Problem> {
    match request.may(Permission::Administer, "*", "*") {
        true => Ok(Leave::Any),
        // The signature is the whole Sovereign's.
        false if issue.signed => Err(request
            .principal
            .denied(Permission::Administer, "*", "*")
            .help("`franchise/issue-vouchers` asks an admin to approve vouchers that other Sovereigns redeem")),
        false => Ok(Leave::Daily(request.api.config.issue_limit)),
    }
}

/// A batch for those who look after its issuer; for others it isn't there.
fn batch(request: &Request) -> Result<BatchRecord, Problem> {
    let id = request.parameter("id");
    let found = if id.contains('\0') { None } else { request.api.engine.voucher_batch(id)? };
    let found = found.filter(|found| request.may(Permission::Manage, &found.issuer, "*"));
    found.ok_or_else(|| Problem::new(Code::NotFound, "there is no such batch"))
}

fn voucher(request: &Request) -> Result<VoucherRecord, Problem> {
    let id = request.parameter("id");
    let found = if id.contains('\0') { None } else { request.api.engine.voucher(id)? };
    let found = found.map(|found| found.voucher).filter(|found| request.may(Permission::Manage, &found.issuer, "*"));
    found.ok_or_else(|| Problem::new(Code::NotFound, "there is no such voucher"))
}

fn show_batch(request: Request) -> Result<Answer, Problem> {
    Answer::json(&BatchView::from(batch(&request)?))
}

fn export(request: Request) -> Result<Answer, Problem> {
    let batch = batch(&request)?;
    let (engine, sealing) = (&request.api.engine, &*request.api.secrets);
    engine.audit(request.entry(
        "voucher.export",
        &batch.issuer,
        &batch.id,
        Value::Null,
        json!({ "count": batch.count }),
    ))?;
    let text = Office::new(engine, &sealing).export(&batch)?;
    let file = format!("attachment; filename=\"vouchers-{}.csv\"", batch.id);
    Ok(Answer::bytes("text/csv; charset=utf-8", text).header(header::CONTENT_DISPOSITION, &file))
}

fn revoke_batch(request: Request) -> Result<Answer, Problem> {
    let batch = batch(&request)?;
    let audited = request.audited("voucher.revoke", &batch.issuer, &batch.id, Value::Null, Value::Null);
    Answer::json(&RevokedView { revoked: audited.revoke_vouchers(None, Some(&batch.id), false)? })
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: VouchersQuery = request.query()?;
    let texts = [&query.issuer, &query.batch, &query.cursor];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::new(Code::InvalidInput, "a name or a cursor has no zero byte"));
    }
    let limit = page::limit(query.limit);
    let seen = issuers(&request);
    let issuers = match query.issuer {
        Some(one) if seen.as_ref().is_none_or(|seen| seen.contains(&one)) => Some(vec![one]),
        Some(_) => Some(Vec::new()),
        None => seen,
    };
    let deleted = query.deleted.unwrap_or_default();
    let filter = VoucherFilter { issuers, batch: query.batch, deleted, after: query.cursor, limit: limit + 1 };
    let now_ms = request.api.engine.now_ms();
    let found = request.api.engine.vouchers(&filter)?;
    let items = found.into_iter().map(|found| VoucherView::of(found.voucher, now_ms)).collect();
    Answer::json(&Page::of(items, limit, |view: &VoucherView| view.id.clone()))
}

fn show(request: Request) -> Result<Answer, Problem> {
    Answer::json(&VoucherView::of(voucher(&request)?, request.api.engine.now_ms()))
}

fn redemptions(request: Request) -> Result<Answer, Problem> {
    let voucher = voucher(&request)?;
    let found = request.api.engine.redemptions(Some(&voucher.id), None, REDEMPTIONS)?;
    let view = |one: windlass_model::voucher::RedemptionRecord| RedemptionView {
        id: one.id,
        voucher: one.voucher,
        customer: one.customer,
        product: one.product,
        amount: one.amount,
        currency: one.currency,
        transaction: one.transaction,
        redeemed_at_ms: one.redeemed_at_ms,
        reversed_by: one.reversed_by,
        reversed_at_ms: one.reversed_at_ms,
    };
    Answer::json(&found.into_iter().map(view).collect::<Vec<_>>())
}

fn take_back(request: &Request, delete: bool) -> Result<u64, Problem> {
    let voucher = voucher(request)?;
    let (before, action) = (
        json!({ "active": voucher.active, "times_redeemed": voucher.times_redeemed }),
        if delete { "voucher.delete" } else { "voucher.revoke" },
    );
    let audited = request.audited(action, &voucher.issuer, &voucher.id, before, Value::Null);
    audited.revoke_vouchers(Some(&voucher.id), None, delete)
}

fn revoke(request: Request) -> Result<Answer, Problem> {
    Answer::json(&RevokedView { revoked: take_back(&request, false)? })
}

fn delete(request: Request) -> Result<Answer, Problem> {
    take_back(&request, true)?;
    Ok(Answer::nothing())
}

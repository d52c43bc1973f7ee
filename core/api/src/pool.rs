//! Names of the pool: under domains of the house, for customers who bring none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
    runs::{filter::clean, organisation_of_launch},
    services::{Pool, PoolName},
};

/// Bytes of a request: a label, a token, a few addresses.
const BODY_BYTES: usize = 16 << 10;

/// Names that are looked through for one page, at most.
const LOOKED_AT: u32 = 10_000;

/// Which names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NamesQuery {
    /// Only names under this domain.
    domain: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// Which name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckQuery {
    /// The domain of the pool.
    domain: String,
    /// The one label below it.
    label: String,
}

/// Whether a name can be had.
#[derive(Serialize, JsonSchema)]
struct CheckView {
    /// Whether it can.
    available: bool,
    /// Why not: `unsupported-pool`, `reserved`, `taken` or `invalid-format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A name to reserve.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    /// The domain of the pool.
    domain: String,
    /// The one label below it, in any script.
    label: String,
    /// The organisation that it is for; if none is named, the one that you may launch in.
    organisation: Option<String>,
}

/// A reserved name.
#[derive(Serialize, JsonSchema)]
struct ReservedView {
    /// The full name.
    name: String,
    /// What renews, commits and releases it. It is told only here.
    token: String,
    /// When the reservation runs out.
    until_ms: i64,
    /// Name servers of its zone.
    nameservers: Vec<String>,
    /// DS records that stand in the domain's zone.
    ds: Vec<String>,
}

/// A proof that a name is one's own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// What reserving it gave.
    token: String,
}

/// The same; an admin needs none.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    /// What reserving it gave.
    token: Option<String>,
}

/// Where a name is to point.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommitBody {
    /// What reserving it gave.
    token: String,
    /// 1 to 16 IPv4 addresses.
    addresses: Vec<String>,
}

/// A name that was given out.
#[derive(Serialize, JsonSchema)]
struct CommittedView {
    /// The full name.
    name: String,
    /// Where `@ * console api gitea harbor` point to.
    addresses: Vec<String>,
}

/// A reservation that runs on.
#[derive(Serialize, JsonSchema)]
struct RenewedView {
    /// When it runs out; absent if the name is given out already.
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

/// A name that was given back.
#[derive(Serialize, JsonSchema)]
struct ReleasedView {
    /// When it is free, if it rests first.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_at_ms: Option<i64>,
}

/// A name that isn't free.
#[derive(Serialize, JsonSchema)]
struct NameView {
    /// The full name.
    name: String,
    /// The domain that it is under.
    domain: String,
    /// The rest.
    label: String,
    /// `reserved`, `active` or `releasing`.
    state: String,
    /// The organisation that it is for.
    organisation: String,
    /// Where it points.
    addresses: Vec<String>,
    /// When it was reserved.
    since_ms: i64,
    /// When the reservation runs out, or the name is free.
    until_ms: Option<i64>,
}

pub(crate) fn routes() -> Vec<Route> {
    let change = |path, summary| {
        Route::post(path, "pool", summary).access(Access::Can(Permission::Launch)).body_bytes(BODY_BYTES)
    };
    vec![
        Route::get("/api/v1/pool", "pool", "List the domains of the pool")
            .access(Access::Can(Permission::Read))
            .answers::<Vec<String>>(200)
            .handle(|request| Answer::json(&pool(&request)?.domains()?)),
        Route::get("/api/v1/pool/check", "pool", "Ask whether a name can be had")
            .access(Access::Can(Permission::Read))
            .query::<CheckQuery>()
            .answers::<CheckView>(200)
            .handle(check),
        Route::get("/api/v1/pool/names", "pool", "List names that aren't free")
            .access(Access::Can(Permission::Read))
            .query::<NamesQuery>()
            .answers::<Page<NameView>>(200)
            .handle(list),
        change("/api/v1/pool/names", "Reserve a name")
            .describe(
                "Its zone is made and signed, with NS and DS in the domain's zone. 409: somebody has it. 422: it can't be had at \
                 all (`data.reason`: `unsupported-pool`, `reserved`, `invalid-format`), or your organisation has too many reserved (`limit_exceeded`).",
            )
            .body::<ReserveBody>()
            .answers::<ReservedView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict, Code::NameRefused, Code::LimitExceeded, Code::Unavailable])
            .handle(reserve),
        change("/api/v1/pool/names/{name}/renew", "Let a reservation run on")
            .describe("410: it has run out, or was reserved too long ago to run on without being committed.")
            .body::<TokenBody>()
            .answers::<RenewedView>(200)
            .problems(&[Code::NotFound, Code::Gone, Code::Conflict])
            .handle(renew),
        change("/api/v1/pool/names/{name}/commit", "Give a reserved name out")
            .describe("May be repeated with the same token: what failed half-way is done again, and other addresses take the place of those before.")
            .body::<CommitBody>()
            .answers::<CommittedView>(200)
            .problems(&[Code::InvalidArgument, Code::NotFound, Code::Gone, Code::Conflict, Code::Unavailable])
            .handle(commit),
        change("/api/v1/pool/names/{name}/release", "Give a name back")
            .describe("Its delegation goes at once. A name that was given out rests for as long as others may remember its keys.")
            .body::<ReleaseBody>()
            .answers::<ReleasedView>(200)
            .problems(&[Code::NotFound, Code::Conflict, Code::Unavailable])
            .handle(release),
    ]
}

fn pool(request: &Request) -> Result<&dyn Pool, Problem> {
    let none = || {
        Problem::new(Code::Unsupported, "this server gives no names out")
            .help("add [hosts.pool.domains] to windlass.toml")
    };
    request.api.pool.as_deref().ok_or_else(none)
}

fn check(request: Request) -> Result<Answer, Problem> {
    let query: CheckQuery = request.query()?;
    let refused = pool(&request)?.check(&query.domain, &query.label)?;
    let (reason, detail) = refused.map(|refused| (refused.reason, refused.detail)).unzip();
    Answer::json(&CheckView { available: reason.is_none(), reason, detail })
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: NamesQuery = request.query()?;
    let limit = page::limit(query.limit);
    let found = pool(&request)?.list(query.domain.as_deref(), query.cursor.as_deref(), LOOKED_AT)?;
    let seen = found.into_iter().filter(|name| request.may(Permission::Read, &name.organisation, "*"));
    let items = seen.take(limit as usize + 1).map(view).collect();
    Answer::json(&Page::of(items, limit, |name: &NameView| name.name.clone()))
}

fn view(name: PoolName) -> NameView {
    let PoolName { name, domain, label, state, organisation, addresses, since_ms, until_ms } = name;
    NameView { name, domain, label, state, organisation, addresses, since_ms, until_ms }
}

fn reserve(request: Request) -> Result<Answer, Problem> {
    let body: ReserveBody = request.json()?;
    let organisation = organisation_of_launch(&request, body.organisation, "*")?;
    let target = format!("{}.{}", clean("label", &body.label)?, clean("domain", &body.domain)?);
    let audited =
        request.audited("pool.reserve", &organisation, &target, Value::Null, json!({ "organisation": organisation }));
    let made = pool(&request)?.reserve(&audited, &body.domain, &body.label, &organisation)?;
    let location = format!("/api/v1/pool/names/{}", made.name);
    let view = ReservedView {
        name: made.name,
        token: made.token,
        until_ms: made.until_ms,
        nameservers: made.nameservers,
        ds: made.ds,
    };
    Answer::created(&location, &view)
}

/// The name that a request is about, for those who may see it. To others it isn't there.
fn find(request: &Request) -> Result<PoolName, Problem> {
    let name = clean("name", request.parameter("name"))?.to_ascii_lowercase();
    let found = pool(request)?.find(&name)?;
    let found = found.filter(|found| request.may(Permission::Read, &found.organisation, "*"));
    let found = found.ok_or_else(|| Problem::new(Code::NotFound, format!("nobody has {name}")))?;
    request.require(Permission::Launch, &found.organisation, "*")?;
    Ok(found)
}

fn renew(request: Request) -> Result<Answer, Problem> {
    let found = find(&request)?;
    let body: TokenBody = request.json()?;
    let audited = request.audited("pool.renew", &found.organisation, &found.name, Value::Null, Value::Null);
    let until_ms = pool(&request)?.renew(&audited, &found.name, &body.token)?;
    Answer::json(&RenewedView { until_ms: Some(until_ms).filter(|until| *until < i64::MAX) })
}

fn commit(request: Request) -> Result<Answer, Problem> {
    let found = find(&request)?;
    let body: CommitBody = request.json()?;
    let (before, after) = (json!({ "addresses": found.addresses }), json!({ "addresses": body.addresses }));
    let audited = request.audited("pool.commit", &found.organisation, &found.name, before, after);
    let addresses = pool(&request)?.commit(&audited, &found.name, &body.token, &body.addresses)?;
    Answer::json(&CommittedView { name: found.name, addresses })
}

fn release(request: Request) -> Result<Answer, Problem> {
    let found = find(&request)?;
    let body: ReleaseBody = request.json_or_default()?;
    if body.token.is_none() {
        // Whoever looks after the installation gives back what customers have left behind.
        request.require_in(Permission::Administer, "*")?;
    }
    let before = json!({ "state": found.state, "addresses": found.addresses });
    let audited = request.audited("pool.release", &found.organisation, &found.name, before, Value::Null);
    let free_at_ms = pool(&request)?.release(&audited, &found.name, body.token.as_deref())?;
    Answer::json(&ReleasedView { free_at_ms })
}

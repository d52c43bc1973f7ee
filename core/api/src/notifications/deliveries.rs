//! Deliveries: each message, and what has become of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::{
    kept::{Cause, Message, Notice, Severity, State},
    queue,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{By, Kept},
    },
    page::{self, Page},
};

/// Which deliveries, the newest first.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// Of this organisation.
    organisation: Option<String>,
    /// In this state.
    state: Option<State>,
    /// To the target of this name.
    target: Option<String>,
    /// On a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// A message, and what has become of it.
#[derive(Serialize, JsonSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: String,
    /// The organisation of its rule.
    pub organisation: String,
    /// The rule's id.
    pub rule: String,
    /// Its name at the time.
    pub rule_name: String,
    /// The target's name.
    pub target: String,
    /// Of which event; for a digest the first one.
    pub cause: Cause,
    /// How much it matters.
    pub severity: Severity,
    /// What is told.
    pub message: Message,
    /// What becomes of it.
    pub state: State,
    /// When it was to be sent first.
    pub due_at_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// Why the last one failed, or what the other side said besides.
    pub reason: String,
    /// Whether an attempt got no answer and may have arrived: then it may come twice.
    pub unknown: bool,
    /// When it was delivered, or given up.
    pub done_at_ms: Option<i64>,
    /// The digest that it stands in.
    pub digest: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/notifications/deliveries", "notifications", "List what was told, and what is still to be")
            .access(Access::Can(Permission::Read))
            .query::<DeliveriesQuery>()
            .answers::<Page<DeliveryView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(get_all),
        Route::get("/api/v1/notifications/deliveries/{id}", "notifications", "Show a delivery")
            .access(Access::Can(Permission::Read))
            .answers::<DeliveryView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::post("/api/v1/notifications/deliveries/{id}/retry", "notifications", "Tell a message that was given up")
            .access(Access::Can(Permission::Operate))
            .answers::<DeliveryView>(200)
            .problems(&[Code::NotFound, Code::Conflict])
            .handle(retry),
    ]
}

/// A message as people see it.
pub fn view(notice: &Notice) -> DeliveryView {
    let body = notice.body.clone();
    DeliveryView {
        id: notice.id.clone(),
        organisation: notice.organisation.clone(),
        rule: body.rule,
        rule_name: body.rule_name,
        target: body.target,
        cause: body.cause,
        severity: body.severity,
        message: body.message,
        state: body.state,
        due_at_ms: body.due_at_ms,
        attempts: body.attempts,
        reason: body.reason,
        unknown: body.unknown,
        done_at_ms: body.done_at_ms,
        digest: body.digest,
    }
}

/// The newest messages that the test lets through.
pub fn list(
    engine: &Engine,
    mut filter: DocumentFilter,
    limit: usize,
    fits: impl Fn(&Notice) -> bool,
) -> Result<Vec<Notice>, Problem> {
    filter.newest_first = true;
    filter.limit = 200;
    let mut all = Vec::new();
    loop {
        let found = Notice::list(engine, filter.clone())?;
        filter.after = found.last().map(|last| last.id.clone());
        let full = found.len() == filter.limit as usize;
        all.extend(found.into_iter().filter(&fits));
        if all.len() > limit || !full {
            all.truncate(limit + 1);
            return Ok(all);
        }
    }
}

/// Has a message that was given up sent again.
pub fn again(engine: &Engine, by: &By, notice: &Notice) -> Result<Notice, Problem> {
    if notice.body.state != State::Dead {
        return Err(Problem::new(Code::Conflict, "only a message that was given up can be told again"));
    }
    let at = (notice.organisation.as_str(), notice.id.as_str());
    let audited = by.audited(engine, "notification.retry", at, Value::Null, json!({ "target": notice.body.target }));
    audited.change(queue::revive(notice, engine.now_ms())?)?;
    Kept::require(engine, &notice.id)
}

fn get_all(request: Request) -> Result<Answer, Problem> {
    let query: DeliveriesQuery = request.query()?;
    let limit = page::limit(query.limit);
    let organisations = match (query.organisation, request.principal.scopes(Permission::Read)) {
        (Some(one), _) => Some(vec![one]),
        (None, None) => None,
        (None, Some(scopes)) if scopes.iter().any(|scope| scope.organisation == "*") => None,
        (None, Some(scopes)) => Some(scopes.into_iter().map(|scope| scope.organisation).collect()),
    };
    let filter = DocumentFilter { organisations, after: query.cursor, ..DocumentFilter::default() };
    let found = list(&request.api.engine, filter, limit as usize, |notice| {
        query.state.is_none_or(|state| state == notice.body.state)
            && query.target.as_ref().is_none_or(|target| *target == notice.body.target)
            && may_see(&request, notice)
    })?;
    Answer::json(&Page::of(found.iter().map(view).collect(), limit, |view: &DeliveryView| view.id.clone()))
}

/// Whether whoever asks may see a message: one that tells of others' events only if they may see those, too.
fn may_see(request: &Request, notice: &Notice) -> bool {
    sees(notice, |organisation| request.may(Permission::Read, organisation, "*"))
}

/// Whether somebody sees a message who may read in those organisations.
pub(super) fn sees(notice: &Notice, may_read: impl Fn(&str) -> bool) -> bool {
    let body = &notice.body;
    may_read(&notice.organisation)
        && body.cause.organisation.as_deref().is_none_or(&may_read)
        && (!body.of_others || may_read("*"))
}

/// The one that the path names, if whoever asks may see it.
fn found(request: &Request) -> Result<Notice, Problem> {
    let found = Notice::find(&request.api.engine, request.parameter("id"))?;
    let found = found.filter(|notice| may_see(request, notice));
    found.ok_or_else(|| Problem::new(Code::NotFound, "there is no such delivery"))
}

fn show(request: Request) -> Result<Answer, Problem> {
    Answer::json(&view(&found(&request)?))
}

fn retry(request: Request) -> Result<Answer, Problem> {
    let notice = found(&request)?;
    request.require_in(Permission::Operate, &notice.organisation)?;
    Answer::json(&view(&again(&request.api.engine, &auth::by(&request), &notice)?))
}

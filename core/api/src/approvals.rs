//! Approvals: what people are asked, and their decisions. The store refuses stale and double ones and decisions on one's
//! own run; here is what the store can't know: who may decide in which role.

pub(crate) mod lone;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem, RunId, StepPath,
    query::{ApprovalFilter, ApprovalRecord, RunRecord},
    wait::Decision,
};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
    runs::{self, filter::clean, view::ApprovalView},
};

/// Approvals that one page looks at, at most.
const LOOKED_AT: usize = 1_000;

/// A decision.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    /// Approved, or denied.
    approved: bool,
    /// Why.
    comment: Option<String>,
    /// The form, filled in; needed to approve if there is one.
    #[serde(default)]
    form: Value,
    /// Digest of what was shown, from the approval's request.
    digest: String,
}

/// Which approvals.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InboxQuery {
    /// All that you may see, and not only those that you may decide on.
    all: Option<bool>,
    /// Only those of this organisation.
    organisation: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// An open approval, with its run in short.
#[derive(Serialize, JsonSchema)]
struct InboxItem {
    #[serde(flatten)]
    approval: ApprovalView,
    /// The run's workflow.
    workflow: String,
    /// The run's organisation.
    organisation: String,
    /// Who launched the run.
    launched_by: String,
    /// Whether you may decide on it.
    may_decide: bool,
    /// Why you may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/approvals", "approvals", "What waits for your decision, oldest first")
            .access(Access::Can(Permission::Read))
            .query::<InboxQuery>()
            .answers::<Page<InboxItem>>(200)
            .problems(&[Code::InvalidInput])
            .handle(inbox),
        Route::post("/api/v1/runs/{id}/approvals/{step*}/decision", "approvals", "Decide on an approval")
            .describe(
                "Nobody decides on what they launched themselves, also not with a token, unless the workflow says so.",
            )
            .access(Access::Can(Permission::Approve))
            .body::<DecisionBody>()
            .answers::<ApprovalView>(200)
            .problems(&[
                Code::InvalidInput,
                Code::RunNotFound,
                Code::NotFound,
                Code::IllegalTransition,
                Code::ApprovalStale,
                Code::ApprovalExpired,
                Code::Conflict,
            ])
            .handle(decide),
    ]
}

fn inbox(request: Request) -> Result<Answer, Problem> {
    let query: InboxQuery = request.query()?;
    let (all, limit) = (query.all.unwrap_or(false), page::limit(query.limit) as usize);
    let mut filter = ApprovalFilter {
        open_only: true,
        scopes: request.principal.scopes(Permission::Read),
        organisation: query
            .organisation
            .as_deref()
            .map(|text| clean("organisation", text))
            .transpose()?
            .map(str::to_owned),
        after: query.cursor.as_deref().map(after).transpose()?,
        limit: limit as u32 + 1,
    };
    let mut runs: HashMap<RunId, Option<RunRecord>> = HashMap::new();
    let (mut items, mut looked_at) = (Vec::new(), 0);
    // Most of what one sees one may decide on; where it isn't so, a page is what was found within bounds.
    while looked_at < LOOKED_AT {
        let found = request.api.engine.approvals_where(&filter)?;
        let is_last = found.len() <= limit;
        for approval in found {
            if items.len() == limit {
                return page(items, &filter);
            }
            looked_at += 1;
            filter.after = Some((approval.asked_at_ms, approval.run.clone(), approval.path.clone()));
            items.extend(item(&request, approval, all, &mut runs)?);
        }
        if is_last {
            filter.after = None;
            break;
        }
    }
    page(items, &filter)
}

fn page(items: Vec<InboxItem>, filter: &ApprovalFilter) -> Result<Answer, Problem> {
    let next = filter.after.as_ref().map(|(asked_ms, run, path)| format!("{asked_ms}:{run}:{path}"));
    Answer::json(&Page { items, next })
}

/// An approval, if whoever asks sees it and it is one of those that they asked for.
fn item(
    request: &Request,
    approval: ApprovalRecord,
    all: bool,
    runs: &mut HashMap<RunId, Option<RunRecord>>,
) -> Result<Option<InboxItem>, Problem> {
    let run = match runs.get(&approval.run) {
        Some(run) => run,
        None => runs.entry(approval.run.clone()).or_insert(request.api.engine.run(&approval.run)?),
    };
    // The filter has said so already; a mistake there must not show others' runs.
    let Some(run) = run.as_ref().filter(|run| request.may(Permission::Read, &run.organisation, &run.workflow)) else {
        return Ok(None);
    };
    let refused = may_decide(request, run, &approval).err();
    if refused.is_some() && !all {
        return Ok(None);
    }
    Ok(Some(InboxItem {
        workflow: run.workflow.clone(),
        organisation: run.organisation.clone(),
        launched_by: run.launched_by.clone(),
        may_decide: refused.is_none(),
        why_not: refused.map(|problem| problem.message),
        approval: approval.into(),
    }))
}

fn after(cursor: &str) -> Result<(i64, RunId, StepPath), Problem> {
    let wrong = || Problem::new(Code::InvalidInput, "that is no cursor").data(json!({ "parameter": "cursor" }));
    let mut parts = clean("cursor", cursor)?.splitn(3, ':');
    let mut part = || parts.next().ok_or_else(wrong);
    let asked_ms = part()?.parse().map_err(|_| wrong())?;
    Ok((asked_ms, RunId::from(part()?), part()?.parse().map_err(|_| wrong())?))
}

fn decide(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Approve)?;
    let path = runs::step("/step", request.parameter("step"))?;
    let body: DecisionBody = request.json()?;
    body.comment.as_deref().map(|comment| runs::text("comment", comment)).transpose()?;
    runs::text("digest", &body.digest)?;
    let mut known = request.api.engine.approvals(Some(&run.id), false)?;
    known.retain(|approval| approval.path == path);
    let none = || Problem::new(Code::NotFound, format!("step {path} of run `{}` asks for no approval", run.id));
    let approval = known.pop().ok_or_else(none)?;
    if approval.settled {
        let message = format!("the approval \"{}\" is settled", approval.request.title);
        return Err(Problem::new(Code::IllegalTransition, message));
    }
    may_decide(&request, &run, &approval)?;
    let before = json!({ "decisions": approval.decisions.len(), "settled": approval.settled });
    let after = json!({ "step": path, "title": approval.request.title, "approved": body.approved,
                        "comment": body.comment, "digest": body.digest });
    let engine = request.audited("approval.decide", &run.organisation, run.id.as_str(), before, after);
    let by = request.principal.person().to_owned();
    let (approved, comment, form, digest) = (body.approved, body.comment, body.form, body.digest);
    engine
        .decide(&run.id, Some(&path), Decision { by, approved, comment, form, digest })
        .map_err(|problem| runs::below("/form", problem))?;
    let now = request.api.engine.approvals(Some(&run.id), false)?;
    // A run that went on at once may have taken the approval with it.
    let now = now.into_iter().find(|approval| approval.path == path).unwrap_or(approval);
    Answer::json(&ApprovalView::from(now))
}

fn unknown_launcher(run: &RunRecord, person: &str) -> Problem {
    let message = format!("who launched run `{}` can't be found out: {person} may be one of them", run.id);
    Problem::new(Code::PermissionDenied, message)
        .help("an admin may decide; or cancel the run, and launch the workflow again")
}

/// Whether whoever asks may decide on this.
fn may_decide(request: &Request, run: &RunRecord, approval: &ApprovalRecord) -> Result<(), Problem> {
    let principal = &request.principal;
    request.require(Permission::Approve, &run.organisation, &run.workflow)?;
    let title = &approval.request.title;
    if let Some(role) = approval.request.role.as_deref()
        && !lone::holds(principal, role, run)
    {
        return Err(Problem::new(Code::PermissionDenied, format!("only the role `{role}` may decide on \"{title}\""))
            .data(json!({ "role": role })));
    }
    let engine = &request.api.engine;
    let is_own = || -> Result<bool, Problem> {
        match lone::launchers(engine, run)? {
            Some(launchers) => Ok(launchers.iter().any(|by| by == principal.person())),
            // One of them may be whoever asks: that is for somebody who rules the organisation.
            None if request.may(Permission::Administer, &run.organisation, &run.workflow) => Ok(false),
            None => Err(unknown_launcher(run, principal.person())),
        }
    };
    let refuse = |why: &str| {
        let message =
            format!("{} launched run `{}`, and can't decide on its approval{why}", principal.person(), run.id);
        Err(Problem::new(Code::PermissionDenied, message).help("ask somebody else to decide"))
    };
    if !approval.request.allow_self && is_own()? {
        return refuse("");
    }
    if approval.request.only_alone && is_own()? && !lone::is_alone(engine, run, &approval.request)? {
        return refuse(": others may");
    }
    if approval.decisions.iter().any(|earlier| earlier.by == principal.person()) {
        let message = format!("{} has decided on \"{title}\" already", principal.person());
        return Err(Problem::new(Code::Conflict, message));
    }
    Ok(())
}

//! Changing workflows: save, activate, restore, remove. Workflows belong to the platform, and those in `orgs/acme/` to `acme`:
//! whoever changes one has to hold the permission there, and not only in an organisation that uses it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Verdict;
use windlass_model::{Code, Problem, RunState, query::RunFilter};

use super::named;
use crate::{Access, Answer, Permission, Request, Route, runs, services::Author};

/// The organisation that workflows belong to.
pub(super) const PLATFORM: &str = "platform";
/// Open runs whose verdict is given, at most.
const RUNS: u32 = 100;

/// A source to save.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveBody {
    /// The whole source.
    source: String,
    /// Why, for the history.
    #[serde(default)]
    message: String,
    /// `source_digest` of what you changed; absent for a new workflow.
    expected: Option<String>,
}

/// Which version, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivateBody {
    /// Its number.
    version: i64,
    /// Why, for the history.
    #[serde(default)]
    message: String,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Which version, and what it replaces.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RestoreBody {
    /// Its number.
    version: i64,
    /// Why, for the history.
    #[serde(default)]
    message: String,
    /// `source_digest` of the source that is there now; absent if the workflow was removed.
    expected: Option<String>,
}

/// What a removal expects.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RemoveQuery {
    /// `source_digest` of the source that is there now.
    expected: String,
}

/// A workflow that was saved.
#[derive(Serialize, JsonSchema)]
pub(super) struct Saved {
    /// `area/name`.
    name: String,
    /// Number of the version in use.
    version: Option<i64>,
    /// Digest of the source, for the next change.
    source_digest: String,
    /// Why the saved source isn't in use: it waits for an admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    /// Number of the version that waits; an admin can activate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<i64>,
    /// Grants that it asks for, and the version in use doesn't.
    added: Vec<String>,
}

/// A version that was put in use, or would be.
#[derive(Serialize, JsonSchema)]
struct Activated {
    /// Its number.
    version: i64,
    /// Whether it is in use now.
    activated: bool,
    /// Grants that it asks for, and the version in use before didn't.
    added: Vec<String>,
    /// What would become of open runs if they went on with it. They stay on their own sources until somebody upgrades them.
    runs: Vec<RunVerdict>,
}

/// What would become of a run on other sources.
#[derive(Serialize, JsonSchema)]
struct RunVerdict {
    /// The run.
    run: String,
    /// Whether it could go on.
    compatible: bool,
    /// `verdict`, and with it what was found: as for the upgrade of a run.
    #[schemars(with = "Value")]
    verdict: Verdict,
}

pub(super) fn routes() -> Vec<Route> {
    let refused = &[
        Code::WorkflowNotFound,
        Code::WorkflowInvalid,
        Code::InvalidInput,
        Code::PreconditionFailed,
        Code::Conflict,
        Code::NotFound,
    ];
    vec![
        Route::put("/api/v1/workflows/{name*}", "workflows", "Save a workflow's source, and put it in use")
            .describe(
                "The source is checked first; one with mistakes is refused with its `diagnostics`, and nothing changes. If \
                 somebody else has changed the workflow meanwhile, `expected` doesn't fit, and nothing changes either. A source \
                 that asks for more than the version in use, saved by somebody who isn't an admin, is kept as a version that waits \
                 for one: `waits` says so. The same holds for `restore`.",
            )
            .access(Access::Can(Permission::Edit))
            .body::<SaveBody>()
            .answers::<Saved>(200)
            .problems(refused)
            .handle(save),
        Route::delete("/api/v1/workflows/{name*}", "workflows", "Remove a workflow's file")
            .describe("Its versions are kept, and can be restored. Open runs go on.")
            .access(Access::Can(Permission::Edit))
            .query::<RemoveQuery>()
            .answers_nothing()
            .problems(refused)
            .handle(remove),
        Route::post("/api/v1/workflows/{name*}/activate", "workflows", "Put another version in use")
            .describe("With `dry_run`, says what would become of open runs, and which grants are new. More grants need an admin.")
            .access(Access::Can(Permission::Edit))
            .body::<ActivateBody>()
            .answers::<Activated>(200)
            .problems(refused)
            .handle(activate),
        Route::post("/api/v1/workflows/{name*}/restore", "workflows", "Save the source of an earlier version as a new one")
            .access(Access::Can(Permission::Edit))
            .body::<RestoreBody>()
            .answers::<Saved>(200)
            .problems(refused)
            .handle(restore),
    ]
}

/// Whose a workflow is to change.
pub(super) fn owner(name: &str) -> &str {
    windlass_model::workflow::owner(name).unwrap_or(PLATFORM)
}

/// Whoever asks, as the author of versions of these workflows. To widen what one may do is more than to edit it.
pub(super) fn author<'a>(
    request: &Request,
    why: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<Author, Problem> {
    let (by, source) = (request.principal.actor(), request.address.to_string());
    let why = runs::text("message", why)?.to_owned();
    let may_widen = names.into_iter().filter(|name| request.may(Permission::Administer, PLATFORM, name));
    Ok(Author { by, source, why, made_by: None, may_widen: may_widen.cloned().collect() })
}

/// A rehearsal reads what its script may read: a source that asks for more than what is in use is one for who may widen it.
pub(super) fn require_grants(request: &Request, name: &str, source: &str) -> Result<(), Problem> {
    if request.may(Permission::Administer, PLATFORM, name) {
        return Ok(());
    }
    let added = request.api.scripts.widened(name, source)?;
    if added.is_empty() {
        return Ok(());
    }
    let message = format!("this source asks for more than what is in use: {}", added.join(", "));
    Err(Problem::new(Code::PermissionDenied, message)
        .help("save it, and an admin can rehearse it and put it in use; or leave these grants out")
        .data(json!({ "added": added })))
}

/// The name in the path, which whoever asks may change.
pub(super) fn changeable(request: &Request) -> Result<String, Problem> {
    let name = named(request, Permission::Edit)?;
    request.require(Permission::Edit, owner(&name), &name)?;
    crate::organisations::tree::require_active(&request.api.engine, owner(&name))?;
    Ok(name)
}

fn save(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: SaveBody = request.json()?;
    let author = author(&request, &body.message, [&name])?;
    put(&request, &name, &body.source, body.expected.as_deref(), &author)
}

fn put(request: &Request, name: &str, source: &str, expected: Option<&str>, by: &Author) -> Result<Answer, Problem> {
    request.api.scripts.save(name, source, expected, by)?;
    Answer::json(&saved(request, name, source))
}

/// A workflow as it is right after it was saved.
pub(super) fn saved(request: &Request, name: &str, source: &str) -> Saved {
    let scripts = &request.api.scripts;
    let problem = scripts.problem(name);
    let data = problem.as_ref().map(|problem| &problem.data);
    Saved {
        version: scripts.version(name),
        source_digest: scripts.source_digest(source),
        waiting: data.and_then(|data| data["version"].as_i64()),
        added: data.and_then(|data| serde_json::from_value(data["added"].clone()).ok()).unwrap_or_default(),
        waits: problem.map(|problem| problem.message),
        name: name.to_owned(),
    }
}

fn remove(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let query: RemoveQuery = request.query()?;
    request.api.scripts.remove(&name, Some(&query.expected), &author(&request, "", [&name])?)?;
    Ok(Answer::nothing())
}

fn restore(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: RestoreBody = request.json()?;
    let why = match body.message.is_empty() {
        true => format!("version {} again", body.version),
        false => body.message,
    };
    let source = request.api.scripts.source_of(&name, body.version)?;
    put(&request, &name, &source, body.expected.as_deref(), &author(&request, &why, [&name])?)
}

fn activate(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: ActivateBody = request.json()?;
    let (pinned, added) = request.api.scripts.judged(&name, body.version)?;
    let open = [RunState::Queued, RunState::Running, RunState::Waiting];
    let filter = RunFilter {
        states: open.to_vec(),
        workflow: Some(name.clone()),
        scopes: request.principal.scopes(Permission::Read),
        limit: RUNS,
        ..RunFilter::default()
    };
    let mut verdicts = Vec::new();
    for run in request.api.engine.runs(&filter)? {
        let verdict = request.api.engine.verdict_on(&run.id, &pinned)?;
        verdicts.push(RunVerdict { run: run.id.to_string(), compatible: verdict.is_compatible(), verdict });
    }
    if !body.dry_run {
        if !added.is_empty() {
            // To widen what a workflow may do is more than to edit it.
            request.require(Permission::Administer, PLATFORM, &name)?;
        }
        request.api.scripts.activate(&name, body.version, &author(&request, &body.message, [&name])?)?;
    }
    Answer::json(&Activated { version: body.version, activated: !body.dry_run, added, runs: verdicts })
}

//! Workflows: what is there, what it takes, what it may do, what is wrong with it, and what it would do.

mod change;
mod desk;
mod history;
mod input;
pub(crate) mod presence;
mod shape;
mod together;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use self::shape::WorkflowHeader;
use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
    runs,
};

/// Which workflows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// In this folder.
    folder: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// A workflow in a list.
#[derive(Serialize, JsonSchema)]
struct WorkflowInShort {
    /// `area/name`.
    name: String,
    /// One line; absent when the file has mistakes.
    title: Option<String>,
    /// Tags.
    tags: Vec<String>,
    /// Number of the version in use; absent if none is.
    version: Option<i64>,
    /// Whether it can be launched: some version is in use.
    sound: bool,
    /// Why the file isn't what is in use: it has mistakes (`workflow_invalid`, with `site` and `help`), or waits for an admin
    /// (`permission_denied`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    problem: Option<Problem>,
}

/// A grant, as it is written and in words.
#[derive(Serialize, JsonSchema)]
struct Grant {
    /// `module.verb:scope`.
    grant: String,
    /// What it means.
    words: String,
}

/// A workflow.
#[derive(Serialize, JsonSchema)]
struct WorkflowShown {
    /// Its header.
    workflow: WorkflowHeader,
    /// Digest of its sources: what a launch pins.
    digest: String,
    /// Its files: itself, and what it imports.
    files: Vec<String>,
    /// What it asks for.
    grants: Vec<Grant>,
    /// Those of them that the server's policy doesn't allow in its folder.
    refused_by_policy: Vec<String>,
    /// Its source.
    source: String,
    /// Digest of the source, for a change.
    source_digest: String,
    /// Number of the version in use.
    version: Option<i64>,
    /// Why the file differs from what is in use: it has mistakes, or waits for an admin.
    #[schemars(with = "Option<Value>")]
    problem: Option<Problem>,
}

/// A source to check.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CheckBody {
    /// The source; if none is given, the file as it is.
    source: Option<String>,
}

/// What was found in a source.
#[derive(Serialize, JsonSchema)]
struct Checked {
    /// Whether it can be launched.
    sound: bool,
    /// What is wrong: `severity`, `code`, `message`, `file`, `line`, `column`, `help`, and all of it as
    /// `text`, with the line of the source.
    diagnostics: Vec<Value>,
    /// Header of the source that was sent, if it can be read: what a form is made from.
    workflow: Option<WorkflowHeader>,
    /// What that asks for.
    grants: Vec<Grant>,
    /// Those of them that the server's policy doesn't allow in its folder.
    refused_by_policy: Vec<String>,
}

/// What to rehearse with.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RehearseBody {
    /// The input, as for a launch.
    input: Value,
    /// A source that isn't saved yet, for whoever may edit the workflow; if none is given, what is in use.
    source: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    [own(), change::routes(), desk::routes(), history::routes(), input::routes(), together::routes()].concat()
}

fn own() -> Vec<Route> {
    vec![
        Route::get("/api/v1/workflows", "workflows", "List workflows")
            .access(Access::Can(Permission::Read))
            .query::<ListQuery>()
            .answers::<Page<WorkflowInShort>>(200)
            .handle(list),
        Route::get("/api/v1/workflows/{name*}", "workflows", "Show a workflow: what it takes, what it may do")
            .access(Access::Can(Permission::Read))
            .answers::<WorkflowShown>(200)
            .problems(&[Code::WorkflowNotFound, Code::WorkflowInvalid])
            .handle(show),
        Route::post("/api/v1/workflows/{name*}/check", "workflows", "Check a source for mistakes")
            .describe("Nothing is saved or run. With a body, the source in it is checked under this name.")
            .access(Access::Can(Permission::Read))
            .body::<CheckBody>()
            .answers::<Checked>(200)
            .problems(&[Code::WorkflowNotFound])
            .handle(check),
        Route::post("/api/v1/workflows/{name*}/rehearse", "workflows", "Say what a run would do, and do nothing")
            .describe("The same script in virtual time, against stand-ins: what it would do is the plan.")
            .access(Access::Can(Permission::Launch))
            .body::<RehearseBody>()
            .answers::<Value>(200)
            .problems(&[Code::WorkflowNotFound, Code::WorkflowInvalid, Code::InvalidInput, Code::LimitExceeded])
            .handle(rehearse),
        Route::get("/api/v1/definitions", "workflows", "Everything that scripts can call, for editors")
            .access(Access::Can(Permission::Read))
            .answers::<Value>(200)
            .handle(|request| Answer::json(&request.api.scripts.definitions())),
    ]
}

/// The name in the path, if whoever asks may do this to it in any organisation; else it is as if it weren't there.
fn named(request: &Request, permission: Permission) -> Result<String, Problem> {
    let name = runs::text("name", request.parameter("name"))?.to_owned();
    if !visible(request, Permission::Read, &name) {
        return Err(Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{name}`")));
    }
    match visible(request, permission, &name) {
        true => Ok(name),
        false => Err(request.principal.denied(permission, "*", &name)),
    }
}

fn visible(request: &Request, permission: Permission, name: &str) -> bool {
    if let Some(owner) = windlass_model::workflow::owner(name) {
        return request.may(permission, owner, name);
    }
    match request.principal.scopes(permission) {
        None => true,
        Some(scopes) => scopes.iter().any(|scope| scope.covers(&scope.organisation, name)),
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: ListQuery = request.query()?;
    let limit = page::limit(query.limit);
    let folder = query.folder.map(|folder| format!("{}/", folder.trim_end_matches('/')));
    let mut names = request.api.scripts.names();
    names.sort();
    names.retain(|name| {
        query.cursor.as_ref().is_none_or(|cursor| name > cursor)
            && folder.as_ref().is_none_or(|folder| name.starts_with(folder))
            && visible(&request, Permission::Read, name)
    });
    let mut items = Vec::new();
    for name in names {
        let rejected = request.api.scripts.problem(&name);
        let version = request.api.scripts.version(&name);
        let item = match request.api.scripts.header(&name) {
            Ok(workflow) => {
                let (title, tags) = (Some(workflow.title), workflow.tags);
                WorkflowInShort { name, title, tags, version, sound: true, problem: rejected }
            }
            Err(problem) => {
                WorkflowInShort { name, title: None, tags: Vec::new(), version, sound: false, problem: Some(problem) }
            }
        };
        if query.tag.as_ref().is_none_or(|tag| item.tags.contains(tag)) {
            items.push(item);
        }
        if items.len() > limit as usize {
            break;
        }
    }
    Answer::json(&Page::of(items, limit, |item| item.name.clone()))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Read)?;
    let scripts = &request.api.scripts;
    let (workflow, bundle) = (scripts.header(&name)?, scripts.bundle(&name)?);
    Answer::json(&WorkflowShown {
        grants: in_words(&request, &workflow.permissions),
        refused_by_policy: scripts.refused(&name, &workflow.permissions),
        digest: scripts.digest(&name)?,
        source_digest: scripts.source_digest(bundle.files.get(&name).map_or("", String::as_str)),
        version: scripts.version(&name),
        problem: scripts.problem(&name),
        source: bundle.files.get(&name).cloned().unwrap_or_default(),
        files: bundle.files.into_keys().collect(),
        workflow: workflow.into(),
    })
}

fn in_words(request: &Request, grants: &[String]) -> Vec<Grant> {
    let words = |grant: &String| Grant { grant: grant.clone(), words: request.api.scripts.words(grant) };
    grants.iter().map(words).collect()
}

fn check(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Read)?;
    let body: CheckBody = request.json_or_default()?;
    let scripts = &request.api.scripts;
    let found = scripts.check(&name, body.source.as_deref())?;
    let asked = found.workflow.as_ref().map_or(&[][..], |workflow| &workflow.permissions);
    Answer::json(&Checked {
        sound: found.diagnostics.iter().all(|one| one["severity"] != "error"),
        grants: in_words(&request, asked),
        refused_by_policy: scripts.refused(&name, asked),
        diagnostics: found.diagnostics,
        workflow: found.workflow.map(Into::into),
    })
}

fn rehearse(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Launch)?;
    let body: RehearseBody = request.json_or_default()?;
    if let Some(source) = &body.source {
        request.require(Permission::Edit, change::owner(&name), &name)?;
        change::require_grants(&request, &name, source)?;
    }
    let input = if body.input.is_null() { json!({}) } else { body.input };
    let plan = request.api.scripts.rehearse(&name, body.source.as_deref(), input, request.principal.person());
    Answer::json(&plan.map_err(|problem| runs::below("/input", problem))?)
}

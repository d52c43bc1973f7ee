//! What an editor needs: the file as it stands, a rehearsal and the scenarios of what isn't saved yet, who else is at it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    change::{PLATFORM, changeable, require_grants},
    named,
    presence::Editor,
};
use crate::{Access, Answer, Permission, Request, Route, runs};

/// A workflow's file, or a module's.
#[derive(Serialize, JsonSchema)]
struct FileShown {
    /// `area/name`, or `lib/name`.
    name: String,
    /// Whether it is a module, which other files import.
    module: bool,
    /// What stands in the file, mistakes and all; if it is gone, what is in use.
    source: String,
    /// Digest of that, for a change.
    source_digest: String,
    /// Whether it is what is in use.
    in_use: bool,
    /// Number of the version in use.
    version: Option<i64>,
    /// Why it isn't what is in use: it has mistakes, or waits for an admin.
    #[schemars(with = "Option<Value>")]
    problem: Option<Problem>,
    /// Its scenarios, `<name>.test.rhai`.
    scenarios: Option<String>,
    /// Digest of those, for a change.
    scenarios_digest: Option<String>,
    /// Names of the modules that can be imported.
    modules: Vec<String>,
}

/// Scenarios to run.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ScenariosBody {
    /// The workflow's source; if none is given, the file as it is.
    source: Option<String>,
    /// The scenarios; if none are given, `<name>.test.rhai` as it is.
    scenarios: Option<String>,
}

/// Scenarios to save.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScenariosSaveBody {
    /// All of the file; empty: there are to be none.
    scenarios: String,
    /// `scenarios_digest` of what you changed; absent if there were none.
    expected: Option<String>,
}

/// Scenarios that were saved.
#[derive(Serialize, JsonSchema)]
struct ScenariosSaved {
    /// Digest for the next change; absent if there are none now.
    scenarios_digest: Option<String>,
}

/// What came of scenarios.
#[derive(Serialize, JsonSchema)]
struct ScenariosRun {
    /// Whether all of them passed.
    passed: bool,
    /// Each: `name`, `passed`, `message`, `site` with `file`, `line` and `column`, `output`, `elapsed_ms`.
    scenarios: Vec<Value>,
}

/// Who is at an editor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditingBody {
    /// A word of the page's own choice, which tells two pages of one person apart.
    seat: String,
    /// Whether it has changes that aren't saved.
    #[serde(default)]
    changed: bool,
    /// The page is being left.
    #[serde(default)]
    leaving: bool,
}

/// Who else is at it.
#[derive(Serialize, JsonSchema)]
struct Editing {
    /// Others, those who came first first. Whoever isn't heard of for 30 seconds has left.
    others: Vec<Editor>,
}

pub(super) fn routes() -> Vec<Route> {
    let refused = &[Code::WorkflowNotFound, Code::WorkflowInvalid, Code::InvalidInput, Code::LimitExceeded];
    vec![
        Route::get("/api/v1/workflows/{name*}/file", "workflows", "Show the file of a workflow or of a module")
            .describe("Unlike the workflow itself, it is shown when it has mistakes, too.")
            .access(Access::Can(Permission::Read))
            .answers::<FileShown>(200)
            .problems(&[Code::WorkflowNotFound])
            .handle(file),
        Route::post("/api/v1/workflows/{name*}/scenarios", "workflows", "Run a workflow's scenarios")
            .describe("In rehearsals, with virtual time. Nothing is saved: sources in the body take the files' places.")
            .access(Access::Can(Permission::Edit))
            .body::<ScenariosBody>()
            .answers::<ScenariosRun>(200)
            .problems(refused)
            .handle(scenarios),
        Route::put("/api/v1/workflows/{name*}/scenarios", "workflows", "Save a workflow's scenarios")
            .describe("In the file beside it, `<name>.test.rhai`. They have no versions: launches don't use them.")
            .access(Access::Can(Permission::Edit))
            .body::<ScenariosSaveBody>()
            .answers::<ScenariosSaved>(200)
            .problems(&[Code::WorkflowNotFound, Code::WorkflowInvalid, Code::InvalidInput, Code::PreconditionFailed])
            .handle(save_scenarios),
        Route::post(
            "/api/v1/workflows/{name*}/editors",
            "workflows",
            "Say that one edits a workflow, and hear who else does",
        )
        .describe("Kept in memory, for people's sake: nobody is kept out. Say it again every 10 seconds.")
        .access(Access::Can(Permission::Edit))
        .body::<EditingBody>()
        .answers::<Editing>(200)
        .problems(&[Code::WorkflowNotFound, Code::InvalidInput])
        .handle(editors),
    ]
}

fn file(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Read)?;
    let scripts = &request.api.scripts;
    let in_use = || scripts.bundle(&name).ok().and_then(|bundle| bundle.files.get(&name).cloned());
    let source = match scripts.file(&name)? {
        Some(source) => source,
        None => in_use()
            .ok_or_else(|| Problem::new(Code::WorkflowNotFound, format!("there is no workflow or module `{name}`")))?,
    };
    let module = name.starts_with("lib/");
    let text = scripts.scenarios(&name)?;
    Answer::json(&FileShown {
        module,
        source_digest: scripts.source_digest(&source),
        in_use: module || in_use().as_ref() == Some(&source),
        version: scripts.version(&name),
        problem: scripts.problem(&name),
        scenarios_digest: text.as_deref().map(|text| scripts.source_digest(text)),
        scenarios: text,
        modules: scripts
            .modules()
            .into_iter()
            .filter(|module| windlass_model::workflow::may_import(&name, module))
            .collect(),
        source,
        name,
    })
}

fn scenarios(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: ScenariosBody = request.json_or_default()?;
    if let Some(source) = &body.source {
        require_grants(&request, &name, source)?;
    }
    let scenarios = request.api.scripts.run_scenarios(&name, body.source.as_deref(), body.scenarios.as_deref())?;
    let passed = scenarios.iter().all(|one| one["passed"] == true);
    Answer::json(&ScenariosRun { passed, scenarios })
}

fn save_scenarios(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: ScenariosSaveBody = request.json()?;
    let scripts = &request.api.scripts;
    if scripts.file(&name)?.is_none() && scripts.version(&name).is_none() {
        return Err(Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{name}`")));
    }
    let before = scripts.save_scenarios(&name, &body.scenarios, body.expected.as_deref())?;
    let told = |text: Option<&str>| {
        text.filter(|text| !text.trim().is_empty()).map_or(Value::Null, |text| json!(scripts.source_digest(text)))
    };
    let (before, after) = (told(before.as_deref()), told(Some(&body.scenarios)));
    let entry = request.entry("workflow.scenarios", PLATFORM, &name, before, after.clone());
    request.api.engine.audit(entry)?;
    Answer::json(&ScenariosSaved { scenarios_digest: after.as_str().map(str::to_owned) })
}

fn editors(request: Request) -> Result<Answer, Problem> {
    let name = changeable(&request)?;
    let body: EditingBody = request.json()?;
    let seat = runs::text("seat", &body.seat)?;
    if seat.is_empty() || seat.len() > 64 {
        return Err(Problem::new(Code::InvalidInput, "a seat is a word of at most 64 bytes"));
    }
    let by = request.principal.person();
    let others = match body.leaving {
        true => {
            request.api.editors.leave(&name, by, seat);
            Vec::new()
        }
        false => request.api.editors.here(&name, by, seat, body.changed, request.api.engine.now_ms()),
    };
    Answer::json(&Editing { others })
}

//! Saving several workflows and modules at once: all of them, or none.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{Code, Problem};

use super::change::{PLATFORM, Saved, author, owner, saved};
use crate::{Access, Answer, Permission, Request, Route, runs};

/// Files that are saved at once, at most.
const FILES: usize = 1_000;

/// Sources to save together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveAllBody {
    /// Sources by name: `lab/two-routers`, `lib/lab`.
    files: BTreeMap<String, String>,
    /// Why, for the history.
    #[serde(default)]
    message: String,
    /// Who wrote them, if that is somebody else: the author of a commit.
    made_by: Option<String>,
}

/// What was saved.
#[derive(Serialize, JsonSchema)]
struct SavedAll {
    /// Those that weren't there like this before.
    changed: Vec<Saved>,
    /// Names of those that were.
    unchanged: Vec<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/workflows", "workflows", "Save several workflows and modules: all or none")
            .describe(
                "Every source is checked first, and so is every workflow that imports one of them. If one has mistakes, they are \
                 told in `diagnostics`, and nothing changes. Workflows that aren't named stay as they are. Those that ask for more \
                 than their version in use wait for an admin, unless one saves them.",
            )
            .access(Access::Can(Permission::Edit))
            .body::<SaveAllBody>()
            .answers::<SavedAll>(200)
            .problems(&[Code::WorkflowInvalid, Code::InvalidInput, Code::LimitExceeded])
            .handle(save_all),
    ]
}

fn save_all(request: Request) -> Result<Answer, Problem> {
    // Before the body is looked at: whoever may change none of the platform's workflows is refused whatever it says.
    let scopes = request.principal.scopes(Permission::Edit);
    // An organisation's own folder is saved file by file.
    if scopes.is_some_and(|scopes| !scopes.iter().any(|scope| [PLATFORM, "*"].contains(&scope.organisation.as_str()))) {
        return Err(request.principal.denied(Permission::Edit, PLATFORM, "*"));
    }
    let body: SaveAllBody = request.json()?;
    for name in body.files.keys() {
        request.require(Permission::Edit, owner(name), runs::text("files", name)?)?;
    }
    if body.files.len() > FILES {
        return Err(Problem::new(Code::LimitExceeded, format!("at most {FILES} files are saved at once")));
    }
    let mut author = author(&request, &body.message, body.files.keys())?;
    if let Some(made_by) = &body.made_by {
        author.made_by = Some(runs::text("made_by", made_by)?.to_owned());
    }
    if let Some(name) = body.files.iter().find_map(|(name, source)| source.contains('\0').then_some(name)) {
        let problem = Problem::new(Code::InvalidInput, format!("`{name}` has a NUL character"));
        return Err(problem.data(json!({ "pointer": "/files" })));
    }
    let changed = request.api.scripts.save_all(&body.files, &author)?;
    let unchanged = body.files.keys().filter(|name| !changed.contains(name)).cloned().collect();
    let changed = changed.iter().map(|name| saved(&request, name, &body.files[name])).collect();
    Answer::json(&SavedAll { changed, unchanged })
}

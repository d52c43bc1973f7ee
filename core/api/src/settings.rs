//! What the server runs with: the keys of its configuration, as `windlass config show` prints them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::{Access, Answer, Permission, Request, Route, services::Setting};

/// The configuration of the server that answers.
#[derive(Serialize, JsonSchema)]
struct SettingsView {
    /// Its keys, by name.
    settings: Vec<SettingView>,
    /// Why its sources can't be read by now, if that is so: the server wouldn't start with them.
    #[schemars(with = "Option<Value>")]
    problem: Option<Problem>,
}

/// A key.
#[derive(Serialize, JsonSchema)]
struct SettingView {
    /// `server.listen`.
    key: String,
    /// What it means, with units.
    doc: String,
    /// What is in effect; passwords in it are masked.
    value: Value,
    /// Where that comes from: `default`, a file with its line, a variable, a flag.
    origin: String,
    /// The environment variable that sets it.
    variable: String,
    /// Whether a server that is told to read its configuration again takes it anew; others need a new start.
    live: bool,
    /// What its sources say by now, if that isn't in effect yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Value>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/settings", "operations", "What the server runs with")
            .describe("As `windlass config show` says it, of the node that answers. Nothing is changed here, and no secret is shown.")
            .access(Access::Can(Permission::Administer))
            .answers::<SettingsView>(200)
            .problems(&[Code::Unavailable])
            .handle(all),
    ]
}

fn all(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let none = || Problem::new(Code::Unavailable, "this server tells nothing of its configuration");
    let (settings, problem) = request.api.settings.as_ref().ok_or_else(none)?.all();
    Answer::json(&SettingsView { settings: settings.into_iter().map(SettingView::from).collect(), problem })
}

impl From<Setting> for SettingView {
    fn from(of: Setting) -> Self {
        let Setting { key, doc, value, origin, variable, live, waiting } = of;
        Self { key, doc, value, origin, variable, live, waiting }
    }
}

//! Plugins: what is there, what each may reach, what is wrong with it, which version is in use,
//! and for whom which sources were approved.

mod desk;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::users::require_organisation,
    organisations::quota::{self, Quota},
    page::{self, Page},
    runs::{self, launch},
    services::{Author, Plugin},
};

/// The organisation that plugins belong to.
const PLATFORM: &str = "platform";

/// Which plugins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PluginsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// How a plugin's files stand to the version in use.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PluginState {
    /// They are what is in use.
    InUse,
    /// They have mistakes, or wait for an admin; a version before them is in use.
    Behind,
    /// They have mistakes, or wait for an admin, and no version is in use.
    Unusable,
}

/// A plugin.
#[derive(Serialize, JsonSchema)]
struct PluginView {
    /// `kind/name`.
    name: String,
    /// How its files stand to the version in use.
    state: PluginState,
    /// Number of the version in use; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// Digest of the version in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// What the version in use may reach: `http:GET https://api.example.net/v1/*`.
    permissions: Vec<String>,
    /// Why its files aren't what is in use: `workflow_invalid`, with `site` and `help`, or `permission_denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    problem: Option<Problem>,
}

/// A plugin with its manifest.
#[derive(Serialize, JsonSchema)]
struct PluginShown {
    /// In short.
    #[serde(flatten)]
    plugin: PluginView,
    /// `plugin.toml` of the version in use: `id`, `version`, `api`, `author`, `title`, `capabilities`, `credentials`, `hosts`,
    /// `limits`.
    manifest: Option<Value>,
}

/// Which version, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivatePluginBody {
    /// Its number.
    version: i64,
    /// Why, for the audit log.
    #[serde(default)]
    message: String,
}

/// For whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApprovalQuery {
    /// The organisation; `platform` if nothing is said.
    organisation: Option<String>,
    /// Why, for the audit log, where an approval is taken back.
    message: Option<String>,
}

/// What is approved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    /// Digest of the files that were looked at.
    digest: String,
    /// Why, for the audit log.
    #[serde(default)]
    message: String,
}

/// How a plugin's files stand to what was approved.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ApprovalState {
    /// Nobody has approved it.
    New,
    /// They are what was approved.
    Approved,
    /// They are something else, and refused; what was approved stays in use.
    Modified,
    /// The approval was taken back.
    Disabled,
}

/// How a plugin stands for an organisation.
#[derive(Serialize, Deserialize, JsonSchema)]
struct StandingView {
    /// `kind/name`.
    plugin: String,
    /// For whom.
    organisation: String,
    /// In a word.
    state: ApprovalState,
    /// The approval: `digest`, `permissions`, `disabled`, `by`, `why`, `at_ms`.
    approval: Option<Value>,
    /// Digest of the files, if they are sound.
    digest: Option<String>,
    /// What is wrong with the files.
    problem: Option<Value>,
    /// What the files have and the approved sources haven't: `added` and `removed` grants, and `text`, a unified difference, for
    /// whoever may approve it.
    difference: Value,
}

/// An approval.
#[derive(Serialize, Deserialize, JsonSchema)]
struct ApprovalView {
    /// `kind/name`.
    plugin: String,
    /// For whom.
    organisation: String,
    /// Of the sources.
    digest: String,
    /// What they may reach.
    permissions: Vec<String>,
    /// Whether it was taken back.
    disabled: bool,
    /// Who approved it, or took it back.
    by: String,
    /// Why.
    why: String,
    /// When.
    at_ms: i64,
}

/// A version that was put in use.
#[derive(Serialize, JsonSchema)]
struct PluginActivated {
    /// Its number.
    version: i64,
    /// What it may reach, and the version in use before couldn't.
    added: Vec<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/api/v1/plugins", "plugins", "List plugins")
            .describe("A plugin's files are checked when they change, and are in use from then on if they are sound.")
            .access(Access::Can(Permission::Read))
            .query::<PluginsQuery>()
            .answers::<Page<PluginView>>(200)
            .handle(list),
        Route::get("/api/v1/plugins/{name*}", "plugins", "Show a plugin")
            .access(Access::Can(Permission::Read))
            .answers::<PluginShown>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::post("/api/v1/plugins/{name*}/activate", "plugins", "Put another version of a plugin in use")
            .describe("With `workflow_review`, a version that may reach more than the one in use waits for this.")
            .access(Access::Can(Permission::Administer))
            .body::<ActivatePluginBody>()
            .answers::<PluginActivated>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Conflict])
            .handle(activate),
        Route::get("/api/v1/plugins/{name*}/approval", "plugins", "Show how a plugin stands for an organisation")
            .describe("What was approved, and what its files have beyond that.")
            .access(Access::Can(Permission::Read))
            .query::<ApprovalQuery>()
            .answers::<StandingView>(200)
            .problems(&[Code::NotFound])
            .handle(standing),
        Route::put("/api/v1/plugins/{name*}/approval", "plugins", "Approve a plugin's files for an organisation")
            .describe("They have to be what was looked at, and to pass the conformance kit. A file that changes later is refused until it is approved in turn.")
            .access(Access::Can(Permission::Administer))
            .query::<ApprovalQuery>()
            .body::<ApproveBody>()
            .answers::<ApprovalView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::PreconditionFailed, Code::WorkflowInvalid])
            .handle(approve),
        Route::delete("/api/v1/plugins/{name*}/approval", "plugins", "Take the approval of a plugin back")
            .describe("No run of the organisation can use it from now on.")
            .access(Access::Can(Permission::Administer))
            .query::<ApprovalQuery>()
            .answers::<ApprovalView>(200)
            .problems(&[Code::NotFound])
            .handle(disable),
    ];
    routes.extend(desk::routes());
    routes
}

fn view(plugin: Plugin) -> PluginView {
    let state = match (&plugin.problem, plugin.version) {
        (None, _) => PluginState::InUse,
        (Some(_), Some(_)) => PluginState::Behind,
        (Some(_), None) => PluginState::Unusable,
    };
    let Plugin { name, version, digest, permissions, problem, .. } = plugin;
    PluginView { name, state, version, digest, permissions, problem }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: PluginsQuery = request.query()?;
    let limit = page::limit(query.limit);
    let plugins = request.api.scripts.plugins().into_iter();
    let after = plugins.filter(|plugin| query.cursor.as_ref().is_none_or(|cursor| plugin.name > *cursor));
    let items = after.take(limit as usize + 1).map(view).collect();
    Answer::json(&Page::of(items, limit, |plugin: &PluginView| plugin.name.clone()))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let name = request.parameter("name");
    let none = || Problem::new(Code::NotFound, format!("there is no plugin `{name}`"));
    let mut plugin = request.api.scripts.plugin(name).ok_or_else(none)?;
    let manifest = plugin.manifest.take();
    Answer::json(&PluginShown { plugin: view(plugin), manifest })
}

fn activate(request: Request) -> Result<Answer, Problem> {
    let name = runs::text("name", request.parameter("name"))?.to_owned();
    request.require(Permission::Administer, PLATFORM, "*")?;
    let body: ActivatePluginBody = request.json()?;
    let author = Author {
        by: request.principal.actor(),
        source: request.address.to_string(),
        why: runs::text("message", &body.message)?.to_owned(),
        made_by: None,
        may_widen: vec![name.clone()],
    };
    let added = request.api.scripts.activate_plugin(&name, body.version, &author)?;
    Answer::json(&PluginActivated { version: body.version, added })
}

/// The organisation that an approval is about, if whoever asks may do this there.
fn organisation(request: &Request, permission: Permission) -> Result<(String, String), Problem> {
    let query: ApprovalQuery = request.query()?;
    let organisation = query.organisation.unwrap_or_else(|| PLATFORM.to_owned());
    runs::text("organisation", &organisation)?;
    request.require(permission, &organisation, "*")?;
    let message = query.message.unwrap_or_default();
    Ok((organisation, runs::text("message", &message)?.to_owned()))
}

fn whoever(request: &Request, why: &str) -> Author {
    let (by, source) = (request.principal.actor(), request.address.to_string());
    Author { by, source, why: why.to_owned(), made_by: None, may_widen: Vec::new() }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::new(Code::Internal, format!("an approval: {error}")))
}

fn standing(request: Request) -> Result<Answer, Problem> {
    let name = request.parameter("name").to_owned();
    let (organisation, _) = organisation(&request, Permission::Read)?;
    let mut standing = request.api.scripts.plugin_standing(&organisation, &name)?;
    // Sources are for whoever may approve them.
    if !request.may(Permission::Administer, &organisation, "*")
        && let Some(text) = standing.pointer_mut("/difference/text")
    {
        *text = Value::Null;
    }
    Answer::json(&typed::<StandingView>(standing)?)
}

/// One more plugin for the organisation, unless it has this one.
fn wanted<'a>(request: &Request, organisation: &'a str, name: &str) -> Result<Vec<(&'a str, Quota)>, Problem> {
    let kept = request.api.engine.document("plugin_approval", &format!("{organisation}:{name}"))?;
    let has_it = kept.is_some_and(|kept| kept.body["disabled"] != true);
    Ok(if has_it { Vec::new() } else { vec![(organisation, Quota::Plugins)] })
}

fn approve(request: Request) -> Result<Answer, Problem> {
    let name = runs::text("name", request.parameter("name"))?.to_owned();
    let (organisation, _) = organisation(&request, Permission::Administer)?;
    let body: ApproveBody = request.json()?;
    let author = whoever(&request, runs::text("message", &body.message)?);
    let engine = &request.api.engine;
    if organisation != PLATFORM {
        require_organisation(engine, &organisation)?;
    }
    let approval = quota::within(engine, &wanted(&request, &organisation, &name)?, |guards| {
        let through = |before, after| {
            launch::with(&request.audited("plugin.approve", &organisation, &name, before, after), guards.clone())
        };
        request.api.scripts.approve_plugin(&through, (&organisation, &name, &body.digest), &author)
    })?;
    Answer::json(&typed::<ApprovalView>(approval)?)
}

fn disable(request: Request) -> Result<Answer, Problem> {
    let name = runs::text("name", request.parameter("name"))?.to_owned();
    let (organisation, why) = organisation(&request, Permission::Administer)?;
    let author = whoever(&request, &why);
    let through = |before, after| request.audited("plugin.disable", &organisation, &name, before, after);
    let approval = request.api.scripts.disable_plugin(&through, (&organisation, &name), &author)?;
    Answer::json(&typed::<ApprovalView>(approval)?)
}

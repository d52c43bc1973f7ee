//! Plugins as they are installed and written: archives, files, checks, the conformance kit. What is saved is a draft: nothing
//! uses it before somebody approves it.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{ApprovalQuery, PLATFORM, organisation, whoever};
use crate::{Access, Answer, Permission, Request, Route, runs, services::PluginDesk};

/// Bytes of an archive.
const ARCHIVE_BYTES: usize = 4 << 20;
/// Bytes of a body with files.
const FILES_BYTES: usize = 8 << 20;

/// A plugin that was taken out of an archive, and isn't installed yet.
#[derive(Serialize, JsonSchema)]
struct UnpackedView {
    /// `kind/name`, as its manifest says it.
    name: String,
    /// Texts by their paths in the plugin's folder: `plugin.toml`, `main.rhai`, `fixtures/….json`.
    files: BTreeMap<String, String>,
    /// What else was in the archive, and isn't taken.
    left_out: Vec<String>,
}

/// A plugin to begin with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StarterBody {
    /// `registrars/example`.
    name: String,
    /// Who writes it; whoever asks, if nothing is said.
    #[serde(default)]
    author: Option<String>,
}

/// A plugin's files.
#[derive(Serialize, JsonSchema)]
struct FilesView {
    /// `kind/name`.
    name: String,
    /// What is in its folder: texts by their paths there. None: there is no such folder.
    files: Option<BTreeMap<String, String>>,
    /// Digest of those files, as `expected` takes it.
    digest: Option<String>,
    /// The files that were approved for the organisation.
    approved: Option<BTreeMap<String, String>>,
}

/// Files that aren't saved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilesBody {
    /// Texts by their paths in the plugin's folder; none: what is saved.
    #[serde(default)]
    files: Option<BTreeMap<String, String>>,
}

/// Files to be saved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveFilesBody {
    /// Texts by their paths in the plugin's folder: these, and none besides.
    files: BTreeMap<String, String>,
    /// `digest` of the files that these take the place of; none: there must be none.
    expected: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    message: String,
}

/// Files that were saved.
#[derive(Serialize, JsonSchema)]
struct SavedFiles {
    /// `kind/name`.
    name: String,
    /// Digest of the files that are there now.
    digest: String,
}

/// What is to be said of a plugin's files.
#[derive(Serialize, JsonSchema)]
struct PluginCheckedView {
    /// Mistakes: `severity`, `code`, `message`, `file`, `line`, `column`, `help`. None: it is sound.
    diagnostics: Vec<Value>,
    /// Its manifest, if that can be read.
    manifest: Option<Value>,
    /// What it asks to reach, as grants.
    permissions: Vec<String>,
    /// Digest that an approval would be for, if it is sound.
    digest: Option<String>,
}

/// What the conformance kit found.
#[derive(Serialize, JsonSchema)]
struct ConformanceView {
    /// Whether it could be approved.
    passed: bool,
    /// Each case: `name`, `passed`, and `found`: what was found instead, or what there is to say.
    checks: Vec<Value>,
}

pub(super) fn routes() -> Vec<Route> {
    let admin = Access::Can(Permission::Administer);
    vec![
        Route::post("/api/v1/plugins/unpack", "plugins", "Look into an archive of a plugin")
            .describe(
                "A `.tar.gz` or a `.zip` of a plugin's folder, up to 4 MiB. Nothing is written: the answer is what would be \
                 saved. An archive with a link, or with a path that leads out of its folder, is refused as a whole.",
            )
            .access(admin)
            .raw_body("*/*")
            .body_bytes(ARCHIVE_BYTES)
            .answers::<UnpackedView>(200)
            .problems(&[Code::InvalidInput, Code::LimitExceeded, Code::WorkflowInvalid, Code::TooLarge, Code::Unsupported])
            .handle(unpack),
        Route::post("/api/v1/plugins/starter", "plugins", "Files of a plugin to begin with")
            .describe("For a registrar that nobody has; they pass the conformance kit as they are. Nothing is written.")
            .access(admin)
            .body::<StarterBody>()
            .answers::<FilesView>(200)
            .problems(&[Code::InvalidInput, Code::Unsupported])
            .handle(starter),
        Route::get("/api/v1/plugins/{name*}/files", "plugins", "Show a plugin's files")
            .describe(
                "Those in its folder at the server that answers, and those that were approved for the organisation. Whoever may \
                 approve them there may read them, and nobody else.",
            )
            .access(admin)
            .query::<ApprovalQuery>()
            .answers::<FilesView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Unsupported])
            .handle(files),
        Route::put("/api/v1/plugins/{name*}/files", "plugins", "Install a plugin, or save its files")
            .describe(
                "All of them take the place of what is there, or none does. Files with mistakes are refused. What is saved isn't \
                 used before it is approved; what was approved before stays in use.",
            )
            .access(admin)
            .body::<SaveFilesBody>()
            .body_bytes(FILES_BYTES)
            .answers::<SavedFiles>(200)
            .problems(&[
                Code::InvalidInput,
                Code::LimitExceeded,
                Code::WorkflowInvalid,
                Code::PreconditionFailed,
                Code::Conflict,
                Code::Unsupported,
            ])
            .handle(save),
        Route::post("/api/v1/plugins/{name*}/check", "plugins", "Check a plugin's files")
            .access(admin)
            .body::<FilesBody>()
            .body_bytes(FILES_BYTES)
            .answers::<PluginCheckedView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::LimitExceeded, Code::Unsupported])
            .handle(check),
        Route::post("/api/v1/plugins/{name*}/conformance", "plugins", "Run the conformance kit on a plugin")
            .describe("With the exchanges that were recorded; no registrar is asked. It is what has to pass before an approval.")
            .access(admin)
            .body::<FilesBody>()
            .body_bytes(FILES_BYTES)
            .answers::<ConformanceView>(200)
            .problems(&[
                Code::NotFound,
                Code::InvalidInput,
                Code::LimitExceeded,
                Code::WorkflowInvalid,
                Code::Unavailable,
                Code::Unsupported,
            ])
            .handle(conformance),
    ]
}

fn desk(request: &Request) -> Result<Arc<dyn PluginDesk>, Problem> {
    let none = || Problem::new(Code::Unsupported, "no plugins are written at this server");
    request.api.plugin_desk.clone().ok_or_else(none)
}

fn unpack(request: Request) -> Result<Answer, Problem> {
    request.require(Permission::Administer, PLATFORM, "*")?;
    let unpacked = desk(&request)?.unpack(&request.body)?;
    Answer::json(&UnpackedView { name: unpacked.name, files: unpacked.files, left_out: unpacked.left_out })
}

fn starter(request: Request) -> Result<Answer, Problem> {
    request.require(Permission::Administer, PLATFORM, "*")?;
    let body: StarterBody = request.json()?;
    let author = body.author.unwrap_or_else(|| request.principal.actor());
    let files = desk(&request)?.starter(&body.name, runs::text("author", &author)?)?;
    Answer::json(&FilesView { name: body.name, files: Some(files), digest: None, approved: None })
}

fn files(request: Request) -> Result<Answer, Problem> {
    let name = request.parameter("name").to_owned();
    let (organisation, _) = organisation(&request, Permission::Administer)?;
    let desk = desk(&request)?;
    let (files, digest) = desk.files(&name)?.unzip();
    let approved = desk.approved(&organisation, &name)?;
    if files.is_none() && approved.is_none() {
        return Err(Problem::new(Code::NotFound, format!("there is no plugin `{name}`")));
    }
    Answer::json(&FilesView { name, files, digest, approved })
}

fn save(request: Request) -> Result<Answer, Problem> {
    request.require(Permission::Administer, PLATFORM, "*")?;
    let name = request.parameter("name").to_owned();
    let body: SaveFilesBody = request.json()?;
    let author = whoever(&request, runs::text("message", &body.message)?);
    let digest = desk(&request)?.save(&name, &body.files, body.expected.as_deref(), &author)?;
    Answer::json(&SavedFiles { name, digest })
}

/// The files that a request is about. Whoever looks after an organisation may look at what is saved; what isn't, they can't save.
fn meant(request: &Request) -> Result<BTreeMap<String, String>, Problem> {
    let body: FilesBody = request.json()?;
    if let Some(files) = body.files {
        request.require(Permission::Administer, PLATFORM, "*")?;
        return Ok(files);
    }
    let name = request.parameter("name");
    let none = || Problem::new(Code::NotFound, format!("there is no plugin `{name}`"));
    Ok(desk(request)?.files(name)?.ok_or_else(none)?.0)
}

fn check(request: Request) -> Result<Answer, Problem> {
    let checked = desk(&request)?.check(request.parameter("name"), &meant(&request)?)?;
    Answer::json(&PluginCheckedView {
        diagnostics: checked.diagnostics,
        manifest: checked.manifest,
        permissions: checked.permissions,
        digest: checked.digest,
    })
}

fn conformance(request: Request) -> Result<Answer, Problem> {
    let checks = desk(&request)?.conform(request.parameter("name"), &meant(&request)?)?;
    Answer::json(&ConformanceView { passed: checks.iter().all(|check| check["passed"] == true), checks })
}

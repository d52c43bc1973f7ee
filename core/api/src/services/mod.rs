//! What the API needs of parts that it must not know: scripts and secrets. Implemented where everything is wired.

mod consoles;
mod plugins;

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_engine::Engine;
use windlass_model::{Facts, Problem, ResourceRef, journal::Pinned, step::StepRecord};

pub use self::consoles::{
    CaptureAsk, Captures, ConsoleAsk, ConsoleKind, ConsoleLogin, ConsoleSource, Consoles, Duplex, LabNode, Opening,
    ScreenAsk, Size,
};
pub use self::plugins::{PluginChecked, PluginDesk, PluginFiles, PluginUnpacked};
use crate::notifications::kept::{Cause, Message, Severity, Way};

/// Who changes a workflow, from where, and why.
#[derive(Clone, Debug)]
pub struct Author {
    /// The person.
    pub by: String,
    /// Their address.
    pub source: String,
    /// Why.
    pub why: String,
    /// Who wrote it, if that is somebody else: the author of a commit.
    pub made_by: Option<String>,
    /// Workflows whose grants they may widen; a version of another one that asks for more than what is in use waits for an admin.
    pub may_widen: Vec<String>,
}

/// A plugin.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// `kind/name`.
    pub name: String,
    /// Number of the version in use.
    pub version: Option<i64>,
    /// Digest of the version in use.
    pub digest: Option<String>,
    /// What the version in use may reach, as grants.
    pub permissions: Vec<String>,
    /// Manifest of the version in use.
    pub manifest: Option<Value>,
    /// Why its files differ from what is in use: they have mistakes, or wait for an admin.
    pub problem: Option<Problem>,
}

/// What a check found in a source.
pub struct Checked {
    /// Diagnostics (JSON, as `windlass workflows check --json`).
    pub diagnostics: Vec<Value>,
    /// Header of a source that was given, if it can be read.
    pub workflow: Option<windlass_model::Workflow>,
}

/// Workflows: what is there, what it may do, what is wrong with it, and what it would do.
pub trait Scripts: Send + Sync {
    /// Names of all workflows that are there.
    fn names(&self) -> Vec<String>;

    /// Header (`model::Workflow`) of a workflow's active version.
    fn header(&self, name: &str) -> Result<windlass_model::Workflow, Problem>;

    /// Sources of the active version: the workflow and what it imports.
    fn bundle(&self, name: &str) -> Result<windlass_model::Bundle, Problem>;

    /// Digest of the active version.
    fn digest(&self, name: &str) -> Result<String, Problem>;

    /// What is to be said of a source under this name; with `None` of what stands on disk.
    fn check(&self, name: &str, source: Option<&str>) -> Result<Checked, Problem>;

    /// A grant in plain words.
    fn words(&self, grant: &str) -> String;

    /// Those of these grants that the server's policy doesn't allow this workflow.
    fn refused(&self, name: &str, grants: &[String]) -> Vec<String>;

    /// Everything that scripts can call (JSON, as `windlass definitions`).
    fn definitions(&self) -> Value;

    /// Grants that this source asks for and what is in use doesn't; none if it can't be read.
    fn widened(&self, name: &str, source: &str) -> Result<Vec<String>, Problem>;

    /// The plan: what a run with this input would do (JSON, as `windlass run --rehearse --json`); with `source` in the place
    /// of what is in use.
    fn rehearse(&self, workflow: &str, source: Option<&str>, input: Value, by: &str) -> Result<Value, Problem>;

    /// What stands in the file of a workflow or of a module, if it is there.
    fn file(&self, name: &str) -> Result<Option<String>, Problem>;

    /// The scenarios that stand beside it.
    fn scenarios(&self, name: &str) -> Result<Option<String>, Problem>;

    /// Names of the modules that can be imported.
    fn modules(&self) -> Vec<String>;

    /// Runs scenarios; sources that are given take the files' places. Each result as `windlass workflows test --json` tells it.
    fn run_scenarios(&self, name: &str, source: Option<&str>, scenarios: Option<&str>) -> Result<Vec<Value>, Problem>;

    /// Writes the scenarios beside it; an empty text removes them. `expected` is the digest of those that are there, as for
    /// `save`. What was there before.
    fn save_scenarios(&self, name: &str, text: &str, expected: Option<&str>) -> Result<Option<String>, Problem>;

    /// Number of the version in use.
    fn version(&self, name: &str) -> Option<i64>;

    /// Why the file differs from what is in use: it has mistakes, or waits for an admin.
    fn problem(&self, name: &str) -> Option<Problem>;

    /// The digest of a source, as `save` expects it.
    fn source_digest(&self, source: &str) -> String;

    /// The source of a version.
    fn source_of(&self, name: &str, version: i64) -> Result<String, Problem>;

    /// Writes a workflow's source to its file, atomically, and puts it in use. `expected` is the digest of the source that is
    /// there (`None`: the file must not be there yet); refused with `PreconditionFailed` if it isn't so, and with
    /// `WorkflowInvalid` if the source has mistakes.
    fn save(&self, name: &str, source: &str, expected: Option<&str>, author: &Author) -> Result<(), Problem>;

    /// Writes all of these files and puts them in use, or, if one of them has mistakes or would break another workflow,
    /// changes nothing. The names of those that weren't there like this before.
    fn save_all(&self, files: &BTreeMap<String, String>, author: &Author) -> Result<Vec<String>, Problem>;

    /// Removes a workflow's file. Its versions are kept.
    fn remove(&self, name: &str, expected: Option<&str>, author: &Author) -> Result<(), Problem>;

    /// A version that was made before, as a launch would pin it; with the grants that it asks for beyond those in use.
    fn judged(&self, name: &str, version: i64) -> Result<(Pinned, Vec<String>), Problem>;

    /// Puts a version in use that was made before.
    fn activate(&self, name: &str, version: i64, author: &Author) -> Result<(), Problem>;

    /// All plugins that are there, by name.
    fn plugins(&self) -> Vec<Plugin>;

    /// One of them.
    fn plugin(&self, name: &str) -> Option<Plugin>;

    /// Puts a version of a plugin in use that was made before; the grants that it asks for beyond those in use before.
    fn activate_plugin(&self, name: &str, version: i64, author: &Author) -> Result<Vec<String>, Problem>;

    /// How a plugin stands for an organisation: `plugin`, `organisation`, `state`, `approval`, `digest`, `problem`,
    /// `difference`.
    fn plugin_standing(&self, organisation: &str, name: &str) -> Result<Value, Problem>;

    /// Approves a plugin's files for an organisation, if they are what was looked at (`digest`) and pass the conformance kit;
    /// committed through the engine that is made from what was there before, and what is there then.
    fn approve_plugin(
        &self,
        through: &dyn Fn(Value, Value) -> Engine,
        at: (&str, &str, &str),
        author: &Author,
    ) -> Result<Value, Problem>;

    /// Takes the approval of a plugin for an organisation back.
    fn disable_plugin(
        &self,
        through: &dyn Fn(Value, Value) -> Engine,
        at: (&str, &str),
        author: &Author,
    ) -> Result<Value, Problem>;
}

/// Secrets, which can be set but not read.
pub trait Secrets: Send + Sync {
    /// Keeps a value, and where it may go; committed through this handle, so with the entry that it carries.
    fn put(&self, through: &Engine, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem>;

    /// Names with their policies; never a value.
    fn list(&self) -> Result<Vec<Value>, Problem>;

    /// Removes one, through this handle.
    fn delete(&self, through: &Engine, name: &str) -> Result<(), Problem>;

    /// Does what removes some beside other things, while nobody else keeps or removes one: what is kept anew by a change of keys
    /// at the same time would come back.
    fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem>;

    /// Seals text for keeping it in a document (TOTP seeds, webhook keys); `context` is bound to it.
    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem>;

    /// Opens what `seal` made with the same context.
    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem>;

    /// A text of an organisation, with the value of every secret of the platform and of its own blotted out.
    fn scrub(&self, organisation: &str, text: &str) -> String;
}

/// A message to a person.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Their address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same for those who see it.
    pub html: String,
}

/// The way to people's mailboxes.
pub trait Mail: Send + Sync {
    /// Has a mail server take the letter over, within ten seconds; or why it didn't.
    fn send(&self, letter: &Letter) -> Result<(), String>;
}

/// How something on a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Fine,
    /// It isn't there; some workflows need it.
    Missing,
    /// It is there, and doesn't work as it should.
    Broken,
}

/// One thing that was looked at on a machine.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// What was found.
    pub found: String,
    /// What it is good for, or how to get it.
    pub help: String,
}

/// The machine that the server runs on.
pub trait Machine: Send + Sync {
    /// What it can do for workflows. Asked often, it looks seldom.
    fn examine(&self) -> Vec<Finding>;
}

/// What is known of things that runs have made, beyond that they are there.
pub trait Things: Send + Sync {
    /// Whether the record of the step that made such a thing can tell more.
    fn ask(&self, thing: &ResourceRef) -> bool;

    /// What that step's record tells of each of these things, which it made: it is read once for all of them.
    fn facts(&self, things: &[&ResourceRef], step: &StepRecord) -> Vec<Facts>;
}

/// A name of a pool that isn't free.
#[derive(Clone, Debug)]
pub struct PoolName {
    /// The full name.
    pub name: String,
    /// The domain that it is under.
    pub domain: String,
    /// The rest.
    pub label: String,
    /// `reserved`, `active` or `releasing`.
    pub state: String,
    /// The organisation that it is for.
    pub organisation: String,
    /// Where it points.
    pub addresses: Vec<String>,
    /// When it was reserved.
    pub since_ms: i64,
    /// When the reservation runs out, or the name is free.
    pub until_ms: Option<i64>,
}

/// Why a name can't be had.
#[derive(Clone, Debug)]
pub struct PoolRefusal {
    /// `unsupported-pool`, `reserved`, `taken` or `invalid-format`.
    pub reason: String,
    /// The same in words.
    pub detail: String,
}

/// A name that was reserved.
#[derive(Clone, Debug)]
pub struct PoolReservation {
    /// The full name.
    pub name: String,
    /// What renews, commits and releases it.
    pub token: String,
    /// When the reservation runs out.
    pub until_ms: i64,
    /// Name servers of its zone.
    pub nameservers: Vec<String>,
    /// DS records that stand in the domain's zone.
    pub ds: Vec<String>,
}

/// Names under domains of the house. Changes are written through the handle that is given, so with the entry that it carries.
pub trait Pool: Send + Sync {
    /// The domains.
    fn domains(&self) -> Result<Vec<String>, Problem>;

    /// Why a name can't be had, if it can't.
    fn check(&self, domain: &str, label: &str) -> Result<Option<PoolRefusal>, Problem>;

    /// Reserves a name for an organisation.
    fn reserve(
        &self,
        through: &Engine,
        domain: &str,
        label: &str,
        organisation: &str,
    ) -> Result<PoolReservation, Problem>;

    /// Lets a reservation run on; when it runs out (the end of time, if the name is given out).
    fn renew(&self, through: &Engine, name: &str, token: &str) -> Result<i64, Problem>;

    /// Gives a reserved name out; where it points now.
    fn commit(&self, through: &Engine, name: &str, token: &str, addresses: &[String]) -> Result<Vec<String>, Problem>;

    /// Gives a name back, without a token for whoever may; when it is free, if it rests first.
    fn release(&self, through: &Engine, name: &str, token: Option<&str>) -> Result<Option<i64>, Problem>;

    /// A name that isn't free.
    fn find(&self, name: &str) -> Result<Option<PoolName>, Problem>;

    /// Names that aren't free, by name, after this one.
    fn list(&self, domain: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<PoolName>, Problem>;
}

/// A target with its address and its secret.
#[derive(Clone)]
pub struct NotifyTarget {
    /// What people call it.
    pub name: String,
    /// The way.
    pub way: Way,
    /// The address; for mail there is none.
    pub url: String,
    /// The token or the key.
    pub secret: String,
    /// Who gets the mail.
    pub to: Vec<String>,
}

/// Where a message goes.
pub enum ToTarget {
    /// To this target of an organisation.
    This(NotifyTarget),
    /// To the target of this name in the configuration.
    Configured(String),
}

/// What is told.
pub struct Told<'a> {
    /// For people.
    pub message: &'a Message,
    /// How much it matters.
    pub severity: Severity,
    /// Of which event.
    pub cause: &'a Cause,
    /// For programs.
    pub data: &'a Value,
    /// Of a mail: the recipients that are left, as others have it; none: all.
    pub only: &'a [String],
}

/// Why a message wasn't delivered.
#[derive(Clone, Debug)]
pub struct NotDelivered {
    /// In words.
    pub reason: String,
    /// Whether another attempt may do better.
    pub again: bool,
    /// When the other side wants to hear of us again.
    pub after_ms: Option<u64>,
    /// Whether the message may have arrived all the same.
    pub unknown: bool,
    /// Of a mail: whom the server has refused for now. The others have it, or never will.
    pub left: Vec<String>,
    /// What is to be said of those who never will.
    pub remark: String,
}

impl NotDelivered {
    /// To nobody.
    pub fn new(reason: impl Into<String>, again: bool) -> Self {
        let (left, remark) = (Vec::new(), String::new());
        Self { reason: reason.into(), again, after_ms: None, unknown: false, left, remark }
    }
}

/// A key of the configuration.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `server.listen`.
    pub key: String,
    /// What it means.
    pub doc: String,
    /// What is in effect; no secret.
    pub value: Value,
    /// Where that comes from: `default`, a file with its line, a variable, a flag.
    pub origin: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// Whether it is taken anew without a restart.
    pub live: bool,
    /// What its sources say by now, if that takes effect with the next start only.
    pub waiting: Option<Value>,
}

/// The configuration that the server runs with.
pub trait Settings: Send + Sync {
    /// Every key; and why its sources can't be read any more, if that is so.
    fn all(&self) -> (Vec<Setting>, Option<Problem>);
}

/// Hands messages to people's services. An attempt takes ten seconds at most.
pub trait Courier: Send + Sync {
    /// Refuses a target that can't be meant, in words.
    fn check(&self, target: &NotifyTarget) -> Result<(), String>;

    /// Targets of the configuration that an organisation may use: names and ways.
    fn configured(&self, organisation: &str) -> Vec<(String, String)>;

    /// One attempt. What the other side said besides; `id` is the message's own, the same for each attempt.
    fn send(&self, organisation: &str, to: &ToTarget, told: &Told<'_>, id: &str) -> Result<String, NotDelivered>;
}

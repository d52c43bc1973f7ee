//! What is kept of schedules, webhooks and triggers: what people set up, and apart from it what has become of it, so that
//! neither gets in the way of the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::{
    binding::Binding,
    kept::{Kept, Kind, User},
};

/// What to do about instants that passed while no server ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Leave them out.
    Skip,
    /// One run makes up for all of them.
    #[default]
    Once,
    /// One run for each, up to the last 1,000.
    All,
}

/// What to do while the run before is still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Launch all the same.
    Allow,
    /// Leave this one out.
    #[default]
    Skip,
    /// Launch when the one before has ended; up to 100 wait.
    Queue,
    /// Ask for the end of the one before, and launch.
    CancelPrevious,
}

/// What a token allowed with which something was set up: by it, nobody gets more than the token, nor for longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// What it allowed at most.
    pub bindings: Vec<Binding>,
    /// When it ends.
    pub expires_at_ms: Option<i64>,
}

/// For whom something acts.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The user.
    pub user: User,
    /// Within what; none: all that the user may.
    pub grant: Option<Grant>,
}

impl From<User> for Owner {
    fn from(user: User) -> Self {
        Self { user, grant: None }
    }
}

/// Who set something up, and what it is called: the same for all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it belongs to, and that its runs do.
    pub organisation: String,
    /// The user for whom it acts: whoever changed it last.
    pub owner: String,
    /// The owner's `uid`: a new user of the same name is somebody else.
    pub owner_uid: String,
    /// Within what it acts, if a token set it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Whether it is at rest.
    pub paused: bool,
}

impl About {
    /// Until when it acts.
    pub fn acts_until_ms(&self) -> Option<i64> {
        self.grant.as_ref().and_then(|grant| grant.expires_at_ms)
    }
}

/// A schedule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleBody {
    /// Its name and its owner.
    #[serde(flatten)]
    pub about: About,
    /// What it launches.
    pub workflow: String,
    /// With which input.
    pub input: Value,
    /// With which tags.
    pub tags: Vec<String>,
    /// When.
    pub cron: String,
    /// By whose clocks.
    pub time_zone: String,
    /// What to do about instants that passed while no server ran.
    pub missed: Missed,
    /// What to do while the run before is still open.
    pub overlap: Overlap,
    /// Each launch is up to so much later; how much follows from the schedule and the instant.
    pub jitter_ms: i64,
    /// No instant before this.
    pub starts_at_ms: Option<i64>,
    /// No instant from this on.
    pub ends_at_ms: Option<i64>,
}

/// What has become of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleState {
    /// Instants up to this are dealt with, or wait in `pending`.
    pub to_ms: i64,
    /// Instants whose launch is decided, but not done.
    pub pending: Vec<i64>,
    /// The last launch.
    pub last: Option<Launched>,
    /// The run that goes on with the work of the last one, if that was continued.
    pub goes_on_as: Option<String>,
    /// Why the last launch that failed did.
    pub error: Option<Failure>,
    /// Launches.
    pub fired: u64,
    /// Instants that were left out because the run before was still open.
    pub skipped: u64,
    /// Instants that passed while no server ran, and that nobody made up for.
    pub missed: u64,
    /// Launches that were refused.
    pub failed: u64,
}

/// A launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Launched {
    /// What it was launched for: the instant of a schedule, the end of a run, the arrival of a delivery.
    pub at_ms: i64,
    /// When it was launched.
    pub launched_at_ms: i64,
    /// The run; for a signal, the one that got it.
    pub run: Option<String>,
}

/// Why something didn't happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// When.
    pub at_ms: i64,
    /// The error's code.
    pub code: String,
    /// What went wrong.
    pub message: String,
}

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    #[default]
    Standard,
    /// GitHub, Gitea, Forgejo: `X-Hub-Signature-256`.
    Github,
}

/// What a delivery does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "do", deny_unknown_fields)]
pub enum Action {
    /// Launches a workflow.
    Launch {
        /// The workflow: `area/name`.
        workflow: String,
        /// Its input; `${/body/…}`, `${/headers/…}` and `${/id}` are filled in.
        #[serde(default = "nothing")]
        input: Value,
        /// Tags of the run; `${…}` are filled in, too.
        #[serde(default)]
        tags: Vec<String>,
    },
    /// Signals a run of a workflow: the one whose id `run` gives, or the only open one with a tag.
    Signal {
        /// The workflow whose runs may be signalled: `area/name`.
        workflow: String,
        /// The run's id, such as `${/body/run}`.
        #[serde(default)]
        run: Option<String>,
        /// A tag that exactly one open run has, such as `order-${/body/order}`.
        #[serde(default)]
        tag: Option<String>,
        /// The signal's name.
        signal: String,
        /// What the run gets; `${/body}` if nothing is said.
        #[serde(default = "whole_body")]
        payload: Value,
    },
}

fn nothing() -> Value {
    serde_json::json!({})
}

fn whole_body() -> Value {
    "${/body}".into()
}

impl Action {
    /// The workflow that it is about.
    pub fn workflow(&self) -> &str {
        match self {
            Self::Launch { workflow, .. } | Self::Signal { workflow, .. } => workflow,
        }
    }
}

impl Default for Action {
    fn default() -> Self {
        Self::Launch { workflow: String::new(), input: Value::Null, tags: Vec::new() }
    }
}

/// A key that deliveries are signed with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedKey {
    /// The key, sealed.
    pub sealed: String,
    /// Until when it holds; none: it is the one in use.
    pub until_ms: Option<i64>,
}

/// A webhook.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookBody {
    /// Its name and its owner.
    #[serde(flatten)]
    pub about: About,
    /// How deliveries are signed.
    pub scheme: Scheme,
    /// Keys, the newest first.
    pub keys: Vec<SealedKey>,
    /// How far a delivery's time may be off.
    pub window_ms: i64,
    /// What a delivery does.
    pub action: Action,
}

/// A trigger: when a run ends, another one is launched.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TriggerBody {
    /// Its name and its owner.
    #[serde(flatten)]
    pub about: About,
    /// Runs of this workflow, of a folder of them (`lab`), or of all (`*`).
    pub on_workflow: String,
    /// That end so.
    pub on_states: Vec<String>,
    /// Only those with this tag.
    pub on_tag: Option<String>,
    /// What it launches.
    pub workflow: String,
    /// With which input; `${/run/…}` is filled in.
    pub input: Value,
    /// With which tags.
    pub tags: Vec<String>,
}

/// What has become of a webhook or a trigger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutcomeBody {
    /// The last one that did something.
    pub last: Option<Launched>,
    /// The last one that couldn't.
    pub error: Option<Failure>,
}

/// A delivery that has done its work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryBody {
    /// The run that it launched or signalled; the store puts in one that is launched.
    pub run: Option<String>,
    /// Digest of what was sent.
    pub digest: String,
}

/// How far the ends of runs were looked through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CursorBody {
    /// A cursor of the feed.
    pub cursor: String,
}

/// What people set up that acts by itself.
pub trait Rule: Kind + Clone {
    /// What people call it.
    const WORD: &'static str;

    /// Its name and its owner.
    fn about(&self) -> &About;

    /// To change them.
    fn about_mut(&mut self) -> &mut About;

    /// The workflow that it launches or signals.
    fn workflow(&self) -> &str;
}

macro_rules! rule {
    ($body:ty, $kind:literal, |$this:ident| $workflow:expr) => {
        impl Kind for $body {
            const KIND: &'static str = $kind;

            fn keys(&self, _id: &str) -> Vec<String> {
                vec![format!("{}|{}", self.about.organisation, self.about.name)]
            }
        }

        impl Rule for $body {
            const WORD: &'static str = $kind;

            fn about(&self) -> &About {
                &self.about
            }

            fn about_mut(&mut self) -> &mut About {
                &mut self.about
            }

            fn workflow(&self) -> &str {
                let $this = self;
                $workflow
            }
        }
    };
}

rule!(ScheduleBody, "schedule", |this| &this.workflow);
rule!(WebhookBody, "webhook", |this| this.action.workflow());
rule!(TriggerBody, "trigger", |this| &this.workflow);

impl Kind for ScheduleState {
    const KIND: &'static str = "schedule_state";
}

impl Kind for OutcomeBody {
    const KIND: &'static str = "outcome";
}

impl Kind for DeliveryBody {
    const KIND: &'static str = "delivery";
}

impl Kind for CursorBody {
    const KIND: &'static str = "trigger_cursor";
}

/// A schedule.
pub type Schedule = Kept<ScheduleBody>;
/// A webhook.
pub type Webhook = Kept<WebhookBody>;
/// A trigger.
pub type Trigger = Kept<TriggerBody>;

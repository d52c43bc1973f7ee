//! What is kept of notifications: what people set up, and each message with what has become of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quiet::Quiet;
use crate::{
    auth::kept::{Kept, Kind},
    triggers::kept::{About, Rule},
};

/// How much an event matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look at it some time.
    Warning,
    /// Something didn't work.
    Error,
    /// Somebody has to act now.
    Critical,
}

/// A way to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// E-mail by the server's mail server.
    #[default]
    Email,
    /// A topic of an ntfy server.
    Ntfy,
    /// A channel's webhook at Discord.
    Discord,
    /// An incoming webhook at Slack.
    Slack,
    /// An incoming webhook of a Mattermost server.
    Mattermost,
    /// Any receiver of Standard Webhooks.
    Webhook,
}

/// A target.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetBody {
    /// Its name and who set it up.
    #[serde(flatten)]
    pub about: About,
    /// The way.
    pub way: Way,
    /// Address and secret (`Sealed` as JSON), sealed; empty for mail.
    pub sealed: String,
    /// What people may see of the address.
    pub shown: String,
    /// Whether there is a secret.
    pub has_secret: bool,
    /// Who gets the mail.
    pub to: Vec<String>,
    /// Messages in a minute, at most.
    pub per_minute: u32,
}

/// What is sealed of a target.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sealed {
    /// The address.
    pub url: String,
    /// The token or the key.
    pub secret: String,
}

/// A rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleBody {
    /// Its name and who set it up.
    #[serde(flatten)]
    pub about: About,
    /// Kinds of events, with `*`.
    pub on: Vec<String>,
    /// Only what matters so much, or more.
    pub severity: Severity,
    /// Of these organisations, for rules of the platform; none: of its own.
    pub organisations: Vec<String>,
    /// Of runs of these workflows or folders; none: of all.
    pub workflows: Vec<String>,
    /// Names of targets.
    pub targets: Vec<String>,
    /// When people aren't to be disturbed.
    pub quiet: Option<Quiet>,
    /// Over how long messages are collected into one.
    pub digest_ms: Option<i64>,
    /// A title of its own, with places to fill in.
    pub title: Option<String>,
    /// A text of its own.
    pub text: Option<String>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is to be sent, or to be sent again.
    #[default]
    Pending,
    /// The other side has it.
    Delivered,
    /// It isn't tried any more.
    Dead,
    /// It stands in a digest.
    Digested,
}

/// What is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Message {
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// The same for mail readers that show HTML.
    pub html: String,
    /// Where there is more.
    pub link: Option<String>,
}

/// Of which event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cause {
    /// The run, or `system`.
    pub run: String,
    /// The event's number in it.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// When.
    pub at_ms: i64,
    /// The run's workflow.
    pub workflow: Option<String>,
    /// Whose it is.
    pub organisation: Option<String>,
}

/// A message to one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeBody {
    /// The rule's id.
    pub rule: String,
    /// Its name at the time.
    pub rule_name: String,
    /// The target's name.
    pub target: String,
    /// Of which event; for a digest the first one.
    pub cause: Cause,
    /// How much it matters.
    pub severity: Severity,
    /// What is told.
    pub message: Message,
    /// For programs.
    pub data: Value,
    /// What becomes of it.
    pub state: State,
    /// When it is to be sent.
    pub due_at_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// Why the last one failed, or what the other side said besides.
    pub reason: String,
    /// Whether an attempt may have arrived that got no answer: then it may come twice.
    pub unknown: bool,
    /// When it was delivered, or given up.
    pub done_at_ms: Option<i64>,
    /// The digest that it stands in.
    pub digest: Option<String>,
    /// Of a digest: what it tells, one line each.
    pub lines: Vec<String>,
    /// Of a digest: how many more there were.
    pub more: u64,
    /// Of a digest: whether it tells of events of others than its rule's organisation.
    pub of_others: bool,
    /// The id of the target that it was written for; empty: one of the configuration.
    pub target_id: String,
    /// Of a mail that others have: the recipients that are left. None: nobody has it yet.
    pub left: Vec<String>,
    /// What the mail server said of those who never get it.
    pub remark: String,
}

impl NoticeBody {
    /// It isn't tried any more.
    pub fn give_up(&mut self, reason: String, now_ms: i64) {
        self.reason = reason;
        self.state = State::Dead;
        self.done_at_ms = Some(now_ms);
    }
}

/// That a message is due; the id begins with its target's lane, and then with when.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DueBody {
    /// The message.
    pub notice: String,
    /// Its target, with the organisation: what is busy is passed over.
    pub target: String,
}

/// How far the feed was followed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaceBody {
    /// A cursor of the feed.
    pub cursor: String,
}

/// How many messages a target had in a minute.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PaceBody {
    /// Minutes since 1970.
    pub minute: i64,
    /// Messages in it.
    pub count: u32,
}

macro_rules! named {
    ($body:ty, $kind:literal) => {
        impl Kind for $body {
            const KIND: &'static str = $kind;

            fn keys(&self, _id: &str) -> Vec<String> {
                vec![key(&self.about.organisation, &self.about.name)]
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

            // They are about everything of their organisation.
            fn workflow(&self) -> &'static str {
                "*"
            }
        }
    };
}

/// What a target or a rule is found by.
pub fn key(organisation: &str, name: &str) -> String {
    format!("{organisation}|{name}")
}

named!(TargetBody, "notify_target");
named!(RuleBody, "notify_rule");

impl Kind for NoticeBody {
    const KIND: &'static str = "notification";
}

impl Kind for DueBody {
    const KIND: &'static str = "notification_due";
}

impl Kind for PlaceBody {
    const KIND: &'static str = "notification_place";
}

impl Kind for PaceBody {
    const KIND: &'static str = "notification_pace";
}

/// A target.
pub type Target = Kept<TargetBody>;
/// A rule.
pub type NotifyRule = Kept<RuleBody>;
/// A message.
pub type Notice = Kept<NoticeBody>;

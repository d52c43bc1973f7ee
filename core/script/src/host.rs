//! What a host module is made of: ops that declare everything about themselves. Definitions, permissions, docs and
//! the dispatcher all follow from these declarations.

use std::{future::Future, time::Duration};

pub mod testing;

use serde_json::Value;
use windlass_model::{Code, EffectClass, Problem, ResourceChange, RetryPolicy};

/// A host module: one folder in `core/hosts/src/`.
pub struct HostModule {
    /// What scripts write before `::`.
    pub name: &'static str,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// Its ops, in the order of the reference.
    pub ops: Vec<Op>,
}

/// One effectful host function. Every field is required: an op that doesn't say what it does to the world doesn't compile.
pub struct Op {
    /// What scripts call.
    pub name: &'static str,
    /// What it does; shapes, units and errors. Markdown.
    pub doc: &'static str,
    /// Parameters in order; optional ones come last.
    pub params: &'static [Param],
    /// Shape of the result, for definitions: `#{ name: string, mtu: int }`.
    pub returns: &'static str,
    /// What a run must be granted.
    pub permission: Permission,
    /// What a crash means for it.
    pub class: EffectClass,
    /// How it is taken back.
    pub undo: Undo,
    /// What it makes or removes, from its arguments.
    pub resources: fn(&Args) -> Vec<ResourceChange>,
    /// Longest time for one attempt.
    pub timeout_ms: u64,
    /// When a failed attempt is tried again.
    pub retry: RetryPolicy,
    /// What stands in for it in a rehearsal.
    pub rehearse: Rehearse,
    /// A script that runs in rehearsal as the body of `run(input)`; executed by a test.
    pub example: &'static str,
    /// The effect.
    pub run: Effect,
    /// For `Keyed` ops: the result, if the object with this key is there already.
    pub lookup: Option<Lookup>,
}

/// The code behind an op.
pub type Effect = Box<dyn Fn(&OpCx, &Args) -> Result<Value, Problem> + Send + Sync>;

/// Finds what an earlier attempt has made.
pub type Lookup = Box<dyn Fn(&OpCx, &Args) -> Result<Option<Value>, Problem> + Send + Sync>;

/// For ops that make and remove nothing that has an identity.
pub fn no_resources(_: &Args) -> Vec<ResourceChange> {
    Vec::new()
}

/// A parameter.
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Whether a call may leave it out.
    pub optional: bool,
    /// What it means, with units.
    pub doc: &'static str,
}

impl Param {
    /// A parameter that every call gives.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, optional: false, doc }
    }

    /// A parameter that a call may leave out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, optional: true, doc }
    }
}

/// What may stand in a parameter's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// Any number.
    Float,
    /// True or false.
    Bool,
    /// A duration such as `"30s"`, or milliseconds.
    Duration,
    /// A map; the op's documentation gives its keys. Secrets may stand inside where the op says so.
    Map,
    /// An array.
    Array,
    /// A secret, or text.
    Secret,
    /// Anything that JSON can say.
    Any,
    /// A closure. Only built-in functions take them; an op can't.
    Closure,
}

/// What a run must be granted for a call.
pub enum Permission {
    /// Nothing: the op can do no harm.
    Free,
    /// `verb:scope`, such as `net.write:lab`.
    Needs {
        /// `module.verb`.
        verb: &'static str,
        /// The scopes that this call touches, from its arguments; each must be granted.
        scope: fn(&Args) -> Vec<String>,
        /// The verb in plain words, for the launch form: `create and remove network devices in`.
        words: &'static str,
    },
}

/// How an op is taken back.
pub enum Undo {
    /// It isn't, for this reason.
    None(&'static str),
    /// By this op of the same module, with arguments that follow from the forward call's (an array of JSON values).
    Op {
        /// The op's name, without the module.
        name: &'static str,
        /// Its arguments.
        args: fn(&Args) -> Vec<Value>,
    },
}

/// What stands in for an op in a rehearsal.
pub enum Rehearse {
    /// The module was made with a backend that touches nothing: run it as it is.
    Backend,
    /// This answer is assumed.
    Assume(fn(&Args) -> Value),
}

/// A call's arguments as JSON, checked against the op's parameters. A secret stands as `{"$secret": "name"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Args {
    names: &'static [Param],
    values: Vec<Value>,
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Param {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Args {
    /// Arguments in the order of `params`; missing optional ones are null.
    pub fn new(params: &'static [Param], mut values: Vec<Value>) -> Self {
        values.resize(params.len(), Value::Null);
        Self { names: params, values }
    }

    /// The argument, or null.
    pub fn get(&self, name: &str) -> &Value {
        let index = self.names.iter().position(|param| param.name == name);
        index.and_then(|index| self.values.get(index)).unwrap_or(&Value::Null)
    }

    /// All values in the order of the parameters.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Text, or an empty string.
    pub fn str(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// A whole number, if it was given.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// A truth value, or the default.
    pub fn bool(&self, name: &str, default: bool) -> bool {
        self.get(name).as_bool().unwrap_or(default)
    }

    /// The argument read into a type of the op's own; the error names the argument.
    pub fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Problem> {
        serde_json::from_value(self.get(name).clone())
            .map_err(|error| Problem::new(Code::InvalidArgument, format!("argument `{name}`: {error}")).no_effect())
    }
}

/// What an op may use while it runs.
pub struct OpCx {
    /// `run/step`: what a `Keyed` op puts on what it makes, and what every op marks its things with.
    pub key: String,
    /// For the undo of a step: the key that the step had, `run/step` of the run that performed it. `None` when a script
    /// calls the op, in a closure of `on_rollback` too.
    pub undoes: Option<String>,
    /// The run.
    pub run: windlass_model::RunId,
    /// This machine's instance id.
    pub instance: std::sync::Arc<str>,
    /// Whether this is a rehearsal.
    pub rehearsal: bool,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) timeout: Duration,
    pub(crate) journal: std::sync::Arc<dyn windlass_model::Journal>,
    pub(crate) secrets: std::sync::Arc<dyn RevealSecret>,
    /// The run's grants, `verb:scope` each.
    pub(crate) grants: std::sync::Arc<[String]>,
    /// Set by enclosing `parallel` and `race` scopes whose outcome is decided.
    pub(crate) superseded: Vec<std::sync::Arc<std::sync::atomic::AtomicBool>>,
}

/// Gives an op the value behind `{"$secret": …}`, if the secret's policy allows the destination.
pub trait RevealSecret: Send + Sync {
    /// The value of the secret for this destination (`https://api.example.net`, `exec:ssh`, `file:/etc/x`).
    fn reveal(&self, secret: &Value, destination: &str) -> Result<zeroize::Zeroizing<String>, Problem>;
}

impl OpCx {
    /// Waits for a future on this (plain) thread, within the op's time limit, until the run is told to stop.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        self.runtime.block_on(async {
            let stopped = async {
                while !self.stopped() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                biased;
                result = future => result,
                () = tokio::time::sleep(self.timeout) => Err(timed_out(self.timeout)),
                () = stopped => Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way")),
            }
        })
    }

    /// The value of an argument that may be a secret.
    pub fn reveal(&self, value: &Value, destination: &str) -> Result<zeroize::Zeroizing<String>, Problem> {
        match value {
            Value::String(text) => Ok(zeroize::Zeroizing::new(text.clone())),
            other => self.secrets.reveal(other, destination),
        }
    }

    /// Longest time for this attempt.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The scopes that the run was granted for this verb, for ops that learn on the way what they touch (a redirect, a
    /// link). The dispatcher has checked `Permission` before the op runs.
    pub fn granted_scopes<'a>(&'a self, verb: &'a str) -> impl Iterator<Item = &'a str> {
        let grants = self.grants.iter().filter_map(|grant| grant.split_once(':'));
        grants.filter(move |(of, _)| crate::permission::glob(of, verb)).map(|(_, scope)| scope)
    }

    /// Whether the run was granted this verb on this scope, for the same ops.
    pub fn is_granted(&self, verb: &str, scope: &str) -> bool {
        self.grants.iter().any(|grant| crate::permission::covers(grant, verb, scope))
    }

    /// Tells whether the run is still this process's: asked again right before something reaches the world, where there is
    /// much in between.
    pub fn holder(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let journal = self.journal.clone();
        move || journal.holds()
    }

    /// A reason to go no further, for ops that loop.
    pub fn stopped(&self) -> bool {
        let superseded = self.superseded.iter().any(|flag| flag.load(std::sync::atomic::Ordering::Relaxed));
        superseded || self.journal.cut_off()
    }
}

fn timed_out(limit: Duration) -> Problem {
    Problem::new(Code::StepTimeout, format!("the step took longer than its limit of {} ms", limit.as_millis()))
        .retryable()
}

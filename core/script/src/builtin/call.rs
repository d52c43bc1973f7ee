//! One call of a built-in function: its arguments read into what the function needs, and the kinds of steps it can take.

use std::sync::Arc;

use rhai::{Dynamic, FnPtr, NativeCallContext};
use serde_json::Value;
use windlass_model::{
    CallSite, Code, EffectClass, LockName, Outcome, Problem, StepCall, WaitSpec,
    journal::{Begin, LocalEffect},
    time::parse_duration_ms,
};

use crate::{
    arguments, branch, canonical,
    canonical::Secrets,
    catalog::BuiltinEntry,
    context::RunContext,
    dispatch::{self, Taken},
    host::{Args, Permission},
    memory, meter, perform, permission,
    program::Allowed,
    throw::{self, Halt},
};

pub(crate) struct Call<'a, 'b, 'c> {
    pub context: &'a NativeCallContext<'c>,
    pub entry: &'a BuiltinEntry,
    pub args: &'a [&'b mut Dynamic],
}

impl Call<'_, '_, '_> {
    /// The current run, unless the branch was told to stop or the function isn't granted at all.
    pub fn start(&self) -> Result<Arc<RunContext>, Halt> {
        branch::check_stop()?;
        let run = branch::run()?;
        match &self.entry.builtin.permission {
            Permission::Needs { verb, .. } if run.program.allowed(self.entry.index) == Allowed::Never => {
                Err(permission::denied(&self.entry.name, verb, self.scopes().first().map(String::as_str)).into())
            }
            _ => Ok(run),
        }
    }

    fn scopes(&self) -> Vec<String> {
        let Permission::Needs { scope, .. } = &self.entry.builtin.permission else { return Vec::new() };
        let values = self.args.iter().map(|arg| canonical::lossy(arg)).collect();
        scope(&Args::new(self.entry.builtin.params, values))
    }

    /// Refuses a call whose scope isn't granted.
    pub fn permit(&self, run: &RunContext) -> Result<(), Problem> {
        let Permission::Needs { verb, .. } = &self.entry.builtin.permission else { return Ok(()) };
        match self.scopes().iter().find(|scope| !run.program.covers(verb, scope)) {
            Some(missing) => Err(permission::denied(&self.entry.name, verb, Some(missing))),
            None => Ok(()),
        }
    }

    pub fn site(&self, run: &RunContext) -> CallSite {
        throw::site(self.context, &run.entry)
    }

    /// An argument, if it was given.
    pub fn arg(&self, index: usize) -> Option<&Dynamic> {
        self.args.get(index).map(|arg| &**arg).filter(|arg| !arg.is_unit())
    }

    pub fn text(&self, index: usize) -> Result<String, Problem> {
        match self.arg(index).map(|arg| arg.as_immutable_string_ref().map(|text| text.to_string())) {
            Some(Ok(text)) => Ok(text),
            _ => Err(self.wrong(index, "text")),
        }
    }

    /// A name that rows are found by: of a lock, a signal, a key. What no database takes is refused here, before anything
    /// is journaled.
    pub fn name(&self, index: usize) -> Result<String, Problem> {
        let name = self.prefix(index)?;
        if name.is_empty() {
            let param = self.entry.builtin.params.get(index).map_or("?", |param| param.name);
            return Err(self.invalid(format!("was given a `{param}` that is empty")).help(NAME_RULE));
        }
        Ok(name)
    }

    /// What such a name may begin with; perhaps nothing.
    pub fn prefix(&self, index: usize) -> Result<String, Problem> {
        let name = self.text(index)?;
        match fault_of_name(&name) {
            None => Ok(name),
            Some(fault) => {
                let param = self.entry.builtin.params.get(index).map_or("?", |param| param.name);
                Err(self.invalid(format!("was given a `{param}` that {fault}")).help(NAME_RULE))
            }
        }
    }

    pub fn closure(&self, index: usize) -> Result<FnPtr, Problem> {
        let closure = self.arg(index).and_then(|arg| arg.read_lock::<FnPtr>().map(|function| function.clone()));
        closure.ok_or_else(|| self.wrong(index, "a closure such as `|| …`"))
    }

    /// An options map as JSON; unknown keys are errors.
    pub fn options(&self, index: usize, known: &[&str]) -> Result<serde_json::Map<String, Value>, Problem> {
        let Some(arg) = self.arg(index) else { return Ok(serde_json::Map::new()) };
        let Value::Object(map) = self.json(arg)? else { return Err(self.wrong(index, "a map of options")) };
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(map),
            Some(key) => {
                let problem = self.invalid(format!("doesn't know the option `{key}`"));
                Err(problem.help(format!("Options: {}.", known.join(", "))))
            }
        }
    }

    /// Any value that is stored: JSON without secrets.
    pub fn json(&self, value: &Dynamic) -> Result<Value, Problem> {
        let text = canonical::text(value, Secrets::Refused, self.step_bytes()?)?;
        serde_json::from_str(&text).map_err(|error| Problem::new(Code::Internal, error.to_string()))
    }

    fn step_bytes(&self) -> Result<usize, Problem> {
        let run = branch::run().map_err(|_| Problem::new(Code::Internal, "no run"))?;
        Ok(run.shell.config.bounds.step_bytes)
    }

    pub fn invalid(&self, what: impl std::fmt::Display) -> Problem {
        Problem::new(Code::InvalidArgument, format!("`{}` {what}", self.entry.name))
            .help(format!("It is called as `{}`.", arguments::signature(&self.entry.name, self.entry.builtin.params)))
            .no_effect()
    }

    pub fn wrong(&self, index: usize, needed: &str) -> Problem {
        let name = self.entry.builtin.params.get(index).map_or("?", |param| param.name);
        self.invalid(format!("needs {needed} for `{name}`"))
    }

    /// Canonical arguments of all that were given.
    pub fn args_text(&self, run: &RunContext) -> Result<String, Problem> {
        dispatch::canonical_args(run, self.args.iter().map(|arg| &**arg), Secrets::Refused)
    }

    /// Takes the next place; `Ok(Err(value))` if it is recorded already.
    pub fn take(
        &self,
        run: &Arc<RunContext>,
        class: EffectClass,
        args: &str,
    ) -> Result<Result<StepCall, Dynamic>, Halt> {
        let name = &self.entry.name;
        match dispatch::take(run, name, args, &|| self.site(run), || Ok(self.permit(run)?))? {
            Taken::Recorded(path, outcome) => dispatch::seen(&path, outcome).map(Err),
            Taken::Fresh(path, digest) => Ok(Ok(dispatch::plain_call(path, name, class, args, digest, self.site(run)))),
        }
    }

    /// A step whose effect is in the store itself.
    pub fn local(&self, class: EffectClass, args: &str, effect: impl FnOnce() -> LocalEffect) -> Result<Dynamic, Halt> {
        let run = self.start()?;
        meter::weigh_call()?;
        match self.take(&run, class, args)? {
            Err(value) => Ok(value),
            Ok(call) => perform::settled(&call, run.journal.local(&call, effect())),
        }
    }

    /// A durable wait. Not in an undo.
    pub fn wait(&self, args: &str, spec: impl FnOnce(&RunContext) -> WaitSpec) -> Result<Dynamic, Halt> {
        let run = self.start()?;
        self.refuse_in_undo()?;
        meter::weigh_call()?;
        match self.take(&run, EffectClass::Wait, args)? {
            Err(value) => Ok(value),
            Ok(call) => {
                let wait = spec(&run);
                perform::settled(&call, run.journal.wait(&call, &wait))
            }
        }
    }

    pub fn refuse_in_undo(&self) -> Result<(), Halt> {
        if branch::with(|branch| branch.undoing)? {
            return Err(self
                .invalid("can't wait while the run is being undone")
                .help("In `on_rollback` only `sleep` up to 60 s may wait.")
                .into());
        }
        Ok(())
    }

    /// Records the outcome of a structure of the script.
    pub fn finish(&self, run: &RunContext, call: &StepCall, outcome: Outcome) -> Result<Dynamic, Halt> {
        self.finish_with(run, call, outcome, &[])
    }

    /// The same, giving back locks by these steps.
    pub fn finish_with(
        &self,
        run: &RunContext,
        call: &StepCall,
        outcome: Outcome,
        given_back: &[(LockName, StepCall)],
    ) -> Result<Dynamic, Halt> {
        // The journal keeps the outcome, and gives it free.
        if let Outcome::Value(text) = &outcome {
            memory::take_over(-(text.len() as i64));
        }
        meter::host_call(|| {
            let settled = match given_back {
                [] => run.journal.finish(call, outcome),
                _ => run.journal.finish_scope(call, outcome, given_back),
            };
            perform::settled(call, settled)
        })
    }

    /// Begins a structure of the script; `Ok(Some(value))` if it has an outcome after all.
    pub fn begin(&self, run: &RunContext, call: &StepCall) -> Result<Option<Dynamic>, Halt> {
        match run.journal.begin(call) {
            Begin::Perform | Begin::Recover => Ok(None),
            Begin::Recorded(outcome) => dispatch::seen(&call.path, outcome).map(Some),
            Begin::Stop(stop) => Err(stop.into()),
        }
    }
}

const MAX_NAME_BYTES: usize = 200;

const NAME_RULE: &str = "Names have 1 to 200 bytes, and no control characters (line breaks, tabs, NUL).";

fn fault_of_name(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return Some(format!("has {} bytes, more than {MAX_NAME_BYTES}", name.len()));
    }
    let control = name.chars().find(|letter| letter.is_control())?;
    Some(format!("has a control character in it (U+{:04X})", u32::from(control)))
}

/// Milliseconds of a duration: `"30s"`, or a whole number of milliseconds.
pub(crate) fn duration_ms(value: &Value) -> Result<i64, Problem> {
    let bad = |what: String| Problem::new(Code::InvalidArgument, what).no_effect();
    match value {
        Value::String(text) => parse_duration_ms(text).map_err(|error| bad(error.to_string())),
        other => other.as_i64().filter(|ms| *ms >= 0).ok_or_else(|| {
            bad(format!("`{other}` isn't a duration (examples: `\"30s\"`, `\"1h30m\"`, or whole milliseconds)"))
        }),
    }
}

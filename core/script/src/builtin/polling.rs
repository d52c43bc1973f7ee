//! `wait_until`: asks again and again, with durable waits between, until something holds.

use std::sync::Arc;

use rhai::{Dynamic, FnPtr};
use serde_json::{Value, json};
use windlass_model::{
    Code, EffectClass, Outcome, Problem, StepPath, WaitSpec,
    journal::{LocalEffect, Replay, Stop},
};

use super::{Builtin, Call, call::duration_ms, locks};
use crate::{
    branch, canonical,
    canonical::Secrets,
    context::{Mode, RunContext},
    dispatch::{self, Taken},
    host::{Kind, Param, Permission},
    perform, throw,
    throw::Halt,
};

pub(super) fn all() -> Vec<Builtin> {
    vec![Builtin {
        name: "wait_until",
        doc: "Calls the closure until it gives something other than `false` or `()`, and gives that. Between two calls the run waits as rows. Without `timeout` it asks for ever; with it, it fails with `wait_timeout`.",
        params: const {
            &[
                Param::required("closure", Kind::Closure, "`|| …`"),
                Param::optional(
                    "options",
                    Kind::Map,
                    "`every` (a duration, default `\"10s\"`), `timeout` (a duration), `message` (what is waited for)",
                ),
            ]
        },
        returns: "what the closure gives in the end",
        permission: Permission::Free,
        example: "let answer = wait_until(|| 42, #{ every: \"1s\", timeout: \"1m\", message: \"an answer\" }); ensure(answer == 42, \"the closure's result\");",
        run: wait_until,
    }]
}

struct Plan {
    closure: FnPtr,
    every: Value,
    every_ms: i64,
    timeout_ms: Option<i64>,
    message: String,
}

fn wait_until(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    call.refuse_in_undo()?;
    let options = call.options(1, &["every", "timeout", "message"])?;
    let every = options.get("every").cloned().unwrap_or_else(|| json!("10s"));
    let plan = Plan {
        closure: canonical::isolate_closure(&call.closure(0)?)?,
        every_ms: duration_ms(&every)?.max(1),
        every,
        timeout_ms: options.get("timeout").map(duration_ms).transpose()?,
        message: options.get("message").and_then(Value::as_str).unwrap_or("a condition").to_owned(),
    };
    let args = json!([options]).to_string();
    if run.mode == Mode::Collect {
        let path = branch::peek()?;
        let recorded = run.journal.replay(&path, &call.entry.name, &dispatch::digest(&call.entry.name, &args));
        branch::advance();
        // A poll's closures of `on_rollback` are found again by polling once more, as far as the journal goes.
        let ended = poll(call, &run, &path, &plan);
        return match (recorded, ended) {
            (Replay::Recorded(outcome), _) => dispatch::seen(&path, outcome),
            _ => Err(Stop::ReplayEnd.into()),
        };
    }
    let step = match call.take(&run, EffectClass::Scope, &args)? {
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    if let Some(value) = call.begin(&run, &step)? {
        return Ok(value);
    }
    let outcome = match poll(call, &run, &step.path, &plan) {
        Ok(outcome) => outcome,
        Err(Halt::Script(error)) if !branch::is_stopped() => {
            Outcome::Error(Arc::new(throw::problem_of(&error, &run.entry)))
        }
        Err(Halt::Problem(problem)) => Outcome::Error(Arc::from(problem)),
        Err(halt) => return Err(halt),
    };
    call.finish(&run, &step, outcome)
}

fn poll(call: &Call, run: &Arc<RunContext>, path: &StepPath, plan: &Plan) -> Result<Outcome, Halt> {
    let mut started_ms = 0;
    let mut index = 0;
    loop {
        let lane = path.poll_lane(index);
        let outcome = branch::in_lane(lane.clone(), || {
            if index == 0 && plan.timeout_ms.is_some() {
                started_ms = now(call, run)?;
            }
            // Each poll begins with the values as they were.
            let closure = canonical::isolate_closure(&plan.closure)?;
            let value = closure.call_raw(call.context, None, Vec::new());
            if !branch::is_stopped() {
                locks::leave(run, &lane)?;
            }
            let value = value.map_err(Halt::Script)?;
            branch::check_stop()?;
            if !(value.is_unit() || value.as_bool() == Ok(false)) {
                let text = canonical::text(&value, Secrets::Refused, run.shell.config.bounds.step_bytes)?;
                return Ok(Some(Outcome::Value(text.into())));
            }
            let mut delay_ms = plan.every_ms;
            if let (Some(timeout_ms), Mode::Forward) = (plan.timeout_ms, run.mode) {
                let left_ms = started_ms.saturating_add(timeout_ms) - run.journal.now_ms();
                if left_ms <= 0 {
                    let problem = Problem::new(Code::WaitTimeout, format!("{} didn't come in time", plan.message));
                    return Ok(Some(Outcome::Error(Arc::new(problem.data(json!({ "polls": index + 1 }))))));
                }
                delay_ms = delay_ms.min(left_ms);
            }
            pause(call, run, &plan.every, delay_ms, || run.journal.forget_polls(path, index))?;
            Ok(None)
        })?;
        match outcome {
            Ok(None) => index = run.journal.next_poll(path, index),
            Ok(Some(outcome)) => return Ok(outcome),
            Err(halt) => return Err(note_stop(halt)),
        }
    }
}

/// A stop inside the closure is kept with the branch already, whatever Rhai made of it on the way.
fn note_stop(halt: Halt) -> Halt {
    if branch::is_stopped() { Halt::Stopped } else { halt }
}

fn now(call: &Call, run: &Arc<RunContext>) -> Result<i64, Halt> {
    let op: Arc<str> = "now".into();
    let value = match dispatch::take(run, &op, "[]", &|| call.site(run), || Ok(()))? {
        Taken::Recorded(path, outcome) => dispatch::seen(&path, outcome)?,
        Taken::Fresh(path, digest) => {
            let step = dispatch::plain_call(path, &op, EffectClass::Read, "[]", digest, call.site(run));
            perform::settled(&step, run.journal.local(&step, LocalEffect::Now))?
        }
    };
    value.as_int().map_err(|kind| Problem::new(Code::Internal, format!("the time is a {kind}")).into())
}

/// Rests until the next round. `tidy` is called before a rest that isn't recorded.
fn pause(
    call: &Call,
    run: &Arc<RunContext>,
    every: &Value,
    delay_ms: i64,
    tidy: impl FnOnce() -> Result<(), Stop>,
) -> Result<(), Halt> {
    let op: Arc<str> = "sleep".into();
    let args = json!([every]).to_string();
    match dispatch::take(run, &op, &args, &|| call.site(run), || Ok(()))? {
        Taken::Recorded(path, outcome) => dispatch::seen(&path, outcome).map(drop),
        Taken::Fresh(path, digest) => {
            let step = dispatch::plain_call(path, &op, EffectClass::Wait, &args, digest, call.site(run));
            tidy()?;
            let wait = WaitSpec::Timer { due_at_ms: run.journal.now_ms().saturating_add(delay_ms) };
            perform::settled(&step, run.journal.wait(&step, &wait)).map(drop)
        }
    }
}

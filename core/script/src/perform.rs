//! Performs one step: begins it, tries the effect until it holds or the policy is at its end, records what came of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rhai::Dynamic;
use serde_json::Value;
use windlass_model::{
    Code, EffectClass, Outcome, Problem, RetryPolicy, StepCall,
    journal::{Begin, Settled},
};

use crate::{
    branch, canonical,
    catalog::OpEntry,
    context::RunContext,
    dispatch::seen,
    host::{Args, OpCx, Rehearse},
    throw::Halt,
};

/// Performs a host op.
pub(crate) fn op(run: &Arc<RunContext>, entry: &OpEntry, call: &StepCall, args: &Args) -> Result<Dynamic, Halt> {
    let recover = match run.journal.begin(call) {
        Begin::Perform => false,
        Begin::Recover => true,
        Begin::Recorded(outcome) => return seen(&call.path, outcome),
        Begin::Stop(stop) => return Err(stop.into()),
    };
    let result = attempts(run, entry, call, args, recover)?;
    let outcome = match result.and_then(|value| bounded(run, value)) {
        Ok(text) => Outcome::Value(text),
        Err(problem) => {
            let mut problem = run.scrubber.problem(problem).at(call.site.clone());
            problem.step.get_or_insert_with(|| call.path.to_string());
            Outcome::Error(Arc::new(problem))
        }
    };
    settled(call, run.journal.finish(call, outcome))
}

/// What the script sees of a step that was settled.
pub(crate) fn settled(call: &StepCall, settled: Settled) -> Result<Dynamic, Halt> {
    crate::meter::reset();
    match settled {
        Settled::Done(outcome) => seen(&call.path, outcome),
        Settled::Stop(stop) => Err(stop.into()),
    }
}

fn bounded(run: &RunContext, value: Value) -> Result<Arc<str>, Problem> {
    let text = canonical::value_text(&run.scrubber.value(value));
    let limit_bytes = run.shell.config.bounds.step_bytes;
    if text.len() > limit_bytes {
        let mut problem = canonical::too_large(limit_bytes);
        // The effect has happened: what it made is still there to be undone.
        problem.no_effect = false;
        return Err(problem);
    }
    Ok(text.into())
}

fn attempts(
    run: &Arc<RunContext>,
    entry: &OpEntry,
    call: &StepCall,
    args: &Args,
    mut recover: bool,
) -> Result<Result<Value, Problem>, Halt> {
    let cx = run.op_context(&call.path, entry.op.timeout_ms);
    let mut attempt = 1;
    loop {
        let mut problem = match attempt_once(run, entry, &cx, args, recover) {
            Ok(value) => return Ok(Ok(value)),
            Err(problem) => problem,
        };
        // The error may only say that the run was told to stop: then nothing is known of the step, and nothing recorded.
        branch::look_for_stop()?;
        let repeatable = entry.op.class != EffectClass::AtMostOnce || problem.no_effect;
        if !problem.retryable || !repeatable || attempt >= call.retry.attempts {
            // It speaks of this attempt; one before may have done something.
            problem.no_effect &= !recover;
            return Ok(Err(problem));
        }
        let problem = run.scrubber.problem(problem);
        run.journal.retry(call, attempt, delay_ms(call.retry, attempt, &problem), &problem)?;
        // A keyed attempt may have made its object before it failed.
        recover = recover || !problem.no_effect;
        attempt += 1;
    }
}

fn attempt_once(
    run: &Arc<RunContext>,
    entry: &OpEntry,
    cx: &OpCx,
    args: &Args,
    recover: bool,
) -> Result<Value, Problem> {
    if let Some(interceptor) = &run.shell.config.interceptor {
        let nth = run.shell.count_call(&entry.full);
        if let Some(answer) = interceptor.intercept(&entry.full, &Value::Array(args.values().to_vec()), nth) {
            return answer;
        }
    }
    if cx.rehearsal
        && let Rehearse::Assume(answer) = &entry.op.rehearse
    {
        return Ok(answer(args));
    }
    guarded(&entry.full, || {
        if let (true, Some(lookup)) = (recover, &entry.op.lookup)
            && let Some(found) = lookup(cx, args)?
        {
            return Ok(found);
        }
        (entry.op.run)(cx, args)
    })
}

/// A panic in an op is our own mistake: the run gets an error, the process stays.
fn guarded(op: &str, work: impl FnOnce() -> Result<Value, Problem>) -> Result<Value, Problem> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!(op, panic = text, "an operation panicked");
        Err(Problem::new(Code::Internal, format!("`{op}` has a mistake of its own: {text}"))
            .help("Please report this with the workflow that shows it."))
    })
}

/// The policy's delay, or longer if the other side has said when to come back (`retry_after_ms` in the problem's data):
/// sooner would only be refused again. What it says is bounded, so that it can't hold a run for as long as it likes.
fn delay_ms(policy: RetryPolicy, attempt: u32, problem: &Problem) -> u64 {
    let asked_ms = problem.data["retry_after_ms"].as_u64().unwrap_or(0);
    jittered(policy.delay_ms(attempt)).max(asked_ms.min(policy.max_delay_ms.saturating_mul(4)))
}

/// Up to a quarter more or less, so that many runs that failed together don't come back together.
fn jittered(delay_ms: u64) -> u64 {
    let quarter = delay_ms / 4;
    let micros = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::from(elapsed.subsec_micros()));
    if quarter == 0 { delay_ms } else { delay_ms - quarter + micros % (2 * quarter) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_retry_comes_when_the_other_side_asks_for_it_within_bounds() {
        let policy = RetryPolicy { attempts: 5, first_delay_ms: 100, max_delay_ms: 1_000 };
        let delay = |data| delay_ms(policy, 1, &Problem::new(Code::Unavailable, "busy").data(data));
        assert_eq!(delay(json!({ "retry_after_ms": 2_500 })), 2_500);
        assert_eq!(delay(json!({ "retry_after_ms": 86_400_000 })), 4_000, "four times the longest delay");
        for said in [json!(null), json!({ "retry_after_ms": 1 }), json!({ "retry_after_ms": -5 }), json!("soon")] {
            assert!((75..=125).contains(&delay(said.clone())), "the policy's own: {said}");
        }
    }
}

//! The path of every call that counts as a step: stop, permission, arguments, journal, effect.

use std::sync::Arc;

use rhai::{Dynamic, NativeCallContext};
use serde_json::Value;
use windlass_model::{
    CallSite, Code, Digest, EffectClass, Outcome, Problem, RetryPolicy, StepCall, StepPath,
    journal::{CallSummary, Divergence, Replay, Stop},
    undo::UndoSpec,
};

use crate::{
    arguments, branch, canonical,
    canonical::Secrets,
    catalog::OpEntry,
    context::{Mode, RunContext},
    host::{Args, Permission, Undo},
    meter, perform, permission,
    program::Allowed,
    throw::{self, Halt},
};

/// A call of a host op by a script.
pub(crate) fn call_op(
    entry: &Arc<OpEntry>,
    context: &NativeCallContext,
    args: &mut [&mut Dynamic],
) -> Result<Dynamic, Halt> {
    branch::check_stop()?;
    let run = branch::run()?;
    let allowed = run.program.allowed(entry.index);
    if let (Allowed::Never, Permission::Needs { verb, .. }) = (allowed, &entry.op.permission) {
        return Err(denied(&run, entry, verb, args).into());
    }
    let text = canonical_args(&run, args.iter().map(|arg| &**arg), Secrets::Named)?;
    let site = || throw::site(context, &run.entry);
    let mut checked = None;
    let taken = take(&run, &entry.full, &text, &site, || {
        let args = arguments::check(&entry.full, entry.op.params, &text)?;
        meter::weigh_call()?;
        if allowed == Allowed::ByScope {
            check_scopes(&run, entry, &args)?;
        }
        checked = Some(args);
        Ok(())
    })?;
    match taken {
        Taken::Recorded(path, outcome) => {
            run.revealer.remember(&text);
            seen(&path, outcome)
        }
        Taken::Fresh(path, digest) => {
            let args = checked.unwrap_or_else(|| Args::new(entry.op.params, Vec::new()));
            let retry = branch::with(|branch| branch.retry)?.unwrap_or(entry.op.retry);
            let undoing = branch::with(|branch| branch.undoing)?;
            let call = op_call(entry, path, digest, text.into(), &args, site(), retry, undoing);
            perform::op(&run, entry, &call, &args)
        }
    }
}

/// The journal's form of an op's call.
#[allow(clippy::too_many_arguments, reason = "each is a column of the step; a struct would be StepCall again")]
pub(crate) fn op_call(
    entry: &OpEntry,
    path: StepPath,
    digest: Digest,
    text: Arc<str>,
    args: &Args,
    site: CallSite,
    retry: RetryPolicy,
    undoing: bool,
) -> StepCall {
    let undo = match &entry.op.undo {
        Undo::Op { name, args: undo_args } if !undoing => Some(UndoSpec::Op {
            op: format!("{}::{name}", entry.module).into(),
            args: canonical::value_text(&Value::Array(undo_args(args))).into(),
        }),
        _ => None,
    };
    let resources = (entry.op.resources)(args);
    StepCall { path, op: entry.full.clone(), class: entry.op.class, args: text, digest, site, undo, resources, retry }
}

/// What the journal knows of a call.
pub(crate) enum Taken {
    /// It is over.
    Recorded(StepPath, Outcome),
    /// It is to be performed.
    Fresh(StepPath, Digest),
}

/// Takes the next place in the branch's lane. `permit` refuses what may not be performed: it is asked for everything that
/// isn't recorded, before the place is taken, so that a refused call leaves no trace.
pub(crate) fn take(
    run: &Arc<RunContext>,
    op: &Arc<str>,
    args: &str,
    site: &dyn Fn() -> CallSite,
    permit: impl FnOnce() -> Result<(), Halt>,
) -> Result<Taken, Halt> {
    let path = branch::peek()?;
    let digest = digest(op, args);
    match run.journal.replay(&path, op, &digest) {
        Replay::Recorded(outcome) if !is_retried(&outcome)? => {
            branch::advance();
            Ok(Taken::Recorded(path, outcome))
        }
        Replay::Recorded(_) | Replay::Fresh => {
            permit()?;
            branch::advance();
            if run.mode == Mode::Collect {
                return Err(Stop::ReplayEnd.into());
            }
            Ok(Taken::Fresh(path, digest))
        }
        Replay::Diverged(record) => {
            permit()?;
            if run.mode == Mode::Collect {
                return Err(Stop::ReplayEnd.into());
            }
            let recorded = CallSummary { op: record.op, args: record.args, site: record.site };
            let current = CallSummary { op: op.clone(), args: args.into(), site: site() };
            let stop = run.journal.diverged(Divergence { path, recorded, current: Some(current) });
            Err(stop.into())
        }
    }
}

/// What failed in an undo is done again: whoever asked for that has mended something meanwhile.
fn is_retried(outcome: &Outcome) -> Result<bool, Halt> {
    Ok(matches!(outcome, Outcome::Error(_)) && branch::with(|branch| branch.undoing)?)
}

/// 16 bytes of blake3 over the function's name, a zero byte, and its canonical arguments.
pub(crate) fn digest(op: &str, args: &str) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(op.as_bytes()).update(&[0]).update(args.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Digest(bytes)
}

/// What the script sees of an outcome.
pub(crate) fn seen(path: &StepPath, outcome: Outcome) -> Result<Dynamic, Halt> {
    match outcome {
        Outcome::Value(text) => Ok(meter::seen(|| canonical::parse(&text))?),
        Outcome::Error(problem) => {
            let mut problem = Problem::clone(&problem);
            problem.step.get_or_insert_with(|| path.to_string());
            Err(problem.into())
        }
    }
}

/// Canonical JSON of a call's arguments, an array.
pub(crate) fn canonical_args<'a>(
    run: &RunContext,
    args: impl Iterator<Item = &'a Dynamic>,
    secrets: Secrets,
) -> Result<String, Problem> {
    let limit_bytes = run.shell.config.bounds.step_bytes;
    let mut out = Vec::with_capacity(128);
    out.push(b'[');
    for (index, arg) in args.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        canonical::write(arg, &mut out, secrets, limit_bytes)?;
    }
    out.push(b']');
    if out.len() > limit_bytes {
        return Err(canonical::too_large(limit_bytes));
    }
    String::from_utf8(out).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

/// A step without an op behind it: a wait, a local effect, a structure of the script.
pub(crate) fn plain_call(
    path: StepPath,
    op: &Arc<str>,
    class: EffectClass,
    args: &str,
    digest: Digest,
    site: CallSite,
) -> StepCall {
    StepCall {
        path,
        op: op.clone(),
        class,
        args: args.into(),
        digest,
        site,
        undo: None,
        resources: Vec::new(),
        retry: RetryPolicy::NEVER,
    }
}

fn check_scopes(run: &RunContext, entry: &OpEntry, args: &Args) -> Result<(), Problem> {
    let Permission::Needs { verb, scope, .. } = &entry.op.permission else { return Ok(()) };
    match scope(args).iter().find(|scope| !run.program.covers(verb, scope)) {
        Some(missing) => Err(permission::denied(&entry.full, verb, Some(missing))),
        None => Ok(()),
    }
}

/// Names the exact grant if the arguments tell it.
fn denied(run: &RunContext, entry: &OpEntry, verb: &str, args: &[&mut Dynamic]) -> Problem {
    let Permission::Needs { scope, .. } = &entry.op.permission else {
        return permission::denied(&entry.full, verb, None);
    };
    let scopes = canonical_args(run, args.iter().map(|arg| &**arg), Secrets::Named)
        .and_then(|text| arguments::check(&entry.full, entry.op.params, &text))
        .map(|args| scope(&args))
        .unwrap_or_default();
    permission::denied(&entry.full, verb, scopes.first().map(String::as_str))
}

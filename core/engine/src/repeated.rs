//! Which steps a restart from an earlier step performs again, and whether that can be done: what they did stands.

use windlass_model::{
    Code, EffectClass, Problem, RunId, StepPath, StepState,
    step::StepRecord,
    undo::{UndoRecord, UndoSpec, UndoState},
};

use crate::Again;

/// Steps that one restart performs again, at most: they are forgotten in one transaction, and others wait for it.
const MOST: usize = 2_000;

/// The step and all that came after it, in the run's own lane. Branches of one that is among them are, too.
pub(crate) fn since<'a>(from: &StepPath, steps: &'a [StepRecord]) -> Result<Vec<&'a StepRecord>, Problem> {
    if !from.lane.is_empty() {
        return Err(Problem::new(Code::InvalidInput, format!("step {from} is inside of a branch"))
            .help("restart from the step that the branch belongs to: all of its branches are performed again")
            .data(serde_json::json!({ "pointer": "/from" })));
    }
    if !steps.iter().any(|step| step.path == *from) {
        return Err(Problem::new(Code::InvalidInput, format!("there is no step {from} in the run's record"))
            .data(serde_json::json!({ "pointer": "/from" })));
    }
    let later = steps.iter().filter(|step| !step.path.is_undo() && root_ordinal(&step.path) >= from.ordinal);
    Ok(later.collect())
}

/// Number of the step in the run's own lane that this one is, or belongs to.
fn root_ordinal(path: &StepPath) -> u32 {
    match path.lane.split('/').next() {
        Some(first) if !first.is_empty() => first.parse().unwrap_or(u32::MAX),
        _ => path.ordinal,
    }
}

/// Refuses what couldn't be taken back afterwards, or would be made a second time without anybody noticing.
pub(crate) fn require(run: &RunId, from: &StepPath, later: &[&StepRecord], undo: &[UndoRecord]) -> Result<(), Problem> {
    if later.len() > MOST {
        let message = format!("{} steps would be performed again, more than {MOST}", later.len());
        return Err(Problem::new(Code::LimitExceeded, message).help("restart the run from a later step"));
    }
    let refused = |step: &StepRecord, why: &str| {
        Err(Problem::new(
            Code::Conflict,
            format!("the run can't be restarted from step {from}: step {} {why}", step.path),
        )
        .help("restart it from a later step; or cancel the run, which undoes what it did, and launch it again")
        .data(serde_json::json!({ "step": step.path })))
    };
    for step in later {
        let registered = undo.iter().any(|entry| {
            entry.path == step.path
                && entry.origin == *run
                && entry.state == UndoState::Registered
                && matches!(entry.spec, UndoSpec::Closure { .. })
        });
        if registered {
            return refused(
                step,
                "registered an undo of the script's own, which is found again only while its step stands",
            );
        }
        // What isn't a module's launches a child: that is a run of its own, and so is the next one.
        let made = step.class == EffectClass::Keyed && step.op.contains("::");
        if made && step.state == StepState::Succeeded {
            return refused(step, &format!("({}) made something under its own key, and would make it again", step.op));
        }
    }
    Ok(())
}

/// What is done a second time; reading, waiting and the script's own structure do nothing.
pub(crate) fn again(step: &StepRecord) -> Option<Again> {
    let acts = !matches!(step.class, EffectClass::Read | EffectClass::Wait | EffectClass::Scope);
    let again = || Again { path: step.path.clone(), op: step.op.clone(), class: step.class };
    (acts && step.state == StepState::Succeeded).then(again)
}

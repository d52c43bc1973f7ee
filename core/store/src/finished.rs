//! The event of a finished step, as it follows from the step's row.

use std::sync::Arc;

use windlass_model::{EffectClass, Outcome, StepCall, StepState};

use crate::{
    error::Applied,
    steps::{StepRow, site_text},
};

/// Results longer than this stand in their event only by their beginning.
const EVENT_RESULT_BYTES: usize = 2 << 10;

/// What the event shows of the step.
pub(crate) struct Shown<'a> {
    pub op: &'a str,
    /// JSON text of the arguments, for steps that begin and end in one commit and so have no event of their beginning.
    pub args: Option<&'a str>,
    pub site: &'a str,
    /// JSON text: the result, or the problem.
    pub outcome: &'a str,
    pub failed: bool,
    pub elapsed_ms: i64,
}

/// The event's data as JSON text. Results go in as they come, without being read again.
pub(crate) fn data(shown: &Shown) -> String {
    let (mut op, site, elapsed_ms) = (quote(shown.op), quote(shown.site), shown.elapsed_ms);
    if let Some(args) = shown.args {
        op = format!(r#"{op},"args":{}"#, shorten(args).0);
    }
    if shown.failed {
        let error = shown.outcome;
        return format!(r#"{{"op":{op},"error":{error},"elapsed_ms":{elapsed_ms},"site":{site}}}"#);
    }
    let (result, shortened) = shorten(shown.outcome);
    let mark = if shortened { r#","shortened":true"# } else { "" };
    format!(r#"{{"op":{op},"result":{result}{mark},"elapsed_ms":{elapsed_ms},"site":{site}}}"#)
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn shorten(text: &str) -> (std::borrow::Cow<'_, str>, bool) {
    if text.len() <= EVENT_RESULT_BYTES {
        return (text.into(), false);
    }
    let end = (0..=EVENT_RESULT_BYTES).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0);
    (quote(&format!("{}…", &text[..end])).into(), true)
}

/// The data of the event with which `call` finishes the open step, where that doesn't follow from the step: the call may
/// stand elsewhere in the sources by now.
pub(crate) fn data_unlike(
    open: &StepRow,
    call: &StepCall,
    outcome: &Outcome,
    elapsed_ms: i64,
    now_ms: i64,
) -> Applied<Option<String>> {
    let site = site_text(&call.site);
    if open.op == *call.op && open.site == site && now_ms - open.started_at_ms == elapsed_ms {
        return Ok(None);
    }
    let (state, outcome) = outcome_text(outcome)?;
    let failed = state == StepState::Failed;
    let args = (call.class == EffectClass::Read).then_some(&*call.args);
    Ok(Some(data(&Shown { op: &call.op, args, site: &site, outcome: &outcome, failed, elapsed_ms })))
}

/// The state and the text that an outcome is written as.
pub(crate) fn outcome_text(outcome: &Outcome) -> Applied<(StepState, Arc<str>)> {
    Ok(match outcome {
        Outcome::Value(text) => (StepState::Succeeded, text.clone()),
        Outcome::Error(problem) => (StepState::Failed, serde_json::to_string(&**problem)?.into()),
    })
}

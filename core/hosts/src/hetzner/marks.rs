//! The labels that say what is ours: proof for an undo, and the way to what an earlier attempt has made.

use serde_json::{Map, Value, json};
use windlass_model::{Problem, RunId};
use windlass_script::host::OpCx;

use super::client::Project;
use crate::{owner::PLATFORM, support::invalid};

/// Made of the step that made a thing.
pub(super) const KEY: &str = "windlass-key";
/// The run that made it.
pub(super) const RUN: &str = "windlass-run";

/// The organisation of that run. What was made before there was this label is the platform's.
pub(super) const ORGANISATION: &str = "windlass-org";

/// The value of `ORGANISATION`: a label holds a little less than a name may.
pub(super) fn of_organisation(name: &str) -> String {
    let fits = name.len() <= 63 && name.bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if fits { name.to_owned() } else { digest(name) }
}

/// The value of `KEY` for a step: its key holds what a label can't.
pub(super) fn digest(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex()[..32].to_owned()
}

/// The labels of a new thing: those that the script wants, and ours.
pub(super) fn labels(cx: &OpCx, project: &Project, wanted: Option<Value>) -> Result<Value, Problem> {
    let mut labels = match wanted {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(labels)) => labels,
        Some(_) => return Err(invalid("`labels` has to be a map of texts")),
    };
    check(&labels)?;
    labels.insert(KEY.into(), json!(digest(&cx.key)));
    labels.insert(RUN.into(), json!(cx.run.to_string()));
    labels.insert(ORGANISATION.into(), json!(of_organisation(&project.organisation)));
    Ok(Value::Object(labels))
}

/// The labels of a thing after a change: what the script wants, and ours as they are.
pub(super) fn relabelled(held: &Value, wanted: &Value) -> Result<Value, Problem> {
    let Value::Object(wanted) = wanted else { return Err(invalid("`labels` has to be a map of texts")) };
    check(wanted)?;
    let mut labels = wanted.clone();
    for name in [KEY, RUN, ORGANISATION] {
        if held[name].is_string() {
            labels.insert(name.into(), held[name].clone());
        }
    }
    Ok(Value::Object(labels))
}

fn check(labels: &Map<String, Value>) -> Result<(), Problem> {
    if let Some(own) = labels.keys().find(|name| name.starts_with("windlass-")) {
        return Err(invalid(format!("the label `{own}` is Windlass' own")));
    }
    match labels.iter().find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(invalid(format!("the value of the label `{name}` has to be text"))),
        None => Ok(()),
    }
}

/// Whether an object was made by this step.
pub(super) fn made_by(object: &Value, key: &str) -> bool {
    object["labels"][KEY] == digest(key).as_str()
}

/// Whether an object was made by a step of this run.
pub(super) fn made_in(object: &Value, run: &str) -> bool {
    is_ours(object) && object["labels"][RUN] == run
}

/// The run that made an object of ours.
pub(super) fn run(object: &Value) -> RunId {
    object["labels"][RUN].as_str().unwrap_or_default().into()
}

/// The labels of a thing that is taken: its own, and those that are asked for. The marks are its own, or this step's if it
/// becomes that one's.
pub(super) fn joined(held: &Value, body: &Value, moves: bool) -> Value {
    let mut labels = held["labels"].as_object().cloned().unwrap_or_default();
    let asked = body["labels"].as_object().into_iter().flatten();
    let marks = [KEY, RUN, ORGANISATION];
    labels.extend(
        asked
            .filter(|(name, _)| moves || !marks.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Value::Object(labels)
}

/// Whether an object was made by any of our runs.
pub(super) fn is_ours(object: &Value) -> bool {
    object["labels"][KEY].is_string()
}

/// Whether an object was made by a run of this organisation.
pub(super) fn is_of(object: &Value, organisation: &str) -> bool {
    object["labels"][ORGANISATION] == of_organisation(organisation).as_str()
}

/// A selector that fits nothing of other organisations, for runs of all but the platform; an undo finds what its step wrote by it.
pub(super) fn narrowed(project: &Project, selector: &str) -> String {
    if &*project.organisation == PLATFORM {
        return selector.to_owned();
    }
    let own = format!("{ORGANISATION}={}", of_organisation(&project.organisation));
    // What an op gave may be given back.
    if selector.split(',').any(|part| part == own) {
        return selector.to_owned();
    }
    if selector.trim().is_empty() { own } else { format!("{selector},{own}") }
}

/// The selector of what a step has made.
pub(super) fn selector(key: &str) -> String {
    format!("{KEY}={}", digest(key))
}

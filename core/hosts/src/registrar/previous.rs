//! What a change replaces is kept before it is made, so that an undo puts back what was there, and only that.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::Plugins;
use crate::owner::{Fate, run_of};

/// Something of a domain that is read and replaced as a whole.
pub(super) struct Thing<'a> {
    /// `nameservers`, `ds`, `glue`.
    pub what: &'static str,
    /// Whose.
    pub domain: &'a str,
    /// The name server whose addresses they are, or nothing.
    pub host: &'a str,
    /// Reads it.
    pub read: &'a dyn Fn() -> Result<Value, Problem>,
    /// Replaces it.
    pub write: &'a dyn Fn(&Value) -> Result<(), Problem>,
}

impl Thing<'_> {
    /// What it is called in the book of who has set it: runs of other organisations may have another account.
    fn id(&self, cx: &OpCx, plugins: &dyn Plugins) -> Result<String, Problem> {
        let all = json!([plugins.organisation(&cx.run)?, self.what, self.domain, self.host]);
        Ok(blake3::hash(all.to_string().as_bytes()).to_hex()[..32].to_owned())
    }
}

/// What a change has found and done.
pub(super) struct Done {
    /// Whether anything is otherwise than it was before.
    pub changed: bool,
    /// Whether a run that executes no more has left it so: its undo is this step's now.
    pub taken: bool,
    /// What was there.
    pub before: Value,
}

/// Puts `wanted` there; what was there before the step's first attempt is kept. What another run has left so, and executes no
/// more, becomes this step's with what that run has kept: its own undo doesn't find it any more.
pub(super) fn change(cx: &OpCx, plugins: &dyn Plugins, thing: &Thing<'_>, wanted: &Value) -> Result<Done, Problem> {
    let now = (thing.read)()?;
    let kept = match plugins.kept(&cx.key)? {
        Some(kept) => kept,
        None => {
            let id = thing.id(cx, plugins)?;
            let left = if now == *wanted { left(cx, plugins, &id, &now)? } else { None };
            let before = left.as_ref().map_or(&now, |(_, kept)| &kept["before"]);
            let note = json!({ "before": before, "wanted": wanted, "what": thing.what, "domain": thing.domain, "taken": left.is_some() });
            // Where nothing changes, nobody has to know who would have changed it.
            let changes = (before != wanted).then_some(id.as_str());
            plugins.keep(changes, &cx.key, &note, left.as_ref().map(|(key, _)| key.as_str()))?;
            note
        }
    };
    let (before, taken) = (kept["before"].clone(), kept["taken"] == true);
    if now == *wanted {
        return Ok(Done { changed: before != *wanted && !taken, taken, before });
    }
    (thing.write)(wanted)?;
    Ok(Done { changed: true, taken, before })
}

/// What the last one who has set this has kept, if what is there now is that, and that run executes no more.
fn left(cx: &OpCx, plugins: &dyn Plugins, id: &str, now: &Value) -> Result<Option<(String, Value)>, Problem> {
    let Some(last) = plugins.setters(id)?.pop() else { return Ok(None) };
    let run = run_of(&last);
    if run == cx.run || plugins.fate(&run)? != Fate::Left {
        return Ok(None);
    }
    Ok(plugins.kept(&last)?.filter(|kept| kept["wanted"] == *now).map(|kept| (last, kept)))
}

/// The run that has set what is there now, if it is another one than this.
fn passed_on(cx: &OpCx, plugins: &dyn Plugins, id: &str, now: &Value) -> Result<Option<String>, Problem> {
    let Some(last) = plugins.setters(id)?.pop() else { return Ok(None) };
    let run = run_of(&last);
    let set = run != cx.run && plugins.kept(&last)?.is_some_and(|kept| kept["wanted"] == *now);
    Ok(set.then(|| run.to_string()))
}

/// Puts back what the step has replaced, unless somebody else has changed it since. What another run has set by now is that
/// run's, and there is nothing to put back.
pub(super) fn restore(cx: &OpCx, plugins: &dyn Plugins, thing: &Thing<'_>) -> Result<Value, Problem> {
    let key = cx.undoes.as_ref().ok_or_else(|| {
        Problem::new(Code::Unsupported, "this undoes a step of a run, and can't be called by itself")
            .help("set what you want to be there instead")
            .no_effect()
    })?;
    let Some(kept) = plugins.kept(key)? else {
        // The step has ended before it changed anything.
        return Ok(json!({ "restored": false }));
    };
    let id = thing.id(cx, plugins)?;
    let now = (thing.read)()?;
    if now == kept["before"] {
        plugins.undone(&id, key)?;
        return Ok(json!({ "restored": false }));
    }
    if let Some(run) = passed_on(cx, plugins, &id, &now)? {
        return Ok(json!({ "restored": false, "passed_on": run }));
    }
    if now != kept["wanted"] {
        let message = format!(
            "the {} of {} are neither what this run has set nor what was there before: somebody has changed them since",
            thing.what, thing.domain
        );
        return Err(Problem::new(Code::Conflict, message)
            .help("they are left as they are; look at them, then skip this entry of the undo")
            .data(json!({ "now": now, "set": kept["wanted"], "before": kept["before"] })));
    }
    (thing.write)(&kept["before"])?;
    plugins.undone(&id, key)?;
    Ok(json!({ "restored": true }))
}

#[cfg(test)]
mod tests;

//! What a change replaces is kept before it is made, so that an undo puts back what was there, and only that.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::Plugins;

/// Something of a domain that is read and replaced as a whole.
pub(super) struct Thing<'a> {
    /// `nameservers`, `ds`, `glue`.
    pub what: &'static str,
    /// Whose.
    pub domain: &'a str,
    /// Reads it.
    pub read: &'a dyn Fn() -> Result<Value, Problem>,
    /// Replaces it.
    pub write: &'a dyn Fn(&Value) -> Result<(), Problem>,
}

/// Puts `wanted` there; what was there before the step's first attempt is kept. Whether anything had to be changed, and what
/// was there.
pub(super) fn change(
    cx: &OpCx,
    plugins: &dyn Plugins,
    thing: &Thing<'_>,
    wanted: &Value,
) -> Result<(bool, Value), Problem> {
    let now = (thing.read)()?;
    let before = match plugins.kept(&cx.key)? {
        Some(kept) => kept["before"].clone(),
        None => {
            plugins.keep(
                &cx.key,
                &json!({ "before": now, "wanted": wanted, "what": thing.what, "domain": thing.domain }),
            )?;
            now.clone()
        }
    };
    if now == *wanted {
        return Ok((before != *wanted, before));
    }
    (thing.write)(wanted)?;
    Ok((true, before))
}

/// Puts back what the step has replaced, unless somebody else has changed it since.
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
    let now = (thing.read)()?;
    if now == kept["before"] {
        return Ok(json!({ "restored": false }));
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
    Ok(json!({ "restored": true }))
}

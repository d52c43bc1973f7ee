//! Lines, progress and facts for whoever watches. Not steps: emitted at most once, silent while replaying.

use rhai::Dynamic;
use serde_json::{Value, json};
use windlass_model::{CallSite, EventKind, journal::Output};

use super::{Builtin, Call};
use crate::{
    branch, canonical,
    context::Mode,
    host::{Kind, Param, Permission},
    meter,
    throw::Halt,
};

const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "log",
            doc: "Writes a line to the run's log, at level `info`. `print(value)` does the same.",
            params: const { &[Param::required("message", Kind::Any, "text, or a value that is shown as JSON")] },
            returns: "()",
            permission: Permission::Free,
            example: "log(\"three hosts are ready\"); print(#{ hosts: 3 });",
            run: log_line,
        },
        Builtin {
            name: "log",
            doc: "Writes a line at a level, with facts for programs.",
            params: const {
                &[
                    Param::required("level", Kind::String, "`debug`, `info`, `warn` or `error`"),
                    Param::required("message", Kind::Any, "text, or a value that is shown as JSON"),
                    Param::optional("fields", Kind::Map, "facts that belong to the line"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "log(\"warn\", \"the disk is nearly full\", #{ percent: 91 });",
            run: log_level,
        },
        Builtin {
            name: "progress",
            doc: "Says how far the run is.",
            params: const {
                &[
                    Param::required("percent", Kind::Float, "0 to 100"),
                    Param::optional("message", Kind::String, "what it is doing"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "progress(50, \"half of the hosts\");",
            run: progress,
        },
        Builtin {
            name: "annotate",
            doc: "Attaches a fact to the run, for lists and pages. The last value of a key counts.",
            params: const {
                &[
                    Param::required("key", Kind::String, "the fact's name"),
                    Param::required("value", Kind::Any, "its value"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "annotate(\"lab\", \"two-routers\");",
            run: annotate,
        },
    ]
}

fn log_line(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let message = shown(&call.args.first().map(|arg| canonical::lossy(arg)).unwrap_or_default());
    emit(EventKind::Log, json!({ "level": "info", "message": message, "fields": {} }), Some(call.site(&run)))
}

fn log_level(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let level = call.text(0)?;
    if !LEVELS.contains(&level.as_str()) {
        return Err(call.invalid(format!("needs one of {} as `level`", LEVELS.join(", "))).into());
    }
    let message = shown(&call.arg(1).map(canonical::lossy).unwrap_or_default());
    let fields = call.arg(2).map_or_else(|| json!({}), canonical::lossy);
    emit(EventKind::Log, json!({ "level": level, "message": message, "fields": fields }), Some(call.site(&run)))
}

fn progress(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let percent =
        call.arg(0).and_then(|arg| arg.as_float().ok().or_else(|| arg.as_int().ok().map(|whole| whole as f64)));
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    let percent = percent.ok_or_else(|| call.wrong(0, "a number from 0 to 100"))?;
    let message = call.arg(1).map(|arg| shown(&canonical::lossy(arg)));
    emit(EventKind::Progress, json!({ "percent": percent, "message": message }), None)
}

fn annotate(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let key = call.text(0)?;
    let value = call.json(call.args.get(1).ok_or_else(|| call.wrong(1, "a value"))?)?;
    emit(EventKind::Annotation, json!({ "key": key, "value": value }), None)
}

/// `print` and `debug` come through the engine, without a call context.
pub(crate) fn printed(level: &str, text: &str) {
    if branch::check_stop().is_ok() {
        // There is nobody to tell an error to; the next host call finds the same one.
        let _ =
            meter::host_call(|| emit(EventKind::Log, json!({ "level": level, "message": text, "fields": {} }), None));
    }
}

fn emit(kind: EventKind, mut data: Value, site: Option<CallSite>) -> Result<Dynamic, Halt> {
    let (run, lane, ordinal) = branch::with(|branch| {
        let ordinal = branch.cursor.next_output;
        branch.cursor.next_output += 1;
        (branch.run.clone(), branch.cursor.lane.clone(), ordinal)
    })?;
    if run.mode == Mode::Forward {
        if let Some(site) = site {
            data["site"] = json!(site);
        }
        let data = run.scrubber.value(data);
        run.journal.emit(Output { kind, lane, ordinal, data });
    }
    Ok(Dynamic::UNIT)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

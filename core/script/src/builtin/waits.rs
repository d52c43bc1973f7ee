//! Waiting for time, signals and people. A waiting run is rows, not a thread.

use rhai::Dynamic;
use serde_json::{Value, json};
use windlass_model::{
    EffectClass, Outcome, Problem, WaitSpec,
    journal::Begin,
    wait::{ApprovalRequest, OnExpiry},
};

use super::{Builtin, Call, call::duration_ms};
use crate::{
    branch, canonical, dispatch,
    host::{Kind, Param, Permission},
    perform,
    throw::Halt,
};

/// Longest `sleep` inside an undo, where it blocks.
const UNDO_SLEEP_MS: i64 = 60_000;

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "sleep",
            doc: "Waits for a time, across restarts: while it waits, the run takes no thread and no memory. In `on_rollback` at most 60 s.",
            params: const {
                &[Param::required("duration", Kind::Duration, "`\"30s\"`, `\"1h30m\"`, `\"7d\"`, or milliseconds")]
            },
            returns: "()",
            permission: Permission::Free,
            example: "sleep(\"1h\");",
            run: sleep,
        },
        Builtin {
            name: "sleep_until",
            doc: "Waits until a point in time. A time in the past doesn't wait.",
            params: const { &[Param::required("time_ms", Kind::Int, "milliseconds since 1970, as `now()` gives them")] },
            returns: "()",
            permission: Permission::Free,
            example: "sleep_until(now() + 60_000);",
            run: sleep_until,
        },
        Builtin {
            name: "wait_signal",
            doc: "Waits for a signal that somebody sends to this run, and gives its payload. Signals that came earlier are kept. With `timeout` it fails with `wait_timeout`.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the signal's name"),
                    Param::optional("options", Kind::Map, "`timeout`: a duration"),
                ]
            },
            returns: "the payload",
            permission: Permission::Free,
            example: "try { wait_signal(\"go\", #{ timeout: \"1m\" }) } catch (error) { ensure(error.code == \"wait_timeout\", error.message) }",
            run: wait_signal,
        },
        Builtin {
            name: "approve",
            doc: "Asks people to decide. Gives `#{ approved: bool, by: array of string, comment: string?, form: map }`. A decision is bound to what was shown: title, details and form. On expiry it fails with `approval_expired` unless `on_expiry` says otherwise.",
            params: const {
                &[Param::required(
                    "request",
                    Kind::Map,
                    "`title` (one line, required), `details` (anything to show), `form` (JSON Schema to fill in), `role` (who may decide), `quorum` (how many different people, default 1), `expires` (a duration), `on_expiry` (`\"fail\"`, `\"deny\"` or `\"approve\"`), `allow_self` (whether whoever launched the run may decide: `true`, `false`, or `\"alone\"`, where nobody else of their organisation or the run's may; default false)",
                )]
            },
            returns: "#{ approved: bool, by: array of string, comment: string?, form: map }",
            permission: Permission::Free,
            example: "let answer = approve(#{ title: \"Go on?\", details: #{ hosts: 3 }, expires: \"1d\", on_expiry: \"deny\" }); if answer.approved { log(\"on we go\") }",
            run: approve,
        },
    ]
}

fn sleep(call: &Call) -> Result<Dynamic, Halt> {
    let duration = call.arg(0).map(canonical::lossy).unwrap_or_default();
    let ms = duration_ms(&duration)?;
    let args = json!([duration]).to_string();
    if branch::with(|branch| branch.undoing)? {
        return sleep_blocking(call, &args, ms);
    }
    call.wait(&args, |run| WaitSpec::Timer { due_at_ms: run.journal.now_ms().saturating_add(ms) })
}

/// An undo can't become rows: it is short, and somebody waits for it.
fn sleep_blocking(call: &Call, args: &str, ms: i64) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    if ms > UNDO_SLEEP_MS {
        return Err(call.invalid("waits at most 60 s while the run is being undone").into());
    }
    let step = match call.take(&run, EffectClass::Idempotent, args)? {
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    match run.journal.begin(&step) {
        Begin::Recorded(outcome) => return dispatch::seen(&step.path, outcome),
        Begin::Stop(stop) => return Err(stop.into()),
        Begin::Perform | Begin::Recover => {}
    }
    if run.journal.stopped(ms.unsigned_abs())
        && let Some(stop) = run.journal.stop()
    {
        return Err(stop.into());
    }
    perform::settled(&step, run.journal.finish(&step, Outcome::Value("null".into())))
}

fn sleep_until(call: &Call) -> Result<Dynamic, Halt> {
    let due_at_ms =
        call.arg(0).and_then(|arg| arg.as_int().ok()).ok_or_else(|| call.wrong(0, "milliseconds since 1970"))?;
    call.wait(&json!([due_at_ms]).to_string(), |_| WaitSpec::Timer { due_at_ms })
}

fn wait_signal(call: &Call) -> Result<Dynamic, Halt> {
    let name = call.name(0)?;
    let timeout_ms = timeout(call, 1)?;
    let run = branch::run()?;
    call.wait(&call.args_text(&run)?, |run| WaitSpec::Signal {
        name,
        expires_at_ms: timeout_ms.map(|ms| run.journal.now_ms().saturating_add(ms)),
    })
}

/// The option `timeout`, in milliseconds.
fn timeout(call: &Call, index: usize) -> Result<Option<i64>, Problem> {
    call.options(index, &["timeout"])?.get("timeout").map(duration_ms).transpose()
}

fn approve(call: &Call) -> Result<Dynamic, Halt> {
    const KEYS: &[&str] = &["title", "details", "form", "role", "quorum", "expires", "on_expiry", "allow_self"];
    let options = call.options(0, KEYS)?;
    let title = options.get("title").and_then(Value::as_str).filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| call.invalid("needs a `title`"))?.to_owned();
    let details = options.get("details").cloned().unwrap_or_default();
    let form = options.get("form").cloned();
    let quorum = match options.get("quorum") {
        None => 1,
        Some(number) => number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (1..=100).contains(number))
            .ok_or_else(|| call.invalid("needs a `quorum` from 1 to 100"))?,
    };
    let on_expiry = match options.get("on_expiry").map(|value| value.as_str().unwrap_or_default()) {
        None | Some("fail") => OnExpiry::Fail,
        Some("deny") => OnExpiry::Deny,
        Some("approve") => OnExpiry::Approve,
        Some(_) => return Err(call.invalid("needs \"fail\", \"deny\" or \"approve\" for `on_expiry`").into()),
    };
    let expires_ms = options.get("expires").map(duration_ms).transpose()?;
    let role = options.get("role").and_then(Value::as_str).map(str::to_owned);
    let (allow_self, only_alone) = match options.get("allow_self") {
        None | Some(Value::Bool(false)) => (false, false),
        Some(Value::Bool(true)) => (true, false),
        Some(Value::String(word)) if word == "alone" => (true, true),
        Some(_) => return Err(call.invalid("needs true, false or \"alone\" for `allow_self`").into()),
    };
    let shown = canonical::value_text(&json!({ "title": title, "details": details, "form": form }));
    let digest = blake3::hash(shown.as_bytes()).to_hex().to_string();
    let run = branch::run()?;
    call.wait(&call.args_text(&run)?, |run| {
        WaitSpec::Approval(Box::new(ApprovalRequest {
            title,
            details,
            form,
            role,
            quorum,
            expires_at_ms: expires_ms.map(|ms| run.journal.now_ms().saturating_add(ms)),
            on_expiry,
            allow_self,
            only_alone,
            digest,
        }))
    })
}

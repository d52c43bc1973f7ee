//! What an undo waits for: it can't wait as a run does, so it asks until the world is as it has to be, and fails until then.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse};

use super::{delegation, ops::Here, read};
use crate::authority;

const WHAT: Param = Param::required(
    "what",
    Kind::Map,
    "`without_nameservers` (names that no server of the parent may name), `without_ds` (true: none may have a DS), `not_before` \
     (milliseconds since 1970).",
);

pub(super) fn op(here: &Here) -> Op {
    Op {
        doc: "Fails with `precondition_failed` while the world sees a zone otherwise, for `with_retry` in an `on_rollback`, where \
              `wait_until` can't be used: every server of the parent has to answer, and to say what is demanded. Before `not_before` it fails \
              at once, and isn't tried again. `ttl`: seconds for which others may remember what the parent says.",
        params: &[read::NAME, WHAT],
        returns: "#{ ttl: int }",
        permission: Permission::Needs { verb: "dns.check", scope: read::of_name, words: read::CHECK_WORDS },
        rehearse: Rehearse::Assume(|_| json!({ "ttl": 0 })),
        example: r#"dns::demand("a.example.net", #{ without_ds: true }).ttl"#,
        ..here.look("demand", demand)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct What {
    without_nameservers: Vec<String>,
    without_ds: bool,
    not_before: i64,
}

fn demand(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let name = authority::name(args.str("name"))?;
    let what: What = args.read("what")?;
    let without = what.without_nameservers.iter().map(|server| authority::name(server));
    let without = without.collect::<Result<Vec<_>, _>>()?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let left_ms = u128::try_from(what.not_before).unwrap_or(0).saturating_sub(now_ms);
    if left_ms > 0 {
        let minutes = left_ms.div_ceil(60_000);
        let message = format!("others may remember for another {minutes} min what the parent of {name} has said");
        return Err(Problem::new(Code::PreconditionFailed, message)
            .help("Nothing is wrong: let the undo go on when that time is over (`windlass runs unstick RUN --retry`).")
            .data(json!({ "not_before": what.not_before }))
            .no_effect());
    }
    let failed = |why: String| Problem::new(Code::Unavailable, format!("{name} can't be looked at: {why}")).retryable();
    let found = cx.block_on(async { delegation::look(here, &name, &[]).await.map_err(failed) })?;
    let wrong = found.otherwise(&without, what.without_ds);
    if wrong.is_empty() {
        return Ok(json!({ "ttl": found.ttl() }));
    }
    Err(Problem::new(Code::PreconditionFailed, wrong.join("; "))
        .help("Have it put right at the registrar; then let the undo go on (`windlass runs unstick RUN --retry`).")
        .data(json!({ "problems": wrong }))
        .retryable()
        .no_effect())
}

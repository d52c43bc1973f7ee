//! What somebody else did to a lab.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param};

use super::{
    super::{
        backend::Heard,
        describe::Picture,
        difference::{Finding, Found, Links, between, from_declared, links},
        lab::Lab,
        plan::LinkSpec,
        types::Place,
    },
    Draft, LAB, Machine,
    read::{WATCH_SLICE, limit},
    reading,
};

const RETURNS: &str = "#{ discovered: array of #{ at: string, link: map }, missing: array of #{ at: string, link: map }, changed: array of #{ at: string, link: map, changes: map } }";

pub fn ops(machine: &Machine) -> Vec<Op> {
    let mut wait = reading(
        machine,
        Draft {
            name: "wait_change",
            doc: "Waits until something changes in the lab's links or addresses, woken by the kernel, and says what: as `discover`, \
                  with what is there now beside what was there when the call began. `waited_ms` and nothing else in it: nothing changed.",
            params: const {
                &[LAB, Param::optional("timeout", Kind::Duration, "Longest wait, 10 s by default, at most 10 minutes.")]
            },
            returns: "#{ waited_ms: int, discovered: array, missing: array, changed: array }",
            example: "net::create_namespace(\"demo\", \"r1\"); net::wait_change(\"demo\", \"10ms\").missing.len()",
            body: wait_change,
        },
    );
    wait.timeout_ms = 600_000;
    vec![
        reading(
            machine,
            Draft {
                name: "discover",
                doc: "Compares the lab's links with those that are declared, as `connect` takes them: `discovered` are there and \
                      aren't declared, `missing` are declared and aren't there, `changed` differ in what is declared of them \
                      (bridge, other end, MTU, an address that isn't there), with `before` and `after` for each field. Without a \
                      declaration, `discovered` is what no run has made: in the lab's namespaces, and on its bridges.",
                params: const {
                    &[LAB, Param::optional("declared", Kind::Array, "Links: `#{ a, b, mtu }`, ends as for `connect`.")]
                },
                returns: RETURNS,
                example: "net::create_namespace(\"demo\", \"r1\"); net::create_bridge(\"demo\", \"lan1\");\n\
                          net::discover(\"demo\", [#{ a: \"r1:eth0\", b: \"lan1\" }]).missing[0].at",
                body: |lab, _, args| {
                    let now = links(lab, &Picture::of(lab)?);
                    let found = match args.get("declared") {
                        Value::Null => between(&Links::new(), &now),
                        _ => from_declared(&args.read::<Vec<LinkSpec>>("declared")?, &now),
                    };
                    Ok(sorted(&found))
                },
            },
        ),
        wait,
    ]
}

fn sorted(found: &[Found]) -> Value {
    let of = |finding| found.iter().filter(|one| one.finding == finding).map(Found::json).collect::<Vec<_>>();
    json!({ "discovered": of(Finding::Discovered), "missing": of(Finding::Missing), "changed": of(Finding::Changed) })
}

fn wait_change(lab: &Lab<'_>, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let (limit, began) = (limit(cx, args)?, Instant::now());
    let failed = |fault: super::super::Fault| fault.problem("listening for changes of links");
    // Heard before it is looked at: no change can slip in between.
    let mut ears = lab.backend.listen().map_err(failed)?;
    let first: Vec<Place> = lab.view()?.spaces.into_values().map(|space| Place::Namespace(space.kernel)).collect();
    ears.follow(&first).map_err(failed)?;
    let before = links(lab, &Picture::of(lab)?);
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let heard = ears.heard(left.min(WATCH_SLICE)).map_err(failed)?;
        if heard != Heard::Nothing {
            let now = links(lab, &Picture::of(lab)?);
            let mut found = between(&before, &now);
            // Whoever waits wants to know of a run's links, too.
            let news: BTreeSet<&String> = now.keys().filter(|at| !before.contains_key(*at)).collect();
            for at in news.into_iter().filter(|at| !now[*at]["run"].is_null()) {
                let (finding, link) = (Finding::Discovered, now[at].clone());
                found.push(Found { finding, at: at.clone(), link, changes: Value::Null });
            }
            if !found.is_empty() {
                return Ok(waited(&found, began));
            }
        }
        if left.is_zero() {
            return Ok(waited(&[], began));
        }
        if cx.stopped() {
            return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
        }
    }
}

fn waited(found: &[Found], began: Instant) -> Value {
    let mut value = sorted(found);
    value["waited_ms"] = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).into();
    value
}

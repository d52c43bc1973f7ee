//! Other runs: launched from here, and waited for.

use rhai::Dynamic;
use serde_json::json;
use windlass_model::{Code, EffectClass, Problem, RunId, WaitSpec, journal::LocalEffect, journal::Stop};

use super::{Builtin, Call};
use crate::{
    branch, canonical,
    canonical::Secrets,
    host::{Args, Kind, Param, Permission},
    throw::Halt,
};

const WORKFLOW: Param = Param::required("workflow", Kind::String, "the workflow's name: `lab/two-routers`");
const INPUT: Param = Param::required("input", Kind::Map, "its input");

const LAUNCH: fn() -> Permission =
    || Permission::Needs { verb: "run.launch", scope: workflow_scope, words: "launch workflows called" };

fn workflow_scope(args: &Args) -> Vec<String> {
    vec![args.str("workflow").to_owned()]
}

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "child",
            doc: "Launches a workflow as a child run, waits for its end, and gives its output. A failed child fails the call with `child_failed`. Needs `run.launch:WORKFLOW`; the child has its own grants. A child is a run of its own: what it made isn't undone with this run, and it isn't cancelled with it. If that is wanted, take it back in an `on_rollback`, with a workflow that removes what the child made.",
            params: const { &[WORKFLOW, INPUT] },
            returns: "the child's output",
            permission: LAUNCH(),
            example: "let output = child(\"examples/hello\", #{ name: \"Ada\" });",
            run: child,
        },
        Builtin {
            name: "launch",
            doc: "Launches a workflow and goes on at once. Gives the new run's id. The new run is on its own, as with `child`: this run's failure, cancellation or undo doesn't touch it. Keep its id (`annotate`, `log`), so that an operator can cancel it: `windlass runs cancel ID`.",
            params: const { &[WORKFLOW, INPUT] },
            returns: "string",
            permission: LAUNCH(),
            example: "let id = launch(\"examples/hello\", #{ name: \"Ada\" });",
            run: launch,
        },
        Builtin {
            name: "wait_child",
            doc: "Waits for the end of a run that `launch` has started, and gives its output.",
            params: const { &[Param::required("run", Kind::String, "the id that `launch` gave")] },
            returns: "the child's output",
            permission: Permission::Free,
            example: "let id = launch(\"examples/hello\", #{ name: \"Ada\" }); let output = wait_child(id);",
            run: wait_child,
        },
        Builtin {
            name: "continue_as_new",
            doc: "Ends this run's journal and begins again with this input, in a fresh one: for procedures that go on for ever. Not in a branch, and not when `on_rollback` was used: closures can't be carried over.",
            params: const { &[Param::required("input", Kind::Map, "the next input")] },
            returns: "never",
            permission: Permission::Free,
            example: "if input?.round == () { continue_as_new(#{ round: 2 }) }",
            run: continue_as_new,
        },
    ]
}

fn launch(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let workflow = call.text(0)?;
    let input = call.json(call.args.get(1).ok_or_else(|| call.wrong(1, "a map"))?)?;
    call.local(EffectClass::Keyed, &call.args_text(&run)?, || LocalEffect::LaunchChild { workflow, input })
}

fn wait_for(call: &Call, id: String) -> Result<Dynamic, Halt> {
    call.wait(&json!([id]).to_string(), |_| WaitSpec::Child { run: RunId::from(id.as_str()) })
}

fn wait_child(call: &Call) -> Result<Dynamic, Halt> {
    wait_for(call, call.name(0)?)
}

fn child(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    call.refuse_in_undo()?;
    let id = launch(call)?;
    let id = id.into_string().map_err(|kind| Problem::new(Code::Internal, format!("a child's id is a {kind}")))?;
    let run = branch::run()?;
    let Some(entry) = run.shell.catalog.builtins_named("wait_child").next().cloned() else {
        return Err(call.invalid("isn't complete").into());
    };
    wait_for(&Call { context: call.context, entry: &entry, args: &[] }, id)
}

fn continue_as_new(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    call.refuse_in_undo()?;
    if run.rollback_closures.load(std::sync::atomic::Ordering::Relaxed) > 0 {
        return Err(call
            .invalid("can't be used after `on_rollback`: closures can't be carried over to the next journal")
            .help("Use ops with an undo of their own, or do the rest in a child run.")
            .into());
    }
    if !branch::with(|branch| branch.cursor.lane.is_empty())? {
        return Err(call.invalid("can't be used in a branch: the whole run begins again").into());
    }
    let input = call.args.first().ok_or_else(|| call.wrong(0, "a map"))?;
    if !input.is_map() {
        return Err(call.wrong(0, "a map").into());
    }
    let text = canonical::text(input, Secrets::Refused, run.shell.config.bounds.input_bytes)?;
    Err(Stop::ContinueAsNew(text).into())
}

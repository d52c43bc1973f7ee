//! `race`: the first branch that ends decides.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::Dynamic;
use serde_json::json;
use windlass_model::{Outcome, journal::Stop};

use super::{
    Builtin, Call,
    branches::{Done, Opened, closures, finish, open, strongest_stop},
};
use crate::{
    host::{Kind, Param, Permission},
    throw::Halt,
};

pub(super) fn all() -> Vec<Builtin> {
    vec![Builtin {
        name: "race",
        doc: "Calls several closures at the same time; the first that ends decides, the others stop at their next call. Gives `#{ winner: int, value: … }`, the winner counted from 0; if the first to end fails, its error is thrown.",
        params: const { &[Param::required("closures", Kind::Array, "`[|| …, || …]`")] },
        returns: "#{ winner: int, value: any }",
        permission: Permission::Free,
        example: "let first = race([|| { sleep(\"1h\"); 1 }, || 2]); ensure(first.winner == 1 && first.value == 2, \"the quick one\");",
        run: race,
    }]
}

fn race(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let closures = closures(call, 0)?;
    if closures.is_empty() {
        return Err(call.invalid("needs at least one closure").into());
    }
    let count = closures.len();
    let first = Mutex::new(None);
    let decide = |index: usize, done: &Done| {
        let ended = matches!(done, Done::Returned(_) | Done::Failed(_));
        if ended {
            first.lock().get_or_insert(index);
        }
        ended
    };
    let args = json!([{ "branches": count }]).to_string();
    let work = closures.into_iter().map(|closure| (closure, None)).collect();
    let (step, branches) = match open(call, &run, &args, work, count, &decide)? {
        Opened::Known(value) => return Ok(value),
        Opened::Ran(step, branches) => (step, branches),
    };
    if let Some(stop) = strongest_stop(&branches).filter(|stop| stop.rank() > Stop::Suspended.rank()) {
        return Err(stop.into());
    }
    let Some(winner) = *first.lock() else {
        return Err(strongest_stop(&branches).unwrap_or(Stop::Suspended).into());
    };
    let outcome = match branches.get(winner) {
        Some(Done::Returned(value)) => Outcome::Value(format!("{{\"value\":{value},\"winner\":{winner}}}").into()),
        Some(Done::Failed(problem)) => Outcome::Error(Arc::clone(problem)),
        _ => return Err(Stop::Suspended.into()),
    };
    finish(call, &run, &step, outcome)
}

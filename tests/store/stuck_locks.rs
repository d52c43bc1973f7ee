//! Locks of runs whose undo is stuck: who may take them, who is woken, and when the stuck undo may go on.

use serde_json::Value;
use windlass_model::{
    RunState, WaitSpec,
    command::{Command, Lease, NewRun, Reply},
};

use super::world::{World, cancel, new_run, node, problem, seen};

super::on_both!(
    only_the_same_organisation_takes_a_lock_from_a_stuck_run,
    who_takes_from_no_stuck_run_keeps_nobody_back,
    when_the_first_one_is_cancelled_the_next_one_is_woken,
    when_the_first_one_is_parked_the_next_one_is_woken,
);

fn lock(from_stuck: bool) -> WaitSpec {
    WaitSpec::Lock { name: "l".into(), expires_at_ms: None, from_stuck }
}

fn launch(w: &World, organisation: &str, id: &str) -> Lease {
    w.launch_as(NewRun { organisation: organisation.into(), ..new_run(id) }).unwrap()
}

/// A run that has the lock.
fn holder(w: &World, organisation: &str, id: &str) -> Lease {
    let lease = launch(w, organisation, id);
    assert_eq!(seen(&w.wait(&lease, "0", lock(false))), Value::Null);
    lease
}

fn waiter(w: &World, organisation: &str, id: &str, from_stuck: bool) -> Lease {
    w.pass(1);
    let lease = launch(w, organisation, id);
    w.park(&lease, "0", lock(from_stuck));
    lease
}

fn stick(w: &World, lease: &Lease) {
    if w.state(&lease.run) == RunState::Running {
        w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: true });
    }
    w.ok(Command::StickRollback { lease: lease.clone(), problem: problem() });
}

/// The run, due now, gets the lock.
fn gets_it(w: &World, waiting: &Lease) -> Lease {
    assert_eq!(w.due(&waiting.run), Some(w.now()), "{}", waiting.run);
    let lease = w.claim(&waiting.run);
    assert_eq!(seen(&w.wait(&lease, "0", lock(true))), Value::Null);
    assert_eq!(w.store.locks().unwrap()[0].run, waiting.run);
    lease
}

fn only_the_same_organisation_takes_a_lock_from_a_stuck_run(w: &World) {
    let stuck = holder(w, "acme", "a");
    let (other, early) = (waiter(w, "zeta", "b", true), waiter(w, "acme", "c", true));
    stick(w, &stuck);
    assert_eq!(w.due(&other.run), None);
    gets_it(w, &early);
    let late = waiter(w, "zeta", "d", true);
    assert_eq!((w.due(&other.run), w.due(&late.run)), (None, None));
}

fn who_takes_from_no_stuck_run_keeps_nobody_back(w: &World) {
    let stuck = holder(w, "platform", "a");
    let (plain, taking) = (waiter(w, "platform", "b", false), waiter(w, "platform", "c", true));
    stick(w, &stuck);
    assert_eq!(w.due(&plain.run), None);
    let lease = gets_it(w, &taking);
    w.ok(Command::Succeed { lease, output: "1".into() });
    assert_eq!(w.due(&plain.run), Some(w.now()), "it waits no longer than for the lock to be given back");
}

fn when_the_first_one_is_cancelled_the_next_one_is_woken(w: &World) {
    let stuck = holder(w, "platform", "a");
    let (first, next) = (waiter(w, "platform", "b", true), waiter(w, "platform", "c", true));
    stick(w, &stuck);
    assert_eq!((w.due(&first.run), w.due(&next.run)), (Some(w.now()), None));
    w.ok(cancel(&first.run));
    gets_it(w, &next);
}

fn when_the_first_one_is_parked_the_next_one_is_woken(w: &World) {
    let stuck = holder(w, "platform", "a");
    let (first, next) = (waiter(w, "platform", "b", true), waiter(w, "platform", "c", true));
    stick(w, &stuck);
    w.claim(&first.run);
    w.pass(60_000);
    let expires_at_ms = w.now() + 60_000;
    let taken = w.ok(Command::Claim { node: node("n1"), limit: 1, expires_at_ms, max_recoveries: 0 });
    // The first has taken its worker down too often.
    let Reply::Claimed(taken) = taken else { panic!("{taken:?}") };
    assert_eq!(taken.iter().map(|claimed| &claimed.lease.run).collect::<Vec<_>>(), [&next.run]);
    assert_eq!(seen(&w.wait(&taken[0].lease, "0", lock(true))), Value::Null);
}

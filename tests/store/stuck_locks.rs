//! Locks of runs whose undo is stuck: who may take them, who is woken, and when the stuck undo may go on.

use serde_json::Value;
use windlass_model::{
    Code, LockName, RunState, WaitSpec,
    command::{Command, Lease, NewRun, Reply},
    undo::StuckAction,
    workflow::OnConflict,
};
use windlass_store::StoreError;

use super::world::{World, cancel, new_run, node, problem, seen};

super::on_both!(
    only_the_same_organisation_takes_a_lock_from_a_stuck_run,
    who_takes_from_no_stuck_run_keeps_nobody_back,
    when_the_first_one_is_cancelled_the_next_one_is_woken,
    when_the_first_one_is_parked_the_next_one_is_woken,
    an_undo_waits_until_the_run_that_took_its_lock_has_ended,
    an_undo_waits_until_its_concurrency_key_has_room,
    a_failed_run_is_undone_behind_its_locks_again,
    a_failed_run_is_undone_when_its_concurrency_key_has_room,
    a_restart_forgets_what_the_failure_gave_up,
    a_restart_takes_the_locks_that_nothing_waits_for_again,
    a_lock_that_two_steps_took_is_taken_once_by_a_restart,
);

/// A lock that all organisations share: others could take it.
fn shared(name: &str) -> LockName {
    LockName::new(name, Some("dns.write".into()))
}

fn lock(from_stuck: bool) -> WaitSpec {
    WaitSpec::Lock { lock: shared("l"), expires_at_ms: None, from_stuck, scoped: false, beside: false }
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

/// Why the undo can't go on, and what helps.
fn refused(w: &World, lease: &Lease) -> (String, String) {
    refusal(w, unstick(lease))
}

fn refusal(w: &World, command: Command) -> (String, String) {
    let before = w.store.dump().unwrap();
    let Err(StoreError::Refused(problem)) = w.store.commit(command) else { panic!("it went on") };
    assert_eq!(problem.code, Code::Conflict);
    assert_eq!(w.store.dump().unwrap(), before);
    (problem.message, problem.help.unwrap())
}

fn unstick(lease: &Lease) -> Command {
    Command::Unstick { run: lease.run.clone(), action: StuckAction::Retry, by: "ann".into() }
}

fn an_undo_waits_until_the_run_that_took_its_lock_has_ended(w: &World) {
    let stuck = holder(w, "platform", "a");
    let second = waiter(w, "platform", "b", true);
    stick(w, &stuck);
    let second = gets_it(w, &second);
    let (message, help) = refused(w, &stuck);
    assert!(
        message.contains("`b` has the lock `l`") && help.contains("`b` has ended, or cancel it"),
        "{message} {help}"
    );
    // The second is stuck in its turn, and a third takes it from that.
    let third = waiter(w, "platform", "c", true);
    stick(w, &second);
    let third = gets_it(w, &third);
    assert!(refused(w, &stuck).0.contains("`c`") && refused(w, &second).0.contains("`c`"));
    w.ok(Command::Succeed { lease: third, output: "1".into() });
    // Its undo is behind the lock again.
    w.ok(unstick(&stuck));
    assert_eq!(w.store.locks().unwrap()[0].run, stuck.run);
    assert!(refused(w, &second).0.contains("`a`"));
    let last = waiter(w, "platform", "d", true);
    assert_eq!(w.due(&last.run), None);
    let again = w.claim(&stuck.run);
    w.ok(Command::FinishRollback { lease: again });
    assert_eq!((w.state(&stuck.run), w.due(&last.run)), (RunState::RolledBack, Some(w.now())));
}

fn an_undo_waits_until_its_concurrency_key_has_room(w: &World) {
    let keyed = |id: &str| NewRun { concurrency: Some(("k".into(), 1, OnConflict::Reject)), ..new_run(id) };
    let stuck = w.launch_as(keyed("a")).unwrap();
    stick(w, &stuck);
    let second = w.launch_as(keyed("b")).unwrap();
    let (message, help) = refused(w, &stuck);
    assert!(message.contains("in use by `b`") && help.contains("`b` has ended, or cancel it"), "{message} {help}");
    w.ok(Command::Succeed { lease: second, output: "1".into() });
    w.ok(unstick(&stuck));
    assert_eq!(w.refused(Command::Launch { run: Box::new(keyed("c")), claim: None }), Code::Conflict);
}

fn fail(w: &World, lease: &Lease) {
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
}

fn a_failed_run_is_undone_behind_its_locks_again(w: &World) {
    let failed = holder(w, "platform", "a");
    let second = waiter(w, "platform", "b", false);
    fail(w, &failed);
    let second = gets_it(w, &second);
    let (message, help) = refusal(w, cancel(&failed.run));
    assert!(
        message.contains("`b` has the lock `l`") && help.contains("`b` has ended, or cancel it"),
        "{message} {help}"
    );
    w.ok(Command::Succeed { lease: second, output: "1".into() });
    w.ok(cancel(&failed.run));
    assert_eq!(w.store.locks().unwrap()[0].run, failed.run);
    let last = waiter(w, "platform", "c", false);
    let again = w.claim(&failed.run);
    w.ok(Command::BeginRollback { lease: again.clone() });
    w.ok(Command::FinishRollback { lease: again });
    assert_eq!((w.state(&failed.run), w.due(&last.run)), (RunState::Cancelled, Some(w.now())));
    gets_it(w, &last);
}

fn a_failed_run_is_undone_when_its_concurrency_key_has_room(w: &World) {
    let keyed = |id: &str| NewRun { concurrency: Some(("k".into(), 1, OnConflict::Reject)), ..new_run(id) };
    let failed = w.launch_as(keyed("a")).unwrap();
    fail(w, &failed);
    let second = w.launch_as(keyed("b")).unwrap();
    let (message, help) = refusal(w, cancel(&failed.run));
    assert!(message.contains("in use by `b`") && help.contains("`b` has ended, or cancel it"), "{message} {help}");
    w.ok(Command::Succeed { lease: second, output: "1".into() });
    w.ok(cancel(&failed.run));
    assert_eq!(w.refused(Command::Launch { run: Box::new(keyed("c")), claim: None }), Code::Conflict);
}

fn restart(w: &World, lease: &Lease, drop: &[&str], retake: &[&str]) -> Command {
    Command::Restart {
        run: lease.run.clone(),
        bundle: super::world::BUNDLE.into(),
        drop: drop.iter().map(|at| super::world::path(at)).collect(),
        retake: retake.iter().map(|&name| shared(name)).collect(),
        from: None,
        judged: w.store.next_event(&lease.run).unwrap(),
        by: "ann".into(),
    }
}

fn a_restart_forgets_what_the_failure_gave_up(w: &World) {
    let failed = holder(w, "platform", "a");
    fail(w, &failed);
    w.ok(restart(w, &failed, &["0"], &[]));
    let second = holder(w, "platform", "b");
    // It waits for the lock as any other, fails before it has it, and had nothing to lose.
    let again = w.claim(&failed.run);
    assert_eq!(w.wait(&again, "0", lock(false)), Reply::Waiting);
    fail(w, &again);
    w.ok(cancel(&failed.run));
    assert_eq!(w.store.locks().unwrap()[0].run, second.run);
}

fn a_restart_takes_the_locks_that_nothing_waits_for_again(w: &World) {
    let failed = holder(w, "platform", "a");
    fail(w, &failed);
    let second = holder(w, "platform", "b");
    let (message, _) = refusal(w, restart(w, &failed, &[], &["l"]));
    assert!(message.contains("`b` has the lock `l`"), "{message}");
    w.ok(Command::Succeed { lease: second, output: "1".into() });
    w.ok(restart(w, &failed, &[], &["l"]));
    assert_eq!(w.store.locks().unwrap()[0].run, failed.run);
    fail(w, &w.claim(&failed.run));
    assert!(w.store.locks().unwrap().is_empty());
}

fn a_lock_that_two_steps_took_is_taken_once_by_a_restart(w: &World) {
    let failed = holder(w, "platform", "a");
    fail(w, &failed);
    w.ok(restart(w, &failed, &[], &["l", "l"]));
    assert_eq!(w.store.locks().unwrap()[0].run, failed.run);
}

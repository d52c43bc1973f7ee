//! Timers, signals, locks, children: recorded, due, woken, settled.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{
    Code, EffectClass, EventKind as E, LockName, RunState, StepCall, WaitReason, WaitSpec,
    command::{Command, Lease, Reply},
};

use super::world::{World, call, new_run, path, problem, seen, signal, value, wait_command};

super::on_both!(
    a_timer_is_due_and_settles,
    the_first_time_counts,
    a_signal_wakes_and_is_taken_once,
    a_signal_between_wait_and_suspend_is_not_lost,
    a_second_delivery_is_dropped,
    waits_time_out,
    a_lock_goes_to_the_longest_waiter,
    a_lock_is_released_at_the_end,
    a_dropped_waiter_lets_the_next_one_on,
    a_branch_waits_beside_another_one_of_its_run,
    a_scope_gives_back_what_its_stopped_branches_had,
    a_child_ends_the_wait,
    several_branches_wait_for_several_things,
    a_scope_drops_the_waits_below_it,
    a_deadline_makes_a_waiting_run_due,
    waits_are_refused_where_they_make_no_sense,
);

fn timer(due_at_ms: i64) -> WaitSpec {
    WaitSpec::Timer { due_at_ms }
}

fn for_signal(name: &str) -> WaitSpec {
    WaitSpec::Signal { name: name.into(), expires_at_ms: None }
}

fn lock(name: &str) -> WaitSpec {
    WaitSpec::Lock { lock: name.into(), expires_at_ms: None, from_stuck: false, scoped: false, beside: false }
}

fn a_timer_is_due_and_settles(w: &World) {
    let lease = w.launch_claimed("r1");
    let due = w.now() + 500;
    w.park(&lease, "0", timer(due));
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.waiting_on), (RunState::Waiting, vec![WaitReason::Timer]));
    assert_eq!(record.due_at_ms, Some(due));
    assert_eq!(w.heard().last().unwrap().earliest_due_ms, Some(due));
    assert!(!w.heard().last().unwrap().due_now);
    assert_eq!(w.store.next_due_ms().unwrap(), Some(due));
    assert_eq!(w.store.timers(&lease.run).unwrap()[0].due_at_ms, due);
    w.pass(499);
    assert!(w.claim_all("n1").is_empty());
    w.pass(1);
    let again = w.claim_all("n1").remove(0);
    assert!(!again.fresh);
    assert_eq!(seen(&w.wait(&again.lease, "0", timer(due))), Value::Null);
    assert_eq!(seen(&w.wait(&again.lease, "0", timer(due))), Value::Null);
    assert!(w.store.timers(&lease.run).unwrap().is_empty());
    let kinds = [E::RunLaunched, E::RunStarted, E::StepWaiting, E::RunWaiting, E::RunStarted, E::StepSucceeded];
    assert_eq!(w.events(&lease.run), kinds);
    // What is over already doesn't wait.
    assert_eq!(seen(&w.wait(&again.lease, "1", timer(due))), Value::Null);
}

fn the_first_time_counts(w: &World) {
    let lease = w.launch_claimed("r1");
    let first = w.now() + 500;
    assert_eq!(w.wait(&lease, "0", timer(first)), Reply::Waiting);
    w.pass(500);
    assert_eq!(seen(&w.wait(&lease, "0", timer(w.now() + 500))), Value::Null);
}

fn a_signal_wakes_and_is_taken_once(w: &World) {
    let lease = w.launch_claimed("r1");
    let run = lease.run.clone();
    w.ok(signal(&run, "go", json!(1)));
    w.ok(signal(&run, "go", json!(2)));
    w.ok(signal(&run, "other", json!(3)));
    assert_eq!(seen(&w.wait(&lease, "0", for_signal("go"))), 1);
    assert_eq!(seen(&w.wait(&lease, "1", for_signal("go"))), 2);
    w.park(&lease, "2", for_signal("go"));
    assert_eq!(w.due(&run), None);
    let left: Vec<String> = w.store.signals(&run).unwrap().into_iter().map(|signal| signal.name).collect();
    assert_eq!(left, ["other"]);
    w.ok(signal(&run, "go", json!({"x": 4})));
    assert_eq!(w.due(&run), Some(w.now()));
    assert!(w.heard().last().unwrap().due_now);
    let again = w.claim(&run);
    assert_eq!(seen(&w.wait(&again, "2", for_signal("go"))), json!({"x": 4}));
    w.ok(Command::Succeed { lease: again, output: "1".into() });
    assert_eq!(w.refused(signal(&run, "go", json!(5))), Code::IllegalTransition);
    assert_eq!(w.refused(signal(&"no".into(), "go", json!(5))), Code::RunNotFound);
}

fn a_signal_between_wait_and_suspend_is_not_lost(w: &World) {
    let lease = w.launch_claimed("r1");
    assert_eq!(w.wait(&lease, "0", for_signal("go")), Reply::Waiting);
    w.ok(signal(&lease.run, "go", json!(1)));
    w.ok(Command::Suspend { lease: lease.clone() });
    assert_eq!(w.due(&lease.run), Some(w.now()));
    assert_eq!(w.state(&lease.run), RunState::Waiting);
}

fn a_second_delivery_is_dropped(w: &World) {
    let run = w.launch("r1");
    let delivery = || Command::Signal {
        run: run.clone(),
        name: "go".into(),
        payload: json!(1),
        by: "bob".into(),
        id: Some("d1".into()),
    };
    w.ok(delivery());
    let lease = w.claim(&run);
    assert_eq!(seen(&w.wait(&lease, "0", for_signal("go"))), 1);
    w.ok(delivery());
    assert!(w.store.signals(&run).unwrap().is_empty());
    assert_eq!(w.events(&run).iter().filter(|kind| **kind == E::SignalReceived).count(), 1);
}

fn waits_time_out(w: &World) {
    let holder = w.launch_claimed("r0");
    assert_eq!(seen(&w.wait(&holder, "0", lock("l"))), Value::Null);
    let lease = w.launch_claimed("r1");
    let at = w.now() + 10;
    let until = WaitSpec::Signal { name: "go".into(), expires_at_ms: Some(at) };
    let until_lock =
        WaitSpec::Lock { lock: "l".into(), expires_at_ms: Some(at), from_stuck: false, scoped: false, beside: false };
    assert_eq!(w.wait(&lease, "0", until.clone()), Reply::Waiting);
    w.park(&lease, "1", until_lock.clone());
    assert_eq!(w.due(&lease.run), Some(at));
    w.pass(10);
    let again = w.claim(&lease.run);
    assert_eq!(seen(&w.wait(&again, "0", until)), json!({"error": "wait_timeout"}));
    assert_eq!(seen(&w.wait(&again, "1", until_lock)), json!({"error": "wait_timeout"}));
    assert_eq!(w.last_event(&lease.run).0, E::StepFailed);
}

fn a_lock_goes_to_the_longest_waiter(w: &World) {
    let (a, b, c) = (w.launch_claimed("a"), w.launch_claimed("c"), w.launch_claimed("b"));
    assert_eq!(seen(&w.wait(&a, "0", lock("l"))), Value::Null);
    assert_eq!(seen(&w.wait(&a, "1", lock("l"))), Value::Null, "its own lock");
    w.park(&b, "0", lock("l"));
    w.pass(1);
    w.park(&c, "0", lock("l"));
    let unlock = windlass_model::journal::LocalEffect::Unlock { lock: "l".into() };
    let call = std::sync::Arc::new(call("2", "unlock", EffectClass::Idempotent));
    let given = windlass_model::command::Given::Nothing;
    let reply = w.ok(Command::Local { lease: a.clone(), call, effect: unlock, given });
    assert_eq!(seen(&reply), true);
    assert_eq!((w.due(&b.run), w.due(&c.run)), (Some(w.now()), None));
    // Whoever comes in between has to stand in line.
    assert_eq!(w.wait(&a, "3", lock("l")), Reply::Waiting);
    let again = w.claim(&b.run);
    assert_eq!(seen(&w.wait(&again, "0", lock("l"))), Value::Null);
    assert_eq!(w.store.locks().unwrap()[0].run, b.run);
}

fn a_lock_is_released_at_the_end(w: &World) {
    let a = w.launch_claimed("a");
    w.wait(&a, "0", lock("l"));
    let b = w.launch_claimed("b");
    w.park(&b, "0", lock("l"));
    w.ok(Command::Fail { lease: a.clone(), problem: problem(), undo: true });
    assert_eq!(w.due(&b.run), None, "its undo is still protected by the lock");
    w.ok(Command::FinishRollback { lease: a });
    assert_eq!(w.due(&b.run), Some(w.now()));
    assert!(w.store.locks().unwrap().is_empty());
}

fn a_dropped_waiter_lets_the_next_one_on(w: &World) {
    let a = w.launch_claimed("a");
    w.wait(&a, "0", lock("l"));
    let (b, c) = (w.launch_claimed("b"), w.launch_claimed("c"));
    w.park(&b, "0", lock("l"));
    w.pass(1);
    w.park(&c, "0", lock("l"));
    w.ok(Command::Succeed { lease: a, output: "1".into() });
    assert_eq!(w.due(&c.run), None);
    w.ok(super::world::cancel(&b.run));
    assert_eq!(w.due(&c.run), Some(w.now()));
}

fn a_child_ends_the_wait(w: &World) {
    let lease = w.launch_claimed("p");
    let child = |id: &str| WaitSpec::Child { run: id.into() };
    let (good, bad) = (w.launch_claimed("c1"), w.launch_claimed("c2"));
    assert_eq!(w.wait(&lease, "0", child("c1")), Reply::Waiting);
    w.park(&lease, "1", child("c2"));
    // A child that goes on as a new run is followed.
    w.ok(Command::ContinueAsNew { lease: good, run: Box::new(new_run("c3")) });
    assert_eq!(w.due(&lease.run), None);
    let good = w.claim(&"c3".into());
    w.ok(Command::Succeed { lease: good, output: "[7]".into() });
    assert_eq!(w.due(&lease.run), Some(w.now()));
    let again = w.claim(&lease.run);
    assert_eq!(seen(&w.wait(&again, "0", child("c1"))), json!([7]));
    w.ok(Command::Suspend { lease: again });
    assert_eq!(w.due(&lease.run), None);
    w.ok(Command::Fail { lease: bad, problem: problem(), undo: false });
    let again = w.claim(&lease.run);
    let Reply::Outcome(windlass_model::Outcome::Error(error)) = w.wait(&again, "1", child("c2")) else { panic!() };
    assert_eq!((error.code, &error.data["run"]), (Code::ChildFailed, &json!("c2")));
    assert!(error.message.contains("it went wrong"));
    assert_eq!(seen(&w.wait(&again, "2", child("nobody"))), json!({"error": "child_failed"}));
}

fn several_branches_wait_for_several_things(w: &World) {
    let lease = w.launch_claimed("r1");
    let due = w.now() + 100;
    assert_eq!(w.wait(&lease, "0/b0/0", for_signal("go")), Reply::Waiting);
    assert_eq!(w.wait(&lease, "0/b1/0", timer(due + 5)), Reply::Waiting);
    w.park(&lease, "0/b2/0", timer(due));
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!(record.waiting_on, [WaitReason::Timer, WaitReason::Signal]);
    assert_eq!(record.due_at_ms, Some(due));
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!((kind, &data["waiting_on"]), (E::RunWaiting, &json!(["timer", "signal"])));
}

fn a_scope_drops_the_waits_below_it(w: &World) {
    let lease = w.launch_claimed("r1");
    for at in ["1/b0/0", "1/b1/0", "10/b0/0"] {
        assert_eq!(w.wait(&lease, at, timer(w.now() + 100)), Reply::Waiting);
    }
    w.finish(&lease, &call("1/b0/1", "x", EffectClass::Read), value(1.into()));
    w.finish(&lease, &call("1", "race", EffectClass::Scope), value(0.into()));
    let left: Vec<String> = w.store.steps(&lease.run).unwrap().into_iter().map(|step| step.path.to_string()).collect();
    assert_eq!(left, ["1", "1/b0/1", "10/b0/0"]);
    assert_eq!(w.store.timers(&lease.run).unwrap()[0].path, path("10/b0/0"));
}

fn a_deadline_makes_a_waiting_run_due(w: &World) {
    let mut run = new_run("r1");
    run.deadline_at_ms = Some(w.now() + 50);
    let lease = w.launch_as(run).unwrap();
    w.park(&lease, "0", for_signal("go"));
    assert_eq!(w.due(&lease.run), Some(w.now() + 50));
}

fn waits_are_refused_where_they_make_no_sense(w: &World) {
    let lease = w.launch_claimed("r1");
    let before = w.store.dump().unwrap();
    assert_eq!(w.refused(Command::Suspend { lease: lease.clone() }), Code::Conflict);
    assert_eq!(w.store.dump().unwrap(), before);
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: true });
    assert_eq!(w.refused(wait_command(&lease, "0", for_signal("go"))), Code::IllegalTransition);
    assert_eq!(w.refused(Command::Suspend { lease }), Code::IllegalTransition);
}

fn inner(name: &str, expires_at_ms: Option<i64>, beside: bool) -> WaitSpec {
    WaitSpec::Lock { lock: name.into(), expires_at_ms, from_stuck: false, scoped: true, beside }
}

/// Asks for a lock by the call that scripts make.
fn asks(w: &World, lease: &Lease, path: &str, wait: WaitSpec) -> Reply {
    let call = StepCall { args: r#"["l"]"#.into(), ..call(path, "lock", EffectClass::Wait) };
    w.ok(Command::Wait { lease: lease.clone(), call: Arc::new(call), wait })
}

fn a_branch_waits_beside_another_one_of_its_run(w: &World) {
    let lease = w.launch_claimed("r1");
    assert_eq!(seen(&asks(w, &lease, "0/b0/0", inner("l", None, false))), json!("with_lock"));
    let at = w.now() + 50;
    assert_eq!(asks(w, &lease, "0/b1/0", inner("l", Some(at), true)), Reply::Waiting);
    assert_eq!(asks(w, &lease, "0/b2/0", inner("l", None, true)), Reply::Waiting);
    w.ok(Command::Suspend { lease: lease.clone() });
    assert_eq!(w.due(&lease.run), Some(at), "that the run has it ends neither wait");
    w.pass(50);
    let again = w.claim(&lease.run);
    let Reply::Outcome(windlass_model::Outcome::Error(late)) = asks(w, &again, "0/b1/0", inner("l", None, true)) else {
        panic!("it has waited long enough")
    };
    assert_eq!(late.code, Code::WaitTimeout);
    assert_eq!(asks(w, &again, "0/b2/0", inner("l", None, true)), Reply::Waiting);
    // The branch that had it is over without having given it back: nobody is inside.
    assert_eq!(seen(&asks(w, &again, "0/b2/0", inner("l", None, false))), json!("with_lock"));
}

fn a_scope_gives_back_what_its_stopped_branches_had(w: &World) {
    let lease = w.launch_claimed("r1");
    w.wait(&lease, "0/b0/0", inner("l", None, false));
    w.wait(&lease, "0/b1/0", lock("m"));
    let other = w.launch_claimed("r2");
    w.park(&other, "0", lock("l"));
    let race = Arc::new(call("0", "race", EffectClass::Scope));
    let unlock = |name: &str| (LockName::from(name), call("0/b0/0/b0/0", "unlock", EffectClass::Idempotent));
    let finish = |given_back| Command::FinishScope {
        lease: lease.clone(),
        call: race.clone(),
        outcome: value(json!(1)),
        started_at_ms: w.now(),
        given_back,
    };
    assert_eq!(w.ok(finish(vec![unlock("l")])), Reply::Outcome(value(json!(1))));
    assert_eq!(w.due(&other.run), Some(w.now()), "who waits for it is woken");
    let held: Vec<(String, String)> =
        w.store.locks().unwrap().into_iter().map(|lock| (lock.name, lock.run.to_string())).collect();
    assert_eq!(held, [("m".to_owned(), "r1".to_owned())]);
    let steps = w.store.steps(&lease.run).unwrap();
    let unlocked = steps.iter().find(|step| &*step.op == "unlock").unwrap();
    assert_eq!(unlocked.outcome, Some(value(json!(true))));
    // Said once more (an answer that was lost), it is what it was.
    assert_eq!(w.ok(finish(vec![unlock("l")])), Reply::Outcome(value(json!(1))));
}

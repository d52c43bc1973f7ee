//! Ends, restarts, upgrades, going on as a new run, pruning.

use std::collections::HashMap;

use serde_json::json;
use windlass_model::{
    Code, EffectClass, EventKind as E, ResourceState, RunState, WaitSpec,
    command::{Command, Lease, NewRun, Reply},
    event::NewEvent,
    query::RunFilter,
    undo::{UndoSpec, UndoState},
};

use super::world::{World, begin, call, cancel, creates, error, new_run, path, problem, value};

super::on_both!(
    a_success_has_its_output,
    a_failure_keeps_what_is_there,
    cancelling_depends_on_the_state,
    a_failed_run_is_restarted,
    what_a_restart_forgets_was_not_said,
    a_failed_run_can_be_cancelled,
    each_restart_gives_as_much_time_as_the_launch,
    sources_are_replaced_while_nobody_holds_the_run,
    a_run_goes_on_as_a_new_one,
    a_closure_cannot_go_on_elsewhere,
    old_runs_are_pruned_but_not_what_is_there,
);

fn a_success_has_its_output(w: &World) {
    let lease = w.launch_claimed("r1");
    w.wait(&lease, "0/b0/0", WaitSpec::Timer { due_at_ms: w.now() + 9 });
    w.ok(Command::Succeed { lease: lease.clone(), output: "{\"a\":1}".into() });
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!({"a": 1}))));
    assert_eq!(record.ended_at_ms, Some(w.now()));
    assert!(w.store.timers(&lease.run).unwrap().is_empty());
    assert_eq!(w.heard().last().unwrap().ended, std::slice::from_ref(&lease.run));
    assert_eq!(w.refused(Command::Succeed { lease: lease.clone(), output: "1".into() }), Code::LeaseLost);
    assert_eq!(w.refused(cancel(&lease.run)), Code::IllegalTransition);
    assert!(w.store.claimed(&lease.run).unwrap().is_none());
}

fn a_failure_keeps_what_is_there(w: &World) {
    let lease = w.launch_claimed("r1");
    w.finish(&lease, &creates("0", "ns1"), value(1.into()));
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.problem), (RunState::Failed, Some(problem())));
    assert_eq!(w.store.resources(None, true).unwrap()[0].state, ResourceState::Live);
    assert_eq!(w.events(&lease.run).last(), Some(&E::RunFailed));
}

fn cancelling_depends_on_the_state(w: &World) {
    let queued = w.launch("q");
    w.ok(cancel(&queued));
    assert_eq!((w.state(&queued), w.due(&queued)), (RunState::Cancelling, Some(w.now())));
    assert_eq!(w.refused(cancel(&queued)), Code::IllegalTransition);
    assert_eq!(w.refused(cancel(&"no".into())), Code::RunNotFound);
    let running = w.launch_claimed("r");
    w.ok(cancel(&running.run));
    assert_eq!(w.due(&running.run), None, "its worker is told");
    assert_eq!(w.heard().last().unwrap().cancelled, std::slice::from_ref(&running.run));
    assert_eq!(w.refused(Command::Succeed { lease: running.clone(), output: "1".into() }), Code::IllegalTransition);
    w.ok(Command::BeginRollback { lease: running.clone() });
    w.ok(Command::FinishRollback { lease: running.clone() });
    let record = w.store.run(&running.run).unwrap().unwrap();
    assert_eq!((record.state, record.problem.unwrap().code), (RunState::Cancelled, Code::Cancelled));
    let kinds = [E::RunLaunched, E::RunStarted, E::RunCancelling, E::RunRollingBack, E::RunCancelled];
    assert_eq!(w.events(&running.run), kinds);
}

fn a_failed_run_is_restarted(w: &World) {
    let mut run = new_run("r1");
    run.deadline_at_ms = Some(w.now() + 100);
    let lease = w.launch_as(run).unwrap();
    w.ok(begin(&lease, &creates("0", "ns1")));
    w.finish(&lease, &creates("0", "ns1"), value(1.into()));
    w.ok(begin(&lease, &creates("1", "ns2")));
    w.finish(&lease, &creates("1", "ns2"), error(problem().no_effect()));
    let restart = |bundle: &str| Command::Restart {
        run: lease.run.clone(),
        bundle: bundle.into(),
        drop: vec![path("1"), path("9")],
        retake: Vec::new(),
        from: None,
        judged: w.store.next_event(&lease.run).unwrap(),
        by: "ann".into(),
    };
    assert_eq!(w.refused(restart("b1")), Code::IllegalTransition);
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    assert_eq!(w.refused(restart("unknown")), Code::NotFound);
    w.ok(Command::PutBundle { digest: "b2".into(), body: "{}".into() });
    w.pass(1_000);
    let mut stale = restart("b2");
    if let Command::Restart { judged, .. } = &mut stale {
        *judged -= 1;
    }
    let before = w.store.steps(&lease.run).unwrap();
    // Nobody asks again without having looked: what failed may be something else.
    let refused = w.store.commit(stale).unwrap_err();
    let problem = refused.problem();
    assert_eq!((problem.code, problem.retryable), (Code::Conflict, false), "it has gone on since");
    assert_eq!(w.store.steps(&lease.run).unwrap(), before);
    w.ok(restart("b2"));
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.problem, record.ended_at_ms), (RunState::Queued, None, None));
    assert_eq!((record.due_at_ms, record.deadline_at_ms), (Some(w.now()), Some(w.now() + 100)));
    assert_eq!(w.store.steps(&lease.run).unwrap().len(), 1);
    let states: Vec<UndoState> = w.store.undo(&lease.run).unwrap().into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, [UndoState::Registered]);
    assert_eq!(w.last_event(&lease.run).1["dropped"], json!(["1"]));
    let again = w.claim_all("n1").remove(0);
    assert_eq!((again.bundle.as_str(), again.fresh), ("b2", false));
}

fn what_a_restart_forgets_was_not_said(w: &World) {
    let first = w.launch_claimed("r1");
    let line = |place: &str| NewEvent { kind: E::Log, path: Some(place.into()), data: "{\"message\":\"m\"}".into() };
    let say = |lease: &Lease, places: &[&str]| {
        w.ok(Command::Emit { lease: lease.clone(), events: places.iter().map(|place| line(place)).collect() });
    };
    let done = |lease: &Lease, at: &str| w.finish(lease, &call(at, "x", EffectClass::Read), value(1.into()));
    let outputs = || w.store.journal(&first.run).unwrap().outputs;
    let restart = |lease: Lease, from: Option<&str>, drop: &[&str]| {
        let run = lease.run.clone();
        w.ok(Command::Fail { lease, problem: problem(), undo: false });
        let (drop, from) = (drop.iter().map(|at| path(at)).collect(), from.map(path));
        w.ok(Command::Restart {
            run: run.clone(),
            bundle: "b1".into(),
            drop,
            retake: Vec::new(),
            from,
            judged: w.store.next_event(&run).unwrap(),
            by: "ann".into(),
        });
        w.claim(&run)
    };
    say(&first, &["#0", "#1"]);
    done(&first, "0");
    say(&first, &["#2"]);
    done(&first, "1");
    say(&first, &["2/b0/#0", "2/b1/#0", "#3"]);
    done(&first, "2");
    say(&first, &["#4"]);
    let second = restart(first.clone(), Some("1"), &["1", "2"]);
    assert_eq!(outputs(), HashMap::from([(String::new(), 3)]), "branches of later steps are to come");
    // What is left of the journal can be read by its paths.
    let left = w.store.steps_at(&first.run, &[path("0"), path("1"), path("9")]).unwrap();
    assert_eq!(left.iter().map(|step| step.path.to_string()).collect::<Vec<_>>(), ["0"]);
    done(&second, "1");
    // It said nothing new until it failed again: what was forgotten before stays forgotten.
    let third = restart(second, Some("1"), &["1"]);
    assert_eq!(outputs()[""], 3);
    say(&third, &["#3", "2/b0/#0"]);
    restart(third, None, &[]);
    assert_eq!(outputs(), HashMap::from([(String::new(), 4), ("2/b0/".into(), 1)]), "a plain restart forgets nothing");
}

fn each_restart_gives_as_much_time_as_the_launch(w: &World) {
    let deadline_at_ms = Some(w.now() + 1_000);
    let mut lease = w.launch_as(NewRun { deadline_at_ms, ..new_run("r1") }).unwrap();
    for _ in 0..3 {
        w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
        w.pass(50_000);
        let (run, bundle, drop, retake) = (lease.run.clone(), "b1".into(), Vec::new(), Vec::new());
        let judged = w.store.next_event(&run).unwrap();
        let restart = Command::Restart { run, bundle, drop, retake, from: None, judged, by: "ann".into() };
        w.ok(restart);
        let record = w.store.run(&lease.run).unwrap().unwrap();
        assert_eq!(record.deadline_at_ms, Some(w.now() + 1_000));
        w.pass(10);
        lease = w.claim(&lease.run);
    }
}

fn a_failed_run_can_be_cancelled(w: &World) {
    let lease = w.launch_claimed("r1");
    w.ok(begin(&lease, &creates("0", "ns1")));
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    w.ok(cancel(&lease.run));
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.ended_at_ms, record.problem), (RunState::Cancelling, None, Some(problem())));
    assert_eq!(w.claim(&lease.run).epoch, 2);
}

fn sources_are_replaced_while_nobody_holds_the_run(w: &World) {
    let lease = w.launch_claimed("r1");
    let judged_at = |bundle: &str, judged: i64| Command::Upgrade {
        run: lease.run.clone(),
        bundle: bundle.into(),
        judged,
        by: "ann".into(),
    };
    let upgrade = |bundle: &str| judged_at(bundle, w.store.next_event(&lease.run).unwrap());
    w.ok(Command::PutBundle { digest: "b2".into(), body: "{}".into() });
    assert_eq!(w.refused(upgrade("b2")), Code::Conflict);
    w.park(&lease, "0", WaitSpec::Timer { due_at_ms: w.now() + 5 });
    assert_eq!(w.refused(upgrade("b3")), Code::NotFound);
    // It was judged before it came to where it waits: what it has done since would not be what the new sources call.
    let before = w.store.next_event(&lease.run).unwrap() - 1;
    assert_eq!(w.refused(judged_at("b2", before)), Code::Conflict);
    assert_eq!(w.store.run(&lease.run).unwrap().unwrap().bundle.as_str(), "b1");
    w.ok(upgrade("b2"));
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!((kind, &data["from"], &data["to"]), (E::RunUpgraded, &json!("b1"), &json!("b2")));
    w.pass(5);
    let again = w.claim_all("n1").remove(0);
    assert_eq!(again.bundle.as_str(), "b2");
    w.ok(Command::Succeed { lease: again.lease, output: "1".into() });
    assert_eq!(w.refused(upgrade("b1")), Code::IllegalTransition);
}

fn a_run_goes_on_as_a_new_one(w: &World) {
    let lease = w.launch_claimed("r1");
    w.finish(&lease, &call("5", "x", EffectClass::Read), value(1.into()));
    w.ok(begin(&lease, &creates("0", "ns1")));
    w.finish(&lease, &creates("0", "ns1"), value(1.into()));
    w.wait(
        &lease,
        "1",
        WaitSpec::Lock { lock: "l".into(), expires_at_ms: None, from_stuck: false, scoped: false, beside: false },
    );
    let next = NewRun { input: "{\"from\":2}".into(), ..new_run("r2") };
    let reply = w.ok(Command::ContinueAsNew { lease: lease.clone(), run: Box::new(next) });
    assert_eq!(reply, Reply::Launched { run: "r2".into(), existing: false, claimed: None });
    let (old, new) = (w.store.run(&lease.run).unwrap().unwrap(), w.store.run(&"r2".into()).unwrap().unwrap());
    assert_eq!((old.state, old.output), (RunState::Succeeded, Some(json!({"continued_as": "r2"}))));
    assert_eq!((new.state, new.continues), (RunState::Queued, Some(lease.run.clone())));
    assert_eq!(w.store.locks().unwrap()[0].run, "r2".into());
    assert_eq!(w.store.undo(&lease.run).unwrap(), []);
    // The new run's own step 0 has an undo entry beside the inherited one of the old run's step 0.
    let lease = w.claim(&"r2".into());
    w.ok(begin(&lease, &creates("0", "ns2")));
    w.finish(&lease, &creates("0", "ns2"), value(1.into()));
    let seqs: Vec<i64> = w.store.undo(&lease.run).unwrap().into_iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2]);
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: true });
    w.ok(Command::UndoFinish { lease: lease.clone(), seq: 2, problem: None });
    let open: Vec<String> =
        w.store.resources(None, true).unwrap().into_iter().map(|record| record.resource.id.to_string()).collect();
    assert_eq!(open, ["ns1"], "undoing the new step 0 leaves the old one's namespace");
    w.ok(Command::UndoFinish { lease: lease.clone(), seq: 1, problem: None });
    w.ok(Command::FinishRollback { lease });
    assert!(w.store.resources(None, true).unwrap().is_empty());
    assert!(w.store.locks().unwrap().is_empty());
}

fn a_closure_cannot_go_on_elsewhere(w: &World) {
    let lease = w.launch_claimed("r1");
    let mut step = call("0", "on_rollback", EffectClass::Idempotent);
    step.undo = Some(UndoSpec::Closure { label: "tidy up".into() });
    w.ok(begin(&lease, &step));
    let before = w.store.dump().unwrap();
    let command = Command::ContinueAsNew { lease, run: Box::new(new_run("r2")) };
    assert_eq!(w.refused(command), Code::InvalidArgument);
    assert_eq!(w.store.dump().unwrap(), before);
}

fn old_runs_are_pruned_but_not_what_is_there(w: &World) {
    for (id, retention_ms) in [("r1", None), ("r2", Some(5_000)), ("r3", None)] {
        let lease = w.launch_as(NewRun { retention_ms, ..new_run(id) }).unwrap();
        w.finish(&lease, &creates("0", &format!("{id}-stays")), value(1.into()));
        w.finish(&lease, &creates("1", &format!("{id}-goes")), value(1.into()));
        w.finish(&lease, &super::world::destroys("2", &format!("{id}-goes")), value(1.into()));
        w.ok(Command::Succeed { lease, output: "1".into() });
    }
    w.launch("open");
    let prune = |limit| Command::Prune { default_retention_ms: 100, limit };
    w.pass(99);
    assert_eq!(w.ok(prune(10)), Reply::Count(0));
    w.pass(1);
    assert_eq!(w.ok(prune(1)), Reply::Count(1));
    assert_eq!(w.store.run(&"r1".into()).unwrap(), None);
    assert_eq!(w.store.events(&"r1".into(), 0, 10).unwrap(), []);
    assert_eq!(w.ok(prune(10)), Reply::Count(1));
    assert_eq!(w.store.runs(&RunFilter::default()).unwrap().len(), 2);
    w.pass(4_900);
    assert_eq!(w.ok(prune(10)), Reply::Count(1));
    let left: Vec<String> =
        w.store.resources(None, false).unwrap().into_iter().map(|record| record.resource.id.to_string()).collect();
    assert_eq!(left, ["r1-stays", "r2-stays", "r3-stays"]);
}

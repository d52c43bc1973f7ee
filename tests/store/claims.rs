//! Claims, leases and epochs.

use windlass_model::{
    Code, EffectClass, EventKind as E, RunState, WaitReason,
    command::{Command, Reply},
};

use super::{
    nodes::beat,
    world::{World, begin, call, cancel, finish, node, value},
};

super::on_both!(
    due_runs_are_taken_oldest_first,
    a_stale_epoch_writes_nothing,
    a_lost_worker_costs_a_recovery,
    a_run_that_gets_on_is_never_parked,
    too_many_recoveries_park,
    a_run_that_was_being_undone_is_stuck_instead,
    a_release_costs_nothing,
    one_run_is_claimed,
    leases_are_renewed_until_they_are_declared_over,
);

fn due_runs_are_taken_oldest_first(w: &World) {
    w.launch("r2");
    w.pass(1);
    w.launch("r1");
    w.pass(1);
    let expires_at_ms = w.now() + 10;
    let claim = || Command::Claim { node: node("n"), limit: 1, expires_at_ms, max_recoveries: 3 };
    let Reply::Claimed(taken) = w.ok(claim()) else { panic!() };
    assert_eq!((taken.len(), taken[0].lease.run.as_str(), taken[0].fresh), (1, "r2", true));
    assert_eq!(w.store.next_due_ms().unwrap(), Some(w.now() - 1));
    let Reply::Claimed(taken) = w.ok(claim()) else { panic!() };
    assert_eq!(taken[0].lease.run, "r1".into());
    assert_eq!(w.ok(claim()), Reply::Claimed(vec![]));
    assert_eq!(w.store.next_due_ms().unwrap(), Some(expires_at_ms));
}

fn a_stale_epoch_writes_nothing(w: &World) {
    let old = w.launch_claimed("r1");
    w.ok(Command::ExpireLeases { node: None });
    let new = w.claim(&old.run);
    assert_eq!(new.epoch, old.epoch + 1);
    let before = w.store.dump().unwrap();
    let step = call("0", "x", EffectClass::Idempotent);
    let lease = || old.clone();
    let commands = [
        finish(&old, &step, value(1.into()), 0),
        begin(&old, &step),
        super::world::wait_command(&old, "0", windlass_model::WaitSpec::Timer { due_at_ms: 0 }),
        Command::Emit { lease: lease(), events: vec![windlass_model::event::NewEvent::run(E::Log, 1.into())] },
        Command::InDoubt { lease: lease(), path: super::world::path("0") },
        Command::Suspend { lease: lease() },
        Command::Succeed { lease: lease(), output: "1".into() },
        Command::Fail { lease: lease(), problem: super::world::problem(), undo: true },
        Command::ContinueAsNew { lease: lease(), run: Box::new(super::world::new_run("r9")) },
        Command::BeginRollback { lease: lease() },
        Command::UndoBegin { lease: lease(), seq: 1 },
        Command::UndoFinish { lease: lease(), seq: 1, problem: None },
        Command::FinishRollback { lease: lease() },
        Command::StickRollback { lease: lease(), problem: super::world::problem() },
        Command::Release(lease()),
    ];
    for command in commands {
        assert_eq!(w.refused(command), Code::LeaseLost);
    }
    assert_eq!(w.store.dump().unwrap(), before);
    w.finish(&new, &step, value(1.into()));
}

fn a_lost_worker_costs_a_recovery(w: &World) {
    let lease = w.launch_claimed("r1");
    assert!(w.claim_all("n2").is_empty());
    w.pass(60_000);
    let taken = w.claim_all("n2");
    assert_eq!((taken[0].lease.epoch, taken[0].fresh), (2, false));
    assert_eq!(w.store.run(&lease.run).unwrap().unwrap().recoveries, 1);
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!((kind, &data["recovery"], &data["node"]), (E::RunStarted, &true.into(), &"n2".into()));
}

fn a_run_that_gets_on_is_never_parked(w: &World) {
    let mut lease = w.launch_claimed("r1");
    for at in ["0", "1", "2", "3", "4", "5"] {
        w.finish(&lease, &call(at, "x", EffectClass::Idempotent), value(1.into()));
        w.pass(60_000);
        lease = w.claim_all("n2").remove(0).lease;
    }
    assert_eq!(w.store.run(&lease.run).unwrap().unwrap().recoveries, 1);
    for _ in 0..2 {
        // Begun is not finished.
        w.ok(begin(&lease, &call("6", "x", EffectClass::AtMostOnce)));
        w.pass(60_000);
        lease = w.claim_all("n2").remove(0).lease;
    }
    assert_eq!(w.store.run(&lease.run).unwrap().unwrap().recoveries, 3);
    w.pass(60_000);
    assert!(w.claim_all("n2").is_empty());
}

fn too_many_recoveries_park(w: &World) {
    let run = w.launch_claimed("r1").run;
    for _ in 0..3 {
        w.pass(60_000);
        assert_eq!(w.claim_all("n2").len(), 1);
    }
    w.pass(60_000);
    assert!(w.claim_all("n2").is_empty());
    let record = w.store.run(&run).unwrap().unwrap();
    assert_eq!(
        (record.state, record.waiting_on, record.due_at_ms),
        (RunState::Waiting, vec![WaitReason::Parked], None)
    );
    assert_eq!(w.last_event(&run).0, E::RunParked);
    w.ok(super::world::signal(&run, "x", 1.into()));
    assert_eq!(w.due(&run), None, "a signal doesn't unpark");
    w.ok(Command::Unpark { run: run.clone(), by: "ann".into() });
    assert_eq!(w.refused(Command::Unpark { run: "no".into(), by: "ann".into() }), Code::RunNotFound);
    assert_eq!(w.claim_all("n2").len(), 1);
    assert_eq!(w.store.run(&run).unwrap().unwrap().recoveries, 0);
    assert_eq!(w.refused(Command::Unpark { run, by: "ann".into() }), Code::IllegalTransition);
}

fn a_run_that_was_being_undone_is_stuck_instead(w: &World) {
    let lease = w.launch_claimed("r1");
    w.ok(cancel(&lease.run));
    for _ in 0..4 {
        w.pass(60_000);
        w.claim_all("n2");
    }
    assert_eq!(w.state(&lease.run), RunState::RollbackStuck);
    let retry = windlass_model::undo::StuckAction::Retry;
    w.ok(Command::Unstick { run: lease.run.clone(), action: retry, by: "ann".into() });
    let lease = w.claim(&lease.run);
    w.ok(Command::FinishRollback { lease: lease.clone() });
    assert_eq!(w.state(&lease.run), RunState::Cancelled);
}

fn a_release_costs_nothing(w: &World) {
    let lease = w.launch_claimed("r1");
    w.ok(Command::Release(lease.clone()));
    assert_eq!(w.due(&lease.run), Some(w.now()));
    assert_eq!(w.refused(Command::Release(lease.clone())), Code::LeaseLost);
    let again = w.claim_all("n2");
    assert_eq!(again[0].lease.epoch, 2);
    assert_eq!(w.store.run(&lease.run).unwrap().unwrap().recoveries, 0);
}

fn one_run_is_claimed(w: &World) {
    let run = w.launch("r1");
    w.launch("r2");
    assert!(w.try_claim(&run).is_some());
    assert!(w.try_claim(&run).is_none(), "it is held");
    assert_eq!(w.refused(Command::ClaimRun { run: "no".into(), node: node("n"), expires_at_ms: 0 }), Code::RunNotFound);
    assert_eq!(w.claim_all("n1").len(), 1);
}

fn leases_are_renewed_until_they_are_declared_over(w: &World) {
    let lease = w.launch_claimed("r1");
    let renew = |name: &str| w.ok(Command::Beat { beat: beat(name, 0), expires_at_ms: w.now() + 100_000 });
    renew("n2");
    assert_eq!(w.store.next_due_ms().unwrap(), Some(w.now() + 60_000));
    renew("n1");
    assert_eq!(w.store.next_due_ms().unwrap(), Some(w.now() + 100_000));
    w.pass(60_000);
    assert!(w.claim_all("n2").is_empty());
    assert_eq!(w.ok(Command::ExpireLeases { node: Some(node("n2")) }), Reply::Count(0));
    assert_eq!(w.ok(Command::ExpireLeases { node: Some(node("n1")) }), Reply::Count(1));
    assert!(w.heard().last().unwrap().due_now);
    renew("n1");
    assert_eq!(w.claim_all("n2")[0].lease.epoch, lease.epoch + 1);
}

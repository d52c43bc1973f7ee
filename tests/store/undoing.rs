//! The undo list: worked off, stuck, retried, skipped, adopted.

use windlass_model::{
    Code, EventKind as E, ResourceState, RunState,
    command::{Command, Lease},
    undo::{StuckAction, UndoState},
};

use super::world::{World, begin, creates, problem, value};

super::on_both!(
    a_failed_run_is_undone,
    undo_needs_a_rollback,
    a_stuck_undo_is_retried,
    a_stuck_undo_is_skipped_or_adopted,
    an_operator_stops_an_undo_that_is_under_way,
);

/// A run with two namespaces, rolling back.
fn failed(w: &World) -> Lease {
    let lease = w.launch_claimed("r1");
    for (at, id) in [("0", "ns1"), ("1", "ns2")] {
        w.ok(begin(&lease, &creates(at, id)));
        w.finish(&lease, &creates(at, id), value(1.into()));
    }
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: true });
    lease
}

fn undo_begin(lease: &Lease, seq: i64) -> Command {
    Command::UndoBegin { lease: lease.clone(), seq }
}

fn undone(lease: &Lease, seq: i64) -> Command {
    Command::UndoFinish { lease: lease.clone(), seq, problem: None }
}

fn stuck(w: &World) -> Lease {
    let lease = failed(w);
    w.ok(undo_begin(&lease, 2));
    w.ok(Command::UndoFinish { lease: lease.clone(), seq: 2, problem: Some(problem()) });
    assert_eq!(w.refused(Command::FinishRollback { lease: lease.clone() }), Code::IllegalTransition);
    w.ok(Command::StickRollback { lease: lease.clone(), problem: problem() });
    lease
}

fn unstick(lease: &Lease, action: StuckAction) -> Command {
    Command::Unstick { run: lease.run.clone(), action, by: "ann".into() }
}

fn a_failed_run_is_undone(w: &World) {
    let lease = failed(w);
    assert_eq!(w.state(&lease.run), RunState::RollingBack);
    w.ok(undo_begin(&lease, 2));
    w.pass(3);
    w.ok(undone(&lease, 2));
    assert_eq!(w.last_event(&lease.run).1["elapsed_ms"], 3);
    assert_eq!(w.store.resources(None, true).unwrap().len(), 1);
    assert_eq!(w.refused(undone(&lease, 2)), Code::IllegalTransition);
    assert_eq!(w.refused(undone(&lease, 7)), Code::NotFound);
    assert_eq!(w.refused(Command::FinishRollback { lease: lease.clone() }), Code::IllegalTransition);
    w.ok(undo_begin(&lease, 1));
    w.ok(undone(&lease, 1));
    w.ok(Command::FinishRollback { lease: lease.clone() });
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.problem), (RunState::RolledBack, Some(problem())));
    let last = [E::RunFailed, E::RunRollingBack, E::UndoStarted, E::UndoDone, E::UndoStarted, E::UndoDone];
    let events = w.events(&lease.run);
    assert_eq!(events[6..12], last);
    assert_eq!(events[12..], [E::RunRolledBack]);
}

fn undo_needs_a_rollback(w: &World) {
    let lease = w.launch_claimed("r1");
    w.ok(begin(&lease, &creates("0", "ns1")));
    for command in [undo_begin(&lease, 1), undone(&lease, 1), Command::BeginRollback { lease: lease.clone() }] {
        assert_eq!(w.refused(command), Code::IllegalTransition);
    }
    assert_eq!(w.refused(unstick(&lease, StuckAction::Retry)), Code::IllegalTransition);
}

fn a_stuck_undo_is_retried(w: &World) {
    let lease = stuck(w);
    assert_eq!((w.state(&lease.run), w.due(&lease.run)), (RunState::RollbackStuck, None));
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!((kind, &data["entry"]), (E::RunRollbackStuck, &2.into()));
    assert_eq!(data["left_over"].as_array().unwrap().len(), 2);
    assert_eq!(w.refused(undone(&lease, 2)), Code::LeaseLost);
    w.ok(unstick(&lease, StuckAction::Retry));
    let again = w.claim(&lease.run);
    assert_eq!(w.state(&lease.run), RunState::RollingBack);
    assert_eq!(w.store.undo(&lease.run).unwrap()[1].state, UndoState::Registered);
    w.ok(undone(&again, 2));
}

fn a_stuck_undo_is_skipped_or_adopted(w: &World) {
    let lease = stuck(w);
    w.ok(unstick(&lease, StuckAction::Skip));
    let again = w.claim(&lease.run);
    w.ok(Command::UndoFinish { lease: again.clone(), seq: 1, problem: Some(problem()) });
    w.ok(Command::StickRollback { lease: again, problem: problem() });
    w.ok(unstick(&lease, StuckAction::Adopt));
    let states: Vec<ResourceState> =
        w.store.resources(Some(&lease.run), false).unwrap().into_iter().map(|record| record.state).collect();
    assert_eq!(states, [ResourceState::Adopted, ResourceState::Live]);
    let again = w.claim(&lease.run);
    w.ok(Command::FinishRollback { lease: again });
    assert_eq!(w.state(&lease.run), RunState::RolledBack);
}

fn stick(lease: &Lease) -> Command {
    Command::Stick { run: lease.run.clone(), by: "ann".into(), reason: Some("it goes round".into()) }
}

fn an_operator_stops_an_undo_that_is_under_way(w: &World) {
    let lease = failed(w);
    w.ok(undo_begin(&lease, 2));
    w.ok(stick(&lease));
    assert_eq!(w.state(&lease.run), RunState::RollbackStuck);
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!(
        (kind, &data["entry"], data["left_over"].as_array().unwrap().len()),
        (E::RunRollbackStuck, &2.into(), 2)
    );
    assert_eq!(data["error"]["message"], "ann stopped the undo: it goes round");
    // Whoever was at it has the run no more.
    assert_eq!(w.refused(undone(&lease, 2)), Code::LeaseLost);
    assert_eq!(w.refused(stick(&lease)), Code::IllegalTransition);
    let states: Vec<UndoState> = w.store.undo(&lease.run).unwrap().iter().map(|entry| entry.state).collect();
    assert_eq!(states, [UndoState::Registered, UndoState::Failed]);
    w.ok(unstick(&lease, StuckAction::Skip));
    let again = w.claim(&lease.run);
    w.ok(undo_begin(&again, 1));
    w.ok(undone(&again, 1));
    assert_eq!(w.refused(stick(&again)), Code::Conflict, "nothing is left to stop");
    w.ok(Command::FinishRollback { lease: again.clone() });
    let record = w.store.run(&again.run).unwrap().unwrap();
    assert_eq!((record.state, record.problem), (RunState::RolledBack, Some(problem())));
    let forward = w.launch_claimed("r2");
    assert_eq!(w.refused(stick(&forward)), Code::IllegalTransition);
}

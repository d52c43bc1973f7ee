//! The log: rows of many runs side by side, several writers on one run, and what stays when a step is dropped.

use serde_json::Value;
use windlass_model::{
    Code, EffectClass, EventKind as E, Outcome, StepCall,
    command::{Command, Reply},
    event::NewEvent,
};

use super::world::{World, begin, call, creates, error, finish, problem, seen, value};

super::on_both!(
    interleaved_runs_read_back_whole,
    writers_on_one_run_see_each_other,
    a_refused_command_leaves_no_memory,
    a_dropped_step_stays_as_history,
    a_pruned_run_leaves_no_rows,
    an_event_tells_of_the_call_that_finished,
);

fn step(at: usize) -> StepCall {
    call(&at.to_string(), "x", EffectClass::Idempotent)
}

fn interleaved_runs_read_back_whole(w: &World) {
    let leases: Vec<_> = (0..3).map(|index| w.launch_claimed(&format!("r{index}"))).collect();
    // A run that rests leaves gaps in which only others have rows.
    for ordinal in 0..1_300 {
        for (index, lease) in leases.iter().enumerate() {
            if index < 2 || !(20..1_280).contains(&ordinal) {
                w.store.submit_lazy(finish(lease, &step(ordinal), value(ordinal.into()), w.now()));
            }
        }
    }
    let kept = [1_300, 1_300, 40];
    for (lease, kept) in leases.iter().zip(kept) {
        w.ok(Command::Emit { lease: lease.clone(), events: vec![NewEvent::run(E::Log, "end".into())] });
        assert_eq!(w.events(&lease.run).len(), kept + 3);
        assert_eq!(w.store.steps(&lease.run).unwrap().len(), kept);
        for after in [0, 2, 21, 22, 23, 41] {
            let page = w.store.events(&lease.run, after, 7).unwrap();
            let numbers: Vec<i64> = page.iter().map(|event| event.seq).collect();
            let last = (after + 7).min(kept as i64 + 3);
            assert_eq!(numbers, (after + 1..=last).collect::<Vec<_>>(), "after {after}");
        }
        let end = kept as i64 + 3;
        assert_eq!(w.store.events(&lease.run, end - 1, 10).unwrap()[0].data, "end");
        assert_eq!(w.store.events(&lease.run, end, 10).unwrap(), []);
    }
}

fn writers_on_one_run_see_each_other(w: &World) {
    let other = w.second();
    let lease = w.launch_claimed("r1");
    let commit = |ordinal: usize, here: bool, result: usize| {
        let store = if here { &w.store } else { &other };
        seen(&store.commit(finish(&lease, &step(ordinal), value(result.into()), w.now())).unwrap())
    };
    for ordinal in 0..6 {
        let here = ordinal % 2 == 0;
        assert_eq!(commit(ordinal, here, ordinal), ordinal);
        assert_eq!(commit(ordinal, !here, 99), ordinal, "the other one has recorded it");
    }
    other.commit(begin(&lease, &creates("7", "ns"))).unwrap();
    let wrong = finish(&lease, &call("7", "x", EffectClass::Idempotent), value(1.into()), 0);
    assert_eq!(w.refused(wrong), Code::IllegalTransition);
    w.finish(&lease, &creates("7", "ns"), value(1.into()));
    assert_eq!(w.events(&lease.run).len(), 2 + 6 + 2);
}

fn a_refused_command_leaves_no_memory(w: &World) {
    let lease = w.launch_claimed("r1");
    w.finish(&lease, &step(0), value(0.into()));
    // It is refused after it has written: nothing that it did may be remembered.
    let mut next = super::world::new_run("r2");
    next.bundle = "unknown".into();
    assert_eq!(w.refused(Command::ContinueAsNew { lease: lease.clone(), run: Box::new(next) }), Code::NotFound);
    assert_eq!(seen(&w.finish(&lease, &step(1), value(1.into()))), 1);
    assert_eq!(seen(&w.finish(&lease, &step(0), value(9.into()))), 0);
    assert_eq!(w.events(&lease.run), [E::RunLaunched, E::RunStarted, E::StepSucceeded, E::StepSucceeded]);
}

fn a_dropped_step_stays_as_history(w: &World) {
    let lease = w.launch_claimed("r1");
    w.finish(&lease, &step(0), value("x".repeat(3_000).into()));
    w.pass(5);
    let failed = finish(&lease, &step(1), error(problem()), w.now() - 5);
    w.ok(failed);
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    let before = w.store.events(&lease.run, 0, 4).unwrap();
    let drop = ["0", "1", "2"].map(super::world::path).to_vec();
    w.ok(Command::Restart {
        run: lease.run.clone(),
        bundle: "b1".into(),
        drop,
        retake: Vec::new(),
        from: None,
        judged: w.store.next_event(&lease.run).unwrap(),
        by: "ann".into(),
    });
    assert!(w.store.steps(&lease.run).unwrap().is_empty());
    assert_eq!(w.store.events(&lease.run, 0, 4).unwrap(), before);
    assert_eq!((&before[2].data["shortened"], &before[3].data["elapsed_ms"]), (&Value::Bool(true), &5.into()));
    let (kind, data) = w.last_event(&lease.run);
    assert_eq!((kind, &data["dropped"]), (E::RunRestarted, &serde_json::json!(["0", "1"])));
    let again = w.claim(&lease.run);
    assert_eq!(seen(&w.finish(&again, &step(0), value(7.into()))), 7);
    assert_eq!(w.store.steps(&lease.run).unwrap().len(), 1);
}

fn a_pruned_run_leaves_no_rows(w: &World) {
    let (old, young) = (w.launch_claimed("old"), w.launch_claimed("young"));
    for ordinal in 0..10 {
        w.finish(&old, &step(ordinal), value(1.into()));
        w.finish(&young, &step(ordinal), value(2.into()));
    }
    w.ok(Command::Succeed { lease: old.clone(), output: "1".into() });
    w.pass(10);
    assert_eq!(w.ok(Command::Prune { default_retention_ms: 5, limit: 9 }), Reply::Count(1));
    assert!(!w.store.dump().unwrap().contains("\"old\""));
    // The same name again is a run of its own.
    let again = w.launch_claimed("old");
    assert_eq!(seen(&w.finish(&again, &step(0), value(3.into()))), 3);
    assert_eq!(w.events(&again.run), [E::RunLaunched, E::RunStarted, E::StepSucceeded]);
    assert_eq!(w.store.steps(&young.run).unwrap().len(), 10);
}

fn an_event_tells_of_the_call_that_finished(w: &World) {
    let lease = w.launch_claimed("r1");
    let first = creates("0", "ns");
    w.ok(begin(&lease, &first));
    w.pass(3);
    // The sources were changed meanwhile: the same call stands elsewhere.
    let mut moved = first.clone();
    moved.site.line = 8;
    let reply = w.ok(finish(&lease, &moved, value(1.into()), w.now() - 2));
    assert!(matches!(reply, Reply::Outcome(Outcome::Value(_))));
    let (_, data) = w.last_event(&lease.run);
    assert_eq!((&data["site"], &data["elapsed_ms"]), (&"lab/x:8:5".into(), &2.into()));
    let record = w.store.steps(&lease.run).unwrap().remove(0);
    assert_eq!((record.site, record.started_at_ms), (first.site, w.now() - 3));
}

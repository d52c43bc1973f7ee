//! Group commit: neighbours, lazy commands, several stores on one database, closing.

use std::sync::{Arc, Barrier, mpsc};

use windlass_model::{
    Code, EffectClass, EventKind as E, WaitSpec,
    command::{Command, Lease, Reply},
    event::NewEvent,
};
use windlass_store::StoreError;

use super::world::{World, begin, call, creates, finish, new_run, node, value, wait_command};

super::on_both!(
    many_threads_commit,
    a_bad_command_does_not_hurt_its_neighbours,
    a_child_ends_as_its_parent_suspends,
    a_lease_counts_from_when_it_is_given,
    lazy_commands_ride_along_in_order,
    a_lazy_command_can_be_withdrawn,
    lazy_commands_are_flushed_at_the_end,
    two_stores_share_a_database,
    a_closed_store_refuses,
    writes_are_noticed,
);

fn line(message: &str) -> NewEvent {
    NewEvent::run(E::Log, message.into())
}

fn emit(lease: &Lease, message: &str) -> Command {
    Command::Emit { lease: lease.clone(), events: vec![line(message)] }
}

fn many_threads_commit(w: &World) {
    std::thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || {
                let lease = w.launch_claimed(&format!("r{index}"));
                for ordinal in 0..20 {
                    let step = call(&ordinal.to_string(), "x", EffectClass::Idempotent);
                    w.finish(&lease, &step, value(ordinal.into()));
                }
                assert_eq!(w.events(&lease.run).len(), 22);
            });
        }
    });
}

/// Whichever comes first: the parent that waits goes on.
fn a_child_ends_as_its_parent_suspends(w: &World) {
    for (number, child_first) in [true, false].into_iter().enumerate() {
        let (parent, child) = (w.launch_claimed(&format!("p{number}")), w.launch_claimed(&format!("c{number}")));
        w.ok(wait_command(&parent, "0", WaitSpec::Child { run: child.run.clone() }));
        let mut commands =
            vec![Command::Succeed { lease: child, output: "1".into() }, Command::Suspend { lease: parent.clone() }];
        if !child_first {
            commands.reverse();
        }
        assert_eq!(together(w, commands), [Ok(()), Ok(())]);
        let due: Vec<_> = w.claim_all("n1").into_iter().map(|claimed| claimed.lease.run).collect();
        assert_eq!(due, [parent.run]);
    }
}

/// Who was given a run by a database that was away for long has it for as long as everybody else.
fn a_lease_counts_from_when_it_is_given(w: &World) {
    let hold = Arc::new(Barrier::new(2));
    let hold_too = hold.clone();
    w.store.submit(Command::DeleteSecret { name: "none".into() }, Box::new(move |_| _ = hold_too.wait()));
    let (send, receive) = mpsc::channel();
    let entry = windlass_model::audit::NewAudit {
        actor: "user:ann".into(),
        organisation: "platform".into(),
        action: "run.launch".into(),
        target: String::new(),
        source: "cli".into(),
        before: serde_json::Value::Null,
        after: serde_json::Value::Null,
    };
    let launch = Command::Launch { run: Box::new(new_run("r1")), claim: Some((node("n1"), w.now() + 100)) };
    let launch = Command::Audited { command: Box::new(launch), entry: Box::new(entry) };
    w.store.submit(launch, Box::new(move |answer| send.send(answer).unwrap()));
    w.pass(90);
    hold.wait();
    receive.recv().unwrap().unwrap();
    w.pass(50);
    assert!(w.claim_all("n2").is_empty(), "it has had the run for 50 ms of 100");
    w.pass(50);
    assert_eq!(w.claim_all("n2").len(), 1);
}

/// What commands of one batch came to.
fn together(w: &World, commands: Vec<Command>) -> Vec<Result<(), Code>> {
    let answers = in_one_batch(w, commands).into_iter();
    answers.map(|answer| answer.map(drop).map_err(|error| error.problem().code)).collect()
}

/// Commands that stand in the queue together: the writer is held in a callback until all are there.
pub(super) fn in_one_batch(w: &World, commands: Vec<Command>) -> Vec<Result<Reply, StoreError>> {
    let (hold, held) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (hold_too, held_too) = (hold.clone(), held.clone());
    let block = Box::new(move |_| {
        held_too.wait();
        hold_too.wait();
    });
    w.store.submit(Command::DeleteSecret { name: "none".into() }, block);
    held.wait();
    w.told.lock().clear();
    let (send, receive) = mpsc::channel();
    let count = commands.len();
    for (index, command) in commands.into_iter().enumerate() {
        let send = send.clone();
        w.store.submit(command, Box::new(move |answer| send.send((index, answer)).unwrap()));
    }
    hold.wait();
    let mut answers: Vec<_> = (0..count).map(|_| receive.recv().unwrap()).collect();
    answers.sort_by_key(|(index, _)| *index);
    assert!(w.heard().len() <= 1, "they weren't one batch");
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn a_bad_command_does_not_hurt_its_neighbours(w: &World) {
    let lease = w.launch_claimed("r1");
    let stale = Lease { epoch: 9, ..lease.clone() };
    let step = |at: &str| call(at, "x", EffectClass::Idempotent);
    let mut run = new_run("r2");
    run.bundle = "unknown".into();
    let answers = together(
        w,
        vec![
            finish(&lease, &step("0"), value(0.into()), 0),
            finish(&stale, &step("1"), value(1.into()), 0),
            Command::Launch { run: Box::new(run), claim: None },
            finish(&lease, &step("2"), value(2.into()), 0),
        ],
    );
    assert_eq!(answers, [Ok(()), Err(Code::LeaseLost), Err(Code::NotFound), Ok(())]);
    let secret = |name: &str| Command::PutSecret { name: name.into(), sealed: vec![], policy: "{}".into() };
    if !refuse_bad_secrets(w) {
        return;
    }
    // A row that the database itself refuses fails the whole transaction: the others are applied one by one.
    let answers = together(
        w,
        vec![
            finish(&lease, &step("3"), value(3.into()), 0),
            secret("good"),
            secret("bad"),
            finish(&lease, &step("4"), value(4.into()), 0),
            finish(&lease, &step("5"), value(5.into()), 0),
        ],
    );
    assert_eq!(answers, [Ok(()), Ok(()), Err(Code::Storage), Ok(()), Ok(())]);
    let steps = w.store.steps(&lease.run).unwrap();
    assert_eq!(steps.len(), 5);
    assert_eq!(w.events(&lease.run).len(), 7);
    assert_eq!(w.store.secrets().unwrap().len(), 1);
}

/// Makes the database itself refuse a row, behind the store's back.
fn refuse_bad_secrets(w: &World) -> bool {
    if w.url.starts_with("postgres") {
        windlass_tests::postgres::sql(&w.url, "ALTER TABLE secrets ADD CHECK (name <> 'bad')");
        return true;
    }
    w.sqlite_shell(
        "CREATE TRIGGER bad BEFORE INSERT ON secrets WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END",
    )
}

fn lazy_commands_ride_along_in_order(w: &World) {
    let lease = w.launch_claimed("r1");
    w.store.submit_lazy(emit(&lease, "one"));
    w.store.submit_lazy(emit(&Lease { epoch: 9, ..lease.clone() }, "refused"));
    w.store.submit_lazy(emit(&lease, "two"));
    assert_eq!(w.events(&lease.run).len(), 2);
    w.ok(emit(&lease, "three"));
    let events = w.store.events(&lease.run, 2, 10).unwrap();
    let lines: Vec<&str> = events.iter().filter_map(|event| event.data.as_str()).collect();
    assert_eq!(lines, ["one", "two", "three"]);
}

fn a_lazy_command_can_be_withdrawn(w: &World) {
    let lease = w.launch_claimed("r1");
    w.store.submit_lazy_keyed(1, emit(&lease, "one"));
    w.store.submit_lazy_keyed(2, emit(&lease, "two"));
    assert!(w.store.withdraw_lazy(1));
    assert!(!w.store.withdraw_lazy(1));
    w.ok(emit(&lease, "three"));
    assert!(!w.store.withdraw_lazy(2), "it is on disk");
    assert_eq!(w.store.events(&lease.run, 2, 1).unwrap()[0].data, "two");
    assert_eq!(w.events(&lease.run).len(), 4);
}

fn lazy_commands_are_flushed_at_the_end(w: &World) {
    let lease = w.launch_claimed("r1");
    w.store.submit_lazy(emit(&lease, "one"));
    w.store.close();
    assert_eq!(w.second().events(&lease.run, 2, 10).unwrap().len(), 1);
}

fn two_stores_share_a_database(w: &World) {
    let other = w.second();
    let leases: Vec<Lease> = (0..4).map(|index| w.launch_claimed(&format!("r{index}"))).collect();
    std::thread::scope(|scope| {
        for (index, lease) in leases.iter().enumerate() {
            let store = if index % 2 == 0 { &w.store } else { &other };
            scope.spawn(move || {
                for ordinal in 0..25 {
                    let at = ordinal.to_string();
                    store.commit(begin(lease, &creates(&at, &format!("{index}-{at}")))).unwrap();
                    store.commit(finish(lease, &creates(&at, &format!("{index}-{at}")), value(1.into()), 0)).unwrap();
                }
            });
        }
        // Both claim at the same time; each run is taken once.
        scope.spawn(|| other.commit(Command::PutBundle { digest: "b2".into(), body: "{}".into() }).unwrap());
    });
    for lease in &leases {
        assert_eq!(other.steps(&lease.run).unwrap().len(), 25);
        assert_eq!(w.events(&lease.run).len(), 52);
    }
    for index in 0..20 {
        w.launch(&format!("q{index}"));
    }
    let claim = |store: &windlass_store::Store, node: &str| {
        let expires_at_ms = w.now() + 1_000;
        let command = Command::Claim { node: node.into(), limit: 3, expires_at_ms, max_recoveries: 3 };
        match store.commit(command).unwrap() {
            windlass_model::command::Reply::Claimed(taken) => taken,
            other => panic!("{other:?}"),
        }
    };
    let drain = |store: &windlass_store::Store, node: &str| {
        let mut all = Vec::new();
        loop {
            let taken = claim(store, node);
            if taken.is_empty() {
                return all;
            }
            all.extend(taken.into_iter().map(|claimed| claimed.lease.run.to_string()));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let here = scope.spawn(|| drain(&w.store, "n1"));
        let there = drain(&other, "n2");
        [here.join().unwrap(), there].concat()
    });
    // Rows that the other one held at that moment were skipped.
    all.extend(drain(&w.store, "n1"));
    all.sort();
    let distinct = all.len();
    all.dedup();
    assert_eq!((all.len(), distinct), (20, 20));
}

fn a_closed_store_refuses(w: &World) {
    w.store.close();
    w.store.close();
    let answer = w.store.commit(Command::DeleteSecret { name: "s".into() });
    assert!(matches!(answer, Err(StoreError::Failed(problem)) if problem.code == Code::Storage));
}

fn writes_are_noticed(w: &World) {
    let other = w.second();
    let before = w.store.data_version().unwrap();
    other.commit(Command::PutBundle { digest: "b9".into(), body: "{}".into() }).unwrap();
    assert_ne!(w.store.data_version().unwrap(), before);
}

//! Runs that a node has: however many processes write to one, its events are numbered without a gap, and who lost it writes nothing.

use serde_json::json;
use windlass_model::{
    Code, EffectClass, EventKind as E, RunId,
    command::{Command, Reply},
    event::NewEvent,
};
use windlass_store::Store;

use super::world::{World, call, finish, node, path, signal, value};

super::on_both!(
    several_processes_number_the_events_of_one_run,
    who_lost_a_run_to_another_process_writes_nothing,
    what_comes_to_nothing_takes_no_number,
    an_earlier_version_finds_the_next_number_in_the_row,
);

/// What stands in the database holds together, and so many events of the run do.
fn whole(w: &World, run: &RunId, count: i64) {
    let numbers: Vec<i64> = w.store.events(run, 0, 1_000).unwrap().into_iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    let mut found = Store::verify(&w.url).unwrap().findings;
    // The tests' own has a name for a digest.
    found.retain(|finding| finding.check != "bundle");
    assert!(found.is_empty(), "{found:?}");
}

fn step(at: usize) -> windlass_model::StepCall {
    call(&at.to_string(), "exec::probe", EffectClass::Read)
}

fn several_processes_number_the_events_of_one_run(w: &World) {
    let lease = w.launch_claimed("r1");
    let (run, other) = (lease.run.clone(), w.second());
    for round in 0..3 {
        w.finish(&lease, &step(2 * round), value(json!(round)));
        w.ok(signal(&run, "go", json!(round)));
        // A person's word through another process, and one more.
        other.commit(signal(&run, "on", json!(round))).unwrap();
        other.commit(signal(&run, "on", json!(round))).unwrap();
        w.ok(signal(&run, "go", json!(round)));
        // What the lease allows it allows to whoever knows it.
        other.commit(finish(&lease, &step(2 * round + 1), value(json!(round)), w.now())).unwrap();
    }
    whole(w, &run, 2 + 3 * 6);
    // Of a run that nobody has, the row says it.
    w.ok(Command::Succeed { lease, output: "1".into() });
    assert_eq!(other.next_event(&run).unwrap(), 2 + 3 * 6 + 1 + 1);
    whole(w, &run, 2 + 3 * 6 + 1);
}

fn who_lost_a_run_to_another_process_writes_nothing(w: &World) {
    let lease = w.launch_claimed("r1");
    let (run, other) = (lease.run.clone(), w.second());
    w.finish(&lease, &step(0), value(json!(0)));
    other.commit(Command::ExpireLeases { node: None }).unwrap();
    w.pass(1);
    let claim = Command::Claim { node: node("other"), limit: 8, expires_at_ms: w.now() + 10_000, max_recoveries: 5 };
    let Reply::Claimed(claimed) = other.commit(claim).unwrap() else { unreachable!() };
    let anew = claimed.into_iter().next().unwrap().lease;
    assert_eq!((&anew.run, anew.epoch), (&run, lease.epoch + 1));
    assert_eq!(w.refused(finish(&lease, &step(1), value(json!(1)), w.now())), Code::LeaseLost);
    assert_eq!(w.refused(Command::Succeed { lease: lease.clone(), output: "1".into() }), Code::LeaseLost);
    other.commit(finish(&anew, &step(1), value(json!(1)), w.now())).unwrap();
    w.finish(&anew, &step(2), value(json!(2)));
    assert_eq!(w.refused(Command::Release(lease)), Code::LeaseLost);
    w.ok(Command::Release(anew));
    // Launched, begun, a step; begun again, two more.
    whole(w, &run, 6);
}

fn an_earlier_version_finds_the_next_number_in_the_row(w: &World) {
    let (held, free) = (w.launch_claimed("r1"), w.launch_claimed("r2"));
    w.ok(Command::Release(free));
    for at in 0..3 {
        w.finish(&held, &step(at), value(json!(at)));
    }
    if w.url.starts_with("sqlite") {
        let down = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite/20261202000000_numbers/down.sql");
        assert!(w.sql(&std::fs::read_to_string(down).unwrap()));
    }
    // Of what nobody holds the row itself is dumped.
    assert!(w.sql("UPDATE leases SET node = NULL, expires_at_ms = NULL"));
    let dump = w.store.dump().unwrap();
    let rows: Vec<&str> = dump.lines().filter(|line| line.starts_with("leases ")).collect();
    let [first, second] = rows[..] else { panic!("{rows:?}") };
    assert!(first.ends_with(", 6)") && second.ends_with(", 3)"), "{rows:?}");
}

fn what_comes_to_nothing_takes_no_number(w: &World) {
    let lease = w.launch_claimed("r1");
    let run = lease.run.clone();
    let emit = |text: &str| Command::Emit {
        lease: lease.clone(),
        events: vec![NewEvent::run(E::Log, json!({ "text": text }))],
    };
    w.ok(emit("one"));
    let in_vain = Command::InDoubt { lease: lease.clone(), path: path("7") };
    assert_eq!(w.refused(Command::Together(vec![emit("in vain"), in_vain])), Code::NotFound);
    w.ok(emit("two"));
    whole(w, &run, 4);
}

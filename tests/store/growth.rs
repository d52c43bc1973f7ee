//! What must not depend on how much there is: turns of very many organisations, keys that very many runs wait for, and what
//! organisations share in one database, which is nothing that a second database would miss.

use std::collections::BTreeSet;

use windlass_model::{
    Code, EventKind, RunId, WaitSpec,
    command::{Command, NewRun, Rate, Reply},
    event::NewEvent,
    workflow::OnConflict,
};
use windlass_store::Store;

use super::world::{BUNDLE, World, new_run, node, problem, signal};

super::on_both!(
    a_due_run_is_found_behind_any_number_of_organisations_that_sleep,
    very_many_organisations_all_get_their_turn,
    an_end_makes_room_for_more_than_are_looked_at_together,
    what_may_be_removed_goes_by_its_own_time_or_by_the_default,
    organisations_use_the_same_keys,
    what_goes_at_once_is_bounded_by_its_rows,
    a_large_run_goes_in_slices_and_is_whole_or_going_between_them,
);

/// More than one claim looks at.
const MANY: usize = 130;

fn launch(w: &World, run: NewRun) -> RunId {
    let id = run.id.clone();
    w.ok(Command::Launch { run: Box::new(run), claim: None });
    id
}

fn of(organisation: usize, id: &str) -> NewRun {
    NewRun { organisation: format!("org{organisation:03}"), ..new_run(id) }
}

fn claim(w: &World, limit: u32) -> Vec<RunId> {
    let expires_at_ms = w.now() + 1_000_000;
    match w.ok(Command::Claim { node: node("n1"), limit, expires_at_ms, max_recoveries: 3 }) {
        Reply::Claimed(taken) => taken.into_iter().map(|one| one.lease.run).collect(),
        other => panic!("{other:?}"),
    }
}

fn a_due_run_is_found_behind_any_number_of_organisations_that_sleep(w: &World) {
    for number in 0..MANY {
        let lease = w.launch_as(of(number, &format!("sleeps{number:03}"))).unwrap();
        w.park(&lease, "0", WaitSpec::Timer { due_at_ms: w.now() + 1_000_000 });
    }
    for id in ["due1", "due2", "due3"] {
        launch(w, NewRun { organisation: "zeta".into(), ..new_run(id) });
    }
    let found: Vec<RunId> = (0..3).flat_map(|_| claim(w, 1)).collect();
    assert_eq!(found, ["due1".into(), "due2".into(), "due3".into()]);
}

fn very_many_organisations_all_get_their_turn(w: &World) {
    // The first one's runs have all waited longer than those of the others.
    for run in 0..100 {
        launch(w, of(0, &format!("first{run:03}")));
    }
    w.pass(1);
    for number in 1..MANY {
        launch(w, of(number, &format!("run{number:03}")));
    }
    let mut served = BTreeSet::new();
    for _ in 0..MANY + 40 {
        for run in claim(w, 1) {
            served.insert(w.store.run(&run).unwrap().unwrap().organisation);
        }
    }
    assert_eq!(served.len(), MANY);
}

fn an_end_makes_room_for_more_than_are_looked_at_together(w: &World) {
    const LIMIT: usize = 40;
    let keyed =
        |id: String| NewRun { concurrency: Some(("k".into(), LIMIT as u32, OnConflict::Queue)), ..new_run(&id) };
    let began: Vec<_> = (0..LIMIT).filter_map(|number| w.launch_as(keyed(format!("a{number:02}")))).collect();
    assert_eq!(began.len(), LIMIT);
    for number in 0..LIMIT + 5 {
        launch(w, keyed(format!("b{number:02}")));
    }
    assert_eq!(claim(w, 100), []);
    for lease in began {
        w.ok(Command::Succeed { lease, output: "1".into() });
    }
    assert_eq!(claim(w, 100).len(), LIMIT);
}

fn what_may_be_removed_goes_by_its_own_time_or_by_the_default(w: &World) {
    for (id, retention_ms) in [("long", Some(50_000)), ("default", None), ("short", Some(1_000))] {
        let lease = w.launch_as(NewRun { retention_ms, ..new_run(id) }).unwrap();
        w.ok(Command::Succeed { lease, output: "1".into() });
    }
    let prune = |limit: u32| w.ok(Command::Prune { default_retention_ms: 10_000, limit });
    let left = || ["long", "default", "short"].map(|id| w.store.run(&id.into()).unwrap().is_some());
    assert_eq!(prune(10), Reply::Count(0));
    w.pass(1_000);
    assert_eq!((prune(10), left()), (Reply::Count(1), [true, true, false]));
    w.pass(9_000);
    assert_eq!((prune(10), left()), (Reply::Count(1), [true, false, false]));
    w.pass(40_000);
    assert_eq!((prune(1), left()), (Reply::Count(1), [false, false, false]));
}

fn organisations_use_the_same_keys(w: &World) {
    for organisation in ["acme", "zeta"] {
        let run = |id: &str| NewRun { organisation: organisation.into(), ..new_run(&format!("{organisation}-{id}")) };
        let keyed = NewRun { idempotency_key: Some("order-1".into()), ..run("idempotent") };
        assert_eq!(launch(w, keyed.clone()), keyed.id);
        assert!(w.store.run(&keyed.id).unwrap().is_some(), "the other organisation's run isn't the answer");
        let alone = NewRun { concurrency: Some(("k".into(), 1, OnConflict::Reject)), ..run("alone") };
        assert!(w.launch_as(alone).is_some(), "the other organisation's run isn't in the way");
        let rated = Rate { key: "k".into(), limit: 1, per_ms: 1_000, reject: true };
        let lease = w.launch_as(NewRun { rate: Some(rated), ..run("rated") }).unwrap();
        w.ok(Command::Signal {
            id: None,
            run: lease.run.clone(),
            name: "go".into(),
            payload: 1.into(),
            by: "ann".into(),
        });
        w.ok(signal(&lease.run, "go", 2.into()));
    }
}

/// Unique keys that name neither an organisation nor a run, and why two databases may both have them.
const ALONE: &[(&str, &str, &str)] = &[
    ("runs", "id", "made at random, once in the world"),
    ("bundles", "digest", "the digest of what it holds: the same is the same"),
    ("log", "id", "a number within one database, which only cursors of its own feed name"),
    ("chains", "root,round", "as the run that is the first"),
    ("documents", "kind,id", "of the platform, and copied to each; or made at random"),
    ("document_keys", "kind,key", "as its document"),
    ("audit", "seq", "each database has a chain of its own"),
    ("nodes", "id", "each database has nodes of its own"),
    ("locks", "name", "of what a database's runs share: organisations that share a lock stay together"),
    ("kv", "key", "but the platform's keys, each begins with its organisation"),
    ("secrets", "name", "of the platform, and copied to each"),
    ("ledger_accounts", "id", "begins with its organisation"),
    ("ledger_accounts", "id,currency", "as its id"),
    ("ledger_entries", "transaction_id,seq", "as its transaction"),
    ("ledger_transactions", "id", "made of the step or at random"),
    ("ledger_transactions", "kind,reference", "made of a redemption, a claim or a payment's own number"),
    ("ledger_transactions", "reverses", "as its transaction"),
    ("voucher_batches", "id", "made at random"),
    ("voucher_batches", "key", "the step that issued it, once in the world"),
    ("voucher_claims", "direction,peer,id", "each database knows its Sovereigns by itself"),
    ("voucher_redemptions", "id", "made at random"),
    ("voucher_redemptions", "key", "the step that redeemed it"),
    ("voucher_redemptions", "reversed_by", "as its transaction"),
    ("voucher_redemptions", "transaction_id", "as its transaction"),
    ("voucher_redemptions", "voucher,customer", "as its voucher"),
    ("voucher_redemptions", "voucher,holder", "as its voucher"),
    ("vouchers", "id", "made at random"),
    ("vouchers", "lookup", "of a code that is made at random"),
    ("vouchers", "origin,nonce", "of another Sovereign's: made at random there"),
    ("__diesel_schema_migrations", "version", "each database has a schema of its own"),
];

#[test]
fn every_unique_key_is_an_organisations_or_a_runs_or_known_not_to_be() {
    let Some(w) = World::postgres() else { return };
    let text = windlass_tests::postgres::sql(
        &w.url,
        "SELECT t.relname || ' ' || string_agg(a.attname, ',' ORDER BY k.place) \
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace \
         CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number \
         WHERE i.indisunique AND s.nspname = 'public' GROUP BY t.relname, i.indexrelid",
    );
    let found: BTreeSet<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let shared = |columns: &str| !columns.split(',').any(|column| matches!(column, "organisation" | "run_id"));
    let alone: BTreeSet<(&str, &str)> = found.into_iter().filter(|(_, columns)| shared(columns)).collect();
    assert_eq!(alone, ALONE.iter().map(|(table, columns, _)| (*table, *columns)).collect());
}

fn what_goes_at_once_is_bounded_by_its_rows(w: &World) {
    const RUNS: u64 = 12;
    for number in 0..RUNS {
        let lease = w.launch_as(NewRun { retention_ms: None, ..new_run(&format!("r{number:03}")) }).unwrap();
        let rows = if number == 1 { 8_000 } else { 1_000 };
        let events = vec![NewEvent::run(EventKind::Log, "m".into()); rows];
        w.ok(Command::Emit { lease: lease.clone(), events });
        w.ok(Command::Succeed { lease, output: "1".into() });
    }
    w.pass(10_000);
    let prune = || w.ok(Command::Prune { default_retention_ms: 10_000, limit: 500 });
    // Five thousand rows, about; what is larger than that goes alone, in slices.
    let went: Vec<Reply> = (0..8).map(|_| prune()).collect();
    let count = Reply::Count;
    assert_eq!(went, [count(1), count(1), Reply::Partly, Reply::Partly, count(4), count(4), count(2), count(0)]);
}

fn a_large_run_goes_in_slices_and_is_whole_or_going_between_them(w: &World) {
    const ROWS: usize = 12_000;
    let lease = w.launch_as(NewRun { retention_ms: None, ..new_run("large") }).unwrap();
    let other = w.launch_claimed("other");
    for _ in 0..ROWS / 1_000 {
        w.ok(Command::Emit { lease: lease.clone(), events: vec![NewEvent::run(EventKind::Log, "m".into()); 1_000] });
        // Rows of both stand in the same blocks.
        w.ok(Command::Emit { lease: other.clone(), events: vec![NewEvent::run(EventKind::Log, "o".into())] });
    }
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    w.pass(10_000);
    let prune = |store: &Store| store.commit(Command::Prune { default_retention_ms: 10_000, limit: 500 }).unwrap();
    let run = &lease.run;
    let sound = || {
        let found = Store::verify(&w.url).unwrap().findings;
        // The world's own bundle has a short name instead of a digest.
        let found: Vec<_> = found.into_iter().filter(|found| found.check != "bundle").collect();
        assert_eq!(found, []);
        let numbers = w.store.events(run, 0, 20_000).unwrap().into_iter().map(|event| event.seq);
        numbers.zip(1..).map(|(number, expected)| assert_eq!(number, expected, "a gap")).count()
    };
    let mut left = sound();
    assert!(left > ROWS);
    let mut slices = 0;
    // Whoever comes next goes on: a process that was killed between two has kept nothing to itself.
    while w.store.run(run).unwrap().is_some() {
        let expected = if slices == 0 { Reply::Count(1) } else { Reply::Partly };
        assert_eq!(prune(&w.second()), expected);
        slices += 1;
        let before = std::mem::replace(&mut left, sound());
        assert!(before - left <= 5_000, "{} rows in one transaction", before - left);
        assert!(before > left || w.store.run(run).unwrap().is_none(), "a slice of nothing");
        // Its steps would be done again.
        let (bundle, drop, retake) = (BUNDLE.into(), Vec::new(), Vec::new());
        let (run_again, judged) = (run.clone(), w.store.next_event(run).unwrap_or(1));
        let restart =
            Command::Restart { run: run_again, bundle, drop, retake, from: None, judged, by: "ann".to_owned() };
        assert_eq!(w.refused(restart), Code::RunNotFound);
        assert_eq!(w.refused(signal(run, "go", 1.into())), Code::RunNotFound);
    }
    assert!(slices >= 3, "{slices} slices");
    assert_eq!((left, prune(&w.store)), (0, Reply::Count(0)));
    assert_eq!(w.events(&other.run).iter().filter(|kind| **kind == EventKind::Log).count(), ROWS / 1_000);
}

#[test]
fn a_slice_looks_through_few_blocks_however_thinly_a_run_stands_in_them() {
    let w = &World::sqlite();
    let lease = w.launch_as(NewRun { retention_ms: None, ..new_run("thin") }).unwrap();
    let other = w.launch_claimed("other");
    let emit = |lease: &windlass_model::command::Lease, rows: usize| {
        w.ok(Command::Emit { lease: lease.clone(), events: vec![NewEvent::run(EventKind::Log, "m".into()); rows] });
    };
    // More than goes at once, and then one row in each of a hundred blocks of 1,024.
    (0..6).for_each(|_| emit(&lease, 1_000));
    for _ in 0..100 {
        emit(&lease, 1);
        emit(&other, 1_023);
    }
    w.ok(Command::Fail { lease: lease.clone(), problem: problem(), undo: false });
    w.pass(10_000);
    let left = || w.store.events(&lease.run, 0, 20_000).unwrap().len();
    let before = left();
    assert_eq!(w.ok(Command::Prune { default_retention_ms: 10_000, limit: 500 }), Reply::Count(1));
    let gone = before - left();
    assert!((1..=70).contains(&gone), "{gone} rows of a hundred blocks");
}

//! Locks' names: each organisation has its own, and what all share is held by one of them at a time.

use serde_json::Value;
use windlass_model::{
    LockName, RunState, WaitSpec,
    command::{Command, Lease, NewRun},
    query::LockRecord,
};

use super::world::{World, new_run, problem, seen};

super::on_both!(
    organisations_are_not_held_up_by_each_others_locks,
    a_lock_across_organisations_is_held_by_one_run,
    a_restart_takes_a_lock_across_organisations_again,
    what_was_held_before_is_held_after_the_migration,
    a_lock_of_any_verb_has_a_plain_name_for_an_earlier_version,
    who_waits_for_its_own_lock_looks_again_after_the_migration,
);

fn lock(name: &str, across: Option<&str>) -> WaitSpec {
    let lock = LockName::new(name, across.map(str::to_owned));
    WaitSpec::Lock { lock, expires_at_ms: None, from_stuck: false, scoped: false, beside: false }
}

fn launch(w: &World, organisation: &str, id: &str) -> Lease {
    w.launch_as(NewRun { organisation: organisation.into(), ..new_run(id) }).unwrap()
}

fn held(w: &World) -> Vec<(String, String)> {
    let record = |lock: LockRecord| (lock.name, lock.run.to_string());
    w.store.locks().unwrap().into_iter().map(record).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, run)| ((*name).into(), (*run).into())).collect()
}

fn organisations_are_not_held_up_by_each_others_locks(w: &World) {
    let runs = [("platform", "a"), ("acme", "b"), ("beta", "c")].map(|(organisation, id)| launch(w, organisation, id));
    for lease in &runs {
        assert_eq!(seen(&w.wait(lease, "0", lock("deploy", None))), Value::Null);
    }
    // They see it by the name that their script has for it.
    assert_eq!(held(w), pairs(&[("deploy", "a"), ("deploy", "b"), ("deploy", "c")]));
    let second = launch(w, "acme", "d");
    w.park(&second, "0", lock("deploy", None));
    let [other, own, _] = runs;
    w.ok(Command::Succeed { lease: other, output: "1".into() });
    assert_eq!(w.due(&second.run), None, "its own organisation has it");
    w.ok(Command::Succeed { lease: own, output: "1".into() });
    assert_eq!(w.due(&second.run), Some(w.now()));
}

fn a_lock_across_organisations_is_held_by_one_run(w: &World) {
    let (a, b) = (launch(w, "acme", "a"), launch(w, "beta", "b"));
    let shared = || lock("a.example", Some("dns.write"));
    assert_eq!(seen(&w.wait(&a, "0", shared())), Value::Null);
    w.park(&b, "0", shared());
    // A name that a script can make is another lock.
    let c = launch(w, "beta", "c");
    assert_eq!(seen(&w.wait(&c, "0", lock("a.example", None))), Value::Null);
    w.ok(Command::Succeed { lease: a, output: "1".into() });
    assert_eq!(w.due(&b.run), Some(w.now()));
    let b = w.claim(&b.run);
    assert_eq!(seen(&w.wait(&b, "0", shared())), Value::Null);
    assert_eq!(held(w), pairs(&[("a.example", "b"), ("a.example", "c")]));
}

fn a_restart_takes_a_lock_across_organisations_again(w: &World) {
    let failed = launch(w, "acme", "a");
    assert_eq!(seen(&w.wait(&failed, "0", lock("a.example", Some("dns.write")))), Value::Null);
    w.ok(Command::Fail { lease: failed.clone(), problem: problem(), undo: false });
    assert_eq!((w.state(&failed.run), held(w)), (RunState::Failed, pairs(&[])));
    w.ok(Command::Restart {
        run: failed.run.clone(),
        bundle: super::world::BUNDLE.into(),
        drop: Vec::new(),
        retake: vec![LockName::new("a.example", Some("dns.write".into()))],
        from: None,
        judged: w.store.next_event(&failed.run).unwrap(),
        by: "ann".into(),
    });
    let other = launch(w, "beta", "b");
    w.park(&other, "0", lock("a.example", Some("dns.write")));
    assert_eq!(held(w), pairs(&[("a.example", "a")]));
}

/// The statements of the migration, as this database gets them.
fn migration(w: &World, file: &str) -> String {
    statements(w, "20261130000000_lock_names", file)
}

fn statements(w: &World, migration: &str, file: &str) -> String {
    let database = if w.url.starts_with("postgres") { "postgres" } else { "sqlite" };
    let folder = format!("{}/../migrations/{database}/{migration}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(format!("{folder}/{file}.sql")).unwrap()
}

fn what_was_held_before_is_held_after_the_migration(w: &World) {
    let (a, b, c) = (launch(w, "acme", "a"), launch(w, "acme", "b"), launch(w, "platform", "c"));
    w.wait(&a, "0", lock("deploy", None));
    w.wait(&a, "1", lock("x.example", Some("dns.write")));
    w.park(&b, "0", lock("deploy", None));
    w.wait(&c, "0", lock("other", None));
    w.park(&c, "1", lock("x.example", Some("dns.write")));
    let before = w.store.dump().unwrap().replace('\\', "");
    // As an earlier version has left it: everybody's names are one space.
    assert!(w.sql(&migration(w, "down")));
    assert_eq!(
        held(w),
        pairs(&[("deploy", "a"), ("domain of a Sovereign/x.example", "a"), ("other", "c")]),
        "names that have no organisation in them"
    );
    assert!(w.sql(&migration(w, "up")));
    let after = w.store.dump().unwrap().replace('\\', "");
    let order = [r#""across":"dns.write","name":"x.example""#, r#""name":"x.example","across":"dns.write""#];
    assert_eq!(after.replace(order[0], order[1]), before);
    // Those who wait get it from those who have it.
    w.ok(Command::Succeed { lease: a, output: "1".into() });
    for (run, path, wanted) in
        [(&b.run, "0", lock("deploy", None)), (&c.run, "1", lock("x.example", Some("dns.write")))]
    {
        assert_eq!(w.due(run), Some(w.now()), "{run}");
        let lease = w.claim(run);
        assert_eq!(seen(&w.wait(&lease, path, wanted)), Value::Null);
    }
}

fn a_lock_of_any_verb_has_a_plain_name_for_an_earlier_version(w: &World) {
    let (a, b) = (launch(w, "acme", "a"), launch(w, "beta", "b"));
    let press = || lock("press", Some("print.write"));
    w.wait(&a, "0", press());
    w.wait(&a, "1", lock("x.example", Some("dns.write")));
    w.park(&b, "0", press());
    let mark = if w.url.starts_with("postgres") { "chr(30)" } else { "char(30)" };
    for (verb, name) in [("print.write", "old press"), ("dns.write", "y.example")] {
        let name = format!("{mark} || '{verb}' || {mark} || '{name}'");
        assert!(w.sql(&format!("INSERT INTO lost_locks (run_id, name) VALUES ('a', {name})")));
    }
    assert!(w.sql(&migration(w, "down")));
    assert_eq!(held(w), pairs(&[("domain of a Sovereign/x.example", "a"), ("press", "a")]));
    let dump = w.store.dump().unwrap();
    let left: Vec<&str> = dump
        .lines()
        .filter(|line| ["locks ", "lost_locks ", "waits "].iter().any(|table| line.starts_with(table)))
        .filter(|line| line.contains(['\u{1e}', '\u{1f}']) || line.contains("\\u{1") || line.contains("across"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    for name in ["old press", "domain of a Sovereign/y.example"] {
        assert!(dump.lines().any(|line| line.starts_with("lost_locks ") && line.contains(name)), "{name}: {dump}");
    }
    let waits = dump.lines().find(|line| line.starts_with("waits ")).unwrap().replace('\\', "");
    assert!(waits.contains(r#"{"wait":"lock","name":"press","expires_at_ms":null}"#), "{waits}");
}

fn who_waits_for_its_own_lock_looks_again_after_the_migration(w: &World) {
    let (a, b) = (launch(w, "acme", "a"), launch(w, "acme", "b"));
    assert_eq!(seen(&w.wait(&a, "0/b0/0", lock("deploy", None))), Value::Null);
    let WaitSpec::Lock { lock: deploy, expires_at_ms, from_stuck, scoped, .. } = lock("deploy", None) else { panic!() };
    w.park(&a, "0/b1/0", WaitSpec::Lock { lock: deploy, expires_at_ms, from_stuck, scoped, beside: true });
    w.park(&b, "0", lock("deploy", None));
    // As an earlier version has left it.
    assert!(w.sql("UPDATE runs SET due_at_ms = NULL WHERE id = 'a'"));
    assert_eq!((w.due(&a.run), w.due(&b.run)), (None, None));
    assert!(w.sql(&statements(w, "20261201000000_own_locks", "up")));
    assert_eq!((w.due(&a.run), w.due(&b.run)), (Some(0), None), "another run's lock is still another's");
    let a = w.claim(&a.run);
    assert_eq!(seen(&w.wait(&a, "0/b1/0", lock("deploy", None))), Value::Null);
}

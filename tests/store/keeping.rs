//! Checking a database, copying it, and what a restore leaves in it: each kind of damage is made on purpose and found.

use serde_json::json;
use windlass_model::{
    Code, EffectClass, Restored, RunId,
    audit::NewAudit,
    command::{Claimed, Command, Reply},
    document::{Change, Expected},
    wait::Resolution,
};
use windlass_store::{Store, StoreError};
use windlass_tests::postgres::{database, sql};

use super::{
    on_both,
    world::{World, begin, call, creates, finish, new_run, node, path, signal, value, wait_command},
};

on_both!(
    a_sound_database_has_no_findings,
    every_kind_of_damage_is_found,
    what_comes_from_a_backup_is_in_doubt_where_it_may_have_happened,
);

/// A bundle whose digest fits.
const BODY: &str = "{\"entry\":\"lab/y\"}";

/// Runs in all kinds of states, with everything that a database can hold.
fn fill(world: &World) {
    let digest = blake3::hash(BODY.as_bytes()).to_hex().to_string();
    world.ok(Command::PutBundle { digest: digest.as_str().into(), body: BODY.into() });
    let launch = |id: &str| {
        world.launch_as(windlass_model::command::NewRun { bundle: digest.as_str().into(), ..new_run(id) }).unwrap()
    };
    let ended = launch("ended");
    for at in ["0", "1", "2"] {
        let step = creates(at, &format!("ns{at}"));
        world.ok(begin(&ended, &step));
        world.ok(finish(&ended, &step, value(json!({ "at": at })), world.now()));
    }
    world.ok(Command::Succeed { lease: ended, output: "1".into() });
    let waits = launch("waits");
    let step = call("0", "exec::run", EffectClass::AtMostOnce);
    world.ok(begin(&waits, &step));
    world.ok(finish(&waits, &step, value(json!("x")), world.now()));
    let wait = windlass_model::WaitSpec::Signal { name: "go".into(), expires_at_ms: None };
    world.ok(wait_command(&waits, "1", wait));
    world.ok(Command::Suspend { lease: waits });
    let open = launch("open");
    world.ok(begin(&open, &creates("0", "half")));
    world.ok(begin(&open, &call("1", "exec::run", EffectClass::AtMostOnce)));
    world.ok(signal(&open.run, "early", json!({ "ü": [1, null] })));
    world.ok(Command::Change(vec![Change::Put {
        kind: "user".into(),
        id: "ann".into(),
        organisation: "platform".into(),
        body: json!({ "name": "ann" }),
        keys: vec!["name:ann".into()],
        expires_at_ms: None,
        expected: Expected::Any,
    }]));
    for target in ["a", "b", "c"] {
        world.ok(Command::Audit(Box::new(NewAudit {
            actor: "user:ann".into(),
            action: "x".into(),
            target: target.into(),
            ..NewAudit::default()
        })));
    }
    // The world's own bundle has a short name instead of a digest.
    damage(world, "DELETE FROM bundles WHERE digest = 'b1'");
}

/// Changes the database as no program of ours would.
fn damage(world: &World, text: &str) {
    if world.url.starts_with("sqlite:") {
        assert!(world.sqlite_shell(&format!("PRAGMA foreign_keys = OFF; {text};")), "{text}");
    } else {
        sql(&world.url, &format!("SET session_replication_role = replica; {text};"));
    }
}

fn findings(world: &World) -> Vec<(String, String)> {
    let verified = Store::verify(&world.url).unwrap();
    verified
        .findings
        .into_iter()
        .map(|found| (found.check.to_owned(), format!("{} {}", found.run.unwrap_or_default(), found.message)))
        .collect()
}

fn a_sound_database_has_no_findings(world: &World) {
    fill(world);
    let verified = Store::verify(&world.url).unwrap();
    assert_eq!(verified.findings, []);
    let count = |what: &str| verified.checked.iter().find(|(name, _)| *name == what).unwrap().1;
    assert_eq!((count("runs"), count("bundles"), count("audit entries")), (3, 1, 3));
    assert!(count("events") > 10);
}

fn every_kind_of_damage_is_found(world: &World) {
    fill(world);
    let append_only = match world.url.starts_with("sqlite:") {
        true => "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; ",
        false => "",
    };
    // Each is taken back before the next: the damage, what takes it back, and where and as what it is found.
    let cases = [
        ("UPDATE bundles SET body = body || ' '", "UPDATE bundles SET body = trim(body)", "bundle", "digest"),
        (
            "UPDATE log SET seq = seq + 100 WHERE run_id = 'ended' AND seq = 4",
            "UPDATE log SET seq = 4 WHERE seq = 104",
            "journal",
            "ended event 4 is missing",
        ),
        (
            "UPDATE log SET path = '0' WHERE run_id = 'ended' AND path = '1' AND op IS NOT NULL",
            "UPDATE log SET path = '1' WHERE run_id = 'ended' AND path = '0' AND seq > 5 AND op IS NOT NULL",
            "journal",
            "ended step 0 is finished twice",
        ),
        (
            "UPDATE leases SET next_seq = next_seq + 1 WHERE run_id = 'waits'",
            "UPDATE leases SET next_seq = next_seq - 1 WHERE run_id = 'waits'",
            "journal",
            "waits its next event",
        ),
        (
            "INSERT INTO kv VALUES ('keep', 'x', 0); UPDATE steps SET path = '9' WHERE run_id = 'waits'",
            "UPDATE steps SET path = '1' WHERE run_id = 'waits'",
            "orphan",
            "waits a wait is left at 1",
        ),
        (
            "UPDATE waits SET run_id = 'gone' WHERE run_id = 'waits'",
            "UPDATE waits SET run_id = 'waits' WHERE run_id = 'gone'",
            "wait",
            "waits it waits on signal, and none of its steps does",
        ),
        (
            "UPDATE leases SET node = 'n9', expires_at_ms = 5 WHERE run_id = 'ended'",
            "UPDATE leases SET node = NULL, expires_at_ms = NULL WHERE run_id = 'ended'",
            "lease",
            "ended it has ended, and node n9 holds it",
        ),
        (
            "UPDATE leases SET node = NULL, expires_at_ms = NULL WHERE run_id = 'open'",
            "UPDATE leases SET node = 'n1', expires_at_ms = 9000000 WHERE run_id = 'open'",
            "lease",
            "open it is running, and nobody will take it up",
        ),
        (
            "UPDATE leases SET run_id = 'gone' WHERE run_id = 'open'",
            "UPDATE leases SET run_id = 'open' WHERE run_id = 'gone'",
            "lease",
            "open it has no lease row",
        ),
        (
            "INSERT INTO locks VALUES ('door', 'ended', 1)",
            "DELETE FROM locks",
            "lock",
            "ended it has ended or isn't there, and holds the lock `door`",
        ),
        (
            "UPDATE resources SET run_id = 'gone' WHERE run_id = 'open'",
            "UPDATE resources SET run_id = 'open' WHERE run_id = 'gone'",
            "resource",
            "gone net namespace `half` is creating",
        ),
        (
            "UPDATE document_keys SET id = 'bob'",
            "UPDATE document_keys SET id = 'ann'",
            "document",
            "names the user `bob`",
        ),
        (
            "UPDATE signals SET run_id = 'gone'",
            "UPDATE signals SET run_id = 'open'",
            "orphan",
            "gone signal `early` is left",
        ),
        (
            "UPDATE undo SET run_id = 'gone' WHERE run_id = 'open'",
            "UPDATE undo SET run_id = 'open' WHERE run_id = 'gone'",
            "orphan",
            "gone an undo entry is left for step 0",
        ),
        (
            "UPDATE log SET run_id = 'gone' WHERE run_id = 'waits'",
            "UPDATE log SET run_id = 'waits' WHERE run_id = 'gone'",
            "orphan",
            "gone events are left",
        ),
        (
            "INSERT INTO artifacts VALUES ('ended', 'plan', 'text/plain', 1, 'aa', 'x', 1)",
            "DELETE FROM artifacts",
            "artifact",
            "ended artifact `plan` was changed",
        ),
        (
            "UPDATE audit SET actor = 'user:bob' WHERE seq = 2",
            "UPDATE audit SET actor = 'user:ann' WHERE seq = 2",
            "audit",
            "entry 2 was changed",
        ),
        (
            "UPDATE audit SET seq = 7 WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq = 7",
            "audit",
            "entry 3 is missing",
        ),
    ];
    damage(world, &format!("{append_only}SELECT 1"));
    for (harm, mend, check, text) in cases {
        damage(world, harm);
        let found = findings(world);
        assert!(
            found.iter().any(|(known, message)| known == check && message.contains(text)),
            "{harm}: {check} `{text}` isn't among {found:?}"
        );
        damage(world, mend);
        assert_eq!(findings(world), [], "after `{mend}`");
    }
    if world.url.starts_with("sqlite:") {
        damage(world, "DELETE FROM log_blocks WHERE run_id = 'ended'");
        assert!(findings(world).iter().any(|(_, message)| message.contains("aren't found by block")));
    }
}

fn claimed(world: &World, run: &RunId) -> Claimed {
    world.claim_all("n2").into_iter().find(|claimed| claimed.lease.run == *run).unwrap()
}

fn what_comes_from_a_backup_is_in_doubt_where_it_may_have_happened(world: &World) {
    fill(world);
    let before = world.launch_claimed_with_bundle("paused");
    world.pass(10);
    let open = Store::mark_restored(&world.url, world.now(), false, NewAudit::default()).unwrap();
    assert_eq!(open, 3, "`ended` has ended");
    // Whoever had the run before writes nothing any more, whatever epoch is given out next.
    world.pass(10);
    let now = claimed(world, &before.run);
    assert!(now.lease.epoch > before.epoch + 1_000);
    assert_eq!(now.restored, Restored::Itself);
    assert_eq!(world.refused(begin(&before, &call("0", "exec::run", EffectClass::AtMostOnce))), Code::LeaseLost);
    // What a person says wasn't done stands there as never tried: it is done then, and not doubted again.
    let step = call("0", "exec::run", EffectClass::AtMostOnce);
    world.ok(begin(&now.lease, &step));
    world.ok(Command::InDoubt { lease: now.lease.clone(), path: path("0") });
    world.ok(Command::Suspend { lease: now.lease });
    let (run, by) = (before.run.clone(), "ann".to_owned());
    world.ok(Command::Resolve { run, path: path("0"), resolution: Resolution::Perform, by });
    let steps = world.store.journal(&before.run).unwrap().steps;
    assert_eq!((steps.len(), steps[0].attempts), (1, 0));
    let again = claimed(world, &before.run);
    world.ok(begin(&again.lease, &step));
    assert_eq!(world.store.journal(&before.run).unwrap().steps[0].attempts, 1);
    // What it launches had other keys then.
    world.pass(10);
    let child = windlass_model::command::NewRun { parent: Some((before.run, path("1"))), ..with_bundle("child") };
    let expires_at_ms = world.now() + 1_000;
    let launched = Command::Launch { run: Box::new(child), claim: Some((node("n2"), expires_at_ms)) };
    let Reply::Launched { claimed: Some(child), .. } = world.ok(launched) else { panic!("not claimed") };
    assert_eq!(child.restored, Restored::Above);
    assert!(child.restored.doubts(EffectClass::Keyed) && !Restored::Itself.doubts(EffectClass::Keyed));
    assert_eq!(findings(world), []);
}

fn with_bundle(id: &str) -> windlass_model::command::NewRun {
    let digest = blake3::hash(BODY.as_bytes()).to_hex().to_string();
    windlass_model::command::NewRun { bundle: digest.as_str().into(), ..new_run(id) }
}

impl World {
    fn launch_claimed_with_bundle(&self, id: &str) -> windlass_model::command::Lease {
        self.launch_as(with_bundle(id)).unwrap()
    }
}

#[test]
fn a_copy_is_the_same_on_the_other_database_and_back() {
    let Some(target) = database() else { return windlass_tests::skip("no PostgreSQL is installed") };
    let world = World::sqlite();
    fill(&world);
    let there = Store::copy(&world.url, &target, &mut |_| ()).unwrap();
    let counted: Vec<_> = there.iter().filter(|table| table.rows > 0).map(|table| table.table).collect();
    for table in ["bundles", "runs", "run_terms", "leases", "steps", "log", "waits", "signals", "resources", "undo"] {
        assert!(counted.contains(&table), "{table} isn't among {counted:?}");
    }
    assert_eq!(Store::verify(&target).unwrap().findings, []);
    // What comes next has a number of its own.
    let back = format!("sqlite:{}/back.db", world.folder().display());
    let again = Store::copy(&target, &back, &mut |_| ()).unwrap();
    assert_eq!(again, there);
    assert_eq!(Store::verify(&back).unwrap().findings, []);
    let refused = Store::copy(&world.url, &target, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::Refused(problem) if problem.code == Code::Conflict));
    let next = "INSERT INTO log (run_id, seq, at_ms, kind, data) VALUES ('system', 1, 1, 'x', '{}') RETURNING id";
    let last: i64 = sql(&target, "SELECT max(id) FROM log").parse().unwrap();
    assert_eq!(sql(&target, next).parse::<i64>().unwrap(), last + 1);
}

#[test]
fn a_copy_that_breaks_off_leaves_nothing() {
    let Some(target) = database() else { return windlass_tests::skip("no PostgreSQL is installed") };
    let world = World::sqlite();
    fill(&world);
    // PostgreSQL doesn't take what SQLite took.
    damage(&world, "INSERT INTO kv VALUES ('odd', 'a' || char(0) || 'b', 1)");
    Store::copy(&world.url, &target, &mut |_| ()).unwrap_err();
    assert!(Store::is_empty(&target).unwrap());
    damage(&world, "DELETE FROM kv");
    Store::copy(&world.url, &target, &mut |_| ()).unwrap();
}

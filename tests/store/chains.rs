//! Runs that go on as new ones, again and again: who waits for them, what retention leaves, and what is handed on.

use serde_json::json;
use windlass_model::{
    Code, RunId, RunState, WaitSpec,
    command::{Command, Lease, NewRun, Reply},
    query::RunFilter,
    wait::{ApprovalRequest, Decision, OnExpiry},
    workflow::Priority,
};

use super::world::{World, new_run, path, seen, signal, wait_command};

super::on_both!(
    whoever_waits_for_a_chain_gets_its_end_though_its_middle_is_gone,
    whoever_waits_for_any_of_a_chain_gets_its_end,
    the_end_of_a_chain_stays_while_its_parent_may_ask,
    a_parent_stays_while_its_child_is_open,
    an_end_of_a_long_chain_locks_little,
    signals_that_nobody_took_go_along,
    a_signal_to_a_run_that_went_on_reaches_the_last,
    what_a_launch_said_goes_along,
    nobody_decides_for_a_run_that_they_launched_generations_ago,
    a_value_that_no_database_takes_is_a_refusal,
    chains_of_runs_that_were_there_before_are_known,
);

const DAY_MS: i64 = 86_400_000;

fn go_on(w: &World, lease: Lease, next: &str) -> Lease {
    let reply = w.ok(Command::ContinueAsNew { lease, run: Box::new(new_run(next)) });
    assert!(matches!(reply, Reply::Launched { existing: false, .. }), "{reply:?}");
    w.claim(&next.into())
}

fn prune(w: &World) {
    while w.ok(Command::Prune { default_retention_ms: DAY_MS, limit: 10 }) != Reply::Count(0) {}
}

fn left(w: &World) -> Vec<String> {
    let runs = w.store.runs(&RunFilter::default()).unwrap();
    let mut left: Vec<String> = runs.into_iter().map(|run| run.id.to_string()).collect();
    left.sort_unstable();
    left
}

fn child(w: &World, parent: &Lease, id: &str) -> Lease {
    let launched_by = format!("run:{}", parent.run);
    w.launch_as(NewRun { parent: Some((parent.run.clone(), path("0"))), launched_by, ..new_run(id) }).unwrap()
}

fn awaited(id: &str) -> WaitSpec {
    WaitSpec::Child { run: id.into() }
}

fn whoever_waits_for_a_chain_gets_its_end_though_its_middle_is_gone(w: &World) {
    let parent = w.launch_claimed("p");
    let a = child(w, &parent, "a");
    w.park(&parent, "1", awaited("a"));
    let b = go_on(w, a, "b");
    let c = go_on(w, b, "c");
    w.pass(2 * DAY_MS);
    prune(w);
    let parents: Vec<Option<RunId>> =
        ["a", "c"].map(|id| w.store.run(&id.into()).unwrap().unwrap().parent.map(|(run, _)| run)).to_vec();
    assert_eq!(parents, [Some("p".into()), Some("p".into())]);
    assert_eq!(left(w), ["a", "c", "p"]);
    w.ok(Command::Succeed { lease: c, output: "7".into() });
    assert_eq!(w.due(&"p".into()), Some(w.now()));
    let parent = w.claim(&"p".into());
    assert_eq!(seen(&w.wait(&parent, "1", awaited("a"))), json!(7));
}

fn whoever_waits_for_any_of_a_chain_gets_its_end(w: &World) {
    let a = w.launch_claimed("a");
    let b = go_on(w, a, "b");
    let other = w.launch_claimed("other");
    w.park(&other, "0", awaited("b"));
    let c = go_on(w, b, "c");
    assert_eq!(w.due(&other.run), None);
    w.ok(Command::Fail { lease: c, problem: super::world::problem(), undo: false });
    assert_eq!(w.due(&other.run), Some(w.now()));
    let other = w.claim(&other.run);
    assert_eq!(seen(&w.wait(&other, "0", awaited("b"))), json!({ "error": Code::ChildFailed }));
    assert_eq!(seen(&w.wait(&other, "1", awaited("a"))), json!({ "error": Code::ChildFailed }));
}

fn the_end_of_a_chain_stays_while_its_parent_may_ask(w: &World) {
    let parent = w.launch_claimed("p");
    let a = child(w, &parent, "a");
    let b = go_on(w, a, "b");
    let c = go_on(w, b, "c");
    w.ok(Command::Succeed { lease: c, output: "7".into() });
    w.pass(2 * DAY_MS);
    prune(w);
    let parent = w.claim(&parent.run);
    assert_eq!(seen(&w.wait(&parent, "1", awaited("a"))), json!(7));
    w.ok(Command::Succeed { lease: parent, output: "1".into() });
    w.pass(2 * DAY_MS);
    prune(w);
    assert_eq!(left(w), [""; 0]);
}

fn a_parent_stays_while_its_child_is_open(w: &World) {
    let parent = w.launch_claimed("p");
    let a = child(w, &parent, "a");
    w.ok(Command::Succeed { lease: parent, output: "1".into() });
    let b = go_on(w, a, "b");
    let grandchild = child(w, &b, "g");
    w.ok(Command::Succeed { lease: b, output: "1".into() });
    w.pass(2 * DAY_MS);
    prune(w);
    // Its own children are over: what `p` was isn't needed any more.
    assert_eq!(left(w), ["b", "g"]);
    let counted = w.store.retention(DAY_MS, None, None).unwrap();
    assert_eq!((counted.runs, counted.runs_needed), (0, 1));
    let grandchild = w.claim(&grandchild.run);
    w.ok(Command::Succeed { lease: grandchild, output: "1".into() });
    w.pass(2 * DAY_MS);
    prune(w);
    assert_eq!(left(w), [""; 0]);
}

/// PostgreSQL has room for some thousand locks in all.
fn an_end_of_a_long_chain_locks_little(w: &World) {
    let parent = w.launch_claimed("p");
    let mut lease = child(w, &parent, "a");
    w.park(&parent, "1", awaited("a"));
    for round in 0..40 {
        lease = go_on(w, lease, &format!("c{round:02}"));
    }
    // What was there before it is as if it were many.
    let before: Vec<String> = (0..39).map(|round| format!("c{round:02}")).collect();
    let last = lease.run.clone();
    w.pass(2 * DAY_MS);
    prune(w);
    assert!(before.iter().all(|id| w.store.run(&id.as_str().into()).unwrap().is_none()));
    let lease = w.claim(&last);
    w.ok(Command::Succeed { lease, output: "40".into() });
    let parent = w.claim(&parent.run);
    assert_eq!(seen(&w.wait(&parent, "1", awaited("a"))), json!(40));
}

fn signals_that_nobody_took_go_along(w: &World) {
    let a = w.launch_claimed("a");
    w.ok(signal(&a.run, "order", json!(1)));
    w.ok(signal(&a.run, "order", json!(2)));
    let named = |run: &RunId, payload: i64| Command::Signal {
        run: run.clone(),
        name: "order".into(),
        payload: json!(payload),
        by: "bob".into(),
        id: Some("third".into()),
    };
    w.ok(named(&a.run, 3));
    let take = |lease: &Lease, at: &str| {
        let wait = WaitSpec::Signal { name: "order".into(), expires_at_ms: Some(w.now() + 1) };
        seen(&w.ok(wait_command(lease, at, wait)))
    };
    assert_eq!(take(&a, "0"), json!(1));
    let b = go_on(w, a.clone(), "b");
    assert_eq!(w.store.signals(&b.run).unwrap().len(), 2);
    // A second delivery, wherever it goes to.
    w.ok(named(&b.run, 4));
    w.ok(named(&a.run, 4));
    assert_eq!((take(&b, "0"), take(&b, "1")), (json!(2), json!(3)));
    let c = go_on(w, b, "c");
    w.ok(named(&a.run, 5));
    assert_eq!(w.store.signals(&c.run).unwrap(), []);
    w.events(&"a".into());
    w.events(&"b".into());
    // The world's own bundle has a short name instead of a digest.
    let mut found = windlass_store::Store::verify(&w.url).unwrap().findings;
    found.retain(|found| found.check != "bundle");
    assert_eq!(found, []);
}

fn a_signal_to_a_run_that_went_on_reaches_the_last(w: &World) {
    let a = w.launch_claimed("a");
    let b = go_on(w, a.clone(), "b");
    let c = go_on(w, b, "c");
    w.park(&c, "0", WaitSpec::Signal { name: "go".into(), expires_at_ms: None });
    w.ok(signal(&a.run, "go", json!("now")));
    assert_eq!(w.due(&c.run), Some(w.now()));
    let c = w.claim(&c.run);
    let wait = WaitSpec::Signal { name: "go".into(), expires_at_ms: None };
    assert_eq!(seen(&w.wait(&c, "0", wait)), json!("now"));
    w.ok(Command::Succeed { lease: c, output: "1".into() });
    assert_eq!(w.refused(signal(&a.run, "go", json!(1))), Code::IllegalTransition);
}

fn what_a_launch_said_goes_along(w: &World) {
    let launched = NewRun { tags: vec!["lab".into(), "for:ann".into()], priority: Priority::High, ..new_run("a") };
    let a = w.launch_as(launched).unwrap();
    go_on(w, a, "b");
    let record = w.store.run(&"b".into()).unwrap().unwrap();
    assert_eq!(record.tags, ["lab", "for:ann"]);
    let tagged = RunFilter { tag: Some("for:ann".into()), ..RunFilter::default() };
    assert_eq!(w.store.runs(&tagged).unwrap().len(), 2);
    assert!(w.store.dump().unwrap().lines().any(|line| {
        line.starts_with("runs ") && line.contains("\"b\"") && line.contains(&Priority::High.rank().to_string())
    }));
}

fn asks(w: &World, lease: &Lease) {
    let request = ApprovalRequest {
        title: "Go on?".into(),
        details: json!(null),
        form: None,
        role: None,
        quorum: 1,
        expires_at_ms: None,
        on_expiry: OnExpiry::Fail,
        allow_self: false,
        only_alone: false,
        digest: "d".into(),
    };
    w.park(lease, "5", WaitSpec::Approval(Box::new(request)));
}

fn nobody_decides_for_a_run_that_they_launched_generations_ago(w: &World) {
    let decide = |run: &RunId, by: &str| Command::Decide {
        run: run.clone(),
        path: path("5"),
        decision: Decision { by: by.into(), approved: true, comment: None, form: json!({}), digest: "d".into() },
    };
    // One that is deep down is followed to the top.
    let mut above = w.launch_claimed("g00");
    for depth in 1..60 {
        above = child(w, &above, &format!("g{depth:02}"));
    }
    asks(w, &above);
    assert_eq!(w.refused(decide(&above.run, "ann")), Code::PermissionDenied);
    w.ok(decide(&above.run, "bob"));
    assert_eq!(w.state(&above.run), RunState::Waiting);
}

/// SQLite takes them; on PostgreSQL it isn't the database that is unwell.
fn a_value_that_no_database_takes_is_a_refusal(w: &World) {
    let lease = w.launch_claimed("a");
    let named = |name: &str| wait_command(&lease, "0", WaitSpec::Signal { name: name.into(), expires_at_ms: None });
    match w.store.commit(named("a\0b")) {
        Err(windlass_store::StoreError::Refused(problem)) => assert_eq!(problem.code, Code::InvalidArgument),
        Err(other) => panic!("{other:?}"),
        Ok(_) => assert!(w.url.starts_with("sqlite:")),
    }
    let other = w.launch_claimed("b");
    w.ok(Command::Succeed { lease: other, output: "1".into() });
}

/// The database as it was before there were chains: runs named only the one before them, and were awaited by their own names.
const WITHOUT_CHAINS: &str = "DROP TABLE chains; \
     DELETE FROM __diesel_schema_migrations WHERE version = '20261129000000'; \
     UPDATE runs SET parent_run = NULL, parent_path = NULL WHERE continues IS NOT NULL; \
     UPDATE waits SET name = 'b' WHERE reason = 'child' AND name = 'a';";

fn chains_of_runs_that_were_there_before_are_known(w: &World) {
    let parent = w.launch_claimed("p");
    let b = go_on(w, child(w, &parent, "a"), "b");
    w.park(&parent, "1", awaited("b"));
    let c = go_on(w, b, "c");
    let alone = go_on(w, w.launch_claimed("x"), "y");
    let before = w.store.dump().unwrap();
    assert!(before.lines().filter(|line| line.starts_with("chains ")).count() == 3, "{before}");
    assert!(w.sql(WITHOUT_CHAINS));
    assert_eq!(windlass_store::Store::migrate(&w.url).unwrap().len(), 1);
    assert_eq!(w.store.dump().unwrap(), before);
    w.ok(Command::Succeed { lease: c, output: "7".into() });
    let parent = w.claim(&"p".into());
    assert_eq!(seen(&w.wait(&parent, "1", awaited("b"))), json!(7));
    w.ok(Command::Succeed { lease: alone, output: "1".into() });
}

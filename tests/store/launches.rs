//! Launches: bundles, idempotency keys, concurrency keys.

use serde_json::json;
use windlass_model::{
    Code, EventKind as E, RunState,
    command::{Command, NewRun, Reply},
    query::RunFilter,
    workflow::OnConflict,
};

use super::world::{BUNDLE, World, cancel, new_run, path};

super::on_both!(
    a_launch_is_one_run_with_its_events,
    a_launch_needs_a_bundle_and_a_new_id,
    the_same_key_gives_the_same_run,
    a_limit_queues,
    a_limit_rejects,
    a_limit_cancels_the_previous,
    keys_of_two_organisations_are_two,
    how_deep_a_run_is_goes_down_to_what_it_launches,
    runs_are_filtered,
    secrets_are_kept_sealed,
);

fn a_launch_is_one_run_with_its_events(w: &World) {
    let lease = w.launch_claimed("r1");
    assert_eq!(lease.epoch, 1);
    assert_eq!(w.events(&lease.run), [E::RunLaunched, E::RunStarted]);
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.input, record.due_at_ms), (RunState::Running, json!({"lab": "a"}), None));
    assert_eq!(w.store.claimed(&lease.run).unwrap().unwrap().lease, lease);
    let queued = w.launch("r2");
    assert_eq!(w.events(&queued), [E::RunLaunched]);
    assert_eq!(w.due(&queued), Some(w.now()));
    let told = w.heard().pop().unwrap();
    assert!(told.due_now && told.runs == [queued.clone()] && told.ended.is_empty());
    assert_eq!(w.store.counts().unwrap(), [(RunState::Queued, 1), (RunState::Running, 1)]);
    assert_eq!(w.store.bundle(&BUNDLE.into()).unwrap().as_deref(), Some("{\"entry\":\"lab/x\"}"));
    assert_eq!(w.store.run(&"nobody".into()).unwrap(), None);
}

fn a_launch_needs_a_bundle_and_a_new_id(w: &World) {
    let run = NewRun { bundle: "other".into(), ..new_run("r1") };
    assert_eq!(w.refused(Command::Launch { run: Box::new(run), claim: None }), Code::NotFound);
    w.launch("r1");
    let before = w.store.dump().unwrap();
    let again = NewRun { tags: vec!["other".into()], input: r#"{"other":1}"#.into(), ..new_run("r1") };
    assert_eq!(w.refused(Command::Launch { run: Box::new(again), claim: None }), Code::Conflict);
    // There is no savepoint to go back to: what is refused hasn't begun.
    assert_eq!(w.store.dump().unwrap(), before);
    // The bundle is kept once, as it was first.
    w.ok(Command::PutBundle { digest: BUNDLE.into(), body: "other".into() });
    assert_eq!(w.store.bundle(&BUNDLE.into()).unwrap().as_deref(), Some("{\"entry\":\"lab/x\"}"));
}

fn the_same_key_gives_the_same_run(w: &World) {
    let keyed = |id: &str, input: &str| {
        let run = NewRun { idempotency_key: Some("k".into()), input: input.into(), ..new_run(id) };
        Command::Launch { run: Box::new(run), claim: None }
    };
    w.ok(keyed("r1", r#"{"a":1,"b":2}"#));
    let again = w.ok(keyed("r2", r#"{"b":2, "a":1}"#));
    assert_eq!(again, Reply::Launched { run: "r1".into(), existing: true, claimed: None });
    assert_eq!(w.refused(keyed("r3", "{}")), Code::IdempotencyConflict);
    let elsewhere = NewRun { idempotency_key: Some("k".into()), workflow: "lab/y".into(), ..new_run("r4") };
    w.ok(Command::Launch { run: Box::new(elsewhere), claim: None });
    assert_eq!(w.store.runs(&RunFilter::default()).unwrap().len(), 2);
}

fn limited(id: &str, on_conflict: OnConflict) -> NewRun {
    NewRun { concurrency: Some(("lab/a".into(), 1, on_conflict)), ..new_run(id) }
}

fn a_limit_queues(w: &World) {
    let first = w.launch_as(limited("r1", OnConflict::Queue)).unwrap();
    assert_eq!(w.launch_as(limited("r2", OnConflict::Queue)), None, "launched, but not taken");
    assert_eq!(w.launch_as(limited("r3", OnConflict::Queue)), None);
    assert_eq!(w.state(&"r2".into()), RunState::Queued);
    assert!(w.claim_all("n1").is_empty());
    w.ok(Command::Succeed { lease: first, output: "1".into() });
    let claimed = w.claim_all("n1");
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].lease.run, "r2".into());
    assert!(claimed[0].fresh);
    assert!(w.claim_all("n1").is_empty());
    w.ok(Command::Succeed { lease: claimed[0].lease.clone(), output: "1".into() });
    assert_eq!(w.claim_all("n1")[0].lease.run, "r3".into());
}

fn a_limit_rejects(w: &World) {
    let first = w.launch_as(limited("r1", OnConflict::Reject)).unwrap();
    let second = || Command::Launch { run: Box::new(limited("r2", OnConflict::Reject)), claim: None };
    assert_eq!(w.refused(second()), Code::Conflict);
    assert_eq!(w.store.run(&"r2".into()).unwrap(), None);
    w.ok(Command::Succeed { lease: first, output: "1".into() });
    w.ok(second());
}

fn a_limit_cancels_the_previous(w: &World) {
    let first = w.launch_as(limited("r1", OnConflict::CancelPrevious)).unwrap();
    assert_eq!(w.launch_as(limited("r2", OnConflict::CancelPrevious)), None);
    assert_eq!(w.state(&first.run), RunState::Cancelling);
    assert!(w.heard().last().unwrap().cancelled.contains(&first.run));
    assert!(w.claim_all("n1").is_empty(), "the first one hasn't ended yet");
    w.ok(Command::BeginRollback { lease: first.clone() });
    w.ok(Command::FinishRollback { lease: first.clone() });
    assert_eq!(w.state(&first.run), RunState::Cancelled);
    assert_eq!(w.claim_all("n1")[0].lease.run, "r2".into());
}

fn keys_of_two_organisations_are_two(w: &World) {
    let first = w.launch_as(limited("r1", OnConflict::CancelPrevious)).unwrap();
    let elsewhere = |id: &str, on_conflict| NewRun { organisation: "zeta".into(), ..limited(id, on_conflict) };
    let other = w.launch_as(elsewhere("r2", OnConflict::CancelPrevious)).expect("there is room");
    assert_eq!(w.state(&first.run), RunState::Running);
    w.ok(Command::Succeed { lease: other, output: "1".into() });
    w.launch_as(elsewhere("r3", OnConflict::Reject)).expect("nobody of theirs is there");
    assert_eq!(w.launch_as(elsewhere("r4", OnConflict::Queue)), None);
    w.ok(Command::Succeed { lease: first, output: "1".into() });
    assert_eq!(w.state(&"r4".into()), RunState::Queued, "an end over there is none here");
    assert!(w.claim_all("n1").is_empty());
}

fn how_deep_a_run_is_goes_down_to_what_it_launches(w: &World) {
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let first = w.launch_as(NewRun { tags: tags(&["mine", "depth:3"]), ..new_run("r1") }).unwrap();
    let parent = Some((first.run.clone(), path("0")));
    let child = NewRun { parent, tags: tags(&["lab"]), ..new_run("r2") };
    w.ok(Command::Launch { run: Box::new(child), claim: None });
    let next = NewRun { tags: tags(&["lab", "depth:3"]), ..new_run("r3") };
    w.ok(Command::ContinueAsNew { lease: first, run: Box::new(next) });
    let of = |id: &str| w.store.run(&id.into()).unwrap().unwrap().tags;
    assert_eq!((of("r2"), of("r3")), (tags(&["lab", "depth:3"]), tags(&["lab", "depth:3", "mine"])));
    let found = w.store.runs(&RunFilter { tag: Some("depth:3".into()), ..Default::default() }).unwrap();
    assert_eq!(found.len(), 3);
}

fn runs_are_filtered(w: &World) {
    for id in ["a1", "a2", "b1"] {
        w.launch(id);
    }
    let tagged = NewRun { tags: vec!["100%".into()], workflow: "drill/y".into(), ..new_run("b2") };
    w.ok(Command::Launch { run: Box::new(tagged), claim: None });
    w.ok(cancel(&"a1".into()));
    let ids = |filter: RunFilter| -> Vec<String> {
        w.store.runs(&filter).unwrap().into_iter().map(|run| run.id.to_string()).collect()
    };
    assert_eq!(ids(RunFilter::default()), ["b2", "b1", "a2", "a1"]);
    assert_eq!(ids(RunFilter { states: vec![RunState::Cancelling], ..Default::default() }), ["a1"]);
    assert_eq!(ids(RunFilter { id_prefix: Some("a".into()), ..Default::default() }), ["a2", "a1"]);
    assert_eq!(ids(RunFilter { id_prefix: Some("_".into()), ..Default::default() }), [""; 0]);
    assert_eq!(ids(RunFilter { tag: Some("100%".into()), ..Default::default() }), ["b2"]);
    assert_eq!(ids(RunFilter { tag: Some("lab".into()), ..Default::default() }), ["b1", "a2", "a1"]);
    assert_eq!(ids(RunFilter { workflow: Some("drill/y".into()), ..Default::default() }), ["b2"]);
    assert_eq!(ids(RunFilter { before: Some("b1".into()), limit: 1, ..Default::default() }), ["a2"]);
}

fn secrets_are_kept_sealed(w: &World) {
    let put = |bytes: &[u8]| Command::PutSecret { name: "s".into(), sealed: bytes.to_vec(), policy: "[\"x\"]".into() };
    w.ok(put(&[1, 2]));
    w.pass(5);
    w.ok(put(&[0, 255]));
    assert_eq!(w.store.sealed_secret("s").unwrap(), Some((vec![0, 255], "[\"x\"]".into())));
    let listed = w.store.secrets().unwrap();
    assert_eq!((listed[0].updated_at_ms - listed[0].created_at_ms, &listed[0].policy), (5, &json!(["x"])));
    assert_eq!(w.ok(Command::DeleteSecret { name: "s".into() }), Reply::Count(1));
    assert_eq!(w.ok(Command::DeleteSecret { name: "s".into() }), Reply::Count(0));
}

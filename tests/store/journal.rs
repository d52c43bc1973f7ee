//! Steps, resources, local effects, outputs, doubt.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{
    Code, EffectClass, EventKind as E, Outcome, ResourceState, RunState, StepCall, StepState,
    command::{Command, Given, Lease, NewRun, Reply},
    event::NewEvent,
    journal::LocalEffect,
    query::StepFilter,
    undo::UndoState,
    wait::Resolution,
};

use super::world::{
    World, begin, call, creates, destroys, error, finish, namespace, new_run, path, problem, seen, value,
};

super::on_both!(
    intent_and_outcome_are_recorded,
    an_outcome_is_recorded_once,
    a_repeated_intent_counts_an_attempt,
    an_effect_that_did_not_happen_leaves_nothing,
    resources_live_and_go,
    steps_come_in_natural_order,
    long_results_are_shortened_in_events_only,
    outputs_are_counted_by_lane,
    doubt_waits_for_an_operator,
    local_effects_happen_once,
    each_organisation_has_keys_of_its_own,
    a_child_is_launched_with_its_step,
    artifacts_are_kept,
);

fn intent_and_outcome_are_recorded(w: &World) {
    let lease = w.launch_claimed("r1");
    let step = creates("0", "ns1");
    w.ok(begin(&lease, &step));
    let started = w.store.steps(&lease.run).unwrap().remove(0);
    assert_eq!((started.state, started.outcome), (StepState::Started, None));
    assert_eq!(w.store.undo(&lease.run).unwrap()[0].state, UndoState::Registered);
    assert_eq!(w.store.resources(None, true).unwrap()[0].state, ResourceState::Creating);
    w.pass(7);
    let reply = w.finish(&lease, &step, value(json!({"id": 1})));
    assert_eq!(seen(&reply), json!({"id": 1}));
    let done = w.store.steps(&lease.run).unwrap().remove(0);
    assert_eq!(
        (done.state, done.outcome, done.site, done.digest),
        (StepState::Succeeded, Some(value(json!({"id": 1}))), step.site.clone(), step.digest,)
    );
    assert_eq!((&*done.args, done.finished_at_ms), (&*step.args, Some(w.now())));
    assert_eq!(w.store.resources(Some(&lease.run), false).unwrap()[0].state, ResourceState::Live);
    assert_eq!(w.events(&lease.run)[2..], [E::StepStarted, E::StepSucceeded]);
    let (_, data) = w.last_event(&lease.run);
    assert_eq!(data["site"], "lab/x:3:5");
    assert_eq!(data["result"], json!({"id": 1}));
}

fn an_outcome_is_recorded_once(w: &World) {
    let lease = w.launch_claimed("r1");
    let step = call("0", "x", EffectClass::Idempotent);
    w.finish(&lease, &step, value(1.into()));
    assert_eq!(seen(&w.finish(&lease, &step, value(2.into()))), 1);
    assert_eq!(seen(&w.ok(begin(&lease, &step))), 1);
    assert_eq!(w.events(&lease.run).len(), 3);
    let failed = call("1", "x", EffectClass::Idempotent);
    assert_eq!(seen(&w.finish(&lease, &failed, error(problem()))), json!({"error": "command_failed"}));
    let record = w.store.steps(&lease.run).unwrap().remove(1);
    assert_eq!((record.state, record.outcome), (StepState::Failed, Some(error(problem()))));
}

fn a_repeated_intent_counts_an_attempt(w: &World) {
    let lease = w.launch_claimed("r1");
    let step = creates("0", "ns1");
    w.ok(begin(&lease, &step));
    w.ok(begin(&lease, &step));
    assert_eq!(w.store.steps(&lease.run).unwrap()[0].attempts, 2);
    assert_eq!(w.store.undo(&lease.run).unwrap().len(), 1);
    w.ok(begin(&lease, &creates("1", "ns2")));
    let entries: Vec<(i64, String)> =
        w.store.undo(&lease.run).unwrap().into_iter().map(|entry| (entry.seq, entry.path.to_string())).collect();
    assert_eq!(entries, [(1, "0".to_owned()), (2, "1".to_owned())]);
}

fn an_effect_that_did_not_happen_leaves_nothing(w: &World) {
    let lease = w.launch_claimed("r1");
    w.ok(begin(&lease, &creates("0", "ns1")));
    w.finish(&lease, &creates("0", "ns1"), error(problem().no_effect()));
    assert_eq!(w.store.undo(&lease.run).unwrap()[0].state, UndoState::Void);
    assert!(w.store.resources(None, false).unwrap().is_empty());
    // Without that certainty both stay, for the undo to look after.
    w.ok(begin(&lease, &creates("1", "ns2")));
    w.finish(&lease, &creates("1", "ns2"), error(problem()));
    assert_eq!(w.store.undo(&lease.run).unwrap()[1].state, UndoState::Registered);
    assert_eq!(w.store.resources(None, true).unwrap()[0].state, ResourceState::Creating);
}

fn resources_live_and_go(w: &World) {
    let maker = w.launch_claimed("r1");
    w.finish(&maker, &creates("0", "ns1"), value(Value::Null));
    let other = w.launch_claimed("r2");
    let state = || w.store.resources(Some(&maker.run), false).unwrap()[0].state;
    w.ok(begin(&other, &destroys("0", "ns1")));
    assert_eq!(state(), ResourceState::Destroying);
    w.finish(&other, &destroys("0", "ns1"), error(problem().no_effect()));
    assert_eq!(state(), ResourceState::Live);
    w.finish(&other, &destroys("1", "ns1"), value(Value::Null));
    assert_eq!(state(), ResourceState::Gone);
    assert!(w.store.resources(None, true).unwrap().is_empty());
    w.finish(&maker, &creates("1", "ns1"), value(Value::Null));
    let again = w.store.resources(Some(&maker.run), false).unwrap();
    assert_eq!((again.len(), again[0].state, again[0].path.clone()), (1, ResourceState::Live, path("1")));
    assert_eq!(again[0].resource, namespace("ns1"));
    // Labs of two organisations may have one name: what one removes isn't the other's.
    let acme = w.launch_as(NewRun { organisation: "acme".into(), ..new_run("r3") }).unwrap();
    w.finish(&acme, &creates("0", "ns1"), value(Value::Null));
    w.finish(&acme, &destroys("1", "ns1"), value(Value::Null));
    assert_eq!(w.store.resources(Some(&acme.run), false).unwrap()[0].state, ResourceState::Gone);
    assert_eq!(state(), ResourceState::Live);
}

fn steps_come_in_natural_order(w: &World) {
    let lease = w.launch_claimed("r1");
    for at in ["10", "2", "7/b10/0", "7", "7/b2/3", "7/b2/12"] {
        w.finish(&lease, &call(at, "x", EffectClass::Read), value(1.into()));
    }
    let journal = w.store.journal(&lease.run).unwrap();
    let paths: Vec<String> = journal.steps.iter().map(|step| step.path.to_string()).collect();
    assert_eq!(paths, ["2", "7", "7/b2/3", "7/b2/12", "7/b10/0", "10"]);
    // Page by page it is the same, with open steps in between and whatever is asked for.
    w.ok(begin(&lease, &creates("7/b2/4", "ns1")));
    w.finish(&lease, &call("8", "y", EffectClass::Read), error(problem()));
    let pages = |filter: StepFilter| {
        let (mut found, mut filter) = (Vec::new(), StepFilter { limit: 2, ..filter });
        loop {
            let page = w.store.steps_where(&lease.run, &filter).unwrap();
            let last = page.len() < 2;
            filter.after = page.last().map(|step| step.path.clone());
            found.extend(page);
            if last {
                return found;
            }
        }
    };
    assert_eq!(pages(StepFilter::default()), w.store.steps(&lease.run).unwrap());
    let paths = |filter| pages(filter).into_iter().map(|step| step.path.to_string()).collect::<Vec<_>>();
    assert_eq!(paths(StepFilter { op: Some("y".into()), ..StepFilter::default() }), ["8"]);
    assert_eq!(paths(StepFilter { op_prefix: Some("net::".into()), ..StepFilter::default() }), ["7/b2/4"]);
    assert_eq!(paths(StepFilter { states: vec![StepState::Failed], ..StepFilter::default() }), ["8"]);
    assert_eq!(paths(StepFilter { states: vec![StepState::Started], ..StepFilter::default() }), ["7/b2/4"]);
}

fn long_results_are_shortened_in_events_only(w: &World) {
    let lease = w.launch_claimed("r1");
    let long = value(Value::String("é".repeat(3_000)));
    w.finish(&lease, &call("0", "x", EffectClass::Read), long.clone());
    assert_eq!(w.store.steps(&lease.run).unwrap()[0].outcome, Some(long));
    let (_, data) = w.last_event(&lease.run);
    assert_eq!(data["shortened"], true);
    assert!(data["result"].as_str().unwrap().len() < 2_100);
}

fn outputs_are_counted_by_lane(w: &World) {
    let lease = w.launch_claimed("r1");
    let line = |place: &str| NewEvent { kind: E::Log, path: Some(place.into()), data: "{\"message\":\"m\"}".into() };
    let events = vec![line("#0"), line("#1"), line("7/b1/#0")];
    w.ok(Command::Emit { lease: lease.clone(), events });
    w.ok(Command::Emit { lease: lease.clone(), events: vec![] });
    let journal = w.store.journal(&lease.run).unwrap();
    assert_eq!((journal.outputs[""], journal.outputs["7/b1/"], journal.output_bytes), (2, 1, 45));
    assert_eq!(w.store.events(&lease.run, 3, 1).unwrap()[0].path.as_deref(), Some("#1"));
    assert_eq!(w.events(&lease.run).len(), 5);
}

fn doubt_waits_for_an_operator(w: &World) {
    let resolve = |lease: &Lease, at: &str, resolution: Resolution| Command::Resolve {
        run: lease.run.clone(),
        path: path(at),
        resolution,
        by: "ann".into(),
    };
    let lease = w.launch_claimed("r1");
    let in_doubt = |at: &str| Command::InDoubt { lease: lease.clone(), path: path(at) };
    assert_eq!(w.refused(in_doubt("0")), Code::NotFound);
    for at in ["0", "1", "2"] {
        let step = StepCall { class: EffectClass::AtMostOnce, ..creates(at, at) };
        w.ok(begin(&lease, &step));
        w.ok(in_doubt(at));
    }
    assert_eq!(w.refused(resolve(&lease, "9", Resolution::Perform)), Code::NotFound);
    w.ok(Command::Suspend { lease: lease.clone() });
    let record = w.store.run(&lease.run).unwrap().unwrap();
    assert_eq!((record.state, record.due_at_ms), (RunState::Waiting, None));
    w.ok(resolve(&lease, "0", Resolution::Happened { result: json!({"id": 5}) }));
    assert_eq!(w.due(&lease.run), Some(w.now()));
    w.ok(resolve(&lease, "1", Resolution::Perform));
    w.ok(resolve(&lease, "2", Resolution::Fail));
    assert_eq!(w.refused(resolve(&lease, "2", Resolution::Fail)), Code::IllegalTransition);
    let steps = w.store.steps(&lease.run).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0].outcome, Some(value(json!({"id": 5}))));
    assert!(matches!(&steps[1].outcome, Some(Outcome::Error(problem)) if problem.code == Code::FailedByOperator));
    assert_eq!(w.store.undo(&lease.run).unwrap().len(), 3);
    assert_eq!(w.store.resources(None, false).unwrap()[0].state, ResourceState::Live);
    let again = w.claim(&lease.run);
    assert_eq!(w.refused(Command::InDoubt { lease: again, path: path("0") }), Code::IllegalTransition);
}

fn local(lease: &Lease, at: &str, effect: LocalEffect, given: Given) -> Command {
    let call = Arc::new(call(at, "local", EffectClass::Idempotent));
    Command::Local { lease: lease.clone(), call, effect, given }
}

fn local_effects_happen_once(w: &World) {
    let lease = w.launch_claimed("r1");
    let run = |at: &str, effect| seen(&w.ok(local(&lease, at, effect, Given::Nothing)));
    assert_eq!(seen(&w.ok(local(&lease, "0", LocalEffect::Now, Given::Value("17".into())))), 17);
    assert_eq!(seen(&w.ok(local(&lease, "0", LocalEffect::Now, Given::Value("18".into())))), 17);
    assert_eq!(w.refused(local(&lease, "1", LocalEffect::Now, Given::Nothing)), Code::Internal);
    let set = |value: Value| LocalEffect::KvSet { key: "a/k".into(), value };
    assert_eq!(run("1", LocalEffect::KvGet { key: "a/k".into() }), Value::Null);
    assert_eq!(run("2", set(json!([1]))), Value::Null);
    assert_eq!(run("2", set(json!([2]))), Value::Null);
    assert_eq!(run("3", LocalEffect::KvGet { key: "a/k".into() }), json!([1]));
    run("4", LocalEffect::KvSet { key: "A/k".into(), value: 1.into() });
    assert_eq!(run("5", LocalEffect::KvList { prefix: "a".into() }), json!(["a/k"]));
    assert_eq!(w.store.kv("platform", "A").unwrap(), [("A/k".to_owned(), json!(1))]);
    assert_eq!(run("6", LocalEffect::KvDelete { key: "a/k".into() }), true);
    assert_eq!(run("7", LocalEffect::KvDelete { key: "a/k".into() }), false);
    assert_eq!(run("8", LocalEffect::Unlock { lock: "l".into() }), false);
    w.finish(&lease, &creates("9", "ns_1"), value(Value::Null));
    let inventory = |prefix: &str| LocalEffect::Inventory { provider: "net".into(), prefix: prefix.into() };
    assert_eq!(run("10", inventory("ns_"))[0]["id"], "ns_1");
    assert_eq!(run("11", inventory("nsx")), json!([]));
}

fn each_organisation_has_keys_of_its_own(w: &World) {
    let of = |organisation: &str| {
        let run = NewRun { organisation: organisation.into(), ..new_run(organisation) };
        w.launch_as(run).unwrap()
    };
    let leases = [of("platform"), of("acme"), of("acme2")];
    let run = |lease: &Lease, at: &str, effect| seen(&w.ok(local(lease, at, effect, Given::Nothing)));
    let get = || LocalEffect::KvGet { key: "lab/demo".into() };
    let list = |prefix: &str| LocalEffect::KvList { prefix: prefix.into() };
    for (number, lease) in leases.iter().enumerate() {
        assert_eq!(run(lease, "0", get()), Value::Null, "{}", lease.run);
        run(lease, "1", LocalEffect::KvSet { key: "lab/demo".into(), value: number.into() });
    }
    run(&leases[0], "2", LocalEffect::KvSet { key: "lab/acme/x".into(), value: 9.into() });
    for (number, lease) in leases.iter().enumerate() {
        let whose = lease.run.as_str();
        assert_eq!(run(lease, "3", get()), json!(number), "{whose}");
        let mine = if number == 0 { json!(["lab/acme/x", "lab/demo"]) } else { json!(["lab/demo"]) };
        for (at, prefix) in [("4", ""), ("5", "lab/"), ("6", "l")] {
            assert_eq!(run(lease, at, list(prefix)), mine, "{whose} {prefix}");
        }
        assert_eq!(run(lease, "7", list("acme")), json!([]), "{whose}");
        assert_eq!(w.store.kv(whose, "lab/d").unwrap(), [("lab/demo".to_owned(), json!(number))]);
    }
    assert_eq!(run(&leases[1], "8", LocalEffect::KvDelete { key: "lab/demo".into() }), true);
    assert_eq!(run(&leases[1], "9", LocalEffect::KvDelete { key: "lab/acme/x".into() }), false);
    assert_eq!(run(&leases[0], "8", get()), 0);
    assert_eq!(run(&leases[2], "8", get()), 2);
}

fn a_child_is_launched_with_its_step(w: &World) {
    let lease = w.launch_claimed("r1");
    let launch = |at: &str, id: &str, bundle: &str| {
        let mut child = new_run(id);
        child.parent = Some((lease.run.clone(), path(at)));
        child.bundle = bundle.into();
        let effect = LocalEffect::LaunchChild { workflow: "lab/x".into(), input: json!({}) };
        local(&lease, at, effect, Given::Child(Box::new(child)))
    };
    assert_eq!(seen(&w.ok(launch("0", "c1", "b1"))), "c1");
    assert_eq!(seen(&w.ok(launch("0", "c2", "b1"))), "c1");
    assert_eq!(w.store.run(&"c2".into()).unwrap(), None);
    let child = w.store.run(&"c1".into()).unwrap().unwrap();
    assert_eq!(child.parent, Some((lease.run.clone(), path("0"))));
    assert_eq!(seen(&w.ok(launch("1", "c3", "unknown"))), json!({"error": "not_found"}));
}

fn artifacts_are_kept(w: &World) {
    let lease = w.launch_claimed("r1");
    let keep = |at: &str, content: Vec<u8>| {
        let effect = LocalEffect::Artifact { name: "log".into(), media_type: "text/plain".into(), content };
        local(&lease, at, effect, Given::Nothing)
    };
    let result = seen(&w.ok(keep("0", b"hello".to_vec())));
    assert_eq!((&result["bytes"], &result["digest"]), (&5.into(), &blake3::hash(b"hello").to_hex().as_str().into()));
    w.ok(keep("1", vec![0, 255, 0]));
    assert_eq!(w.store.artifact(&lease.run, "log").unwrap(), Some(vec![0, 255, 0]));
    assert_eq!(w.store.artifacts(&lease.run).unwrap()[0].bytes, 3);
    assert_eq!(seen(&w.ok(keep("2", vec![0; (16 << 20) + 1]))), json!({"error": "limit_exceeded"}));
    assert!(matches!(
        w.finish(&lease, &call("2", "x", EffectClass::Read), value(1.into())),
        Reply::Outcome(Outcome::Error(_))
    ));
    let stale = Lease { epoch: 9, ..lease.clone() };
    assert_eq!(w.refused(finish(&stale, &call("3", "x", EffectClass::Read), value(1.into()), 0)), Code::LeaseLost);
}

//! What one organisation's runs are told of another's: nothing.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{
    Code, EffectClass, Outcome, ResourceChange, ResourceRef, StepCall, WaitSpec,
    command::{Command, Given, Lease, NewRun, Reply},
    document::{Change, Expected},
    journal::LocalEffect,
};

use super::world::{World, call, new_run, seen, value};

super::on_both!(
    what_another_organisations_run_gave_is_not_told,
    the_inventory_is_an_organisations_own_and_the_platforms,
    an_organisation_keeps_so_many_keys,
    what_is_done_together_is_done_or_left,
);

fn of(w: &World, organisation: &str) -> Lease {
    w.launch_as(NewRun { organisation: organisation.into(), ..new_run(organisation) }).unwrap()
}

fn what_another_organisations_run_gave_is_not_told(w: &World) {
    let (acme, beta, platform) = (of(w, "acme"), of(w, "beta"), of(w, "platform"));
    let child = NewRun { organisation: "acme".into(), ..new_run("given-away") };
    let child = w.launch_as(child).unwrap();
    let wait = || WaitSpec::Child { run: "given-away".into() };
    assert_eq!(w.wait(&acme, "0", wait()), Reply::Waiting);
    let told = |lease: &Lease, at: &str, run: &str| match w.wait(lease, at, WaitSpec::Child { run: run.into() }) {
        Reply::Outcome(Outcome::Error(problem)) => problem.to_string().replace(run, "X"),
        other => panic!("{}: {other:?}", lease.run),
    };
    let unknown = told(&beta, "0", "nobody");
    // Neither while it is under way nor at its end, and no other words than for a run that isn't there.
    for (at, output) in [("1", None), ("2", Some("\"private\""))] {
        if let Some(output) = output {
            w.ok(Command::Succeed { lease: child.clone(), output: output.into() });
        }
        for lease in [&beta, &platform] {
            assert_eq!(told(lease, at, "given-away"), unknown, "{} {at}", lease.run);
        }
    }
    w.ok(Command::Suspend { lease: acme.clone() });
    let acme = w.claim(&acme.run);
    assert_eq!(seen(&w.wait(&acme, "0", wait())), "private");
}

fn the_inventory_is_an_organisations_own_and_the_platforms(w: &World) {
    let leases = [of(w, "acme"), of(w, "beta"), of(w, "platform")];
    for (provider, kind) in [("hetzner", "server"), ("net", "namespace")] {
        for lease in &leases {
            let id = format!("of-{}", lease.run);
            let resource = ResourceRef { provider: provider.into(), kind: kind.into(), id: id.into() };
            let call = StepCall {
                resources: vec![ResourceChange::Creates(resource)],
                ..call(&format!("{}", usize::from(provider == "net")), "x::make", EffectClass::Keyed)
            };
            w.finish(lease, &call, value(Value::Null));
        }
    }
    let found = |lease: &Lease, at: &str, provider: &str| {
        let effect = LocalEffect::Inventory { provider: provider.into(), prefix: "of-".into() };
        let call = Arc::new(call(at, "inventory", EffectClass::Read));
        let answer = seen(&w.ok(Command::Local { lease: lease.clone(), call, effect, given: Given::Nothing }));
        answer.as_array().unwrap().iter().map(|one| json!([one["id"], one["run"]])).collect::<Value>()
    };
    for lease in &leases[..2] {
        let own = json!([[format!("of-{}", lease.run), lease.run]]);
        assert_eq!((found(lease, "2", "hetzner"), found(lease, "3", "net")), (own.clone(), own), "{}", lease.run);
    }
    let all = json!([["of-acme", "acme"], ["of-beta", "beta"], ["of-platform", "platform"]]);
    assert_eq!(found(&leases[2], "2", "hetzner"), all);
    assert_eq!(
        found(&leases[2], "3", "net"),
        json!([["of-platform", "platform"]]),
        "labs are their organisations' own"
    );
}

fn an_organisation_keeps_so_many_keys(w: &World) {
    let (acme, beta, platform) = (of(w, "acme"), of(w, "beta"), of(w, "platform"));
    let mut at = 0;
    let mut set = |lease: &Lease, key: &str| {
        at += 1;
        let call = Arc::new(call(&at.to_string(), "kv_set", EffectClass::Idempotent));
        let effect = LocalEffect::KvSet { key: key.into(), value: json!(at) };
        match w.ok(Command::Local { lease: lease.clone(), call, effect, given: Given::Most(2) }) {
            Reply::Outcome(Outcome::Error(problem)) => Some((problem.code, problem.data["limit"].clone())),
            _ => None,
        }
    };
    for lease in [&acme, &platform] {
        assert_eq!((set(lease, "a"), set(lease, "b")), (None, None), "{}", lease.run);
        assert_eq!(set(lease, "c"), Some((Code::LimitExceeded, json!(2))), "{}", lease.run);
        assert_eq!(set(lease, "b"), None, "one that is there is changed");
    }
    assert_eq!(set(&beta, "c"), None, "others' keys don't count");
    let kept = |organisation: &str| w.store.kv(organisation, "").unwrap().len();
    assert_eq!((kept("acme"), kept("beta")), (2, 1));
}

fn what_is_done_together_is_done_or_left(w: &World) {
    w.ok(Command::PutSecret { name: "orgs/acme/key".into(), sealed: vec![1], policy: "{}".into() });
    let put = |expected| Change::Put {
        kind: "thing".into(),
        id: "one".into(),
        organisation: "acme".into(),
        body: json!({}),
        keys: Vec::new(),
        expires_at_ms: None,
        expected,
    };
    let together = |change, first: bool| {
        let mut commands = vec![Command::Change(vec![change]), Command::DeleteSecret { name: "orgs/acme/key".into() }];
        if !first {
            commands.reverse();
        }
        Command::Together(commands)
    };
    let kept = || w.store.secrets().unwrap().len();
    // Whichever of them is refused, none is done.
    for first in [true, false] {
        assert_eq!(w.refused(together(put(Expected::Version(7)), first)), Code::NotFound);
        assert_eq!(kept(), 1, "{first}");
    }
    assert!(matches!(w.ok(together(put(Expected::Absent), true)), Reply::Versions(_)));
    assert_eq!(kept(), 0);
}

//! Domains that are asked for twice, written in every way, there already, taken away again, or moved by their registrar.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::registrars::{self, book};
use windlass_tests::{PowerDns, wait_for};

use super::{
    World,
    sovereign::{fails, small},
};

/// One machine whose customer brings the domain.
fn own(domain: &str) -> Value {
    let mut input = small();
    (input["domain_mode"], input["domain"], input["look_every"]) = (json!("byo-manual"), json!(domain), json!("1s"));
    input
}

fn called(mut input: Value, name: &str) -> Value {
    let key = input["ssh_public_key"].as_str().unwrap().replace("rZ6p5E", &format!("{:A<5.5}E", name.replace('-', "")));
    (input["name"], input["ssh_public_key"]) = (json!(name), json!(key));
    input
}

/// What a registry does with a domain that isn't delegated any more.
fn take_away(registry: &PowerDns, parent: &str, zone: &str) {
    let gone = |kind: &str| json!({ "name": zone, "type": kind, "changetype": "DELETE" });
    let body = json!({ "rrsets": [gone("NS"), gone("DS")] });
    assert_eq!(registry.api("PATCH", &format!("/zones/{parent}"), body).0, 204);
}

impl World {
    fn shown_as(&self, run: &str) -> Value {
        self.server.get(&format!("/api/v1/runs/{run}")).expect(200).json()
    }

    /// Waits until the run waits for its owner's registrar.
    fn waits_for_the_world(&self, run: &str) {
        wait_for("the run to wait for the delegation", Duration::from_secs(120), || {
            let shown = self.shown_as(run);
            assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
            (shown["progress"]["percent"] == 90.0 && shown["state"] == "waiting").then_some(())
        });
    }

    /// What the owner does at their registrar.
    fn delegate(&self, parent: &str, zone: &str) {
        let keys = self.pdns.api("GET", &format!("/zones/{zone}/cryptokeys"), Value::Null).1;
        let ds = keys[0]["ds"].as_array().unwrap().iter().filter_map(Value::as_str).find(|ds| ds.contains(" 2 "));
        self.pdns.put(parent, zone, "DS", 300, &[ds.unwrap()]);
        self.pdns.put(parent, zone, "NS", 300, &["ns1.pool.test.", "ns2.pool.test."]);
    }

    fn annotation(&self, run: &str, key: &str) -> String {
        let history = self.server.get(&format!("/api/v1/runs/{run}/history?limit=1000")).expect(200).json();
        let events = history.as_array().or(history["items"].as_array()).unwrap_or_else(|| panic!("{history:#}"));
        let last =
            events.iter().rev().find(|event| event["kind"] == "output.annotation" && event["data"]["key"] == key);
        last.and_then(|event| event["data"]["value"].as_str()).unwrap_or_default().to_owned()
    }

    fn refused(&self, input: &Value) -> String {
        let ended = self.ended(&self.launch("provision/sovereign", input));
        assert_eq!(ended["state"], "rolled_back", "{ended:#}");
        ended["problem"]["message"].as_str().unwrap().to_owned()
    }
}

#[test]
fn of_two_runs_on_one_domain_the_second_is_refused_or_waits() {
    let Some(world) = World::new() else { return };
    world.pdns.make_zone("corp.test.", &["ns1.pool.test."]);
    let first = world.launch("provision/sovereign", &called(own("acme.corp.test"), "first"));
    world.waits_for_the_world(&first);
    // However it is written.
    let why = world.refused(&called(own("ACME.Corp.test."), "second"));
    assert!(why.contains("acme.corp.test is being set up by another run"), "{why}");
    assert!(why.contains(r#"on_taken: "wait""#), "{why}");
    assert_eq!(world.project.objects("servers").len(), 1);
    let mut patient = called(own("acme.corp.test"), "third");
    patient["on_taken"] = json!("wait");
    let third = world.launch("provision/sovereign", &patient);
    wait_for("the third run to wait", Duration::from_secs(60), || {
        let shown = world.shown_as(&third);
        assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
        (shown["state"] == "waiting").then_some(())
    });
    assert_eq!(world.project.objects("servers").len(), 1);
    // The first one gives up; the third makes what the first has taken back.
    world.server.post(&format!("/api/v1/runs/{first}/cancel"), &json!({})).expect(200);
    assert_eq!(world.ended(&first)["state"], "cancelled");
    world.waits_for_the_world(&third);
    world.delegate("corp.test.", "acme.corp.test.");
    let ended = world.ended(&third);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    // What is set up now isn't taken over by a fourth, whether it waits or not.
    let mut late = called(own("acme.corp.test"), "fourth");
    late["on_taken"] = json!("wait");
    let why = world.refused(&late);
    assert!(why.contains("acme.corp.test has a Sovereign already"), "{why}");
    let address = ended["output"]["address"].as_str().unwrap();
    assert_eq!(world.pdns.dig(&["+short", "console.acme.corp.test", "A"]), [address]);
}

#[test]
fn labels_of_any_script_and_of_any_length_are_given_out() {
    let Some(world) = World::new() else { return };
    let long = "l".repeat(63);
    for (n, (label, kept)) in
        [("عمان", "xn--mgb9awbf"), ("Bücher", "xn--bcher-kva"), (&long, long.as_str())].into_iter().enumerate()
    {
        let mut input = called(small(), &format!("org-{n}"));
        input["label"] = json!(label);
        let output = world.succeeds(&input);
        assert_eq!(output["domain"], format!("{kept}.pool.test"));
        let console = format!("console.{kept}.pool.test");
        assert_eq!(world.pdns.dig(&["+short", &console, "A"]), [output["address"].as_str().unwrap()]);
        assert_eq!(output["secure"], true);
    }
    for (label, words) in
        [("a.b", "isn't one label"), ("-a", "hyphen"), ("www", "kept for the house"), ("عمان", "is taken")]
    {
        let mut input = called(small(), "other");
        input["label"] = json!(label);
        let why = world.refused(&input);
        assert!(why.contains(words), "{label}: {why}");
    }
    let mut input = called(small(), "other");
    input["label"] = json!("l".repeat(64));
    let body = json!({ "workflow": "provision/sovereign", "input": input });
    let refused = world.server.post("/api/v1/runs", &body).expect(400).text;
    assert!(refused.contains("label"), "{refused}");
}

#[test]
fn a_zone_of_others_is_left_alone_and_one_of_ours_is_taken_up() {
    let Some(world) = World::new() else { return };
    world.pdns.make_zone("corp.test.", &["ns1.pool.test."]);
    world.pdns.make_zone("theirs.corp.test.", &["ns1.pool.test."]);
    world.pdns.put("theirs.corp.test.", "www.theirs.corp.test.", "A", 300, &["192.0.2.7"]);
    let before = world.pdns.api("GET", "/zones/theirs.corp.test.", Value::Null).1;
    let why = world.refused(&own("theirs.corp.test"));
    assert!(why.contains("has a zone theirs.corp.test already") && why.contains("it isn't ours"), "{why}");
    assert_eq!(world.pdns.api("GET", "/zones/theirs.corp.test.", Value::Null).1, before);
    assert_eq!(world.project.count(), 0);

    // A run that succeeds leaves its zone; destroyed with `keep_domain`, only that is there, with what others put into it.
    world.pdns.make_zone("acme.corp.test.", &["ns1.pool.test.", "ns2.pool.test."]);
    let owned = json!({ "account": "windlass" });
    assert_eq!(world.pdns.api("PUT", "/zones/acme.corp.test.", owned).0, 204);
    world.pdns.put("acme.corp.test.", "mail.acme.corp.test.", "A", 300, &["192.0.2.8"]);
    world.delegate("corp.test.", "acme.corp.test.");
    let zone = || world.pdns.api("GET", "/zones/acme.corp.test.", Value::Null).1;
    let names = |zone: &Value| -> Vec<String> {
        let rrsets = zone["rrsets"].as_array().unwrap().iter();
        let mut names: Vec<_> = rrsets.map(|one| format!("{} {}", one["name"], one["type"])).collect();
        names.sort();
        names
    };
    let before = names(&zone());
    world.control.faults.add([fails("agent.flux", 500, "failed")]);
    let why = world.refused(&own("Acme.Corp.Test."));
    assert!(why.contains("flux failed"), "{why}");
    assert_eq!(names(&zone()), before, "what was there before the run is there after it");
    let output = world.succeeds(&own("Acme.Corp.Test."));
    assert_eq!((&output["domain"], &output["secure"]), (&json!("acme.corp.test"), &json!(true)));
    assert_eq!(world.pdns.dig(&["+short", "mail.acme.corp.test", "A"]), ["192.0.2.8"]);
}

#[test]
fn a_domain_that_is_taken_away_again_is_waited_for() {
    let Some(world) = World::new() else { return };
    world.pdns.make_zone("corp.test.", &["ns1.pool.test."]);
    let mut input = own("acme.corp.test");
    input["look_every"] = json!("3s");
    let run = world.launch("provision/sovereign", &input);
    world.waits_for_the_world(&run);
    world.delegate("corp.test.", "acme.corp.test.");
    wait_for("the run to see it", Duration::from_secs(60), || {
        world.annotation(&run, "delegation").starts_with("seen").then_some(())
    });
    take_away(&world.pdns, "corp.test.", "acme.corp.test.");
    let told = wait_for("the run to say that it is gone", Duration::from_secs(60), || {
        Some(world.annotation(&run, "delegation")).filter(|told| told.starts_with("gone again"))
    });
    assert!(told.contains("doesn't delegate acme.corp.test"), "{told}");
    assert!(!world.shown_as(&run)["ended_at_ms"].is_i64());
    assert_eq!(world.project.objects("servers").len(), 1, "nothing is taken back");
    world.delegate("corp.test.", "acme.corp.test.");
    let ended = world.ended(&run);
    assert_eq!((&ended["state"], &ended["output"]["secure"]), (&json!("succeeded"), &json!(true)), "{ended:#}");
}

/// What the registry does with what the registrar is told; two of its states that follow one another differ.
fn publish(registry: &PowerDns, told: &book::Domain, states: &mut Vec<(Vec<String>, usize)>) {
    let state = (told.nameservers.clone(), told.ds.len());
    if states.last() == Some(&state) {
        return;
    }
    let (parent, zone) = ("corp.test.", "acme.corp.test.");
    take_away(registry, parent, zone);
    let servers: Vec<String> = told.nameservers.iter().map(|name| format!("{name}.")).collect();
    registry.put(parent, zone, "NS", 1, &servers.iter().map(String::as_str).collect::<Vec<_>>());
    let ds = told.ds.iter().map(|ds| format!("{} {} {} {}", ds.key_tag, ds.algorithm, ds.digest_type, ds.digest));
    let ds: Vec<String> = ds.collect();
    if !ds.is_empty() {
        registry.put(parent, zone, "DS", 1, &ds.iter().map(String::as_str).collect::<Vec<_>>());
    }
    states.push(state);
}

#[test]
fn a_domain_is_moved_by_its_registrar_without_a_moment_of_wrong_signatures() {
    let Ok(registrar) = registrars::start("porkbun", ([127, 0, 0, 1], 0).into()).expect("porkbun is known") else {
        panic!("the simulator doesn't start");
    };
    let endpoints = json!({ "api.porkbun.com": registrar.server.url() });
    let Some(registry) = PowerDns::start() else { return };
    registry.make_zone("corp.test.", &["ns0.corp.test."]);
    registry.put("corp.test.", "ns0.corp.test.", "A", 300, &["127.0.0.1"]);
    let more = json!({ "registrar": { "endpoints": endpoints } });
    let Some(world) = World::below(Some(&registry), true, more) else { return };
    let old: Vec<String> = ["dns1.registrar.example", "dns2.registrar.example"].map(str::to_owned).into();
    let foreign = book::Ds { key_tag: 4_711, algorithm: 13, digest_type: 2, digest: "ab".repeat(32) };
    let domain = book::Domain { nameservers: old.clone(), ds: vec![foreign], ..book::Domain::default() };
    registrar.book.put("acme.corp.test", Some(domain));
    let told = || registrar.book.get("acme.corp.test").unwrap();

    world.approve_plugin("porkbun");
    for (name, value) in [("key", book::GOOD), ("secret", book::SECRET)] {
        let secret = json!({ "value": value, "to": ["https://api.porkbun.com"] });
        world.server.put(&format!("/api/v1/secrets/registrar/{name}"), &secret).expect(204);
    }
    let mut input = own("Acme.Corp.Test.");
    input["domain_mode"] = json!("byo-api");
    input["registrar"] =
        json!({ "plugin": "porkbun", "credentials": { "key": "registrar/key", "secret": "registrar/secret" } });
    let mut states = Vec::new();
    publish(&registry, &told(), &mut states);
    let run = world.launch("provision/sovereign", &input);
    let ended = wait_for("the run to end", Duration::from_secs(180), || {
        publish(&registry, &told(), &mut states);
        Some(world.shown_as(&run)).filter(|shown| shown["ended_at_ms"].is_i64())
    });
    assert_eq!((&ended["state"], &ended["output"]["secure"]), (&json!("succeeded"), &json!(true)), "{ended:#}");
    let ours: Vec<String> = ["ns1.pool.test", "ns2.pool.test"].map(str::to_owned).into();
    let signed = told().ds.len();
    assert!(signed > 0);
    assert_eq!(states, [(old.clone(), 1), (old, 0), (ours.clone(), 0), (ours, signed)]);
    let address = ended["output"]["address"].as_str().unwrap();
    let chain = world.pdns.delv("acme.corp.test.", "console.acme.corp.test", "A");
    assert!(chain.contains("fully validated") && chain.contains(address), "{chain}");
}

//! `provision/flip-nameservers` on real name servers: an old one, a new one, and the parent, where the owner does by hand what
//! the run asks for. The clock of the run is virtual: its waits pass at once.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_engine::{Durability, Engine, EngineConfig, Launch, Time};
use windlass_hosts::HostConfig;
use windlass_model::{Bounds, RunId, RunState};
use windlass_script::{Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig};
use windlass_tests::{PowerDns, wait_for, wait_until};

const SOON: Duration = Duration::from_secs(60);

struct World {
    parent: PowerDns,
    old: PowerDns,
    new: PowerDns,
    engine: Engine,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl World {
    /// `customer.test` is signed, on the old server, with its DS in the parent.
    fn new() -> Option<Self> {
        let (parent, old, new) = (PowerDns::start()?, PowerDns::start()?, PowerDns::start()?);
        parent.make_zone("test.", &["ns0.test."]);
        old.make_zone("customer.test.", &["ns1.old.test."]);
        old.put("customer.test.", "www.customer.test.", "A", 300, &["192.0.2.1"]);
        parent.put("test.", "customer.test.", "NS", 300, &["ns1.old.test."]);
        parent.put("test.", "customer.test.", "DS", 300, &[&ds(&old)]);
        let dns = json!({
            "servers": { "new": new.settings(&["ns1.new.test", "ns2.new.test"]) },
            "resolvers": [parent.address()],
            "addresses": {
                "ns0.test": parent.address(), "ns1.old.test": old.address(),
                "ns1.new.test": new.address(), "ns2.new.test": new.address(),
            },
        });
        let config =
            HostConfig { dns: serde_json::from_value(dns).expect("its form is right"), ..HostConfig::default() };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let sandbox = Sandbox::new(SandboxConfig {
            bounds: Bounds::default(),
            modules: crate::hosts::modules_of(&config, "platform"),
            secrets: Arc::new(NoSecrets),
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "test".into(),
            rehearsal: false,
            interceptor: None,
        });
        let workflows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
        let library = Arc::new(Library::new(vec![workflows], sandbox.clone()));
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        windlass_engine::migrate(&url).expect("a database");
        let mut config = EngineConfig::new(url, Arc::new(sandbox), library);
        config.stack_bytes = STACK_BYTES;
        config.poll_ms = 20;
        config.durability = Durability::Off;
        config.time = Time::virtual_time();
        let engine = Engine::start(config).expect("the engine starts");
        Some(Self { parent, old, new, engine, _runtime: runtime, _folder: folder })
    }

    fn launch(&self, patience: &str) -> RunId {
        let input = json!({
            "domain": "customer.test", "mode": "byo-manual", "nameservers": ["ns1.new.test", "ns2.new.test"], "patience": patience,
        });
        let workflow = "provision/flip-nameservers".to_owned();
        let launch = Launch { workflow, input, by: "test".into(), ..Launch::default() };
        self.engine.launch(launch).expect("it can be launched").run
    }

    fn state(&self, run: &RunId) -> RunState {
        self.engine.run(run).expect("the store answers").expect("the run is there").state
    }

    /// Waits until the run asks the owner for this.
    fn asked(&self, run: &RunId, what: &str) {
        wait_until(what, SOON, || {
            let state = self.state(run);
            assert!(!state.is_ended(), "{state}: {:?}", self.engine.run(run));
            let events = self.engine.events(run, 0, 100_000).expect("the store answers");
            events.iter().any(|event| json!(event).to_string().contains(what))
        });
    }

    /// What somebody gets who asks the parent first, and then whom it names.
    fn reached(&self) -> Vec<String> {
        let named = self.parent.records("test.", "customer.test.", "NS");
        let server = if named.iter().any(|name| name.contains("old")) { &self.old } else { &self.new };
        server.dig(&["www.customer.test", "A"])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.engine.shutdown(Duration::from_secs(5));
    }
}

/// The DS of the zone's key.
fn ds(server: &PowerDns) -> String {
    let (_, keys) = server.api("GET", "/zones/customer.test./cryptokeys", Value::Null);
    let all = keys[0]["ds"].as_array().cloned().unwrap_or_default();
    let found = all.iter().filter_map(Value::as_str).find(|ds| ds.split(' ').nth(2) == Some("2"));
    found.expect("the zone is signed").to_owned()
}

#[test]
fn a_signed_domain_moves_and_can_be_reached_at_every_moment() {
    let Some(world) = World::new() else { return };
    let run = world.launch("60d");
    world.asked(&run, "Remove all DS records");
    // The new server serves it before anything changes.
    world.new.put("customer.test.", "www.customer.test.", "A", 300, &["192.0.2.1"]);
    assert_eq!(world.reached(), ["192.0.2.1"]);
    let gone = json!({ "rrsets": [{ "name": "customer.test.", "type": "DS", "changetype": "DELETE" }] });
    world.parent.api("PATCH", "/zones/test.", gone);
    world.asked(&run, "Set the name servers");
    assert!(
        world.parent.records("test.", "customer.test.", "DS").is_empty(),
        "no server is named whose keys don't fit a DS"
    );
    assert_eq!(world.reached(), ["192.0.2.1"]);
    world.parent.put("test.", "customer.test.", "NS", 300, &["ns1.new.test.", "ns2.new.test."]);
    world.asked(&run, "Put this DS record");
    assert_eq!(world.reached(), ["192.0.2.1"]);
    world.parent.put("test.", "customer.test.", "DS", 300, &[&ds(&world.new)]);
    let output = wait_for("the run's end", SOON, || {
        let record = world.engine.run(&run).expect("the store answers").expect("the run is there");
        record.state.is_ended().then_some(record)
    });
    assert_eq!(output.state, RunState::Succeeded, "{output:?}");
    assert_eq!(output.output.expect("a result")["nameservers"], json!(["ns1.new.test", "ns2.new.test"]));
}

#[test]
fn an_owner_who_puts_the_wrong_ds_in_is_not_taken_for_done() {
    let Some(world) = World::new() else { return };
    let run = world.launch("60d");
    world.asked(&run, "Remove all DS records");
    let gone = json!({ "rrsets": [{ "name": "customer.test.", "type": "DS", "changetype": "DELETE" }] });
    world.parent.api("PATCH", "/zones/test.", gone);
    world.asked(&run, "Set the name servers");
    // First one of them only, then both.
    world.parent.put("test.", "customer.test.", "NS", 300, &["ns1.new.test."]);
    world.asked(&run, "and not ns1.new.test, ns2.new.test");
    world.parent.put("test.", "customer.test.", "NS", 300, &["ns1.new.test.", "ns2.new.test."]);
    world.asked(&run, "Put this DS record");
    world.parent.put("test.", "customer.test.", "DS", 300, &[&ds(&world.old)]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!world.state(&run).is_ended(), "a DS that fits no key is no end");
    world.parent.put("test.", "customer.test.", "DS", 300, &[&ds(&world.new)]);
    wait_until("the run's end", SOON, || world.state(&run) == RunState::Succeeded);
}

#[test]
fn an_owner_who_never_comes_leaves_everything_as_it_was() {
    let Some(world) = World::new() else { return };
    let run = world.launch("1h");
    wait_until("the run's end", SOON, || world.state(&run).is_ended());
    assert_eq!(world.state(&run), RunState::RolledBack);
    assert!(!super::zone_exists(&world.new, "customer.test."), "the zone that was made is gone again");
    assert_eq!(world.reached(), ["192.0.2.1"]);
    assert_eq!(world.parent.records("test.", "customer.test.", "DS"), [ds(&world.old)]);
}

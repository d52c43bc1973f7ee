//! `provision/sovereign`: what it makes, what it costs, and that nothing is left when it fails.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use windlass_sim::{Failure, Fault};
use windlass_tests::wait_for;

use super::World;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E ann@acme.test";

/// Two regions, three control planes, three workers, a name of the pool.
pub(super) fn input() -> Value {
    json!({
        "name": "acme", "owner_email": "ann@acme.test", "topology": "dual", "ha": true, "project": "main",
        "ssh_public_key": KEY,
        "regions": [
            { "location": "fsn1", "control_plane_size": "cx33", "worker_size": "cx43", "workers": 2 },
            { "location": "nbg1", "control_plane_size": "cx33", "worker_size": "cx43", "workers": 1 },
        ],
        "components": ["grafana"],
        "domain_mode": "pool", "pool_domain": "pool.test", "label": "acme",
    })
}

/// One machine.
pub(super) fn small() -> Value {
    let mut input = input();
    (input["topology"], input["ha"], input["components"]) = (json!("solo"), json!(false), json!([]));
    input["regions"] = json!([{ "location": "fsn1", "control_plane_size": "cx33", "worker_size": "cx43" }]);
    input
}

pub(super) fn fails(operation: &str, status: u16, code: &str) -> Fault {
    let failure = Failure { status, code: code.into(), message: None };
    Fault::Fail { operation: operation.into(), times: 1, failure }
}

impl World {
    pub(super) fn succeeds(&self, input: &Value) -> Value {
        let ended = self.ended(&self.launch("provision/sovereign", input));
        assert_eq!(ended["state"], "succeeded", "{ended:#}\n{:?}", self.machines.troubles());
        ended["output"].clone()
    }

    fn comes_to_nothing(&self, input: &Value) -> String {
        let ended = self.ended(&self.launch("provision/sovereign", input));
        assert_eq!(ended["state"], "rolled_back", "{ended:#}");
        self.demand_nothing_left();
        ended["problem"]["message"].as_str().unwrap().to_owned()
    }

    /// Neither with the provider, nor in the DNS, nor among secrets and claims.
    pub(super) fn demand_nothing_left(&self) {
        assert_eq!(self.project.count(), 0, "{:?}", self.project.objects("servers"));
        assert_eq!(self.pdns.records("pool.test.", "acme.pool.test.", "NS"), Vec::<String>::new());
        assert_eq!(self.pdns.api("GET", "/zones/acme.pool.test.?rrsets=false", Value::Null).0, 404);
        let secrets = self.server.get("/api/v1/secrets").expect(200).text;
        assert!(!secrets.contains("made/"), "{secrets}");
    }
}

#[test]
fn a_sovereign_with_a_name_of_the_pool_comes_to_be() {
    let Some(world) = World::new() else { return };
    let output = world.succeeds(&input());
    assert_eq!(output["domain"], "acme.pool.test");
    assert_eq!(output["secure"], true);
    let components: Vec<&str> = output["components"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((components[0], components.len()), ("cilium", 15), "{components:?}");
    assert!(components.contains(&"victoria-metrics"), "what grafana needs comes along: {components:?}");
    // Three of 5.49, three of 9.49 and the balancer's 5.39.
    assert_eq!(output["cost"]["total"], 50.33);

    let servers = world.project.objects("servers");
    let place = |server: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        [text(&server["name"]), text(&server["location"]["name"]), text(&server["labels"]["role"])].join(" ")
    };
    let places: BTreeSet<String> = servers.iter().map(place).collect();
    let expected = [
        "acme-cp-1 fsn1 control-plane",
        "acme-cp-2 nbg1 control-plane",
        "acme-cp-3 fsn1 control-plane",
        "acme-w-1-1 fsn1 worker",
        "acme-w-1-2 fsn1 worker",
        "acme-w-2-1 nbg1 worker",
    ];
    assert_eq!(places, expected.map(str::to_owned).into());
    let balancer = &world.project.objects("load_balancers")[0];
    let ports: Vec<i64> =
        balancer["services"].as_array().unwrap().iter().filter_map(|service| service["listen_port"].as_i64()).collect();
    assert_eq!(ports, [80, 443, 6443]);

    // The provider keeps what machines are booted with: it opens nothing any more, and the cluster's token isn't in it.
    for server in &servers {
        let data = world.project.user_data(server["id"].as_i64().unwrap()).unwrap();
        assert!(data.starts_with("#cloud-config\n{") && !data.contains("k3s_token\":"), "{data}");
        let config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        let claim: Value = serde_json::from_str(config["write_files"][0]["content"].as_str().unwrap()).unwrap();
        let url = claim["url"].as_str().unwrap();
        let path = format!("{}/fetch", &url[url.find("/api/").unwrap()..]);
        world.server.send_as("", "POST", &path, Some(&json!({ "word": claim["word"] }))).expect(410);
    }

    // The world sees it: signed from the parent on, and pointing to the balancer.
    let address = balancer["public_net"]["ipv4"]["ip"].as_str().unwrap();
    assert_eq!(output["address"], address);
    let keys = world.pdns.api("GET", "/zones/pool.test./cryptokeys", Value::Null).1;
    assert!(keys.as_array().is_some_and(|keys| !keys.is_empty()), "{keys}");
    for name in ["acme.pool.test.", "console.acme.pool.test.", "api.acme.pool.test.", "any.acme.pool.test."] {
        assert_eq!(world.pdns.dig(&["+short", name, "A"]), [address], "{name}");
    }
}

#[test]
fn a_component_that_fails_leaves_nothing_behind() {
    let Some(world) = World::new() else { return };
    world.control.faults.add([fails("agent.gitea", 500, "failed")]);
    let why = world.comes_to_nothing(&small());
    assert!(why.contains("gitea failed on acme/acme-cp-1"), "{why}");
    // Once more, with nothing in its way.
    world.succeeds(&small());
    assert_eq!(world.project.objects("servers").len(), 1);
}

#[test]
fn a_lost_answer_makes_no_second_server_and_a_full_location_makes_none() {
    let Some(world) = World::new() else { return };
    world.control.faults.lose("servers.create");
    world.succeeds(&input());
    assert_eq!(world.project.objects("servers").len(), 6);
    drop(world);
    let Some(world) = World::new() else { return };
    let failure = Failure { status: 412, code: "resource_unavailable".into(), message: None };
    world.control.faults.add([Fault::Fail { operation: "servers.create".into(), times: 50, failure }]);
    let why = world.comes_to_nothing(&input());
    assert!(why.contains("stock") || why.contains("unavailable") || why.contains("available"), "{why}");
}

#[test]
fn what_costs_too_much_or_cant_be_had_is_said_before_anything_is_made() {
    let Some(world) = World::new() else { return };
    let mut dear = input();
    dear["most_a_month"] = json!(50);
    assert!(world.comes_to_nothing(&dear).contains("it would cost 50.33 EUR a month, more than 50"));
    let mut old = small();
    old["regions"][0]["control_plane_size"] = json!("cx22");
    assert!(world.comes_to_nothing(&old).contains("cx22 can't be had in fsn1"));
    let mut strange = small();
    strange["components"] = json!(["gitlab"]);
    assert!(world.comes_to_nothing(&strange).contains("there is no component gitlab"));
    let mut alone = small();
    alone["ha"] = json!(true);
    assert!(world.comes_to_nothing(&alone).contains("solo is one machine"));
    assert!(world.control.seen().iter().all(|seen| seen.method == "GET"), "{:?}", world.control.seen());
}

#[test]
fn a_customers_own_domain_is_waited_for_until_it_is_delegated() {
    let Some(world) = World::new() else { return };
    world.pdns.make_zone("corp.test.", &["ns1.pool.test."]);
    let mut input = small();
    (input["domain_mode"], input["domain"]) = (json!("byo-manual"), json!("acme.corp.test"));
    let run = world.launch("provision/sovereign", &input);
    wait_for("the run to wait for the delegation", Duration::from_secs(120), || {
        let shown = world.server.get(&format!("/api/v1/runs/{run}")).json();
        assert!(!shown["ended_at_ms"].is_i64(), "{shown:#}");
        (shown["progress"]["percent"] == 90.0 && shown["state"] == "waiting").then_some(())
    });
    // The customer does at their registrar what they were told.
    let keys = world.pdns.api("GET", "/zones/acme.corp.test./cryptokeys", Value::Null).1;
    let ds = keys[0]["ds"].as_array().unwrap().iter().filter_map(Value::as_str).find(|ds| ds.contains(" 2 ")).unwrap();
    world.pdns.put("corp.test.", "acme.corp.test.", "NS", 300, &["ns1.pool.test.", "ns2.pool.test."]);
    world.pdns.put("corp.test.", "acme.corp.test.", "DS", 300, &[ds]);
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!((&ended["output"]["domain"], &ended["output"]["secure"]), (&json!("acme.corp.test"), &json!(true)));
}

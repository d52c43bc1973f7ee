//! `provision/sovereign`: what it makes, what it costs, and that nothing is left when it fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_sim::{Failure, Fault};
use windlass_tests::wait_for;

use super::World;

const SOURCE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: cluster, namespace: flux-system }\n";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E ann@acme.test";

/// Two regions, three control planes, three workers, a name of the pool.
pub(super) fn input() -> Value {
    json!({
        "name": "acme", "owner_email": "ann@acme.test", "size": "11-50", "topology": "dual", "ha": true, "project": "main",
        "ssh_public_key": KEY,
        "regions": [
            { "provider": "hetzner", "location": "fsn1", "control_plane_size": "cx33", "worker_size": "cx43", "workers": 2 },
            { "location": "nbg1", "control_plane_size": "cx33", "worker_size": "cx43", "workers": 1 },
        ],
        "components": ["grafana"], "source": SOURCE,
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

    /// What each server was booted with, and the claim in it; and the values of all secrets that were made, by their names.
    fn made_values(&self) -> (BTreeMap<String, (String, Value)>, BTreeMap<String, String>) {
        let mut booted = BTreeMap::new();
        for server in self.project.objects("servers") {
            let data = self.project.user_data(server["id"].as_i64().unwrap()).unwrap();
            let config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
            let claim: Value = serde_json::from_str(config["write_files"][0]["content"].as_str().unwrap()).unwrap();
            booted.insert(server["name"].as_str().unwrap().to_owned(), (data, claim));
        }
        let secrets = self.server.get("/api/v1/secrets").expect(200).json();
        let secrets = secrets["items"].as_array().or(secrets.as_array()).unwrap().clone();
        let names =
            secrets.iter().filter_map(|secret| secret["name"].as_str()).filter(|name| name.starts_with("made/"));
        // What machines know is what the secrets are.
        let members = self.machines.members();
        let value = |name: &str| {
            let member = members.iter().find(|member| name.contains(&format!("/{}", member.name)));
            let returned = member.and_then(|member| member.returned.get(name.rsplit('/').next()?));
            let word = || booted[&member?.name].1["word"].as_str();
            match name.ends_with("/k3s-token") {
                true => members[0].values.get("k3s_token").cloned(),
                false => returned.cloned().or_else(|| word().map(str::to_owned)),
            }
        };
        let values = names.map(|name| (name.to_owned(), value(name).unwrap_or_else(|| panic!("{name} has no value"))));
        let values: BTreeMap<_, _> = values.collect();
        assert_eq!(values.len(), booted.len() + 2, "a word for each, a token and a kubeconfig: {:?}", values.keys());
        assert!(values.values().all(|value| value.len() >= 40), "{values:?}");
        (booted, values)
    }

    fn does(&self, workflow: &str, input: &Value) -> Value {
        let ended = self.ended(&self.launch(workflow, input));
        assert_eq!(ended["state"], "succeeded", "{workflow}: {ended:#}\n{:?}", self.machines.troubles());
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

    // One cluster, not three: the other machines have joined the first.
    let members = world.machines.members();
    let first = members[0].address.clone();
    assert_eq!((members[0].name.as_str(), members.len()), ("acme-cp-1", 6), "{members:?}");
    for member in &members {
        assert_eq!(
            (&member.cluster, &member.joined),
            (&first, &(member.address != first).then(|| first.clone())),
            "{member:?}"
        );
    }

    // The provider keeps what machines are booted with: no secret is in it but the machine's own word, which opens nothing
    // any more.
    let (words, values) = world.made_values();
    for (server, (data, claim)) in &words {
        for (secret, value) in &values {
            let own = secret.ends_with(&format!("/.word/acme/{server}"));
            assert_eq!(data.contains(value.as_str()), own, "{secret} in what {server} was booted with");
        }
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
    let mut far = input();
    far["regions"][1]["location"] = json!("ash");
    assert!(world.comes_to_nothing(&far).contains("fsn1 is in eu-central, ash in us-east"));
    let mut alone = small();
    alone["ha"] = json!(true);
    assert!(world.comes_to_nothing(&alone).contains("solo is one machine"));
    assert!(world.control.seen().iter().all(|seen| seen.method == "GET"), "{:?}", world.control.seen());
}

#[test]
fn input_that_makes_no_cluster_isnt_launched() {
    let Some(world) = World::new() else { return };
    let mut strange = small();
    strange["components"] = json!(["gitlab"]);
    let mut bare = small();
    bare.as_object_mut().unwrap().remove("source");
    let mut blank = small();
    blank["source"] = json!(" \n");
    for (wrong, word) in [(strange, "gitlab"), (bare, "source"), (blank, "source")] {
        let body = json!({ "workflow": "provision/sovereign", "input": wrong });
        let answer = world.server.post("/api/v1/runs", &body);
        assert!(answer.status == 400 && answer.text.contains(word), "{} {}", answer.status, answer.text);
    }
}

#[test]
fn one_of_the_same_name_comes_after_another_with_secrets_of_its_own() {
    let Some(world) = World::new() else { return };
    let destroy = json!({ "name": "acme", "project": "main", "domain": "acme.pool.test", "pool_domain": "pool.test", "approved": true });
    let mut wanted = small();
    (wanted["topology"], wanted["regions"][0]["workers"]) = (json!("compact"), json!(1));
    world.succeeds(&wanted);
    let (booted, before) = world.made_values();
    // Fewer workers and more again: nobody waits for the claims of those that are gone.
    for workers in [0, 1, 2] {
        let asked =
            json!({ "name": "acme", "project": "main", "location": "fsn1", "size": "cx43", "workers": workers });
        world.does("provision/scale-workers", &asked);
        assert_eq!(world.project.objects("servers").len(), 1 + workers);
    }
    world.does("provision/destroy", &destroy);
    let secrets = world.server.get("/api/v1/secrets").expect(200).text;
    assert!(world.project.count() == 0 && !secrets.contains("made/"), "{secrets}");

    // Nor do their claims open or answer anything.
    for (_, claim) in booted.values() {
        let url = claim["url"].as_str().unwrap();
        let path = format!("{}/fetch", &url[url.find("/api/").unwrap()..]);
        world.server.send_as("", "POST", &path, Some(&json!({ "word": claim["word"] }))).expect(401);
    }

    let mut again = wanted.clone();
    // The first one's name rests for a while.
    again["label"] = json!("acme-2");
    world.succeeds(&again);
    let members = world.machines.members();
    let firsts: Vec<_> = members.iter().filter(|member| member.joined.is_none()).collect();
    assert_eq!(firsts.len(), 2, "{members:?}");
    let token = |n: usize| firsts[n].values["k3s_token"].as_str();
    assert_ne!(token(0), token(1), "the token of a cluster is its own");
    let last = members.last().unwrap();
    assert_eq!((&last.joined, last.values["k3s_token"].as_str()), (&Some(firsts[1].address.clone()), token(1)));
    let secrets = world.server.get("/api/v1/secrets").expect(200).text;
    assert_eq!(before.keys().filter(|name| secrets.contains(name.as_str())).count(), before.len(), "{secrets}");
}

#[test]
fn what_comes_along_is_told_and_the_wizards_choices_are_the_catalogues() {
    let Some(world) = World::new() else { return };
    let run = world.launch("provision/sovereign", &input());
    assert_eq!(world.ended(&run)["state"], "succeeded");
    let logs = world.server.get(&format!("/api/v1/runs/{run}/logs")).expect(200).text;
    for told in [
        "victoria-metrics comes along: grafana needs it",
        "cloudnative-pg comes along: keycloak, gitea, powerdns need it",
    ] {
        assert!(logs.contains(told), "{told}: {logs}");
    }
    let events = world.server.get(&format!("/api/v1/runs/{run}/events")).expect(200).text;
    assert!(events.contains("brought along"), "{events}");

    let catalogue = world.does("provision/catalogue", &json!({ "project": "main" }));
    let known: Vec<&str> =
        catalogue["locations"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(known, ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]);
    let chosen = catalogue["components"].as_array().unwrap().iter().filter(|one| one["always"] == false);
    let expected: BTreeMap<&str, &Value> = chosen.map(|one| (one["id"].as_str().unwrap(), &one["label"])).collect();
    let shown = world.server.get("/api/v1/workflows/provision/sovereign").expect(200).json();
    let offered = shown.pointer("/workflow/inputs/properties/components/items").unwrap_or_else(|| panic!("{shown:#}"));
    let choices: BTreeMap<&str, &Value> = offered["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one.as_str().unwrap(), &offered["x-labels"][one.as_str().unwrap()]))
        .collect();
    assert_eq!(choices, expected);
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

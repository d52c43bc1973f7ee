//! A Sovereign that is launched again: what stands of it stays as it is, what a run has left is taken over, and what is missing is
//! made. Of two runs of one Sovereign, none destroys what is the other's.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use windlass_sim::{Failure, Fault, hetzner::TOKEN};
use windlass_tests::wait_for;

use super::{
    World,
    sovereign::{fails, input, small},
};

const KINDS: [&str; 6] = ["servers", "networks", "firewalls", "ssh_keys", "placement_groups", "load_balancers"];
const LONG: Duration = Duration::from_secs(120);

/// A cluster of one control plane and these many workers.
fn compact(workers: u32) -> Value {
    let mut wanted = small();
    (wanted["topology"], wanted["regions"][0]["workers"]) = (json!("compact"), json!(workers));
    wanted
}

fn refuses(operation: &str, times: u32) -> Fault {
    let failure = Failure { status: 422, code: "invalid_input".into(), message: None };
    Fault::Fail { operation: operation.into(), times, failure }
}

impl World {
    fn reaches(&self, run: &str, state: &str) {
        wait_for(state, LONG, || {
            let shown = self.server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
            assert!(shown["state"] == state || !shown["ended_at_ms"].is_i64(), "{shown:#}");
            (shown["state"] == state).then_some(())
        });
    }

    fn unstick(&self, run: &str) {
        self.server.post(&format!("/api/v1/runs/{run}/unstick"), &json!({ "action": "retry" })).expect(200);
    }

    /// What the provider keeps of each kind, whole.
    fn all(&self) -> BTreeMap<&'static str, Vec<Value>> {
        KINDS.into_iter().map(|kind| (kind, self.project.objects(kind))).collect()
    }

    /// Each thing's id by its kind and name.
    fn ids(&self) -> BTreeMap<String, i64> {
        let named = |(kind, things): (&str, Vec<Value>)| {
            let entry =
                |one: &Value| (format!("{kind}/{}", one["name"].as_str().unwrap()), one["id"].as_i64().unwrap());
            things.iter().map(entry).collect::<Vec<_>>()
        };
        self.all().into_iter().flat_map(named).collect()
    }

    /// All records of a zone of the pool, and its keys.
    fn dns(&self, zone: &str) -> (Value, Value) {
        let zone = |rest: &str| self.pdns.api("GET", &format!("/zones/{zone}{rest}"), Value::Null).1;
        (zone("")["rrsets"].clone(), zone("/cryptokeys"))
    }

    fn secrets(&self) -> Vec<Value> {
        let secrets = self.server.get("/api/v1/secrets").expect(200).json();
        let secrets = secrets["items"].as_array().or(secrets.as_array()).unwrap().clone();
        secrets.into_iter().filter(|secret| secret["name"].as_str().is_some_and(|it| it.starts_with("made/"))).collect()
    }

    /// Removes something as somebody in the provider's console does.
    fn remove_by_hand(&self, kind: &str, name: &str) {
        let id = self.ids()[&format!("{kind}/{name}")];
        self.by_hand("DELETE", &format!("/{kind}/{id}"), &Value::Null);
        wait_for("it to be gone", LONG, || (!self.ids().contains_key(&format!("{kind}/{name}"))).then_some(()));
    }

    fn by_hand(&self, method: &str, path: &str, body: &Value) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v1{path}", self.provider_url());
        let request = client.request(method.parse().unwrap(), url).bearer_auth(TOKEN);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let answer = request.send().unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().unwrap_or_default());
    }

    /// What was changed by requests since so many. A token is tried by one that can't succeed.
    fn changes_since(&self, before: usize) -> Vec<String> {
        let seen = self.control.seen();
        let changes = seen[before..]
            .iter()
            .filter(|seen| seen.method != "GET" && seen.status < 300 && seen.path.starts_with("/v1"));
        changes.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

#[test]
fn what_a_stuck_run_has_left_is_taken_over_and_stays_when_that_goes_on() {
    let Some(world) = World::new() else { return };
    // The last component fails, and so does what is undone first of what the machines stand on.
    world.control.faults.add([fails("agent.gitea", 500, "failed"), refuses("load_balancers.delete", 100)]);
    let first = world.launch("provision/sovereign", &small());
    world.reaches(&first, "rollback_stuck");
    let left = world.ids();
    assert!(left.contains_key("networks/acme") && left.contains_key("load_balancers/acme"), "{left:?}");
    world.control.faults.clear();

    let output = world.succeeds(&small());
    assert_eq!((&output["domain"], &output["secure"]), (&json!("acme.pool.test"), &json!(true)));
    let (taken, whole) = (world.ids(), world.all());
    for kept in ["networks/acme", "load_balancers/acme"] {
        assert_eq!(taken[kept], left[kept], "{kept} is taken over, and not made anew");
    }
    assert!(!whole.values().flatten().any(|one| one["labels"]["windlass-run"] == first.as_str()));
    let (dns, secrets) = (world.dns("acme.pool.test."), world.secrets());

    let before = world.control.seen().len();
    world.unstick(&first);
    assert_eq!(world.ended(&first)["state"], "rolled_back");
    assert_eq!(world.changes_since(before), [""; 0], "the old run's undo finds nothing of its own");
    assert_eq!((world.all(), world.dns("acme.pool.test."), world.secrets()), (whole, dns, secrets));

    // What was taken over goes with everything else.
    let destroy = json!({ "name": "acme", "project": "main", "domain": "acme.pool.test", "approved": true });
    assert_eq!(world.ended(&world.launch("provision/destroy", &destroy))["state"], "succeeded");
    assert_eq!((world.project.count(), world.secrets()), (0, Vec::new()));
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "NS"), Vec::<String>::new());
}

#[test]
fn half_a_machine_that_a_run_has_left_is_made_anew() {
    let Some(world) = World::new() else { return };
    world.control.faults.add([fails("agent.gitea", 500, "failed"), refuses("servers.delete", 100)]);
    let first = world.launch("provision/sovereign", &small());
    world.reaches(&first, "rollback_stuck");
    let left = world.ids();
    assert!(left.contains_key("servers/acme-cp-1"), "{left:?}");
    world.control.faults.clear();
    world.succeeds(&small());
    let made = world.ids();
    assert_eq!(made.len(), 6, "{made:?}");
    assert_ne!(made["servers/acme-cp-1"], left["servers/acme-cp-1"], "its first boot can't be repeated");
    assert_eq!(made["networks/acme"], left["networks/acme"]);
    let (whole, secrets) = (world.all(), world.secrets());
    world.unstick(&first);
    assert_eq!(world.ended(&first)["state"], "rolled_back");
    assert_eq!((world.all(), world.secrets()), (whole, secrets));
    assert_eq!(world.pdns.dig(&["+short", "console.acme.pool.test.", "A"]).len(), 1);
}

#[test]
fn a_sovereign_that_stands_stays_as_it_is_when_it_is_launched_again() {
    let Some(world) = World::new() else { return };
    let first = world.launch("provision/sovereign", &input());
    let output = world.ended(&first)["output"].clone();
    let (before, dns, secrets) = (world.all(), world.dns("acme.pool.test."), world.secrets());
    let (seen, members) = (world.control.seen().len(), world.machines.members().len());
    let second = world.launch("provision/sovereign", &input());
    let ended = world.ended(&second);
    assert_eq!((&ended["state"], &ended["output"]), (&json!("succeeded"), &output), "{ended:#}");
    assert_eq!(world.changes_since(seen), [""; 0]);
    assert_eq!((world.all(), world.dns("acme.pool.test."), world.secrets()), (before, dns, secrets));
    assert_eq!(world.machines.members().len(), members, "no machine was booted");
    let report = |run: &str| world.server.get(&format!("/api/v1/runs/{run}/artifacts/report.md")).expect(200).text;
    assert_eq!(report(&first), report(&second));
}

#[test]
fn what_was_taken_away_by_hand_is_made_again_and_nothing_else() {
    let Some(world) = World::new() else { return };
    let output = world.succeeds(&compact(2));
    let (before, members) = (world.ids(), world.machines.members());
    world.remove_by_hand("servers", "acme-w-1-2");
    let balancer = before["load_balancers/acme"];
    world.by_hand(
        "POST",
        &format!("/load_balancers/{balancer}/actions/delete_service"),
        &json!({ "listen_port": 443 }),
    );
    let gone = json!({ "rrsets": [{ "name": "console.acme.pool.test.", "type": "A", "changetype": "DELETE" }] });
    assert_eq!(world.pdns.api("PATCH", "/zones/acme.pool.test.", gone).0, 204);
    assert_eq!(world.pdns.dig(&["+short", "console.acme.pool.test.", "A"]).len(), 1, "the wildcard answers");

    let again = world.succeeds(&compact(2));
    assert_eq!(again, output);
    let after = world.ids();
    for (name, id) in &before {
        assert_eq!(after[name] == *id, name != "servers/acme-w-1-2", "{name}");
    }
    assert_eq!(after.len(), before.len());
    let now = world.machines.members();
    let (last, first) = (now.last().unwrap(), &members[0]);
    assert_eq!((now.len(), last.name.as_str()), (members.len() + 1, "acme-w-1-2"));
    assert_eq!(
        (&last.joined, &last.cluster),
        (&Some(first.address.clone()), &first.cluster),
        "it joins the cluster that is there"
    );
    assert_eq!(last.values["k3s_token"], first.values["k3s_token"]);
    let ports = world.project.objects("load_balancers")[0]["services"].as_array().unwrap().len();
    assert_eq!(ports, 3);
    assert_eq!(world.pdns.records("acme.pool.test.", "console.acme.pool.test.", "A").len(), 1);
}

#[test]
fn a_run_that_fails_on_a_sovereign_that_stands_leaves_it_whole() {
    let Some(world) = World::new() else { return };
    world.succeeds(&compact(1));
    let (before, dns, secrets) = (world.all(), world.dns("acme.pool.test."), world.secrets());
    // Another worker is asked for, and doesn't come up.
    world.control.faults.add([fails("agent.k3s", 500, "failed")]);
    let ended = world.ended(&world.launch("provision/sovereign", &compact(2)));
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("k3s failed on acme/acme-w-1-2"), "{why}");
    assert_eq!((world.all(), world.dns("acme.pool.test."), world.secrets()), (before, dns, secrets));
    // A lost control plane isn't made anew: k3s lets no other one in by its name.
    world.remove_by_hand("servers", "acme-cp-1");
    let seen = world.control.seen().len();
    let ended = world.ended(&world.launch("provision/sovereign", &compact(1)));
    let why = ended["problem"]["message"].as_str().unwrap_or_default();
    assert!(why.contains("acme-cp-1 is gone") && why.contains("provision/destroy"), "{ended:#}");
    assert_eq!(world.changes_since(seen), [""; 0]);
}

/// Killed at several points while it takes over what a stuck run has left, it ends with everything there once.
#[test]
fn killed_while_it_takes_over_it_ends_with_everything_once() {
    for point in ["effect.before:4", "effect.after:4", "effect.after:7", "effect.before:9", "commit.after:31"] {
        let Some(mut world) = World::new() else { return };
        world.control.faults.add([fails("agent.gitea", 500, "failed"), refuses("servers.delete", 100)]);
        let first = world.launch("provision/sovereign", &small());
        world.reaches(&first, "rollback_stuck");
        let left = world.ids();
        world.control.faults.clear();

        world.server.kill();
        world.server.restart_to_crash(point);
        let body = json!({ "workflow": "provision/sovereign", "input": small() }).to_string().into_bytes();
        let headers = [("content-type", "application/json"), ("idempotency-key", point)];
        let token = world.server.token.clone();
        let mut killed = false;
        let second = wait_for("the run to be launched", LONG, || {
            if !world.server.process().is_running() {
                (killed, _) = (true, world.server.restart());
            }
            let answer = world.server.try_raw("POST", "/api/v1/runs", &token, &headers, Some(body.clone()))?;
            (answer.status < 300).then(|| answer.json()["id"].as_str().unwrap().to_owned())
        });
        let ended = wait_for("the run to end", LONG, || {
            if !world.server.process().is_running() {
                (killed, _) = (true, world.server.restart());
            }
            let shown = world.server.try_raw("GET", &format!("/api/v1/runs/{second}"), &token, &[], None)?.json();
            shown["ended_at_ms"].is_i64().then_some(shown)
        });
        assert!(killed, "{point}: it wasn't killed");
        assert_eq!(ended["state"], "succeeded", "{point}: {ended:#}\n{:?}", world.machines.troubles());
        let made = world.ids();
        assert_eq!(made.len(), 6, "{point}: {made:?}");
        assert_eq!(made["networks/acme"], left["networks/acme"], "{point}");
        let whole = (world.all(), world.secrets());
        assert!(!whole.0.values().flatten().any(|one| one["labels"]["windlass-run"] == first.as_str()), "{point}");
        world.unstick(&first);
        assert_eq!(world.ended(&first)["state"], "rolled_back", "{point}");
        assert_eq!((world.all(), world.secrets()), whole, "{point}");
    }
}

#[test]
fn what_a_run_has_that_goes_on_or_another_organisation_is_refused() {
    let Some(world) = World::with_machines(false) else { return };
    for name in ["acme", "rival"] {
        world.server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }
    let launch = |organisation: &str, input: &Value| {
        let body = json!({ "workflow": "provision/sovereign", "input": input, "organisation": organisation });
        world.server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
    };
    // It waits for its machine.
    let first = launch("acme", &small());
    wait_for("the machine", LONG, || {
        let server = world.project.objects("servers").into_iter().next()?;
        (server["status"] == "running").then_some(())
    });
    let before = world.all();
    let refused = |organisation: &str, name: &str, words: &[&str]| {
        let mut wanted = small();
        (wanted["label"], wanted["name"]) = (json!(name), json!("acme"));
        let ended = world.ended(&launch(organisation, &wanted));
        assert_eq!(ended["state"], "rolled_back", "{ended:#}");
        let why = ended["problem"]["message"].as_str().unwrap();
        assert!(words.iter().all(|word| why.contains(word)), "{words:?}: {why}");
        assert_eq!(world.all(), before);
    };
    refused("rival", "other", &["has a network `acme` already", &first]);
    refused("rival", "acme", &["acme.pool.test"]);
    world.server.post(&format!("/api/v1/runs/{first}/cancel"), &json!({})).expect(200);
    assert_eq!(world.ended(&first)["state"], "cancelled");
    world.demand_nothing_left();
}

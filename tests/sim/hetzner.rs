//! Hetzner Cloud, simulated: the official client can't tell, and the published contract is kept in every exchange.

use std::{collections::BTreeMap, process::Command, sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_sim::{
    Clock, Control,
    hetzner::{Config, Hetzner, READ_ONLY_TOKEN, TOKEN},
    serve,
};
use windlass_tests::{
    clients::{drive, http, python},
    process::Process,
    windlass_binary,
};

use super::contract::{Checked, Contract};

/// What the provider has published, as `tests/tools/contract` trims it.
pub const CONTRACT: &str = include_str!("../data/hetzner-cloud.json");

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E tester";

fn quick() -> Config {
    Config { pace: 0.01, requests: 100_000, ..Config::default() }
}

#[test]
fn the_official_client_is_content() {
    let Some(python) = python() else { return };
    let control = Control::new(Clock::system());
    let project = Arc::new(Hetzner::new(quick(), control.clock.clone()));
    let checked = Checked::answers(project.clone(), Contract::new(CONTRACT, "/v1"));
    let server = serve(([127, 0, 0, 1], 0).into(), checked.clone(), &control).unwrap();
    let said = drive(&python, "hetzner.py", &[&format!("{}/v1", server.url()), TOKEN, READ_ONLY_TOKEN]);
    assert!(said.contains("everything was made"), "{said}");
    let kept = checked.demand_kept();
    assert!(kept.len() > 60, "so few of the contract's operations were tried: {kept:?}");
    assert_eq!(project.count(), 0, "nothing is left");
}

/// Every collection, every object and every action of the contract that is simulated answers as the contract says.
#[tokio::test]
async fn every_operation_of_the_contract_is_there() {
    let control = Control::new(Clock::system());
    let project = Arc::new(Hetzner::new(Config { pace: 0.0, ..quick() }, control.clock.clone()));
    let checked = Checked::new(project, Contract::new(CONTRACT, "/v1"));
    let server = serve(([127, 0, 0, 1], 0).into(), checked.clone(), &control).unwrap();
    let url = format!("{}/v1", server.url());
    let client = http();
    let ask = async |method: &str, path: &str, body: Value| -> (u16, Value) {
        let request = client.request(method.parse().unwrap(), format!("{url}{path}")).bearer_auth(TOKEN);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    };
    let contract: Value = serde_json::from_str(CONTRACT).unwrap();
    // One of everything, so that no path is refused for what isn't there.
    let mut ids = BTreeMap::new();
    for (kind, body) in [
        ("servers", json!({ "name": "s", "server_type": "cx23", "image": "debian-13", "start_after_create": false })),
        ("networks", json!({ "name": "n", "ip_range": "10.0.0.0/16" })),
        ("firewalls", json!({ "name": "f" })),
        ("load_balancers", json!({ "name": "l", "load_balancer_type": "lb11", "location": "fsn1" })),
        ("volumes", json!({ "name": "v", "size": 10, "location": "fsn1" })),
        ("placement_groups", json!({ "name": "g", "type": "spread" })),
        ("ssh_keys", json!({ "name": "k", "public_key": KEY })),
        ("primary_ips", json!({ "name": "i", "type": "ipv4", "location": "fsn1" })),
        (
            "zones",
            json!({ "name": "example.org", "mode": "primary",
                          "rrsets": [{ "name": "www", "type": "A", "records": [{ "value": "192.0.2.1" }] }] }),
        ),
    ] {
        let (status, made) = ask("POST", &format!("/{kind}"), body).await;
        assert_eq!(status, 201, "{made}");
        ids.insert(kind, made[&kind[..kind.len() - 1]]["id"].clone());
    }
    let snapshot = ask("POST", &format!("/servers/{}/actions/create_image", ids["servers"]), json!({})).await.1;
    ids.insert("images", snapshot["image"]["id"].clone());
    ids.extend([
        ("locations", json!(1)),
        ("server_types", json!(101)),
        ("load_balancer_types", json!(1)),
        ("isos", json!(9001)),
    ]);
    ids.insert("actions", snapshot["action"]["id"].clone());
    let (mut missing, mut deletes) = (Vec::new(), Vec::new());
    for (path, operations) in contract["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let kind = path.split('/').nth(1).unwrap();
            let of = if path.contains("/actions/{id}") { "actions" } else { kind };
            let id = ids.get(of).map(ToString::to_string).unwrap_or_default();
            let path = path
                .replace("{id_or_name}", &id)
                .replace("{id}", &id)
                .replace("{action_id}", &ids["actions"].to_string());
            let path = path.replace("{rr_name}", "www").replace("{rr_type}", "A");
            if method == "delete" {
                deletes.push(path);
                continue;
            }
            let (status, body) = ask(&method.to_uppercase(), &path, Value::Null).await;
            if status == 404 || status >= 500 {
                missing.push(format!("{method} {path}: {body}"));
            }
        }
    }
    for path in deletes.iter().rev() {
        let (status, body) = ask("DELETE", path, Value::Null).await;
        if status >= 300 {
            missing.push(format!("delete {path}: {body}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "the contract has them, the simulator doesn't");
    // Things that are there, and every read of them.
    let (_, server) =
        ask("POST", "/servers", json!({ "name": "a", "server_type": "cx23", "image": "debian-13" })).await;
    let id = &server["server"]["id"];
    for path in ["/locations/1", "/server_types/101", "/load_balancer_types/1", "/isos/9001", "/images/45557056"] {
        assert_eq!(ask("GET", path, Value::Null).await.0, 200, "{path}");
    }
    for path in [format!("/servers/{id}/metrics?type=cpu&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z")] {
        assert_eq!(ask("GET", &path, Value::Null).await.0, 200, "{path}");
    }
    for verb in [
        "reboot",
        "reset",
        "shutdown",
        "poweron",
        "reset_password",
        "enable_backup",
        "disable_backup",
        "request_console",
        "disable_rescue",
        "detach_iso",
        "remove_from_placement_group",
    ] {
        let (status, body) = ask("POST", &format!("/servers/{id}/actions/{verb}"), Value::Null).await;
        assert_eq!(status, 201, "{verb}: {body}");
    }
    let (status, body) = ask("POST", &format!("/servers/{id}/actions/attach_iso"), json!({ "iso": "9001" })).await;
    assert_eq!(status, 201, "{body}");
    checked.demand_kept();
}

#[tokio::test]
async fn the_command_plays_the_provider() {
    let mut command = Command::new(windlass_binary());
    command.args(["sim", "hetzner", "--listen", "127.0.0.1:0", "--pace", "0.01"]);
    let mut process = Process::start(&mut command).unwrap();
    let line = process.wait_for_line("http://", Duration::from_secs(60));
    let url = line.split_whitespace().last().unwrap().to_owned();
    let client = http();
    let locations = client.get(format!("{url}/locations")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(locations.headers()["ratelimit-limit"], "3600");
    let fault = json!([{ "fault": "fail", "operation": "locations.list", "status": 503, "code": "maintenance" }]);
    let control = url.replace("/v1", "/_sim/faults");
    assert_eq!(client.post(control).body(fault.to_string()).send().await.unwrap().status(), 204);
    let locations = client.get(format!("{url}/locations")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(locations.status(), 503);
    assert_eq!(locations.json::<Value>().await.unwrap()["error"]["code"], "maintenance");
}

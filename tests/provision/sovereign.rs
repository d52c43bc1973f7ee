//! `provision/sovereign`.

use serde_json::{Value, json};

use super::World;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E ann@acme.test";

/// Two regions, three control planes, three workers, a name of the pool.
fn input() -> Value {
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

#[test]
fn a_sovereign_with_a_name_of_the_pool_comes_to_be() {
    let Some(world) = World::new() else { return };
    let run = world.launch("provision/sovereign", &input());
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}\n{:?}", world.machines.troubles());
    let output = &ended["output"];
    assert_eq!(output["domain"], "acme.pool.test");
    assert_eq!(output["servers"].as_array().unwrap().len(), 6);
    println!("{output:#}");
}

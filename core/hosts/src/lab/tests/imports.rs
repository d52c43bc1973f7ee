//! Other tools' topologies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_model::Code;

use super::value;
use crate::lab::{Imported, import_topology};

fn imported(text: &str) -> (Imported, Value) {
    let files = BTreeMap::from([("r1/frr.conf".to_owned(), "hostname r1\n".to_owned())]);
    let imported = import_topology("t", text, &files).unwrap_or_else(|problem| panic!("{}", problem.message));
    let document = value(&imported.document);
    (imported, document)
}

fn left(imported: &Imported) -> Vec<&str> {
    imported.not_taken.iter().map(|one| one.place.as_str()).collect()
}

const CLAB: &str = r#"
name: frr01
mgmt: { network: clab }
topology:
  defaults: { env: { A: "1" } }
  kinds:
    linux: { image: "frr:10", sysctls: { net.ipv4.ip_forward: 1, kernel.shmmax: 5 } }
  groups:
    edge: { memory: 512MB, exec: ["ip link set lo up"] }
  nodes:
    r1:
      kind: linux
      group: edge
      cpu: 0.5
      env: { B: "2" }
      cmd: sleep "a b"
      binds: ["r1/frr.conf:/etc/frr/frr.conf", "/dev:/dev:ro"]
      exec: ["sh -c 'echo hi'"]
      ports: ["8080:80", "53:53/udp", "127.0.0.1:1:1"]
      cap-add: [NET_ADMIN]
      restart-policy: unless-stopped
      healthcheck: { test: [CMD-SHELL, "true"], interval: 5 }
      startup-config: r1.cfg
      labels: { graph-posX: "10", graph-posY: "20", role: core }
      fancy: 1
    srl:
      kind: nokia_srlinux
      image: srl
    sw: { kind: bridge }
    h: { kind: host }
    bare: { kind: linux, image: null }
  links:
    - endpoints: ["r1:eth1", "srl:e1-1"]
      mtu: 9000
    - type: veth
      endpoints:
        - { node: r1, interface: eth2, mac: "02:00:00:00:00:01", ipv4: 10.0.0.1/24 }
        - { node: srl, interface: ethernet-1/2 }
    - endpoints: ["r1:eth3", "sw:p1"]
    - endpoints: ["r1:eth4", "host:veth0"]
    - type: mgmt-net
      endpoint: { node: r1, interface: eth5 }
      host-interface: x
"#;

#[test]
fn containerlabs_nodes_and_links_are_taken_and_the_rest_is_told() {
    let (imported, document) = imported(CLAB);
    assert_eq!(imported.format, "containerlab");
    let r1 = document["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "r1").unwrap();
    assert_eq!(
        *r1,
        json!({ "name": "r1", "kind": "container", "image": "frr:10", "env": { "A": "1", "B": "2" }, "command": ["sleep", "a b"], "cpus": 0.5,
            "memory_mb": 512, "sysctls": { "net.ipv4.ip_forward": "1" }, "files": [{ "path": "/etc/frr/frr.conf", "content": "hostname r1\n" }],
            "startup": [["ip", "link", "set", "lo", "up"], ["sh", "-c", "echo hi"]], "capabilities": ["NET_ADMIN"], "restart": "always",
            "ports": [{ "host": 8080, "node": 80, "protocol": "tcp" }, { "host": 53, "node": 53, "protocol": "udp" }],
            "health": { "command": ["sh", "-c", "true"], "interval_s": 5 }, "labels": { "role": "core" }, "position": { "x": 10.0, "y": 20.0 } })
    );
    let links = document["links"].as_array().unwrap();
    assert_eq!(links.len(), 3);
    assert_eq!((&links[0]["mtu"], &links[0]["endpoints"][1]["at"]), (&json!(9000), &json!("srl:e1-1")));
    assert_eq!(
        links[1]["endpoints"],
        json!([{ "at": "r1:eth2", "mac": "02:00:00:00:00:01", "addresses": ["10.0.0.1/24"] }, { "at": "srl:e1-2" }])
    );
    assert_eq!(links[2]["endpoints"][1]["network"], "sw");
    let places = left(&imported);
    for place in [
        "/mgmt",
        "/topology/nodes/r1/startup-config",
        "/topology/nodes/r1/fancy",
        "/topology/nodes/r1/binds",
        "/topology/nodes/r1/ports",
        "/topology/nodes/r1/sysctls/kernel.shmmax",
        "/topology/nodes/srl/kind",
        "/topology/nodes/sw",
        "/topology/nodes/h",
        "/topology/links/1",
        "/topology/links/3",
        "/topology/links/4",
    ] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    assert!(imported.not_taken.iter().all(|one| !one.why.is_empty() && !one.what.is_empty()));
}

const UNL: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<lab name="My Lab" version="1" scripttimeout="300" lock="0" author="x">
  <topology>
    <nodes>
      <node id="1" name="R1" type="qemu" template="vios" image="vios-15.6" console="telnet" cpu="2" ram="1024" ethernet="4" firstmac="50:00:00:01:00:00" qemu_options="-machine q35" left="300" top="200">
        <interface id="0" name="Gi0/0" type="ethernet" network_id="1"/>
        <interface id="1" name="Gi0/1" type="ethernet" network_id="2"/>
        <interface id="16" name="s1/0" type="serial" remote_id="2" remote_if="16"/>
      </node>
      <node id="2" name="PC 1" type="docker" image="alpine" ram="256" left="10%" top="5"><interface id="0" name="eth0" type="ethernet" network_id="1"/></node>
      <node id="3" name="V" type="vpcs"><interface id="0" name="eth0" type="ethernet" network_id="2"/></node>
      <node id="4" name="OLD" type="iol" image="x.bin"><interface id="0" name="e0/0" type="ethernet" network_id="2"/></node>
    </nodes>
    <networks>
      <network id="1" type="bridge" name="p2p" left="0" top="0" visibility="0"/>
      <network id="2" type="pnet0" name="Cloud" left="1" top="2" visibility="1"/>
    </networks>
  </topology>
  <objects><configs><config id="1">aG9zdG5hbWU=</config></configs><textobjects><textobject id="1" name="t" type="text"/></textobjects></objects>
</lab>"#;

#[test]
fn eve_ngs_nodes_and_networks_are_taken_and_the_rest_is_told() {
    let (imported, document) = imported(UNL);
    assert_eq!(
        (imported.format, &document["name"], &document["title"]),
        ("eve-ng", &json!("My-Lab"), &json!("My Lab"))
    );
    let names: Vec<&Value> = document["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["PC-1", "R1", "V"]);
    let r1 = &document["nodes"][1];
    assert_eq!(
        (&r1["kind"], &r1["disk"], &r1["cpus"], &r1["memory_mb"]),
        (&json!("machine"), &json!("vios-15.6"), &json!(2), &json!(1024))
    );
    let links = document["links"].as_array().unwrap();
    assert_eq!(
        links[0]["endpoints"],
        json!([{ "at": "PC-1:eth0" }, { "at": "R1:eth0", "mac": "50:00:00:01:00:00" }]),
        "a line is no network"
    );
    assert_eq!(links[1]["endpoints"], json!([{ "at": "R1:eth1", "mac": "50:00:00:01:00:01" }, { "network": "Cloud" }]));
    assert_eq!((document["networks"].as_array().unwrap().len(), links.len()), (1, 3));
    let places = left(&imported);
    for place in [
        "/name",
        "node PC 1",
        "node R1",
        "node V",
        "node OLD",
        "network Cloud",
        "/objects/configs/1",
        "/objects/textobjects",
    ] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
}

#[test]
fn nova_ves_json_is_eve_ngs_with_impairments() {
    let lab = json!({
        "id": "x", "meta": { "name": "demo", "description": "two" },
        "nodes": {
            "1": { "id": 1, "name": "a", "type": "docker", "image": "alpine", "cpu": 1, "ram": 256, "left": 1, "top": 2, "console": "rdp",
                   "interfaces": [{ "name": "eth0", "network_id": 1 }, { "name": "eth1", "network_id": 0 }] },
            "2": { "id": 2, "name": "b", "type": "docker", "image": "alpine", "interfaces": [{ "name": "eth0", "network_id": 1 }] },
        },
        "networks": { "1": { "id": 1, "name": "lan", "type": "bridge", "visibility": 1 } },
        "topology": [{ "source": "node1", "source_interfaceId": 0, "destination": "network1", "source_delay": 10, "source_loss": 0, "source_bandwidth": 512 }],
        "textobjects": [1], "lineobjects": [],
    });
    let (imported, document) = imported(&lab.to_string());
    assert_eq!((imported.format, &document["description"]), ("nova-ve", &json!("two")));
    assert_eq!(
        document["links"][0]["endpoints"][0],
        json!({ "at": "a:eth0", "impairment": { "delay_ms": 10.0, "rate_kbit": 512 } })
    );
    assert_eq!(document["links"].as_array().unwrap().len(), 2);
    assert_eq!(left(&imported), ["/textobjects", "node a"]);
}

#[test]
fn what_is_no_topology_is_refused() {
    let refused = |text: &str| import_topology("t", text, &BTreeMap::new()).unwrap_err();
    for text in ["a: 1", "[]", "<html/>", "<lab", "<!DOCTYPE l [<!ENTITY a 'b'>]><lab>&a;</lab>", "", "nodes: {}"] {
        assert_eq!(refused(text).code, Code::InvalidInput, "{text}");
    }
    assert_eq!(refused(&" ".repeat(2 << 20)).code, Code::LimitExceeded);
    // Cut anywhere, it is an error or a smaller lab, and never a panic.
    for text in [CLAB, UNL] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            _ = import_topology("t", &text[..end], &BTreeMap::new());
        }
    }
}

#[test]
fn what_containerlab_says_twice_or_wrongly_is_left_out_and_told() {
    let text = r#"
name: twice
foo: 1
topology:
  defaults:
    image: "${IMAGE:=alpine:3}"
    cap-add: [NET_ADMIN]
    ports: ["8080:80"]
    binds: ["r1/frr.conf:/etc/x:ro"]
  kinds:
    linux: { cap-add: [NET_ADMIN], binds: ["./r1/frr.conf:/etc/x"] }
  nodes:
    a: { kind: linux }
    b: { image: "${OTHER}" }
  links:
    - { endpoints: ["a:eth1", "b:eth1"], labels: { cost: 10 }, shape: round }
    - { endpoints: ["a:eth2", "a:eth3"] }
    - { endpoints: ["b:eth1", "a:eth4"] }
    - { endpoints: [{ node: a, interface: eth5, vars: { x: 1 } }, { node: b, interface: eth5 }] }
"#;
    let (imported, document) = imported(text);
    assert_eq!(document["nodes"][0]["image"], "alpine:3");
    assert_eq!(document["nodes"][0]["capabilities"], json!(["NET_ADMIN"]));
    assert_eq!(document["nodes"][0]["files"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&document["nodes"][0]["ports"][0]["host"], &document["nodes"][1]["ports"]),
        (&json!(8080), &Value::Null)
    );
    assert_eq!(document["links"].as_array().unwrap().len(), 2, "{:#}", document["links"]);
    assert_eq!(document["links"][0]["labels"], json!({ "cost": "10" }));
    assert_eq!(
        left(&imported),
        [
            "/foo",
            "/topology/nodes/a/image",
            "/topology/nodes/b/image",
            "/topology/nodes/b/ports",
            "/topology/links/0/shape",
            "/topology/links/3/endpoints/vars",
            "/topology/links/2",
            "/topology/links/1",
        ],
        "{:#?}",
        imported.not_taken
    );
    let told = |place: &str| imported.not_taken.iter().find(|one| one.place == place).unwrap();
    assert_eq!(told("/topology/links/1").what, "the link a:eth2 – a:eth3");
    assert!(told("/topology/links/2").why.ends_with("is the end of another link"), "{:?}", told("/topology/links/2"));
    assert!(told("/topology/nodes/b/image").why.contains("name the image"));
}

//! Labs that live: what `describe` tells of them, impairments without netem, TCP between nodes, two labs with one hash.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_hosts::lab_names::LabNames;
use windlass_tests::{skip, wait_until};

use super::net::{Lab, ip};

/// Runs inside a node's namespace, on a thread of its own.
pub(super) fn inside<T: Send + 'static>(
    lab: &Lab,
    node: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let handle = std::fs::File::open(format!("/run/netns/{}", lab.namespace(node))).unwrap();
    std::thread::spawn(move || {
        nix::sched::setns(handle, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

fn interface(lab: &Value, node: &str, name: &str) -> Value {
    let nodes = lab["namespaces"].as_array().unwrap();
    let node = nodes.iter().find(|space| space["name"] == node).unwrap();
    node["interfaces"].as_array().unwrap().iter().find(|link| link["interface"] == name).unwrap().clone()
}

#[test]
fn a_link_is_told_from_both_its_ends() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    lab.ok("connect", json!(["r1:p0", { "at": "r2:p1", "addresses": ["10.9.0.2/30"], "mac": "02:00:00:00:00:42" }]));
    let now = lab.ok("describe", json!([]));
    let (p0, p1) = (interface(&now, "r1", "p0"), interface(&now, "r2", "p1"));
    assert_eq!((&p0["peer"], &p1["peer"]), (&json!("r2:p1"), &json!("r1:p0")), "{now:#}");
    assert_eq!((&p1["mac"], &p1["addresses"]), (&json!("02:00:00:00:00:42"), &json!(["10.9.0.2/30"])));
    let eth0 = interface(&now, "r1", "eth0");
    assert_eq!((&eth0["peer"], &eth0["bridge"]), (&json!("r1:eth0@host"), &json!("lan1")));
    let host = now["links"].as_array().unwrap().iter().find(|link| link["at"] == "r1:eth0@host").unwrap();
    assert_eq!((&host["peer"], &host["bridge"]), (&json!("r1:eth0"), &json!("lan1")));
    for link in [&p0, &p1, &eth0, host] {
        assert_eq!(
            (&link["run"], &link["step"], &link["checksum_offload"]),
            (&json!("01testrun"), &json!("1"), &json!(false))
        );
    }
}

#[test]
fn tcp_passes_between_nodes() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    let (ready, listening) = std::sync::mpsc::channel();
    let server = inside(&lab, "r2", move || {
        let listener = TcpListener::bind("10.0.0.2:7000").unwrap();
        ready.send(()).unwrap();
        let mut all = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
        all.len()
    });
    listening.recv_timeout(Duration::from_secs(60)).unwrap();
    let sent = inside(&lab, "r1", || {
        let mut stream = TcpStream::connect("10.0.0.2:7000").unwrap();
        stream.write_all(&vec![7; 1 << 20]).unwrap();
        1 << 20
    });
    assert_eq!(sent.join().unwrap(), server.join().unwrap());
}

#[test]
fn loss_works_without_netem_and_is_read_back() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    let can = lab.ok("capabilities", json!([]));
    if can["netem"] == true || can["loss"] != true || can["tbf"] != true {
        skip("this kernel has netem, or no egress hooks of nftables, or no tbf");
        return;
    }
    let impairment = |at: &str| interface(&lab.ok("describe", json!([])), "r1", at)["impairment"].clone();
    assert_eq!(impairment("eth0"), Value::Null);
    let wanted = json!({ "loss_percent": 100.0, "rate_kbit": 5000 });
    for _ in 0..2 {
        assert_eq!(lab.ok("impair", json!(["r1:eth0", wanted]))["kind"], "tbf+nft");
    }
    let shown = impairment("eth0");
    assert_eq!((&shown["loss_percent"], &shown["rate_kbit"]), (&json!(100.0), &json!(5000)), "{shown}");
    // Nothing arrives; ARP is lost, too.
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    let received = || lab.ok("counters", json!(["r2:eth0"]))["rx_packets"].as_u64().unwrap();
    let arrives = || {
        let before = received();
        inside(&lab, "r1", || {
            let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
            (0..20).for_each(|_| drop(socket.send_to(&[7; 100], "10.0.0.2:9")));
        })
        .join()
        .unwrap();
        received() > before
    };
    assert!(!arrives(), "something arrived with a loss of 100 %");
    lab.ok("impair", json!(["r1:eth0", { "loss_percent": 0.5 }]));
    assert_eq!(
        (impairment("eth0")["loss_percent"].clone(), impairment("eth0")["rate_kbit"].clone()),
        (json!(0.5), json!(0))
    );
    lab.ok("clear_impairment", json!(["r1:eth0"]));
    assert_eq!(impairment("eth0"), Value::Null);
    wait_until("traffic passes again", Duration::from_secs(60), arrives);
    // A link of the same name that comes later has no share in it.
    lab.ok("impair", json!(["r1:eth0", { "loss_percent": 100.0 }]));
    lab.ok("disconnect", json!(["r1:eth0"]));
    lab.ok("connect", json!([{ "at": "r1:eth0", "addresses": ["10.0.0.1/24"] }, "lan1"]));
    assert_eq!(impairment("eth0"), Value::Null);
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    wait_until("traffic passes over the new link", Duration::from_secs(60), arrives);
    // On the host, nothing is left of it.
    lab.ok("impair", json!(["r1:eth0@host", { "loss_percent": 1.0 }]));
    lab.ok("destroy", json!([]));
    let tables = std::process::Command::new("nft").args(["list", "tables", "netdev"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&tables.stdout).contains("windlass-loss"), "{tables:?}");
}

#[test]
fn links_are_changed_while_they_live() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    for _ in 0..2 {
        lab.ok("set_link", json!(["r1:eth0", { "up": false, "mtu": 1300, "mac": "02:00:00:00:00:77" }]));
        let shown = interface(&lab.ok("describe", json!([])), "r1", "eth0");
        assert_eq!(
            (&shown["up"], &shown["mtu"], &shown["mac"]),
            (&json!(false), &json!(1300), &json!("02:00:00:00:00:77"))
        );
    }
    lab.ok("set_link", json!(["r1:eth0", { "up": true }]));
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    lab.ok("set_link", json!(["r1:eth0", { "mtu": 1400, "both_ends": true }]));
    let links = lab.ok("links", json!([]));
    let ends: Vec<&Value> =
        links.as_array().unwrap().iter().filter(|link| link["at"].as_str().unwrap().starts_with("r1:eth0")).collect();
    assert!(ends.len() == 2 && ends.iter().all(|link| link["mtu"] == 1400), "{ends:?}");
}

#[test]
fn two_labs_with_one_hash_live_beside_each_other() {
    let Some(mut one) = Lab::real() else { return };
    let Some(mut other) = Lab::real() else { return };
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0..)
        .find_map(|number| {
            let name = format!("wtc{}-{number}", std::process::id());
            Some((seen.insert(LabNames::new("test-instance", &name).hash().to_owned(), name.clone())?, name))
        })
        .unwrap();
    (one.name, other.name) = (first, second);
    one.two_nodes();
    other.two_nodes();
    let hash = |lab: &Lab| lab.ok("names", json!([]))["hash"].clone();
    assert_ne!(hash(&one), hash(&other));
    let links = ip(&["-br", "link"]);
    assert!(links.contains(&format!("nove{}n1", hash(&one).as_str().unwrap())));
    assert!(links.contains(&format!("nove{}n1", hash(&other).as_str().unwrap())));
    let moved = hash(&other);
    assert_eq!(one.ok("destroy", json!([])), json!({ "links": 3, "namespaces": 2, "devices": 0 }));
    other.ok("delete_bridge", json!(["lan1"]));
    assert_eq!(hash(&other), moved);
    assert_eq!(other.ok("destroy", json!([])), json!({ "links": 2, "namespaces": 2, "devices": 0 }));
}

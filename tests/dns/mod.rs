//! `dns` and `pool` on real PowerDNS servers, from scripts, with `dig` and `delv` as witnesses.

mod delegation;
mod flip;
mod hostile;
mod pool;
mod pool_http;
mod survey;
mod zones;

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_hosts::{HostConfig, authority};
use windlass_tests::PowerDns;

use crate::hosts::Shop;

/// The name servers that the tests' zones name.
const NAMESERVERS: [&str; 2] = ["ns1.pool.test", "ns2.pool.test"];

/// A server with the parent zone `pool.test`, as an administrator has made it; and a sandbox that knows it.
struct World {
    pdns: PowerDns,
    shop: Shop,
}

/// What scripts of these tests may do.
const GRANTS: &[&str] = &["dns.read:*", "dns.write:*.pool.test", "dns.check:*"];

impl World {
    fn new() -> Option<Self> {
        let pdns = PowerDns::start()?;
        make_parent(&pdns);
        let shop = Shop::real(&config(&pdns));
        Some(Self { pdns, shop })
    }

    fn result(&self, body: &str) -> Value {
        self.shop.result(GRANTS, body).unwrap_or_else(|problem| panic!("{problem:#?}\n{body}"))
    }

    fn problem(&self, grants: &[&str], body: &str) -> windlass_model::Problem {
        match self.shop.result(grants, body) {
            Err(problem) => problem,
            Ok(value) => panic!("{body} went well: {value}"),
        }
    }
}

/// The parent zone, with an address for each of its name servers and a record that isn't ours.
fn make_parent(pdns: &PowerDns) {
    pdns.make_zone("pool.test.", &["ns1.pool.test.", "ns2.pool.test."]);
    pdns.put("pool.test.", "ns1.pool.test.", "A", 300, &["127.0.0.1"]);
    pdns.put("pool.test.", "ns2.pool.test.", "A", 300, &["127.0.0.1"]);
    pdns.put("pool.test.", "mail.pool.test.", "A", 300, &["192.0.2.25"]);
}

/// One server for everything; checks find all name servers at its port.
fn config(pdns: &PowerDns) -> HostConfig {
    let addresses = json!({ "ns1.pool.test": pdns.address(), "ns2.pool.test": pdns.address() });
    let dns = json!({
        "servers": { "main": pdns.settings(&NAMESERVERS) },
        "resolvers": [pdns.address()], "addresses": addresses,
    });
    HostConfig { dns: serde_json::from_value(dns).expect("it has the right form"), ..HostConfig::default() }
}

/// The configured server, without scripts.
fn server(pdns: &PowerDns) -> Arc<authority::Server> {
    let servers = authority::Servers::new(&config(pdns).dns).expect("it can be meant");
    servers.of("pool.test", None).expect("it serves everything")
}

/// The id of a zone in the API's paths.
fn zone_exists(pdns: &PowerDns, zone: &str) -> bool {
    pdns.api("GET", &format!("/zones/{zone}?rrsets=false"), Value::Null).0 == 200
}

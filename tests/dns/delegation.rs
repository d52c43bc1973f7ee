//! How the world sees a zone: asked over DNS, at every server.

use serde_json::{Value, json};
use windlass_hosts::{HostConfig, authority};
use windlass_tests::PowerDns;

use super::{GRANTS, NAMESERVERS};
use crate::hosts::Shop;

/// A parent and two servers of children, apart from one another, as in the world.
struct Apart {
    parent: PowerDns,
    children: [PowerDns; 2],
    shop: Shop,
}

impl Apart {
    fn new() -> Option<Self> {
        let (parent, first, second) = (PowerDns::start()?, PowerDns::start()?, PowerDns::start()?);
        parent.make_zone("pool.test.", &["ns0.pool.test."]);
        let dns = json!({
            "servers": {
                "parent": { "zones": ["nothing.test"] }, "first": { "zones": ["first.test"] }, "second": { "zones": ["second.test"] },
            },
            "resolvers": [parent.address()],
            "addresses": { "ns0.pool.test": parent.address(), "ns1.pool.test": first.address(), "ns2.pool.test": second.address() },
        });
        let mut dns = dns;
        for (name, server) in [("parent", &parent), ("first", &first), ("second", &second)] {
            let zones = dns["servers"][name]["zones"].clone();
            dns["servers"][name] = server.settings(&NAMESERVERS);
            dns["servers"][name]["zones"] = zones;
        }
        let config =
            HostConfig { dns: serde_json::from_value(dns).expect("it has the right form"), ..HostConfig::default() };
        Some(Self { parent, children: [first, second], shop: Shop::real(&config) })
    }

    fn result(&self, body: &str) -> Value {
        self.shop.result(GRANTS, body).unwrap_or_else(|problem| panic!("{problem:#?}\n{body}"))
    }

    fn check(&self) -> Value {
        self.result(r#"dns::check("acme.pool.test")"#)
    }

    /// The problems that a check finds, as one text.
    fn problems(&self) -> String {
        self.check()["problems"].to_string()
    }
}

#[test]
fn a_delegation_is_looked_at_from_all_sides() {
    let Some(world) = Apart::new() else { return };
    let [first, _] = &world.children;
    // Nothing yet.
    let found = world.check();
    assert_eq!((&found["ok"], &found["delegated"]), (&json!(false), &json!(false)), "{found}");
    assert!(found["problems"].to_string().contains("doesn't delegate"), "{found}");
    // The first serves it, the second doesn't know it: what is expected is asked before the parent names it.
    world.result(r#"dns::create_zone("acme.pool.test", #{ server: "first" })"#);
    let early = world.result(r#"dns::check("acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"] })"#);
    assert_eq!(early["servers"][0]["authoritative"], true, "{early}");
    assert_eq!(early["servers"][1]["authoritative"], false, "{early}");
    // Delegated to both; the second is lame.
    world.result(r#"dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"] }, #{ server: "parent" })"#);
    let found = world.check();
    assert_eq!((&found["delegated"], &found["ok"]), (&json!(true), &json!(false)), "{found}");
    assert!(found["problems"].to_string().contains("doesn't serve the zone"), "{found}");
    // A second primary of the same content, with another serial.
    world.result(r#"dns::create_zone("acme.pool.test", #{ server: "second", dnssec: false })"#);
    world.result(
        r#"dns::replace("acme.pool.test", #{ name: "www", type: "A", record: "192.0.2.1" }, #{ server: "second" })"#,
    );
    assert!(world.problems().contains("different serials"), "{}", world.problems());
    let serial = world.result(r#"dns::replace("acme.pool.test", #{ name: "www", type: "A", record: "192.0.2.1" }, #{ server: "first" }); dns::zone("acme.pool.test", #{ server: "first" }).serial"#);
    let found = world.check();
    assert_eq!((&found["ok"], &found["secure"], &found["serial"]), (&json!(true), &json!(false), &serial), "{found}");
    // A DS, and a server that has no such key.
    world.result(r#"dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"], ds: dns::ds("acme.pool.test", #{ server: "first" }) }, #{ server: "parent" })"#);
    let found = world.check();
    assert_eq!((&found["ok"], &found["secure"]), (&json!(false), &json!(false)), "{found}");
    assert!(found["problems"].to_string().contains("no DNSKEY"), "{found}");
    // Only the server that fits.
    world.result(r#"dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test"], ds: dns::ds("acme.pool.test", #{ server: "first" }) }, #{ server: "parent" })"#);
    first.put("acme.pool.test.", "acme.pool.test.", "NS", 300, &["ns1.pool.test."]);
    let found = world.check();
    assert_eq!((&found["ok"], &found["secure"]), (&json!(true), &json!(true)), "{found}");
    // Somebody takes the child away.
    first.api("DELETE", "/zones/acme.pool.test.", Value::Null);
    let found = world.check();
    assert_eq!(
        (&found["ok"], &found["delegated"], &found["secure"]),
        (&json!(false), &json!(true), &json!(false)),
        "{found}"
    );
}

#[test]
fn a_zone_with_other_keys_than_the_parent_says_is_not_secure() {
    let Some(world) = Apart::new() else { return };
    world.result(r#"let zone = dns::create_zone("acme.pool.test", #{ server: "first", nameservers: ["ns1.pool.test"] }); dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test"], ds: zone.ds }, #{ server: "parent" })"#);
    assert_eq!(world.check()["secure"], true);
    world.result(
        r#"dns::unsign("acme.pool.test", #{ server: "first" }); dns::sign("acme.pool.test", #{ server: "first" })"#,
    );
    let found = world.check();
    assert_eq!((&found["ok"], &found["secure"]), (&json!(false), &json!(false)), "{found}");
    assert!(found["problems"].to_string().contains("no DNSKEY of the zone fits"), "{found}");
}

#[test]
fn servers_that_do_not_answer_are_named() {
    let Some(mut world) = Apart::new() else { return };
    world.result(r#"dns::create_zone("acme.pool.test", #{ server: "first" }); dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"] }, #{ server: "parent" })"#);
    world.children[1].stop();
    let found = world.check();
    assert!(found["problems"].to_string().contains("can't be reached"), "{found}");
    assert_eq!(found["servers"][0]["authoritative"], true);
    world.parent.stop();
    let problem = world.shop.result(GRANTS, r#"dns::check("acme.pool.test")"#).expect_err("nobody knows the parent");
    assert_eq!(problem.code, windlass_model::Code::Unavailable);
}

#[test]
fn a_zone_that_nobody_delegates_is_not_delegated_whatever_else_stands_above() {
    let Some(world) = super::World::new() else { return };
    let own = super::config(&world.pdns);
    // The same world, seen by somebody without a key for its name server.
    let elsewhere = authority::Config { servers: std::collections::BTreeMap::new(), ..own.dns };
    let stranger = Shop::real(&HostConfig { dns: elsewhere, ..HostConfig::default() });
    let seen = |shop: &Shop| shop.result(GRANTS, r#"dns::check("acme.pool.test")"#).expect("it can be looked at");
    world.pdns.put("pool.test.", "*.pool.test.", "A", 60, &["192.0.2.1"]);
    world.result(r#"dns::create_zone("acme.pool.test")"#);
    for shop in [&world.shop, &stranger] {
        let found = seen(shop);
        assert_eq!((&found["delegated"], &found["nameservers"]), (&json!(false), &json!([])), "{found}");
        assert!(found["problems"].to_string().contains("doesn't delegate"), "{found}");
    }
    // Something else below the name makes it exist, too.
    world.pdns.put("pool.test.", "x.acme.pool.test.", "A", 60, &["192.0.2.1"]);
    assert_eq!(seen(&world.shop)["delegated"], false);
    world.result(
        r#"dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"] })"#,
    );
    assert_eq!(seen(&world.shop)["delegated"], true);
    world.result(
        r#"dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test"], ds: dns::ds("acme.pool.test") })"#,
    );
    assert_eq!(seen(&stranger)["delegated"], true, "a DS is the parent's word");
}

#[test]
fn an_address_inside_is_asked_only_if_the_configuration_names_it() {
    let Some(world) = super::World::new() else { return };
    // Its name servers are at 127.0.0.1, says their zone; and nobody listens at port 53 there.
    let said = |private: &[&str]| {
        let mut config = super::config(&world.pdns);
        config.dns.addresses.clear();
        config.dns.private_addresses = private.iter().map(|one| (*one).to_owned()).collect();
        let found = Shop::real(&config).result(GRANTS, r#"dns::check("acme.pool.test")"#).expect("it can be looked at");
        found["problems"].to_string()
    };
    assert!(said(&[]).contains("loopback), which isn't asked"), "{}", said(&[]));
    assert!(!said(&["127.0.0.0/8"]).contains("isn't asked"), "{}", said(&["127.0.0.0/8"]));
}

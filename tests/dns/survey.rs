//! What a domain holds at servers that aren't ours, and what an undo demands of its parent.

use serde_json::{Value, json};
use windlass_hosts::HostConfig;
use windlass_model::Code;
use windlass_tests::PowerDns;

use super::GRANTS;
use crate::hosts::Shop;

/// A registry, the server that has the domain now, and ours.
struct Moving {
    parent: PowerDns,
    old: PowerDns,
    ours: PowerDns,
    shop: Shop,
}

impl Moving {
    fn new() -> Option<Self> {
        let (parent, old, ours) = (PowerDns::start()?, PowerDns::start()?, PowerDns::start()?);
        parent.make_zone("pool.test.", &["ns0.pool.test."]);
        parent.put("pool.test.", "acme.pool.test.", "NS", 7, &["ns1.old.test."]);
        old.make_zone("acme.pool.test.", &["ns1.old.test."]);
        for (name, kind, content) in [
            ("acme", "MX", "10 mx.example.org."),
            ("acme", "TXT", "\"v=spf1 -all\""),
            ("www.acme", "CNAME", "acme.pool.test."),
            ("*.acme", "A", "192.0.2.1"),
            ("mail.acme", "A", "192.0.2.2"),
            ("dev.acme", "NS", "ns.elsewhere.test."),
            ("selector1._domainkey.acme", "TXT", "\"v=DKIM1; p=AAAA\""),
            ("rare.acme", "AAAA", "2001:db8::1"),
        ] {
            old.put("acme.pool.test.", &format!("{name}.pool.test."), kind, 60, &[content]);
        }
        let dns = json!({
            "servers": { "main": ours.settings(&["ns1.ours.test", "ns2.ours.test"]) },
            "resolvers": [parent.address()],
            "addresses": { "ns0.pool.test": parent.address(), "ns1.old.test": old.address(), "ns1.ours.test": ours.address() },
        });
        let config =
            HostConfig { dns: serde_json::from_value(dns).expect("it has the right form"), ..HostConfig::default() };
        Some(Self { parent, old, ours, shop: Shop::real(&config) })
    }

    fn result(&self, body: &str) -> Value {
        self.shop.result(GRANTS, body).unwrap_or_else(|problem| panic!("{problem:#?}\n{body}"))
    }

    fn problem(&self, body: &str) -> windlass_model::Problem {
        match self.shop.result(GRANTS, body) {
            Err(problem) => problem,
            Ok(value) => panic!("{body} went well: {value}"),
        }
    }
}

fn lines(rrsets: &Value) -> Vec<String> {
    let line = |one: &Value| format!("{} {} {}", one["name"], one["type"], one["records"][0]).replace('"', "");
    rrsets.as_array().expect("rrsets").iter().map(line).collect()
}

#[test]
fn a_domain_is_surveyed_where_it_is_served_now() {
    let Some(world) = Moving::new() else { return };
    let found = lines(&world.result(r#"dns::survey("Acme.Pool.Test.", #{ names: ["rare"] })"#));
    let expected = [
        "*.acme.pool.test A 192.0.2.1",
        "acme.pool.test MX 10 mx.example.org.",
        "acme.pool.test TXT \\v=spf1 -all\\",
        "dev.acme.pool.test NS ns.elsewhere.test.",
        "mail.acme.pool.test A 192.0.2.2",
        "rare.acme.pool.test AAAA 2001:db8::1",
        "selector1._domainkey.acme.pool.test TXT \\v=DKIM1; p=AAAA\\",
        "www.acme.pool.test CNAME acme.pool.test.",
    ];
    assert_eq!(found, expected, "each name once, and not those for which only the star answers");
    // Nobody serves it: nothing goes dark.
    assert_eq!(world.result(r#"dns::survey("other.pool.test")"#), json!([]));
    let problem = world.problem(r#"dns::survey("acme.pool.test", #{ names: ["www.elsewhere.test"] })"#);
    assert_eq!(problem.code, Code::InvalidArgument);
    let problem = world.shop.result(&["dns.read:*"], r#"dns::survey("acme.pool.test")"#).expect_err("it isn't granted");
    assert_eq!(problem.code, Code::PermissionDenied);
}

#[test]
fn a_zone_is_copied_from_the_server_that_has_it() {
    let Some(world) = Moving::new() else { return };
    let found = lines(&world.result(r#"dns::transfer("acme.pool.test", #{ from: "NS1.old.test." })"#));
    assert!(found.contains(&"rare.acme.pool.test AAAA 2001:db8::1".to_owned()), "{found:?}");
    assert!(!found.iter().any(|line| line.contains("DNSKEY") || line.contains("RRSIG")), "{found:?}");
    // One that doesn't have it, and one that nobody knows.
    for (from, words) in [("ns1.ours.test", "refuses the transfer"), ("ns9.old.test", "can't be transferred")] {
        let problem = world.problem(&format!(r#"dns::transfer("acme.pool.test", #{{ from: "{from}" }})"#));
        assert_eq!(problem.code, Code::Unavailable, "{problem}");
        assert!(problem.message.contains(words), "{problem}");
        assert!(!problem.retryable, "who refuses does so again");
    }
}

#[test]
fn what_an_undo_demands_is_demanded_of_every_server_of_the_parent() {
    let Some(mut world) = Moving::new() else { return };
    let left = r#"dns::demand("acme.pool.test", #{ without_nameservers: ["NS1.Old.test."] })"#;
    let unsigned = r#"dns::demand("acme.pool.test", #{ without_ds: true })"#;
    let problem = world.problem(left);
    assert_eq!(problem.code, Code::PreconditionFailed);
    assert!(problem.retryable && problem.message.contains("pool.test still names ns1.old.test"), "{problem}");
    assert_eq!(world.result(unsigned)["ttl"], 7);
    world.parent.put("pool.test.", "acme.pool.test.", "DS", 7, &[&format!("1 13 2 {}", "ab".repeat(32))]);
    assert!(world.problem(unsigned).message.contains("still has a DS"));
    world.parent.put("pool.test.", "acme.pool.test.", "NS", 7, &["ns1.ours.test."]);
    assert_eq!(world.result(left)["ttl"], 7);
    // Another server of the parent that says otherwise, and then says nothing.
    let mut late = PowerDns::start().expect("there was one before");
    late.make_zone("pool.test.", &["ns0.pool.test."]);
    late.put("pool.test.", "acme.pool.test.", "NS", 7, &["ns1.old.test."]);
    world.parent.put("pool.test.", "pool.test.", "NS", 7, &["ns0.pool.test.", "ns9.pool.test."]);
    let dns = json!({
        "servers": { "main": world.ours.settings(&["ns1.ours.test"]) },
        "resolvers": [world.parent.address()],
        "addresses": {
            "ns0.pool.test": world.parent.address(), "ns9.pool.test": late.address(), "ns1.old.test": world.old.address(),
            "ns1.ours.test": world.ours.address(),
        },
    });
    let config = HostConfig { dns: serde_json::from_value(dns).expect("a form"), ..HostConfig::default() };
    world.shop = Shop::real(&config);
    assert!(world.problem(left).message.contains("still names ns1.old.test"));
    late.stop();
    assert!(world.problem(left).message.contains("can't be reached"), "{}", world.problem(left));
    // A time that hasn't come isn't waited for.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later").as_millis();
    let problem = world.problem(&format!(r#"dns::demand("acme.pool.test", #{{ not_before: {} }})"#, now + 7_200_000));
    assert_eq!((problem.code, problem.retryable), (Code::PreconditionFailed, false));
    assert!(problem.message.contains("another 120 min"), "{problem}");
}

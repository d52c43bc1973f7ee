//! Zones and records from scripts.

use serde_json::json;
use windlass_model::Code;

use super::{GRANTS, World, zone_exists};

/// A signed child, delegated with its DS.
const CHILD: &str = r#"
    let zone = dns::create_zone("acme.pool.test");
    dns::replace("acme.pool.test", [
        #{ name: "@", type: "A", ttl: 300, records: ["192.0.2.10"] },
        #{ name: "*", type: "A", ttl: 300, record: "192.0.2.10" },
        #{ name: "_acme-challenge", type: "TXT", record: "a \"word\"" },
    ]);
    dns::delegate("pool.test", "acme.pool.test", #{ nameservers: ["ns1.pool.test", "ns2.pool.test."], ds: zone.ds });
"#;

#[test]
fn a_child_zone_is_signed_delegated_and_fully_validated() {
    let Some(world) = World::new() else { return };
    let made = world.result(&format!("{CHILD} zone"));
    assert_eq!(
        (&made["name"], &made["dnssec"], &made["created"]),
        (&json!("acme.pool.test"), &json!(true), &json!(true))
    );
    for (name, kind) in
        [("acme.pool.test", "A"), ("anything.acme.pool.test", "A"), ("_acme-challenge.acme.pool.test", "TXT")]
    {
        let said = world.pdns.delv("pool.test.", name, kind);
        assert!(said.contains("; fully validated"), "{name} {kind}: {said}");
    }
    assert_eq!(world.pdns.dig(&["_acme-challenge.acme.pool.test", "TXT"]), [r#""a \"word\"""#]);
    assert_eq!(world.pdns.dig(&["acme.pool.test", "DS"]).len(), 1, "the parent has one DS, with SHA-256");
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "NS"), ["ns1.pool.test.", "ns2.pool.test."]);
    // What was written there carries our mark, and what was there before carries none.
    let owners = world.result(r#"[dns::rrsets("pool.test", #{ name: "acme", type: "DS" })[0].owner, dns::rrsets("pool.test", #{ name: "mail" })[0].owner]"#);
    assert_eq!(owners, json!(["windlass", null]));
}

#[test]
fn a_child_without_its_ds_would_not_be_validated() {
    let Some(world) = World::new() else { return };
    world.result(&CHILD.replace(", ds: zone.ds", ""));
    let said = world.pdns.delv("pool.test.", "acme.pool.test", "A");
    assert!(!said.contains("; fully validated"), "the test above proves nothing then: {said}");
}

#[test]
fn every_change_gives_a_new_serial_and_a_repetition_none() {
    let Some(world) = World::new() else { return };
    world.result(CHILD);
    let serial = || world.result(r#"dns::zone("acme.pool.test").serial"#).as_i64().expect("a number");
    let write = |address: &str| {
        world.result(&format!(r#"dns::replace("acme.pool.test", #{{ name: "www", type: "A", record: "{address}" }})"#))
    };
    let mut before = serial();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(write(address)["unchanged"], 0);
        let after = serial();
        assert!(after > before, "{after} after {before}");
        before = after;
    }
    assert_eq!(write("192.0.2.3"), json!({ "created": 0, "updated": 0, "deleted": 0, "unchanged": 1 }));
    assert_eq!(serial(), before);
}

#[test]
fn undo_puts_back_what_stood_there() {
    let Some(world) = World::new() else { return };
    world.result(
        r#"dns::create_zone("acme.pool.test");
           dns::replace("acme.pool.test", [#{ name: "a", type: "A", ttl: 60, record: "192.0.2.1" }, #{ name: "b", type: "A", record: "192.0.2.2" }])"#,
    );
    let (result, journal, job) = world.shop.run(
        GRANTS,
        r#"dns::replace("acme.pool.test", [#{ name: "a", type: "A", record: "192.0.2.9" }, #{ name: "c", type: "A", record: "192.0.2.3" }]);
           dns::delete("acme.pool.test", #{ name: "b", type: "A" });
           let made = dns::create_zone("other.pool.test");
           dns::delegate("pool.test", "other.pool.test", #{ nameservers: ["ns1.pool.test"], ds: made.ds })"#,
    );
    result.expect("it is granted");
    let seen = |name: &str| world.pdns.records("acme.pool.test.", &format!("{name}.acme.pool.test."), "A");
    assert_eq!((seen("a"), seen("b").len(), seen("c").len()), (vec!["192.0.2.9".to_owned()], 0, 1));
    assert!(zone_exists(&world.pdns, "other.pool.test."));
    world.shop.roll_back(job, &journal);
    assert_eq!(
        (seen("a"), seen("b"), seen("c").len()),
        (vec!["192.0.2.1".to_owned()], vec!["192.0.2.2".to_owned()], 0)
    );
    assert!(
        !zone_exists(&world.pdns, "other.pool.test.")
            && world.pdns.records("pool.test.", "other.pool.test.", "DS").is_empty()
    );
    // Nothing is left over of what was kept for it.
    let left = world.result(r#"dns::metadata("acme.pool.test").keys()"#).to_string();
    assert_eq!(left.matches("X-UNDO-").count(), 1, "only that of the run that stands: {left}");
}

#[test]
fn a_plan_is_applied_as_it_was_looked_at() {
    let Some(world) = World::new() else { return };
    world.result(CHILD);
    let text = (1..=12).map(|n| format!("h{n} IN A 192.0.2.{n}\\n")).collect::<String>();
    let body = format!(
        r#"let desired = dns::parse("acme.pool.test", "$TTL 600\n{text}txt IN TXT \"x\" \"y\"\n@ IN MX 10 mail\n");
           let plan = dns::plan("acme.pool.test", desired);
           #{{ plan: plan, done: dns::apply(plan, #{{ force: false }}), again: dns::plan("acme.pool.test", desired) }}"#
    );
    let result = world.result(&body);
    assert_eq!(result["done"], json!({ "created": 14, "updated": 0, "deleted": 3, "unchanged": 0 }), "{result}");
    assert_eq!(
        (&result["again"]["create"], &result["again"]["delete"], &result["again"]["unchanged"]),
        (&json!([]), &json!([]), &json!(14))
    );
    // More than 30 % of a zone that has 10 or more.
    let few = r#"let plan = dns::plan("acme.pool.test", [#{ name: "h1", type: "A", ttl: 600, record: "192.0.2.1" }]); dns::apply(plan)"#;
    let refused = world.problem(GRANTS, few);
    assert!(refused.code == Code::Conflict && refused.message.contains("30 %"), "{refused:?}");
    assert_eq!(world.pdns.dig(&["h12.acme.pool.test", "A"]), ["192.0.2.12"]);
    // A plan that somebody wrote by hand isn't refused any less.
    let forged = few.replace("dns::apply(plan)", "plan.refused = []; dns::apply(plan)");
    assert_eq!(world.problem(GRANTS, &forged).code, Code::Conflict);
    let forced = few.replace("dns::apply(plan)", "dns::apply(plan, #{ force: true })");
    assert_eq!(world.problem(GRANTS, &forced).code, Code::PermissionDenied);
    let grants = [GRANTS, &["dns.force:acme.pool.test"]].concat();
    assert_eq!(world.shop.result(&grants, &forced).expect("it is granted")["deleted"], 13);
    // A plan that is older than the zone.
    let stale = r#"let plan = dns::plan("acme.pool.test", [#{ name: "h1", type: "A", record: "192.0.2.77" }]);
        dns::replace("acme.pool.test", #{ name: "h1", type: "A", record: "192.0.2.88" }); dns::apply(plan)"#;
    assert_eq!(world.problem(GRANTS, stale).code, Code::PreconditionFailed);
    assert_eq!(world.pdns.dig(&["h1.acme.pool.test", "A"]), ["192.0.2.88"]);
}

#[test]
fn a_zone_goes_out_and_comes_back_the_same() {
    let Some(world) = World::new() else { return };
    world.result(CHILD);
    let body = r#"[dns::rrsets("acme.pool.test"), dns::transfer("acme.pool.test"), dns::parse("acme.pool.test", dns::zone_file("acme.pool.test"))]"#;
    let result = world.result(body);
    let shape = |rrsets: &serde_json::Value| {
        let all = rrsets.as_array().expect("an array").iter().filter(|one| one["type"] != "SOA");
        let mut lines: Vec<String> =
            all.map(|one| format!("{} {} {} {}", one["name"], one["type"], one["ttl"], one["records"])).collect();
        lines.sort();
        lines
    };
    let there = shape(&result[0]);
    assert_eq!(there.len(), 4, "{there:?}");
    assert_eq!(there, shape(&result[1]), "AXFR");
    assert_eq!(there, shape(&result[2]), "export and parse");
}

#[test]
fn names_in_other_scripts_long_labels_and_dots() {
    let Some(world) = World::new() else { return };
    let long = "l".repeat(63);
    world.result(&format!(
        r#"dns::create_zone("عمان.pool.test.");
           dns::replace("عمان.pool.test", [#{{ name: "bücher", type: "CNAME", record: "عمان.pool.test" }}, #{{ name: "{long}", type: "A", record: "192.0.2.1" }}]);
           dns::replace("XN--MGB9AWBF.pool.test.", #{{ name: "www.عمان.pool.test.", type: "A", record: "192.0.2.2" }})"#
    ));
    assert_eq!(world.pdns.dig(&["xn--bcher-kva.xn--mgb9awbf.pool.test", "CNAME"]), ["xn--mgb9awbf.pool.test."]);
    assert_eq!(world.pdns.dig(&["www.xn--mgb9awbf.pool.test", "A"]), ["192.0.2.2"]);
    assert_eq!(world.pdns.dig(&[&format!("{long}.xn--mgb9awbf.pool.test"), "A"]), ["192.0.2.1"]);
    for name in [&"l".repeat(64), "a..b.pool.test", "-x.pool.test", "a b.pool.test", &vec!["abcdefgh"; 32].join(".")] {
        let problem = world.problem(&["dns.*:*"], &format!(r#"dns::create_zone("{name}.pool.test")"#));
        assert_eq!(problem.code, Code::InvalidArgument, "{name}: {problem:?}");
    }
}

#[test]
fn a_rehearsal_sees_the_real_zone_and_changes_nothing() {
    let Some(world) = World::new() else { return };
    world.result(CHILD);
    let shop = crate::hosts::Shop::rehearsal(&super::config(&world.pdns));
    let body = r#"
        let before = dns::rrsets("acme.pool.test", #{ name: "@", type: "A" })[0].records[0];
        dns::replace("acme.pool.test", #{ name: "@", type: "A", record: "192.0.2.99" });
        dns::create_zone("new.pool.test");
        [before, dns::rrsets("acme.pool.test", #{ name: "@", type: "A" })[0].records[0], dns::zone("new.pool.test").name]
    "#;
    assert_eq!(
        shop.result(GRANTS, body).expect("it is rehearsed"),
        json!(["192.0.2.10", "192.0.2.99", "new.pool.test"])
    );
    assert_eq!(world.pdns.dig(&["acme.pool.test", "A"]), ["192.0.2.10"]);
    assert!(!zone_exists(&world.pdns, "new.pool.test."));
}

#[test]
fn what_gives_rights_away_needs_more_than_to_write() {
    let Some(world) = World::new() else { return };
    world.result(CHILD);
    for kind in ["ALLOW-DNSUPDATE-FROM", "TSIG-ALLOW-DNSUPDATE", "ALLOW-AXFR-FROM", "ALSO-NOTIFY", "NSEC3NARROW"] {
        let body = format!(r#"dns::set_metadata("acme.pool.test", "{kind}", ["0.0.0.0/0"])"#);
        assert_eq!(world.problem(GRANTS, &body).code, Code::PermissionDenied, "{kind}");
    }
    let allow = r#"dns::set_metadata("acme.pool.test", "ALLOW-AXFR-FROM", ["192.0.2.1"])"#;
    let grants = [GRANTS, &["dns.force:acme.pool.test"]].concat();
    world.shop.result(&grants, allow).expect("it is granted");
    for kind in ["X-CUSTOMER", "PUBLISH-CDNSKEY"] {
        world.result(&format!(r#"dns::set_metadata("acme.pool.test", "{kind}", ["1"])"#));
    }
    for kind in ["X-OWNER", "X-ORGANISATION", "X-UNDO-1", "LUA-AXFR-SCRIPT"] {
        let body = format!(r#"dns::set_metadata("acme.pool.test", "{kind}", ["x"])"#);
        assert_eq!(world.shop.result(&grants, &body).expect_err("ours").code, Code::InvalidArgument, "{kind}");
    }
}

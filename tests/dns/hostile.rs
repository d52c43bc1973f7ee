//! What goes wrong, what is somebody else's, and what somebody tries.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_hosts::authority::{Change, Hand, Rrset};
use windlass_model::Code;

use super::{GRANTS, World, server, zone_exists};

#[test]
fn sixty_writes_at_once_all_arrive() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("busy.pool.test")"#);
    let server = server(&world.pdns);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    let results = runtime.block_on(async {
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let server = server.clone();
                tokio::spawn(async move {
                    let rrset = Rrset {
                        name: format!("h{n}.busy.pool.test"),
                        kind: "A".into(),
                        ttl: 60,
                        records: vec![format!("192.0.2.{n}")],
                        owner: None,
                    };
                    server.change("busy.pool.test", vec![Change::Replace(rrset)], &Hand::of_platform()).await
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    });
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for n in [0, 17, 59] {
        assert_eq!(world.pdns.dig(&[&format!("h{n}.busy.pool.test"), "A"]), [format!("192.0.2.{n}")]);
    }
    assert!(!world.pdns.log().contains("database is locked"), "no write had to be refused by the server");
}

#[test]
fn writes_of_two_machines_meet_a_locked_database_and_arrive() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("busy.pool.test")"#);
    // Two processes share no lock.
    let machines = [server(&world.pdns), server(&world.pdns), server(&world.pdns)];
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..45_usize {
            let server = Arc::clone(&machines[n % machines.len()]);
            tasks.push(tokio::spawn(async move {
                let record = vec![format!("192.0.2.{n}")];
                let rrset = Rrset {
                    name: format!("h{n}.busy.pool.test"),
                    kind: "A".into(),
                    ttl: 60,
                    records: record,
                    owner: None,
                };
                server.change("busy.pool.test", vec![Change::Replace(rrset)], &Hand::of_platform()).await
            }));
        }
        for task in tasks {
            task.await.expect("no panic").expect("it is asked again until it is there");
        }
    });
}

#[test]
fn one_bad_rrset_applies_none() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("acme.pool.test"); dns::replace("acme.pool.test", #{ name: "a", type: "A", record: "192.0.2.1" })"#);
    // Ours sees the first, only the server the others: a CNAME beside other data, a type that it can't read.
    for bad in [
        r#"#{ name: "b", type: "A", record: "192.0.2.256" }"#,
        r#"#{ name: "a", type: "CNAME", record: "b.pool.test" }"#,
        r#"#{ name: "c", type: "CAA", record: "nonsense" }"#,
        r#"#{ name: "a", type: "A", record: "192.0.2.2" }"#,
    ] {
        let body =
            format!(r#"dns::replace("acme.pool.test", [#{{ name: "a", type: "A", record: "192.0.2.7" }}, {bad}])"#);
        let problem = world.problem(GRANTS, &body);
        assert_eq!(problem.code, Code::InvalidArgument, "{bad}: {problem:?}");
        assert_eq!(world.pdns.dig(&["a.acme.pool.test", "A"]), ["192.0.2.1"], "{bad}");
    }
}

#[test]
fn what_is_not_ours_stays_untouched() {
    let Some(world) = World::new() else { return };
    world.pdns.make_zone("theirs.pool.test.", &["ns1.pool.test."]);
    world.pdns.put("theirs.pool.test.", "www.theirs.pool.test.", "A", 300, &["192.0.2.50"]);
    for body in [
        r#"dns::replace("theirs.pool.test", #{ name: "www", type: "A", record: "192.0.2.66" })"#,
        r#"dns::delete("theirs.pool.test", #{ name: "www", type: "A" })"#,
        r#"dns::delete_zone("theirs.pool.test")"#,
        r#"dns::create_zone("theirs.pool.test")"#,
        r#"dns::create_zone("theirs.pool.test", #{ adopt: true })"#,
        r#"dns::unsign("theirs.pool.test")"#,
        r#"dns::set_metadata("theirs.pool.test", "X-A", ["1"])"#,
        r#"dns::replace("pool.test", #{ name: "mail", type: "A", record: "192.0.2.66" })"#,
    ] {
        assert_eq!(world.problem(GRANTS, body).code, Code::Conflict, "{body}");
        let forced = body.replace(" })", ", force: true })").replace("\")", "\", #{ force: true })");
        assert!(world.shop.result(GRANTS, &forced).is_err(), "{forced}");
    }
    assert_eq!(world.pdns.dig(&["www.theirs.pool.test", "A"]), ["192.0.2.50"]);
    assert_eq!(world.pdns.dig(&["mail.pool.test", "A"]), ["192.0.2.25"]);
    // A name that nobody has is free, and is ours from then on.
    world.result(r#"dns::replace("theirs.pool.test", #{ name: "ours", type: "A", record: "192.0.2.60" }); dns::replace("theirs.pool.test", #{ name: "ours", type: "A", record: "192.0.2.61" })"#);
    // With the grant, and said: the zone is taken over.
    let grants = [GRANTS, &["dns.force:theirs.pool.test"]].concat();
    let taken = r#"dns::claim("theirs.pool.test"); dns::replace("theirs.pool.test", #{ name: "www", type: "A", record: "192.0.2.51" })"#;
    world.shop.result(&grants, taken).expect("it is granted");
    assert_eq!(world.pdns.dig(&["www.theirs.pool.test", "A"]), ["192.0.2.51"]);
}

#[test]
fn the_zones_own_name_servers_are_changed_by_force_only() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("acme.pool.test")"#);
    let body = r#"dns::replace("acme.pool.test", #{ name: "@", type: "NS", records: ["evil.example"] })"#;
    assert_eq!(world.problem(GRANTS, body).code, Code::Conflict);
    let body = r#"dns::apply(dns::plan("acme.pool.test", [#{ name: "@", type: "NS", records: ["evil.example"] }]))"#;
    assert_eq!(world.problem(GRANTS, body).code, Code::Conflict);
    assert_eq!(
        world.problem(GRANTS, r#"dns::replace("acme.pool.test", #{ name: "@", type: "SOA", record: "x" })"#).code,
        Code::InvalidArgument
    );
    assert_eq!(world.pdns.dig(&["acme.pool.test", "NS"]).len(), 2);
}

#[test]
fn grants_are_for_names_and_code_needs_its_own() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("acme.pool.test"); dns::create_zone("other.pool.test")"#);
    let narrow = ["dns.read:acme.pool.test", "dns.write:www.acme.pool.test"];
    let write = |name: &str, zone: &str, kind: &str, record: &str| {
        format!(r#"dns::replace("{zone}", #{{ name: "{name}", type: "{kind}", record: `{record}` }})"#)
    };
    world.shop.result(&narrow, &write("www", "acme.pool.test", "A", "192.0.2.1")).expect("it is granted");
    for (body, grant) in [
        (write("@", "acme.pool.test", "A", "192.0.2.1"), "dns.write:acme.pool.test"),
        (write("www", "other.pool.test", "A", "192.0.2.1"), "dns.write:www.other.pool.test"),
        (r#"dns::rrsets("other.pool.test")"#.to_owned(), "dns.read:other.pool.test"),
        (r#"dns::create_zone("www2.acme.pool.test")"#.to_owned(), "dns.write:www2.acme.pool.test"),
        (r#"dns::apply(#{ zone: "acme.pool.test", create: [#{ name: "x.acme.pool.test", type: "A", ttl: 1, records: ["192.0.2.1"] }], update: [], delete: [], unchanged: 0, refused: [] })"#.to_owned(), "dns.write:x.acme.pool.test"),
        (write("www", "acme.pool.test", "LUA", r#"A "os.execute('id')""#), "dns.lua:www.acme.pool.test"),
    ] {
        let problem = world.problem(&narrow, &body);
        assert!(problem.code == Code::PermissionDenied && problem.message.contains(grant), "{body}: {problem:?}");
    }
    assert_eq!(
        world.shop.result(&narrow, "dns::zones().map(|zone| zone.name)").expect("it shows what is granted"),
        json!(["acme.pool.test"])
    );
    for kind in ["LUA-AXFR-SCRIPT", "ENABLE-LUA-RECORDS", "X-OWNER", "x-undo-1", "../../config"] {
        let body = format!(r#"dns::set_metadata("acme.pool.test", "{kind}", ["x"])"#);
        assert_eq!(world.problem(GRANTS, &body).code, Code::InvalidArgument, "{kind}");
    }
    // The same code by other spellings, and in a plan that nobody made.
    let forged = |kind: &str, name: &str| {
        let rrset = format!(r#"#{{ name: "{name}", type: "{kind}", ttl: 1, records: [`A "os.execute('id')"`] }}"#);
        format!(
            r#"dns::apply(#{{ zone: "acme.pool.test", create: [{rrset}], update: [], delete: [], unchanged: 0, refused: [] }})"#
        )
    };
    for (kind, name) in [
        ("lua", "www.acme.pool.test"),
        ("LUA", "WWW.acme.pool.test."),
        ("TYPE65402", "www.acme.pool.test"),
        ("SOA", "www"),
    ] {
        let problem = world.problem(&narrow, &forged(kind, name));
        assert!([Code::PermissionDenied, Code::InvalidArgument].contains(&problem.code), "{kind} {name}: {problem:?}");
    }
    let number = write("www", "acme.pool.test", "type65402", "\\\\# 1 00");
    assert_eq!(world.problem(&narrow, &number).code, Code::InvalidArgument);
    let include = r#"dns::parse("acme.pool.test", "$TTL 60\n$include /etc/passwd\n")"#;
    assert_eq!(world.problem(GRANTS, include).code, Code::InvalidArgument);
}

#[test]
fn an_undo_leaves_what_somebody_else_has_put_there_since() {
    let Some(world) = World::new() else { return };
    world.result(r#"dns::create_zone("acme.pool.test"); dns::replace("acme.pool.test", #{ name: "a", type: "A", record: "192.0.2.1" })"#);
    let (result, journal, mut job) =
        world.shop.run(GRANTS, r#"dns::replace("acme.pool.test", #{ name: "a", type: "A", record: "192.0.2.2" })"#);
    result.expect("it is granted");
    world.pdns.put("acme.pool.test.", "a.acme.pool.test.", "A", 60, &["192.0.2.3"]);
    let problem = world.shop.try_roll_back(&mut job, &journal).expect_err("somebody else's isn't overwritten");
    assert_eq!(problem.code, Code::Conflict, "{problem:?}");
    assert_eq!(world.pdns.dig(&["a.acme.pool.test", "A"]), ["192.0.2.3"]);
    // A zone that somebody took away meanwhile: there is nothing left to put back.
    world.pdns.api("DELETE", "/zones/acme.pool.test.", Value::Null);
    world.shop.try_roll_back(&mut job, &journal).expect("nothing is left to do");
    assert!(!zone_exists(&world.pdns, "acme.pool.test."));
}

#[test]
fn a_server_that_is_gone_refuses_or_is_not_meant_is_told_in_words() {
    let Some(mut world) = World::new() else { return };
    let body = r#"dns::create_zone("acme.pool.test")"#;
    std::fs::write(world.pdns.key_file(), "wrong").expect("the file can be written");
    let problem = world.problem(GRANTS, body);
    assert!(problem.code == Code::Configuration && !problem.message.contains("wrong"), "{problem:?}");
    std::fs::remove_file(world.pdns.key_file()).expect("it was there");
    assert_eq!(world.problem(GRANTS, body).code, Code::Configuration);
    std::fs::write(world.pdns.key_file(), windlass_tests::powerdns::KEY).expect("the file can be written");
    world.pdns.stop();
    let problem = world.problem(GRANTS, body);
    assert!(problem.code == Code::Unavailable && problem.retryable, "{problem:?}");
    world.pdns.resume();
    world.result(body);
    let other = r#"dns::create_zone("b.pool.test", #{ server: "second" })"#;
    assert!(world.problem(GRANTS, other).message.contains("`main`"));
    assert_eq!(world.problem(GRANTS, r#"dns::rrsets("none.pool.test")"#).code, Code::NotFound);
    for (key, value) in
        [("url", "http://192.0.2.1:8081"), ("api_key", "s3cret"), ("kind", "bind"), ("url", "ftp://127.0.0.1")]
    {
        let mut config = json!(super::config(&world.pdns));
        config["dns"]["servers"]["main"][key] = value.into();
        let config = serde_json::from_value(config).expect("it has the right form");
        let problem = windlass_hosts::modules(&config).err().expect("it can't be meant");
        assert!(
            problem.code == Code::Configuration && problem.message.contains(key) && !problem.message.contains("s3cret"),
            "{problem:?}"
        );
    }
}

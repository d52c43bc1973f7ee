//! Pool domains, from scripts on a book that tests can look into. What the system before this one got wrong stands here as
//! what must hold.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use serde_json::{Value, json};
use windlass_hosts::{
    authority, modules_in,
    owner::{Always, PLATFORM},
    pool::{Book, Config, Entry, Holder, LABELS, MemoryBook, Pool, Proof, RESERVED, Row, State},
    services::Services,
};
use windlass_model::{Code, Problem, RunId};
use windlass_tests::PowerDns;

use super::{make_parent, zone_exists};
use crate::hosts::Shop;

const GRANTS: &[&str] =
    &["pool.read:*.pool.test", "pool.write:*.pool.test", "dns.read:*", "dns.write:*.pool.test", "dns.check:*"];

/// A book in memory, of which a test says whether runs are open.
#[derive(Default)]
struct Watched {
    rows: MemoryBook,
    closed: AtomicBool,
}

impl Book for Watched {
    fn find(&self, name: &str) -> Result<Option<Entry>, Problem> {
        self.rows.find(name)
    }
    fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, Problem> {
        self.rows.list(after, limit)
    }
    fn put(&self, row: &Row, seen: i64) -> Result<Option<i64>, Problem> {
        self.rows.put(row, seen)
    }
    fn remove(&self, name: &str, seen: i64) -> Result<bool, Problem> {
        self.rows.remove(name, seen)
    }
    fn is_open(&self, _: &RunId) -> Result<bool, Problem> {
        Ok(!self.closed.load(SeqCst))
    }
}

struct World {
    pdns: PowerDns,
    book: Arc<Watched>,
    pool: Arc<Pool>,
    shop: Shop,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// With names under `pool.test`, where a reservation holds for a minute, as long as a name rests.
    fn new() -> Option<Self> {
        let pdns = PowerDns::start()?;
        make_parent(&pdns);
        let mut config = super::config(&pdns);
        config.pool = settings(60, 60);
        let book = Arc::new(Watched::default());
        let servers = Arc::new(authority::Servers::new(&config.dns).expect("it can be meant"));
        let pool = Arc::new(Pool::new(&config.pool, servers, book.clone()).expect("it can be meant"));
        let services =
            Services { names: book.clone(), organisations: Arc::new(Always(PLATFORM)), ..Services::default() };
        let shop = Shop::of(modules_in(&config, &services).expect("it fits this machine"), false);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        Some(Self { pdns, book, pool, shop, runtime: runtime.expect("a runtime") })
    }

    fn result(&self, body: &str) -> Value {
        self.shop.result(GRANTS, body).unwrap_or_else(|problem| panic!("{problem:#?}\n{body}"))
    }

    fn problem(&self, body: &str) -> Problem {
        match self.shop.result(GRANTS, body) {
            Err(problem) => problem,
            Ok(value) => panic!("{body} went well: {value}"),
        }
    }

    /// Gives a name out as the API would, or a run.
    fn commit(&self, label: &str, proof: &Proof, address: &str) -> Result<(), Problem> {
        self.runtime.block_on(self.pool.commit("pool.test", label, proof, &[address.to_owned()], None)).map(drop)
    }

    fn state(&self, name: &str) -> Option<State> {
        self.book.find(name).expect("it is in memory").map(|entry| entry.row.state)
    }

    /// As if the time had passed for which a reservation holds, or a name rests.
    fn passes(&self, name: &str) {
        let Entry { mut row, version } = self.book.find(name).expect("it is in memory").expect("it is there");
        let now_ms = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_millis() as i64;
        let left_ms = row.until_ms.expect("it ends") - now_ms;
        assert!((1..=60_000).contains(&left_ms), "{left_ms} ms are left for {name}");
        row.until_ms = Some(now_ms - 1);
        assert!(self.book.put(&row, version).expect("it is in memory").is_some());
    }

    fn sweep(&self) {
        self.runtime.block_on(self.pool.sweep()).expect("the book can be read");
    }

    /// Whether anything of a name stands on the name server.
    fn stands(&self, name: &str) -> bool {
        let of = |kind| !self.pdns.records("pool.test.", &format!("{name}."), kind).is_empty();
        of("NS") || of("DS") || zone_exists(&self.pdns, &format!("{name}."))
    }
}

pub(super) fn settings(reservation_s: u64, rest_s: u64) -> Config {
    let text =
        json!({ "domains": { "pool.test": {} }, "reservation_s": reservation_s, "rest_s": rest_s, "sweep_s": 1 });
    serde_json::from_value(text).expect("it has the right form")
}

#[test]
fn a_name_is_reserved_committed_validated_and_released() {
    let Some(world) = World::new() else { return };
    let body = r#"
        let free = pool::check("pool.test", "acme");
        let held = pool::reserve("pool.test", "acme");
        let done = pool::commit("pool.test", "acme", ["192.0.2.7"]);
        #{ free: free.available, held: held, done: done, taken: pool::check("pool.test", "acme").reason, all: pool::list() }
    "#;
    let result = world.result(body);
    assert_eq!((&result["free"], &result["taken"]), (&json!(true), &json!("taken")), "{result}");
    assert_eq!(
        (&result["held"]["name"], &result["all"][0]["state"]),
        (&json!("acme.pool.test"), &json!("active")),
        "{result}"
    );
    assert!(!result.to_string().contains("token"), "what a run sees of a name stands in its journal: {result}");
    for label in LABELS {
        let name = if label == "@" {
            "acme.pool.test".to_owned()
        } else {
            format!("{label}.acme.pool.test").replace('*', "any")
        };
        assert_eq!(world.pdns.dig(&[&name, "A"]), ["192.0.2.7"], "{name}");
        // A child that is signed has its DS in the parent, or its signatures are good for nothing.
        let said = world.pdns.delv("pool.test.", &name, "A");
        assert!(said.contains("; fully validated") && said.contains("300"), "{name}: {said}");
    }
    assert_eq!(world.result(r#"pool::release("pool.test", "acme")"#), json!(true));
    assert!(world.pdns.records("pool.test.", "acme.pool.test.", "DS").is_empty(), "the delegation goes at once");
    assert_eq!(world.state("acme.pool.test"), Some(State::Releasing));
    assert_eq!(
        world.problem(r#"pool::reserve("pool.test", "acme")"#).code,
        Code::Conflict,
        "it rests: others remember its keys"
    );
    world.passes("acme.pool.test");
    world.sweep();
    assert!(world.state("acme.pool.test").is_none() && !world.stands("acme.pool.test"));
    assert_eq!(world.result(r#"pool::release("pool.test", "acme")"#), json!(false), "to repeat it is no error");
    world.result(r#"pool::reserve("pool.test", "acme")"#);
}

#[test]
fn reasons_are_told() {
    let Some(world) = World::new() else { return };
    let reason = |domain: &str, label: &str| {
        world
            .shop
            .result(&["pool.read:*"], &format!(r#"pool::check("{domain}", "{label}").reason"#))
            .expect("it is granted")
    };
    assert_eq!(RESERVED.len(), 21);
    for (domain, label, expected) in [
        ("pool.test", "acme", json!(null)),
        ("POOL.test.", "عمان", json!(null)),
        ("pool.test", &*"l".repeat(63), json!(null)),
        ("other.test", "acme", json!("unsupported-pool")),
        ("pool.test", "www", json!("reserved")),
        ("pool.test", "NS1", json!("reserved")),
        ("pool.test", "mail", json!("reserved")),
        ("pool.test", "a.b", json!("invalid-format")),
        ("pool.test", &*"l".repeat(64), json!("invalid-format")),
        ("pool.test", "-a", json!("invalid-format")),
        ("pool.test", "", json!("invalid-format")),
    ] {
        assert_eq!(reason(domain, label), expected, "{label}.{domain}");
    }
    // Put there by hand, without a row.
    world.pdns.put("pool.test.", "handmade.pool.test.", "A", 300, &["192.0.2.44"]);
    assert_eq!(reason("pool.test", "handmade"), json!("taken"));
    for (label, code) in [("www", Code::NameRefused), ("a_b", Code::NameRefused)] {
        assert_eq!(world.problem(&format!(r#"pool::reserve("pool.test", "{label}")"#)).code, code);
    }
    world.pdns.make_zone("theirs.pool.test.", &["ns1.pool.test."]);
    assert_eq!(world.problem(r#"pool::reserve("pool.test", "theirs")"#).code, Code::Conflict);
    assert!(world.state("theirs.pool.test").is_none(), "nobody keeps a name that can't be had");
    assert!(zone_exists(&world.pdns, "theirs.pool.test."));
    // Ours, and not this pool's: made and delegated by a process that knows no pool. With one, no script does that.
    let past = Shop::real(&super::config(&world.pdns));
    let make = r#"let zone = dns::create_zone("script.pool.test"); dns::delegate("pool.test", "script.pool.test", #{ nameservers: ["ns1.pool.test"], ds: zone.ds })"#;
    past.result(GRANTS, make).expect("it is granted");
    assert_eq!(world.problem(r#"pool::reserve("pool.test", "script")"#).code, Code::Conflict);
    assert!(world.stands("script.pool.test") && world.state("script.pool.test").is_none());
    for label in ["www", "console", "more"] {
        assert_eq!(world.problem(&format!(r#"dns::create_zone("{label}.pool.test")"#)).code, Code::NameRefused);
    }
    let problem = world.shop.result(&["pool.write:*.other.test"], r#"pool::reserve("pool.test", "acme")"#).unwrap_err();
    assert!(
        problem.code == Code::PermissionDenied && problem.message.contains("pool.write:acme.pool.test"),
        "{problem:?}"
    );
}

#[test]
fn a_name_is_of_the_organisation_whose_run_reserves_it() {
    let Some(world) = World::new() else { return };
    let of = |organisation: &'static str| {
        let mut config = super::config(&world.pdns);
        config.pool = settings(60, 60);
        let services = Services {
            names: world.book.clone(),
            organisations: Arc::new(Always(organisation)),
            ..Services::default()
        };
        Shop::of(modules_in(&config, &services).expect("it fits this machine"), false)
    };
    let (acme, rival) = (of("acme"), of("rival"));
    let ask = |shop: &Shop, body: &str| shop.result(GRANTS, body);
    let code = |shop: &Shop, body: &str| ask(shop, body).expect_err(body).code;
    ask(&acme, r#"pool::reserve("pool.test", "acme"); pool::commit("pool.test", "acme", "192.0.2.7")"#)
        .expect("it is free");
    let row = world.book.find("acme.pool.test").expect("in memory").expect("it is there").row;
    assert_eq!(row.organisation, "acme");
    // Others may say whom it is for only if they are the platform.
    let named = r#"pool::reserve("pool.test", "gift", #{ organisation: "acme" })"#;
    assert_eq!(code(&rival, named), Code::PermissionDenied);
    for body in [
        r#"pool::release("pool.test", "acme")"#,
        r#"dns::replace("acme.pool.test", #{ name: "@", type: "A", record: "192.0.2.66" })"#,
        r#"dns::delete_zone("acme.pool.test")"#,
        r#"dns::undelegate("pool.test", "acme.pool.test")"#,
        r#"dns::set_metadata("acme.pool.test", "X-NOTE", ["mine"])"#,
    ] {
        assert_eq!(code(&rival, body), Code::PermissionDenied, "{body}");
    }
    assert_eq!(ask(&rival, "pool::list()").expect("it is granted"), json!([]));
    // What others have doesn't count towards its limit, and isn't found by its name either.
    ask(&rival, r#"pool::reserve("pool.test", "rival")"#).expect("it is free");
    let all = [
        "pool::list(#{ limit: 1 })",
        r#"pool::list(#{ names: ["acme.pool.test", "nobody.pool.test", "rival.pool.test"] })"#,
        r#"pool::list(#{ names: ["rival.pool.test"], after: "acme.pool.test", domain: "pool.test" })"#,
    ];
    for body in all {
        let body = format!("{body}.map(|one| one.name)");
        assert_eq!(ask(&rival, &body).expect(&body), json!(["rival.pool.test"]), "{body}");
    }
    assert_eq!(ask(&rival, r#"pool::list(#{ names: ["acme.pool.test"] })"#).expect("it is granted"), json!([]));
    assert_eq!(ask(&rival, r"pool::list(#{ names: [] })").expect("it is granted"), json!([]));
    let many = r#"let names = []; for at in 0..1001 { names.push(`n${at}.pool.test`); } pool::list(#{ names: names })"#;
    assert_eq!(code(&rival, many), Code::InvalidArgument);
    assert_eq!(ask(&rival, r#"pool::release("pool.test", "rival")"#).expect("its own"), true);
    assert_eq!(world.pdns.dig(&["acme.pool.test", "A"]), ["192.0.2.7"]);
    // Its own runs use it, and give it back.
    ask(&acme, r#"dns::replace("acme.pool.test", #{ name: "app", type: "A", record: "192.0.2.8" })"#).expect("its own");
    assert_eq!(ask(&acme, r#"pool::release("pool.test", "acme")"#).expect("its own"), true);
    world.result(named);
    assert_eq!(world.book.find("gift.pool.test").expect("in memory").expect("it is there").row.organisation, "acme");
}

#[test]
fn a_commit_that_failed_half_way_is_done_again_by_whoever_reserved_it() {
    let Some(mut world) = World::new() else { return };
    let (reserved, _, job) = world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme")"#);
    reserved.expect("it is granted");
    let (own, other) = (Proof::Run(&job.run), RunId::from("01other"));
    let code = |world: &World, proof: &Proof, address: &str| {
        world.commit("acme", proof, address).expect_err("it doesn't go well").code
    };
    world.pdns.stop();
    assert_eq!(code(&world, &own, "192.0.2.7"), Code::Unavailable);
    world.pdns.resume();
    world.commit("acme", &own, "192.0.2.7").expect("the server is there");
    assert_eq!(world.pdns.dig(&["harbor.acme.pool.test", "A"]), ["192.0.2.7"]);
    world.commit("acme", &own, "192.0.2.8").expect("it may be repeated");
    assert_eq!(world.pdns.dig(&["harbor.acme.pool.test", "A"]), ["192.0.2.8"]);
    let elsewhere = r#"pool::commit("pool.test", "acme", ["192.0.2.9"])"#;
    let refused = world.problem(elsewhere);
    assert!(refused.code == Code::PermissionDenied && refused.message.contains("by this run"), "{refused:?}");
    for proof in [Proof::Run(&other), Proof::Token("0123"), Proof::Token("")] {
        assert_eq!(code(&world, &proof, "192.0.2.9"), Code::PermissionDenied);
    }
    assert_eq!(code(&world, &own, "::1"), Code::InvalidArgument);
    assert_eq!(world.problem(r#"pool::renew("pool.test", "acme")"#).code, Code::PermissionDenied);
    assert_eq!(world.pdns.dig(&["harbor.acme.pool.test", "A"]), ["192.0.2.8"]);
}

#[test]
fn a_reservation_holds_as_long_as_its_run_is_open_and_no_longer() {
    let Some(world) = World::new() else { return };
    let (reserved, _, job) = world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme")"#);
    reserved.expect("it is granted");
    let own = Proof::Run(&job.run);
    // More than its minute, again and again: provisioning takes longer than anybody guesses.
    for _ in 0..3 {
        world.passes("acme.pool.test");
        world.sweep();
        assert_eq!(world.state("acme.pool.test"), Some(State::Reserved));
        assert_eq!(world.problem(r#"pool::reserve("pool.test", "acme")"#).code, Code::Conflict);
    }
    // Without a sweep in time, too.
    world.passes("acme.pool.test");
    world.pool.renew("pool.test", "acme", &own).expect("it is its own");
    world.book.closed.store(true, SeqCst);
    world.passes("acme.pool.test");
    let late = || world.commit("acme", &own, "192.0.2.7").expect_err("it has run out").code;
    assert_eq!(late(), Code::Gone);
    world.sweep();
    assert!(
        world.state("acme.pool.test").is_none() && !world.stands("acme.pool.test"),
        "a reservation leaves nothing behind"
    );
    assert_eq!(late(), Code::NotFound);
}

#[test]
fn whoever_comes_after_a_reservation_has_run_out_gets_the_name() {
    let Some(world) = World::new() else { return };
    let (first, _, job) = world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme")"#);
    let first = first.expect("it is granted");
    world.book.closed.store(true, SeqCst);
    world.passes("acme.pool.test");
    let second = world.result(r#"pool::reserve("pool.test", "acme")"#);
    assert_ne!(first["ds"], second["ds"], "with keys of its own");
    let stale = world.commit("acme", &Proof::Run(&job.run), "192.0.2.7").expect_err("somebody else has it");
    assert_eq!(stale.code, Code::PermissionDenied);
}

#[test]
fn a_release_that_was_interrupted_is_done_again() {
    let Some(mut world) = World::new() else { return };
    let (given_out, _, job) =
        world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme"); pool::commit("pool.test", "acme", "192.0.2.7")"#);
    given_out.expect("it is granted");
    world.pdns.stop();
    assert_eq!(world.problem(r#"pool::release("pool.test", "acme")"#).code, Code::Unavailable);
    assert!(world.state("acme.pool.test").is_some(), "the row goes last: it tells what is still to be done");
    world.sweep();
    assert!(world.state("acme.pool.test").is_some());
    world.pdns.resume();
    let again = world.commit("acme", &Proof::Run(&job.run), "192.0.2.7").expect_err("it was given back");
    assert_eq!(again.code, Code::Gone);
    assert_eq!(world.result(r#"pool::release("pool.test", "acme")"#), json!(true));
    world.passes("acme.pool.test");
    world.sweep();
    assert!(world.state("acme.pool.test").is_none() && !world.stands("acme.pool.test"));
}

#[test]
fn a_run_that_fails_gives_its_name_back_and_nobody_elses() {
    let Some(world) = World::new() else { return };
    let (result, journal, job) =
        world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme"); pool::commit("pool.test", "acme", "192.0.2.7")"#);
    result.expect("it is granted");
    world.shop.roll_back(job, &journal);
    assert!(world.pdns.records("pool.test.", "acme.pool.test.", "NS").is_empty());
    world.passes("acme.pool.test");
    world.sweep();
    assert!(world.state("acme.pool.test").is_none() && !world.stands("acme.pool.test"));
    // By hand, the undo does nothing.
    world.result(r#"pool::reserve("pool.test", "other"); pool::give_up("pool.test", "other"); pool::withdraw("pool.test", "other")"#);
    assert_eq!(world.state("other.pool.test"), Some(State::Reserved));
}

#[test]
fn of_many_that_want_one_name_one_gets_it() {
    let Some(world) = World::new() else { return };
    let results = world.runtime.block_on(async {
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let pool = world.pool.clone();
                let holder = Holder {
                    key: format!("run-{n}/1"),
                    run: Some("01run".into()),
                    organisation: "acme".into(),
                    holds: Box::new(|| true),
                    adopts: None,
                    points_to: None,
                };
                tokio::spawn(async move { pool.reserve("pool.test", "acme", &holder, None).await })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 11));
    assert!(lost.iter().all(|result| result.as_ref().is_err_and(|problem| problem.code == Code::Conflict)), "{lost:?}");
    let winner = won.into_iter().flatten().next().expect("one");
    world.commit("acme", &Proof::Token(&winner.token), "192.0.2.7").expect("its token is the right one");
    let proof = Proof::Token("not its token");
    let problem = world.runtime.block_on(world.pool.release("pool.test", "acme", &proof)).expect_err("not its token");
    assert_eq!(problem.code, Code::PermissionDenied);
}

#[test]
fn a_step_that_lost_its_answer_finds_what_it_has_reserved() {
    let Some(world) = World::new() else { return };
    let holder = || Holder {
        key: "run/7".into(),
        run: Some("01run".into()),
        organisation: "acme".into(),
        holds: Box::new(|| true),
        adopts: None,
        points_to: None,
    };
    let reserve =
        || world.runtime.block_on(world.pool.reserve("pool.test", "acme", &holder(), None)).expect("it is free");
    let first = reserve();
    // The process died before anybody saw the token; the name server half-way, too.
    world.pdns.api(
        "PATCH",
        "/zones/pool.test.",
        json!({ "rrsets": [{ "name": "acme.pool.test.", "type": "DS", "changetype": "DELETE" }] }),
    );
    let second = reserve();
    assert_eq!((&first.name, &first.ds), (&second.name, &second.ds), "the same zone with the same keys");
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "DS"), second.ds);
    let commit = |token: &str| world.commit("acme", &Proof::Token(token), "192.0.2.7");
    assert_eq!(commit(&first.token).expect_err("nobody has seen it").code, Code::PermissionDenied);
    commit(&second.token).expect("it is this one");
}

#[test]
fn a_customer_who_takes_the_zone_away_is_told_of_and_let_go() {
    let Some(world) = World::new() else { return };
    let (reserved, _, job) = world.shop.run(GRANTS, r#"pool::reserve("pool.test", "acme")"#);
    reserved.expect("it is granted");
    world.pdns.api("DELETE", "/zones/acme.pool.test.", Value::Null);
    let problem = world.commit("acme", &Proof::Run(&job.run), "192.0.2.7").expect_err("its zone is gone");
    assert_eq!(problem.code, Code::NotFound);
    assert_eq!(world.result(r#"pool::release("pool.test", "acme")"#), json!(true));
    assert!(world.state("acme.pool.test").is_none() && !world.stands("acme.pool.test"));
}

#[test]
fn a_customers_own_domain_gets_a_zone_that_answers_before_it_is_delegated() {
    let Some(world) = World::new() else { return };
    let grants = ["dns.write:customer.example", "dns.read:customer.example"];
    let body = r#"
        let zone = dns::create_zone("customer.example");
        dns::replace("customer.example", #{ name: "@", type: "A", ttl: 300, record: "192.0.2.7" });
        zone.ds.len()
    "#;
    assert_eq!(world.shop.result(&grants, body).expect("it is granted"), json!(1));
    assert_eq!(world.pdns.dig(&["customer.example", "A"]), ["192.0.2.7"]);
    assert!(world.pdns.delv("customer.example.", "customer.example", "A").contains("; fully validated"));
    // Every change has a serial of its own.
    let kinds = world.pdns.api("GET", "/zones/customer.example./metadata", Value::Null).1;
    let edit = kinds.as_array().into_iter().flatten().find(|one| one["kind"] == "SOA-EDIT-API");
    assert_eq!(edit.map(|one| &one["metadata"]), Some(&json!(["DEFAULT"])), "{kinds}");
}

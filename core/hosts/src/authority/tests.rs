//! What holds for every name server, tried on the one in memory.

mod owners;

use std::sync::Arc;

use windlass_model::Code;

use super::{Change, Delegation, Hand, NewZone, Rrset, Server, ServerConfig, Servers, memory::Memory};

fn server() -> Server {
    let config = ServerConfig { nameservers: vec!["ns1.example".into()], ..ServerConfig::default() };
    Server::new("test", config, Arc::new(Memory::new("test", None)))
}

fn hand(key: &str) -> Hand {
    Hand { key: Some(key.into()), ..Hand::of_platform() }
}

fn zone(name: &str) -> NewZone {
    let (kind, name) = ("Native".into(), name.into());
    NewZone { name, kind, nameservers: Vec::new(), dnssec: true, account: String::new() }
}

fn address(name: &str, record: &str) -> Change {
    let records = vec![record.into()];
    Change::Replace(Rrset { name: name.into(), kind: "A".into(), ttl: 60, records, owner: None })
}

async fn records(server: &Server, zone: &str, name: &str) -> Vec<String> {
    server.backend.rrsets(zone, Some(name)).await.unwrap().into_iter().flat_map(|rrset| rrset.records).collect()
}

#[tokio::test]
async fn a_zone_is_adopted_by_its_step_and_by_others_only_on_request() {
    let server = server();
    let first = server.create(zone("a.example"), None, &hand("run/1")).await.unwrap();
    assert!(first.created && first.ds.len() == 1);
    // The answer was lost, and the step comes again.
    assert!(server.create(zone("a.example"), None, &hand("run/1")).await.unwrap().created);
    assert!(server.made_by("a.example", "run/1").await.unwrap().is_some());
    assert!(server.made_by("a.example", "run/2").await.unwrap().is_none());
    assert_eq!(server.create(zone("a.example"), None, &hand("run/2")).await.unwrap_err().code, Code::Conflict);
    assert!(!server.create(zone("a.example"), Some(&crate::owner::Forgotten), &hand("run/2")).await.unwrap().created);
    // Who adopted it doesn't remove it when undone; who made it does.
    assert!(!server.remove_made("a.example", "run/2", &hand("x")).await.unwrap());
    assert!(server.remove_made("a.example", "run/1", &hand("x")).await.unwrap());
}

#[tokio::test]
async fn an_undo_puts_back_only_over_what_its_step_wrote() {
    let server = server();
    server.create(zone("a.example"), None, &hand("run/1")).await.unwrap();
    server.change("a.example", vec![address("a.example", "192.0.2.1")], &Hand::of_platform()).await.unwrap();
    server.change("a.example", vec![address("a.example", "192.0.2.2")], &hand("run/2")).await.unwrap();
    // The same step again, after a crash: what it keeps is what stood there before the first time.
    server.change("a.example", vec![address("a.example", "192.0.2.2")], &hand("run/2")).await.unwrap();
    assert!(server.restore("a.example", "run/2", &Hand::of_platform()).await.unwrap());
    assert_eq!(
        server
            .backend
            .rrsets("a.example", Some("a.example"))
            .await
            .unwrap()
            .iter()
            .find(|one| one.kind == "A")
            .unwrap()
            .records,
        ["192.0.2.1"]
    );
    assert!(!server.restore("a.example", "run/2", &Hand::of_platform()).await.unwrap(), "it is taken back once");
    server.change("a.example", vec![address("b.a.example", "192.0.2.3")], &hand("run/3")).await.unwrap();
    server.change("a.example", vec![address("b.a.example", "192.0.2.4")], &hand("run/4")).await.unwrap();
    assert_eq!(server.restore("a.example", "run/3", &Hand::of_platform()).await.unwrap_err().code, Code::Conflict);
    assert!(server.restore("a.example", "run/4", &Hand::of_platform()).await.unwrap());
    assert!(server.restore("a.example", "run/3", &Hand::of_platform()).await.unwrap());
    assert!(records(&server, "a.example", "b.a.example").await.is_empty());
    let left = server.backend.metadata("a.example").await.unwrap();
    assert_eq!(left.keys().collect::<Vec<_>>(), ["X-MAKER"], "nothing is left of what was kept");
}

#[tokio::test]
async fn a_lost_lease_writes_nothing() {
    let server = server();
    server.create(zone("a.example"), None, &hand("run/1")).await.unwrap();
    let lost = || Hand { force: true, holds: Box::new(|| false), ..hand("run/2") };
    let change = server.change("a.example", vec![address("a.example", "192.0.2.1")], &lost()).await;
    assert_eq!(change.unwrap_err().code, Code::LeaseLost);
    assert_eq!(server.remove("a.example", &lost()).await.unwrap_err().code, Code::LeaseLost);
    assert_eq!(server.create(zone("b.example"), None, &lost()).await.unwrap_err().code, Code::LeaseLost);
    assert_eq!(server.backend.metadata("a.example").await.unwrap().len(), 1);
    assert!(server.backend.zone("b.example").await.unwrap().is_none());
}

#[tokio::test]
async fn delegations_are_one_change_and_need_a_server() {
    let server = server();
    server.create(zone("example"), None, &hand("run/1")).await.unwrap();
    let to = |nameservers: &[&str], ds: &[&str]| Delegation {
        nameservers: nameservers.iter().map(ToString::to_string).collect(),
        ds: ds.iter().map(ToString::to_string).collect(),
        ttl: 300,
    };
    let problem = server.delegate("example", "a.example", &to(&[], &[]), &hand("run/2")).await.unwrap_err();
    assert_eq!(problem.code, Code::InvalidArgument);
    let done = server
        .delegate("example", "a.example", &to(&["ns1.example", "NS1.example."], &["1 13 2 AB"]), &hand("run/2"))
        .await;
    assert_eq!(done.unwrap().created, 2);
    assert_eq!(records(&server, "example", "a.example").await, ["1 13 2 ab", "ns1.example."]);
    // Without a DS, the one that is there goes.
    server.delegate("example", "a.example", &to(&["ns1.example"], &[]), &hand("run/3")).await.unwrap();
    assert_eq!(records(&server, "example", "a.example").await, ["ns1.example."]);
    assert!(server.restore("example", "run/3", &Hand::of_platform()).await.unwrap());
    assert_eq!(server.undelegate("example", "a.example", &hand("run/4")).await.unwrap().deleted, 2);
}

#[test]
fn the_server_that_names_the_most_of_a_zone_serves_it() {
    let all: Vec<(&str, Vec<&str>)> = vec![("a", vec!["example"]), ("b", vec!["b.example", "test"]), ("rest", vec![])];
    let mut config = super::Config::default();
    for (name, zones) in all {
        let server = ServerConfig {
            url: "http://127.0.0.1:1".into(),
            api_key: "env:NONE".into(),
            zones: zones.into_iter().map(str::to_owned).collect(),
            ..ServerConfig::default()
        };
        config.servers.insert(name.into(), server);
    }
    let servers = Servers::new(&config).unwrap();
    for (zone, expected) in
        [("x.example", "a"), ("b.example", "b"), ("c.b.example", "b"), ("xb.example", "a"), ("other.net", "rest")]
    {
        assert_eq!(servers.of(zone, None).unwrap().name, expected, "{zone}");
    }
    assert_eq!(servers.of("x.example", Some("rest")).unwrap().name, "rest");
    assert_eq!(servers.of("x.example", Some("none")).map(|_| ()).unwrap_err().code, Code::InvalidArgument);
    config.servers.insert("too".into(), config.servers["rest"].clone());
    let several = Servers::new(&config).unwrap();
    assert!(several.of("other.net", None).map(|_| ()).unwrap_err().message.contains("several"));
    assert_eq!(
        Servers::new(&super::Config::default()).unwrap().of("a.example", None).map(|_| ()).unwrap_err().code,
        Code::Configuration
    );
}

/// Runs of which it is told what has become of them.
struct Fates(&'static str, crate::owner::Fate);

impl crate::owner::Organisations for Fates {
    fn of(&self, _: &windlass_model::RunId) -> Result<String, windlass_model::Problem> {
        Ok(crate::owner::PLATFORM.to_owned())
    }

    fn fate(&self, run: &windlass_model::RunId) -> Result<crate::owner::Fate, windlass_model::Problem> {
        Ok(if run.as_str() == self.0 { self.1 } else { crate::owner::Fate::Open })
    }
}

#[tokio::test]
async fn what_a_run_has_left_of_a_zone_changes_hands_with_its_records() {
    use crate::owner::Fate;
    let server = server();
    server.create(zone("a.example"), None, &hand("old/1")).await.unwrap();
    server.change("a.example", vec![address("a.example", "192.0.2.1")], &hand("old/2")).await.unwrap();
    let open = server.create(zone("a.example"), Some(&Fates("old", Fate::Open)), &hand("new/1")).await.unwrap_err();
    assert!(open.code == Code::Conflict && open.message.contains("the run old made it, and hasn't ended"), "{open}");
    let kept = server.create(zone("a.example"), Some(&Fates("old", Fate::Completed)), &hand("new/1")).await.unwrap();
    assert!(!kept.created && !server.remove_made("a.example", "new/1", &hand("x")).await.unwrap());
    for _ in 0..2 {
        // Once more after a crash is the same.
        let taken = server.create(zone("a.example"), Some(&Fates("old", Fate::Left)), &hand("new/1")).await.unwrap();
        assert!(taken.created);
    }
    // What the old run would take back isn't its own any more.
    assert!(!server.restore("a.example", "old/2", &hand("x")).await.unwrap());
    assert!(!server.remove_made("a.example", "old/1", &hand("x")).await.unwrap());
    assert!(records(&server, "a.example", "a.example").await.contains(&"192.0.2.1".to_owned()));
    assert!(server.remove_made("a.example", "new/1", &hand("x")).await.unwrap());
}

#[tokio::test]
async fn records_that_a_run_has_left_are_the_next_ones_to_take_back() {
    use crate::owner::Fate;
    for (fate, goes) in [(Fate::Left, false), (Fate::Open, true), (Fate::Completed, true)] {
        let server = server();
        server.create(zone("example"), None, &hand("made/1")).await.unwrap();
        let to = || Delegation { nameservers: vec!["ns1.example".into()], ds: vec!["1 13 2 AB".into()], ttl: 60 };
        server.delegate("example", "a.example", &to(), &hand("old/1")).await.unwrap();
        for _ in 0..2 {
            let again = Hand { runs: Some(Arc::new(Fates("old", fate))), ..hand("new/1") };
            assert_eq!(server.delegate("example", "a.example", &to(), &again).await.unwrap().unchanged, 2);
        }
        assert_eq!(server.restore("example", "old/1", &hand("x")).await.unwrap(), goes, "{fate:?}");
        assert_eq!(records(&server, "example", "a.example").await.is_empty(), goes, "{fate:?}");
        assert_eq!(server.restore("example", "new/1", &hand("x")).await.unwrap(), !goes, "{fate:?}");
        assert!(records(&server, "example", "a.example").await.is_empty(), "{fate:?}");
    }
}

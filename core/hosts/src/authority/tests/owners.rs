//! Whose zones may be made, changed and taken, tried on the name server in memory.

use std::sync::Arc;

use windlass_model::{Code, Problem};

use crate::authority::{Change, Hand, NewZone, Rrset, Server, ServerConfig, memory::Memory, server::ORGANISATION};

fn server() -> Server {
    let config = ServerConfig {
        nameservers: vec!["ns1.example".into()],
        organisations: vec!["acme".into(), "other".into()],
        ..ServerConfig::default()
    };
    Server::new("test", config, Arc::new(Memory::new("test", None)))
}

fn hand(organisation: &str, step: u32) -> Hand {
    Hand { key: Some(format!("{organisation}/{step}")), organisation: organisation.into(), ..Hand::of_platform() }
}

fn zone(name: &str) -> NewZone {
    NewZone { name: name.into(), kind: "Native".into(), nameservers: Vec::new(), dnssec: true, account: String::new() }
}

fn www(zone: &str) -> Vec<Change> {
    let records = vec!["192.0.2.1".into()];
    vec![Change::Replace(Rrset { name: format!("www.{zone}"), kind: "A".into(), ttl: 60, records, owner: None })]
}

fn code<T>(result: Result<T, Problem>) -> Option<Code> {
    result.err().map(|problem| problem.code)
}

const DENIED: Option<Code> = Some(Code::PermissionDenied);

#[tokio::test]
async fn a_zone_of_another_organisation_is_left_alone() {
    let server = server();
    let (name, other) = ("acme.example", hand("other", 1));
    server.create(zone(name), None, &hand("acme", 1)).await.unwrap();
    assert_eq!(server.organisation(name).await.unwrap(), "acme");
    for force in [false, true] {
        let other = Hand { force, ..hand("other", 2) };
        assert_eq!(code(server.change(name, www(name), &other).await), DENIED);
        assert_eq!(code(server.remove(name, &other).await), DENIED);
        assert_eq!(code(server.note(name, "X-NOTE", &[], &other).await), DENIED);
        assert_eq!(code(server.unsign(name, &other).await), DENIED);
        assert_eq!(code(server.claim(name, &other).await), DENIED);
        assert_eq!(code(server.disclaim(name, None, &other).await), DENIED);
        assert_eq!(code(server.assign(name, "other", &other).await), DENIED);
    }
    assert_eq!(
        code(server.create(zone(name), Some(&crate::owner::Forgotten), &other).await),
        Some(Code::Conflict),
        "it isn't adopted"
    );
    assert_eq!(
        code(server.create(zone(name), Some(&crate::owner::Forgotten), &hand("platform", 1)).await),
        Some(Code::Conflict)
    );
    // Its own runs may, and the platform's.
    server.change(name, www(name), &hand("acme", 2)).await.unwrap();
    assert!(!server.create(zone(name), Some(&crate::owner::Forgotten), &hand("acme", 3)).await.unwrap().created);
    server.change(name, Vec::new(), &hand("platform", 2)).await.unwrap();
    // Given away, it is the other one's.
    server.assign(name, "other", &hand("platform", 3)).await.unwrap();
    assert_eq!(code(server.change(name, www(name), &hand("acme", 4)).await), DENIED);
    assert!(server.remove(name, &other).await.unwrap());
}

#[tokio::test]
async fn what_carries_no_mark_is_the_platforms() {
    let server = server();
    server.create(zone("old.example"), None, &hand("platform", 1)).await.unwrap();
    assert_eq!(code(server.change("old.example", www("old.example"), &hand("acme", 1)).await), DENIED);
    assert_eq!(
        code(server.create(zone("old.example"), Some(&crate::owner::Forgotten), &hand("acme", 1)).await),
        Some(Code::Conflict)
    );
    assert_eq!(code(server.create(zone("new.old.example"), None, &hand("acme", 1)).await), DENIED);
    // Whoever isn't named in the configuration makes none at all.
    assert_eq!(code(server.create(zone("a.test"), None, &hand("stranger", 1)).await), DENIED);
    assert_eq!(code(server.create(zone("test"), None, &hand("acme", 1)).await), DENIED, "a whole top-level domain");
}

#[tokio::test]
async fn an_attempt_that_ended_before_the_mark_is_completed() {
    let server = server();
    server.create(zone("a.example"), None, &hand("acme", 1)).await.unwrap();
    server.backend.set_metadata("a.example", ORGANISATION, &[]).await.unwrap();
    assert!(server.create(zone("a.example"), None, &hand("acme", 1)).await.unwrap().created);
    assert_eq!(server.organisation("a.example").await.unwrap(), "acme");
}

#[tokio::test]
async fn no_zone_takes_names_away_from_one_above() {
    let server = server();
    server.create(zone("acme.example"), None, &hand("acme", 1)).await.unwrap();
    server.change("acme.example", www("acme.example"), &hand("acme", 2)).await.unwrap();
    for name in ["console.acme.example", "a.b.acme.example"] {
        assert_eq!(code(server.create(zone(name), None, &hand("other", 1)).await), DENIED, "{name}");
        assert_eq!(code(server.create(zone(name), None, &hand("platform", 1)).await), DENIED, "{name}");
        server.create(zone(name), None, &hand("acme", 3)).await.unwrap();
    }
    let hidden = server.create(zone("www.acme.example"), None, &hand("acme", 4)).await.unwrap_err();
    assert!(hidden.code == Code::Conflict && hidden.message.contains("would hide"), "{hidden}");
    assert!(server.backend.zone("www.acme.example").await.unwrap().is_none());
}

#[tokio::test]
async fn names_of_a_pool_are_made_by_the_pool() {
    let server = server();
    server.pools.lock().insert("pool.test".into());
    assert_eq!(code(server.create(zone("pool.test"), None, &hand("acme", 1)).await), Some(Code::NameRefused));
    server.create(zone("pool.test"), None, &hand("platform", 1)).await.unwrap();
    for (name, organisation) in
        [("www.pool.test", "acme"), ("www.pool.test", "platform"), ("a.b.pool.test", "platform")]
    {
        let refused = code(server.create(zone(name), None, &hand(organisation, 2)).await);
        assert_eq!(refused, Some(Code::NameRefused), "{name} {organisation}");
    }
    let pool = Hand { pool: true, ..hand("acme", 3) };
    server.create(zone("acme.pool.test"), None, &pool).await.unwrap();
    // What its owner makes below is its own.
    assert_eq!(code(server.create(zone("dev.acme.pool.test"), None, &hand("other", 4)).await), DENIED);
    server.create(zone("dev.acme.pool.test"), None, &hand("acme", 4)).await.unwrap();
}

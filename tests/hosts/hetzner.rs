//! `hetzner` from scripts, in rehearsals that talk to a simulator: every example, retries, undo.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use windlass_hosts::{HostConfig, hetzner::Simulated, rehearsal_modules};
use windlass_sim::{
    Clock, Control, Server,
    hetzner::{Config, Hetzner, TOKEN},
    serve,
};

use super::Shop;
use crate::sim::{
    contract::{Checked, Contract},
    hetzner::CONTRACT,
};

/// A sandbox whose `hetzner` asks a simulator that is held against the provider's contract.
struct World {
    shop: Shop,
    control: Control,
    project: Arc<Hetzner>,
    checked: Arc<Checked<Hetzner>>,
}

impl World {
    fn new() -> Self {
        let control = Control::new(Clock::system());
        let provider = Config { pace: 0.0, requests: 1_000_000, ..Config::default() };
        let project = Arc::new(Hetzner::new(provider, control.clock.clone()));
        let checked = Checked::new(project.clone(), Contract::new(CONTRACT, "/v1"));
        let (started, steered) = (checked.clone(), control.clone());
        let kept: Mutex<Option<Server>> = Mutex::new(None);
        let start = move || {
            let server = serve(([127, 0, 0, 1], 0).into(), started.clone(), &steered).unwrap();
            let url = format!("{}/v1", server.url());
            *kept.lock() = Some(server);
            Ok((url, TOKEN.to_owned()))
        };
        let mut config = HostConfig::default();
        config.hetzner.rehearsed = Simulated(Some(Arc::new(start)));
        Self { shop: Shop::of(rehearsal_modules(&config), true), control, project, checked }
    }
}

const GRANTS: &[&str] = &["hetzner.*:project=acme"];

#[test]
fn every_example_holds_against_the_contract() {
    let ops =
        rehearsal_modules(&HostConfig::default()).into_iter().find(|module| module.name == "hetzner").unwrap().ops;
    let mut tried = std::collections::BTreeSet::new();
    for op in ops {
        let world = World::new();
        let (result, journal, job) = world.shop.run(GRANTS, op.example);
        assert!(result.is_ok(), "hetzner::{}: {:#?}\n{}", op.name, result.unwrap_err(), op.example);
        tried.extend(world.checked.demand_kept().into_keys());
        // And all of it can be taken back.
        if !op.name.starts_with("protect_") {
            world.shop.roll_back(job, &journal);
            assert_eq!(world.project.count(), 0, "hetzner::{} leaves something behind", op.name);
        }
    }
    assert!(tried.len() > 60, "so few of the contract's operations: {tried:?}");
}

#[test]
fn every_example_runs_where_answers_are_assumed() {
    for op in rehearsal_modules(&HostConfig::default()).into_iter().find(|module| module.name == "hetzner").unwrap().ops
    {
        let result = Shop::rehearsal(&HostConfig::default()).result(GRANTS, op.example);
        assert!(result.is_ok(), "hetzner::{}: {:#?}", op.name, result.unwrap_err());
    }
}

#[test]
fn a_create_whose_answer_is_lost_is_made_once() {
    let world = World::new();
    world.control.faults.lose("servers.create");
    let body = r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }).name"#;
    let (result, journal, job) = world.shop.run(GRANTS, body);
    assert_eq!(result.unwrap(), json!("web"));
    assert_eq!((world.control.count("servers.create"), world.project.objects("servers").len()), (1, 1));
    world.shop.roll_back(job, &journal);
    assert_eq!(world.project.count(), 0);
    world.checked.demand_kept();
}

#[test]
fn what_a_rehearsal_has_not_made_is_assumed_to_be_there() {
    let world = World::new();
    let body = r#"hetzner::power_off("acme", "web"); hetzner::get_network("acme", "net").name"#;
    assert_eq!(world.shop.result(GRANTS, body).unwrap(), json!("net"));
}

#[test]
fn another_project_is_not_granted() {
    let world = World::new();
    let problem = world.shop.result(GRANTS, r#"hetzner::list_servers("other")"#).unwrap_err();
    assert_eq!(problem.code, windlass_model::Code::PermissionDenied);
    assert!(problem.message.contains("hetzner.server.read:project=other"), "{problem}");
    assert!(world.control.seen().is_empty(), "nobody was asked");
}

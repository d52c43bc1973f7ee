//! `guacamole` from scripts: every example against a simulator, retries, undo, and no token anywhere.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use windlass_hosts::{
    HostConfig,
    guacamole::{Simulated, Started},
    rehearsal_modules,
};
use windlass_model::Code;
use windlass_sim::{
    Clock, Control, Server,
    guacamole::{BASE, Config, Guacamole, PASSWORD, USER},
    serve,
};

use super::Shop;

/// A sandbox whose `guacamole` asks a simulator.
struct World {
    shop: Shop,
    control: Control,
    web: Arc<Guacamole>,
}

impl World {
    fn new() -> Self {
        let control = Control::new(Clock::system());
        let web = Arc::new(Guacamole::new(Config::default(), control.clock.clone()));
        let (started, steered) = (web.clone(), control.clone());
        let kept: Mutex<Option<Server>> = Mutex::new(None);
        let start = move || {
            let server = serve(([127, 0, 0, 1], 0).into(), started.clone(), &steered).unwrap();
            let url = format!("{}{BASE}", server.url());
            *kept.lock() = Some(server);
            Ok(Started { url, user: USER.into(), password: PASSWORD.into() })
        };
        let mut config = HostConfig::default();
        config.guacamole.rehearsed = Simulated(Some(Arc::new(start)));
        Self { shop: Shop::of(rehearsal_modules(&config), true), control, web }
    }
}

const GRANTS: &[&str] = &["guacamole.*:demo"];

#[test]
fn every_example_runs_over_the_wire_and_is_taken_back() {
    let ops =
        rehearsal_modules(&HostConfig::default()).into_iter().find(|module| module.name == "guacamole").unwrap().ops;
    assert!(ops.len() > 25, "{}", ops.len());
    for op in ops {
        let world = World::new();
        let (result, journal, job) = world.shop.run(GRANTS, op.example);
        assert!(result.is_ok(), "guacamole::{}: {:#?}\n{}", op.name, result.unwrap_err(), op.example);
        assert!(!world.control.seen().is_empty(), "guacamole::{} asked nobody", op.name);
        world.shop.roll_back(job, &journal);
        assert_eq!(world.web.count(), 0, "guacamole::{} leaves something behind", op.name);
    }
}

#[test]
fn what_gets_lost_is_made_once_and_nobody_sees_a_token() {
    let world = World::new();
    for operation in ["connections.create", "connectionGroups.create", "users.create", "users.permissions.patch"] {
        world.control.faults.lose(operation);
    }
    let body = r#"
        guacamole::create_group("demo", #{ name: "routers" });
        guacamole::create_connection("demo", #{ name: "r1", protocol: "vnc", group: "routers", parameters: #{ port: 5901 } });
        guacamole::create_user("demo", #{ name: "ann" });
        guacamole::grant("demo", #{ user: "ann" }, [#{ connection: "r1" }]);
        guacamole::permissions("demo", #{ user: "ann" }).connections"#;
    let (result, journal, job) = world.shop.run(GRANTS, body);
    assert_eq!(result.unwrap(), json!({ "r1": ["READ"] }));
    // The lab's group, the other, the connection, the user.
    assert_eq!(world.web.count(), 4);
    let tokens = world.web.all_tokens();
    let text = format!("{:?}{:?}", journal.steps.lock(), journal.calls.lock());
    assert!(!tokens.is_empty() && text.contains("create_connection"), "{text}");
    let paths: String = world.control.seen().iter().map(|seen| seen.path.clone()).collect();
    for secret in tokens.iter().map(String::as_str).chain([PASSWORD]) {
        assert!(!text.contains(secret) && !paths.contains(secret));
    }
    world.shop.roll_back(job, &journal);
    assert_eq!(world.web.count(), 0);
}

#[test]
fn another_lab_is_not_granted() {
    let world = World::new();
    let problem = world.shop.result(GRANTS, r#"guacamole::clean("other")"#).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains("guacamole.write:other"), "{problem}");
    assert!(world.control.seen().is_empty(), "nobody was asked");
}

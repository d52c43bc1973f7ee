//! The database is restarted under load, and killed with a standby taking over: everything that was acknowledged is there
//! afterwards, every run ends right, and the nodes find the way back by themselves.

use std::time::{Duration, Instant};

use serde_json::json;
use windlass_tests::{nodes::Nodes, servers::Stop, wait_until};

use super::{
    load::{Load, well},
    server,
};

const SOON: Duration = Duration::from_secs(60);
const RUNS: usize = 200;

fn start(url: &str, load: &Load) -> Nodes {
    let engine = json!({ "workers": 16, "lease_ms": 2_000 });
    Nodes::start(url, &[load.workflow()], &[engine.clone(), engine])
}

#[test]
fn a_restart_of_the_database_costs_time_and_nothing_else() {
    let Some(mut server) = server() else { return };
    let load = Load::new();
    let nodes = start(&server.url("windlass"), &load);
    std::thread::scope(|scope| {
        load.launch(scope, &nodes, "r", RUNS);
        for (stop, launched) in [(Stop::Immediate, RUNS / 4), (Stop::Fast, RUNS / 2), (Stop::Kill, RUNS * 3 / 4)] {
            wait_until("some launches", SOON, || load.launched() >= launched);
            server.stop(stop);
            let effects = load.effects();
            std::thread::sleep(Duration::from_secs(1));
            server.run();
            let up = Instant::now();
            eprintln!("{stop:?}: {effects} effects before, work goes on {:?} after the start", load.goes_on(up));
        }
    });
    let doubts = load.settle(&nodes);
    assert!(well(&nodes, 2));
    eprintln!("{RUNS} runs, {doubts} steps in doubt");
}

#[test]
fn a_standby_takes_over_and_nothing_acknowledged_is_lost() {
    let Some(mut primary) = server() else { return };
    let standby = primary.standby();
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/windlass?target_session_attrs=read-write",
        primary.port, standby.port
    );
    let load = Load::new();
    let mut nodes = start(&url, &load);
    std::thread::scope(|scope| {
        let (load, nodes) = (&load, &nodes);
        load.launch(scope, nodes, "f", RUNS);
        wait_until("some launches", SOON, || load.launched() >= RUNS / 3);
        primary.stop(Stop::Kill);
        let killed = Instant::now();
        // Whoever watches it needs a while to be sure.
        std::thread::sleep(Duration::from_secs(2));
        standby.promote();
        let promoted = Instant::now();
        // A promoted server waits for nobody.
        standby.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = ''");
        standby.sql("postgres", "SELECT pg_reload_conf()");
        let effect = load.goes_on(promoted);
        eprintln!("work goes on {effect:?} after the promotion, {:?} after the kill", killed.elapsed());
    });
    let doubts = load.settle(&nodes);
    assert!(well(&nodes, 2));
    for node in [0, 1] {
        nodes.terminate(node);
    }
    eprintln!("{RUNS} runs, {doubts} steps in doubt");
}

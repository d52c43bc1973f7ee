//! Launches over HTTP, on the real server: each answer means that the run is on disk, with its entry in the audit log.

use std::time::Instant;

use windlass_tests::ApiServer;

use super::{Case, Cx};
use crate::{
    client::Connection,
    machine,
    report::{Row, Target, median},
    world::Outcome,
};

pub const CASE: Case = Case { name: "http-launch", what: "runs are launched over HTTP by 64 connections at once", run };

const NAME: &str = "http-launch";
const CONNECTIONS: usize = 64;
const SCRIPT: &str = "const WORKFLOW = #{ name: \"bench/empty\", title: \"Empty\" };\n\nfn run(input) {\n    1\n}\n";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    // The server has the cores that are measured; whoever loads it has the others, if there are any.
    let mut server = ApiServer::start_in(cx.folder, &[("bench/empty", SCRIPT)], &[], "");
    let process = server.process().id();
    let each = cx.options.size(500, 2);
    let one = || Connection::to(server.address(), &server.token);
    let mut warm = one()?;
    let mut alone_ms = Vec::new();
    for _ in 0..cx.options.size(300, 3) {
        let began = Instant::now();
        warm.launch("bench/empty")?;
        alone_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    // A connection of its own each time: one that is idle for long is closed.
    let commits = || one()?.metric("windlass_commit_seconds_count");
    let (before, cpu) = (commits()?, machine::time_of(process));
    let began = Instant::now();
    let results: Vec<Outcome<()>> = std::thread::scope(|scope| {
        let work = || {
            machine::keep_to(cx.others);
            let mut connection = one()?;
            let request = connection.request("POST", "/api/v1/runs", r#"{"workflow":"bench/empty","input":{}}"#);
            (0..each).try_for_each(|_| connection.send(&request, 201).map(drop))
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let failed = || Err("a connection's thread panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let cpu = machine::time_of(process) - cpu;
    results.into_iter().collect::<Outcome<Vec<()>>>()?;
    let launches = (CONNECTIONS * each) as f64;
    let commits = commits()? - before;
    let alone = median(&mut alone_ms);
    Ok(vec![
        cx.row(NAME, "synced launches, 64 connections", launches / took, "/s", Target::AtLeast(5_000.0)),
        Row::info(NAME, "launches in a commit", launches / commits, ""),
        Row::info(NAME, "the server's processor time for each, with what was run of them", cpu * 1e6 / launches, "µs"),
        Row::info(NAME, "one connection: median", alone, "ms"),
        Row::info(NAME, "one connection, against the disk's own sync", alone / cx.sync_ms(), "×"),
    ])
}

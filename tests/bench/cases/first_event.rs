//! From a launch over HTTP to its first event at somebody who follows everything, against the commit in between.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc,
    time::Duration,
};

use windlass_tests::ApiServer;

use super::{Case, Cx};
use crate::{
    client::{Connection, Frames, now_us},
    report::{Row, Target, median, quantile},
    world::{Outcome, words},
};

pub const CASE: Case = Case { name: "first-event", what: "a launch over HTTP reaches somebody who follows", run };

const NAME: &str = "first-event";
/// So that a launch is alone: the end of the run before it has been told.
const PAUSE: Duration = Duration::from_millis(15);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const SCRIPT: &str = "const WORKFLOW = #{ name: \"bench/empty\", title: \"Empty\" };\n\nfn run(input) {\n    1\n}\n";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let server = ApiServer::start_in(cx.folder, &[("bench/empty", SCRIPT)], &[], "");
    let mut launcher = Connection::to(server.address(), &server.token)?;
    let (tell, told) = mpsc::channel();
    let mut follower = TcpStream::connect(server.address()).map_err(words)?;
    follower.set_read_timeout(Some(PATIENCE)).map_err(words)?;
    follower.write_all(&launcher.request("GET", "/api/v1/events?kinds=run.launched", "")).map_err(words)?;
    let count = cx.options.size(500, 3);
    let (mut event_ms, mut answer_ms, mut seconds, mut commits) = (Vec::new(), Vec::new(), 0.0, 0.0);
    std::thread::scope(|scope| {
        let arrivals = scope.spawn(move || follow(follower, "run.launched", count + 1, &tell));
        let mut one = || -> Outcome<(f64, f64)> {
            std::thread::sleep(PAUSE);
            let began = now_us();
            let run = launcher.launch("bench/empty")?;
            let answered = now_us();
            let (arrived, frame): (u64, String) = told.recv_timeout(PATIENCE).map_err(words)?;
            match frame.contains(&run) {
                true => Ok(((arrived - began) as f64 / 1e3, (answered - began) as f64 / 1e3)),
                false => Err(format!("the launch of {run} was told as {frame}")),
            }
        };
        // The first one reads the workflow.
        one()?;
        for _ in 0..count {
            let (event, answer) = one()?;
            event_ms.push(event);
            answer_ms.push(answer);
        }
        seconds += launcher.metric("windlass_commit_seconds_sum")?;
        commits += launcher.metric("windlass_commit_seconds_count")?;
        arrivals.join().map_err(|_| "the follower's thread panicked".to_owned())?
    })?;
    let commit = seconds * 1e3 / commits;
    let event = median(&mut event_ms);
    Ok(vec![
        cx.row(NAME, "launch to first event at a watcher: median", event, "ms", Target::AtMost(2.0 * commit)),
        Row::info(NAME, "the same, worst 1 of 100", quantile(&mut event_ms, 0.99), "ms"),
        Row::info(NAME, "a commit of the same run, mean", commit, "ms"),
        Row::info(NAME, "launch to its answer: median", median(&mut answer_ms), "ms"),
        Row::info(NAME, "the disk's own sync", cx.sync_ms(), "ms"),
    ])
}

/// Tells when each event of a kind arrives.
pub(super) fn follow(
    mut stream: TcpStream,
    kind: &str,
    count: usize,
    tell: &mpsc::Sender<(u64, String)>,
) -> Outcome<()> {
    let (mut frames, mut buffer, mut seen) = (Frames::default(), vec![0; 16 << 10], 0);
    while seen < count {
        let length = stream.read(&mut buffer).map_err(words)?;
        if length == 0 {
            return Err("the stream ended".to_owned());
        }
        let now = now_us();
        frames.take(&buffer[..length], |frame| {
            if frame.contains(kind) {
                seen += 1;
                // Nobody listens once the case has failed.
                let _ = tell.send((now, frame.to_owned()));
            }
        })?;
    }
    Ok(())
}

//! A crowd that follows one run over HTTP: whether each of them sees each event once and in order, how long after its commit,
//! and what one of them costs the server. And somebody who never reads.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use windlass_tests::ApiServer;

use super::{Case, Cx};
use crate::{
    client::{Connection, Frames, now_us, number},
    machine,
    report::{Row, Target, quantile},
    world::{Outcome, wait_until, words},
};

pub const CASE: Case = Case { name: "watchers", what: "a crowd follows one run over HTTP", run };

const NAME: &str = "watchers";
const PATIENCE: Duration = Duration::from_secs(120);
/// Kilobytes that a watcher may cost.
const MOST_KB: f64 = 50.0;

/// Waits until the crowd is there; then each step is a commit and an event.
fn busy(steps: usize) -> String {
    format!(
        "const WORKFLOW = #{{ name: \"bench/busy\", title: \"Busy\" }};\n\nfn run(input) {{\n    wait_signal(\"go\");\n    \
         for i in 0..{steps} {{ now(); }}\n    1\n}}\n"
    )
}

/// Lines of 4 KB: more than sockets hold.
const WIDE: &str = "const WORKFLOW = #{ name: \"bench/wide\", title: \"Wide\" };\n\nfn run(input) {\n    let line = \"\";\n    \
                    line.pad(4000, 'x');\n    for i in 0..2500 { log(line); }\n    1\n}\n";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let mut rows = crowd(cx)?;
    rows.push(silent(cx)?);
    Ok(rows)
}

/// Where the clients run: on the cores that the server doesn't have, if there are any.
fn elsewhere(cx: &Cx) -> Outcome<tokio::runtime::Runtime> {
    let others = cx.others.to_vec();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || {
            machine::keep_to(&others);
        })
        .enable_all()
        .build()
        .map_err(words)
}

fn crowd(cx: &Cx) -> Outcome<Vec<Row>> {
    let (count, steps) = (cx.options.size(1_000, 8), cx.options.size(1_000, 20));
    let mut server = ApiServer::start_in(cx.folder, &[("bench/busy", &busy(steps))], &[], "");
    let process = server.process().id();
    let memory = || machine::memory_of(&process.to_string(), "VmRSS") as f64 / 1024.0;
    let mut connection = Connection::to(server.address(), &server.token)?;
    let run = connection.launch("bench/busy")?;
    let path = format!("/api/v1/runs/{run}/events");
    let request: Arc<[u8]> = connection.request("GET", &path, "").into();
    let runtime = elsewhere(cx)?;
    // Threads and caches that a first stream needs belong to nobody in the crowd.
    let first = runtime.block_on(open(server.address(), request.clone()))?;
    drop(first);
    let (before, cpu) = (memory(), machine::time_of(process));
    let mut crowd = JoinSet::new();
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(runtime.block_on(open(server.address(), request.clone()))?);
    }
    wait_until("the crowd to be there", PATIENCE, || {
        connection.metric("windlass_event_streams").is_ok_and(|open| open >= count as f64)
    })?;
    let connected = (memory() - before) / count as f64;
    for (stream, frames, last) in streams {
        crowd.spawn_on(async { timeout(PATIENCE, follow(stream, frames, last)).await }, runtime.handle());
    }
    let signal = connection.request("POST", &format!("/api/v1/runs/{run}/signal"), r#"{"name":"go","payload":null}"#);
    let began = now_us();
    connection.send(&signal, 200)?;
    let mut most = before;
    let mut arrivals = Vec::new();
    while !crowd.is_empty() {
        std::thread::sleep(Duration::from_millis(10));
        most = memory().max(most);
        while let Some(one) = crowd.try_join_next() {
            arrivals.push(one.map_err(words)?.map_err(|_| "a watcher waited in vain".to_owned())??);
        }
    }
    let took = (now_us() - began) as f64 / 1e6;
    let cpu = machine::time_of(process) - cpu;
    // An idle connection is closed.
    let mut connection = Connection::to(server.address(), &server.token)?;
    connection.succeeded(&run, PATIENCE)?;
    let stamps = runtime.block_on(stamps(&server, request))?;
    let last = stamps.len();
    let mut late_ms = Vec::with_capacity(last * count);
    for seen in &arrivals {
        if seen.len() != last {
            return Err(format!("a watcher saw {} events of {last}", seen.len()));
        }
        // Those from before the signal were there when the watchers came.
        let after = stamps.iter().zip(seen).filter(|(stamp, _)| **stamp * 1_000 >= began);
        late_ms.extend(after.map(|(stamp, arrived)| arrived.saturating_sub(stamp * 1_000) as f64 / 1e3));
    }
    let events = last as f64;
    Ok(vec![
        Row::info(NAME, format!("{count} watchers, each saw each of so many events once, in order"), events, ""),
        cx.row(NAME, "commit to arrival: 99 of 100", quantile(&mut late_ms, 0.99), "ms", Target::AtMost(100.0)),
        Row::info(NAME, "the same: median", quantile(&mut late_ms, 0.5), "ms"),
        Row::info(NAME, "the same: worst", quantile(&mut late_ms, 1.0), "ms"),
        Row::info(NAME, "deliveries", events * count as f64 / took, "/s"),
        Row::info(NAME, "the server's processor time for each", cpu * 1e6 / (events * count as f64), "µs"),
        cx.row(NAME, "memory of a watcher, connected", connected, "KB", Target::AtMost(MOST_KB)),
        cx.row(
            NAME,
            "the same at most, with all that the run needs",
            (most - before) / count as f64,
            "KB",
            Target::AtMost(MOST_KB),
        ),
    ])
}

type Opened = (TcpStream, Frames, Vec<u64>);

/// A stream whose first event is there, with when that was.
async fn open(address: std::net::SocketAddr, request: Arc<[u8]>) -> Outcome<Opened> {
    let mut stream = TcpStream::connect(address).await.map_err(words)?;
    stream.write_all(&request).await.map_err(words)?;
    let (mut frames, mut seen) = (Frames::default(), Vec::new());
    while seen.is_empty() {
        read(&mut stream, &mut frames, &mut seen).await?;
    }
    Ok((stream, frames, seen))
}

/// Follows to the end; when each event arrived.
async fn follow(mut stream: TcpStream, mut frames: Frames, mut seen: Vec<u64>) -> Outcome<Vec<u64>> {
    while !read(&mut stream, &mut frames, &mut seen).await? {}
    Ok(seen)
}

/// Reads what is there; whether that was the end.
async fn read(stream: &mut TcpStream, frames: &mut Frames, seen: &mut Vec<u64>) -> Outcome<bool> {
    let mut buffer = [0; 16 << 10];
    let length = stream.read(&mut buffer).await.map_err(words)?;
    if length == 0 {
        return Err(format!("a stream ended after {} events", seen.len()));
    }
    let (now, mut wrong, mut over) = (now_us(), None, false);
    frames.take(&buffer[..length], |frame| match number(frame) {
        Some(number) if number == seen.len() as u64 + 1 => seen.push(now),
        Some(number) => wrong = Some(format!("event {number} came after event {}", seen.len())),
        None => over |= frame.starts_with("event: done"),
    })?;
    wrong.map_or(Ok(over), Err)
}

/// When each event was committed, in milliseconds.
async fn stamps(server: &ApiServer, request: Arc<[u8]>) -> Outcome<Vec<u64>> {
    let mut stream = TcpStream::connect(server.address()).await.map_err(words)?;
    stream.write_all(&request).await.map_err(words)?;
    let (mut frames, mut stamps, mut over) = (Frames::default(), Vec::new(), false);
    let mut buffer = [0; 16 << 10];
    while !over {
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.map_err(words)?.map_err(words)?;
        if length == 0 {
            return Err("the stream ended".to_owned());
        }
        frames.take(&buffer[..length], |frame| {
            over |= frame.starts_with("event: done");
            let data = frame.split_once("\ndata: ").map(|(_, data)| data).filter(|_| frame.starts_with("id: "));
            let event = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
            stamps.extend(event.and_then(|event| event["at_ms"].as_u64()));
        })?;
    }
    Ok(stamps)
}

/// Clients that ask for ten megabytes and take nothing.
fn silent(cx: &Cx) -> Outcome<Row> {
    let count = cx.options.size(500, 4);
    let mut server = ApiServer::start_in(cx.folder, &[("bench/wide", WIDE)], &[], "");
    let process = server.process().id();
    let memory = || machine::memory_of(&process.to_string(), "VmRSS") as f64 / 1024.0;
    let mut connection = Connection::to(server.address(), &server.token)?;
    let run = connection.launch("bench/wide")?;
    connection.succeeded(&run, PATIENCE)?;
    let request: Arc<[u8]> = connection.request("GET", &format!("/api/v1/runs/{run}/events"), "").into();
    let runtime = elsewhere(cx)?;
    // What reading costs by itself, threads and caches, is there before the silent ones come.
    runtime.block_on(async {
        let mut readers = JoinSet::new();
        for _ in 0..16 {
            readers.spawn(stamps_of(server.address(), request.clone()));
        }
        while let Some(done) = readers.join_next().await {
            done.map_err(words)??;
        }
        Ok::<_, String>(())
    })?;
    let before = memory();
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = runtime.block_on(TcpStream::connect(server.address())).map_err(words)?;
        runtime.block_on(stream.write_all(&request)).map_err(words)?;
        streams.push(stream);
    }
    let (mut most, began) = (before, now_us());
    // Nobody is dropped before the 30 seconds of `server.stall_ms`.
    while now_us() - began < cx.options.size(8_000_000, 500_000) as u64 {
        std::thread::sleep(Duration::from_millis(20));
        most = memory().max(most);
    }
    let each = (most - before) / count as f64;
    Ok(cx.row(NAME, format!("memory of each of {count} that never read, at most"), each, "KB", Target::AtMost(MOST_KB)))
}

/// Reads a stream to its end.
async fn stamps_of(address: std::net::SocketAddr, request: Arc<[u8]>) -> Outcome<Vec<u64>> {
    let (stream, frames, seen) = open(address, request).await?;
    follow(stream, frames, seen).await
}

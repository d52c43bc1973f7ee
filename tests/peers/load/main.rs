//! Loads a server over HTTP and tells how long runs took: `windlass-load windlass|restate ADDRESS [TOKEN]`.
//!
//! Reads one JSON object from each line of its input, and answers with one: what the drivers of the other peers do, too
//! (`tests/peers/README.md` has the words).

mod http;
mod restate;
mod windlass;

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

/// A server that runs workflows, and that any number of clients may be connected to.
trait System: Sync {
    /// A client of it.
    fn client(&self) -> io::Result<Box<dyn Client + '_>>;
}

/// Somebody who starts runs and waits for them, one at a time.
trait Client {
    /// Starts a run and waits until it has succeeded.
    fn call(&mut self, workflow: &str, input: &Value) -> io::Result<()>;
    /// Starts a run; its name.
    fn start(&mut self, workflow: &str, input: &Value) -> io::Result<String>;
    /// Waits until a run has succeeded; when this was heard.
    fn finish(&mut self, run: &str) -> io::Result<Instant>;
}

/// What to do.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
enum Order {
    /// Runs one after the other.
    Latency { workflow: String, input: Value, runs: usize },
    /// Clients at once, each of which starts a run when its last one has ended: for so long, and at least one run each.
    Rate { workflow: String, input: Value, clients: usize, seconds: f64 },
    /// Runs that are started as fast as may be, and then waited for.
    Crowd { workflow: String, input: Value, clients: usize, runs: usize },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let system: Box<dyn System> = match words[..] {
        ["windlass", address, token] => Box::new(windlass::Windlass::new(address.parse()?, token)?),
        ["restate", address] => Box::new(restate::Restate(address.parse::<SocketAddr>()?)),
        _ => return Err("usage: windlass-load windlass ADDRESS TOKEN | restate ADDRESS".into()),
    };
    println!("{}", json!({ "ready": true }));
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(order) => obey(&*system, order).unwrap_or_else(|error| json!({ "error": error.to_string() })),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn obey(system: &dyn System, order: Order) -> io::Result<Value> {
    match order {
        Order::Latency { workflow, input, runs } => latency(system, &workflow, &input, runs),
        Order::Rate { workflow, input, clients, seconds } => {
            rate(system, &workflow, &input, clients, Duration::from_secs_f64(seconds))
        }
        Order::Crowd { workflow, input, clients, runs } => crowd(system, &workflow, &input, clients, runs),
    }
}

fn latency(system: &dyn System, workflow: &str, input: &Value, runs: usize) -> io::Result<Value> {
    let mut client = system.client()?;
    let mut each_ms = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        client.call(workflow, input)?;
        each_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(json!({ "ms": each_ms }))
}

fn rate(system: &dyn System, workflow: &str, input: &Value, clients: usize, time: Duration) -> io::Result<Value> {
    let (began, done) = (Instant::now(), AtomicUsize::new(0));
    each(clients, |_| {
        let mut client = system.client()?;
        loop {
            client.call(workflow, input)?;
            done.fetch_add(1, Ordering::Relaxed);
            if began.elapsed() >= time {
                return Ok(());
            }
        }
    })?;
    Ok(json!({ "runs": done.into_inner(), "seconds": began.elapsed().as_secs_f64() }))
}

fn crowd(system: &dyn System, workflow: &str, input: &Value, clients: usize, runs: usize) -> io::Result<Value> {
    let began = Instant::now();
    let share = |number: usize| runs / clients + usize::from(number < runs % clients);
    let started = each(clients, |number| {
        let mut client = system.client()?;
        let start = |_| Ok((client.start(workflow, input)?, Instant::now()));
        (0..share(number)).map(start).collect::<io::Result<Vec<_>>>()
    })?;
    let launched_s = began.elapsed().as_secs_f64();
    let took_ms = each(clients, |number| {
        let mut client = system.client()?;
        let finish = |(run, accepted): &(String, Instant)| {
            let ended = client.finish(run)?;
            Ok(ended.saturating_duration_since(*accepted).as_secs_f64() * 1e3)
        };
        started[number].iter().map(finish).collect::<io::Result<Vec<f64>>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "launched_s": launched_s, "seconds": seconds, "took_ms": took_ms.concat() }))
}

/// Does it on so many threads at once.
fn each<T: Send>(count: usize, work: impl Fn(usize) -> io::Result<T> + Sync) -> io::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(number)
                })
            })
            .collect();
        let broken = || Err(io::Error::other("a client panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())).collect()
    })
}

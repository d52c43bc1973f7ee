//! How many commands a second the store commits, every one durable: threads that each finish idempotent steps in a loop,
//! or launch runs, with an audit entry for each or without.
//! `cargo run --release -p windlass-store --example group_commit [threads] [seconds] [url or -] [steps|launches|audited]`
#![allow(clippy::print_stdout)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use windlass_model::{
    CallSite, Digest, EffectClass, NodeId, Outcome, RetryPolicy, RunId, StepCall, StepPath,
    audit::NewAudit,
    command::{Command, Lease, NewRun, Reply},
    time::Clock,
    workflow::{Priority, Rollback},
};
use windlass_store::{Store, StoreError, StoreOptions};

struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let url = arguments.next().filter(|url| url != "-");
    let url = url.unwrap_or_else(|| format!("sqlite:{}/bench.db", folder.path().display()));
    let what = arguments.next().unwrap_or_else(|| "steps".to_owned());
    Store::migrate(&url)?;
    let commits = Arc::new(AtomicU64::new(0));
    let counter = commits.clone();
    let mut options = StoreOptions::new(Arc::new(SystemClock));
    options.listener = Arc::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let store = Store::open(&url, options)?;
    store.commit(Command::PutBundle { digest: "bench".into(), body: "{}".into() })?;

    let until = Instant::now() + Duration::from_secs(seconds);
    let workers: Vec<_> = (0..threads)
        .map(|index| {
            let (store, what) = (store.clone(), what.clone());
            std::thread::spawn(move || match what.as_str() {
                "steps" => work(&store, index, until),
                _ => launches(&store, index, until, what == "audited"),
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.join().map_err(|_| "a worker panicked")??);
    }
    latencies.sort();
    let done = latencies.len() as u64;
    let commits = commits.load(Ordering::Relaxed).max(1);
    println!(
        "{threads} threads: {} {what}/s, {:.1} a commit, p50 {:?}, p99 {:?}",
        done / seconds,
        done as f64 / commits as f64,
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
    );
    store.close();
    Ok(())
}

fn work(store: &Store, index: usize, until: Instant) -> Result<Vec<Duration>, StoreError> {
    let lease = launch(store, index)?;
    let result: Arc<str> = format!("\"{}\"", "x".repeat(298)).into();
    let mut latencies = Vec::new();
    for ordinal in 0.. {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        store.commit(Command::Finish {
            lease: lease.clone(),
            call: Arc::new(call(ordinal)),
            outcome: Outcome::Value(result.clone()),
            attempts: 1,
            started_at_ms: 0,
        })?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

fn launches(store: &Store, index: usize, until: Instant, audited: bool) -> Result<Vec<Duration>, StoreError> {
    let mut latencies = Vec::new();
    for number in 0.. {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let run = new_run(format!("bench-{}-{index}-{number}", std::process::id()).into());
        let launch = Command::Launch { run: Box::new(run), claim: None };
        store.commit(if audited {
            Command::Audited { command: Box::new(launch), entry: Box::new(entry()) }
        } else {
            launch
        })?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

fn entry() -> NewAudit {
    NewAudit {
        actor: "token:bench".to_owned(),
        organisation: "platform".to_owned(),
        action: "run.launch".to_owned(),
        target: String::new(),
        source: "127.0.0.1".to_owned(),
        before: serde_json::Value::Null,
        after: serde_json::json!({ "workflow": "bench/steps", "input": {} }),
    }
}

fn launch(store: &Store, index: usize) -> Result<Lease, StoreError> {
    let run = RunId::from(format!("bench-{}-{index}", std::process::id()));
    let claim = Some((NodeId::from("bench"), i64::MAX));
    match store.commit(Command::Launch { run: Box::new(new_run(run.clone())), claim })? {
        Reply::Launched { claimed: Some(claimed), .. } => Ok(claimed.lease),
        _ => Ok(Lease { run, epoch: 1 }),
    }
}

fn new_run(id: RunId) -> NewRun {
    NewRun {
        id,
        workflow: "bench/steps".to_owned(),
        bundle: "bench".into(),
        input: "{}".to_owned(),
        launched_by: "bench".to_owned(),
        organisation: "platform".to_owned(),
        idempotency_key: None,
        rollback: Rollback::Auto,
        deadline_at_ms: None,
        retention_ms: None,
        parent: None,
        concurrency: None,
        rate: None,
        priority: Priority::Normal,
        tags: Vec::new(),
        unindexed: Vec::new(),
    }
}

fn call(ordinal: u32) -> StepCall {
    StepCall {
        path: StepPath::new("", ordinal),
        op: "http::get".into(),
        class: EffectClass::Idempotent,
        args: r#"["https://api.example.net/v1/things"]"#.into(),
        digest: Digest([7; 16]),
        site: CallSite { file: "bench/steps".into(), line: 3, column: 5 },
        undo: None,
        resources: Vec::new(),
        retry: RetryPolicy::NEVER,
    }
}

//! A million runs stored: the first page of every list, and of those that join two conditions.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use windlass_model::{
    NodeId, Problem, RunId, RunState,
    command::{Command, Lease, NewRun},
    query::{RunFilter, Scope},
    time::Clock,
    workflow::{Priority, Rollback},
};
use windlass_store::{Durability, Store, StoreOptions};

use super::{Case, Cx};
use crate::{
    report::{Row, Target, median},
    world::{Outcome, words},
};

pub const CASE: Case = Case { name: "lists", what: "1,000,000 runs stored: first pages of lists", run };

const NAME: &str = "lists";
const PAGE: u32 = 50;
const PAGE_MS: f64 = 50.0;
/// Commands on their way to the writer at once.
const IN_FLIGHT: u64 = 2_000;
/// When the first run is launched; one more each second.
const FIRST_MS: i64 = 1_750_000_000_000;

/// What a page over HTTP looks through.
const LOOKED_THROUGH: u32 = 25_000;

const ORGANISATIONS: u64 = 10;
const WORKFLOWS: u64 = 20;
const FOLDERS: u64 = 4;
const CITIES: u64 = 50;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let folder = cx.folder.join(NAME);
    std::fs::create_dir_all(&folder).map_err(words)?;
    let rows = measure(cx, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    rows
}

fn measure(cx: &Cx, folder: &std::path::Path) -> Outcome<Vec<Row>> {
    let count = cx.options.size(1_000_000, 300) as u64;
    let url = format!("sqlite:{}/windlass.db", folder.display());
    Store::migrate(&url).map_err(words)?;
    let clock = Arc::new(Seconds(AtomicU64::new(0)));
    let mut options = StoreOptions::new(clock.clone());
    options.durability = Durability::Off;
    let store = Store::open(&url, options).map_err(words)?;
    let started = Instant::now();
    fill(&store, &clock, count)?;
    let filled_s = started.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(folder.join("windlass.db")).map_or(0, |file| file.len());
    let mut rows = vec![
        Row::info(NAME, format!("{count} runs, launched and half of them ended"), filled_s, "s"),
        Row::info(NAME, "the database, for each run", bytes as f64 / count as f64, "bytes"),
    ];
    for (what, filter) in filters(count) {
        let mut took_ms = Vec::new();
        let mut found = 0;
        for _ in 0..cx.options.size(7, 1) {
            let started = Instant::now();
            let page = RunFilter { limit: PAGE, look_through: LOOKED_THROUGH, ..filter.clone() };
            found = store.runs_page(&page).map_err(words)?.runs.len();
            took_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let what = format!("{what}: {found} found");
        rows.push(cx.row(NAME, what, median(&mut took_ms), "ms", Target::AtMost(PAGE_MS)));
    }
    let scope = [Scope { organisation: organisation(3), folder: "*".into() }];
    for (what, scopes) in [("counts by state", None), ("counts by state, one organisation", Some(&scope[..]))] {
        let started = Instant::now();
        store.counts_within(scopes).map_err(words)?;
        rows.push(Row::info(NAME, what, started.elapsed().as_secs_f64() * 1e3, "ms"));
    }
    Ok(rows)
}

struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn now_ms(&self) -> i64 {
        FIRST_MS + self.0.load(Ordering::Relaxed) as i64 * 1_000
    }
}

fn organisation(number: u64) -> String {
    format!("org{}", number % ORGANISATIONS)
}

/// A well mixed number: properties of runs don't go in step with each other.
fn mixed(number: u64, salt: u64) -> u64 {
    let mut mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 29)
}

fn run_id(number: u64) -> RunId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digits = |value: u64, places: u32| -> String {
        (0..places).rev().map(|place| char::from(ALPHABET[((value >> (5 * place)) & 31) as usize])).collect()
    };
    let ms = (FIRST_MS as u64) + number * 1_000;
    RunId::from(format!("{}{}{}", digits(ms, 10), digits(mixed(number, 9), 12), digits(number, 4)))
}

fn workflow(number: u64) -> String {
    let which = mixed(number, 1) % WORKFLOWS;
    format!("folder{}/work{which}", which % FOLDERS)
}

fn new_run(number: u64) -> NewRun {
    let mut tags = vec![format!("team{}", mixed(number, 2) % 5)];
    if number.is_multiple_of(10_007) {
        tags.push("rare".into());
    }
    NewRun {
        id: run_id(number),
        workflow: workflow(number),
        bundle: "bench".into(),
        input: json!({
            "city": format!("city{}", mixed(number, 3) % CITIES),
            "ticket": format!("OPS-{number}"),
            "size": mixed(number, 4) % 8,
        })
        .to_string(),
        launched_by: format!("person{}", mixed(number, 5) % 30),
        idempotency_key: None,
        rollback: Rollback::Auto,
        deadline_at_ms: None,
        retention_ms: None,
        parent: None,
        organisation: organisation(mixed(number, 6)),
        concurrency: None,
        rate: None,
        priority: Priority::Normal,
        tags,
        unindexed: Vec::new(),
    }
}

/// Launches all runs; of ten, five succeed and one fails.
fn fill(store: &Store, clock: &Seconds, count: u64) -> Outcome<()> {
    store.commit(Command::PutBundle { digest: "bench".into(), body: "{}".into() }).map_err(words)?;
    let pending = Arc::new((Mutex::new((0_u64, None::<String>)), Condvar::new()));
    let submit = |command: Command| -> Outcome<()> {
        let (state, changed) = &*pending;
        let mut state = state.lock().map_err(words)?;
        while state.0 >= IN_FLIGHT {
            state = changed.wait(state).map_err(words)?;
        }
        if let Some(message) = &state.1 {
            return Err(message.clone());
        }
        state.0 += 1;
        drop(state);
        let pending = pending.clone();
        store.submit(
            command,
            Box::new(move |answer| {
                let (state, changed) = &*pending;
                // A panicked launcher has its own message.
                let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                state.0 -= 1;
                if let Err(error) = answer {
                    state.1.get_or_insert(error.to_string());
                }
                changed.notify_all();
            }),
        );
        Ok(())
    };
    for number in 0..count {
        clock.0.store(number, Ordering::Relaxed);
        let end = mixed(number, 7) % 10;
        let claim = (end < 6).then(|| (NodeId::from("bench"), i64::MAX));
        let run = new_run(number);
        let lease = Lease { run: run.id.clone(), epoch: 1 };
        submit(Command::Launch { run: Box::new(run), claim })?;
        match end {
            0..5 => submit(Command::Succeed { lease, output: "1".into() })?,
            5 => {
                let problem = Problem::new(windlass_model::Code::CommandFailed, "the cable is unplugged");
                submit(Command::Fail { lease, problem, undo: false })?;
            }
            _ => {}
        }
    }
    // Everything before it is done when this is.
    store.commit(Command::DeleteSecret { name: "none".into() }).map_err(words)?;
    match pending.0.lock().map_err(words)?.1.take() {
        Some(message) => Err(message),
        None => Ok(()),
    }
}

fn filters(count: u64) -> Vec<(String, RunFilter)> {
    let all = RunFilter::default();
    let middle_ms = FIRST_MS + count as i64 * 500;
    let state = |state: RunState| vec![state];
    let scope = |organisation: &str, folder: &str| Scope { organisation: organisation.into(), folder: folder.into() };
    let org3 = || Some("org3".to_owned());
    let city = |n: u64| vec![("city".to_owned(), format!("city{n}"))];
    let some = |text: &str| Some(text.to_owned());
    let many: Vec<Scope> =
        (0..ORGANISATIONS - 1).map(|n| scope(&organisation(n), &format!("folder{}", n % FOLDERS))).collect();
    vec![
        ("nothing".into(), all.clone()),
        ("state, many".into(), RunFilter { states: state(RunState::Succeeded), ..all.clone() }),
        ("state, none".into(), RunFilter { states: state(RunState::RollbackStuck), ..all.clone() }),
        ("states".into(), RunFilter { states: vec![RunState::Failed, RunState::Queued], ..all.clone() }),
        ("workflow".into(), RunFilter { workflow: Some(workflow(1)), ..all.clone() }),
        ("workflow, none".into(), RunFilter { workflow: some("lab/none"), ..all.clone() }),
        ("folder".into(), RunFilter { workflow: some("folder1/*"), ..all.clone() }),
        ("tag".into(), RunFilter { tag: some("team3"), ..all.clone() }),
        ("tag, rare".into(), RunFilter { tag: some("rare"), ..all.clone() }),
        ("organisation".into(), RunFilter { organisation: org3(), ..all.clone() }),
        ("input".into(), RunFilter { inputs: city(7), ..all.clone() }),
        ("text".into(), RunFilter { text: some("person7"), ..all.clone() }),
        ("text, one run".into(), RunFilter { text: Some(format!("ops {}", count / 3)), ..all.clone() }),
        ("text, of the error".into(), RunFilter { text: some("unplugged cable"), ..all.clone() }),
        (
            "since, until".into(),
            RunFilter { since_ms: Some(middle_ms), until_ms: Some(middle_ms + 60_000), ..all.clone() },
        ),
        ("id prefix".into(), RunFilter { id_prefix: Some(run_id(count / 2).as_str()[..12].to_owned()), ..all.clone() }),
        ("parent".into(), RunFilter { parent: Some(run_id(5)), ..all.clone() }),
        ("before".into(), RunFilter { before: Some(run_id(count / 2)), ..all.clone() }),
        ("scope: organisation".into(), RunFilter { scopes: Some(vec![scope("org3", "*")]), ..all.clone() }),
        (
            "scope: organisation's folder".into(),
            RunFilter { scopes: Some(vec![scope("org3", "folder1")]), ..all.clone() },
        ),
        ("nine scopes".into(), RunFilter { scopes: Some(many.clone()), ..all.clone() }),
        (
            "nine scopes + state".into(),
            RunFilter { scopes: Some(many), states: state(RunState::Failed), ..all.clone() },
        ),
        (
            "organisation + state".into(),
            RunFilter { organisation: org3(), states: state(RunState::Failed), ..all.clone() },
        ),
        (
            "organisation + workflow".into(),
            RunFilter { organisation: org3(), workflow: Some(workflow(1)), ..all.clone() },
        ),
        (
            "state + workflow".into(),
            RunFilter { states: state(RunState::Failed), workflow: Some(workflow(1)), ..all.clone() },
        ),
        ("state + tag".into(), RunFilter { states: state(RunState::Failed), tag: some("team3"), ..all.clone() }),
        ("tag + input".into(), RunFilter { tag: some("team3"), inputs: city(7), ..all.clone() }),
        ("organisation + text".into(), RunFilter { organisation: org3(), text: some("city7 person7"), ..all.clone() }),
        (
            "state + since".into(),
            RunFilter { states: state(RunState::Failed), since_ms: Some(middle_ms), ..all.clone() },
        ),
        (
            "queued + text of an error, which never meet".into(),
            RunFilter { states: state(RunState::Queued), text: some("unplugged"), ..all },
        ),
    ]
}

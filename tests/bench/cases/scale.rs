//! What a run costs beside very many others: the same commands with a thousand, a hundred thousand and a million runs
//! stored, and a tenth of that to a hundred thousand waiting, on both databases, every commit synced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use windlass_model::{
    CallSite, Digest, EffectClass, NodeId, Outcome as StepOutcome, RetryPolicy, RunId, RunState, StepCall, StepPath,
    WaitSpec,
    command::{Claimed, Command, Lease, NewRun, Rate, Reply},
    query::{FeedFilter, RunFilter},
    time::Clock,
    workflow::{OnConflict, Priority, Rollback},
};
use windlass_store::{Store, StoreOptions};
use windlass_tests::postgres;

use super::{
    Case, Cx,
    scale_fill::{Kind, Shell},
};
use crate::{
    machine,
    plot::{self, Line, Panel},
    report::{Row, Target, median},
    world::{Outcome, words},
};

pub const CASE: Case = Case { name: "scale", what: "1,000 to 1,000,000 runs stored: what each command costs", run };

const NAME: &str = "scale";
const YEAR_MS: i64 = 365 * 86_400_000;
/// What a million runs may cost more than a thousand.
const GROWTH: f64 = 2.0;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let folder = cx.folder.join(NAME);
    std::fs::create_dir_all(&folder).map_err(words)?;
    let mut rows = Vec::new();
    let mut panels = Vec::new();
    let sqlite = Shell::Sqlite(folder.join("windlass.db"));
    // The server and this program share the machine: both may use all of it.
    let databases = [Some(sqlite), machine::with_cores(cx.others, postgres::database).map(Shell::Postgres)];
    for shell in databases.iter().flatten() {
        panels.push(measure(cx, shell, &mut rows)?);
    }
    if databases[1].is_none() {
        rows.push(Row::skipped(NAME, "no PostgreSQL is installed under /usr/lib/postgresql"));
    }
    if let Some(path) = &cx.options.write_plot {
        std::fs::write(path, plot::svg("What a command costs, by the number of runs stored", &panels))
            .map_err(words)?;
    }
    let _ = std::fs::remove_dir_all(&folder);
    Ok(rows)
}

fn measure(cx: &Cx, shell: &Shell, rows: &mut Vec<Row>) -> Outcome<Panel> {
    let name = shell.name();
    Store::migrate(&shell.url()).map_err(words)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_err(words)?.as_millis() as i64;
    let clock = Arc::new(Settable(AtomicI64::new(now_ms)));
    let mut world = Bench::open(shell, &clock)?;
    world.templates()?;
    let levels = if cx.options.smoke {
        [(20, 20), (100, 100), (200, 100)]
    } else {
        [(1_000, 1_000), (100_000, 100_000), (1_000_000, 100_000)]
    };
    let rounds = cx.options.size(60, 3);
    let (mut ended, mut waiting) = (0, 0);
    let mut lines: Vec<Line> = Vec::new();
    for (stored, asleep) in levels {
        let began = Instant::now();
        drop(world);
        shell.make(Kind::Ended, ended, stored)?;
        shell.make(Kind::Waiting, waiting, asleep)?;
        (ended, waiting) = (stored, asleep);
        shell.settle()?;
        world = Bench::open(shell, &clock)?;
        eprintln!(
            "   {name}: {stored} ended and {asleep} waiting runs are there after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        for (what, ms) in world.commands(rounds)? {
            match lines.iter_mut().find(|line| line.name == what) {
                Some(line) => line.points.push((stored as f64, ms)),
                None => lines.push(Line { name: what.to_owned(), points: vec![(stored as f64, ms)] }),
            }
        }
    }
    for line in &lines {
        let texts: Vec<String> = line.points.iter().map(|(_, ms)| format!("{ms:.2}")).collect();
        let (first, last) = (line.points[0].1, line.points[line.points.len() - 1].1);
        let what = format!("{name}, {}: {} ms; last to first", line.name, texts.join(", "));
        // Below a twentieth of a millisecond it is the clock that is measured.
        rows.push(cx.row(NAME, what, last.max(0.05) / first.max(0.05), "×", Target::AtMost(GROWTH)));
    }
    let stored = (ended + waiting) as f64;
    rows.push(Row::info(NAME, format!("{name}, the database, for each run"), shell.bytes() / stored, "bytes"));
    let started = Instant::now();
    world.store.counts().map_err(words)?;
    rows.push(Row::info(NAME, format!("{name}, counts by state"), started.elapsed().as_secs_f64() * 1e3, "ms"));
    world.backlog(cx, shell, rows)?;
    Ok(Panel { name: name.to_owned(), lines })
}

struct Settable(AtomicI64);

impl Clock for Settable {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Bench {
    store: Store,
    clock: Arc<Settable>,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Milliseconds that something took, and what it gave.
fn timed<T>(act: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let started = Instant::now();
    let given = act()?;
    Ok((started.elapsed().as_secs_f64() * 1e3, given))
}

impl Bench {
    fn open(shell: &Shell, clock: &Arc<Settable>) -> Outcome<Self> {
        let store = Store::open(&shell.url(), StoreOptions::new(clock.clone())).map_err(words)?;
        Ok(Self { store, clock: clock.clone() })
    }

    fn commit(&self, command: Command) -> Outcome<Reply> {
        self.store.commit(command).map_err(words)
    }

    fn launch(&self, run: NewRun, claim: bool) -> Outcome<Lease> {
        let id = run.id.clone();
        let claim = claim.then(|| (NodeId::from("bench"), i64::MAX));
        match self.commit(Command::Launch { run: Box::new(run), claim })? {
            Reply::Launched { claimed: Some(claimed), .. } => Ok(claimed.lease),
            _ => Ok(Lease { run: id, epoch: 0 }),
        }
    }

    fn claim(&self, limit: u32) -> Outcome<Vec<Claimed>> {
        let (node, expires_at_ms) = (NodeId::from("bench"), i64::MAX);
        match self.commit(Command::Claim { node, limit, expires_at_ms, max_recoveries: 3 })? {
            Reply::Claimed(claimed) => Ok(claimed),
            other => Err(format!("a claim was answered with {other:?}")),
        }
    }

    fn claim_one(&self) -> Outcome<Lease> {
        self.claim(1)?.pop().map(|claimed| claimed.lease).ok_or_else(|| "nothing was due".to_owned())
    }

    fn succeed(&self, lease: Lease) -> Outcome<()> {
        self.commit(Command::Succeed { lease, output: "1".into() }).map(drop)
    }

    /// The same for many, in few commits.
    fn succeed_all(&self, claimed: Vec<Claimed>) -> Outcome<()> {
        let (told, answers) = std::sync::mpsc::channel();
        for Claimed { lease, .. } in claimed {
            let told = told.clone();
            let done = Box::new(move |answer: Result<Reply, _>| drop(told.send(answer.map(drop).map_err(words))));
            self.store.submit(Command::Succeed { lease, output: "1".into() }, done);
        }
        drop(told);
        answers.into_iter().collect()
    }

    fn wait(&self, lease: &Lease, wait: WaitSpec) -> Outcome<Reply> {
        self.commit(Command::Wait { lease: lease.clone(), call: call(2, EffectClass::Wait), wait })
    }

    fn step(&self, lease: &Lease) -> Outcome<()> {
        let outcome = StepOutcome::Value(r#"{"number":1,"kind":"thing","up":true}"#.into());
        let (call, started_at_ms) = (call(1, EffectClass::Idempotent), self.clock.now_ms());
        self.commit(Command::Finish { lease: lease.clone(), call, outcome, attempts: 1, started_at_ms }).map(drop)
    }

    /// A run that waits.
    fn waiting(&self, run: NewRun, wait: WaitSpec) -> Outcome<RunId> {
        let lease = self.launch(run, true)?;
        self.step(&lease)?;
        self.wait(&lease, wait)?;
        self.commit(Command::Suspend { lease: lease.clone() })?;
        Ok(lease.run)
    }

    fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    /// The runs that are copied.
    fn templates(&self) -> Outcome<()> {
        self.commit(Command::PutBundle { digest: "bench".into(), body: "{}".into() })?;
        let run = |kind: Kind| NewRun { id: kind.template().into(), ..new_run() };
        let lease = self.launch(run(Kind::Ended), true)?;
        self.step(&lease)?;
        self.succeed(lease)?;
        self.waiting(run(Kind::Waiting), WaitSpec::Timer { due_at_ms: self.clock.now_ms() + YEAR_MS })?;
        self.launch(run(Kind::Due), false)?;
        let lease = self.claim_one()?;
        // As it was before the claim: the copies are due, the run itself isn't in the way.
        self.commit(Command::Release(lease))?;
        self.pass(10_000);
        Ok(())
    }

    /// Medians of everything that is measured at each size.
    fn commands(&self, rounds: usize) -> Outcome<Vec<(&'static str, f64)>> {
        const WHAT: [&str; 10] = [
            "launch",
            "step",
            "claim",
            "wake by a timer",
            "signal",
            "first page of runs",
            "page of an organisation's waiting runs",
            "page of events",
            "launch and end with a busy concurrency key",
            "looking for what may be removed",
        ];
        let mut took: Vec<Vec<f64>> = vec![Vec::new(); WHAT.len()];
        // The template of due runs is due: it is held while others are measured.
        let held = self.claim(1)?;
        let org =
            RunFilter { organisation: Some("org3".into()), states: vec![RunState::Waiting], ..RunFilter::default() };
        for _ in 0..rounds {
            let end = self.store.feed_end().map_err(words)?;
            let mut note = |index: usize, ms: f64| took[index].push(ms);
            let (ms, lease) = timed(|| self.launch(new_run(), true))?;
            note(0, ms);
            note(1, timed(|| self.step(&lease))?.0);
            self.succeed(lease)?;

            self.launch(new_run(), false)?;
            let (ms, lease) = timed(|| self.claim_one())?;
            note(2, ms);
            self.succeed(lease)?;

            self.waiting(new_run(), WaitSpec::Timer { due_at_ms: self.clock.now_ms() + 1_000 })?;
            self.pass(2_000);
            let (ms, lease) = timed(|| {
                let lease = self.claim_one()?;
                self.store.journal(&lease.run).map_err(words)?;
                match self.wait(&lease, WaitSpec::Timer { due_at_ms: 0 })? {
                    Reply::Outcome(_) => Ok(lease),
                    other => Err(format!("a wait that is over was answered with {other:?}")),
                }
            })?;
            note(3, ms);
            self.succeed(lease)?;

            let run = self.waiting(new_run(), WaitSpec::Signal { name: "go".into(), expires_at_ms: None })?;
            let signal = Command::Signal { run, name: "go".into(), payload: 1.into(), by: "ann".into(), id: None };
            note(4, timed(|| self.commit(signal))?.0);
            self.succeed(self.claim_one()?)?;

            let page = |filter: &RunFilter| {
                let filter = RunFilter { limit: 50, look_through: 25_000, ..filter.clone() };
                self.store.runs_page(&filter).map_err(words)
            };
            note(5, timed(|| page(&RunFilter::default()))?.0);
            note(6, timed(|| page(&org))?.0);
            note(7, timed(|| self.store.feed(Some(&end), &FeedFilter::default(), 100).map_err(words))?.0);
            let keyed = NewRun {
                organisation: "org0".into(),
                concurrency: Some(("shared".into(), 4, OnConflict::Queue)),
                ..new_run()
            };
            note(8, timed(|| self.succeed(self.launch(keyed, true)?))?.0);
            let prune = Command::Prune { default_retention_ms: YEAR_MS, limit: 200 };
            note(9, timed(|| self.commit(prune))?.0);
        }
        for claimed in held {
            self.commit(Command::Release(claimed.lease))?;
        }
        Ok(WHAT.iter().zip(took).map(|(what, mut took)| (*what, median(&mut took))).collect())
    }

    /// Claims out of very many due runs, of few and of many organisations' workflows; and of one rate.
    fn backlog(&self, cx: &Cx, shell: &Shell, rows: &mut Vec<Row>) -> Outcome<()> {
        let name = shell.name();
        let count = cx.options.size(100_000, 500) as u64;
        let rounds = cx.options.size(20, 2);
        shell.make(Kind::Due, 0, count)?;
        // Numbers of organisations and of workflows of each.
        for (organisations, workflows) in [(100, 10), (10, 1), (1, 1)] {
            let number = match shell {
                Shell::Sqlite(_) => "CAST(substr(id, 5) AS INTEGER)",
                Shell::Postgres(_) => "CAST(substr(id, 5) AS BIGINT)",
            };
            shell.sql(&format!(
                "UPDATE runs SET organisation = 'org' || ({number} % {organisations}), \
                 workflow = 'lab/work' || ({number} / {organisations} % {workflows}) WHERE state = 'queued' AND id LIKE '01jd%'"
            ))?;
            shell.settle()?;
            let groups = organisations * workflows;
            for (limit, target) in [(1, 10.0), (64, 50.0)] {
                let mut took = Vec::new();
                for _ in 0..rounds {
                    let (ms, claimed) = timed(|| self.claim(limit))?;
                    took.push(ms);
                    if claimed.len() != limit as usize {
                        return Err(format!("{} of {limit} runs were claimed", claimed.len()));
                    }
                    self.succeed_all(claimed)?;
                }
                let what = format!("{name}, {count} due runs of {groups} groups: claim of {limit}");
                rows.push(cx.row(NAME, what, median(&mut took), "ms", Target::AtMost(target)));
            }
        }
        // All those that are left become runs of one rate, and begin one after the other.
        let now_ms = self.clock.now_ms();
        shell.sql(&format!(
            "UPDATE runs SET rate_key = 'org0{}key', rate_limit = 10, rate_per_ms = 1000, \
             due_at_ms = {now_ms} + 100 * CAST(substr(id, 5) AS BIGINT), rate_at_ms = {now_ms} + 100 * CAST(substr(id, 5) AS BIGINT) \
             WHERE state = 'queued' AND id LIKE '01jd%'",
            '\u{1f}'
        ))?;
        shell.settle()?;
        self.pass(YEAR_MS / 12);
        let rate = Rate { key: "key".into(), limit: 10, per_ms: 1_000, reject: false };
        let (mut reserving, mut beginning) = (Vec::new(), Vec::new());
        for _ in 0..rounds.min(8) {
            let run = NewRun { organisation: "org0".into(), rate: Some(rate.clone()), ..new_run() };
            reserving.push(timed(|| self.launch(run, false))?.0);
        }
        // So many are due that each claim begins one.
        self.pass(-YEAR_MS / 12 + 60_000);
        for _ in 0..rounds.min(8) {
            let (ms, lease) = timed(|| self.claim_one())?;
            beginning.push(ms);
            self.succeed(lease)?;
        }
        for (what, mut took) in [("launch", reserving), ("claim", beginning)] {
            let what = format!("{name}, {count} queued runs of one rate: {what} of one more");
            rows.push(cx.row(NAME, what, median(&mut took), "ms", Target::AtMost(10.0)));
        }
        Ok(())
    }
}

fn new_run() -> NewRun {
    NewRun {
        id: RunId::from(format!("01jz{:022}", NEXT.fetch_add(1, Ordering::Relaxed))),
        workflow: "folder1/work1".into(),
        bundle: "bench".into(),
        input: r#"{"city":"city7"}"#.into(),
        launched_by: "ann".into(),
        idempotency_key: None,
        rollback: Rollback::Auto,
        deadline_at_ms: None,
        retention_ms: None,
        parent: None,
        organisation: "platform".into(),
        concurrency: None,
        rate: None,
        priority: Priority::Normal,
        tags: Vec::new(),
        unindexed: Vec::new(),
    }
}

fn call(number: u32, class: EffectClass) -> Arc<StepCall> {
    Arc::new(StepCall {
        path: StepPath { lane: "".into(), ordinal: number },
        op: "bench::touch".into(),
        class,
        args: "[1]".into(),
        digest: Digest([number as u8; 16]),
        site: CallSite { file: "folder1/work1".into(), line: 3, column: 5 },
        undo: None,
        resources: Vec::new(),
        retry: RetryPolicy::NEVER,
    })
}

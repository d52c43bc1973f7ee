//! What a transaction of several commands writes on PostgreSQL, where each statement costs a round trip: what the commands
//! need of leases and runs is read by one statement for all of them, and what they write of leases, runs, terms and the log
//! is kept here until the transaction ends, and then written by one statement for each table. Leases are locked when they
//! are read, so nobody changes meanwhile what a command decides upon.
//!
//! A command that isn't known to go along with this has the tables to itself: what is kept is written before it begins.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use windlass_model::{
    RunId, WaitReason,
    command::{Command, Lease},
    journal::LocalEffect,
};

use crate::{
    apply::{Cx, refuses_before_it_writes},
    connection::AnyConnection,
    hot_postgres as hot,
    journal_log::NewRow,
    runs::RunRow,
    schema::{leases, runs, waits},
    timers,
};

/// Rows of one insert of runs: a statement takes 65,535 values, and a run has 32.
const RUNS: usize = 500;

/// A lease, as it will stand when the transaction ends.
#[derive(Clone)]
pub(crate) struct Held {
    pub node: Option<String>,
    pub epoch: i64,
    pub expires_at_ms: Option<i64>,
    pub next_seq: i64,
    /// It isn't in the table yet.
    is_new: bool,
    changed: bool,
}

/// Run, node, epoch, expiry, next event's number.
type LeaseRow = (String, Option<String>, i64, Option<i64>, i64);

/// A row of the log that isn't written yet.
struct Line {
    run: RunId,
    seq: i64,
    kind: &'static str,
    path: Option<String>,
    data: Option<String>,
    step: Option<Step>,
}

struct Step {
    op: String,
    class: String,
    digest: Vec<u8>,
    args: String,
    site: String,
    outcome: String,
    failed: bool,
    attempts: i64,
    started_at_ms: i64,
}

/// A run that a worker takes.
pub(crate) struct Taken {
    pub run: RunId,
    pub state: &'static str,
    pub started_at_ms: i64,
    pub recoveries: i64,
}

/// A run that ends.
pub(crate) struct Ended {
    pub run: RunId,
    pub state: &'static str,
    pub output: Option<String>,
    pub problem: Option<String>,
}

/// What is kept.
#[derive(Default)]
pub(crate) struct Batch {
    open: bool,
    leases: HashMap<RunId, Held>,
    rows: HashMap<RunId, RunRow>,
    /// Runs that nobody waits for, as far as that was looked up.
    unawaited: HashSet<String>,
    launched: Vec<RunRow>,
    log: Vec<Line>,
    terms: Vec<(String, String)>,
    taken: Vec<Taken>,
    ended: Vec<Ended>,
}

/// Whether a command goes along.
pub(crate) fn goes_along(command: &Command) -> bool {
    match command {
        Command::Audited { command, .. } => goes_along(command),
        Command::Launch { run, .. } => run.concurrency.is_none() && run.rate.is_none() && run.parent.is_none(),
        Command::Local { effect, .. } => {
            matches!(effect, LocalEffect::Now | LocalEffect::Random | LocalEffect::Uuid | LocalEffect::KvGet { .. })
        }
        Command::Claim { .. } => true,
        Command::Begin { .. }
        | Command::Finish { .. }
        | Command::Emit { .. }
        | Command::Suspend { .. }
        | Command::Succeed { .. } => refuses_before_it_writes(command),
        _ => false,
    }
}

/// The lease that a command comes with.
fn lease(command: &Command) -> Option<&Lease> {
    match command {
        Command::Local { lease, .. }
        | Command::Begin { lease, .. }
        | Command::Finish { lease, .. }
        | Command::Emit { lease, .. }
        | Command::Suspend { lease }
        | Command::Succeed { lease, .. } => Some(lease),
        _ => None,
    }
}

impl Batch {
    /// Whether writes may be kept here.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Gets ready for commands that all go along, if that saves anything.
    pub(crate) fn open(&mut self, conn: &mut AnyConnection, commands: &[&Command]) -> QueryResult<()> {
        let AnyConnection::Postgres(c) = conn else { return Ok(()) };
        self.open = commands.len() > 1 || matches!(commands, [Command::Claim { .. }]);
        let held: BTreeSet<&str> = commands.iter().filter_map(|command| Some(lease(command)?.run.as_str())).collect();
        if !self.open || held.is_empty() {
            return Ok(());
        }
        let of = |is: fn(&Command) -> bool| -> Vec<&str> {
            let some = commands.iter().filter(|command| is(command));
            some.filter_map(|command| Some(lease(command)?.run.as_str())).collect()
        };
        // Names before leases, as wherever several things are locked.
        self.look_who_waits(c, of(|command| matches!(command, Command::Succeed { .. })))?;
        self.lock(c, &held.into_iter().collect::<Vec<_>>())?;
        self.read(c, &of(|command| matches!(command, Command::Succeed { .. } | Command::Suspend { .. })))
    }

    /// Which of these runs, which are about to end, others wait for. Nobody begins to before this transaction ends.
    fn look_who_waits(&mut self, conn: &mut PgConnection, mut runs: Vec<&str>) -> QueryResult<()> {
        if runs.is_empty() {
            return Ok(());
        }
        // Two nodes that end some of the same take turns in one order.
        runs.sort_unstable();
        let names: Vec<String> = runs.iter().map(|run| timers::end_of(run)).collect();
        hot::Exclude { names: &names }.execute(conn)?;
        let awaited: Vec<Option<String>> = waits::table
            .filter(waits::reason.eq(WaitReason::Child.as_str()))
            .filter(waits::name.eq_any(&runs))
            .select(waits::name)
            .load(conn)?;
        self.unawaited.extend(runs.into_iter().map(str::to_owned));
        self.unawaited.retain(|run| !awaited.iter().flatten().any(|awaited| awaited == run));
        Ok(())
    }

    /// Whether a run that ends may be waited for.
    pub(crate) fn is_awaited(&self, run: &str) -> bool {
        !self.unawaited.contains(run)
    }

    /// Locks and reads the leases and the rows of runs that are about to be taken.
    pub(crate) fn look_at(&mut self, conn: &mut AnyConnection, runs: &[String]) -> QueryResult<()> {
        let AnyConnection::Postgres(c) = conn else { return Ok(()) };
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        self.lock(c, &runs)?;
        self.read(c, &runs)
    }

    fn lock(&mut self, conn: &mut PgConnection, runs: &[&str]) -> QueryResult<()> {
        let columns = (leases::run_id, leases::node, leases::epoch, leases::expires_at_ms, leases::next_seq);
        let query = leases::table.filter(leases::run_id.eq_any(runs)).order(leases::run_id).select(columns);
        let found: Vec<LeaseRow> = query.for_update().load(conn)?;
        for (run, node, epoch, expires_at_ms, next_seq) in found {
            let held = Held { node, epoch, expires_at_ms, next_seq, is_new: false, changed: false };
            self.leases.entry(run.into()).or_insert(held);
        }
        Ok(())
    }

    fn read(&mut self, conn: &mut PgConnection, ids: &[&str]) -> QueryResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows: Vec<RunRow> = runs::table.filter(runs::id.eq_any(ids)).select(RunRow::as_select()).load(conn)?;
        self.rows.extend(rows.into_iter().map(|row| (row.run_id(), row)));
        Ok(())
    }

    /// The lease of a run, locked and read if it wasn't yet.
    pub(crate) fn held(&mut self, conn: &mut PgConnection, run: &RunId) -> QueryResult<Option<&mut Held>> {
        if !self.leases.contains_key(run) {
            self.lock(conn, &[run.as_str()])?;
        }
        Ok(self.leases.get_mut(run))
    }

    /// The row of a run that was read beforehand, once.
    pub(crate) fn take_row(&mut self, run: &str) -> Option<RunRow> {
        self.rows.remove(&RunId::from(run))
    }

    /// A lease to be made.
    pub(crate) fn create_lease(
        &mut self,
        run: &RunId,
        node: Option<&str>,
        epoch: i64,
        until: Option<i64>,
        next_seq: i64,
    ) {
        let node = node.map(str::to_owned);
        let held = Held { node, epoch, expires_at_ms: until, next_seq, is_new: true, changed: false };
        self.leases.insert(run.clone(), held);
    }

    /// A run to be made.
    pub(crate) fn launch(&mut self, row: &RunRow) {
        self.launched.push(row.clone());
    }

    /// Whether a run to be made has this idempotency key.
    pub(crate) fn launches(&self, organisation: &str, workflow: &str, key: &str) -> bool {
        self.launched.iter().any(|row| {
            row.idempotency_key.as_deref() == Some(key) && row.organisation == organisation && row.workflow == workflow
        })
    }

    /// A row of the log to be written.
    pub(crate) fn append(&mut self, run: &RunId, seq: i64, row: &NewRow) {
        let step = row.step.as_ref().map(|step| Step {
            op: step.op.to_owned(),
            class: step.class.to_owned(),
            digest: step.digest.to_owned(),
            args: step.args.to_owned(),
            site: step.site.to_owned(),
            outcome: step.outcome.to_owned(),
            failed: step.failed,
            attempts: step.attempts,
            started_at_ms: step.started_at_ms,
        });
        let (path, data) = (row.path.map(str::to_owned), row.data.map(str::to_owned));
        self.log.push(Line { run: run.clone(), seq, kind: row.kind.as_str(), path, data, step });
    }

    /// Terms to be added to a run.
    pub(crate) fn add_terms(&mut self, run: &RunId, terms: &BTreeSet<String>) {
        self.terms.extend(terms.iter().map(|term| (term.clone(), run.to_string())));
    }

    /// A run to be given to a worker.
    pub(crate) fn take(&mut self, taken: Taken) {
        self.taken.push(taken);
    }

    /// A run to be ended.
    pub(crate) fn end(&mut self, ended: Ended) {
        self.ended.push(ended);
    }

    /// Forgets what is kept: the command that left it came to nothing, and what was there before it is written.
    pub(crate) fn forget(&mut self) {
        *self = Self { open: self.open, ..Self::default() };
    }

    /// Writes what is kept, and no more is kept afterwards.
    pub(crate) fn close(&mut self, conn: &mut AnyConnection, now_ms: i64) -> QueryResult<()> {
        self.settle(conn, now_ms)?;
        *self = Self::default();
        Ok(())
    }

    /// Writes what is kept: whoever reads the tables next sees it.
    pub(crate) fn settle(&mut self, conn: &mut AnyConnection, now_ms: i64) -> QueryResult<()> {
        let AnyConnection::Postgres(c) = conn else { return Ok(()) };
        for rows in std::mem::take(&mut self.launched).chunks(RUNS) {
            diesel::insert_into(runs::table).values(rows).execute(c)?;
        }
        self.settle_leases(c)?;
        self.settle_log(c, now_ms)?;
        self.settle_runs(c, now_ms)?;
        if !self.terms.is_empty() {
            let (terms, runs): (Vec<String>, Vec<String>) = std::mem::take(&mut self.terms).into_iter().unzip();
            hot::Terms { terms: &terms, runs: &runs }.execute(c)?;
        }
        Ok(())
    }

    fn settle_leases(&mut self, conn: &mut PgConnection) -> QueryResult<()> {
        for is_new in [true, false] {
            let of_kind = |held: &Held| if is_new { held.is_new } else { held.changed && !held.is_new };
            let kept: Vec<(&RunId, &Held)> = self.leases.iter().filter(|(_, held)| of_kind(held)).collect();
            if kept.is_empty() {
                continue;
            }
            let runs: Vec<&str> = kept.iter().map(|(run, _)| run.as_str()).collect();
            let nodes: Vec<Option<&str>> = kept.iter().map(|(_, held)| held.node.as_deref()).collect();
            let epochs: Vec<i64> = kept.iter().map(|(_, held)| held.epoch).collect();
            let until: Vec<Option<i64>> = kept.iter().map(|(_, held)| held.expires_at_ms).collect();
            let next: Vec<i64> = kept.iter().map(|(_, held)| held.next_seq).collect();
            match is_new {
                true => hot::NewLeases { runs: &runs, nodes: &nodes, epochs: &epochs, until: &until, next: &next }
                    .execute(conn)?,
                false => hot::Leases { nodes: &nodes, runs: &runs, epochs: &epochs, until: &until, next: &next }
                    .execute(conn)?,
            };
        }
        for held in self.leases.values_mut() {
            (held.is_new, held.changed) = (false, false);
        }
        Ok(())
    }

    fn settle_log(&mut self, conn: &mut PgConnection, now_ms: i64) -> QueryResult<()> {
        let lines = std::mem::take(&mut self.log);
        if lines.is_empty() {
            return Ok(());
        }
        let text = |of: fn(&Step) -> &str| -> Vec<Option<&str>> {
            lines.iter().map(|line| line.step.as_ref().map(of)).collect()
        };
        let number = |of: fn(&Step) -> i64| -> Vec<Option<i64>> {
            lines.iter().map(|line| line.step.as_ref().map(of)).collect()
        };
        let steps = || lines.iter().map(|line| line.step.as_ref());
        hot::Lines {
            at_ms: &now_ms,
            runs: &lines.iter().map(|line| line.run.as_str()).collect::<Vec<_>>(),
            seqs: &lines.iter().map(|line| line.seq).collect::<Vec<_>>(),
            kinds: &lines.iter().map(|line| line.kind).collect::<Vec<_>>(),
            paths: &lines.iter().map(|line| line.path.as_deref()).collect::<Vec<_>>(),
            data: &lines.iter().map(|line| line.data.as_deref()).collect::<Vec<_>>(),
            ops: &text(|step| &step.op),
            classes: &text(|step| &step.class),
            digests: &steps().map(|step| step.map(|step| step.digest.as_slice())).collect::<Vec<_>>(),
            args: &text(|step| &step.args),
            sites: &text(|step| &step.site),
            outcomes: &text(|step| &step.outcome),
            failed: &steps().map(|step| step.map(|step| step.failed)).collect::<Vec<_>>(),
            attempts: &number(|step| step.attempts),
            started: &number(|step| step.started_at_ms),
        }
        .execute(conn)
        .map(drop)
    }

    fn settle_runs(&mut self, conn: &mut PgConnection, now_ms: i64) -> QueryResult<()> {
        let taken = std::mem::take(&mut self.taken);
        if !taken.is_empty() {
            hot::TakeRuns {
                runs: &taken.iter().map(|taken| taken.run.as_str()).collect::<Vec<_>>(),
                states: &taken.iter().map(|taken| taken.state).collect::<Vec<_>>(),
                started: &taken.iter().map(|taken| taken.started_at_ms).collect::<Vec<_>>(),
                recoveries: &taken.iter().map(|taken| taken.recoveries).collect::<Vec<_>>(),
            }
            .execute(conn)?;
        }
        let ended = std::mem::take(&mut self.ended);
        if !ended.is_empty() {
            hot::EndRuns {
                ended_at_ms: &now_ms,
                runs: &ended.iter().map(|ended| ended.run.as_str()).collect::<Vec<_>>(),
                states: &ended.iter().map(|ended| ended.state).collect::<Vec<_>>(),
                outputs: &ended.iter().map(|ended| ended.output.as_deref()).collect::<Vec<_>>(),
                problems: &ended.iter().map(|ended| ended.problem.as_deref()).collect::<Vec<_>>(),
            }
            .execute(conn)?;
        }
        Ok(())
    }

    /// Whether rows of this run's log are kept.
    pub(crate) fn has_lines(&self, run: &RunId) -> bool {
        self.log.iter().any(|line| line.run == *run)
    }
}

/// Whether there may be a step at `path`; false is certain. If so, all of the run's log is in its table.
pub(crate) fn may_have(cx: &mut Cx, run: &RunId, path: &str) -> QueryResult<bool> {
    if !cx.recent.has_paths(run) && cx.batch.has_lines(run) {
        cx.batch.settle(cx.conn, cx.now_ms)?;
    }
    let may = cx.recent.may_have(cx.conn, run, path)?;
    if may && cx.batch.has_lines(run) {
        cx.batch.settle(cx.conn, cx.now_ms)?;
    }
    Ok(may)
}

impl Held {
    /// Sets event numbers aside; the first of them.
    pub(crate) fn allocate(&mut self, count: i64) -> i64 {
        let first = self.next_seq;
        self.move_to(first + count);
        first
    }

    /// The next event's number is this one.
    pub(crate) fn move_to(&mut self, next_seq: i64) {
        self.changed |= self.next_seq != next_seq;
        self.next_seq = next_seq;
    }

    /// Gives the lease to a node, with a new epoch.
    pub(crate) fn give(&mut self, node: &str, expires_at_ms: i64) -> i64 {
        (self.node, self.expires_at_ms, self.changed) = (Some(node.to_owned()), Some(expires_at_ms), true);
        self.epoch += 1;
        self.epoch
    }

    /// Nobody has it.
    pub(crate) fn free(&mut self) {
        (self.node, self.expires_at_ms, self.changed) = (None, None, true);
    }
}

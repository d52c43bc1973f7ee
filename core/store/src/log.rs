//! A run's event numbers while a command is applied. Opening it takes the run's lease row, so that everything read after
//! that is what others have committed; writing it puts the events in and moves the number on, without a gap.

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{Code, EventKind, Problem, RunId, command::Lease, event::NewEvent};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    documents,
    error::{Applied, Fault},
    hot,
    journal_log::{self, NewRow},
    leases, schema,
    steps::StepRow,
};

/// What stands in the place of a run's id in events that belong to no run.
pub(crate) const SYSTEM: &str = "system";

/// Events of one run, not yet written.
pub(crate) struct Log {
    run: RunId,
    next: i64,
    rows: Vec<Row>,
}

struct Row {
    kind: EventKind,
    path: Option<String>,
    data: Option<String>,
    step: Option<StepRow>,
}

impl From<NewEvent> for Row {
    fn from(event: NewEvent) -> Self {
        Self { kind: event.kind, path: event.path, data: Some(event.data), step: None }
    }
}

impl Log {
    /// For whoever holds the lease.
    pub(crate) fn held(cx: &mut Cx, lease: &Lease) -> Applied<Self> {
        let next = leases::allocate(cx, lease, 0)?;
        Ok(Self { run: lease.run.clone(), next, rows: Vec::new() })
    }

    /// For everybody else: people, other runs, other programs.
    pub(crate) fn open(cx: &mut Cx, run: &RunId) -> Applied<Self> {
        if let Some(held) = leases::kept(cx, run)? {
            let next = held.next_seq;
            if next == leases::GOING {
                return Err(run_not_found(run));
            }
            cx.recent.see(run, next);
            return Ok(Self { run: run.clone(), next, rows: Vec::new() });
        }
        let next: Option<i64> = match cx.conn {
            // Nobody else writes before this transaction ends.
            AnyConnection::Sqlite(c) => match cx.recent.next_seq(run) {
                Some(next) => Some(next),
                None => leases::row(c, run.as_str())?.map(|row| row.next_seq),
            },
            AnyConnection::Postgres(c) => diesel::update(schema::leases::table.find(run.as_str()))
                .set(schema::leases::next_seq.eq(schema::leases::next_seq))
                .returning(schema::leases::next_seq)
                .get_result(c)
                .optional()?,
        };
        // One that is going is as good as gone.
        let next = next.filter(|next| *next != leases::GOING).ok_or_else(|| run_not_found(run))?;
        cx.recent.see(run, next);
        Ok(Self { run: run.clone(), next, rows: Vec::new() })
    }

    /// For a run whose lease row is already taken, and whose next number is known.
    pub(crate) fn at(run: &RunId, next: i64) -> Self {
        Self { run: run.clone(), next, rows: Vec::new() }
    }

    /// The number that the next event gets.
    pub(crate) fn next_seq(&self) -> i64 {
        self.next + self.rows.len() as i64
    }

    /// An event about the run.
    pub(crate) fn run(&mut self, kind: EventKind, data: Value) {
        self.rows.push(NewEvent::run(kind, data).into());
    }

    /// An event about a step.
    pub(crate) fn step(&mut self, kind: EventKind, path: impl ToString, data: Value) {
        self.rows.push(NewEvent::step(kind, path, data).into());
    }

    /// A finished step, which is its own event where `data` doesn't say otherwise.
    pub(crate) fn finished(&mut self, step: StepRow, data: Option<String>) {
        let kind = if step.is_failed() { EventKind::StepFailed } else { EventKind::StepSucceeded };
        self.rows.push(Row { kind, path: Some(step.path.clone()), data, step: Some(step) });
    }

    /// A step that an operator finished.
    pub(crate) fn resolved(&mut self, step: StepRow, data: Value) {
        let row = NewEvent::step(EventKind::StepResolved, &step.path, data).into();
        self.rows.push(Row { step: Some(step), ..row });
    }

    /// Puts the events in.
    pub(crate) fn write(self, cx: &mut Cx) -> Applied<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let next = self.next_seq();
        if let Some(held) = leases::kept(cx, &self.run)? {
            held.move_to(next);
            cx.recent.moved(&self.run, next);
            return self.put(cx);
        }
        match cx.conn {
            // It follows from the events.
            AnyConnection::Sqlite(_) if cx.recent.is_held(&self.run) => 1,
            AnyConnection::Sqlite(c) => hot::NextSeq { next_seq: &next, run: self.run.as_str() }.execute(c)?,
            AnyConnection::Postgres(c) => diesel::update(schema::leases::table.find(self.run.as_str()))
                .set(schema::leases::next_seq.eq(next))
                .execute(c)?,
        };
        cx.recent.moved(&self.run, next);
        self.put(cx)
    }

    /// The same for a run whose number stands behind these events already.
    pub(crate) fn put(self, cx: &mut Cx) -> Applied<()> {
        for (seq, row) in (self.next..).zip(&self.rows) {
            let new = NewRow {
                kind: row.kind,
                path: row.path.as_deref(),
                data: row.data.as_deref(),
                step: row.step.as_ref().map(StepRow::for_log),
            };
            journal_log::append(cx, &self.run, seq, &new)?;
            if let Some(step) = &row.step {
                cx.recent.learn(&self.run, &step.path);
            }
        }
        Ok(())
    }
}

pub(crate) fn run_not_found(run: &RunId) -> Fault {
    Problem::new(Code::RunNotFound, format!("there is no run `{run}`")).help("`windlass runs` lists the runs").into()
}

/// Appends an event that belongs to no run.
pub(crate) fn announce(cx: &mut Cx, kind: EventKind, data: &Value) -> Applied<()> {
    let seq = documents::count(cx, SYSTEM, Value::Null)?;
    let data = data.to_string();
    let new = NewRow { kind, path: None, data: Some(&data), step: None };
    journal_log::append(cx, &SYSTEM.into(), seq, &new)
}

//! A run's event numbers while a command is applied. Opening it takes the run's lease row, so that everything read after
//! that is what others have committed; writing it puts the events in and moves the number on, without a gap.

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{Code, EventKind, Problem, RunId, command::Lease, event::NewEvent};

use crate::{
    apply::Cx,
    dialect::both,
    error::{Applied, Fault},
    events, leases, schema,
};

/// Events of one run, not yet written.
pub(crate) struct Log {
    run: RunId,
    next: i64,
    events: Vec<NewEvent>,
}

impl Log {
    /// For whoever holds the lease.
    pub(crate) fn held(cx: &mut Cx, lease: &Lease) -> Applied<Self> {
        let next = leases::allocate(cx, lease, 0)?;
        Ok(Self { run: lease.run.clone(), next, events: Vec::new() })
    }

    /// For everybody else: people, other runs, other programs.
    pub(crate) fn open(cx: &mut Cx, run: &RunId) -> Applied<Self> {
        let next: Option<i64> = both!(cx.conn, c => diesel::update(schema::leases::table.find(run.as_str()))
            .set(schema::leases::next_seq.eq(schema::leases::next_seq))
            .returning(schema::leases::next_seq)
            .get_result(c)
            .optional())?;
        let next = next.ok_or_else(|| run_not_found(run))?;
        Ok(Self { run: run.clone(), next, events: Vec::new() })
    }

    /// For a run whose lease row is already taken, and whose next number is known.
    pub(crate) fn at(run: &RunId, next: i64) -> Self {
        Self { run: run.clone(), next, events: Vec::new() }
    }

    /// The number that the next event gets.
    pub(crate) fn next_seq(&self) -> i64 {
        self.next + self.events.len() as i64
    }

    /// An event about the run.
    pub(crate) fn run(&mut self, kind: EventKind, data: Value) {
        self.events.push(NewEvent::run(kind, data));
    }

    /// An event about a step.
    pub(crate) fn step(&mut self, kind: EventKind, path: impl ToString, data: Value) {
        self.events.push(NewEvent::step(kind, path, data));
    }

    /// An event whose data is JSON text.
    pub(crate) fn raw(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Puts the events in.
    pub(crate) fn write(self, cx: &mut Cx) -> Applied<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let next = self.next_seq();
        diesel::update(schema::leases::table.find(self.run.as_str()))
            .set(schema::leases::next_seq.eq(next))
            .execute(cx.conn)?;
        events::insert(cx, &self.run, self.next, &self.events)
    }
}

pub(crate) fn run_not_found(run: &RunId) -> Fault {
    Problem::new(Code::RunNotFound, format!("there is no run `{run}`")).help("`windlass runs` lists the runs").into()
}

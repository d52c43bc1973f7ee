//! The cases, in the order of the table.

mod containers;
mod crowd;
mod discovery;
mod first_event;
mod grid;
mod growth;
mod http;
mod launch;
mod links;
mod lists;
mod nodes;
mod replay;
mod scale;
mod scale_fill;
mod steps;
mod suspended;
mod watchers;

use std::path::Path;

use crate::{
    disk,
    options::Options,
    report::{Row, Target},
    world::Outcome,
};

/// What a case is measured under.
pub struct Cx<'a> {
    pub options: &'a Options,
    /// Where databases are made.
    pub folder: &'a Path,
    /// Cores that this process isn't kept to: for what loads a server and isn't measured itself.
    pub others: &'a [usize],
}

impl Cx<'_> {
    /// The disk's own time for a durable write, as it is now: other work on the disk changes it by the minute.
    pub fn sync_ms(&self) -> f64 {
        disk::sync_median_ms(self.folder, self.options.size(200, 10))
    }

    /// A line with a target, which a smoke test leaves out.
    pub fn row(
        &self,
        case: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
    ) -> Row {
        let row = Row::new(case, what, value, unit, target);
        if self.options.smoke { row.without_target() } else { row }
    }
}

/// One thing to measure.
pub struct Case {
    pub name: &'static str,
    pub what: &'static str,
    pub run: fn(&Cx) -> Outcome<Vec<Row>>,
}

pub const ALL: &[Case] = &[
    steps::CASE,
    crowd::CASE,
    replay::CASE,
    launch::CASE,
    suspended::CASE,
    grid::CASE,
    links::CASE,
    containers::CASE,
    discovery::CASE,
    growth::CASE,
    lists::CASE,
    http::CASE,
    first_event::CASE,
    watchers::CASE,
    scale::CASE,
    nodes::CASE,
];

//! Events: numbered rows that watchers read after their cursor.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_model::{Event, EventKind, RunId, event::NewEvent};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    error::Applied,
    journal_log::{self, LogRow, NewRow},
};

/// Writes events with consecutive numbers from `first`.
pub(crate) fn insert(cx: &mut Cx, run: &RunId, first: i64, new: &[NewEvent]) -> Applied<()> {
    for (seq, event) in (first..).zip(new) {
        let row = NewRow { kind: event.kind, path: event.path.as_deref(), data: Some(&event.data), step: None };
        journal_log::append(cx, run, seq, &row)?;
    }
    Ok(())
}

/// Events after a number, in order.
pub(crate) fn after(conn: &mut AnyConnection, run: &RunId, seq: i64, limit: u32) -> QueryResult<Vec<Event>> {
    let rows = journal_log::after(conn, run, seq, i64::from(limit))?;
    Ok(rows.into_iter().map(|row| event(run, row)).collect())
}

pub(crate) fn event(run: &RunId, row: LogRow) -> Event {
    // A kind of a later program shows as a log line instead of hiding the events after it.
    let kind = EventKind::parse(&row.kind).unwrap_or(EventKind::Log);
    let data = serde_json::from_str(&row.data()).unwrap_or_default();
    Event { run: run.clone(), seq: row.seq, at_ms: row.at_ms, kind, path: row.path, data }
}

/// How many outputs each lane has emitted, and the bytes of all of them.
pub(crate) fn outputs(conn: &mut AnyConnection, run: &RunId) -> QueryResult<(HashMap<String, u32>, u64)> {
    let rows = journal_log::outputs(conn, run)?;
    let mut lanes = HashMap::new();
    let mut bytes = 0;
    for (path, data) in rows {
        bytes += data.len() as u64;
        let place = path.as_deref().and_then(|path| path.rsplit_once('#'));
        if let Some((lane, ordinal)) = place
            && let Ok(ordinal) = ordinal.parse::<u32>()
        {
            let count = lanes.entry(lane.to_owned()).or_insert(0);
            *count = (*count).max(ordinal + 1);
        }
    }
    Ok((lanes, bytes))
}

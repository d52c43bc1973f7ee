//! Events: numbered rows that watchers read after their cursor.

use std::collections::HashMap;

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{Event, EventKind, RunId, StepPath, event::NewEvent};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    error::Applied,
    journal_log::{self, LogRow, NewRow, Uttered},
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

/// How many outputs each lane has emitted, and the bytes of all of them. Those of steps that a restart has forgotten don't count:
/// the steps are performed again, and say again what they say.
pub(crate) fn outputs(conn: &mut AnyConnection, run: &RunId) -> QueryResult<(HashMap<String, u32>, u64)> {
    Ok(counted(journal_log::outputs(conn, run)?))
}

/// How many outputs the run's own lane had emitted when it came to this step.
pub(crate) fn outputs_before(conn: &mut AnyConnection, run: &RunId, step: &StepPath) -> QueryResult<u32> {
    // Of a step that came to no end nothing came after it.
    let end = journal_log::finished_at(conn, run, &step.to_string())?.map_or(i64::MAX, |row| row.seq);
    let mut rows = journal_log::outputs(conn, run)?;
    rows.retain(|row| row.seq < end);
    Ok(counted(rows).0.get("").copied().unwrap_or(0))
}

fn counted(mut rows: Vec<Uttered>) -> (HashMap<String, u32>, u64) {
    rows.sort_by_key(|row| row.seq);
    let mut lanes: HashMap<String, u32> = HashMap::new();
    let mut bytes = 0;
    for row in rows {
        if row.kind == EventKind::RunRestarted.as_str() {
            forget(&mut lanes, &serde_json::from_str(&row.data).unwrap_or_default());
            continue;
        }
        bytes += row.data.len() as u64;
        let place = row.path.as_deref().and_then(|path| path.rsplit_once('#'));
        if let Some((lane, ordinal)) = place
            && let Ok(ordinal) = ordinal.parse::<u32>()
        {
            let count = lanes.entry(lane.to_owned()).or_insert(0);
            *count = (*count).max(ordinal + 1);
        }
    }
    (lanes, bytes)
}

/// A restart from an earlier step: the run's own lane is back where it was then, and later branches are to come.
fn forget(lanes: &mut HashMap<String, u32>, restart: &Value) {
    let Some(from) = restart["from"].as_str().and_then(|text| text.parse::<StepPath>().ok()) else { return };
    lanes.retain(|lane, _| lane.is_empty() || from.ordinal > root_ordinal(lane));
    if let Some(outputs) = restart["outputs"].as_u64() {
        lanes.insert(String::new(), u32::try_from(outputs).unwrap_or(u32::MAX));
    }
}

/// The step of the run's own lane that a branch belongs to.
fn root_ordinal(lane: &str) -> u32 {
    lane.split('/').next().and_then(|first| first.parse().ok()).unwrap_or(u32::MAX)
}

//! Events: numbered rows that watchers read after their cursor.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_model::{Event, EventKind, RunId, event::NewEvent};

use crate::{apply::Cx, connection::AnyConnection, error::Applied, hot, schema::events};

/// Writes events with consecutive numbers from `first`.
pub(crate) fn insert(cx: &mut Cx, run: &RunId, first: i64, new: &[NewEvent]) -> Applied<()> {
    for (seq, event) in (first..).zip(new) {
        insert_one(cx, run, seq, event)?;
    }
    cx.told.wrote(run);
    Ok(())
}

fn insert_one(cx: &mut Cx, run: &RunId, seq: i64, event: &NewEvent) -> Applied<()> {
    let (run, kind, data) = (run.as_str(), event.kind.as_str(), event.data.as_str());
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            hot::Tell { run, seq: &seq, at_ms: &cx.now_ms, kind, path: &event.path, data }.execute(c)
        }
        AnyConnection::Postgres(c) => diesel::insert_into(events::table)
            .values((
                events::run_id.eq(run),
                events::seq.eq(seq),
                events::at_ms.eq(cx.now_ms),
                events::kind.eq(kind),
                events::path.eq(event.path.as_deref()),
                events::data.eq(data),
            ))
            .execute(c),
    }?;
    Ok(())
}

type Row = (i64, i64, String, Option<String>, String);

/// Events after a number, in order.
pub(crate) fn after(conn: &mut AnyConnection, run: &RunId, seq: i64, limit: u32) -> QueryResult<Vec<Event>> {
    let rows: Vec<Row> = events::table
        .filter(events::run_id.eq(run.as_str()))
        .filter(events::seq.gt(seq))
        .order(events::seq)
        .limit(i64::from(limit))
        .select((events::seq, events::at_ms, events::kind, events::path, events::data))
        .load(conn)?;
    Ok(rows.into_iter().map(|row| event(run, row)).collect())
}

fn event(run: &RunId, (seq, at_ms, kind, path, data): Row) -> Event {
    // A kind of a later program shows as a log line instead of hiding the events after it.
    let kind = EventKind::parse(&kind).unwrap_or(EventKind::Log);
    Event { run: run.clone(), seq, at_ms, kind, path, data: serde_json::from_str(&data).unwrap_or_default() }
}

/// How many outputs each lane has emitted, and the bytes of all of them.
pub(crate) fn outputs(conn: &mut AnyConnection, run: &RunId) -> QueryResult<(HashMap<String, u32>, u64)> {
    let rows: Vec<(Option<String>, String)> = events::table
        .filter(events::run_id.eq(run.as_str()))
        .filter(
            events::kind
                .eq("output.log")
                .or(events::kind.eq("output.progress"))
                .or(events::kind.eq("output.annotation")),
        )
        .select((events::path, events::data))
        .load(conn)?;
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

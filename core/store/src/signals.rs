//! Signals: kept until a wait takes them, oldest first; a second delivery with the same id is recognised.

use diesel::prelude::*;
use windlass_model::{RunId, query::SignalRecord};

use crate::{apply::Cx, connection::AnyConnection, error::Applied, schema::signals};

/// A signal that arrives. Its number is that of the event that tells of it.
pub(crate) struct NewSignal<'a> {
    pub run: &'a RunId,
    pub seq: i64,
    pub name: &'a str,
    pub payload: String,
    pub by: &'a str,
    pub id: Option<&'a str>,
}

pub(crate) fn insert(cx: &mut Cx, signal: &NewSignal) -> Applied<()> {
    diesel::insert_into(signals::table)
        .values((
            signals::run_id.eq(signal.run.as_str()),
            signals::seq.eq(signal.seq),
            signals::name.eq(signal.name),
            signals::payload.eq(&signal.payload),
            signals::sent_by.eq(signal.by),
            signals::signal_id.eq(signal.id),
            signals::received_at_ms.eq(cx.now_ms),
        ))
        .execute(cx.conn)?;
    Ok(())
}

/// Whether a delivery with this id came before, taken or not.
pub(crate) fn seen(cx: &mut Cx, run: &RunId, id: &str) -> Applied<bool> {
    let count: i64 = signals::table
        .filter(signals::run_id.eq(run.as_str()))
        .filter(signals::signal_id.eq(id))
        .count()
        .get_result(cx.conn)?;
    Ok(count > 0)
}

/// The number and payload of the oldest signal of this name that nobody took.
pub(crate) fn oldest(cx: &mut Cx, run: &RunId, name: &str) -> Applied<Option<(i64, String)>> {
    Ok(signals::table
        .filter(signals::run_id.eq(run.as_str()))
        .filter(signals::name.eq(name))
        .filter(signals::consumed_by.is_null())
        .order(signals::seq)
        .select((signals::seq, signals::payload))
        .first(cx.conn)
        .optional()?)
}

pub(crate) fn consume(cx: &mut Cx, run: &RunId, seq: i64, path: &str) -> Applied<()> {
    diesel::update(signals::table.find((run.as_str(), seq))).set(signals::consumed_by.eq(path)).execute(cx.conn)?;
    Ok(())
}

type Row = (i64, String, String, String, Option<String>, i64);

/// Signals that nobody took yet, oldest first.
pub(crate) fn open(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<SignalRecord>> {
    let rows: Vec<Row> = signals::table
        .filter(signals::run_id.eq(run.as_str()))
        .filter(signals::consumed_by.is_null())
        .order(signals::seq)
        .select((
            signals::seq,
            signals::name,
            signals::payload,
            signals::sent_by,
            signals::signal_id,
            signals::received_at_ms,
        ))
        .load(conn)?;
    let record = |(seq, name, payload, by, id, received_at_ms): Row| SignalRecord {
        run: run.clone(),
        seq,
        name,
        payload: serde_json::from_str(&payload).unwrap_or_default(),
        by,
        id,
        received_at_ms,
    };
    Ok(rows.into_iter().map(record).collect())
}

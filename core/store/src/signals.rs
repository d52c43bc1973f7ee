//! Signals: kept until a wait takes them, oldest first; a second delivery with the same id is recognised.

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{EventKind, RunId, query::SignalRecord};

use crate::{
    apply::Cx,
    chains,
    connection::AnyConnection,
    error::Applied,
    log::Log,
    schema::{self, signals},
};

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

/// Whether a delivery with this id came before, taken or not: to the run, or to another one of its chain.
pub(crate) fn seen(cx: &mut Cx, run: &RunId, id: &str) -> Applied<bool> {
    let root = chains::root(cx, run.as_str())?;
    let to_first = signals::table.filter(signals::run_id.eq(&root)).filter(signals::signal_id.eq(id));
    if to_first.count().get_result::<i64>(cx.conn)? > 0 {
        return Ok(true);
    }
    let later = schema::chains::table.inner_join(signals::table.on(signals::run_id.eq(schema::chains::run_id)));
    let later = later.filter(schema::chains::root.eq(&root)).filter(signals::signal_id.eq(id));
    Ok(later.count().get_result::<i64>(cx.conn)? > 0)
}

/// Gives signals that nobody took to the run that continues this one, as if they came to it now.
pub(crate) fn hand_over(cx: &mut Cx, from: &RunId, to: &RunId, log: &mut Log) -> Applied<()> {
    for signal in open(cx.conn, from)? {
        diesel::update(signals::table.find((from.as_str(), signal.seq)))
            .set((signals::run_id.eq(to.as_str()), signals::seq.eq(log.next_seq())))
            .execute(cx.conn)?;
        log.run(
            EventKind::SignalReceived,
            json!({ "name": signal.name, "payload": signal.payload, "by": signal.by, "from": from }),
        );
    }
    Ok(())
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

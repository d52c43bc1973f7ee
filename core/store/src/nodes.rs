//! Which nodes are there. A row is a node's own word: what it may do hangs on its leases, and on nothing that stands here.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_model::{
    Code, NodeId,
    command::{Beat, Reply},
    query::NodeRecord,
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::both,
    error::{Applied, refuse},
    leases, schema,
    schema::nodes,
};

/// Nodes that weren't heard of for so long are forgotten.
const FORGOTTEN_MS: i64 = 86_400_000;

/// Notes that a node is there, and extends its leases.
pub(crate) fn beat(cx: &mut Cx, beat: &Beat, expires_at_ms: i64) -> Applied<Reply> {
    let held = leases::renew(cx, &beat.node, &beat.runs, expires_at_ms)?;
    let row = (
        nodes::started_at_ms.eq(beat.started_at_ms),
        nodes::seen_at_ms.eq(cx.now_ms),
        nodes::version.eq(&beat.version),
        nodes::workers.eq(i64::from(beat.workers)),
        nodes::running.eq(beat.runs.len() as i64),
    );
    // A node that has begun anew isn't the one that was to be drained. The database says it of the row as it stands when it
    // is written: somebody may drain the node at this moment.
    let draining = nodes::draining.and(nodes::started_at_ms.eq(beat.started_at_ms));
    let known: Option<bool> = both!(cx.conn, c => diesel::update(nodes::table.find(beat.node.as_str()))
        .set((row, nodes::draining.eq(draining)))
        .returning(nodes::draining)
        .get_result(c)
        .optional())?;
    if known.is_none() {
        both!(cx.conn, c => diesel::insert_into(nodes::table)
            .values((nodes::id.eq(beat.node.as_str()), row, nodes::draining.eq(false)))
            .on_conflict_do_nothing()
            .execute(c))?;
        diesel::delete(nodes::table.filter(nodes::seen_at_ms.lt(cx.now_ms - FORGOTTEN_MS))).execute(cx.conn)?;
    }
    let draining = known.unwrap_or(false);
    Ok(Reply::Beat { draining, held })
}

/// Forgets a node that goes.
pub(crate) fn leave(cx: &mut Cx, node: &NodeId) -> Applied<()> {
    diesel::delete(nodes::table.find(node.as_str())).execute(cx.conn)?;
    Ok(())
}

/// Says whether a node should claim nothing more.
pub(crate) fn drain(cx: &mut Cx, node: &NodeId, draining: bool) -> Applied<()> {
    let changed =
        diesel::update(nodes::table.find(node.as_str())).set(nodes::draining.eq(draining)).execute(cx.conn)?;
    if changed == 0 {
        return refuse(Code::NotFound, format!("there is no node `{node}`"));
    }
    Ok(())
}

type Row = (String, i64, i64, String, i64, i64, bool);

/// All nodes, by name.
pub(crate) fn list(conn: &mut AnyConnection) -> QueryResult<Vec<NodeRecord>> {
    let rows: Vec<Row> = nodes::table.order(nodes::id).load(conn)?;
    // What a node last said may be older than what it has taken up since.
    let held: Vec<(Option<String>, i64)> = schema::leases::table
        .filter(schema::leases::expires_at_ms.is_not_null())
        .group_by(schema::leases::node)
        .select((schema::leases::node, diesel::dsl::count_star()))
        .load(conn)?;
    let held: HashMap<String, i64> =
        held.into_iter().filter_map(|(node, count)| node.map(|node| (node, count))).collect();
    let record = |(id, started_at_ms, seen_at_ms, version, workers, _, draining): Row| NodeRecord {
        running: held.get(&id).map_or(0, |count| u32::try_from(*count).unwrap_or(u32::MAX)),
        id: id.as_str().into(),
        started_at_ms,
        seen_at_ms,
        version,
        workers: u32::try_from(workers).unwrap_or(u32::MAX),
        draining,
    };
    Ok(rows.into_iter().map(record).collect())
}

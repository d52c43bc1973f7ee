//! Runs that go on as new ones: the first gives the chain its name, and the last one's end is what all of them came to.

use diesel::prelude::*;
use windlass_model::RunId;

use crate::{apply::Cx, error::Applied, schema::chains};

/// The first run of the chain that this one is of: itself, if it continues none.
pub(crate) fn root(cx: &mut Cx, run: &str) -> Applied<String> {
    Ok(place(cx, run)?.map_or_else(|| run.to_owned(), |(root, _)| root))
}

fn place(cx: &mut Cx, run: &str) -> Applied<Option<(String, i64)>> {
    let query = chains::table.find(run).select((chains::root, chains::round));
    Ok(query.first(cx.conn).optional()?)
}

/// The run that a chain has come to, by the chain's first run; none if that has not gone on.
pub(crate) fn latest(cx: &mut Cx, root: &str) -> Applied<Option<RunId>> {
    let query = chains::table.filter(chains::root.eq(root)).order(chains::round.desc()).select(chains::run_id);
    Ok(query.first::<String>(cx.conn).optional()?.map(RunId::from))
}

/// Notes that a run goes on as another one.
pub(crate) fn link(cx: &mut Cx, from: &RunId, to: &RunId) -> Applied<()> {
    let (root, round) = place(cx, from.as_str())?.unwrap_or_else(|| (from.to_string(), 0));
    diesel::insert_into(chains::table)
        .values((chains::run_id.eq(to.as_str()), chains::root.eq(root), chains::round.eq(round + 1)))
        .execute(cx.conn)?;
    Ok(())
}

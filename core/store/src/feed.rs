//! The feed of all events: in the order of commits, behind a cursor, however many nodes write. SQLite has one writer, so
//! ids are in that order. PostgreSQL gives ids out before commits: there a row is told once every transaction that began
//! before its own has ended, and rows are ordered by transaction. PostgreSQL asks that of the whole server: a long
//! transaction in any of its databases holds the feed back, and nothing is lost.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use diesel::{
    connection::DefaultLoadingMode,
    dsl::{AsSelect, SqlTypeOf},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use windlass_model::{
    Code, EventKind, Problem, RunId,
    query::{FeedEvent, FeedFilter, FeedPage},
};

use crate::{
    connection::AnyConnection,
    error::StoreError,
    events,
    journal_log::{self, LogRow},
    log::SYSTEM,
    schema::{log, runs},
};

/// Rows that one call looks at, at most: a filter that fits nothing must not read the whole log.
const SCAN: usize = 5_000;
/// Rows that are read at once.
const PAGE: i64 = 500;
/// Runs up to which what takes least for a few is done.
const FEW: usize = 24;

/// A place in the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// PostgreSQL: the row's transaction.
    xid: u64,
    id: i64,
}

impl Place {
    /// Reads a cursor.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, StoreError> {
        let Some(text) = text else { return Ok(Self::default()) };
        let parsed = text
            .split_once('.')
            .and_then(|(xid, id)| Some(Self { xid: xid.parse().ok()?, id: id.parse().ok().filter(|id| *id >= 0)? }));
        parsed.ok_or_else(|| {
            let problem = Problem::new(Code::InvalidInput, format!("`{text}` isn't a cursor of this feed"));
            StoreError::Refused(problem.help("take it from an event's id, or leave it out to begin at the beginning"))
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xid, self.id)
    }
}

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = Text)]
    xid: String,
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl PlaceRow {
    // PostgreSQL prints its own numbers.
    fn place(self) -> Place {
        Place { xid: self.xid.parse().unwrap_or(u64::MAX), id: self.id }
    }
}

/// The next rows, each with its place. A row may have gone with its run meanwhile, or be none of those that are asked for.
fn rows(
    conn: &mut AnyConnection,
    after: Place,
    filter: &FeedFilter,
    limit: i64,
) -> QueryResult<Vec<(Place, Option<LogRow>)>> {
    if let AnyConnection::Sqlite(c) = conn {
        let kinds = wanted_kinds(filter);
        if let Some(kinds) = &kinds {
            let last = last_id(c)?;
            // Only the last of many is news to somebody who follows: he needn't look at the others himself.
            if (after.id..after.id.saturating_add(limit)).contains(&last) {
                let rows = Fitting { after: after.id, last, kinds };
                let rows = rows.load_iter::<(i64, LogRow), DefaultLoadingMode>(c)?;
                let rows = rows.map(|row| row.map(|(id, row)| (Place { xid: 0, id }, Some(row))));
                let looked_through = std::iter::once(Ok((Place { xid: 0, id: last }, None)));
                return rows.chain(looked_through).collect();
            }
        }
        // Without a LIMIT: with one, SQLite prepares a statement anew each time.
        let found = log::table.filter(log::id.gt(after.id)).order(log::id);
        if filter.kinds.is_empty() && filter.run.is_none() {
            let rows =
                found.select((log::id, LogRow::as_select())).load_iter::<(i64, LogRow), DefaultLoadingMode>(c)?;
            let place = |row: QueryResult<(i64, LogRow)>| row.map(|(id, row)| (Place { xid: 0, id }, Some(row)));
            return rows.take(limit as usize).map(place).collect();
        }
        // Most of many rows are looked at for nothing: what they hold isn't read.
        let heads = found.select((log::id, log::run_id, log::kind));
        let heads = heads.load_iter::<(i64, String, String), DefaultLoadingMode>(c)?;
        let heads: Vec<_> = heads.take(limit as usize).collect::<QueryResult<_>>()?;
        let row = |(id, run, kind): (i64, String, String)| {
            let row = may_fit(filter, &run, &kind)
                .then(|| log::table.find(id).select(LogRow::as_select()).get_result(c).optional());
            Ok((Place { xid: 0, id }, row.transpose()?.flatten()))
        };
        return heads.into_iter().map(row).collect();
    }
    let places = places(conn, after, limit)?;
    let ids: Vec<i64> = places.iter().map(|place| place.id).collect();
    let mut rows: HashMap<i64, LogRow> = journal_log::by_ids(conn, &ids)?.into_iter().collect();
    Ok(places.into_iter().map(|place| (place, rows.remove(&place.id))).collect())
}

/// The kinds that fit, as a JSON array; `None` where all do, or some that aren't known here.
fn wanted_kinds(filter: &FeedFilter) -> Option<String> {
    if is_wanted(filter, EventKind::Log.as_str()) {
        return None;
    }
    let fits = |kind: &&EventKind| is_wanted(filter, kind.as_str());
    Some(serde_json::Value::from_iter(EventKind::ALL.iter().filter(fits).map(|kind| kind.as_str())).to_string())
}

fn last_id(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let last: Option<i64> = log::table.select(diesel::dsl::max(log::id)).first(conn)?;
    Ok(last.unwrap_or(0))
}

/// SQLite's rows of some kinds between two places, the second one included. A statement that is prepared once, whatever the kinds are.
struct Fitting<'a> {
    after: i64,
    last: i64,
    kinds: &'a String,
}

impl QueryId for Fitting<'_> {
    type QueryId = Fitting<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Fitting<'_> {
    type SqlType = (BigInt, SqlTypeOf<AsSelect<LogRow, Sqlite>>);
}

impl QueryFragment<Sqlite> for Fitting<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT id, run_id, seq, at_ms, kind, path, data, op, class, digest, args, site, outcome, failed, attempts, started_at_ms \
             FROM log WHERE id > ",
        );
        pass.push_bind_param::<BigInt, i64>(&self.after)?;
        pass.push_sql(" AND id <= ");
        pass.push_bind_param::<BigInt, i64>(&self.last)?;
        pass.push_sql(" AND kind IN (SELECT value FROM json_each(");
        pass.push_bind_param::<Text, String>(self.kinds)?;
        pass.push_sql(")) ORDER BY id");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Fitting<'_> {}

/// Places of the next rows in PostgreSQL.
fn places(conn: &mut AnyConnection, after: Place, limit: i64) -> QueryResult<Vec<Place>> {
    match conn {
        AnyConnection::Sqlite(_) => Ok(Vec::new()),
        AnyConnection::Postgres(c) => {
            let rows: Vec<PlaceRow> = diesel::sql_query(
                "SELECT xid::text AS xid, id FROM log WHERE (xid, id) > ($1::xid8, $2) \
                 AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY log.xid, log.id LIMIT $3",
            )
            .bind::<Text, _>(after.xid.to_string())
            .bind::<BigInt, _>(after.id)
            .bind::<BigInt, _>(limit)
            .load(c)?;
            Ok(rows.into_iter().map(PlaceRow::place).collect())
        }
    }
}

/// The place behind everything that is committed now, and before everything that isn't.
pub(crate) fn end(conn: &mut AnyConnection) -> QueryResult<Place> {
    match conn {
        AnyConnection::Sqlite(c) => Ok(Place { xid: 0, id: last_id(c)? }),
        AnyConnection::Postgres(c) => {
            let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid, 0::bigint AS id";
            diesel::sql_query(text).get_result::<PlaceRow>(c).map(PlaceRow::place)
        }
    }
}

/// Events after a place.
pub(crate) fn after(
    conn: &mut AnyConnection,
    mut place: Place,
    filter: &FeedFilter,
    limit: u32,
) -> QueryResult<FeedPage> {
    let mut page = FeedPage { next: place.to_string(), ..FeedPage::default() };
    let (mut known, mut scanned) = (HashMap::new(), 0);
    while scanned < SCAN {
        let found = rows(conn, place, filter, PAGE)?;
        let full = found.len() as i64 == PAGE;
        let asked = found.iter().filter_map(|(_, row)| row.as_ref());
        let asked = asked.filter(|row| may_fit(filter, &row.run_id, &row.kind));
        learn(conn, &mut known, asked.map(|row| row.run_id.as_str()))?;
        for (next, row) in found {
            if page.events.len() >= limit as usize {
                page.more = true;
                return Ok(page);
            }
            scanned += 1;
            place = next;
            page.next = place.to_string();
            let Some(row) = row else { continue };
            let run = RunId::from(row.run_id.as_str());
            let owner = known.get(row.run_id.as_str()).cloned().flatten();
            if run.as_str() != SYSTEM && owner.is_none() {
                continue;
            }
            let (organisation, workflow) = owner.unzip();
            let event = events::event(&run, row);
            // Of no run, but of an organisation's lab: nobody else's business.
            let own = event.data["organisation"].as_str().filter(|_| run.as_str() == SYSTEM);
            let organisation = organisation.or_else(|| own.map(str::to_owned));
            let found = FeedEvent { cursor: page.next.clone(), organisation, workflow, event };
            if fits(filter, &found) {
                page.events.push(found);
            }
        }
        if !full {
            return Ok(page);
        }
    }
    page.more = true;
    Ok(page)
}

/// Organisations and workflows of runs that aren't known yet; `None` for those that are gone.
fn learn<'a>(
    conn: &mut AnyConnection,
    known: &mut HashMap<String, Option<(String, String)>>,
    named: impl Iterator<Item = &'a str>,
) -> QueryResult<()> {
    let missing: BTreeSet<&str> = named.filter(|run| *run != SYSTEM && !known.contains_key(*run)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let columns = (runs::id, runs::organisation, runs::workflow);
    let rows: Vec<(String, String, String)> = match conn {
        // A statement that is prepared once: mostly there is news of a few runs.
        AnyConnection::Sqlite(c) if missing.len() <= FEW => {
            let row = |run: &&str| runs::table.find(*run).select(columns).get_result(c).optional();
            missing.iter().map(row).filter_map(QueryResult::transpose).collect::<QueryResult<_>>()?
        }
        _ => runs::table.filter(runs::id.eq_any(missing.iter().copied())).select(columns).load(conn)?,
    };
    known.extend(missing.into_iter().map(|run| (run.to_owned(), None)));
    known.extend(rows.into_iter().map(|(run, organisation, workflow)| (run, Some((organisation, workflow)))));
    Ok(())
}

/// What the row itself says against the filter.
fn may_fit(filter: &FeedFilter, run: &str, kind: &str) -> bool {
    // A kind of a later program is told as a log line.
    let kind = EventKind::parse(kind).unwrap_or(EventKind::Log).as_str();
    is_wanted(filter, kind) && filter.run.as_ref().is_none_or(|wanted| wanted.as_str() == run)
}

fn is_wanted(filter: &FeedFilter, kind: &str) -> bool {
    let named = |wanted: &String| match wanted.strip_suffix('*') {
        Some(family) => kind.starts_with(family),
        None => kind == wanted,
    };
    filter.kinds.is_empty() || filter.kinds.iter().any(named)
}

fn fits(filter: &FeedFilter, found: &FeedEvent) -> bool {
    let event = &found.event;
    // What belongs to no run is about a workflow, in whatever organisation.
    let workflow = found.workflow.as_deref().or_else(|| event.data["workflow"].as_str()).unwrap_or_default();
    let in_scope = |scope: &windlass_model::query::Scope| match &found.organisation {
        Some(organisation) => scope.covers(organisation, workflow),
        None => scope.covers(&scope.organisation, workflow),
    };
    let of_workflow = |wanted: &String| match wanted.strip_suffix("/*") {
        Some(folder) => workflow.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        None => workflow == wanted,
    };
    may_fit(filter, event.run.as_str(), event.kind.as_str())
        && filter.workflow.as_ref().is_none_or(of_workflow)
        && filter.organisation.as_ref().is_none_or(|wanted| found.organisation.as_ref() == Some(wanted))
        && filter.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(in_scope))
}

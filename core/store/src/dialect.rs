//! Every place where the two databases differ. Elsewhere a query is written once: either over `AnyConnection`, or inside
//! `both!`, which compiles one text for each database where Diesel's common backend can't express it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use diesel::{
    QueryResult, RunQueryDsl as _, connection::AnsiTransactionManager, connection::SimpleConnection as _,
    connection::TransactionManager as _, prelude::*,
};

use crate::{
    connection::AnyConnection,
    hot,
    schema::{leases, run_terms, runs, vouchers},
    tables::Voucher,
};

/// Runs one query text on whichever database the connection is of: for `RETURNING` and `ON CONFLICT`, and where the
/// statement cache of the concrete connection counts.
macro_rules! both {
    ($connection:expr, $c:ident => $query:expr) => {
        match $connection {
            $crate::connection::AnyConnection::Sqlite($c) => $query,
            $crate::connection::AnyConnection::Postgres($c) => $query,
        }
    };
}
pub(crate) use both;

/// One round trip. A process that is paused in the middle of a transaction keeps its locks while its connection lives: the
/// server ends it then. Nobody waits for a lock for longer.
const BEGIN_POSTGRES: &str =
    "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 5000; SET LOCAL lock_timeout = 10000";

/// Begins a transaction that will write. SQLite takes the write lock now: a deferred transaction that finds the lock
/// taken only when it writes can't be continued.
pub(crate) fn begin_write(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => begin_patiently(c),
        AnyConnection::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, BEGIN_POSTGRES),
    }
}

/// So long a transaction waits until other processes let go of an SQLite database.
const LOCKED: Duration = Duration::from_secs(5);

fn begin_patiently(connection: &mut SqliteConnection) -> QueryResult<()> {
    let began = Instant::now();
    loop {
        match AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE") {
            Err(error) if error.to_string().contains("is locked") && began.elapsed() < LOCKED => {
                std::thread::sleep(Duration::from_millis(1));
            }
            begun => return begun,
        }
    }
}

pub(crate) fn commit(connection: &mut AnyConnection) -> QueryResult<()> {
    both!(connection, c => AnsiTransactionManager::commit_transaction(c))
}

pub(crate) fn roll_back(connection: &mut AnyConnection) -> QueryResult<()> {
    both!(connection, c => AnsiTransactionManager::rollback_transaction(c))
}

/// Keeps other nodes from deciding about the same name until this transaction ends. In SQLite there is only one writer.
pub(crate) fn exclude_others(connection: &mut AnyConnection, name: &str) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(c) => diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<diesel::sql_types::Text, _>(name)
            .execute(c)
            .map(drop),
    }
}

/// Runs that are due and that nobody holds, earliest first. On PostgreSQL those that another node takes are skipped.
pub(crate) fn due_runs(connection: &mut AnyConnection, now_ms: i64, limit: i64) -> QueryResult<Vec<String>> {
    macro_rules! due {
        () => {
            runs::table
                .inner_join(leases::table.on(leases::run_id.eq(runs::id)))
                .filter(runs::due_at_ms.le(now_ms))
                .filter(leases::node.is_null())
                .order((runs::due_at_ms, runs::id))
                .select(runs::id)
                .limit(limit)
        };
    }
    match connection {
        AnyConnection::Sqlite(c) => due!().load(c),
        AnyConnection::Postgres(c) => due!().for_update().skip_locked().load(c),
    }
}

/// Those of these runs that are still due and that nobody holds or takes now, in this order.
pub(crate) fn still_due(connection: &mut AnyConnection, ids: Vec<String>, now_ms: i64) -> QueryResult<Vec<String>> {
    let AnyConnection::Postgres(c) = connection else { return Ok(ids) };
    let free: BTreeSet<String> = runs::table
        .inner_join(leases::table.on(leases::run_id.eq(runs::id)))
        .filter(runs::id.eq_any(&ids))
        .filter(runs::due_at_ms.le(now_ms))
        .filter(leases::node.is_null())
        .select(runs::id)
        .for_update()
        .skip_locked()
        .load(c)?
        .into_iter()
        .collect();
    Ok(ids.into_iter().filter(|id| free.contains(id)).collect())
}

/// Runs whose lease is over, earliest first.
pub(crate) fn lapsed_runs(connection: &mut AnyConnection, now_ms: i64, limit: i64) -> QueryResult<Vec<String>> {
    // Broken on purpose: as if leases were over long before they are.
    let now_ms = if crate::failpoint::is_broken("lease") { now_ms + 1_900 } else { now_ms };
    macro_rules! lapsed {
        () => {
            leases::table
                .filter(leases::expires_at_ms.le(now_ms))
                .order((leases::expires_at_ms, leases::run_id))
                .select(leases::run_id)
                .limit(limit)
        };
    }
    match connection {
        AnyConnection::Sqlite(c) => lapsed!().load(c),
        AnyConnection::Postgres(c) => lapsed!().for_update().skip_locked().load(c),
    }
}

/// Node, epoch, expiry, next event's number.
type LeaseRow = (Option<String>, i64, Option<i64>, i64);

/// Takes the lease row of one run for this transaction, unless another node holds the row right now.
pub(crate) fn lease_row(connection: &mut AnyConnection, run: &str) -> QueryResult<Option<LeaseRow>> {
    macro_rules! row {
        () => {
            leases::table.find(run).select((leases::node, leases::epoch, leases::expires_at_ms, leases::next_seq))
        };
    }
    match connection {
        AnyConnection::Sqlite(c) => row!().get_result(c).optional(),
        AnyConnection::Postgres(c) => row!().for_update().skip_locked().get_result(c).optional(),
    }
}

/// A voucher, whose row nobody else changes before this transaction ends.
pub(crate) fn voucher_row(connection: &mut AnyConnection, id: &str) -> QueryResult<Option<Voucher>> {
    macro_rules! row {
        () => {
            vouchers::table.find(id).select(Voucher::as_select())
        };
    }
    match connection {
        AnyConnection::Sqlite(c) => row!().first(c).optional(),
        AnyConnection::Postgres(c) => row!().for_update().first(c).optional(),
    }
}

/// What SQLite says of other connections: another number as soon as one of them has written. None where others write anyway.
pub(crate) fn version(connection: &mut AnyConnection) -> QueryResult<Option<i64>> {
    match connection {
        AnyConnection::Sqlite(c) => hot::Version.get_result::<i64>(c).map(Some),
        AnyConnection::Postgres(_) => Ok(None),
    }
}

#[derive(diesel::QueryableByName)]
struct Hint {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}

/// A number that changes when somebody writes. On PostgreSQL it may change without a write of ours.
pub(crate) fn change_hint(connection: &mut AnyConnection) -> QueryResult<i64> {
    let hint: Hint = match connection {
        AnyConnection::Sqlite(c) => {
            diesel::sql_query("SELECT data_version AS value FROM pragma_data_version").get_result(c)?
        }
        AnyConnection::Postgres(c) => {
            diesel::sql_query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS value").get_result(c)?
        }
    };
    Ok(hint.value)
}

/// Until the end of this transaction, lists are read in the order of an index, and never sorted. SQLite is told in each
/// query which index that is.
pub(crate) fn walk_indices(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(c) => c.batch_execute(
            "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; \
             SET LOCAL jit = off",
        ),
    }
}

/// Adds terms to a run, in one statement.
pub(crate) fn put_terms(connection: &mut AnyConnection, run: &str, terms: &BTreeSet<String>) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => {
            let terms = serde_json::Value::from_iter(terms.iter().map(String::as_str)).to_string();
            hot::Terms { run, terms: &terms }.execute(c).map(drop)
        }
        AnyConnection::Postgres(c) => {
            let rows: Vec<_> = terms.iter().map(|term| (run_terms::term.eq(term), run_terms::run_id.eq(run))).collect();
            diesel::insert_into(run_terms::table).values(&rows).on_conflict_do_nothing().execute(c).map(drop)
        }
    }
}

/// Commits on this connection don't wait for the disk: somebody else syncs the log (`crate::sync`). Who begins a transaction asks often
/// for its turn: a busy writer of another process lets go of the database for moments.
pub(crate) fn dont_wait_for_the_disk(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => c.batch_execute("PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 20"),
        AnyConnection::Postgres(_) => Ok(()),
    }
}

/// Folds what can be folded of SQLite's log, without waiting for anybody who uses it.
pub(crate) fn fold(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => c.batch_execute("PRAGMA wal_checkpoint(PASSIVE)"),
        AnyConnection::Postgres(_) => Ok(()),
    }
}

/// Folds SQLite's log into the database file, so that a closed store is one file.
pub(crate) fn checkpoint(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(c) => c.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)"),
        AnyConnection::Postgres(_) => Ok(()),
    }
}

/// Says when the `DO UPDATE` of an upsert applies. (`filter` is taken: method lookup finds that of queries first.)
pub(crate) trait OnlyIf: Sized {
    fn only_if<Predicate>(self, predicate: Predicate) -> Self::Output
    where
        Self: diesel::query_dsl::methods::FilterDsl<Predicate>,
    {
        diesel::query_dsl::methods::FilterDsl::filter(self, predicate)
    }
}

impl<Statement> OnlyIf for Statement {}

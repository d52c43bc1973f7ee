//! The statements of a run's life that every run needs, in SQLite's own words: launch, claim, step, end, audit entry. Diesel's
//! `RETURNING` makes SQLite build a table for each answer, and its upserts and updates are prepared anew each time: together
//! that was most of a step's cost, and a third of a launch's. PostgreSQL runs the same changes through the query builder,
//! where a round trip saved is worth more.

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
    sqlite::Sqlite,
};

/// What changes when another connection has written. In SQLite's own words, too: the function of this name prepares a statement each time.
pub(crate) struct Version;

impl QueryId for Version {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Version {
    type SqlType = BigInt;
}

impl QueryFragment<Sqlite> for Version {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("PRAGMA data_version");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Version {}

/// What stands between the `?` of a statement, found when this is compiled.
pub(crate) const fn pieces<const N: usize>(sql: &str) -> [&str; N] {
    let mut pieces = [""; N];
    let (mut rest, mut count, mut at) = (sql, 0, 0);
    while at < rest.len() {
        if rest.as_bytes()[at] == b'?' {
            let (piece, tail) = rest.split_at(at);
            pieces[count] = piece;
            rest = tail.split_at(1).1;
            (count, at) = (count + 1, 0);
        } else {
            at += 1;
        }
    }
    pieces[count] = rest;
    assert!(count + 1 == N, "a statement has as many values as places for them");
    pieces
}

/// Declares a statement of a database: its text with a `?` for each value, and the values in that order.
macro_rules! statement_of {
    ($backend:ty, $connection:ty; $(#[$doc:meta])* $name:ident = $sql:literal, $($field:ident: $rust:ty as $sql_type:ty),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name<'a> {
            $(pub $field: &'a $rust,)+
        }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<'a> QueryFragment<$backend> for $name<'a> {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                // Walked several times for each execution, and only the first time of all for its text.
                const VALUES: usize = [$(stringify!($field)),+].len();
                const PIECES: [&str; VALUES + 1] = $crate::hot::pieces($sql);
                let mut pieces = PIECES.into_iter();
                pass.push_sql(pieces.next().unwrap_or_default());
                $(
                    pass.push_bind_param::<$sql_type, $rust>(self.$field)?;
                    pass.push_sql(pieces.next().unwrap_or_default());
                )+
                Ok(())
            }
        }

        impl RunQueryDsl<$connection> for $name<'_> {}
    };
}
pub(crate) use statement_of;

macro_rules! statement {
    ($($rest:tt)*) => {
        statement_of!(Sqlite, SqliteConnection; $($rest)*);
    };
}

statement!(
    /// A launched run; no row: there is one with this id.
    Run = "INSERT INTO runs (id, workflow, bundle, state, due_at_ms, input, launched_by, idempotency_key, rollback, parent_run, \
              parent_path, continues, tags, recoveries, launched_at_ms, started_at_ms, deadline_at_ms, \
              retention_ms, cancel_requested, concurrency_key, concurrency_limit, organisation, \
              priority, rate_key, rate_limit, rate_per_ms, rate_at_ms, restored_at_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO NOTHING",
    id: str as Text,
    workflow: str as Text,
    bundle: str as Text,
    state: str as Text,
    due_at_ms: Option<i64> as Nullable<BigInt>,
    input: str as Text,
    launched_by: str as Text,
    idempotency_key: Option<String> as Nullable<Text>,
    rollback: str as Text,
    parent_run: Option<String> as Nullable<Text>,
    parent_path: Option<String> as Nullable<Text>,
    continues: Option<String> as Nullable<Text>,
    tags: str as Text,
    recoveries: i64 as BigInt,
    launched_at_ms: i64 as BigInt,
    started_at_ms: Option<i64> as Nullable<BigInt>,
    deadline_at_ms: Option<i64> as Nullable<BigInt>,
    retention_ms: Option<i64> as Nullable<BigInt>,
    cancel_requested: bool as Bool,
    concurrency_key: Option<String> as Nullable<Text>,
    concurrency_limit: Option<i64> as Nullable<BigInt>,
    organisation: str as Text,
    priority: i64 as BigInt,
    rate_key: Option<String> as Nullable<Text>,
    rate_limit: Option<i64> as Nullable<BigInt>,
    rate_per_ms: Option<i64> as Nullable<BigInt>,
    rate_at_ms: Option<i64> as Nullable<BigInt>,
    restored_at_ms: Option<i64> as Nullable<BigInt>,
);

statement!(
    /// Who works on a launched run, and its next event's number.
    Lease = "INSERT INTO leases (run_id, node, epoch, expires_at_ms, next_seq) VALUES (?, ?, ?, ?, ?)",
    run: str as Text,
    node: Option<&'a str> as Nullable<Text>,
    epoch: i64 as BigInt,
    expires_at_ms: Option<i64> as Nullable<BigInt>,
    next_seq: i64 as BigInt,
);

statement!(
    /// What a run is found by: one statement for all of it, given as a JSON array.
    Terms = "INSERT OR IGNORE INTO run_terms (term, run_id) SELECT value, ? FROM json_each(?)",
    run: str as Text,
    terms: str as Text,
);

statement!(
    /// A claim; the epoch rises.
    TakeLease = "UPDATE leases SET node = ?, expires_at_ms = ?, epoch = epoch + 1 WHERE run_id = ?",
    node: str as Text,
    expires_at_ms: i64 as BigInt,
    run: str as Text,
);

statement!(
    /// A lease's end.
    FreeLease = "UPDATE leases SET node = NULL, expires_at_ms = NULL, next_seq = ? WHERE run_id = ?",
    next_seq: i64 as BigInt,
    run: str as Text,
);

statement!(
    /// A run's next event's number, after some were written.
    NextSeq = "UPDATE leases SET next_seq = ? WHERE run_id = ?",
    next_seq: i64 as BigInt,
    run: str as Text,
);

statement!(
    /// A run that a worker takes.
    ClaimRun = "UPDATE runs SET state = ?, waiting_on = NULL, due_at_ms = NULL, started_at_ms = ?, recoveries = ? \
                WHERE id = ?",
    state: str as Text,
    started_at_ms: i64 as BigInt,
    recoveries: i64 as BigInt,
    run: str as Text,
);

statement!(
    /// A run that ends.
    EndRun = "UPDATE runs SET state = ?, waiting_on = NULL, due_at_ms = NULL, output = ?, problem = ?, ended_at_ms = ? \
              WHERE id = ?",
    state: str as Text,
    output: Option<&'a str> as Nullable<Text>,
    problem: Option<String> as Nullable<Text>,
    ended_at_ms: i64 as BigInt,
    run: str as Text,
);

statement!(
    /// A step's intent; a second one counts an attempt. No row: the step has gone beyond that.
    Start = "INSERT INTO steps (run_id, path, op, class, state, args, digest, site, attempts, started_at_ms) \
             VALUES (?, ?, ?, ?, 'started', ?, ?, ?, 1, ?) \
             ON CONFLICT (run_id, path) DO UPDATE SET attempts = steps.attempts + 1 WHERE steps.state = 'started'",
    run: str as Text,
    path: str as Text,
    op: str as Text,
    class: str as Text,
    args: str as Text,
    digest: [u8] as Binary,
    site: str as Text,
    started_at_ms: i64 as BigInt,
);

statement!(
    /// A step's outcome, which is its event too.
    Finish = "INSERT INTO log (id, run_id, seq, at_ms, kind, path, data, op, class, digest, args, site, outcome, failed, \
              attempts, started_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    id: i64 as BigInt,
    run: str as Text,
    seq: i64 as BigInt,
    at_ms: i64 as BigInt,
    kind: str as Text,
    path: str as Text,
    data: Option<&'a str> as Nullable<Text>,
    op: str as Text,
    class: str as Text,
    digest: [u8] as Binary,
    args: str as Text,
    site: str as Text,
    outcome: str as Text,
    failed: bool as Bool,
    attempts: i64 as BigInt,
    started_at_ms: i64 as BigInt,
);

statement!(
    /// An event.
    Tell = "INSERT INTO log (id, run_id, seq, at_ms, kind, path, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
    id: i64 as BigInt,
    run: str as Text,
    seq: i64 as BigInt,
    at_ms: i64 as BigInt,
    kind: str as Text,
    path: Option<&'a str> as Nullable<Text>,
    data: Option<&'a str> as Nullable<Text>,
);

statement!(
    /// Where a run has a row.
    Block = "INSERT OR IGNORE INTO log_blocks (run_id, block, first_seq) VALUES (?, ?, ?)",
    run: str as Text,
    block: i64 as BigInt,
    first_seq: i64 as BigInt,
);

statement!(
    /// An entry of the audit log.
    Audit = "INSERT INTO audit (seq, at_ms, actor, organisation, action, target, source, before, after, previous, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    seq: i64 as BigInt,
    at_ms: i64 as BigInt,
    actor: str as Text,
    organisation: str as Text,
    action: str as Text,
    target: str as Text,
    source: str as Text,
    before: str as Text,
    after: str as Text,
    previous: str as Text,
    hash: str as Text,
);

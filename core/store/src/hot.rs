//! The statements of a journaled step and of an audit entry, in SQLite's own words. Diesel's `RETURNING` makes SQLite build a table for
//! each answer, and its upserts are prepared anew each time: together that was most of a step's cost. PostgreSQL runs
//! the same changes through the query builder, where a round trip saved is worth more.

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
    sqlite::Sqlite,
};

/// Declares a statement: its text with a `?` for each value, and the values in that order.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident = $sql:literal, $($field:ident: $rust:ty as $sql_type:ty),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name<'a> {
            $(pub $field: &'a $rust,)+
        }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<'a> QueryFragment<Sqlite> for $name<'a> {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                let mut pieces = $sql.split('?');
                pass.push_sql(pieces.next().unwrap_or_default());
                $(
                    pass.push_bind_param::<$sql_type, $rust>(self.$field)?;
                    pass.push_sql(pieces.next().unwrap_or_default());
                )+
                Ok(())
            }
        }

        impl RunQueryDsl<SqliteConnection> for $name<'_> {}
    };
}

statement!(
    /// Checks the epoch, and sets event numbers aside; no row: the lease is lost.
    Allocate = "UPDATE leases SET next_seq = next_seq + ? WHERE run_id = ? AND epoch = ? AND node IS NOT NULL",
    count: i64 as BigInt,
    run: str as Text,
    epoch: i64 as BigInt,
);

statement!(
    /// The same for a run whose next number is known; no row: the lease is lost, or the number is another one.
    AllocateFrom = "UPDATE leases SET next_seq = ? WHERE run_id = ? AND epoch = ? AND next_seq = ? AND node IS NOT NULL",
    after: i64 as BigInt,
    run: str as Text,
    epoch: i64 as BigInt,
    first: i64 as BigInt,
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

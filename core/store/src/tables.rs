//! Every table as it stands, row by row in the order of its key: for copying and for checking. Memory doesn't grow with
//! the table.

use diesel::{connection::DefaultLoadingMode, pg::PgRowByRowLoadingMode, prelude::*};

use crate::{connection::AnyConnection, dialect::both, schema};

/// A table whose rows can be streamed and put in elsewhere.
pub(crate) trait Table {
    /// A row.
    type Row: std::fmt::Debug;
    /// Its name.
    const NAME: &'static str;

    /// Gives each row, in the order of the key.
    fn each<E: From<diesel::result::Error>>(
        conn: &mut AnyConnection,
        with: impl FnMut(Self::Row) -> Result<(), E>,
    ) -> Result<(), E>;

    /// Puts rows in.
    fn put(conn: &mut AnyConnection, rows: &[Self::Row]) -> QueryResult<usize>;
}

/// What is done with each table in turn: those that others refer to come first.
pub(crate) trait Visit {
    /// Why it can break off.
    type Error;

    /// Does it with this one.
    fn visit<T: Table>(&mut self) -> Result<(), Self::Error>;
}

macro_rules! tables {
    ($($table:ident $row:ident by ($($key:ident),+) { $($column:ident: $type:ty),+ $(,)? })+) => {
        $(
            #[derive(Debug, Queryable, Selectable, Insertable)]
            #[diesel(table_name = schema::$table)]
            pub(crate) struct $row {
                $(pub $column: $type,)+
            }

            impl Table for $row {
                type Row = Self;
                const NAME: &'static str = stringify!($table);

                fn each<E: From<diesel::result::Error>>(
                    conn: &mut AnyConnection,
                    mut with: impl FnMut(Self) -> Result<(), E>,
                ) -> Result<(), E> {
                    macro_rules! rows {
                        ($c:ident, $mode:ident) => {
                            schema::$table::table
                                .order(($(schema::$table::$key,)+))
                                .select(Self::as_select())
                                .load_iter::<Self, $mode>($c)?
                                .try_for_each(|row| with(row?))
                        };
                    }
                    match conn {
                        AnyConnection::Sqlite(c) => rows!(c, DefaultLoadingMode),
                        AnyConnection::Postgres(c) => rows!(c, PgRowByRowLoadingMode),
                    }
                }

                fn put(conn: &mut AnyConnection, rows: &[Self]) -> QueryResult<usize> {
                    both!(conn, c => diesel::insert_into(schema::$table::table).values(rows).execute(c))
                }
            }
        )+

        /// Goes through all tables.
        pub(crate) fn visit_all<V: Visit>(visitor: &mut V) -> Result<(), V::Error> {
            $(visitor.visit::<$row>()?;)+
            Ok(())
        }

        /// Their names.
        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$(stringify!($table)),+];
    };
}

type Maybe = Option<i64>;
type Word = Option<String>;

// All but `nodes` (processes, which have to say for themselves that they are there), and `log_blocks`, which only SQLite has,
// and which follows from the log.
tables! {
    bundles Bundle by (digest) { digest: String, body: String, created_at_ms: i64 }
    runs Run by (id) {
        id: String, workflow: String, bundle: String, state: String, waiting_on: Word, due_at_ms: Maybe, input: String,
        output: Word, problem: Word, launched_by: String, idempotency_key: Word, rollback: String, parent_run: Word,
        parent_path: Word, continues: Word, tags: String, recoveries: i64, launched_at_ms: i64, started_at_ms: Maybe,
        ended_at_ms: Maybe, deadline_at_ms: Maybe, retention_ms: Maybe, cancel_requested: bool, concurrency_key: Word,
        concurrency_limit: Maybe, organisation: String, priority: i64, rate_key: Word, rate_limit: Maybe,
        rate_per_ms: Maybe, rate_at_ms: Maybe, restored_at_ms: Maybe,
    }
    run_terms Term by (term, run_id) { term: String, run_id: String }
    leases Lease by (run_id) { run_id: String, node: Word, epoch: i64, expires_at_ms: Maybe, next_seq: i64 }
    steps Step by (run_id, path) {
        run_id: String, path: String, op: String, class: String, state: String, args: String, digest: Vec<u8>,
        site: String, attempts: i64, started_at_ms: i64,
    }
    log Event by (id) {
        id: i64, run_id: String, seq: i64, at_ms: i64, kind: String, path: Word, data: Word, op: Word, class: Word,
        digest: Option<Vec<u8>>, args: Word, site: Word, outcome: Word, failed: Option<bool>, attempts: Maybe,
        started_at_ms: Maybe,
    }
    waits Wait by (run_id, path) {
        run_id: String, path: String, reason: String, name: Word, due_at_ms: Maybe, spec: String, since_ms: i64,
    }
    signals Signal by (run_id, seq) {
        run_id: String, seq: i64, name: String, payload: String, sent_by: String, signal_id: Word, received_at_ms: i64,
        consumed_by: Word,
    }
    approvals Approval by (run_id, path) {
        run_id: String, path: String, request: String, settled: bool, asked_at_ms: i64,
    }
    decisions Decision by (run_id, path, decided_by) {
        run_id: String, path: String, decided_by: String, seq: i64, approved: bool, comment: Word, form: String,
        digest: String, decided_at_ms: i64,
    }
    locks Lock by (name) { name: String, run_id: String, acquired_at_ms: i64 }
    lost_locks LostLock by (run_id, name) { run_id: String, name: String }
    chains Chain by (run_id) { run_id: String, root: String, round: i64 }
    kv Pair by (key) { key: String, value: String, updated_at_ms: i64 }
    resources Resource by (run_id, provider, kind, id) {
        run_id: String, provider: String, kind: String, id: String, origin: String, path: String, state: String,
        created_at_ms: i64, updated_at_ms: i64, organisation: String,
    }
    undo Undo by (run_id, seq) {
        run_id: String, seq: i64, origin: String, path: String, spec: String, site: String, state: String, error: Word,
        started_at_ms: Maybe,
    }
    artifacts Artifact by (run_id, name) {
        run_id: String, name: String, media_type: String, bytes: i64, digest: String, content: Vec<u8>,
        created_at_ms: i64,
    }
    secrets Secret by (name) { name: String, sealed: Vec<u8>, policy: String, created_at_ms: i64, updated_at_ms: i64 }
    documents Document by (kind, id) {
        kind: String, id: String, organisation: String, version: i64, body: String, created_at_ms: i64,
        updated_at_ms: i64, expires_at_ms: Maybe,
    }
    document_keys Key by (kind, key) { kind: String, key: String, id: String }
    audit Entry by (seq) {
        seq: i64, at_ms: i64, actor: String, organisation: String, action: String, target: String, source: String,
        before: String, after: String, previous: String, hash: String,
    }
    voucher_batches VoucherBatch by (id) {
        id: String, issuer: String, name: String, key: String, count: i64, credit: i64, currency: String, signed: bool,
        created_by: String, created_at_ms: i64,
    }
    vouchers Voucher by (id) {
        id: String, batch: Word, issuer: String, origin: Word, lookup: String, sealed: String, nonce: String, credit: i64,
        currency: String, description: String, active: bool, max_redemptions: i64, times_redeemed: i64, products: String,
        expires_at_ms: Maybe, created_at_ms: i64, deleted_at_ms: Maybe,
    }
    ledger_accounts LedgerAccount by (id) {
        id: String, organisation: String, name: String, kind: String, currency: String, created_at_ms: i64,
    }
    // A transaction closes its entries: they stand before it.
    ledger_entries LedgerEntry by (transaction_id, seq) {
        transaction_id: String, seq: i64, account: String, amount: i64, currency: String,
    }
    ledger_transactions LedgerTransaction by (id) {
        id: String, at_ms: i64, kind: String, reference: String, description: String, reverses: Word,
    }
    voucher_redemptions VoucherRedemption by (id) {
        id: String, voucher: String, key: String, customer: String, holder: String, product: Word, amount: i64,
        currency: String, transaction_id: String, redeemed_at_ms: i64, reversed_by: Word, reversed_at_ms: Maybe,
    }
    voucher_claims VoucherClaim by (direction, peer, id) {
        direction: String, peer: String, id: String, voucher: String, organisation: String, nonce: String, amount: i64,
        currency: String, state: String, reason: Word, transaction_id: Word, created_at_ms: i64, settled_at_ms: Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table or a column that somebody adds has to be copied, too.
    #[test]
    fn it_knows_every_table_of_the_schema() {
        #[derive(QueryableByName)]
        struct Name {
            #[diesel(sql_type = diesel::sql_types::Text)]
            name: String,
        }
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/a.db", folder.path().display());
        crate::Store::migrate(&url).unwrap();
        let purpose = crate::connection::Purpose::Read;
        let AnyConnection::Sqlite(mut c) = crate::connection::connect(&url, purpose).unwrap() else { unreachable!() };
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'
                    AND name NOT IN ('nodes', 'log_blocks') ORDER BY name";
        let there: Vec<String> =
            diesel::sql_query(text).load::<Name>(&mut c).unwrap().into_iter().map(|row| row.name).collect();
        let mut known = NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(there, known);
    }
}

//! Everything from one database into another, empty one, in one transaction: SQLite to PostgreSQL, or back. What was read
//! and what stands there afterwards are compared by their digests.

use diesel::{connection::SimpleConnection as _, prelude::*};
use windlass_model::{Code, Problem};

use crate::{
    Store,
    connection::{AnyConnection, Purpose, connect},
    dialect::{self, both},
    error::{StoreError, explain},
    migrate,
    options::Durability,
    tables::{self, Table, Visit},
};

/// Rows of one insert: 32 columns each stay below the 65,535 values that PostgreSQL takes.
const ROWS: usize = 500;
/// Text of one insert, about.
const BYTES: usize = 4 << 20;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// blake3 over all rows in the order of their key, the same on both sides.
    pub digest: String,
}

impl Store {
    /// Copies everything from `source` to `target`, which is brought to this program's schema and has to be empty. Nobody can
    /// write to the source meanwhile. Nothing is there afterwards if it fails.
    pub fn copy(source: &str, target: &str, told: &mut dyn FnMut(&Copied)) -> Result<Vec<Copied>, StoreError> {
        migrate::require_file(source)?;
        let mut from = connect(source, Purpose::Write(Durability::Full))?;
        migrate::require_head(source, &mut from)?;
        migrate::migrate(target)?;
        let mut to = connect(target, Purpose::Write(Durability::Full))?;
        freeze(&mut from).map_err(failed)?;
        let done = dialect::begin_write(&mut to).map_err(failed).and_then(|()| all(&mut from, &mut to, told));
        let ended = match &done {
            Ok(_) => dialect::commit(&mut to),
            Err(_) => dialect::roll_back(&mut to),
        };
        // Nothing was changed there.
        let _ = dialect::roll_back(&mut from);
        let copied = done?;
        ended.map_err(failed)?;
        dialect::checkpoint(&mut to).map_err(failed)?;
        Ok(copied)
    }

    /// Whether nothing is kept in a database, or there is none.
    pub fn is_empty(url: &str) -> Result<bool, StoreError> {
        if let crate::connection::Place::Sqlite(path) = crate::connection::place(url)?
            && !path.exists()
        {
            return Ok(true);
        }
        let mut connection = connect(url, Purpose::Read)?;
        if !has_schema(&mut connection).map_err(failed)? {
            return Ok(true);
        }
        occupied(&mut connection).map(|table| table.is_none()).map_err(failed)
    }
}

fn failed(error: diesel::result::Error) -> StoreError {
    StoreError::Failed(explain(&error))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

fn count(connection: &mut AnyConnection, text: &str) -> QueryResult<i64> {
    let row: Count = both!(connection, c => diesel::sql_query(text).get_result(c))?;
    Ok(row.count)
}

fn has_schema(connection: &mut AnyConnection) -> QueryResult<bool> {
    let text = match connection {
        AnyConnection::Sqlite(_) => {
            "SELECT count(*) AS count FROM sqlite_master WHERE type = 'table' AND name = 'runs'"
        }
        AnyConnection::Postgres(_) => "SELECT count(*) AS count FROM pg_class WHERE oid = to_regclass('runs')",
    };
    Ok(count(connection, text)? > 0)
}

/// The first table with something in it.
fn occupied(connection: &mut AnyConnection) -> QueryResult<Option<&'static str>> {
    for table in
        ["runs", "bundles", "documents", "audit", "secrets", "kv", "resources", "voucher_batches", "ledger_accounts"]
    {
        if count(connection, &format!("SELECT count(*) AS count FROM (SELECT 1 FROM {table} LIMIT 1) AS one"))? > 0 {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Makes the rows of leases say what follows from the events, as they do elsewhere.
const NUMBERED: &str = include_str!("../../../migrations/sqlite/20261202000000_numbers/down.sql");

/// One state of the source, which nobody changes before the transaction ends.
fn freeze(connection: &mut AnyConnection) -> QueryResult<()> {
    dialect::begin_write(connection)?;
    match connection {
        // It is rolled back with the rest.
        AnyConnection::Sqlite(c) => c.batch_execute(NUMBERED),
        AnyConnection::Postgres(c) => c.batch_execute(
            "SET LOCAL idle_in_transaction_session_timeout = 0; \
             LOCK TABLE runs, leases, steps, log, documents, audit, kv, secrets, signals, approvals, vouchers, \
             voucher_redemptions, voucher_claims, ledger_transactions, ledger_entries, ledger_accounts IN SHARE MODE",
        ),
    }
}

fn all(
    from: &mut AnyConnection,
    to: &mut AnyConnection,
    told: &mut dyn FnMut(&Copied),
) -> Result<Vec<Copied>, StoreError> {
    if let Some(table) = occupied(to).map_err(failed)? {
        let message = format!("the database to copy to isn't empty: there is something in `{table}`");
        return Err(StoreError::Refused(Problem::new(Code::Conflict, message).help("name a new, empty database")));
    }
    if let AnyConnection::Postgres(c) = to {
        // The connection is idle while the source is read. Numbers of events stay what they are.
        c.batch_execute(
            "SET LOCAL idle_in_transaction_session_timeout = 0; \
             ALTER TABLE log ALTER COLUMN id SET GENERATED BY DEFAULT",
        )
        .map_err(failed)?;
    }
    let mut copying = Copying { from, to, told, copied: Vec::new() };
    tables::visit_all(&mut copying)?;
    let copied = copying.copied;
    match to {
        AnyConnection::Sqlite(c) => c.batch_execute(
            "INSERT INTO log_blocks (run_id, block, first_seq) \
             SELECT run_id, id / 1024, min(seq) FROM log WHERE run_id <> 'system' GROUP BY run_id, id / 1024",
        ),
        AnyConnection::Postgres(c) => c.batch_execute(
            "SELECT setval(pg_get_serial_sequence('log', 'id'), coalesce(max(id), 0) + 1, false) FROM log; \
             ALTER TABLE log ALTER COLUMN id SET GENERATED ALWAYS",
        ),
    }
    .map_err(failed)?;
    tables::visit_all(&mut Checking { to, copied: copied.iter() })?;
    Ok(copied)
}

struct Copying<'a> {
    from: &'a mut AnyConnection,
    to: &'a mut AnyConnection,
    told: &'a mut dyn FnMut(&Copied),
    copied: Vec<Copied>,
}

impl Visit for Copying<'_> {
    type Error = StoreError;

    fn visit<T: Table>(&mut self) -> Result<(), StoreError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut sum = Sum::default();
        let to = &mut *self.to;
        T::each(self.from, |row| {
            bytes += sum.add(&row);
            rows.push(row);
            if rows.len() >= ROWS || bytes >= BYTES {
                T::put(to, &rows)?;
                rows.clear();
                bytes = 0;
            }
            Ok::<_, diesel::result::Error>(())
        })
        .map_err(failed)?;
        if !rows.is_empty() {
            T::put(self.to, &rows).map_err(failed)?;
        }
        let copied = sum.of(T::NAME);
        (self.told)(&copied);
        self.copied.push(copied);
        Ok(())
    }
}

/// Reads everything again where it was put.
struct Checking<'a> {
    to: &'a mut AnyConnection,
    copied: std::slice::Iter<'a, Copied>,
}

impl Visit for Checking<'_> {
    type Error = StoreError;

    fn visit<T: Table>(&mut self) -> Result<(), StoreError> {
        let mut sum = Sum::default();
        T::each(self.to, |row| {
            sum.add(&row);
            Ok::<_, diesel::result::Error>(())
        })
        .map_err(failed)?;
        let found = sum.of(T::NAME);
        match self.copied.next() {
            Some(copied) if *copied == found => Ok(()),
            copied => Err(StoreError::storage(format!(
                "table `{}` isn't the same after copying: {copied:?} was read, {found:?} stands there",
                T::NAME
            ))),
        }
    }
}

/// Rows, and a digest of all of them.
#[derive(Default)]
struct Sum {
    rows: u64,
    hasher: blake3::Hasher,
    text: String,
}

impl Sum {
    /// Adds a row; about how large it is.
    fn add(&mut self, row: &impl std::fmt::Debug) -> usize {
        use std::fmt::Write as _;
        self.text.clear();
        // Writing into a String can't fail. Debug quotes texts, so that no two rows read alike.
        let _ = writeln!(self.text, "{row:?}");
        self.hasher.update(self.text.as_bytes());
        self.rows += 1;
        self.text.len()
    }

    fn of(&self, table: &'static str) -> Copied {
        Copied { table, rows: self.rows, digest: self.hasher.finalize().to_hex().to_string() }
    }
}

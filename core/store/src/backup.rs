//! A copy of an SQLite database while others write to it, and what is noted in a database that comes back from a copy.

use std::{
    ffi::{CStr, CString},
    path::Path,
    time::Duration,
};

use diesel::{connection::SimpleConnection as _, prelude::*};
use libsqlite3_sys as ffi;
use windlass_model::audit::NewAudit;

use crate::{
    Store, audit,
    connection::{AnyConnection, Purpose, connect},
    dialect::{self, both},
    error::{StoreError, explain},
    options::Durability,
};

/// Pages that are copied at once.
const PAGES: i32 = 2_048;
/// Between two tries to read what another process has locked.
const PAUSE: Duration = Duration::from_millis(50);
/// Tries.
const TRIES: u32 = 200;

/// What is done to a database that comes back from a backup: runs that were open may have gone on since; whoever worked on
/// them then writes nothing any more, not even with an epoch that is given out again; nodes say for themselves that they
/// are there. A PostgreSQL that is younger than the one that the backup is of would hold back events of transactions that it
/// hasn't come to: they go before all of its own.
pub fn restored_sql(now_ms: i64, unchanged: bool, postgres: bool) -> String {
    const OPEN: &str = "ended_at_ms IS NULL";
    let mut sql = String::new();
    if !unchanged {
        sql.push_str(&format!("UPDATE runs SET restored_at_ms = {now_ms} WHERE {OPEN};\n"));
    }
    sql.push_str(&format!(
        "UPDATE leases SET epoch = epoch + 1000000, expires_at_ms = CASE WHEN node IS NULL THEN NULL ELSE 0 END \
         WHERE run_id IN (SELECT id FROM runs WHERE {OPEN});\nDELETE FROM nodes;\n"
    ));
    if postgres {
        // Who follows the feed would wait for those numbers to come: they begin anew.
        sql.push_str(
            "DELETE FROM documents WHERE CASE WHEN kind IN ('notification_place', 'trigger_cursor') \
             THEN EXISTS (SELECT 1 FROM log WHERE xid >= pg_current_xact_id()) \
             OR NULLIF(split_part(body::json->>'cursor', '.', 1), '')::xid8 >= pg_current_xact_id() END;\n",
        );
        sql.push_str("UPDATE log SET xid = '3' WHERE EXISTS (SELECT 1 FROM log WHERE xid >= pg_current_xact_id());\n");
    }
    sql
}

/// Takes away everything of ours in a PostgreSQL database's schema, for one that is replaced as a whole: also what a newer program has
/// made, or its next migration would find it there. Ours is what this role owns, and who owns the tables; what came with an extension
/// stays. What goes along with something else is gone when its turn comes.
pub const DROP_SQL: &str = "SET LOCAL client_min_messages = warning;
DO $drop$
DECLARE
    ours oid[];
    here oid := current_schema()::regnamespace;
    commands text;
BEGIN
    SELECT array_agg(owner) INTO ours FROM (
        SELECT oid AS owner FROM pg_roles WHERE rolname = current_user
        UNION SELECT relowner FROM pg_class WHERE relnamespace = here AND relname = '__diesel_schema_migrations'
    ) AS owners;
    SELECT string_agg(format('DROP %s IF EXISTS %I.%I CASCADE;', CASE relkind WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
            current_schema(), relname), ' ' ORDER BY relkind IN ('r', 'p') DESC, oid) INTO commands
        FROM pg_class AS found WHERE relnamespace = here AND relowner = ANY (ours) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = found.oid AND deptype = 'e');
    EXECUTE coalesce(commands, '');
    SELECT string_agg(format('DROP ROUTINE IF EXISTS %s CASCADE;', oid::regprocedure), ' ' ORDER BY oid) INTO commands
        FROM pg_proc AS found WHERE pronamespace = here AND proowner = ANY (ours)
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = found.oid AND deptype = 'e');
    EXECUTE coalesce(commands, '');
    SELECT string_agg(format('DROP TYPE IF EXISTS %I.%I CASCADE;', current_schema(), typname), ' ' ORDER BY oid) INTO commands
        FROM pg_type AS found WHERE typnamespace = here AND typowner = ANY (ours)
        AND (typtype IN ('e', 'd', 'r')
            OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = found.typrelid AND relkind = 'c'))
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = found.oid AND deptype = 'e');
    EXECUTE coalesce(commands, '');
END
$drop$;
";

fn failed(error: diesel::result::Error) -> StoreError {
    StoreError::Failed(explain(&error))
}

fn change<T>(url: &str, change: impl FnOnce(&mut AnyConnection) -> QueryResult<T>) -> Result<T, StoreError> {
    let mut connection = connect(url, Purpose::Write(Durability::Full))?;
    dialect::begin_write(&mut connection).map_err(failed)?;
    let done = change(&mut connection);
    match &done {
        Ok(_) => dialect::commit(&mut connection).map_err(failed)?,
        Err(_) => dialect::roll_back(&mut connection).map_err(failed)?,
    }
    done.map_err(failed)
}

fn open_runs(connection: &mut AnyConnection) -> QueryResult<u64> {
    use crate::schema::runs;
    let open: i64 = runs::table.filter(runs::ended_at_ms.is_null()).count().get_result(connection)?;
    Ok(open as u64)
}

impl Store {
    /// Notes in a database that it comes from a backup; with `unchanged` only that nobody works on it: then runs go on as if
    /// nothing had happened. The number of runs that are open.
    pub fn mark_restored(url: &str, now_ms: i64, unchanged: bool, entry: NewAudit) -> Result<u64, StoreError> {
        change(url, |connection| {
            let sql = restored_sql(now_ms, unchanged, matches!(connection, AnyConnection::Postgres(_)));
            connection.batch_execute(&sql)?;
            audit::append(connection, vec![(now_ms, entry.clone())])?;
            open_runs(connection)
        })
    }

    /// An entry in the audit log of a database that nobody has open here. The number of runs that are open.
    pub fn note(url: &str, now_ms: i64, entry: NewAudit) -> Result<u64, StoreError> {
        change(url, |connection| {
            audit::append(connection, vec![(now_ms, entry.clone())])?;
            open_runs(connection)
        })
    }

    /// Copies an SQLite database, as it is at one moment, into a file that isn't there yet, and to the disk. Others go on
    /// writing meanwhile.
    pub fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
        // Its configuration is the process's, and is made before the first connection.
        crate::connection::configure_sqlite();
        let source = Raw::open(from, ffi::SQLITE_OPEN_READONLY)?;
        let target = Raw::open(to, ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE)?;
        // What is written while pages are copied would make the copy begin anew: the copy reads from one moment.
        source.run(c"BEGIN")?;
        source.run(c"SELECT count(*) FROM sqlite_master")?;
        target.take_from(&source)?;
        // One file, which needs no other beside it.
        target.run(c"PRAGMA journal_mode = DELETE")?;
        drop(target);
        let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| StoreError::storage(format!("{} can't be written: {error}", to.display())))
    }

    /// Folds the log of an SQLite database into its file, which then stands alone; refused while another process has it open.
    pub fn close_file(path: &Path) -> Result<(), StoreError> {
        crate::connection::configure_sqlite();
        let database = Raw::open(path, ffi::SQLITE_OPEN_READWRITE)?;
        database.run(c"PRAGMA locking_mode = EXCLUSIVE")?;
        database.run(c"PRAGMA journal_mode = DELETE")
    }

    /// Nodes that were heard of since a time.
    pub fn nodes_since(url: &str, since_ms: i64) -> Result<Vec<String>, StoreError> {
        #[derive(QueryableByName)]
        struct Node {
            #[diesel(sql_type = diesel::sql_types::Text)]
            id: String,
        }
        let mut connection = connect(url, Purpose::Read)?;
        let text = format!("SELECT id FROM nodes WHERE seen_at_ms >= {since_ms} ORDER BY id");
        let nodes: Result<Vec<Node>, _> = both!(&mut connection, c => diesel::sql_query(text).load(c));
        match nodes {
            Ok(nodes) => Ok(nodes.into_iter().map(|node| node.id).collect()),
            // Nobody works on a database without tables.
            Err(error) if error.to_string().contains("nodes") => Ok(Vec::new()),
            Err(error) => Err(StoreError::Failed(explain(&error))),
        }
    }
}

/// A connection for what Diesel has no words for.
struct Raw {
    handle: *mut ffi::sqlite3,
    name: String,
}

impl Raw {
    fn open(path: &Path, flags: i32) -> Result<Self, StoreError> {
        use std::os::unix::ffi::OsStrExt as _;
        let name = path.display().to_string();
        let text = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| StoreError::storage(format!("{name:?} is no file's name")))?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the text ends with NUL and outlives the call; the handle is closed by `Drop`, also when opening failed.
        let code = unsafe { ffi::sqlite3_open_v2(text.as_ptr(), &raw mut handle, flags, std::ptr::null()) };
        let raw = Self { handle, name };
        raw.check(code)?;
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_busy_timeout(handle, 5_000) };
        Ok(raw)
    }

    fn run(&self, sql: &CStr) -> Result<(), StoreError> {
        // SAFETY: the handle is open, the text ends with NUL; no callback, no message is asked for.
        let code =
            unsafe { ffi::sqlite3_exec(self.handle, sql.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut()) };
        self.check(code)
    }

    fn take_from(&self, source: &Self) -> Result<(), StoreError> {
        // SAFETY: both handles are open and different, and used by this thread only; the backup is finished below.
        let backup =
            unsafe { ffi::sqlite3_backup_init(self.handle, c"main".as_ptr(), source.handle, c"main".as_ptr()) };
        if backup.is_null() {
            return Err(self.error());
        }
        let mut tries = 0;
        let stepped = loop {
            // SAFETY: the backup was begun above and isn't finished.
            match unsafe { ffi::sqlite3_backup_step(backup, PAGES) } {
                ffi::SQLITE_OK => {}
                ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                code => break code,
            }
        };
        // SAFETY: as above; after this nobody uses it.
        let finished = unsafe { ffi::sqlite3_backup_finish(backup) };
        match stepped {
            ffi::SQLITE_DONE => self.check(finished),
            code => Err(StoreError::storage(format!("{} can't be copied: {}", source.name, words(code)))),
        }
    }

    fn check(&self, code: i32) -> Result<(), StoreError> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.error()) }
    }

    fn error(&self) -> StoreError {
        // SAFETY: a handle, also one that couldn't be opened, has a message until it is used again; it is copied here.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.handle)) }.to_string_lossy().into_owned();
        StoreError::storage(format!("the database `{}`: {text}", self.name))
    }
}

fn words(code: i32) -> String {
    // SAFETY: SQLite gives a text of its own for each code.
    unsafe { CStr::from_ptr(ffi::sqlite3_errstr(code)) }.to_string_lossy().into_owned()
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: no statement and no backup of this handle is left; nobody uses it any more.
        unsafe { ffi::sqlite3_close(self.handle) };
    }
}

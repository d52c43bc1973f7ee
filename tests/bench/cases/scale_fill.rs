//! Many runs in little time: a run of each kind is made by commands, and SQL copies its rows, with numbers for ids.

use std::process::{Command, Stdio};

use windlass_tests::postgres;

use crate::world::{Outcome, words};

/// Which database, and how SQL other than ours gets there.
pub enum Shell {
    Sqlite(std::path::PathBuf),
    Postgres(String),
}

/// The kinds of runs that are copied.
#[derive(Clone, Copy)]
pub enum Kind {
    Ended,
    Waiting,
    Due,
}

/// Runs that one transaction makes.
const AT_ONCE: u64 = 100_000;

impl Kind {
    /// The run that is copied.
    pub fn template(self) -> &'static str {
        match self {
            Self::Ended => "01aaended",
            Self::Waiting => "01aawaiting",
            Self::Due => "01aadue",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Ended => "01je",
            Self::Waiting => "01jw",
            Self::Due => "01jd",
        }
    }
}

impl Shell {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Runs SQL that needs no durability.
    pub fn sql(&self, text: &str) -> Outcome<String> {
        let file = match self {
            Self::Postgres(url) => return Ok(postgres::sql(url, text)),
            Self::Sqlite(file) => file,
        };
        let text = format!("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;\n{text}");
        let mut command = Command::new("sqlite3");
        let output = command.arg("-bail").arg(file).arg(text).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("`sqlite3` can't be started: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    /// What autovacuum does in the background, at once.
    pub fn settle(&self) -> Outcome<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.sql("VACUUM ANALYZE").map(drop),
        }
    }

    /// Bytes of the database.
    pub fn bytes(&self) -> f64 {
        match self {
            Self::Sqlite(file) => std::fs::metadata(file).map_or(0.0, |file| file.len() as f64),
            Self::Postgres(_) => {
                let size = self.sql("SELECT pg_database_size(current_database())");
                size.ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
            }
        }
    }

    /// Makes runs with the numbers `from..to`.
    pub fn make(&self, kind: Kind, from: u64, to: u64) -> Outcome<()> {
        let mut from = from;
        while from < to {
            let end = to.min(from + AT_ONCE);
            self.make_some(kind, from, end)?;
            from = end;
        }
        Ok(())
    }

    fn make_some(&self, kind: Kind, from: u64, to: u64) -> Outcome<()> {
        let (number, separator) = match self {
            Self::Sqlite(_) => ("printf('%022d', n)", "char(31)"),
            Self::Postgres(_) => ("lpad(n::text, 22, '0')", "chr(31)"),
        };
        let id = format!("'{}' || {number}", kind.prefix());
        let mut changed = vec![
            ("id", id.clone()),
            ("organisation", "'org' || (n % 10)".into()),
            ("workflow", "'folder' || (n % 4) || '/work' || (n % 20)".into()),
        ];
        match kind {
            // A tenth of them had one concurrency key.
            Kind::Ended => changed.extend([
                ("concurrency_key", format!("CASE WHEN n % 10 = 0 THEN 'org0' || {separator} || 'shared' END")),
                ("concurrency_limit", "CASE WHEN n % 10 = 0 THEN 4 END".into()),
            ]),
            Kind::Waiting => changed.push(("due_at_ms", "t.due_at_ms + n".into())),
            // The run that is copied was begun, so that it is in nobody's way.
            Kind::Due => changed.extend([
                ("due_at_ms", "t.due_at_ms - n % 1000".into()),
                ("state", "'queued'".into()),
                ("started_at_ms", "NULL".into()),
            ]),
        }
        let series = match self {
            Self::Sqlite(_) => {
                format!(
                    "(WITH RECURSIVE g (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM g WHERE n + 1 < {to}) SELECT n FROM g)"
                )
            }
            Self::Postgres(_) => format!("(SELECT n FROM generate_series({from}::bigint, {to} - 1) AS g (n)) AS g"),
        };
        let template = kind.template();
        let copy = |table: &str, changed: &[(&str, String)]| -> Outcome<String> {
            let key = if table == "runs" { "id" } else { "run_id" };
            let columns = self.columns(table)?;
            let values: Vec<String> = columns
                .iter()
                .map(|column| {
                    changed
                        .iter()
                        .find(|(name, _)| name == column)
                        .map_or(format!("t.{column}"), |(_, value)| value.clone())
                })
                .collect();
            Ok(format!(
                "INSERT INTO {table} ({}) SELECT {} FROM {series}, {table} t WHERE t.{key} = '{template}' ORDER BY n;",
                columns.join(", "),
                values.join(", "),
            ))
        };
        let run = [("run_id", id.clone())];
        let mut text = [copy("runs", &changed)?, copy("leases", &run)?, copy("run_terms", &run)?].concat();
        if matches!(kind, Kind::Waiting) {
            text += &[copy("steps", &run)?, copy("waits", &run)?].concat();
        }
        match self {
            Self::Sqlite(_) => {
                let last: u64 = self.sql("SELECT max(id) FROM log")?.parse().map_err(words)?;
                let each = format!("(SELECT count(*) FROM log WHERE run_id = '{template}')");
                let numbered = [("run_id", id), ("id", format!("{last} + (n - {from}) * {each} + t.seq"))];
                text += &copy("log", &numbered)?;
                text += &format!(
                    "INSERT INTO log_blocks (run_id, block, first_seq) \
                     SELECT run_id, id / 1024, min(seq) FROM log WHERE id > {last} GROUP BY run_id, id / 1024;"
                );
                self.sql(&format!("BEGIN; {text} COMMIT;")).map(drop)
            }
            Self::Postgres(_) => {
                text += &copy("log", &run)?;
                // Copies of what fits together need no checks by foreign keys.
                self.sql(&format!("SET session_replication_role = replica; {text}")).map(drop)
            }
        }
    }

    /// The columns that are copied: those that the database gives itself are left to it.
    fn columns(&self, table: &str) -> Outcome<Vec<String>> {
        let text = match self {
            Self::Sqlite(_) => self.sql(&format!("SELECT name FROM pragma_table_info('{table}')"))?,
            Self::Postgres(_) => self.sql(&format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' \
                 AND is_identity = 'NO' AND column_name <> 'xid' ORDER BY ordinal_position"
            ))?,
        };
        Ok(text.lines().map(str::to_owned).collect())
    }
}

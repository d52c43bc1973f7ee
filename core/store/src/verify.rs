//! Whether a database holds together: what follows from other things follows, what refers to something finds it, what can be
//! computed again comes to the same. It only reads, and keeps no more in memory than one run's journal.

use std::collections::HashSet;

use diesel::{
    connection::SimpleConnection as _,
    prelude::*,
    sql_types::{Nullable, Text},
};
use windlass_model::RunId;

use crate::{
    Store,
    connection::{AnyConnection, Purpose, connect},
    dialect::both,
    error::{StoreError, explain},
    journal_log, leases, migrate, schema,
    tables::{Artifact, Bundle, Entry, Table},
};

/// Findings that are listed of one check; the first ones say enough.
const LISTED: usize = 100;
/// Runs that are looked up at once.
const RUNS: i64 = 500;

/// Something that isn't as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check: `bundle`, `journal`, `audit`, `lease` …
    pub check: &'static str,
    /// The run that it is about.
    pub run: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What a check of a whole database came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is wrong; of each check the first hundred.
    pub findings: Vec<Finding>,
    /// How many rows of what were looked at.
    pub checked: Vec<(&'static str, u64)>,
}

/// A statement that finds what shouldn't be there: `run` and `what` of each.
type Check = (&'static str, &'static str);

/// What has to be there for something else, by table.
const ORPHANS: &[Check] = &[
    (
        "orphan",
        "SELECT NULL AS run, 'bundle ' || r.bundle || ' is missing, and run ' || r.id || ' is pinned to it' AS what
         FROM runs r LEFT JOIN bundles b ON b.digest = r.bundle WHERE b.digest IS NULL",
    ),
    (
        "lease",
        "SELECT r.id AS run, 'it has no lease row: nobody can work on it' AS what
         FROM runs r LEFT JOIN leases l ON l.run_id = r.id WHERE l.run_id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'a lease is left, and its run isn''t there' AS what
         FROM leases c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'step ' || c.path || ' is open, and its run isn''t there' AS what
         FROM steps c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'a wait is left at ' || c.path || ', and its step isn''t there or doesn''t wait' AS what
         FROM waits c LEFT JOIN steps s ON s.run_id = c.run_id AND s.path = c.path AND s.state = 'waiting'
         WHERE s.run_id IS NULL",
    ),
    (
        "wait",
        "SELECT c.run_id AS run, 'step ' || c.path || ' waits, and nothing says what for' AS what
         FROM steps c LEFT JOIN waits w ON w.run_id = c.run_id AND w.path = c.path
         WHERE c.state = 'waiting' AND w.run_id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'signal `' || c.name || '` is left, and its run isn''t there' AS what
         FROM signals c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'an approval is left at ' || c.path || ', and its run isn''t there' AS what
         FROM approvals c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'a decision of ' || c.decided_by || ' is left, and its approval isn''t there' AS what
         FROM decisions c LEFT JOIN approvals a ON a.run_id = c.run_id AND a.path = c.path WHERE a.run_id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'an undo entry is left for step ' || c.path || ', and its run isn''t there' AS what
         FROM undo c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'artifact `' || c.name || '` is left, and its run isn''t there' AS what
         FROM artifacts c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'events are left, and their run isn''t there' AS what
         FROM log c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL AND c.run_id <> 'system' GROUP BY c.run_id",
    ),
    (
        "orphan",
        "SELECT c.run_id AS run, 'the word `' || c.term || '` finds it, and it isn''t there' AS what
         FROM run_terms c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL",
    ),
    (
        "resource",
        "SELECT c.run_id AS run, c.provider || ' ' || c.kind || ' `' || c.id || '` is ' || c.state
            || ', and the run that would go on with it isn''t there' AS what
         FROM resources c LEFT JOIN runs r ON r.id = c.run_id
         WHERE r.id IS NULL AND c.state IN ('creating', 'destroying')",
    ),
    (
        "document",
        "SELECT NULL AS run, 'the key `' || c.key || '` names the ' || c.kind || ' `' || c.id || '`, which isn''t there' AS what
         FROM document_keys c LEFT JOIN documents d ON d.kind = c.kind AND d.id = c.id WHERE d.id IS NULL",
    ),
];

/// What a run's state says of its lease and of what it waits for.
const STATES: &[Check] = &[
    (
        "lease",
        "SELECT r.id AS run, 'it has ended, and node ' || l.node || ' holds it' AS what
         FROM runs r JOIN leases l ON l.run_id = r.id WHERE r.ended_at_ms IS NOT NULL AND l.node IS NOT NULL",
    ),
    (
        "lease",
        "SELECT r.id AS run, 'it is ' || r.state || ', and nobody will take it up: it isn''t due, and no node holds it' AS what
         FROM runs r JOIN leases l ON l.run_id = r.id
         WHERE r.due_at_ms IS NULL AND l.node IS NULL AND (r.state IN ('running', 'cancelling', 'rolling_back')
            OR (r.state = 'queued' AND r.concurrency_key IS NULL))",
    ),
    (
        "lease",
        "SELECT r.id AS run, 'it waits, and node ' || l.node || ' holds it' AS what
         FROM runs r JOIN leases l ON l.run_id = r.id
         WHERE r.state IN ('waiting', 'queued', 'rollback_stuck') AND l.node IS NOT NULL",
    ),
    (
        "wait",
        "SELECT r.id AS run, 'it waits on ' || r.waiting_on || ', and none of its steps does' AS what
         FROM runs r WHERE r.state = 'waiting' AND r.waiting_on <> 'parked' AND r.due_at_ms IS NULL
            AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id)
            AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.run_id = r.id AND s.state = 'in_doubt')",
    ),
    (
        "wait",
        "SELECT w.run_id AS run, 'it has ended, and step ' || w.path || ' still waits' AS what
         FROM waits w JOIN runs r ON r.id = w.run_id WHERE r.ended_at_ms IS NOT NULL",
    ),
    (
        "lock",
        "SELECT c.run_id AS run, 'it has ended or isn''t there, and holds the lock `' || c.name || '`' AS what
         FROM locks c LEFT JOIN runs r ON r.id = c.run_id WHERE r.id IS NULL OR r.ended_at_ms IS NOT NULL",
    ),
];

/// Where SQLite finds a run's events.
const BLOCKS: Check = (
    "journal",
    "SELECT l.run_id AS run, 'events from number ' || min(l.seq) || ' on aren''t found by block ' || (l.id / 1024) AS what
     FROM log l LEFT JOIN log_blocks b ON b.run_id = l.run_id AND b.block = l.id / 1024
     WHERE l.run_id <> 'system' AND (b.run_id IS NULL OR b.first_seq > l.seq) GROUP BY l.run_id, l.id / 1024",
);

/// What SQLite says of its own file.
const FILE: &[Check] = &[
    ("file", "SELECT NULL AS run, integrity_check AS what FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    (
        "file",
        "SELECT NULL AS run, 'a row of `' || \"table\" || '` refers to none of `' || parent || '`' AS what
         FROM pragma_foreign_key_check",
    ),
];

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    run: Option<String>,
    #[diesel(sql_type = Text)]
    what: String,
}

impl Store {
    /// Checks a whole database, as it is at one moment; others go on writing meanwhile.
    pub fn verify(url: &str) -> Result<Verified, StoreError> {
        migrate::require_file(url)?;
        let mut connection = connect(url, Purpose::Read)?;
        migrate::require_head(url, &mut connection)?;
        let begin = match &connection {
            AnyConnection::Sqlite(_) => "BEGIN",
            AnyConnection::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let mut verifier = Verifier::default();
        let done = connection.batch_execute(begin).and_then(|()| verifier.all(&mut connection));
        done.map_err(|error| StoreError::Failed(explain(&error)))?;
        // Nothing was written: however it ends, nothing is lost.
        let _ = connection.batch_execute("ROLLBACK");
        Ok(verifier.verified)
    }
}

#[derive(Default)]
struct Verifier {
    verified: Verified,
}

impl Verifier {
    fn all(&mut self, conn: &mut AnyConnection) -> QueryResult<()> {
        if matches!(conn, AnyConnection::Sqlite(_)) {
            self.run(conn, FILE)?;
            self.run(conn, &[BLOCKS])?;
        }
        self.run(conn, ORPHANS)?;
        self.run(conn, STATES)?;
        self.bundles(conn)?;
        self.artifacts(conn)?;
        self.journals(conn)?;
        self.audit(conn)
    }

    fn found(&mut self, check: &'static str, run: Option<&str>, message: String) {
        let listed = self.verified.findings.iter().filter(|known| known.check == check).count();
        if listed < LISTED {
            self.verified.findings.push(Finding { check, run: run.map(ToOwned::to_owned), message });
        }
    }

    fn run(&mut self, conn: &mut AnyConnection, checks: &[Check]) -> QueryResult<()> {
        for (check, text) in checks {
            let text = format!("SELECT run, what FROM ({text}) AS found LIMIT {LISTED}");
            let found: Vec<Found> = both!(conn, c => diesel::sql_query(text).load(c))?;
            for found in found {
                // An organisation's lock has separators in its name.
                let what = found.what.replace(char::is_control, " ");
                self.found(check, found.run.as_deref(), what);
            }
        }
        Ok(())
    }

    fn bundles(&mut self, conn: &mut AnyConnection) -> QueryResult<()> {
        let mut count = 0;
        Bundle::each(conn, |bundle| {
            count += 1;
            if blake3::hash(bundle.body.as_bytes()).to_hex().as_str() != bundle.digest {
                self.found("bundle", None, format!("bundle {} was changed: its digest doesn't fit", bundle.digest));
            }
            Ok::<_, diesel::result::Error>(())
        })?;
        self.verified.checked.push(("bundles", count));
        Ok(())
    }

    fn artifacts(&mut self, conn: &mut AnyConnection) -> QueryResult<()> {
        let mut count = 0;
        Artifact::each(conn, |artifact| {
            count += 1;
            let digest = blake3::hash(&artifact.content).to_hex();
            if digest.as_str() != artifact.digest || artifact.content.len() as i64 != artifact.bytes {
                let message = format!("artifact `{}` was changed: its digest doesn't fit", artifact.name);
                self.found("artifact", Some(&artifact.run_id), message);
            }
            Ok::<_, diesel::result::Error>(())
        })?;
        self.verified.checked.push(("artifacts", count));
        Ok(())
    }

    fn journals(&mut self, conn: &mut AnyConnection) -> QueryResult<()> {
        use schema::{runs, steps};
        let (mut count, mut events) = (0, 0);
        let mut last = String::new();
        loop {
            let page: Vec<Numbered> = runs::table
                .left_join(schema::leases::table.on(schema::leases::run_id.eq(runs::id)))
                .filter(runs::id.gt(&last))
                .order(runs::id)
                .limit(RUNS)
                .select((
                    runs::id,
                    runs::ended_at_ms,
                    schema::leases::next_seq.nullable(),
                    schema::leases::node.is_not_null().nullable(),
                ))
                .load(conn)?;
            let Some((end, ..)) = page.last() else { break };
            last.clone_from(end);
            for (run, ended_at_ms, next_seq, is_held) in page {
                // Of a run that retention has begun to remove the first events are left.
                let next_seq = next_seq.filter(|next_seq| ended_at_ms.is_none() || *next_seq != leases::GOING);
                let open: Vec<String> = steps::table.filter(steps::run_id.eq(&run)).select(steps::path).load(conn)?;
                let marks = journal_log::marks(conn, &RunId::from(run.as_str()))?;
                count += 1;
                events += marks.len() as u64;
                // In SQLite the number of a run that is held follows from its events.
                let follows = is_held == Some(true) && matches!(conn, AnyConnection::Sqlite(_));
                let next_seq = next_seq.map(|next| if follows { next.max(marks.len() as i64 + 1) } else { next });
                if let Some(message) = journal_fault(&marks, next_seq, &open) {
                    self.found("journal", Some(&run), message);
                }
            }
        }
        self.verified.checked.extend([("runs", count), ("events", events)]);
        Ok(())
    }

    fn audit(&mut self, conn: &mut AnyConnection) -> QueryResult<()> {
        let mut chain = (0, "0".repeat(64));
        Entry::each(conn, |entry| {
            let (seq, hash) = (entry.seq, entry.hash.clone());
            if seq != chain.0 + 1 {
                self.found("audit", None, format!("entry {} is missing", chain.0 + 1));
            } else if entry.previous != chain.1 {
                self.found("audit", None, format!("entry {seq} doesn't follow the entry before it"));
            }
            if crate::audit::hash(&crate::audit::of_entry(entry)) != hash {
                self.found("audit", None, format!("entry {seq} was changed: its hash doesn't fit"));
            }
            chain = (seq, hash);
            Ok::<_, diesel::result::Error>(())
        })?;
        self.verified.checked.push(("audit entries", u64::try_from(chain.0).unwrap_or(0)));
        Ok(())
    }
}

/// A run, its end, its next event's number, and whether a node holds it.
type Numbered = (String, Option<i64>, Option<i64>, Option<bool>);

/// The first thing that is wrong with a run's events.
fn journal_fault(marks: &[(i64, Option<String>, bool)], next_seq: Option<i64>, open: &[String]) -> Option<String> {
    let mut finished: HashSet<&str> = HashSet::new();
    for (expected, (seq, path, finishes)) in (1..).zip(marks) {
        if *seq > expected {
            return Some(format!("event {expected} is missing"));
        }
        if *seq < expected {
            return Some(format!("event {seq} stands there twice, or out of order"));
        }
        if let Some(path) = path.as_deref().filter(|_| *finishes)
            && !finished.insert(path)
        {
            return Some(format!("step {path} is finished twice, again by event {seq}"));
        }
    }
    if let Some(path) = open.iter().find(|path| finished.contains(path.as_str())) {
        return Some(format!("step {path} is open and finished"));
    }
    let next = marks.len() as i64 + 1;
    let next_seq = next_seq.filter(|next_seq| *next_seq != next)?;
    Some(format!("its next event would have number {next_seq}, and the last one has {}", next - 1))
}

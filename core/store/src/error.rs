//! What can go wrong: a command that made no sense, or a database that couldn't be used.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use windlass_model::{Code, Problem, state::IllegalTransition};

/// Why the store didn't do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// The command made no sense and changed nothing: a lost lease, an illegal transition, something that isn't there.
    #[error("{0}")]
    Refused(Problem),
    /// The database couldn't be opened, read or written.
    #[error("{0}")]
    Failed(Problem),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(problem) | StoreError::Failed(problem) => problem,
        }
    }
}

impl StoreError {
    /// The problem inside.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Refused(problem) | Self::Failed(problem) => problem,
        }
    }

    pub(crate) fn storage(message: impl Into<String>) -> Self {
        Self::Failed(Problem::new(Code::Storage, message))
    }
}

/// Why a command wasn't applied, while there is still a transaction to take back.
#[derive(Debug)]
pub(crate) enum Fault {
    Refused(Box<Problem>),
    Sql(DieselError),
}

/// What applying something gives.
pub(crate) type Applied<T> = Result<T, Fault>;

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        Self::Sql(error)
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<IllegalTransition> for Fault {
    fn from(error: IllegalTransition) -> Self {
        Problem::new(Code::IllegalTransition, error.to_string())
            .help("`windlass runs show` gives the run's state and what can be done with it")
            .into()
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Problem::new(Code::Internal, format!("a value can't be written as JSON: {error}")).into()
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(problem) => Self::Refused(*problem),
            Fault::Sql(error) if is_about_values(&error) => Self::Refused(
                Problem::new(Code::InvalidArgument, format!("the database can't keep a value: {error}"))
                    .help("texts have no NUL characters, and names and numbers have bounds"),
            ),
            Fault::Sql(error) => Self::Failed(explain(&error)),
        }
    }
}

pub(crate) fn refuse<T>(code: Code, message: impl Into<String>) -> Applied<T> {
    Err(Problem::new(code, message).into())
}

/// The database's error in words, with what to do about it where that is known.
pub(crate) fn explain(error: &DieselError) -> Problem {
    let text = error.to_string();
    let problem = Problem::new(Code::Storage, format!("the database refused: {text}"));
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => {
            problem.help("the connection to the database is gone; check that the server runs").retryable()
        }
        _ => match advice(&text) {
            Some((help, retryable)) => {
                let problem = problem.help(help);
                if retryable { problem.retryable() } else { problem }
            }
            None => problem,
        },
    }
}

/// Whether the server is gone, or is none that takes writes any more: another connection may find one.
pub(crate) fn is_gone(error: &DieselError) -> bool {
    const SIGNS: [&str; 13] = [
        "connection",
        "closed",
        "terminat",
        "starting up",
        "shutting down",
        "in recovery",
        "read-only transaction",
        "timed out",
        "could not receive data",
        // What PgBouncer says when its server goes away, and while it is.
        "conn crashed",
        "server login",
        "query_wait_timeout",
        "pgbouncer",
    ];
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) | DieselError::BrokenTransactionManager => {
            true
        }
        DieselError::DatabaseError(
            DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand,
            information,
        ) => SIGNS.iter().any(|sign| information.message().contains(sign)),
        DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => true,
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_gone(commit_error),
        _ => false,
    }
}

/// Whether PostgreSQL said itself that it doesn't commit, so that nothing of the transaction is there.
pub(crate) fn is_refusal(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation
                | DatabaseErrorKind::SerializationFailure
        ),
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_refusal(commit_error),
        _ => false,
    }
}

/// Whether PostgreSQL takes no such value, now or later (SQLSTATE 22xxx, and a text that is too long for an index): the database is
/// well. Diesel tells no SQLSTATE.
fn is_about_values(error: &DieselError) -> bool {
    const SIGNS: [&str; 5] = [
        "invalid byte sequence",
        "out of range",
        "unsupported Unicode escape",
        "value too long",
        "exceeds btree version",
    ];
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)
        if SIGNS.iter().any(|sign| information.message().contains(sign)))
}

/// What helps against an error text of SQLite or PostgreSQL, and whether trying again may.
pub(crate) fn advice(text: &str) -> Option<(&'static str, bool)> {
    const KNOWN: &[(&str, &str, bool)] = &[
        ("database or disk is full", "free some space on the disk that holds the data folder", true),
        ("No space left on device", "free some space on the database server's disk", true),
        ("disk I/O error", "check the disk and its free space (`dmesg`, `df`)", true),
        ("readonly database", "make the data folder writable for this user, or mount it read-write", false),
        ("unable to open database file", "make sure that the folder exists and that this user may write to it", false),
        ("file is not a database", "the file is damaged or isn't ours; restore it from a backup", false),
        ("malformed", "the file is damaged; restore it from a backup", false),
        ("database is locked", "another process holds the database for long; stop it, or wait", true),
        ("could not connect", "check that the database server runs and that the URL is right", true),
        ("Connection refused", "check that the database server runs and that the URL is right", true),
        ("server closed the connection", "check that the database server runs", true),
        ("no connection to the server", "check that the database server runs", true),
        ("deadlock detected", "try again", true),
        ("lock timeout", "try again", true),
        ("could not serialize", "try again", true),
        ("terminating connection", "check that the database server runs", true),
        ("the database system is", "wait until the database server is up", true),
        ("session is read-only", "wait until a database server takes writes", true),
        ("session is not read-only", "wait until a database server takes writes", true),
        ("read-only transaction", "wait until a database server takes writes", true),
        ("timeout expired", "check that the database server runs and can be reached", true),
        ("timed out", "check that the database server runs and can be reached", true),
        ("No route to host", "check that the database server can be reached", true),
        ("Network is unreachable", "check that the database server can be reached", true),
        ("conn crashed", "check that the database server behind the pooler runs", true),
        ("server login", "check that the database server behind the pooler runs", true),
        ("query_wait_timeout", "check that the database server behind the pooler runs", true),
        ("pgbouncer cannot connect", "check that the database server behind the pooler runs", true),
        ("client_login_timeout", "check that the database server behind the pooler runs", true),
        ("too many clients", "raise max_connections, or put a pooler in front of the database", true),
    ];
    KNOWN.iter().find(|(part, ..)| text.contains(part)).map(|&(_, help, retryable)| (help, retryable))
}

//! Bringing a schema to head, taking it away again, and refusing one that isn't at head.

use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use windlass_model::{Code, Problem};

use crate::{
    connection::{AnyConnection, Place, Purpose, connect, place},
    dialect::both,
    error::StoreError,
    options::Durability,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

fn migrations(connection: &AnyConnection) -> EmbeddedMigrations {
    match connection {
        AnyConnection::Sqlite(_) => SQLITE,
        AnyConnection::Postgres(_) => POSTGRES,
    }
}

/// Runs what is pending; the versions that it ran.
pub(crate) fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
    let mut connection = connect(url, Purpose::Write(Durability::Full))?;
    let source = migrations(&connection);
    refuse_newer(&mut connection)?;
    both!(&mut connection, c => c
        .run_pending_migrations(source)
        .map(|versions| versions.iter().map(ToString::to_string).collect()))
    .map_err(|error| StoreError::storage(format!("the migration failed: {error}")))
}

/// Reverts everything that was ever run; the versions that it reverted.
pub(crate) fn revert_all(url: &str) -> Result<Vec<String>, StoreError> {
    let mut connection = connect(url, Purpose::Write(Durability::Full))?;
    let source = migrations(&connection);
    both!(&mut connection, c => c
        .revert_all_migrations(source)
        .map(|versions| versions.iter().map(ToString::to_string).collect()))
    .map_err(|error| StoreError::storage(format!("the migration can't be reverted: {error}")))
}

/// The names of what isn't run yet.
pub(crate) fn pending(url: &str) -> Result<Vec<String>, StoreError> {
    if let Place::Sqlite(path) = place(url)?
        && !path.exists()
    {
        // Asking must not create the file.
        let all: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = SQLITE.migrations().map_err(unreadable)?;
        return Ok(all.iter().map(|migration| migration.name().to_string()).collect());
    }
    let mut connection = connect(url, Purpose::Write(Durability::Full))?;
    pending_on(&mut connection)
}

fn pending_on(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let source = migrations(connection);
    both!(connection, c => c
        .pending_migrations(source)
        .map(|all| all.iter().map(|migration| migration.name().to_string()).collect()))
    .map_err(unreadable)
}

fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::storage(format!("the schema's version can't be read: {error}"))
}

/// Refuses a schema that isn't this program's.
pub(crate) fn require_head(url: &str, connection: &mut AnyConnection) -> Result<(), StoreError> {
    refuse_newer(connection)?;
    let pending = pending_on(connection)?;
    if pending.is_empty() { Ok(()) } else { Err(behind(url, &pending)) }
}

/// Refuses to open what isn't there, without creating it.
pub(crate) fn require_file(url: &str) -> Result<(), StoreError> {
    match place(url)? {
        Place::Sqlite(path) if !path.exists() => Err(behind(url, &pending(url)?)),
        _ => Ok(()),
    }
}

fn behind(url: &str, pending: &[String]) -> StoreError {
    let name = crate::connection::without_password(url);
    let message = format!("the schema of `{name}` is behind this program: {} not run yet", pending.join(", "));
    StoreError::Failed(Problem::new(Code::SchemaMismatch, message).help("run `windlass migrate`"))
}

/// Versions of what was run and this program doesn't know: a newer one has. None of a file that isn't there.
pub(crate) fn unknown(url: &str) -> Result<Vec<String>, StoreError> {
    if matches!(place(url)?, Place::Sqlite(path) if !path.exists()) {
        return Ok(Vec::new());
    }
    unknown_on(&mut connect(url, Purpose::Write(Durability::Full))?)
}

fn unknown_on(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let source = migrations(connection);
    let (known, applied): (Vec<String>, Vec<String>) = match connection {
        AnyConnection::Sqlite(c) => {
            let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = source.migrations().map_err(unreadable)?;
            (known.iter().map(|migration| migration.name().version().to_string()).collect(), applied_versions(c)?)
        }
        AnyConnection::Postgres(c) => {
            let known: Vec<Box<dyn Migration<diesel::pg::Pg>>> = source.migrations().map_err(unreadable)?;
            (known.iter().map(|migration| migration.name().version().to_string()).collect(), applied_versions(c)?)
        }
    };
    Ok(applied.into_iter().filter(|version| !known.contains(version)).collect())
}

fn refuse_newer(connection: &mut AnyConnection) -> Result<(), StoreError> {
    match unknown_on(connection)?.first() {
        None => Ok(()),
        Some(version) => Err(StoreError::Failed(
            Problem::new(
                Code::SchemaMismatch,
                format!("the database was written by a newer program (it has migration {version})"),
            )
            .help("use the newer `windlass`, or restore a backup from before the upgrade"),
        )),
    }
}

fn applied_versions<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
) -> Result<Vec<String>, StoreError> {
    let versions = connection.applied_migrations().map_err(unreadable)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

//! `windlass restore`: puts a backup in the place of the database, as a whole or not at all.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::json;
use windlass_engine::{DROP_SQL, Store, SystemClock, Verified, restored_sql};
use windlass_model::{Code, Problem, audit::NewAudit, time::Clock as _};

use super::{backup, store};
use crate::{context::Context, data::DataFolder, exit::Exit, lock::Lock, wiring};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file that `windlass backup` made
    file: PathBuf,
    /// Put it in the place of what is there; an SQLite database is kept beside it
    #[arg(long)]
    replace: bool,
    /// Nothing has run since the backup: open runs simply go on, and steps are not put in doubt
    #[arg(long)]
    nothing_ran_since: bool,
    /// Restore it even if it isn't sound
    #[arg(long)]
    unsound: bool,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let kind = kind(&args.file)?;
    let folder = DataFolder::open(&context.loaded.config.data)?;
    let url = wiring::database_url(&context.loaded.config, &folder);
    let file = wiring::database_file(&url);
    if (kind == Kind::Sqlite) != file.is_some() {
        let (is, wants) = if file.is_some() { ("PostgreSQL", "SQLite") } else { ("SQLite", "PostgreSQL") };
        let message = format!("{} is a backup of {is}, and the database is {wants}", args.file.display());
        return Err(Problem::new(Code::InvalidInput, message).help(
            "restore it to a database of its own kind; `windlass store copy --to URL` moves that to the other kind",
        ));
    }
    let _building = Lock::take(&wiring::setup_lock(&url, &folder))?;
    let lock = store::idle(&url, &folder, context)?;
    // What is damaged isn't empty.
    if !args.replace && !Store::is_empty(&url).unwrap_or(false) {
        return Err(Problem::new(Code::Conflict, "there is something in the database already")
            .help("--replace puts the backup in its place"));
    }
    let (open, kept, verified) = match file {
        Some(file) => sqlite(args, file, context)?,
        None => postgres(args, &url, context)?,
    };
    drop(lock);
    report(args, context, open, kept.as_deref());
    if verified.findings.is_empty() {
        return Ok(Exit::Success);
    }
    context.hint(&format!("{} findings; `windlass store verify` lists them", verified.findings.len()));
    Ok(Exit::Failure)
}

fn report(args: &Args, context: &Context, open: Option<u64>, kept: Option<&Path>) {
    let doubted = !args.nothing_ran_since;
    context.print(&json!({ "open_runs": open, "doubted": doubted, "kept": kept }), || {
        let kept = kept.map(|path| format!("\nwhat was there before is {}", path.display())).unwrap_or_default();
        match open {
            Some(open) => format!("restored; {open} runs are open{kept}"),
            None => format!("restored; neither its runs nor whether it is sound was looked at{kept}"),
        }
    });
    if doubted && open.is_none_or(|open| open > 0) {
        context.hint(
            "they may have gone on after the backup: each of their at-most-once steps that it doesn't know of will be in \
             doubt, and waits for `windlass runs resolve`. Runs that were launched after the backup are unknown.",
        );
    }
}

fn kind(file: &Path) -> Result<Kind, Problem> {
    let mut head = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(16).read_to_end(&mut head));
    read.map_err(|error| Problem::new(Code::NotFound, format!("{} can't be read: {error}", file.display())))?;
    match head.as_slice() {
        b"SQLite format 3\0" => Ok(Kind::Sqlite),
        head if head.starts_with(b"PGDMP") => Ok(Kind::Postgres),
        _ => Err(Problem::new(Code::InvalidInput, format!("{} isn't a backup", file.display()))
            .help("`windlass backup FILE` makes one")),
    }
}

fn entry(args: &Args, context: &Context) -> NewAudit {
    NewAudit {
        actor: format!("user:{}", context.who()),
        organisation: "platform".into(),
        action: "store.restore".into(),
        target: args.file.display().to_string(),
        source: "cli".into(),
        after: json!({ "nothing_ran_since": args.nothing_ran_since }),
        ..NewAudit::default()
    }
}

/// Open runs if they could be counted, where the old database is kept, and what a check found.
type Restored = (Option<u64>, Option<PathBuf>, Verified);

/// Builds the new database beside the old one, and gives it its name in one step.
fn sqlite(args: &Args, file: &Path, context: &Context) -> Result<Restored, Problem> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".windlass-restore-").tempdir_in(parent);
    let beside = made.map_err(|error| backup::unwritable(file, &error))?;
    let part = beside.path().join("windlass.db");
    let part_url = format!("sqlite:{}", part.display());
    Store::copy_file(&args.file, &part)?;
    windlass_engine::migrate(&part_url)?;
    let verified = Store::verify(&part_url)?;
    if let (Some(first), false) = (verified.findings.first(), args.unsound) {
        let message = format!("the backup isn't sound ({} findings): {}", verified.findings.len(), first.message);
        return Err(
            Problem::new(Code::Storage, message).help("nothing was changed; --unsound restores it all the same")
        );
    }
    let now_ms = SystemClock::default().now_ms();
    let open = Store::mark_restored(&part_url, now_ms, args.nothing_ran_since, entry(args, context))?;
    Store::close_file(&part)?;
    std::fs::set_permissions(&part, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .and_then(|()| std::fs::File::open(&part)?.sync_all())
        .map_err(|error| backup::unwritable(&part, &error))?;
    let kept = if file.exists() { set_aside(file, now_ms)? } else { None };
    std::fs::rename(&part, file).map_err(|error| backup::unwritable(file, &error))?;
    backup::sync_folder(file)?;
    Ok((Some(open), kept, verified))
}

/// Gives the old database a second name. Its log is folded in before: it must never be read with the new one.
fn set_aside(file: &Path, now_ms: i64) -> Result<Option<PathBuf>, Problem> {
    let named = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let failed = |error: std::io::Error| backup::unwritable(file, &error);
    let closed = Store::close_file(file);
    if let Err(error) = &closed
        && error.problem().message.contains("locked")
    {
        return Err(Problem::new(Code::DataFolderBusy, "another process has the database open")
            .help("end every `windlass` that works on it"));
    }
    let aside = named(&format!(".before-{now_ms}"));
    for suffix in ["-wal", "-shm"] {
        // There is none, unless the database is too damaged to be closed.
        if named(suffix).exists() {
            std::fs::rename(named(suffix), named(&format!(".before-{now_ms}{suffix}"))).map_err(failed)?;
        }
    }
    std::fs::hard_link(file, &aside).map_err(failed)?;
    Ok(Some(aside))
}

/// Everything in one transaction: what was there goes, the backup comes, and it is marked as one.
fn postgres(args: &Args, url: &str, context: &Context) -> Result<Restored, Problem> {
    let mut reader = std::process::Command::new("pg_restore");
    reader.args(["--no-owner", "--no-privileges", "--file=-"]).arg(&args.file).stdin(Stdio::null());
    let mut writer = backup::tool("psql", url);
    writer.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let errors = tempfile::tempfile().map_err(|error| backup::unwritable(Path::new("a temporary file"), &error))?;
    let own = || errors.try_clone().map(Stdio::from);
    let piped = (|| Ok::<_, std::io::Error>((own()?, own()?)))();
    let (one, other) = piped.map_err(|error| Problem::new(Code::System, error.to_string()))?;
    let mut writer = writer.stderr(one).spawn().map_err(|error| backup::missing("psql", &error))?;
    let mut reader = match reader.stdout(Stdio::piped()).stderr(other).spawn() {
        Ok(reader) => reader,
        Err(error) => {
            let _ = writer.kill().and_then(|()| writer.wait());
            return Err(backup::missing("pg_restore", &error));
        }
    };
    let now_ms = SystemClock::default().now_ms();
    // Without the COMMIT at the end, whatever breaks off leaves everything as it was.
    let done = (|| {
        let mut sink = writer.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        writeln!(sink, "BEGIN;\n{DROP_SQL}")?;
        let mut source = reader.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        std::io::copy(&mut source, &mut sink)?;
        if !reader.wait()?.success() {
            return Err(std::io::Error::other("pg_restore failed"));
        }
        writeln!(sink, "RESET search_path;\n{}COMMIT;", restored_sql(now_ms, args.nothing_ran_since, true))
    })();
    let ended = (reader.wait(), writer.wait());
    if done.is_err() || !matches!(&ended.1, Ok(status) if status.success()) {
        let mut text = String::new();
        let mut errors = errors;
        let _ = std::io::Seek::rewind(&mut errors).and_then(|()| errors.take(4_000).read_to_string(&mut text));
        let message = format!("the backup couldn't be restored: {}", text.trim());
        return Err(Problem::new(Code::Storage, message).help("nothing was changed"));
    }
    if !windlass_engine::pending_migrations(url)?.is_empty() {
        context.hint("the backup is of an older schema: run `windlass migrate`, and then `windlass store verify`");
        return Ok((None, None, Verified::default()));
    }
    let open = Store::note(url, now_ms, entry(args, context))?;
    Ok((Some(open), None, Store::verify(url)?))
}

//! `windlass backup`: the database in one file, as it is at one moment, while servers go on.

use std::{
    ffi::OsStr,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;
use windlass_engine::Store;
use windlass_model::{Code, Problem};

use crate::{context::Context, data::DataFolder, exit::Exit, wiring};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to make
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let folder = DataFolder::open(&context.loaded.config.data)?;
    let url = wiring::database_url(&context.loaded.config, &folder);
    if args.file.exists() && !args.force {
        return Err(exists(&args.file));
    }
    // Whatever goes wrong, what stands under the name is a whole backup. Others may not read it: it holds everything.
    let parent = args.file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".windlass-backup-").tempfile_in(parent);
    let part = made.map_err(|error| unwritable(&args.file, &error))?.into_temp_path();
    match wiring::database_file(&url) {
        Some(file) => sqlite(file, &url, &part)?,
        None => postgres(&url, &part)?,
    }
    let bytes = std::fs::metadata(&part).map_or(0, |found| found.len());
    let named = if args.force { part.persist(&args.file) } else { part.persist_noclobber(&args.file) };
    named.map_err(|failed| match failed.error.kind() {
        ErrorKind::AlreadyExists => exists(&args.file),
        _ => unwritable(&args.file, &failed.error),
    })?;
    sync_folder(&args.file)?;
    context.print(&json!({ "file": args.file, "bytes": bytes }), || {
        format!("{}: {bytes} bytes, checked", args.file.display())
    });
    context.hint(&format!(
        "it doesn't hold {} (without it the secrets in the backup can't be read), the folder of workflows {} (runs \
         carry their sources), and what scripts wrote to {}: keep them, too, and elsewhere",
        folder.key_file().display(),
        context.loaded.config.workflows.display(),
        folder.files().display()
    ));
    Ok(Exit::Success)
}

fn sqlite(file: &Path, url: &str, part: &Path) -> Result<(), Problem> {
    if !file.exists() {
        return Err(Problem::new(Code::NotFound, format!("there is no database at {}", file.display())));
    }
    // Of one on another schema nobody here knows what fits.
    if !windlass_engine::pending_migrations(url)?.is_empty() {
        return Err(Problem::new(Code::SchemaMismatch, "the database's schema is older than this program")
            .help("back it up with the program that it belongs to, or stop that and copy the file"));
    }
    Store::copy_file(file, part)?;
    let verified = Store::verify(&format!("sqlite:{}", part.display()))?;
    match verified.findings.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(Problem::new(
            Code::Storage,
            format!("the copy isn't sound ({} findings): {}", verified.findings.len(), first.message),
        )
        .help("`windlass store verify` shows whether the database itself is; nothing was kept")),
    }
}

fn postgres(url: &str, part: &Path) -> Result<(), Problem> {
    let mut dump = tool("pg_dump", url);
    let dumped = run_tool(dump.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(part))?;
    ended(&dumped, "pg_dump", "pg_dump has to be as new as the server, or newer")?;
    // A list can be read only of a file that is whole.
    let listed = run_tool(Command::new("pg_restore").arg("--list").arg(part))?;
    ended(&listed, "pg_restore", "the backup can't be read back; nothing was kept")?;
    let text = String::from_utf8_lossy(&listed.stdout);
    if !text.contains("TABLE DATA public runs") && !text.contains(" runs ") {
        return Err(Problem::new(Code::Storage, "the backup lacks the table of runs; nothing was kept"));
    }
    Ok(())
}

/// A PostgreSQL program on this database. The password goes by the environment: others can read command lines.
pub fn tool(name: &str, url: &str) -> Command {
    let mut command = Command::new(name);
    let (shown, password) = split_password(url);
    command.arg(OsStr::new("--dbname")).arg(shown).env("PGAPPNAME", "windlass");
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

/// The URL without its password, and the password.
fn split_password(url: &str) -> (String, Option<String>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..authority].rsplit_once('@') else { return whole() };
    let Some((user, password)) = user.split_once(':') else { return whole() };
    let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
    (format!("{scheme}://{user}@{host}{}", &rest[authority..]), Some(password))
}

/// Runs a program to its end.
pub fn run_tool(command: &mut Command) -> Result<Output, Problem> {
    let output = command.stdin(std::process::Stdio::null()).output();
    output.map_err(|error| missing(&command.get_program().to_string_lossy(), &error))
}

/// A program that can't be started.
pub fn missing(name: &str, error: &std::io::Error) -> Problem {
    let problem = Problem::new(Code::System, format!("the program `{name}` can't be started: {error}"));
    problem.help("PostgreSQL's own tools do this: install them (Debian: postgresql-client), so that they are in PATH")
}

/// Refuses what a program didn't end well.
pub fn ended(output: &Output, name: &str, help: &str) -> Result<(), Problem> {
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let shown: String = text.trim().chars().take(2_000).collect();
    Err(Problem::new(Code::Storage, format!("{name} failed: {shown}")).help(help))
}

/// Brings a folder's entry of a file to the disk.
pub fn sync_folder(file: &Path) -> Result<(), Problem> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = std::fs::File::open(parent).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unwritable(file, &error))
}

/// A file that can't be written.
pub fn unwritable(file: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::Storage, format!("{} can't be written: {error}", file.display()))
}

fn exists(file: &Path) -> Problem {
    Problem::new(Code::Conflict, format!("{} is there already", file.display()))
        .help("name another file, or write over it with --force")
}

#[cfg(test)]
mod tests {
    use super::split_password;

    #[test]
    fn a_password_leaves_the_command_line() {
        let split = |url| {
            let (shown, password) = split_password(url);
            (shown, password.unwrap_or_default())
        };
        assert_eq!(split("postgres://u:p%40@h:1/d?x=1"), ("postgres://u@h:1/d?x=1".into(), "p@".into()));
        assert_eq!(split("postgres://u@h/d"), ("postgres://u@h/d".into(), String::new()));
        assert_eq!(split("postgres:///d?host=/a@b:c"), ("postgres:///d?host=/a@b:c".into(), String::new()));
    }
}

//! Git, one way at a time: what was in use, as commits; and a commit's files, as versions. The `git` program does it.

mod export;
mod import;

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use windlass_model::{Code, Problem};

pub use export::export;
pub use import::import;

/// A folder that `git` works in.
struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// What `git` answers to these arguments, with this on its standard input.
    fn git(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, Problem> {
        self.try_git(args, input)?.map_err(|said| {
            let first = args.first().copied().unwrap_or_default();
            Problem::new(Code::CommandFailed, format!("`git {first}` failed in {}: {said}", self.folder.display()))
        })
    }

    /// The same as one line of text.
    fn line(&self, args: &[&str]) -> Result<String, Problem> {
        self.git(args, b"").map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The same; what `git` says if it fails is the inner error.
    fn try_git(&self, args: &[&str], input: &[u8]) -> Result<Result<Vec<u8>, String>, Problem> {
        let system = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Problem::new(Code::Unsupported, "the program `git` isn't on this machine").help("install it")
            }
            _ => Problem::new(Code::System, format!("`git` can't be run: {error}")),
        };
        let mut command = Command::new("git");
        // Nobody's variables point it at another repository, and a repository's own settings run no programs.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        let above = self.folder.parent().map_or(OsStr::new("/"), Path::as_os_str);
        command.env("GIT_CEILING_DIRECTORIES", above).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command.arg("-C").arg(&self.folder);
        let settings = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "log.showSignature=false"];
        command.args(settings.iter().flat_map(|setting| ["-c", *setting])).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(system)?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // What ends early says why on its own.
                let _ = stdin.map(|mut stdin| stdin.write_all(input));
            });
            child.wait_with_output()
        });
        let output = output.map_err(system)?;
        match output.status.success() {
            true => Ok(Ok(output.stdout)),
            false => Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    /// The commit that a name stands for.
    fn commit(&self, name: &str) -> Result<Option<String>, Problem> {
        let args = ["rev-parse", "--quiet", "--verify", "--end-of-options", &format!("{name}^{{commit}}")];
        let found = self.try_git(&args, b"")?;
        Ok(found.ok().map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }
}

/// The folder by its real path, so that what is above it is known.
fn real(folder: &Path) -> Result<PathBuf, Problem> {
    folder.canonicalize().map_err(|error| {
        Problem::new(Code::NotFound, format!("the folder {} can't be used: {error}", folder.display()))
    })
}

/// Begins the last lines of a commit's message, by which an export knows what it did before.
const ENTRY: &str = "Windlass-Entry: ";
/// Begins the line that names the version.
const VERSION: &str = "Windlass-Version: ";

//! The real thing: which programs there are, and what a call is allowed to set up for one.

use std::{
    collections::BTreeMap,
    fs::File,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    Config,
    inmates::Range,
    jail::{Jail, Power},
};
use crate::support;

mod child;

/// Most that is kept of each of stdout and stderr: as much as a script's string can hold.
pub(super) const OUTPUT_BYTES: usize = 1 << 20;

const SYSTEM_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const ENVIRONMENT: [(&str, &str); 2] = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C")];
const LAST_LINES: usize = 5;

/// What the configuration allows, with every program found.
#[derive(Default)]
pub(super) struct Programs {
    /// `None`: declared, and not on this machine.
    paths: BTreeMap<String, Option<PathBuf>>,
    folders: Vec<PathBuf>,
    env: Vec<String>,
    hidden: Vec<PathBuf>,
    inhabitants: Range,
    trusted: Vec<String>,
}

impl Programs {
    pub(super) fn from_config(config: &Config) -> Result<Self, Problem> {
        let inhabitants = config.inhabitants();
        inhabitants.check()?;
        let mut paths = BTreeMap::new();
        for entry in &config.programs {
            let path = Path::new(entry);
            let name =
                path.file_name().and_then(|name| name.to_str()).filter(|name| path.is_absolute() || name == entry);
            let name = name.ok_or_else(|| {
                Problem::new(
                    Code::Configuration,
                    format!("hosts.exec.programs: `{entry}` is no name and no absolute path"),
                )
            })?;
            let candidates: Vec<PathBuf> = match path.is_absolute() {
                true => vec![path.to_owned()],
                false => SYSTEM_FOLDERS.iter().map(|folder| Path::new(folder).join(entry)).collect(),
            };
            let found = candidates.into_iter().find(|path| path.is_file());
            if found.is_none() {
                // `windlass doctor` says so to people; here it would be noise at every start.
                tracing::debug!(program = %entry, "hosts.exec.programs names a program that isn't on this machine");
            }
            if paths.insert(name.to_owned(), found).is_some() {
                return Err(Problem::new(Code::Configuration, format!("hosts.exec.programs names `{name}` twice")));
            }
        }
        let mut folders = Vec::new();
        for folder in &config.folders {
            let real = folder.canonicalize().map_err(|error| {
                Problem::new(Code::Configuration, format!("hosts.exec.folders: {}: {error}", folder.display()))
            })?;
            folders.push(real);
        }
        let (env, hidden, trusted) = (config.env.clone(), config.hidden.clone(), config.trusted.clone());
        Ok(Self { paths, folders, env, hidden, inhabitants, trusted })
    }

    /// Prepares a program; `argv` isn't empty.
    pub(super) fn start(&self, argv: Vec<String>) -> Result<Start, Problem> {
        let mut argv = argv.into_iter();
        let name = argv.next().unwrap_or_default();
        match self.paths.get(&name) {
            Some(Some(path)) => Ok(Start {
                name,
                path: path.clone(),
                arguments: argv.collect(),
                env: ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned().into())).into(),
                stdin: None,
                inside: None,
                folder: None,
                timeout: Duration::ZERO,
            }),
            Some(None) => {
                Err(Problem::new(Code::Unsupported, format!("`{name}` isn't installed on this machine")).no_effect())
            }
            None => {
                Err(Problem::new(Code::PermissionDenied, format!("`{name}` isn't among the programs that may be run"))
                    .help(format!("an administrator declares it with `programs = [\"{name}\"]` under [hosts.exec]"))
                    .no_effect())
            }
        }
    }
}

/// A program that is about to run.
pub(super) struct Start {
    pub(super) name: String,
    path: PathBuf,
    arguments: Vec<String>,
    env: BTreeMap<String, Revealed>,
    pub(super) stdin: Option<Revealed>,
    inside: Option<Inside>,
    folder: Option<Folder>,
    pub(super) timeout: Duration,
}

/// The network namespace that it runs in, and what keeps it there.
struct Inside {
    network: OwnedFd,
    name: String,
    jail: Jail,
}

/// The folder that it starts in.
struct Folder {
    opened: OwnedFd,
    path: PathBuf,
}

type Revealed = zeroize::Zeroizing<String>;

impl Start {
    /// Sets an environment variable that the configuration allows.
    pub(super) fn set_env(&mut self, programs: &Programs, name: &str, value: &str) -> Result<(), Problem> {
        if !programs.env.iter().any(|allowed| allowed == name) {
            return Err(Problem::new(
                Code::PermissionDenied,
                format!("`{name}` isn't among the variables that scripts may set"),
            )
            .help(format!("an administrator declares it with `env = [\"{name}\"]` under [hosts.exec]"))
            .no_effect());
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(support::invalid(format!("`{name}` can't be set in an environment")));
        }
        self.env.insert(name.to_owned(), value.to_owned().into());
        Ok(())
    }

    /// Runs it inside a named network namespace, in a jail: it has that network and nothing of this machine. `check` tells the
    /// organisation for which it enters.
    pub(super) fn enter(
        &mut self,
        programs: &Programs,
        namespace: &str,
        check: impl FnOnce() -> Result<String, Problem>,
    ) -> Result<(), Problem> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let valid = namespace.bytes().all(plain) && !namespace.is_empty() && namespace.len() <= 255;
        if !valid || namespace.starts_with('.') {
            return Err(support::invalid(format!("`{namespace}` can't be the name of a network namespace")));
        }
        let organisation = check()?;
        let file = File::open(Path::new("/run/netns").join(namespace))
            .map_err(|error| support::system(format!("network namespace `{namespace}`"), &error).no_effect())?;
        let power = Power::of(&programs.trusted, &organisation);
        let jail = Jail::new(programs.inhabitants.of(&organisation)?, &programs.hidden, power)?;
        self.inside = Some(Inside { network: file.into(), name: namespace.to_owned(), jail });
        Ok(())
    }

    /// Starts it in a folder. The folder is opened first and then looked at, so that no link can be changed in between.
    pub(super) fn stand_in(&mut self, programs: &Programs, folder: &Path) -> Result<(), Problem> {
        let shown = folder.display();
        if !folder.is_absolute() {
            return Err(support::invalid(format!("`cwd`: {shown} isn't an absolute path")));
        }
        let opened = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(folder)
            .map_err(|error| support::system(format!("`cwd` {shown}"), &error).no_effect())?;
        let fd = OwnedFd::from(opened);
        let real = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)))
            .map_err(|error| support::system(format!("`cwd` {shown}"), &error).no_effect())?;
        if !programs.folders.iter().any(|allowed| real.starts_with(allowed)) {
            return Err(Problem::new(Code::PermissionDenied, format!("programs may not be started in {shown}"))
                .help("an administrator declares folders with `folders = […]` under [hosts.exec]")
                .no_effect());
        }
        self.folder = Some(Folder { opened: fd, path: real });
        Ok(())
    }
}

/// What a program came to.
pub(super) struct Finished {
    pub(super) code: i32,
    stdout: child::Kept,
    stderr: child::Kept,
}

impl Finished {
    pub(super) fn value(&self, output_bytes: usize) -> Value {
        let (stdout, stdout_cut) = support::text(&self.stdout.head, output_bytes);
        let (stderr, stderr_cut) = support::text(&self.stderr.head, output_bytes);
        let truncated = stdout_cut || stderr_cut || self.stdout.cut || self.stderr.cut;
        json!({ "code": self.code, "stdout": stdout, "stderr": stderr, "truncated": truncated })
    }

    /// The last lines of stderr, or of stdout when stderr is empty.
    pub(super) fn last_lines(&self) -> String {
        let from = if self.stderr.tail.is_empty() { &self.stdout } else { &self.stderr };
        let tail: Vec<u8> = from.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&tail);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

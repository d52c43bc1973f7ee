//! What every command is given: the configuration in effect, who acts, and how to print.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::OnceLock,
};

use serde::Serialize;
use windlass_model::{Code, Problem};

use crate::{
    cli::Global,
    config::{self, Flags, Loaded},
    desk::{Desk, Remote},
    render,
    session::{Purpose, Session},
};

/// What every command is given.
pub struct Context {
    /// The configuration in effect.
    pub loaded: Loaded,
    /// The environment, as it was at the start.
    pub environment: BTreeMap<String, String>,
    /// Global flags.
    pub global: Global,
    /// Why something that was to be printed is nowhere.
    unwritten: OnceLock<io::Error>,
}

impl Context {
    /// Loads the configuration.
    pub fn new(global: Global) -> Result<Self, Problem> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let loaded = Sources { flags: flags(&global), environment: environment.clone() }.read()?;
        Ok(Self::of(loaded, environment, global))
    }

    /// One with another configuration.
    pub fn of(loaded: Loaded, environment: BTreeMap<String, String>, global: Global) -> Self {
        Self { loaded, environment, global, unwritten: OnceLock::new() }
    }

    /// The configuration as its sources say now, in the environment and with the flags of the start.
    pub fn read_again(&self) -> Result<Loaded, Problem> {
        self.sources().read()
    }

    /// Where the configuration comes from.
    pub fn sources(&self) -> Sources {
        Sources { flags: flags(&self.global), environment: self.environment.clone() }
    }

    /// Refuses where there are no workflows at all: most likely this is the wrong folder.
    pub fn require_workflows(&self) -> Result<(), Problem> {
        let folder = &self.loaded.config.workflows;
        if folder.is_dir() {
            return Ok(());
        }
        let message = format!("there is no folder of workflows at {}", folder.display());
        Err(Problem::new(Code::NotFound, message).help(
            "go to your project, or name one with --workflows, WINDLASS_WORKFLOWS or `workflows` in windlass.toml",
        ))
    }

    /// Opens the data folder; never where a server is named, as what is meant for it would be done here.
    pub fn open(&self, purpose: Purpose) -> Result<Session, Problem> {
        if let Some(server) = &self.global.server {
            return Err(Problem::new(Code::Usage, format!("this can't be done at a server ({server})"))
                .help("leave --server out, and unset WINDLASS_SERVER"));
        }
        Session::open(&self.loaded, &self.environment, purpose)
    }

    /// Opens the data folder for a command, and closes it when the work is done.
    pub fn with<T>(&self, work: impl FnOnce(&Session) -> Result<T, Problem>) -> Result<T, Problem> {
        let session = self.open(Purpose::Command)?;
        let result = work(&session);
        session.close();
        result
    }

    /// The server that commands go to, if one is named.
    pub fn remote(&self) -> Result<Option<Remote>, Problem> {
        let Some(server) = &self.global.server else { return Ok(None) };
        if self.global.who.is_some() {
            return Err(Problem::new(Code::Usage, "a server knows by the token who acts")
                .help("leave --as out; another token acts for somebody else"));
        }
        let token = self.global.token.as_deref().ok_or_else(|| {
            Problem::new(Code::Unauthenticated, format!("{server} needs a token"))
                .help("set WINDLASS_TOKEN, or give --token; `windlass tokens issue` on the server makes one")
        })?;
        Remote::new(server, token.trim()).map(Some)
    }

    /// Does the work at the server that is named, or in the data folder.
    pub fn at_desk<T>(&self, work: impl Fn(&dyn Desk) -> Result<T, Problem>) -> Result<T, Problem> {
        self.at(|remote| work(remote), |session| work(session))
    }

    /// The same where the two have little in common.
    pub fn at<T>(
        &self,
        there: impl FnOnce(&Remote) -> Result<T, Problem>,
        here: impl FnOnce(&Session) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        match self.remote()? {
            Some(remote) => {
                let result = there(&remote);
                Box::new(remote).close();
                result
            }
            None => self.with(here),
        }
    }

    /// Who acts: `--as`, whoever called sudo, or the user.
    pub fn who(&self) -> String {
        if let Some(name) = &self.global.who {
            return name.clone();
        }
        let uid = nix::unistd::getuid();
        let sudo = self.environment.get("SUDO_USER").filter(|_| uid.is_root());
        let user = || nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
        sudo.cloned().or_else(user).unwrap_or_else(|| format!("uid-{uid}"))
    }

    /// Prints JSON with `--json`, and else the text.
    pub fn print(&self, json: &impl Serialize, text: impl FnOnce() -> String) {
        if self.global.json { self.print_json(json) } else { self.line(&text()) }
    }

    /// Prints a JSON document.
    pub fn print_json(&self, json: &impl Serialize) {
        let text = serde_json::to_string_pretty(json).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
        self.line(&text);
    }

    /// Prints a line to standard output.
    pub fn line(&self, text: &str) {
        self.raw(format!("{text}\n").as_bytes());
    }

    /// Prints bytes as they are to standard output. A reader that has gone away is no error; of anything else `printed` tells.
    pub fn raw(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = self.unwritten.set(error);
            }
            _ => {}
        }
    }

    /// Whether all that was to be printed has been.
    pub fn printed(&self) -> Result<(), Problem> {
        self.unwritten.get().map_or(Ok(()), |error| {
            let message = format!("what was to be printed couldn't be written: {error}");
            Err(Problem::new(Code::System, message)
                .help("the command itself was carried out; what it prints may be had again by a command that shows it"))
        })
    }

    /// Prints a hint to standard error, with its commands as they have to be typed here.
    pub fn hint(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", render::as_called(text));
    }
}

/// Where the configuration comes from: flags, environment, file.
pub struct Sources {
    flags: Flags,
    environment: BTreeMap<String, String>,
}

impl Sources {
    /// What they say now.
    pub fn read(&self) -> Result<Loaded, Problem> {
        let here = std::env::current_dir()
            .map_err(|error| Problem::new(Code::System, format!("the current folder can't be told: {error}")))?;
        config::load(&self.flags, &self.environment, &here)
    }
}

fn flags(global: &Global) -> Flags {
    let (config, data, workflows) = (global.config.clone(), global.data.clone(), global.workflows.clone());
    Flags { config, data, workflows, installed: crate::install::installed_config() }
}

//! What was asked for at the installation, and what was written: so that the same command again changes nothing, and a file that a
//! person has changed is told apart from one that an older version wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use super::layout::{Layout, RECORD};

/// The record. Keys that it doesn't know are a newer version's, which is taken back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// How people reach it.
    pub address: Address,
    /// Whether it makes labs: as root, with capabilities.
    pub labs: bool,
    /// Where Guacamole's web application listens.
    pub guacamole: Option<SocketAddr>,
    /// A database that somebody else keeps; none: this machine's PostgreSQL.
    pub database: Option<String>,
    /// blake3 of what was written, by path.
    pub written: BTreeMap<String, String>,
    /// What wasn't there before, and goes with it.
    pub made: BTreeSet<Made>,
}

/// What an installation makes beside files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// The service's user.
    User,
    /// The database's role.
    Role,
    /// The database.
    Database,
}

/// How people reach it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// On this machine only, by plain HTTP.
    #[default]
    Loopback,
    /// At this name, with a certificate that Caddy gets.
    Public(String),
    /// At this name or address, with a certificate of Caddy's own authority.
    Internal(String),
}

impl Address {
    /// The host's name, where there is one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Loopback => None,
            Self::Public(host) | Self::Internal(host) => Some(host),
        }
    }

    /// As people type it.
    pub fn url(&self) -> String {
        self.host().map_or_else(|| "http://127.0.0.1".to_owned(), |host| format!("https://{host}"))
    }

    /// A host's name or address, and nothing that means something in a file of ours.
    pub fn checked(host: &str) -> Result<&str, Problem> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let part = |part: &str| !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-');
        if host.len() <= 253 && host.bytes().all(known) && host.split('.').all(part) {
            return Ok(host);
        }
        Err(Problem::new(Code::Usage, format!("`{host}` isn't a host's name"))
            .help("for example: windlass.example.net"))
    }
}

impl Record {
    /// The one there, if it was installed there.
    pub fn read(layout: &Layout) -> Result<Option<Self>, Problem> {
        let file = layout.at(RECORD);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Problem::new(Code::Storage, format!("{} can't be read: {error}", file.display())));
            }
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Problem::new(Code::Configuration, format!("{} isn't a record of an installation: {error}", file.display()))
                .help("move it away, and give `windlass install` its options again")
        })
    }

    /// The one there, or that there is none.
    pub fn require(layout: &Layout) -> Result<Self, Problem> {
        Self::read(layout)?.ok_or_else(|| {
            Problem::new(
                Code::NotFound,
                format!("Windlass isn't installed here: there is no {}", layout.at(RECORD).display()),
            )
            .help("`windlass install` does it")
        })
    }

    /// Whom the service runs as.
    pub fn user(&self) -> &'static str {
        if self.labs { "root" } else { super::layout::NAME }
    }

    /// The database's URL. The service's user is known to this machine's PostgreSQL by the socket; root, which isn't the role, brings
    /// a password.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(url) => url.clone(),
            None if self.labs => format!("postgres://windlass@127.0.0.1/windlass?passfile={}", super::layout::PASSFILE),
            None => "postgres://windlass@/windlass?host=/run/postgresql".to_owned(),
        }
    }

    /// Whether PostgreSQL is this machine's.
    pub fn is_database_here(&self) -> bool {
        self.database.is_none()
    }
}

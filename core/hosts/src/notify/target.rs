//! Named targets: the addresses and secrets of messages stand here, and never in a script.

use std::{fs::File, io::Read as _};

use serde::{Deserialize, Serialize};
use url::{Host, Url};
use windlass_model::{Code, Problem, RunId};
use zeroize::Zeroizing;

/// Bytes that a file with an address or a secret has, at most.
const SECRET_BYTES: u64 = 4 << 10;
/// Recipients of one target, at most.
const RECIPIENTS: usize = 100;
/// What makes a key of Standard Webhooks one.
const KEY_PREFIX: &str = "whsec_";

/// A way to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// E-mail by the configured mail server.
    Email,
    /// A topic of an ntfy server.
    Ntfy,
    /// A channel's webhook at Discord.
    Discord,
    /// An incoming webhook at Slack.
    Slack,
    /// An incoming webhook of a Mattermost server.
    Mattermost,
    /// Any receiver of Standard Webhooks.
    Webhook,
}

impl Way {
    /// Its name, which its op has, too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ntfy => "ntfy",
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::Mattermost => "mattermost",
            Self::Webhook => "webhook",
        }
    }

    /// Whether its address is all that somebody needs who wants to write there.
    const fn address_is_secret(self) -> bool {
        matches!(self, Self::Discord | Self::Slack | Self::Mattermost)
    }
}

/// `[hosts.notify.targets.<name>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The way.
    pub way: Way,
    /// The address, or where it is: `file:/path` or `env:NAME`. For Discord, Slack and Mattermost only the latter.
    #[serde(default)]
    pub url: String,
    /// Where the token (ntfy) or the key (webhook) is: `file:/path` or `env:NAME`.
    #[serde(default)]
    pub secret: String,
    /// Who gets the mail.
    #[serde(default)]
    pub to: Vec<String>,
    /// Organisations that may use it beside the platform; `*`: all.
    #[serde(default)]
    pub organisations: Vec<String>,
    /// Whether the address may be one that isn't public, and be spoken with readably.
    #[serde(default)]
    pub private: bool,
}

impl Entry {
    /// Whether an organisation may use it.
    pub fn is_for(&self, organisation: &str) -> bool {
        organisation == crate::owner::PLATFORM || self.organisations.iter().any(|one| one == "*" || one == organisation)
    }

    /// Refuses what can't be meant.
    pub(super) fn check(&self, name: &str) -> Result<(), Problem> {
        let wrong = |key: &str, why: &str| {
            Problem::new(Code::Configuration, format!("hosts.notify.targets.{name}.{key}: {why}"))
        };
        if !is_name(name) {
            return Err(wrong("way", "a target's name has 1 to 100 letters, digits, `-`, `_` and `.`"));
        }
        let elsewhere = |text: &str| text.starts_with("file:") || text.starts_with("env:");
        if self.way.address_is_secret() && !elsewhere(&self.url) {
            return Err(wrong("url", "whoever has it can write there: say where it is, `file:/path` or `env:NAME`"));
        }
        if !self.secret.is_empty() && !elsewhere(&self.secret) {
            return Err(wrong("secret", "has to say where it is: `file:/path` or `env:NAME`"));
        }
        if elsewhere(&self.url) {
            return Ok(());
        }
        let target = Target { url: self.url.clone().into(), secret: String::new().into(), ..self.bare(name) };
        target.check_address().map_err(|why| wrong(if self.way == Way::Email { "to" } else { "url" }, &why))
    }

    fn bare(&self, name: &str) -> Target {
        Target {
            name: name.to_owned(),
            way: self.way,
            url: Zeroizing::default(),
            secret: Zeroizing::default(),
            to: self.to.clone(),
            private: self.private,
        }
    }

    /// The target with its address and its secret, as they are now.
    pub(super) fn read(&self, name: &str) -> Result<Target, String> {
        Ok(Target { url: resolve(&self.url)?, secret: resolve(&self.secret)?, ..self.bare(name) })
    }
}

/// What stands in a file or in the environment; anything else as it is.
fn resolve(text: &str) -> Result<Zeroizing<String>, String> {
    let found = match (text.strip_prefix("file:"), text.strip_prefix("env:")) {
        (Some(path), _) => read_file(path).map_err(|error| format!("{path}: {error}"))?,
        (_, Some(variable)) => Zeroizing::new(std::env::var(variable).map_err(|_| format!("{variable} isn't set"))?),
        _ => Zeroizing::new(text.to_owned()),
    };
    Ok(Zeroizing::new(found.trim().to_owned()))
}

/// The text of a file, unless it is something else, such as a pipe that could have us wait for ever.
pub(super) fn read_file(path: &str) -> std::io::Result<Zeroizing<String>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("that isn't a file"));
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(SECRET_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Where messages go.
#[derive(Clone)]
pub struct Target {
    /// What people call it.
    pub name: String,
    /// The way.
    pub way: Way,
    /// The address; for mail there is none.
    pub url: Zeroizing<String>,
    /// The token (ntfy) or the key (webhook), if there is one.
    pub secret: Zeroizing<String>,
    /// Who gets the mail.
    pub to: Vec<String>,
    /// Whether the address may be one that isn't public, and be spoken with readably.
    pub private: bool,
}

impl Target {
    /// Refuses what can't be meant, in words.
    pub fn check(&self) -> Result<(), String> {
        self.check_address()?;
        match self.way {
            Way::Webhook => self.key().map(drop),
            Way::Ntfy if self.secret.chars().any(|char| !char.is_ascii_graphic()) => {
                Err("a token is one word of letters, digits and signs".into())
            }
            Way::Ntfy => Ok(()),
            _ if !self.secret.is_empty() => Err(format!("a target of {} has no secret", self.way.as_str())),
            _ => Ok(()),
        }
    }

    fn check_address(&self) -> Result<(), String> {
        if self.way == Way::Email {
            if self.to.is_empty() || self.to.len() > RECIPIENTS {
                return Err(format!("a mail goes to 1 to {RECIPIENTS} addresses"));
            }
            return self.to.iter().try_for_each(|to| super::email::readable(to));
        }
        let url = self.read_url()?;
        match self.way {
            Way::Ntfy => super::shapes::topic(&url).map(drop),
            _ => Ok(()),
        }
    }

    /// The address, if a message may be sent there. It is never repeated in an error.
    pub(super) fn read_url(&self) -> Result<Url, String> {
        let url = Url::parse(&self.url).map_err(|error| format!("the address isn't a URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or a password can't stand in an address".into());
        }
        let inside = match url.host() {
            Some(Host::Ipv4(address)) => crate::web::special(address.into()).is_some(),
            Some(Host::Ipv6(address)) => crate::web::special(address.into()).is_some(),
            Some(Host::Domain(domain)) => domain == "localhost",
            None => return Err("the address names no host".into()),
        };
        match url.scheme() {
            "https" => Ok(url),
            // Inside the house: the guard of addresses looks at that.
            "http" if self.private || inside => Ok(url),
            "http" => Err("it would cross the network readable: use https".into()),
            _ => Err("an address begins with https://".into()),
        }
    }

    /// The bytes of a webhook's key.
    pub(super) fn key(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let bytes = self.secret.strip_prefix(KEY_PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| (16..=256).contains(&bytes.len())).map(Zeroizing::new);
        bytes.ok_or_else(|| "a webhook's key is `whsec_` and 16 to 256 bytes in base64".into())
    }
}

/// Whether a target can be called so.
pub fn is_name(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

/// Finds targets that were made by people. The server does.
pub trait Targets: Send + Sync {
    /// The target of this name of the run's organisation.
    fn find(&self, run: &RunId, name: &str) -> Result<Option<Target>, Problem>;

    /// The run's organisation.
    fn organisation(&self, run: &RunId) -> Result<String, Problem>;
}

//! `[hosts.notify.email]`: the mail server, and who writes.

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use super::address;
use crate::notify::delivery::LONGEST_MS;

/// `[hosts.notify.email]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The mail server. Empty: no mail is sent.
    pub host: String,
    /// Its port; 0: 587, or 465 with `tls = "tls"`, or 25 with `tls = "none"`.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// A PEM file with certificate authorities to trust beside those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Who logs in. Empty: nobody.
    pub user: String,
    /// Where the password is: `file:/etc/windlass/mail.password` or `env:MAIL_PASSWORD`. Read at every use.
    pub password: String,
    /// Or the name of the secret that is the password; its policy has to allow `smtp://host:port`.
    pub secret: String,
    /// Who writes: `Windlass <windlass@acme.test>`.
    pub from: String,
    /// Who gets the answers, if somebody else.
    pub reply_to: String,
    /// Most recipients of one message.
    pub recipients: usize,
    /// Most bytes of one message, text and HTML together.
    pub bytes: usize,
    /// Most messages in a minute, of all runs of this process together.
    pub per_minute: usize,
    /// Milliseconds for one message, all attempts together; at most 10,000.
    pub timeout_ms: u64,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It begins readable, and is encrypted before anything is said.
    #[default]
    Starttls,
    /// It is encrypted from the beginning.
    Tls,
    /// Readable: only to this machine itself.
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            tls: Tls::default(),
            ca_file: None,
            user: String::new(),
            password: String::new(),
            secret: String::new(),
            from: String::new(),
            reply_to: String::new(),
            recipients: 20,
            bytes: 256 << 10,
            per_minute: 60,
            timeout_ms: LONGEST_MS,
        }
    }
}

/// Who writes and who is answered.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
}

impl Config {
    /// The port that is meant.
    pub(super) fn port(&self) -> u16 {
        match (self.port, self.tls) {
            (0, Tls::Starttls) => 587,
            (0, Tls::Tls) => 465,
            (0, Tls::None) => 25,
            (port, _) => port,
        }
    }

    /// The server as secrets' policies name it.
    pub(super) fn destination(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("smtp://{host}:{}", self.port())
    }

    /// Refuses what can't be meant.
    pub(super) fn check(&self) -> Result<Sender, Problem> {
        let host = self.host.as_str();
        let fits = |char: char| char.is_ascii_alphanumeric() || "-._:".contains(char);
        if !host.chars().all(fits) {
            return Err(wrong("host", "is a name or an address, without port and brackets"));
        }
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if self.tls == Tls::None && !loopback {
            return Err(wrong("tls", "`none` is for a server on this machine: mail and password would be readable"));
        }
        if !self.password.is_empty() && !self.password.starts_with("file:") && !self.password.starts_with("env:") {
            return Err(wrong("password", "has to say where the password is: `file:/path` or `env:NAME`"));
        }
        match (self.user.is_empty(), self.password.is_empty(), self.secret.is_empty()) {
            (_, false, false) => return Err(wrong("secret", "stands beside `password`: give one of them")),
            (false, true, true) => return Err(wrong("user", "needs `password` or `secret`")),
            (true, false, _) | (true, _, false) => return Err(wrong("user", "is missing, and a password is given")),
            _ => {}
        }
        for (key, value, most) in [
            ("recipients", self.recipients as u64, 100),
            ("bytes", self.bytes as u64, 1 << 20),
            ("per_minute", self.per_minute as u64, 10_000),
            ("timeout_ms", self.timeout_ms, LONGEST_MS),
        ] {
            if value == 0 || value > most {
                return Err(wrong(key, &format!("is from 1 to {most}")));
            }
        }
        let from = address::read(&self.from).map_err(|why| wrong("from", &why))?;
        let reply_to = match self.reply_to.as_str() {
            "" => None,
            text => Some(address::read(text).map_err(|why| wrong("reply_to", &why))?),
        };
        Ok(Sender { from, reply_to })
    }
}

pub(super) fn wrong(key: &str, why: &str) -> Problem {
    Problem::new(Code::Configuration, format!("hosts.notify.email.{key}: {why}"))
}

//! Letters of the server itself: by the mail server of `[hosts.notify.email]`, whatever scripts may send besides.

use std::{fs::File, io::Read as _, sync::Arc, time::Duration};

use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls as Protection, TlsParameters},
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use windlass_api::services::{Letter, Mail};
use windlass_hosts::notify::{Email, Tls};
use windlass_script::SecretSource as _;
use zeroize::Zeroizing;

use crate::vault::Vault;

const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD_BYTES: u64 = 4 << 10;

/// The way to people's mailboxes.
pub struct Post {
    config: Email,
    vault: Arc<Vault>,
}

impl Post {
    /// By the configured mail server; none, if there is none.
    pub fn of(config: &Email, vault: &Arc<Vault>) -> Option<Arc<Self>> {
        (!config.host.is_empty()).then(|| Arc::new(Self { config: config.clone(), vault: vault.clone() }))
    }

    fn port(&self) -> u16 {
        match (self.config.port, self.config.tls) {
            (0, Tls::Starttls) => 587,
            (0, Tls::Tls) => 465,
            (0, Tls::None) => 25,
            (port, _) => port,
        }
    }

    fn protection(&self) -> Result<Protection, String> {
        let wrapped = match self.config.tls {
            Tls::None => return Ok(Protection::None),
            Tls::Starttls => false,
            Tls::Tls => true,
        };
        let mut trusted = TlsParameters::builder(self.config.host.clone()).certificate_store(CertificateStore::Default);
        if let Some(path) = &self.config.ca_file {
            let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                let certificate = Certificate::from_der(certificate.to_vec()).map_err(|error| wrong(&error))?;
                trusted = trusted.add_root_certificate(certificate);
            }
        }
        let trusted = trusted.build_rustls().map_err(|error| error.to_string())?;
        Ok(if wrapped { Protection::Wrapper(trusted) } else { Protection::Required(trusted) })
    }

    fn password(&self) -> Result<Zeroizing<String>, String> {
        let config = &self.config;
        if !config.secret.is_empty() {
            let host = if config.host.contains(':') { format!("[{}]", config.host) } else { config.host.clone() };
            let destination = format!("smtp://{host}:{}", self.port());
            let policy = self.vault.policy(&config.secret).map_err(|problem| problem.message)?;
            if !policy.allows(&destination) {
                return Err(format!("the secret `{}` may not go to {destination}", config.secret));
            }
            return self.vault.get(&config.secret).map_err(|problem| problem.message);
        }
        let text = match (config.password.strip_prefix("file:"), config.password.strip_prefix("env:")) {
            (Some(path), _) => read_file(path).map_err(|error| format!("{path}: {error}"))?,
            (_, Some(variable)) => {
                Zeroizing::new(std::env::var(variable).map_err(|_| format!("{variable} isn't set"))?)
            }
            _ => return Err("the password is neither in a file nor in the environment".into()),
        };
        Ok(Zeroizing::new(text.trim().to_owned()))
    }

    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}`: {error}"));
        let mut builder = Message::builder()
            .from(mailbox(&self.config.from)?)
            .to(mailbox(&letter.to)?)
            .subject(letter.subject.clone())
            .date_now()
            .message_id(None);
        if !self.config.reply_to.is_empty() {
            builder = builder.reply_to(mailbox(&self.config.reply_to)?);
        }
        let parts = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
        builder.multipart(parts).map_err(|error| error.to_string())
    }
}

fn read_file(path: &str) -> std::io::Result<Zeroizing<String>> {
    // Anything else, such as a pipe, could have us wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("that isn't a file"));
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(PASSWORD_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

impl Mail for Post {
    fn send(&self, letter: &Letter) -> Result<(), String> {
        let message = self.message(letter)?;
        let mut transport = SmtpTransport::builder_dangerous(&self.config.host)
            .port(self.port())
            .tls(self.protection()?)
            .timeout(Some(PATIENCE.min(Duration::from_millis(self.config.timeout_ms))));
        if !self.config.user.is_empty() {
            let password = self.password()?;
            transport = transport.credentials(Credentials::new(self.config.user.clone(), password.to_string()));
        }
        let sent = transport.build().send(&message);
        // What the server answers may repeat what it was given: its status is enough.
        sent.map(drop).map_err(|error| match error.status() {
            Some(code) => format!("{}: the mail server answered {code}", self.config.host),
            None => format!("{}: {error}", self.config.host),
        })
    }
}

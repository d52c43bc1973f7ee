//! One conversation with the mail server, step by step: so it is known at every moment whether the message has left.

use std::{error::Error as _, time::Duration};

use lettre::{
    Address, Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::{
    Config, Tls,
    config::wrong,
    delivery::{self, Failure, Handed},
};
use crate::notify::{
    delivery::{Refusal, Refused},
    target::read_file,
};

const GOODBYE: Duration = Duration::from_millis(300);

/// Gives the value of a secret for a destination.
pub type Reveal<'a> = &'a (dyn Fn(&str, &str) -> Result<Zeroizing<String>, Problem> + Sync);

/// The server, with whom it is trusted by.
pub(super) struct Smtp {
    config: Config,
    tls: Option<TlsParameters>,
}

impl Smtp {
    /// Fails when the certificates can't be read.
    pub(super) fn new(config: &Config) -> Result<Self, Problem> {
        let tls = match config.tls {
            Tls::None => None,
            Tls::Starttls | Tls::Tls => Some(trusted(config)?),
        };
        Ok(Self { config: config.clone(), tls })
    }

    /// The password, or why it can't be had.
    pub(super) fn password(&self, reveal: Reveal<'_>) -> Result<Option<Zeroizing<String>>, String> {
        let config = &self.config;
        if config.user.is_empty() {
            return Ok(None);
        }
        if !config.secret.is_empty() {
            return reveal(&config.secret, &config.destination()).map(Some).map_err(|problem| problem.message);
        }
        let text = match (config.password.strip_prefix("file:"), config.password.strip_prefix("env:")) {
            (Some(path), _) => read_file(path).map_err(|error| format!("{path}: {error}"))?,
            (_, Some(variable)) => {
                Zeroizing::new(std::env::var(variable).map_err(|_| format!("{variable} isn't set"))?)
            }
            _ => return Err("the password is neither in a file nor in the environment".into()),
        };
        Ok(Some(Zeroizing::new(text.trim().to_owned())))
    }

    /// Connects, and hands the message over, if the run is still ours then. With `only`, to these of its recipients.
    pub(super) async fn send(
        &self,
        (message, only): (&Message, &[String]),
        password: Option<&str>,
        handed: &Handed,
        holds: &(impl Fn() -> bool + Sync),
    ) -> Result<Refused, Failure> {
        let all = message.envelope().to().iter();
        let to: Vec<Address> = all.filter(|to| only.is_empty() || only.contains(&to.to_string())).cloned().collect();
        // They were taken out of the list meanwhile.
        if to.is_empty() {
            return Ok(Refused::new());
        }
        let mut connection = self.connect().await?;
        if let Some(password) = password {
            let credentials = Credentials::new(self.config.user.clone(), password.to_owned());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            if let Err(error) = connection.auth(&mechanisms, &credentials).await {
                return Err(self.not_logged_in(&error));
            }
        }
        let result = self.hand_over(&mut connection, (message, &to), handed, holds).await;
        // The message is over by now: a server that doesn't say goodbye is left.
        let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
        result
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let hello = ClientId::default();
        let place = (self.config.host.as_str(), self.config.port());
        let at_once = self.tls.clone().filter(|_| self.config.tls == Tls::Tls);
        let limit = Duration::from_millis(self.config.timeout_ms);
        let connected = AsyncSmtpConnection::connect_tokio1(place, Some(limit), &hello, at_once, None).await;
        let mut connection = connected.map_err(|error| self.failed(&error))?;
        if let Some(tls) = self.tls.clone().filter(|_| self.config.tls == Tls::Starttls) {
            if !connection.can_starttls() {
                return Err(Failure::Final(self.said("it doesn't offer STARTTLS, without which nothing is sent")));
            }
            connection.starttls(tls, &hello).await.map_err(|error| self.failed(&error))?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        (message, recipients): (&Message, &[Address]),
        handed: &Handed,
        holds: &(impl Fn() -> bool + Sync),
    ) -> Result<Refused, Failure> {
        let bytes = message.formatted();
        let mut options = Vec::new();
        if !bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let began = connection.command(Mail::new(message.envelope().from().cloned(), options)).await;
        began.map_err(|error| self.failed(&error))?;
        let mut refused = Refused::new();
        for to in recipients {
            if let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())).await {
                if error.status().is_none() {
                    return Err(self.failed(&error));
                }
                refused.push(Refusal { who: to.to_string(), why: words(&error), again: error.is_transient() });
            }
        }
        if refused.len() == recipients.len() {
            // The others have it.
            if recipients.len() < message.envelope().to().len() {
                return Ok(refused);
            }
            let reason = self.said(&format!("refused {}", delivery::words(&refused)));
            return Err(if refused.iter().any(|one| one.again) {
                Failure::Again(reason)
            } else {
                Failure::Final(reason)
            });
        }
        connection.command(Data).await.map_err(|error| self.failed(&error))?;
        if !holds() {
            let lost = Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect();
            return Err(Failure::Stop(lost));
        }
        handed.set(true);
        match connection.message(&bytes).await {
            Ok(_) => Ok(refused),
            // An answer that isn't yes: nobody has it.
            Err(error) if error.status().is_some() => {
                handed.set(false);
                Err(self.failed(&error))
            }
            Err(error) => Err(Failure::Final(
                self.said(&format!("{} after it was handed over: whether it arrived isn't known", words(&error))),
            )),
        }
    }

    /// What a failure before the message left means.
    fn failed(&self, error: &Error) -> Failure {
        if is_about_certificates(error) {
            let help = "a private certificate authority is trusted with `ca_file` under [hosts.notify.email]";
            return Failure::Final(self.said(&format!("{}; {help}", words(error))));
        }
        let reason = self.said(&words(error));
        if error.is_permanent() || error.is_client() { Failure::Final(reason) } else { Failure::Again(reason) }
    }

    /// The server's own words aren't repeated here: some servers repeat what they were given.
    fn not_logged_in(&self, error: &Error) -> Failure {
        match error.status() {
            Some(code) if error.is_permanent() => {
                Failure::Final(self.said(&format!("it refuses the user name or the password ({code})")))
            }
            Some(code) => Failure::Again(self.said(&format!("it can't log in anybody now ({code})"))),
            None if error.is_client() => Failure::Final(self.said("it offers no log-in with a password")),
            None => Failure::Again(self.said("the connection broke during the log-in")),
        }
    }

    fn said(&self, what: &str) -> String {
        format!("{}: {what}", self.config.destination().trim_start_matches("smtp://"))
    }
}

/// The error and what is behind it, without the library's headings.
fn words(error: &Error) -> String {
    let source = match error.source().map(ToString::to_string) {
        // The library's word for an answer that ends before it began.
        Some(text) if error.is_response() && text == "incomplete response" => "it closed the connection".into(),
        Some(text) => text,
        None => error.to_string(),
    };
    match error.status() {
        Some(code) => format!("{code} {source}"),
        None => source,
    }
}

fn is_about_certificates(error: &Error) -> bool {
    let mut chain = std::iter::successors(error.source(), |&error| error.source());
    error.is_tls()
        || chain.any(|error| {
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        })
}

/// Who is trusted: the machine's authorities, and those of `ca_file`.
fn trusted(config: &Config) -> Result<TlsParameters, Problem> {
    let mut builder = TlsParameters::builder(config.host.clone()).certificate_store(CertificateStore::Default);
    if let Some(path) = &config.ca_file {
        let wrong = |why: &dyn std::fmt::Display| wrong("ca_file", &format!("{}: {why}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
        let mut count = 0;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            let readable = Certificate::from_der(certificate.to_vec()).map_err(|error| wrong(&error))?;
            builder = builder.add_root_certificate(readable);
            count += 1;
        }
        if count == 0 {
            return Err(wrong(&"there is no certificate in it"));
        }
    }
    builder.build_rustls().map_err(|error| wrong("tls", &error.to_string()))
}

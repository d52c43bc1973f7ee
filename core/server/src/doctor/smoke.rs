//! Whether an installation serves, from the outside as from the inside: services, database, the API directly and through the front door,
//! the page, Guacamole. Looks only; what it asks for anybody may ask for.

mod front;
mod machine;

use std::time::{Duration, Instant};

use serde::Serialize;
use windlass_model::Problem;

use crate::{
    config::Config,
    install::{Layout, Record},
    render,
};

/// How often it is looked again while something isn't well.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is as it has to be.
    pub ok: bool,
    /// What was found.
    pub found: String,
}

impl Check {
    fn of(name: &'static str, outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(found) => Self { name, ok: true, found },
            Err(found) => Self { name, ok: false, found },
        }
    }
}

/// What is looked at.
pub struct Smoke<'a> {
    /// The configuration in effect.
    pub config: &'a Config,
    /// What was installed here, if anything was.
    pub record: Option<Record>,
    /// Where people reach it; from here it is looked for on this machine.
    pub url: String,
    /// Whether the address was told by whoever asks: then it is looked for where it says.
    pub is_told: bool,
}

impl<'a> Smoke<'a> {
    /// Of this machine, at the address that is told, or that it was installed for.
    pub fn new(config: &'a Config, url: Option<&str>) -> Result<Self, Problem> {
        let record = Record::read(&Layout::new("/".as_ref()))?;
        let own = match (&record, config.server.public_url.as_str()) {
            (Some(record), _) => record.address.url(),
            (None, "") => format!("http://{}", config.server.listen),
            (None, url) => url.to_owned(),
        };
        let told = url.unwrap_or(&own).trim_end_matches('/').to_owned();
        Ok(Self { config, record, url: told, is_told: url.is_some() })
    }

    /// All checks; those that don't hold are looked at again until they do, or this is over.
    pub fn run(&self, patience: Duration) -> Result<Vec<Check>, Problem> {
        let began = Instant::now();
        loop {
            let checks = self.look()?;
            if checks.iter().all(|check| check.ok) || began.elapsed() >= patience {
                return Ok(checks);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn look(&self) -> Result<Vec<Check>, Problem> {
        let mut checks = machine::checks(self);
        checks.extend(front::checks(self)?);
        Ok(checks)
    }
}

/// The checks as a table.
pub fn table(checks: &[Check]) -> String {
    let mark = |ok: bool| if ok { "✓" } else { "✗" }.to_owned();
    let rows = checks.iter().map(|check| vec![mark(check.ok), check.name.to_owned(), check.found.clone()]);
    render::table(&["", "check", "found"], rows.collect())
}

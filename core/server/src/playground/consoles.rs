//! A simulated Guacamole, with guacd: what labs' consoles are made in where nobody has the real one.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use windlass_hosts::guacamole;
use windlass_model::{Code, Problem};
use windlass_sim::{Clock, Control, Server, guacamole as web, guacd};

use super::{unusable, write};
use crate::config::{Config, SecretEntry};

/// Where the password is kept: under a name that nobody has one of their own under.
const PASSWORD: &str = "simulated/guacamole";

pub(super) struct Consoles {
    web: Server,
    guacd: guacd::Guacd,
}

impl Consoles {
    /// Starts both, and enters them in the configuration.
    pub(super) fn start(config: &mut Config, folder: &Path) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::new(Code::System, format!("no simulated Guacamole: {error}"));
        let control = Control::new(Clock::system());
        let anywhere = ([127, 0, 0, 1], 0).into();
        let guacd = guacd::Guacd::start(anywhere, guacd::Config::default(), control.faults.clone()).map_err(failed)?;
        let simulated = Arc::new(web::Guacamole::new(web::Config::default(), control.clock.clone()));
        let web = windlass_sim::serve(anywhere, simulated, &control).map_err(failed)?;
        let password = folder.join("guacamole.password");
        write(&password, windlass_sim::guacamole::PASSWORD).map_err(|error| unusable(&password, &error))?;
        let entry = SecretEntry { from: format!("file:{}", password.display()), to: vec![web.url()] };
        config.secrets.insert(PASSWORD.to_owned(), entry);
        config.hosts.guacamole = guacamole::Config {
            url: format!("{}{}", web.url(), windlass_sim::guacamole::BASE),
            user: windlass_sim::guacamole::USER.to_owned(),
            secret: PASSWORD.to_owned(),
            guacd: guacd.address().to_string(),
            organisations: vec!["*".into()],
            ..guacamole::Config::default()
        };
        Ok(Self { web, guacd })
    }

    pub(super) fn line(&self) -> String {
        format!("simulated  Guacamole at {}{}, guacd at {}", self.web.url(), web::BASE, self.guacd.address())
    }

    pub(super) fn json(&self) -> Value {
        json!({ "url": format!("{}{}", self.web.url(), web::BASE), "guacd": self.guacd.address().to_string() })
    }
}

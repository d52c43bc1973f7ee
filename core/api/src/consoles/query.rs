//! What may be asked of consoles.

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_model::{Code, Problem};

use crate::{
    runs::filter::clean,
    services::{ConsoleKind, ScreenAsk},
};

/// Most pixels of a picture each way.
const PIXELS: u32 = 16_384;
/// Most pixels to an inch.
const DPI: u32 = 1_000;

/// Whose lab.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WhoseQuery {
    /// The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours.
    pub organisation: Option<String>,
}

/// Whether somebody comes to type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// To type, when they have the keyboard.
    #[default]
    Type,
    /// To look.
    Watch,
}

/// Which console, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ConsoleQuery {
    /// The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours.
    pub organisation: Option<String>,
    /// Which of the node's consoles.
    pub kind: ConsoleKind,
    /// Columns of your terminal.
    pub cols: u16,
    /// Rows of your terminal.
    pub rows: u16,
    /// Whether you come to type.
    pub mode: Mode,
    /// Tells terminals apart: those who name the same see the same one. A machine's serial line is one for all.
    pub name: Option<String>,
    /// 1: have it recorded.
    pub record: u8,
    /// 1: a console that can't be opened says so in the WebSocket, `{"error":{…}}` (`guac`: an `error` instruction), and is closed
    /// with 4403. Browsers don't show a page how its handshake was answered.
    pub explain: u8,
    /// Who logs in, where the node asks for it (SSH).
    pub user: Option<String>,
    /// The name of the secret with the password or the key. Its policy has to allow `ssh://ORGANISATION/LAB/NODE`.
    pub secret: Option<String>,
    /// Which console a screen by way of guacd shows: `vnc`, `ssh` or `telnet`; the first that the node has, if nothing is said.
    pub of: Option<ConsoleKind>,
    /// Pixels of that screen.
    pub width: u32,
    /// Pixels of that screen.
    pub height: u32,
    /// Its pixels to an inch.
    pub dpi: u32,
    /// Your time zone, `Europe/Berlin`.
    pub timezone: Option<String>,
}

impl Default for ConsoleQuery {
    fn default() -> Self {
        Self {
            organisation: None,
            kind: ConsoleKind::Shell,
            cols: 80,
            rows: 24,
            mode: Mode::Type,
            name: None,
            record: 0,
            explain: 0,
            user: None,
            secret: None,
            of: None,
            width: 1024,
            height: 768,
            dpi: 96,
            timezone: None,
        }
    }
}

impl ConsoleQuery {
    /// Which terminal it is: its name, and who logs in. A machine's serial line is one, whatever somebody calls it.
    pub(super) fn terminal(&self) -> Result<(String, Option<(String, String)>), Problem> {
        let name = clean("name", self.name.as_deref().unwrap_or_default())?;
        let login = self.login()?;
        Ok(match self.kind {
            ConsoleKind::Serial => Default::default(),
            _ => (name.to_owned(), login),
        })
    }

    /// Who logs in, where whoever asks has said so.
    fn login(&self) -> Result<Option<(String, String)>, Problem> {
        match (&self.user, &self.secret) {
            (Some(user), Some(secret)) => {
                Ok(Some((clean("user", user)?.to_owned(), clean("secret", secret)?.to_owned())))
            }
            (None, None) => Ok(None),
            _ => Err(Problem::new(Code::InvalidInput, "`user` and `secret` go together")),
        }
    }

    /// What is wanted of a screen by way of guacd.
    pub(super) fn screen(&self) -> Result<Option<ScreenAsk>, Problem> {
        let wrong = |what: String| Err(Problem::new(Code::InvalidInput, what));
        if self.kind != ConsoleKind::Guac {
            return match self.of {
                Some(_) => wrong("`of` is for `kind=guac`".into()),
                None => Ok(None),
            };
        }
        if self.of.is_some_and(|of| ![ConsoleKind::Vnc, ConsoleKind::Ssh, ConsoleKind::Telnet].contains(&of)) {
            return wrong("guacd shows `vnc`, `ssh` or `telnet`".into());
        }
        for (name, value, most) in
            [("width", self.width, PIXELS), ("height", self.height, PIXELS), ("dpi", self.dpi, DPI)]
        {
            if !(1..=most).contains(&value) {
                return wrong(format!("`{name}` is from 1 to {most}, not {value}"));
            }
        }
        let timezone = self.timezone.as_deref().map(|zone| clean("timezone", zone).map(str::to_owned)).transpose()?;
        Ok(Some(ScreenAsk { of: self.of, width: self.width, height: self.height, dpi: self.dpi, timezone }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_line_is_one_whatever_it_is_called() {
        let asked = |kind| ConsoleQuery {
            kind,
            name: Some("own".into()),
            user: Some("root".into()),
            secret: Some("lab/key".into()),
            ..ConsoleQuery::default()
        };
        assert_eq!(asked(ConsoleKind::Serial).terminal().unwrap(), (String::new(), None));
        let login = Some(("root".to_owned(), "lab/key".to_owned()));
        assert_eq!(asked(ConsoleKind::Ssh).terminal().unwrap(), ("own".to_owned(), login));
        assert!(ConsoleQuery { secret: None, ..asked(ConsoleKind::Serial) }.terminal().is_err());
    }
}

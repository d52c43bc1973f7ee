//! What is known of a thing that a run has made: what it costs in a month, and how to get at it.

use serde::{Deserialize, Serialize};

/// Bytes of a link, at most.
const URL_BYTES: usize = 2_000;
/// Characters of a command, at most.
const COMMAND_CHARS: usize = 1_000;
/// Characters of a console's title, at most.
const TITLE_CHARS: usize = 80;
/// Digits of an amount before its point, at most.
const AMOUNT_DIGITS: usize = 12;

/// Currencies whose amounts aren't told in hundredths, with the digits behind their point (ISO 4217).
const DIGITS: &[(&str, u32)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it costs in a month.
    pub monthly_cost: Option<Money>,
    /// Ways to get at it.
    pub consoles: Vec<Console>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// In the currency's smallest unit: 490 is 4.90 EUR.
    pub amount: i64,
    /// Its code of three letters (ISO 4217).
    pub currency: String,
}

/// A way to get at a thing. Made only by `command` and `link`, which check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Console {
    /// A command for a terminal on the machine that made it.
    Command {
        /// What it opens.
        title: String,
        /// One line.
        command: String,
    },
    /// An address for a browser.
    Link {
        /// What it opens.
        title: String,
        /// `http` or `https`.
        url: String,
    },
}

impl Money {
    /// Reads `4.90 EUR`. The error completes the sentence "it is `…`, which …".
    pub fn parse(text: &str) -> Result<Self, String> {
        let (amount, currency) = text.split_once(' ').ok_or("has no currency after a space (`4.90 EUR`)")?;
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err("doesn't end in a currency's three capital letters (`EUR`)".into());
        }
        let (whole, part) = amount.split_once('.').map_or((amount, None), |(whole, part)| (whole, Some(part)));
        let digits = digits(currency);
        let given = part.unwrap_or_default();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(whole) || part.is_some_and(|part| !is_number(part)) || whole.len() > AMOUNT_DIGITS {
            return Err("doesn't begin with an amount such as `4.90`".into());
        }
        if given.len() > digits as usize {
            return Err(format!("has more than {digits} digits behind the point, and {currency} has no smaller unit"));
        }
        let all = format!("{whole}{given:0<width$}", width = digits as usize);
        let amount = all.parse().map_err(|_| "is too much".to_owned())?;
        Ok(Self { amount, currency: currency.to_owned() })
    }

    /// Digits behind the point when the amount is written.
    pub fn digits(&self) -> u32 {
        digits(&self.currency)
    }
}

/// `1,234.50 EUR`, as pages and letters show it.
impl std::fmt::Display for Money {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let behind = self.digits() as usize;
        let all = format!("{:0>width$}", self.amount.unsigned_abs(), width = behind + 1);
        let (whole, part) = all.split_at(all.len() - behind);
        let sign = if self.amount < 0 { "\u{2212}" } else { "" };
        out.write_str(sign)?;
        for (index, digit) in whole.chars().enumerate() {
            let comma = if index > 0 && (whole.len() - index).is_multiple_of(3) { "," } else { "" };
            write!(out, "{comma}{digit}")?;
        }
        let point = if part.is_empty() { "" } else { "." };
        write!(out, "{point}{part} {}", self.currency)
    }
}

fn digits(currency: &str) -> u32 {
    DIGITS.iter().find(|(code, _)| *code == currency).map_or(2, |(_, digits)| *digits)
}

impl Console {
    /// A command for a terminal. The error completes the sentence "the console …".
    pub fn command(title: &str, command: &str) -> Result<Self, String> {
        if command.trim().is_empty() || command.chars().count() > COMMAND_CHARS {
            return Err(format!("has a command that isn't 1 to {COMMAND_CHARS} characters long"));
        }
        if command.chars().any(is_unseen) {
            return Err("has a command that isn't one line of visible characters".into());
        }
        Ok(Self::Command { title: title_of(title)?, command: command.to_owned() })
    }

    /// An address for a browser. The error completes the sentence "the console …".
    pub fn link(title: &str, url: &str) -> Result<Self, String> {
        let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme));
        let Some(rest) = scheme.and_then(|scheme| url.strip_prefix(scheme)) else {
            return Err("has an address that begins with neither `https://` nor `http://`".into());
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A browser reads a backslash as a slash, and drops line breaks.
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if url.len() > URL_BYTES || host.is_empty() || !url.bytes().all(fits) {
            return Err(format!("has an address that no browser would open (ASCII, at most {URL_BYTES} bytes)"));
        }
        if host.contains('@') {
            return Err("has a name or password in its address: everybody who sees the run would see it".into());
        }
        Ok(Self::Link { title: title_of(title)?, url: url.to_owned() })
    }
}

fn title_of(title: &str) -> Result<String, String> {
    match title.trim().is_empty() || title.chars().count() > TITLE_CHARS || title.chars().any(is_unseen) {
        true => Err(format!("has a title that isn't 1 to {TITLE_CHARS} visible characters")),
        false => Ok(title.to_owned()),
    }
}

/// Control characters, and those that change how others are read without being seen.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_the_smallest_unit_of_their_currency() {
        let read = |text| Money::parse(text).map(|money| money.amount);
        assert_eq!(read("4.90 EUR"), Ok(490));
        assert_eq!(read("4.9 EUR"), Ok(490));
        assert_eq!(read("0 USD"), Ok(0));
        assert_eq!(read("700 JPY"), Ok(700));
        assert_eq!(read("1.234 KWD"), Ok(1_234));
        assert_eq!(read("999999999999.99 EUR"), Ok(99_999_999_999_999));
        for wrong in
            ["", "4.90", "4.90EUR", "EUR 4.90", "4,90 EUR", "4.905 EUR", "7.5 JPY", "-1 EUR", ". EUR", "4. EUR"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["1 eur", "1 EURO", "1e3 EUR", "1000000000000 EUR", "1  EUR", "1 EUR ", "٤ EUR"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_written_with_their_digits_and_currency() {
        let written = |amount, currency: &str| Money { amount, currency: currency.to_owned() }.to_string();
        assert_eq!(written(5_000, "EUR"), "50.00 EUR");
        assert_eq!(written(7, "EUR"), "0.07 EUR");
        assert_eq!(written(-123_456_789, "USD"), "\u{2212}1,234,567.89 USD");
        assert_eq!(written(700, "JPY"), "700 JPY");
        assert_eq!(written(1_000_000, "JPY"), "1,000,000 JPY");
        assert_eq!(written(5_000, "OMR"), "5.000 OMR");
        assert_eq!(written(i64::MIN, "EUR"), "\u{2212}92,233,720,368,547,758.08 EUR");
    }

    #[test]
    fn a_link_is_one_that_a_browser_opens_and_that_holds_no_password() {
        assert!(Console::link("Console", "https://console.example.net/servers/7?tab=vnc#top").is_ok());
        assert!(Console::link("Console", "http://[::1]:8080").is_ok());
        let wrong = [
            "javascript:alert(1)",
            "data:text/html,x",
            "//example.net",
            "ftp://example.net",
            "https://",
            "https:///x",
            "https://a b",
            "https://user:word@example.net/",
            "https://example.net\\@evil.example",
            "https://example.net/\nx",
            "https://ex\u{e4}mple.net/",
        ];
        for url in wrong {
            assert!(Console::link("Console", url).is_err(), "{url}");
        }
        assert!(Console::link("Console", &format!("https://a/{}", "x".repeat(URL_BYTES))).is_err());
        assert!(Console::link("", "https://a/").is_err() && Console::link("a\u{202e}b", "https://a/").is_err());
    }

    #[test]
    fn a_command_is_one_line_of_what_can_be_seen() {
        assert!(Console::command("Shell", "ip netns exec nve1a2b-r1 sh").is_ok());
        for wrong in ["", "  ", "ls\nrm -rf x", "ls\r", "ls \u{202e}x", "a\u{200b}b"] {
            assert!(Console::command("Shell", wrong).is_err(), "{wrong:?}");
        }
        assert!(Console::command("Shell", &"x".repeat(COMMAND_CHARS + 1)).is_err());
    }
}

//! Which names can be given out at all, and what is put into those that are.

use serde::Serialize;
use windlass_model::{Code, Problem};

use crate::authority;

/// Labels that nobody gets: other programs, and people, take them for the house's own.
pub const RESERVED: [&str; 21] = [
    "www",
    "api",
    "mail",
    "smtp",
    "imap",
    "pop",
    "ftp",
    "ns",
    "ns1",
    "ns2",
    "ns3",
    "ns4",
    "mx",
    "admin",
    "root",
    "postmaster",
    "hostmaster",
    "webmaster",
    "console",
    "status",
    "autoconfig",
];

/// The records of every name that is given out: the name itself, everything below it, and the four that people are sent to.
pub const LABELS: [&str; 6] = ["@", "*", "console", "api", "gitea", "harbor"];

/// Why a name can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No names are given out under this domain.
    UnsupportedPool,
    /// Nobody gets this label.
    Reserved,
    /// Somebody has it.
    Taken,
    /// It isn't a label.
    InvalidFormat,
}

/// Why, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// In words.
    pub detail: String,
}

impl Refused {
    /// As an error: `conflict` for a name that somebody has, else `name_refused`.
    pub fn problem(self) -> Problem {
        let code = if self.reason == Reason::Taken { Code::Conflict } else { Code::NameRefused };
        Problem::new(code, self.detail).data(serde_json::json!({ "reason": self.reason })).no_effect()
    }
}

/// A label in the form that it is kept in.
pub(super) fn label(text: &str, more: &[String]) -> Result<String, Refused> {
    let bad = |detail: String| Refused { reason: Reason::InvalidFormat, detail };
    let shown: String = text.chars().filter(|letter| !letter.is_control()).take(80).collect();
    if text.contains(['.', '*', '_', '/', '。', '．', '｡']) {
        return Err(bad(format!("`{shown}` isn't one label: it may hold letters, digits and hyphens, in any script")));
    }
    let label = authority::name(text).map_err(|problem| bad(problem.message))?;
    if label.contains('.') {
        return Err(bad(format!("`{shown}` isn't one label")));
    }
    if RESERVED.contains(&label.as_str()) || more.contains(&label) {
        return Err(Refused {
            reason: Reason::Reserved,
            detail: format!("`{label}` is kept for the house itself; choose another name"),
        });
    }
    Ok(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_apart() {
        let more = ["gitlab".to_owned()];
        for (text, expected) in
            [("Acme", "acme"), ("a-1", "a-1"), ("عمان", "xn--mgb9awbf"), (&"l".repeat(63), &"l".repeat(63))]
        {
            assert_eq!(label(text, &more).unwrap(), expected);
        }
        for text in ["", "a.b", "*", "_dmarc", "-a", "a-", "a b", &"l".repeat(64), "a/b", "a\n", "a。b"] {
            assert_eq!(label(text, &more).unwrap_err().reason, Reason::InvalidFormat, "{text}");
        }
        for text in RESERVED.iter().copied().chain(["gitlab", "WWW", "www."]) {
            let refused = label(text, &more).unwrap_err();
            assert!(refused.reason == Reason::Reserved || text.ends_with('.'), "{text}: {refused:?}");
        }
    }
}

//! What is said beside what is shown: JSON in text frames.

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use crate::services::Size;

/// The largest terminal, in columns and in rows.
pub(super) const SIZE_MOST: u16 = 1_000;

/// What somebody at a terminal may say.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Heard {
    /// How large their terminal is.
    Resize(Size),
    /// Whether they take the keyboard or give it up.
    Type(bool),
}

/// How the console stands, for one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct State {
    /// How many are looking.
    pub viewers: usize,
    /// Who types.
    pub typist: Option<String>,
    /// Whether that is this connection.
    pub typing: bool,
    /// How large the terminal is.
    pub size: Size,
    /// The recording that is being made.
    pub recording: Option<String>,
}

impl Heard {
    /// Reads a text frame.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("not understood: {error}"))
    }
}

/// The size, if a terminal can have it.
pub(super) fn checked(size: Size) -> Result<Size, Problem> {
    let fits = |count: u16| (1..=SIZE_MOST).contains(&count);
    match fits(size.cols) && fits(size.rows) {
        true => Ok(size),
        false => Err(Problem::new(
            Code::InvalidInput,
            format!("a terminal has 1 to {SIZE_MOST} columns and rows, not {}×{}", size.cols, size.rows),
        )),
    }
}

/// An error for somebody, who may go on.
pub(super) fn error(problem: &Problem) -> String {
    serde_json::json!({ "error": { "code": problem.code, "message": problem.message, "help": problem.help } })
        .to_string()
}

/// What ran has ended.
pub(super) fn exit(code: Option<i32>) -> String {
    serde_json::json!({ "exit": code }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_refused() {
        assert_eq!(Heard::parse(r#"{"resize":{"cols":80,"rows":24}}"#), Ok(Heard::Resize(Size { cols: 80, rows: 24 })));
        assert_eq!(Heard::parse(r#"{"type":true}"#), Ok(Heard::Type(true)));
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":1}"#,
            r#"{"resize":{"cols":-1,"rows":2}}"#,
            r#"{"resize":{"cols":70000,"rows":2}}"#,
            r#"{"resize":{"cols":1}}"#,
            r#"{"resize":{"cols":1,"rows":1,"depth":1}}"#,
            r#"{"type":true,"resize":{"cols":1,"rows":1}}"#,
            r#"{"exit":0}"#,
        ] {
            assert!(Heard::parse(text).is_err(), "{text}");
        }
        for (cols, rows, fits) in
            [(80, 24, true), (1, 1, true), (1_000, 1_000, true), (0, 24, false), (80, 1_001, false)]
        {
            assert_eq!(checked(Size { cols, rows }).is_ok(), fits, "{cols}×{rows}");
        }
    }
}

//! What guacd's status codes mean to people.

use serde_json::json;
use windlass_model::{Code, Problem};

use super::Instruction;

/// A status, what it is called, and what it is to us.
const STATUSES: &[(u32, &str, Code)] = &[
    (0x0100, "it can't do that", Code::Unsupported),
    (0x0200, "it failed", Code::Unavailable),
    (0x0201, "it is too busy", Code::Unavailable),
    (0x0202, "the machine didn't answer in time", Code::Unavailable),
    (0x0203, "the machine failed", Code::Unavailable),
    (0x0204, "what was asked for isn't there", Code::NotFound),
    (0x0205, "what was asked for is in use", Code::Conflict),
    (0x0206, "what was asked for is closed", Code::Unavailable),
    (0x0207, "nothing answers at the machine's address", Code::Unavailable),
    (0x0208, "the machine refused the connection", Code::Unavailable),
    (0x0209, "another session took over", Code::Conflict),
    (0x020A, "the session was idle for too long", Code::Unavailable),
    (0x020B, "the session was closed", Code::Unavailable),
    (0x0300, "it couldn't make sense of what was asked", Code::InvalidArgument),
    (0x0301, "the machine didn't accept the user or the password", Code::PermissionDenied),
    (0x0303, "it isn't allowed", Code::PermissionDenied),
    (0x0308, "nobody answered at this end in time", Code::Unavailable),
    (0x030D, "too much was sent", Code::LimitExceeded),
    (0x030F, "it can't use what was sent", Code::InvalidArgument),
    (0x031D, "too many sessions", Code::LimitExceeded),
];

/// Longest text of guacd's that is repeated.
const TEXT: usize = 300;

/// An `error` instruction.
pub(super) fn of(error: &Instruction) -> Problem {
    let status: u32 = error.arg(1).parse().unwrap_or(0);
    let known = STATUSES.iter().find(|(known, ..)| *known == status);
    let (words, code) = known.map_or(("it failed", Code::Unavailable), |(_, words, code)| (*words, *code));
    let said: String = error.arg(0).chars().filter(|char| !char.is_control()).take(TEXT).collect();
    Problem::new(code, format!("guacd ended the session: {words} ({said})"))
        .data(json!({ "reason": "guacd", "status": status }))
}

/// It ended without a word.
pub(super) fn closed(what: &str) -> Problem {
    Problem::new(Code::Unavailable, what).data(json!({ "reason": "closed" }))
}

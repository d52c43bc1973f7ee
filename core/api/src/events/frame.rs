//! Frames, as the standard for server-sent events has them.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use windlass_model::{Event, RunState};

/// A comment, which clients skip: it shows proxies and clients that somebody is there.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b": \n\n");
/// Whoever follows may no longer.
pub(super) const NO_ACCESS: Bytes = Bytes::from_static(b": you may no longer follow this\n\n");

/// The start: how soon to come back when the connection breaks.
pub(super) fn opening(retry: Duration) -> Bytes {
    format!("retry: {}\n: windlass\n\n", retry.as_millis()).into()
}

/// The server stops: come back a little later, and not all at once.
pub(super) fn farewell() -> Bytes {
    let retry_ms = rand::random_range(500..3_000);
    format!("retry: {retry_ms}\n: the server stops, come back\n\n").into()
}

/// The run has ended, and everything was sent. No id: a client that comes back still says what it had last.
pub(super) fn done(run: &str, state: Option<RunState>) -> Bytes {
    let data = serde_json::json!({ "run": run, "state": state.map(RunState::as_str) });
    format!("event: done\ndata: {data}\n\n").into()
}

/// Writes an event's frame. JSON has no line breaks of its own.
pub(super) fn write(text: &mut String, id: impl std::fmt::Display, event: &Event) {
    let data = serde_json::to_string(event).unwrap_or_default();
    let written = write!(text, "id: {id}\nevent: {}\ndata: {data}\n\n", event.kind.as_str());
    debug_assert!(written.is_ok(), "writing to a string");
}

/// An event's frame.
pub(super) fn event(id: impl std::fmt::Display, event: &Event) -> Bytes {
    let mut text = String::new();
    write(&mut text, id, event);
    text.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_model::{EventKind, RunId};

    use super::*;

    #[test]
    fn a_frame_is_four_lines_whatever_the_event_says() {
        let event = Event {
            run: RunId::from("r1"),
            seq: 7,
            at_ms: 1,
            kind: EventKind::Log,
            path: None,
            data: json!({ "message": "a\nb\r\n\nid: 9" }),
        };
        let frame = super::event(event.seq, &event);
        let text = std::str::from_utf8(&frame).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines[..2], ["id: 7", "event: output.log"]);
        assert_eq!(lines.len(), 5, "{text}");
        let data: Event = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data, event);
    }
}

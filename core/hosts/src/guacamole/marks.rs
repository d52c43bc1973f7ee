//! Whose a thing is: an attribute that Guacamole keeps for whoever wrote it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use crate::lab_mark::Mark;

/// The attribute.
pub(super) const MARK: &str = "windlass-mark";
/// What attributes of ours begin with.
pub(super) const OURS: &str = "windlass-";
/// The name, in marks, of the group that holds all of a lab. No thing's name is written so.
pub(super) const ROOT: &str = "/";

/// What a name may hold in a mark as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as it stands in marks and in paths.
pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, &PLAIN).to_string()
}

/// The name behind it.
pub(super) fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

/// The mark of a thing, if it carries one of ours.
pub(super) fn of(object: &Value) -> Option<Mark> {
    Mark::parse(object["attributes"][MARK].as_str()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_name_survives_a_mark() {
        for name in ["r1", "r1:eth0 (VNC)", "Käse/100 %", "日本", "a b:c"] {
            let mark = Mark {
                instance: "1a2b3c4d".into(),
                lab: "acme/demo".into(),
                name: encoded(name),
                key: "01run/3".into(),
                note: None,
            };
            let found = of(&json!({ "attributes": { MARK: mark.to_string() } })).unwrap();
            assert_eq!((decoded(&found.name).as_str(), &found), (name, &mark));
        }
        assert_eq!(of(&json!({ "attributes": { MARK: "mine" } })), None);
        assert_eq!(of(&json!({ "attributes": {} })), None);
    }
}

//! Answers that a rehearsal without a simulator goes on with.

use serde_json::{Value, json};
use windlass_script::host::Args;

/// A number that is always the same for the same name, and isn't one that the provider has given.
fn number(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let bytes = hash.as_bytes();
    u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) + 1
}

/// A thing that was made: its options, a number, and addresses for documentation.
pub(super) fn made(args: &Args) -> Value {
    let mut object = args.get("opts").clone();
    if !object.is_object() {
        object = json!({});
    }
    let name = super::arguments::shown(args.get("name"));
    let number = number(&name);
    let last = number % 254 + 1;
    for (field, value) in [
        ("id", json!(number)),
        ("name", json!(name)),
        ("status", json!("running")),
        ("ipv4", json!(format!("192.0.2.{last}"))),
        ("ipv6", json!(format!("2001:db8:{last:x}::/64"))),
        ("ip", json!(format!("192.0.2.{last}"))),
        ("private_ips", json!([])),
        ("labels", json!({})),
        ("services", json!([])),
        ("targets", json!([])),
        ("records", json!([])),
    ] {
        if object[field].is_null() {
            object[field] = value;
        }
    }
    object
}

/// A thing that is looked at.
pub(super) fn looked_at(args: &Args) -> Value {
    let name = args.values().get(1).map(super::arguments::shown).unwrap_or_default();
    json!({ "id": number(&name), "name": name, "status": "running", "ipv4": "192.0.2.1", "labels": {} })
}

/// A list.
pub(super) fn nothing(_: &Args) -> Value {
    json!([])
}

/// A thing that was removed.
pub(super) fn deleted(_: &Args) -> Value {
    json!({ "deleted": true })
}

//! What a running server takes from its configuration when it is read again (SIGHUP). The rest needs a new start, and is named.

use std::time::Duration;

use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::time::parse_duration_ms;

use crate::{config::Config, context::Context, labs::Watch};

/// The keys that take effect at once.
pub const LIVE: &[&str] = &["labs.discovery_every"];

/// How often labs are looked at.
pub fn discovery_every(config: &Config) -> Duration {
    // It was checked when it was read.
    let ms = parse_duration_ms(&config.labs.discovery_every).unwrap_or(30_000);
    Duration::from_millis(ms.unsigned_abs())
}

/// Reads the configuration again. One that can't be used changes nothing. `now` is what is in effect.
pub fn reload(context: &Context, now: &RwLock<Value>, labs: &Watch) {
    let loaded = match context.read_again() {
        Ok(loaded) => loaded,
        Err(problem) => return tracing::error!(%problem, "the configuration can't be used, and stays as it was"),
    };
    labs.every(discovery_every(&loaded.config));
    let (mut now, mut changed) = (now.write(), Vec::new());
    differing("", &now, &loaded.values, &mut changed);
    let (live, waiting): (Vec<String>, Vec<String>) = changed.into_iter().partition(|key| LIVE.contains(&key.as_str()));
    tracing::info!(changed = live.join(", "), "the configuration was read again");
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "these keys changed, and take effect when the server starts again");
    }
    for key in live {
        let pointer = format!("/{}", key.replace('.', "/"));
        if let (Some(old), Some(new)) = (now.pointer_mut(&pointer), loaded.values.pointer(&pointer)) {
            *old = new.clone();
        }
    }
}

/// The keys whose values differ.
fn differing(at: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let value = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                differing(&path, &value(one), &value(other), found);
            }
        }
        _ if one != other => found.push(at.to_owned()),
        _ => {}
    }
}

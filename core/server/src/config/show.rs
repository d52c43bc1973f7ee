//! Prints the configuration in effect, and documents its keys.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Config, Loaded, keys,
    layers::{Origin, leaves, variable},
    mask::masked,
};

/// Every key with its value and origin; passwords are masked.
pub fn show(loaded: &Loaded) -> Value {
    let keys: serde_json::Map<String, Value> = leaves(&loaded.values)
        .into_iter()
        .map(|(key, value)| {
            let origin = loaded.origins.get(&key).unwrap_or(&Origin::Default).to_string();
            let shown = json!({ "value": masked(value), "origin": origin, "doc": keys::doc(&key) });
            (key, shown)
        })
        .collect();
    Value::Object(keys)
}

/// A `windlass.toml` with every key, its meaning, its variable and its default, all commented out.
pub fn document() -> String {
    let defaults = json!(Config::default());
    let mut text =
        String::from("# Every key with its default. Flags override the environment, which overrides this file.\n");
    let mut section = String::new();
    let mut leaves = leaves(&defaults);
    // By table, for TOML takes each one once: a table's own keys, then the tables in it. Keys outside of any come first.
    leaves.sort_by_cached_key(|(key, value)| (table_of(key, value).to_owned(), key.clone()));
    for (key, value) in leaves {
        let name = key.rsplit_once('.').map_or(key.as_str(), |(_, name)| name);
        let table = table_of(&key, value);
        if table != section {
            table.clone_into(&mut section);
            // Writing into a String can't fail.
            let _ = write!(text, "\n[{section}]");
        }
        let doc = keys::doc(&key).unwrap_or_default();
        let _ = write!(text, "\n# {doc}\n# {}\n", variable(&key));
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    let _ = writeln!(text, "#\"{name}\" = {inner}");
                }
            }
            Value::Null => drop(writeln!(text, "# `{name}` isn't set by default.")),
            other => drop(writeln!(text, "#{name} = {other}")),
        }
    }
    text
}

/// The table that a key is printed under; one that is set as a whole is its own.
fn table_of<'a>(key: &'a str, value: &Value) -> &'a str {
    if value.is_object() { key } else { key.rsplit_once('.').map_or("", |(table, _)| table) }
}

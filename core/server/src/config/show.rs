//! Prints the configuration in effect, and documents its keys.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Config, Loaded, keys,
    layers::{Origin, leaves, variable},
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

/// The value without the passwords of URLs.
pub(super) fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => masked_url(text).into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(map) => map.iter().map(|(name, inner)| (name.clone(), masked(inner))).collect(),
        other => other.clone(),
    }
}

/// `postgres://name:***@host/db`
fn masked_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let mut clean = match rest[..authority_end].rfind('@').map(|at| rest.split_at(at)) {
        Some((user, tail)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:***{tail}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    };
    if let Some(at) = clean.find("password=") {
        let end = clean[at..].find('&').map_or(clean.len(), |end| at + end);
        clean.replace_range(at + "password=".len()..end, "***");
    }
    clean
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (url, shown) in [
            ("postgres://a:b@h/db", "postgres://a:***@h/db"),
            ("postgres://a:b:c@d@h:5432/db", "postgres://a:***@h:5432/db"),
            ("postgres://h/db?user=a&password=b&x=y", "postgres://h/db?user=a&password=***&x=y"),
            ("sqlite:/a/b", "sqlite:/a/b"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }
}

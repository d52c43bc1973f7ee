//! Copies and defaults: `count` becomes so many entries, and a group's defaults go into its nodes.

use serde_json::{Map, Value};

use super::fault::Fault;

/// Most networks, nodes and links, copies included.
pub const NETWORKS: usize = 1_000;
/// See `NETWORKS`.
pub const NODES: usize = 1_000;
/// See `NETWORKS`.
pub const LINKS: usize = 4_000;

/// An entry of a list with the pointer of what it comes from.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) value: Map<String, Value>,
}

/// The entries of a list, with their copies.
pub(super) fn entries(document: &Value, list: &str, limit: usize, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, value) in document[list].as_array().into_iter().flatten().enumerate() {
        let pointer = format!("/{list}/{index}");
        let Some(value) = value.as_object() else { continue };
        let mut value = value.clone();
        let count = value.remove("count").and_then(|count| count.as_i64());
        let copies = usize::try_from(count.unwrap_or(1)).unwrap_or(1);
        if entries.len() + copies > limit {
            faults.push(Fault::new("too_many", pointer, format!("a lab has at most {limit} {list}")));
            return entries;
        }
        match count {
            None => entries.push(Entry { pointer, value }),
            Some(_) => {
                for number in 1..=copies {
                    let mut copy = value.clone();
                    copy.values_mut().for_each(|value| number_in(value, number));
                    entries.push(Entry { pointer: pointer.clone(), value: copy });
                }
            }
        }
    }
    entries
}

/// Puts the number of a copy where text says `{n}`, `{n+1}`, `{n-1}`.
fn number_in(value: &mut Value, number: usize) {
    match value {
        Value::String(text) if text.contains("{n") => *text = numbered(text, number),
        Value::Array(items) => items.iter_mut().for_each(|item| number_in(item, number)),
        Value::Object(map) => map.values_mut().for_each(|value| number_in(value, number)),
        _ => {}
    }
}

fn numbered(text: &str, number: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{n") {
        let (before, tail) = rest.split_at(at);
        out += before;
        let inside = tail.find('}').map(|end| (&tail[2..end], &tail[end + 1..]));
        match inside.and_then(|(change, after)| Some((shifted(change, number)?, after))) {
            Some((number, after)) => {
                out += &number.to_string();
                rest = after;
            }
            None => {
                out += "{n";
                rest = &tail[2..];
            }
        }
    }
    out + rest
}

fn shifted(change: &str, number: usize) -> Option<i64> {
    let number = i64::try_from(number).ok()?;
    match change.split_at_checked(1) {
        None => Some(number),
        Some(("+", by)) => by.parse::<u16>().ok().map(|by| number + i64::from(by)),
        Some(("-", by)) => by.parse::<u16>().ok().map(|by| number - i64::from(by)),
        Some(_) => None,
    }
}

/// Puts a group's defaults into its nodes.
pub(super) fn with_defaults(document: &Value, nodes: &mut [Entry], faults: &mut Vec<Fault>) {
    let groups = document["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    for node in nodes {
        let Some(name) = node.value.get("group").and_then(Value::as_str) else { continue };
        let Some(group) = groups.iter().find(|group| group["name"] == name) else {
            let pointer = format!("{}/group", node.pointer);
            faults.push(Fault::new("unknown_group", pointer, format!("there is no group `{name}`")));
            continue;
        };
        for (key, default) in group["node"].as_object().into_iter().flatten() {
            match node.value.get_mut(key) {
                None => _ = node.value.insert(key.clone(), default.clone()),
                // Maps (env, labels, sysctls) are put together; the node's own entry wins.
                Some(Value::Object(own)) => {
                    for (key, value) in default.as_object().into_iter().flatten() {
                        own.entry(key.clone()).or_insert_with(|| value.clone());
                    }
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_number_stands_where_it_is_asked_for() {
        for (text, expected) in [
            ("n{n}", "n3"),
            ("10.0.{n}.{n+1}/24", "10.0.3.4/24"),
            ("{n-1}", "2"),
            ("{name} {n*2} {n", "{name} {n*2} {n"),
            ("{n+x}é{n}", "{n+x}é3"),
        ] {
            assert_eq!(numbered(text, 3), expected);
        }
    }
}

//! From what people write to the normal form: by the schema, then expanded, then looked at as a whole.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use windlass_model::Problem;

use super::{
    document::{Document, NodeKind},
    expand::{self, Entry, LINKS, NETWORKS, NODES},
    fault::{self, Fault},
    rules::{self, Origins},
    text::Read,
};

/// The schema of a lab's document.
pub const SCHEMA: &str = include_str!("schema.json");

/// The schema, as a value.
pub fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap_or_default()
}

static VALIDATOR: LazyLock<Result<Validator, String>> =
    LazyLock::new(|| jsonschema::draft202012::new(&schema()).map_err(|error| error.to_string()));

/// The document's normal form, or everything that is wrong with it. `what` names it in errors; with the text that was read,
/// they say their lines.
pub fn normalise(what: &str, value: &Value, read: Option<&Read>) -> Result<Document, Problem> {
    let mut faults = Vec::new();
    match by_schema(value) {
        Ok(wrong) => faults.extend(wrong),
        Err(why) => return Err(Problem::new(windlass_model::Code::Internal, format!("the lab schema: {why}"))),
    }
    if faults.is_empty() {
        match whole(value, &mut faults) {
            Some(document) if faults.is_empty() => return Ok(document),
            _ => {}
        }
    }
    Err(fault::problem(what, &faults, read))
}

/// Everything that doesn't fit the schema.
fn by_schema(value: &Value) -> Result<Vec<Fault>, String> {
    let validator = VALIDATOR.as_ref().map_err(Clone::clone)?;
    Ok(validator.iter_errors(value).take(100).map(|error| described(&error)).collect())
}

fn described(error: &jsonschema::ValidationError<'_>) -> Fault {
    use jsonschema::error::ValidationErrorKind as Kind;
    let at = error.instance_path().to_string();
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let name = unexpected.first().map(String::as_str).unwrap_or_default();
            Fault::new("unknown_key", below(name), format!("there is no key `{name}` here"))
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            Fault::new("missing_key", at, format!("`{name}` is missing"))
        }
        Kind::OneOfNotValid { .. } if at.contains("/endpoints/") => Fault::new(
            "schema",
            at,
            "an end is an interface (`r1:eth0`), a network's name, or a map with `at` or `network`",
        ),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } if at.starts_with("/checks/") => {
            Fault::new("schema", at, "a check has either `ping` or `exec`")
        }
        _ => {
            let mut message = error.to_string();
            if message.len() > 300 {
                let end = (0..300).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
                message.truncate(end);
                message += " …";
            }
            Fault::new("schema", at, message)
        }
    }
}

fn whole(value: &Value, faults: &mut Vec<Fault>) -> Option<Document> {
    check_group_defaults(value, faults);
    let networks = expand::entries(value, "networks", NETWORKS, faults);
    let mut nodes = expand::entries(value, "nodes", NODES, faults);
    let mut links = expand::entries(value, "links", LINKS, faults);
    expand::with_defaults(value, &mut nodes, faults);
    nodes.iter_mut().for_each(|node| give_kind(&mut node.value));
    links.iter_mut().for_each(|link| long_ends(&mut link.value));
    let (checks, drills) = (checks(value), drills(value));
    if !faults.is_empty() {
        return None;
    }
    let origins = Origins { networks: pointers(&networks), nodes: pointers(&nodes), links: pointers(&links) };
    let mut text = Map::new();
    for key in ["name", "title", "description"] {
        value.get(key).filter(|value| !value.is_null()).map(|value| text.insert(key.into(), value.clone()));
    }
    let groups = value["groups"].as_array().into_iter().flatten();
    let groups = groups.map(|group| match &group["title"] {
        Value::Null => json!({ "name": group["name"] }),
        title => json!({ "name": group["name"], "title": title }),
    });
    text.insert("groups".into(), groups.collect());
    text.insert("networks".into(), read_entries("a network", networks, faults));
    text.insert("nodes".into(), read_entries("a node", nodes, faults));
    text.insert("links".into(), read_entries("a link", links, faults));
    text.insert("checks".into(), checks.into());
    text.insert("drills".into(), drills.into());
    let mut document: Document = match serde_json::from_value(text.into()) {
        Ok(document) => document,
        Err(error) => {
            faults.push(Fault::new("schema", "", error.to_string()));
            return None;
        }
    };
    rules::turn(&mut document);
    rules::check(&document, &origins, faults);
    sort(&mut document);
    Some(document)
}

fn pointers(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.pointer.clone()).collect()
}

/// Entries as a list; one that can't be read is a fault at its own place.
fn read_entries(what: &str, entries: Vec<Entry>, faults: &mut Vec<Fault>) -> Value {
    let mut list = Vec::new();
    for Entry { pointer, value } in entries {
        let value = Value::Object(value);
        let wrong = match what {
            "a network" => serde_json::from_value::<super::document::Network>(value.clone()).err(),
            "a node" => serde_json::from_value::<super::document::Node>(value.clone()).err(),
            _ => serde_json::from_value::<super::document::Link>(value.clone()).err(),
        };
        match wrong {
            None => list.push(value),
            Some(error) => faults.push(Fault::new("unreadable", pointer, format!("{what}: {error}"))),
        }
    }
    list.into()
}

/// What a group's nodes have by default has to be what a node may have.
fn check_group_defaults(value: &Value, faults: &mut Vec<Fault>) {
    for (index, group) in value["groups"].as_array().into_iter().flatten().enumerate() {
        let Some(defaults) = group["node"].as_object() else { continue };
        let mut node = defaults.clone();
        node.insert("name".into(), "x".into());
        let probe = json!({ "name": "x", "nodes": [node] });
        for wrong in by_schema(&probe).unwrap_or_default() {
            let below = wrong.pointer.strip_prefix("/nodes/0").unwrap_or_default();
            faults.push(Fault { pointer: format!("/groups/{index}/node{below}"), ..wrong });
        }
    }
}

fn give_kind(node: &mut Map<String, Value>) {
    let has = |key: &str| node.get(key).is_some_and(|value| !value.is_null());
    let kind = match () {
        () if has("kind") => return,
        () if has("image") => NodeKind::Container,
        () if has("disk") || has("kernel") => NodeKind::Machine,
        () => NodeKind::Namespace,
    };
    node.insert("kind".into(), kind.to_string().into());
}

/// `"r1:eth0"` and `"lan1"` as maps.
fn long_ends(link: &mut Map<String, Value>) {
    for end in link.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::String(text) = end {
            let key = if text.contains(':') { "at" } else { "network" };
            *end = json!({ key: text });
        }
    }
}

fn checks(value: &Value) -> Vec<Value> {
    let checks = value["checks"].as_array().into_iter().flatten();
    let named = checks.map(|check| {
        let mut check = check.clone();
        let from = check["from"].as_str().unwrap_or_default();
        let does = match (&check["ping"], &check["answers"]) {
            (Value::String(to), Value::Bool(false)) => format!("{from} can't ping {to}"),
            (Value::String(to), _) => format!("{from} pings {to}"),
            _ => {
                let argv: Vec<&str> =
                    check["exec"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                format!("{from}: {}", argv.join(" ").chars().take(80).collect::<String>())
            }
        };
        if let Some(map) = check.as_object_mut() {
            map.entry("name").or_insert_with(|| does.into());
            map.entry("within").or_insert_with(|| "30s".into());
        }
        check
    });
    named.collect()
}

fn drills(value: &Value) -> Vec<Value> {
    let drills = value["drills"].as_array().into_iter().flatten();
    let named = drills.map(|drill| {
        let mut drill = drill.clone();
        let text = |key: &str| drill[key].as_str().unwrap_or_default();
        let does = format!("{} pings {} without {}", text("from"), text("ping"), text("at"));
        if let Some(map) = drill.as_object_mut() {
            map.entry("name").or_insert_with(|| does.into());
            map.entry("seconds").or_insert_with(|| 10.into());
        }
        drill
    });
    named.collect()
}

fn sort(document: &mut Document) {
    document.networks.sort_by(|a, b| natural(&a.name, &b.name));
    document.nodes.sort_by(|a, b| natural(&a.name, &b.name));
    document.links.sort_by(|a, b| natural(&a.name(), &b.name()));
    for node in &mut document.nodes {
        node.routes.sort();
    }
}

/// As people count: `r2` before `r10`.
pub(super) fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    pieces(a).cmp(&pieces(b)).then_with(|| a.cmp(b))
}

fn pieces(text: &str) -> Vec<(bool, u64, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|next: char| next.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        let number = if digits { piece.parse().unwrap_or(u64::MAX) } else { 0 };
        found.push((!digits, number, if digits { "" } else { piece }));
        rest = tail;
    }
    found
}

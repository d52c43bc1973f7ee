//! Makes documents of other tools' topologies, and says what couldn't be taken.

mod containerlab;
mod eve;
mod nova;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};

use super::{document::Document, normal, text};
use crate::lab_names::{NAME_CHARS, check_name};

/// A topology that was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// `containerlab`, `eve-ng` or `nova-ve`.
    pub format: &'static str,
    /// The lab, in its normal form.
    pub document: Document,
    /// What has no place in it.
    pub not_taken: Vec<NotTaken>,
}

/// A part of a topology that was left out, or was taken otherwise than it stood there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotTaken {
    /// Where in the topology: `/topology/nodes/r1/license`, `node R1`.
    pub place: String,
    /// What.
    pub what: String,
    /// Why, and what to do instead.
    pub why: String,
}

/// Reads a topology; `what` names it in errors. `files` has the contents of files that it names.
pub fn import_topology(what: &str, topology: &str, files: &BTreeMap<String, String>) -> Result<Imported, Problem> {
    if topology.len() > text::TEXT_BYTES {
        let message = format!("{what} has {} bytes; a topology has at most {}", topology.len(), text::TEXT_BYTES);
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    let mut draft = Draft::default();
    let format = if topology.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        eve::read(what, topology, &mut draft)?;
        "eve-ng"
    } else {
        let read = text::read(what, topology)?;
        match &read.value {
            value if value["topology"]["nodes"].is_object() => {
                containerlab::read(value, files, &mut draft);
                "containerlab"
            }
            value if value["nodes"].is_object() && value["networks"].is_object() => {
                nova::read(value, &mut draft);
                "nova-ve"
            }
            _ => {
                return Err(Problem::new(Code::InvalidInput, format!("{what} is no topology that is known here"))
                    .help("containerlab's YAML (`topology: nodes:`), EVE-NG's .unl and nova-ve's JSON are read; a lab's own document needs no import")
                    .no_effect());
            }
        }
    };
    let document = loop {
        match normal::normalise(what, &draft.document(), None) {
            Ok(document) => break document,
            Err(problem) if draft.drop_links(&problem) => {}
            Err(problem) => return Err(problem),
        }
    };
    Ok(Imported { format, document, not_taken: draft.not_taken })
}

/// The document as it grows.
#[derive(Default)]
struct Draft {
    head: Map<String, Value>,
    networks: Vec<Value>,
    nodes: Vec<Value>,
    links: Vec<Value>,
    /// Where each of them stands in the topology.
    link_places: Vec<String>,
    not_taken: Vec<NotTaken>,
    /// Ports of this machine that nodes have.
    ports: BTreeSet<String>,
    /// The names that nodes and networks were given, by the topology's own.
    names: BTreeMap<String, String>,
}

impl Draft {
    fn document(&self) -> Value {
        let mut document = self.head.clone();
        document.insert("networks".into(), json!(self.networks));
        document.insert("nodes".into(), json!(self.nodes));
        document.insert("links".into(), json!(self.links));
        document.into()
    }

    fn leave(&mut self, place: impl Into<String>, what: impl Into<String>, why: impl Into<String>) {
        self.not_taken.push(NotTaken { place: place.into(), what: what.into(), why: why.into() });
    }

    /// Leaves out links that can't be in a document, such as a second one at an interface; says whether there were any.
    fn drop_links(&mut self, problem: &Problem) -> bool {
        let mut wrong: BTreeMap<usize, String> = BTreeMap::new();
        for fault in problem.data["faults"].as_array().into_iter().flatten() {
            let index = fault["pointer"].as_str().and_then(|pointer| pointer.strip_prefix("/links/"));
            let index = index.and_then(|rest| rest.split('/').next()?.parse().ok());
            if let (Some(index), Some(message)) =
                (index.filter(|index| *index < self.links.len()), fault["message"].as_str())
            {
                wrong.entry(index).or_insert_with(|| message.to_owned());
            }
        }
        // From the last one: the others keep their places.
        for (index, why) in wrong.iter().rev() {
            let link = self.links.remove(*index);
            let ends: Vec<&str> = link["endpoints"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|end| end["at"].as_str().or(end["network"].as_str()))
                .collect();
            let place = self.link_places.remove(*index);
            // Numbers of links are the document's, which nobody has seen.
            let why = why.split(" (/links/").next().unwrap_or_default();
            self.leave(place, format!("the link {}", ends.join(" – ")), why);
        }
        !wrong.is_empty()
    }

    /// Whether a port of this machine is free; it isn't afterwards.
    fn takes_port(&mut self, port: &Value) -> bool {
        self.ports.insert(format!("{}/{}", port["host"], port["protocol"]))
    }

    fn link(&mut self, place: &str, link: Value) {
        self.links.push(link);
        self.link_places.push(place.to_owned());
    }

    /// The lab's own name.
    fn called(&mut self, name: &str) {
        let fits = fitting(name);
        if fits != name {
            self.leave(
                "/name",
                format!("the name `{name}`"),
                format!("the lab is called `{fits}`: names have letters, digits, `.`, `_`, `-`"),
            );
            self.head.insert("title".into(), name.chars().take(200).collect::<String>().into());
        }
        self.head.insert("name".into(), fits.into());
    }

    /// A name for a node or network of this key, which nothing else has.
    fn name(&mut self, key: &str, wanted: &str, place: &str) -> String {
        let fits = fitting(wanted);
        let taken = |name: &String| self.names.values().any(|other| other == name);
        let free = (1..).map(|number| match number {
            1 => fits.clone(),
            _ => format!("{}-{number}", fits.chars().take(NAME_CHARS - 5).collect::<String>()),
        });
        let name = free.into_iter().find(|name| !taken(name)).unwrap_or_default();
        if name != wanted {
            self.leave(place, format!("the name `{wanted}`"), format!("it is called `{name}` here"));
        }
        self.names.insert(key.to_owned(), name.clone());
        name
    }

    /// A name for an interface that the kernel takes.
    fn interface(&mut self, wanted: &str, place: &str) -> String {
        let fits: String = wanted
            .chars()
            .map(|one| if one.is_ascii_alphanumeric() || "._-".contains(one) { one } else { '-' })
            .collect();
        // Vendors' long names: `ethernet-1/1` is `e1-1` for the program that runs there.
        let short = fits.strip_prefix("ethernet-").map_or(fits.clone(), |rest| format!("e{rest}"));
        let short: String = short.trim_start_matches(['.', '-', '_']).chars().take(15).collect();
        let name = if short.is_empty() || short == "lo" { "eth0".to_owned() } else { short };
        if name != wanted {
            self.leave(
                place,
                format!("the interface name `{wanted}`"),
                format!("the kernel takes 15 letters, digits and hyphens: it is `{name}` here"),
            );
        }
        name
    }
}

/// The nearest name that may stand in marks and paths.
fn fitting(name: &str) -> String {
    if check_name("lab", name).is_ok() {
        return name.to_owned();
    }
    let fits: String =
        name.chars().map(|one| if one.is_ascii_alphanumeric() || "._-".contains(one) { one } else { '-' }).collect();
    let fits: String = fits.trim_start_matches(['.', '-', '_']).chars().take(NAME_CHARS).collect();
    if fits.is_empty() { "unnamed".into() } else { fits }
}

/// Splits a command as a shell would, as far as quotes go; nothing is expanded.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"') | None, '\\') => word.extend(letters.next()),
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => (quote, begun) = (Some(letter), true),
            (None, _) if letter.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, _) => word.push(letter),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

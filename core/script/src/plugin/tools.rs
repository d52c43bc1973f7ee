//! What plugins have for reading and writing: JSON, XML, forms and names of domains.

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, Module};
use serde_json::Value;

use super::{
    Refusal,
    outcome::{Returned, refused, wrong},
};
use crate::{
    canonical::{self, Secrets},
    secret::url_encode,
};

const XML_DEPTH: usize = 32;
const XML_NODES: u32 = 20_000;
const TEXT_BYTES: usize = 1 << 20;

fn unreadable(what: &str) -> Box<rhai::EvalAltResult> {
    refused(Refusal::ProviderUnavailable, &format!("its answer isn't {what}"), &Value::Null)
}

pub(super) fn json() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("parse").set_into_module(&mut module, |text: ImmutableString| -> Returned {
        canonical::parse(&text).map_err(|_| unreadable("JSON"))
    });
    FuncRegistration::new("text").set_into_module(&mut module, |value: Dynamic| -> Returned<ImmutableString> {
        let text = canonical::text(&value, Secrets::Refused, TEXT_BYTES);
        text.map(Into::into).map_err(|problem| wrong(problem.message))
    });
    module
}

pub(super) fn form() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("text").set_into_module(&mut module, |map: Map| -> Returned<ImmutableString> {
        let pair = |(key, value): (&rhai::Identifier, &Dynamic)| match value.as_immutable_string_ref() {
            Ok(text) => Ok(format!("{}={}", url_encode(key), url_encode(&text))),
            Err(_) if value.is_int() => Ok(format!("{}={value}", url_encode(key))),
            Err(name) => Err(wrong(format!("`{key}` is a `{name}`; a form holds text and numbers"))),
        };
        Ok(map.iter().map(pair).collect::<Returned<Vec<_>>>()?.join("&").into())
    });
    FuncRegistration::new("parse").set_into_module(&mut module, |text: ImmutableString| -> Map {
        let pairs = text.split('&').filter(|part| !part.is_empty()).take(1_000);
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode(&text)
        };
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(key).into(), decode(value).into())
        };
        pairs.map(pair).collect()
    });
    module
}

fn percent_decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn xml() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("parse").set_into_module(&mut module, |text: ImmutableString| -> Returned {
        // No DTD: nothing is fetched, and nothing expands.
        let options = roxmltree::ParsingOptions { nodes_limit: XML_NODES, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(&text, options).map_err(|_| unreadable("XML"))?;
        node(document.root_element(), 0)
    });
    FuncRegistration::new("all").set_into_module(&mut module, |from: Map, path: ImmutableString| -> Array {
        let mut found = vec![Dynamic::from_map(from)];
        for name in path.split('/') {
            let children = found.iter().filter_map(|node| {
                let map = node.as_map_ref().ok()?;
                map.get("children")?.clone().into_array().ok()
            });
            let is_named = |child: &Dynamic| {
                child.as_map_ref().is_ok_and(|map| {
                    map.get("name").is_some_and(|one| one.as_immutable_string_ref().is_ok_and(|one| *one == *name))
                })
            };
            found = children.flatten().filter(is_named).collect();
        }
        found
    });
    module
}

fn node(element: roxmltree::Node<'_, '_>, depth: usize) -> Returned {
    if depth > XML_DEPTH {
        return Err(unreadable("XML of reasonable depth"));
    }
    let attributes = element.attributes().map(|one| (one.name().into(), Dynamic::from(one.value().to_owned())));
    let text: String = element.children().filter(|child| child.is_text()).filter_map(|child| child.text()).collect();
    let children = element.children().filter(|child| child.is_element());
    let children = children.map(|child| node(child, depth + 1)).collect::<Returned<Array>>()?;
    let mut map = Map::new();
    map.insert("name".into(), element.tag_name().name().to_owned().into());
    map.insert("attributes".into(), attributes.collect::<Map>().into());
    map.insert("text".into(), text.trim().to_owned().into());
    map.insert("children".into(), children.into());
    Ok(map.into())
}

pub(super) fn domain() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("ascii").set_into_module(&mut module, |name: &str| -> Returned<ImmutableString> {
        let ascii = idna::domain_to_ascii(name.trim_end_matches('.'));
        ascii.map(Into::into).map_err(|_| wrong("that isn't the name of a domain"))
    });
    FuncRegistration::new("unicode").set_into_module(&mut module, |name: &str| -> ImmutableString {
        idna::domain_to_unicode(name.trim_end_matches('.')).0.into()
    });
    FuncRegistration::new("split").set_into_module(&mut module, |name: &str| -> Returned<Map> {
        let name = idna::domain_to_ascii(name.trim_end_matches('.')).unwrap_or_default();
        let suffix = psl::suffix_str(&name).unwrap_or_default();
        let Some(sld) = name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.')) else {
            return Err(refused(Refusal::UnsupportedTld, "that is no domain that can be registered", &Value::Null));
        };
        Ok(Map::from([("sld".into(), sld.to_owned().into()), ("tld".into(), suffix.to_owned().into())]))
    });
    module
}

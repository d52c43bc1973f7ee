//! What ops read from their arguments: names, a connection's parameters, attributes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_model::Problem;

use super::{lab::Lab, marks::OURS};
use crate::support::invalid;

/// Characters of a name; Guacamole keeps 128.
const NAME: usize = 128;
/// Parameters, or attributes, of one thing.
const FIELDS: usize = 100;
/// Bytes of one of their values: a private key is some three thousand.
const VALUE: usize = 64 << 10;
/// What guacd speaks.
const PROTOCOLS: [&str; 5] = ["vnc", "ssh", "telnet", "rdp", "kubernetes"];

/// A connection, as scripts write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    pub(super) name: String,
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, Value>,
}

impl Connection {
    pub(super) fn check(&self) -> Result<(), Problem> {
        name("connection", &self.name)?;
        protocol(&self.protocol)?;
        self.group.as_deref().map_or(Ok(()), |group| name("group", group))
    }

    /// As Guacamole takes it. Secrets are revealed here.
    pub(super) fn body(&self, lab: &Lab<'_>, parent: &str) -> Result<Value, Problem> {
        Ok(json!({
            "parentIdentifier": parent,
            "name": self.name,
            "protocol": self.protocol,
            "parameters": parameters(lab, &self.parameters)?,
            "attributes": attributes(&self.attributes)?,
        }))
    }
}

/// A name that Guacamole keeps as it is.
pub(super) fn name(what: &str, name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    let whole = name.trim() == name && !name.chars().any(char::is_control);
    match (1..=NAME).contains(&length) && whole {
        true => Ok(()),
        false => Err(invalid(format!("the name of a {what} has 1 to {NAME} characters, without blanks around it"))),
    }
}

pub(super) fn protocol(protocol: &str) -> Result<(), Problem> {
    match PROTOCOLS.contains(&protocol) {
        true => Ok(()),
        false => Err(invalid(format!("`{}` isn't one of {}", protocol.escape_debug(), PROTOCOLS.join(", ")))),
    }
}

/// Values for guacd. All are text to Guacamole; a secret is revealed to it alone.
pub(super) fn parameters(lab: &Lab<'_>, given: &BTreeMap<String, Value>) -> Result<Map<String, Value>, Problem> {
    bounded("parameters", given.len())?;
    let mut parameters = Map::new();
    for (name, value) in given {
        let text = match value {
            // Left out, as far as guacd can tell.
            Value::Null => String::new(),
            Value::Object(_) => lab.reveal(value)?.to_string(),
            other => scalar("parameter", name, other)?,
        };
        if text.len() > VALUE {
            return Err(invalid(format!("the parameter `{name}` has more than {VALUE} bytes")));
        }
        parameters.insert(name.clone(), text.into());
    }
    Ok(parameters)
}

/// Attributes: Guacamole's own settings of a thing. No secret stands there: everybody who may see the thing sees them.
pub(super) fn attributes(given: &BTreeMap<String, Value>) -> Result<Map<String, Value>, Problem> {
    bounded("attributes", given.len())?;
    let mut attributes = Map::new();
    for (name, value) in given {
        if name.starts_with(OURS) {
            return Err(invalid(format!("the attribute `{name}` is Windlass' own")));
        }
        let value = if value.is_null() { Value::Null } else { scalar("attribute", name, value)?.into() };
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}

fn bounded(what: &str, count: usize) -> Result<(), Problem> {
    if count > FIELDS { Err(invalid(format!("more than {FIELDS} {what}"))) } else { Ok(()) }
}

fn scalar(what: &str, name: &str, value: &Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(invalid(format!("the {what} `{name}` has to be text, a number or a truth value"))),
    }
}

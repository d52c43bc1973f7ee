//! What ops read from their arguments: names, a connection's parameters, attributes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_model::Problem;

use super::{allowed, lab::Lab, marks::OURS};
use crate::support::invalid;

/// Characters of a name; Guacamole keeps 128.
const NAME: usize = 128;
/// Parameters, or attributes, of one thing.
const FIELDS: usize = 100;
/// Bytes of one of their values: a private key is some three thousand.
const VALUE: usize = 64 << 10;
/// What guacd speaks, as far as its parameters are known here.
const PROTOCOLS: [&str; 4] = ["vnc", "ssh", "telnet", "rdp"];

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
            "parameters": parameters(lab, allowed::of(&self.protocol), &self.parameters)?,
            "attributes": attributes(allowed::CONNECTION, &self.attributes)?,
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

/// Values for guacd: of the parameters in `allowed` only. All are text to Guacamole; a secret is revealed to it alone.
pub(super) fn parameters(
    lab: &Lab<'_>,
    allowed: &[&str],
    given: &BTreeMap<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    bounded("parameters", given.len())?;
    known("parameter", allowed, given)?;
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
pub(super) fn attributes(allowed: &[&str], given: &BTreeMap<String, Value>) -> Result<Map<String, Value>, Problem> {
    bounded("attributes", given.len())?;
    if let Some(name) = given.keys().find(|name| name.starts_with(OURS)) {
        return Err(invalid(format!("the attribute `{name}` is Windlass' own")));
    }
    known("attribute", allowed, given)?;
    let mut attributes = Map::new();
    for (name, value) in given {
        let value = if value.is_null() { Value::Null } else { scalar("attribute", name, value)?.into() };
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}

/// Refuses what isn't in the list, because it may reach further than the lab: files of guacd's host, another guacd. What is there
/// already may be removed.
fn known(what: &str, allowed: &[&str], given: &BTreeMap<String, Value>) -> Result<(), Problem> {
    match given.iter().find(|(name, value)| !value.is_null() && !allowed.contains(&name.as_str())) {
        Some((name, _)) => Err(invalid(format!("the {what} `{}` may not be set here", name.escape_debug()))
            .help(format!("what may be set: {}", allowed.join(", ")))),
        None => Ok(()),
    }
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

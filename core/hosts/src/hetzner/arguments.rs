//! What ops read from their arguments: the project, what a thing is called, options.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, OpCx, Param};

use super::{
    client::{Cloud, Project},
    kinds::ADOPT,
};
use crate::support::invalid;

/// The first parameter of every op.
pub(super) const PROJECT: Param = Param::required(
    "project",
    Kind::Any,
    "A name of `[hosts.hetzner.projects]`, or `#{ name: \"acme\", token: secret(\"…\") }`.",
);

/// The name of the project that a call is about.
pub(super) fn project_name(args: &Args) -> String {
    let project = args.get("project");
    project.as_str().or_else(|| project["name"].as_str()).unwrap_or_default().to_owned()
}

/// `project=acme`, as grants write it.
pub(super) fn scope(args: &Args) -> Vec<String> {
    vec![format!("project={}", project_name(args))]
}

/// The project, with its token.
pub(super) fn project(cloud: &Arc<Cloud>, cx: &OpCx, args: &Args) -> Result<Project, Problem> {
    let name = project_name(args);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        return Err(invalid("a project's name has 1 to 63 letters, digits, dots, dashes and underscores"));
    }
    let given = &args.get("project")["token"];
    if given.is_string() {
        return Err(Problem::new(Code::SecretMisuse, "a token has to be a secret")
            .help("keep it with `windlass secrets set`, and write `token: secret(\"…\")`")
            .no_effect());
    }
    if given.is_null() {
        cloud.admit(&name, cx)?;
    }
    let reference = match (given, cloud.secret_of(&name)) {
        (Value::Null, Some(secret)) => json!({ "$secret": secret }),
        (Value::Null, None) if cloud.needs_token() => {
            return Err(Problem::new(Code::Configuration, format!("Windlass knows no token of the project `{name}`"))
                .help(format!(
                    "name its secret in windlass.toml: [hosts.hetzner.projects.{name}] secret = \"…\"; or give `token`"
                ))
                .no_effect());
        }
        (given, _) => given.clone(),
    };
    let token = match cloud.needs_token() {
        true => cx.reveal(&reference, cloud.destination()).map_err(Problem::no_effect)?,
        false => zeroize::Zeroizing::new(String::new()),
    };
    cloud.project(&name, token, cx)
}

/// What a thing is called: an id, a name, or an object with an id.
pub(super) fn reference(value: &Value, what: &str) -> Result<Reference, Problem> {
    match value {
        Value::Number(number) if number.is_i64() => Ok(Reference::Id(number.as_i64().unwrap_or_default())),
        Value::String(name) if !name.is_empty() => Ok(Reference::Name(name.clone())),
        Value::Object(fields) if fields.get("id").is_some_and(Value::is_i64) => {
            Ok(Reference::Id(fields["id"].as_i64().unwrap_or_default()))
        }
        _ => Err(invalid(format!("`{what}` has to be an id, a name, or what an op of this module gave"))),
    }
}

/// How a thing is found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reference {
    /// By the provider's number.
    Id(i64),
    /// By its name in the project.
    Name(String),
}

/// An argument's name for the inventory.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Object(fields) => fields.get("name").or(fields.get("id")).map(shown).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Where a secret goes that a machine is booted with.
const USER_DATA: &str = "user-data";

/// Options of which only these are known. No secret may stand in them: the provider keeps and shows them.
pub(super) fn options(args: &Args, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(given) = args.get("opts") else { return Ok(Map::new()) };
    checked(given.clone(), known)
}

/// The same for what makes a thing: in `user_data` a secret may stand whose own policy names that place, as the word of a
/// claim does, which opens something once and nothing after that.
pub(super) fn creation(cx: &OpCx, args: &Args, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(given) = args.get("opts") else { return Ok(Map::new()) };
    let mut given = given.clone();
    let secret = given.get("user_data").filter(|data| data.is_object()).cloned();
    if secret.is_some() {
        given.remove("user_data");
    }
    let adopt = given.remove(ADOPT);
    let mut checked = checked(given, known)?;
    checked.extend(adopt.map(|adopt| (ADOPT.to_owned(), adopt)));
    if let Some(secret) = secret {
        let shown = cx.reveal(&secret, USER_DATA).map_err(Problem::no_effect)?;
        checked.insert("user_data".into(), Value::from(shown.as_str()));
    }
    Ok(checked)
}

fn checked(given: Map<String, Value>, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    if let Some(strange) = given.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(invalid(format!("there is no option `{strange}`; known: {}", known.join(", "))));
    }
    let given = Value::Object(given);
    if holds_secret(&given) {
        return Err(Problem::new(
            Code::SecretMisuse,
            "a secret can't stand there: the provider keeps what it is given",
        )
        .help("have the machine fetch it once with a claim")
        .no_effect());
    }
    Ok(match given {
        Value::Object(given) => given,
        _ => Map::new(),
    })
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("$secret") || fields.values().any(holds_secret),
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

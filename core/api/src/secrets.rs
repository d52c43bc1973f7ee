//! Secrets: they can be set, listed by name, and removed. Nothing here ever answers with a value. Those that are called
//! `orgs/acme/…` are looked after by whoever manages `acme`; the others by the platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::users::require_organisation,
    organisations::{
        quota::{self, Quota},
        tree,
    },
    runs::{filter::clean, launch},
};

/// A secret to keep.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    /// Its value. It is never answered, logged or written to the audit log.
    value: String,
    /// Where it may go: `https://api.example.net*`, `exec:*`, `file:/etc/app/*`.
    to: Vec<String>,
}

/// A secret, without its value.
#[derive(Serialize, JsonSchema)]
struct SecretView {
    /// Its name.
    name: String,
    /// Where it is kept: `database`, or the place that the configuration names.
    kept: String,
    /// Where it may go.
    to: Vec<String>,
    /// When it was first set.
    created_at_ms: Option<i64>,
    /// When its value last changed.
    updated_at_ms: Option<i64>,
}

/// Destinations of one secret, at most.
const DESTINATIONS: usize = 64;

pub(crate) fn routes() -> Vec<Route> {
    let access = Access::Can(Permission::Manage);
    vec![
        Route::get("/api/v1/secrets", "secrets", "List secrets, without their values")
            .access(access)
            .answers::<Vec<SecretView>>(200)
            .handle(list),
        Route::get("/api/v1/secrets/{name*}", "secrets", "Show a secret, without its value")
            .access(access)
            .answers::<SecretView>(200)
            .problems(&[Code::SecretNotFound])
            .handle(show),
        Route::put("/api/v1/secrets/{name*}", "secrets", "Keep a secret")
            .access(access)
            .body::<SecretBody>()
            .answers_nothing()
            .problems(&[Code::InvalidInput, Code::Usage, Code::Conflict])
            .handle(put),
        Route::delete("/api/v1/secrets/{name*}", "secrets", "Remove a secret")
            .access(access)
            .answers_nothing()
            .problems(&[Code::SecretNotFound])
            .handle(delete),
    ]
}

/// Whose a secret is to look after, by its name; none: the platform's.
fn owner(name: &str) -> Option<&str> {
    windlass_model::workflow::owner(name)
}

/// Whether there is such a secret isn't looked at before: who may not see it isn't told.
fn admit(request: &Request) -> Result<String, Problem> {
    let name = clean("name", request.parameter("name"))?;
    match owner(name) {
        Some(owner) => request.require_in(Permission::Manage, owner)?,
        None => request.require_in(Permission::Administer, "*")?,
    }
    Ok(owner(name).unwrap_or("*").to_owned())
}

/// Whether whoever asks looks after it.
fn is_seen(request: &Request, name: &str) -> bool {
    match owner(name) {
        Some(owner) => request.may(Permission::Manage, owner, "*"),
        None => request.may(Permission::Administer, "*", "*"),
    }
}

fn all(request: &Request) -> Result<Vec<SecretView>, Problem> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = request.api.secrets.list()?.into_iter().map(|secret| SecretView {
        name: text(&secret["name"]),
        kept: text(&secret["kept"]),
        to: secret["to"].as_array().into_iter().flatten().map(text).collect(),
        created_at_ms: secret["created_at_ms"].as_i64(),
        updated_at_ms: secret["updated_at_ms"].as_i64(),
    });
    Ok(found.collect())
}

fn find(request: &Request) -> Result<Option<SecretView>, Problem> {
    let name = clean("name", request.parameter("name"))?;
    Ok(all(request)?.into_iter().find(|secret| secret.name == name))
}

fn none(request: &Request) -> Problem {
    Problem::new(Code::SecretNotFound, format!("there is no secret `{}`", request.parameter("name")))
}

fn list(request: Request) -> Result<Answer, Problem> {
    let seen = all(&request)?.into_iter().filter(|secret| is_seen(&request, &secret.name));
    Answer::json(&seen.collect::<Vec<_>>())
}

fn show(request: Request) -> Result<Answer, Problem> {
    admit(&request)?;
    Answer::json(&find(&request)?.ok_or_else(|| none(&request))?)
}

fn put(request: Request) -> Result<Answer, Problem> {
    let place = admit(&request)?;
    let body: SecretBody = request.json()?;
    if body.to.is_empty() || body.to.len() > DESTINATIONS {
        let message = format!("`to` has to name 1 to {DESTINATIONS} destinations");
        return Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": "/to" })));
    }
    let engine = &request.api.engine;
    if place != "*" {
        require_organisation(engine, &place)?;
        tree::require_active(engine, &place)?;
    }
    let found = find(&request)?;
    let one_more = [(place.as_str(), Quota::Secrets)];
    let wanted = if found.is_none() && place != "*" { &one_more[..] } else { &[] };
    let before = found.map_or(Value::Null, |secret| json!({ "to": secret.to }));
    let name = request.parameter("name");
    quota::within(engine, wanted, |guards| {
        let audited = request.audited("secret.put", &place, name, before.clone(), json!({ "to": body.to }));
        request.api.secrets.put(&launch::with(&audited, guards), name, &body.value, &body.to)
    })?;
    Ok(Answer::nothing())
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let place = admit(&request)?;
    let secret = find(&request)?.ok_or_else(|| none(&request))?;
    let audited = request.audited("secret.delete", &place, &secret.name, json!({ "to": secret.to }), Value::Null);
    request.api.secrets.delete(&audited, &secret.name)?;
    Ok(Answer::nothing())
}

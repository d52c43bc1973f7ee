//! A request as handlers see it: parsed, bounded, and with whoever asks.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, RunId, audit::NewAudit, query::RunRecord};

use crate::{Api, Permission, Principal};

/// A request.
pub struct Request {
    /// What all handlers share.
    pub api: Arc<Api>,
    /// Its id, in the answer's `X-Request-Id` and in the log.
    pub id: String,
    /// Whoever asks.
    pub principal: Principal,
    /// Where it comes from: the peer, or what a trusted proxy says.
    pub address: IpAddr,
    /// Whether it came over TLS, here or at a trusted proxy.
    pub secure: bool,
    /// Whether it seems to have passed a proxy that isn't trusted: then the address may be the proxy's.
    pub relayed: bool,
    /// Parameters of the path.
    pub parameters: Vec<(&'static str, String)>,
    /// The query as it came, without `?`.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What it becomes a WebSocket by, if that is what it asks for.
    pub upgrade: Option<warp::ws::Ws>,
}

impl Request {
    /// A parameter of the path.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The run that the path names. One that may not be seen is as if it weren't there.
    pub fn run(&self, permission: Permission) -> Result<RunRecord, Problem> {
        let id = RunId::from(self.parameter("id"));
        let run = self.api.engine.require(&id)?;
        if !self.may(Permission::Read, &run.organisation, &run.workflow) {
            return Err(Problem::new(Code::RunNotFound, format!("there is no run `{id}`")));
        }
        self.require(permission, &run.organisation, &run.workflow)?;
        Ok(run)
    }

    /// A header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON. Unknown fields and wrong types are named by a pointer.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text = std::str::from_utf8(&self.body)
            .map_err(|error| Problem::new(Code::InvalidInput, format!("the body isn't UTF-8: {error}")))?;
        // Every body is an object; a list would be read as its fields in their order.
        if text.trim_ascii_start().starts_with('[') {
            return Err(Problem::new(Code::InvalidInput, "the body has to be an object, not a list")
                .data(json!({ "pointer": "" }))
                .help("/api/openapi.json describes every body"));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let pointer = pointer(error.path());
            Problem::new(Code::InvalidInput, format!("the body can't be read: {}", error.inner()))
                .data(json!({ "pointer": pointer }))
                .help("/api/openapi.json describes every body")
        })?;
        reader.end().map_err(|error| Problem::new(Code::InvalidInput, format!("the body goes on: {error}")))?;
        Ok(value)
    }

    /// The body as JSON, or the default if there is none.
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The query's parameters. Unknown ones are refused and named.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_urlencoded::from_str(&self.query).map_err(|error| {
            Problem::new(Code::InvalidInput, format!("the query can't be read: {error}"))
                .data(json!({ "parameter": quoted(&error.to_string()) }))
                .help("/api/openapi.json lists every parameter")
        })
    }

    /// Whether whoever asks may do this to a workflow of an organisation.
    pub fn may(&self, permission: Permission, organisation: &str, workflow: &str) -> bool {
        self.principal.may(permission, organisation, workflow)
    }

    /// Refuses unless whoever asks may do this to a workflow of an organisation.
    pub fn require(&self, permission: Permission, organisation: &str, workflow: &str) -> Result<(), Problem> {
        match self.may(permission, organisation, workflow) {
            true => Ok(()),
            false => Err(self.principal.denied(permission, organisation, workflow)),
        }
    }

    /// Refuses unless whoever asks may do this to everything of an organisation.
    pub fn require_in(&self, permission: Permission, organisation: &str) -> Result<(), Problem> {
        self.require(permission, organisation, "*")
    }

    /// An engine whose commands are committed together with this entry in the audit log.
    pub fn audited(&self, action: &str, organisation: &str, target: &str, before: Value, after: Value) -> Engine {
        self.api.engine.audited(self.entry(action, organisation, target, before, after))
    }

    /// An entry for the audit log about what whoever asks does.
    pub fn entry(&self, action: &str, organisation: &str, target: &str, before: Value, after: Value) -> NewAudit {
        NewAudit {
            actor: self.principal.actor(),
            organisation: organisation.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            source: self.address.to_string(),
            before,
            after,
        }
    }
}

/// `/inputs/lab` for `inputs.lab`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    path.iter().fold(String::new(), |text, segment| match segment {
        Segment::Seq { index } => format!("{text}/{index}"),
        Segment::Map { key } => format!("{text}/{}", escape(key)),
        Segment::Enum { variant } => format!("{text}/{}", escape(variant)),
        Segment::Unknown => text,
    })
}

/// The first name in backquotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

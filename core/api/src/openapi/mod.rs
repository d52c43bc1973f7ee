//! The OpenAPI 3.1 document, made of the table of routes and of the types that are read and written; and a page that
//! shows it.

mod events;

use std::sync::LazyLock;

use bytes::Bytes;
use http::header;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use windlass_model::Code;

use crate::{
    Access, Answer, Request, Route, problem,
    route::{Method, SchemaOf, schema_settings},
};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// The document as it is answered; the same for everybody, and as long as the program runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document(crate::routes().all()).to_string().into());

pub(crate) fn routes() -> Vec<Route> {
    let file = |path, summary, media_type, text: &'static str| {
        let policy =
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'";
        Route::get(path, "reference", summary).access(Access::Public).answers_raw(200, media_type).handle(
            move |_: Request| {
                Ok(Answer::bytes(media_type, text.as_bytes()).header(header::CONTENT_SECURITY_POLICY, policy))
            },
        )
    };
    vec![
        Route::get("/api/openapi.json", "reference", "This document")
            .access(Access::Public)
            .answers::<Map<String, Value>>(200)
            .handle(|_| Ok(Answer::bytes("application/json", DOCUMENT.clone()))),
        file("/api/docs", "A page that shows this document", "text/html; charset=utf-8", PAGE),
        file("/api/docs/page.js", "The page's script", "text/javascript; charset=utf-8", SCRIPT),
        file("/api/docs/page.css", "The page's style", "text/css; charset=utf-8", STYLE),
    ]
}

/// The document for these routes.
pub fn document(routes: &[Route]) -> Value {
    let mut generator = schema_settings().into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let operation = operation(&mut generator, route);
        // OpenAPI has no name for "the rest of the path": the slashes in it are written as they are.
        let path = route.path.replace("*}", "}");
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let mut schemas: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    schemas.insert("Problem".into(), problem_schema());
    schemas.insert("Event".into(), events::schema());
    let mut tags: Vec<&str> = routes.iter().map(|route| route.tag).collect();
    tags.sort_unstable();
    tags.dedup();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Windlass",
            "version": "v1",
            "summary": "Launches workflows and follows them.",
            "description": "Every answer has an `X-Request-Id`. Errors are `application/problem+json` with a stable \
                            `code`; each code has a page in the documentation. Lists come in pages: `next` is the \
                            `cursor` of the next one.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token: `windlass tokens issue`." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "windlass",
                    "description": "A session's cookie (`__Host-windlass` over TLS). Changes also need the header `X-CSRF-Token`.",
                },
            },
        },
    })
}

fn operation(generator: &mut SchemaGenerator, route: &Route) -> Value {
    let mut operation = json!({
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(generator, route),
        "responses": responses(generator, route),
    });
    if !route.description.is_empty() {
        operation["description"] = route.description.into();
    }
    if let Some(schema) = route.body {
        let schema = if route.body_type == "application/json" { schema(generator) } else { json!({}) };
        let required = route.method == Method::Patch || has_required(generator, &schema);
        operation["requestBody"] =
            json!({ "required": required, "content": { route.body_type: { "schema": schema } } });
    }
    match route.access {
        Access::Public | Access::Signed => operation["security"] = json!([]),
        Access::Can(permission) => {
            operation["x-permission"] = json!(permission);
            operation["security"] = json!([{ "token": [] }, { "session": [] }]);
        }
        Access::Known | Access::Nobody => operation["security"] = json!([{ "token": [] }, { "session": [] }]),
    }
    operation
}

/// Whether there is a field that has to be there: then nothing at all isn't enough.
fn has_required(generator: &SchemaGenerator, schema: &Value) -> bool {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let found = name.map_or(Some(schema), |name| generator.definitions().get(name));
    found.and_then(|schema| schema["required"].as_array()).is_some_and(|names| !names.is_empty())
}

/// `post_runs_id_cancel`
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '.']).filter(|word| !matches!(*word, "" | "api" | "v1"));
    let words: Vec<String> = words.map(|word| word.trim_matches(['{', '}', '*']).replace('-', "_")).collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_"))
}

fn parameters(generator: &mut SchemaGenerator, route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(match name.strip_suffix('*') {
            Some(name) => json!({
                "name": name, "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 },
                "description": "May contain slashes.",
            }),
            None => {
                json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
            }
        })
    });
    let mut all: Vec<Value> = in_path.collect();
    if let Some(schema) = route.query {
        all.extend(in_query(generator, schema));
    }
    all.extend(route.headers.iter().map(|(name, meaning)| {
        json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" }, "description": meaning })
    }));
    all
}

/// The properties of the query's type, each as a parameter.
fn in_query(generator: &mut SchemaGenerator, schema: SchemaOf) -> Vec<Value> {
    let mut schema = schema(generator);
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        // The type stands for nothing but this query: its definition isn't needed any more.
        schema = generator.definitions_mut().remove(name).unwrap_or_default();
    }
    let required = schema["required"].clone();
    let is_required = |name: &str| required.as_array().is_some_and(|list| list.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter =
                json!({ "name": name, "in": "query", "required": is_required(&name), "schema": without_null(schema) });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameter
        })
        .collect()
}

/// A parameter is there or it isn't: it is never `null`.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array().cloned() {
        let rest: Vec<Value> = types.into_iter().filter(|one| one != "null").collect();
        schema["type"] = if rest.len() == 1 { rest[0].clone() } else { rest.into() };
    }
    if let Some(choices) = schema["anyOf"].as_array().cloned() {
        let rest: Vec<Value> = choices.into_iter().filter(|one| one["type"] != "null").collect();
        if let [only] = rest.as_slice() {
            return only.clone();
        }
        schema["anyOf"] = rest.into();
    }
    schema
}

fn responses(generator: &mut SchemaGenerator, route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, schema, media_type) in &route.answers {
        let mut response = json!({ "description": reason(*status) });
        if !media_type.is_empty() {
            let schema = schema.map_or_else(|| json!({}), |schema| schema(generator));
            let content = Map::from_iter([((*media_type).to_owned(), json!({ "schema": schema }))]);
            // Two answers of one status: the same thing in two forms.
            response["content"] = match responses.get(&status.to_string()) {
                Some(present) => {
                    let mut both = present["content"].as_object().cloned().unwrap_or_default();
                    both.extend(content);
                    both.into()
                }
                None => content.into(),
            };
        }
        responses.insert(status.to_string(), response);
    }
    let mut codes: Vec<Code> = vec![Code::InvalidInput, Code::TooManyRequests, Code::Internal, Code::Unavailable];
    if route.access != Access::Public {
        codes.extend([Code::Unauthenticated, Code::PermissionDenied]);
    }
    if route.path.contains('{') {
        codes.push(Code::NotFound);
    }
    if route.method != Method::Get {
        codes.extend([Code::PermissionDenied, Code::TooLarge]);
    }
    if route.body.is_some() {
        codes.push(Code::UnsupportedMediaType);
    }
    codes.extend(route.problems);
    for code in codes {
        let status = problem::status(code).as_u16().to_string();
        let entry = responses.entry(status).or_insert_with(|| json!({ "description": "" }));
        let content = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        entry["content"]["application/problem+json"] = content;
        let words = entry["description"].as_str().unwrap_or_default().to_owned();
        let word = format!("`{code}`");
        if !words.contains(&word) {
            entry["description"] = if words.is_empty() { word } else { format!("{words}, {word}") }.into();
        }
    }
    responses.into()
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}

fn problem_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "What failed, why, where, and what to do about it (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "instance", "request"],
        "properties": {
            "type": { "type": "string", "description": "`urn:windlass:error:` and the code." },
            "title": { "type": "string", "description": "The code in words." },
            "status": { "type": "integer", "description": "The answer's status." },
            "detail": { "type": "string", "description": "What failed and why, in a sentence." },
            "code": { "type": "string", "enum": codes, "description": "The stable code." },
            "instance": { "type": "string", "description": "The path that was asked." },
            "request": { "type": "string", "description": "The request's id, for the log." },
            "help": { "type": "string", "description": "What to do about it." },
            "pointer": { "description": "JSON Pointer to the field that is at fault." },
            "site": { "type": "object", "description": "File, line and column, where a script is at fault." },
            "data": { "description": "Facts for programs." },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_it_is() {
        let document = document(crate::routes().all());
        let mut ids = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(
                    responses.keys().any(|status| status == "101" || status.starts_with(['2', '3'])),
                    "{method} {path} never succeeds"
                );
                ids.push(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "two operations share an id");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(crate::routes().all());
        fn walk(value: &Value, root: &Value) {
            if let Some(path) = value.get("$ref").and_then(Value::as_str) {
                assert!(root.pointer(path.trim_start_matches('#')).is_some(), "{path} leads nowhere");
            }
            match value {
                Value::Object(map) => map.values().for_each(|inner| walk(inner, root)),
                Value::Array(list) => list.iter().for_each(|inner| walk(inner, root)),
                _ => {}
            }
        }
        walk(&document, &document);
    }

    #[test]
    fn no_route_is_closed_by_forgetfulness() {
        let closed: Vec<&str> = crate::routes()
            .all()
            .iter()
            .filter(|route| route.access == Access::Nobody)
            .map(|route| route.path)
            .collect();
        assert!(closed.is_empty(), "{closed:?}");
        assert!(crate::routes().all().iter().all(|route| route.handler.is_some()));
    }
}

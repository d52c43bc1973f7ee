//! A request read from a call's arguments. Everything that can be refused is refused here, before anything is sent.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, OpCx};
use zeroize::Zeroizing;

use crate::{
    support,
    web::{
        Request, grant,
        request::{BODY_BYTES, HEADERS, LONGEST_ANSWER_BYTES, header},
    },
};

pub(super) const DEFAULT_TIMEOUT_MS: u64 = 30_000;
pub(super) const LONGEST_TIMEOUT_MS: u64 = 300_000;
const DEFAULT_ANSWER_BYTES: usize = 1 << 20;

/// The last parameter of every op, and the only one of `http::request`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    body: Value,
    headers: BTreeMap<String, Value>,
    query: BTreeMap<String, Value>,
    timeout: Option<Value>,
    redirects: Option<bool>,
    expect: Option<Vec<u16>>,
    max_bytes: Option<usize>,
}

/// Reads a call of `http::request`, or of an op that has its method in its name.
pub(super) fn read(cx: &OpCx, args: &Args, method: Option<&Method>, repeatable: bool) -> Result<Request, Problem> {
    let mut options: Options = support::options(args, "opts")?;
    let (verb, method, url, body) = match method {
        None => {
            let method = options.method.take().unwrap_or_else(|| "GET".into());
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok();
            let method = method.filter(|method| *method != Method::CONNECT && *method != Method::TRACE);
            let method = method.ok_or_else(|| support::invalid("`method` isn't one that can be sent"))?;
            let url = options.url.take().unwrap_or_default();
            ("http.request".to_owned(), method, url, options.body.take())
        }
        Some(_) if options.url.is_some() || options.method.is_some() || !options.body.is_null() => {
            return Err(support::invalid("`method`, `url` and `body` stand in the options of `http::request` only"));
        }
        Some(method) => (
            format!("http.{}", method.as_str().to_ascii_lowercase()),
            method.clone(),
            args.str("url").to_owned(),
            args.get("body").clone(),
        ),
    };
    let mut url = grant::read(&url)?;
    let destination = url.origin().ascii_serialization();
    let reveal = |value: &Value| match value {
        Value::Number(number) => Ok(Zeroizing::new(number.to_string())),
        Value::Bool(truth) => Ok(Zeroizing::new(truth.to_string())),
        other => cx.reveal(other, &destination),
    };
    for (name, value) in &options.query {
        url.query_pairs_mut().append_pair(name, &reveal(value)?);
    }
    let mut headers = HeaderMap::new();
    let body = encode_body(body, &mut headers, &reveal)?;
    if options.headers.len() > HEADERS {
        return Err(Problem::new(Code::LimitExceeded, format!("a request has at most {HEADERS} headers")).no_effect());
    }
    for (name, value) in &options.headers {
        let (name, value) = header(name, &reveal(value)?)?;
        headers.insert(name, value);
    }
    let timeout = match &options.timeout {
        Some(timeout) => support::duration(timeout, "timeout")?,
        None => Duration::from_millis(DEFAULT_TIMEOUT_MS),
    };
    Ok(Request {
        verb,
        method,
        url,
        headers,
        body,
        timeout: timeout.min(cx.timeout()),
        redirects: options.redirects.unwrap_or(true),
        answer_bytes: options.max_bytes.unwrap_or(DEFAULT_ANSWER_BYTES).min(LONGEST_ANSWER_BYTES),
        expect: options.expect,
        repeatable,
    })
}

/// Text and secrets are sent as they are, maps and arrays as JSON with the secrets inside filled in.
fn encode_body(
    body: Value,
    headers: &mut HeaderMap,
    reveal: &impl Fn(&Value) -> Result<Zeroizing<String>, Problem>,
) -> Result<Option<Vec<u8>>, Problem> {
    let bytes = match body {
        Value::Null => return Ok(None),
        Value::String(text) => text.into_bytes(),
        Value::Object(ref map) if map.contains_key("$secret") => reveal(&body)?.as_bytes().to_vec(),
        mut body => {
            fill(&mut body, reveal)?;
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            body.to_string().into_bytes()
        }
    };
    if bytes.len() > BODY_BYTES {
        return Err(Problem::new(Code::LimitExceeded, "a request's body is at most 4 MiB").no_effect());
    }
    Ok(Some(bytes))
}

fn fill(value: &mut Value, reveal: &impl Fn(&Value) -> Result<Zeroizing<String>, Problem>) -> Result<(), Problem> {
    match value {
        Value::Object(map) if map.contains_key("$secret") => *value = Value::String(reveal(value)?.to_string()),
        Value::Object(map) => map.values_mut().try_for_each(|value| fill(value, reveal))?,
        Value::Array(items) => items.iter_mut().try_for_each(|value| fill(value, reveal))?,
        _ => {}
    }
    Ok(())
}

//! What scripts see of `http`.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::request::{self, LONGEST_TIMEOUT_MS};
use crate::web::{Client, Guard, answer, grant};

const RETURNS: &str = "#{ status: int, headers: map, body: string, json: any }";

const URL: Param =
    Param::required("url", Kind::String, "Where to: `https://…`, or `http://…` where the grant says so.");
const BODY: Param = Param::optional(
    "body",
    Kind::Any,
    "Text or a secret, sent as it is; or a map or an array, sent as JSON. Secrets may stand inside.",
);
const OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`headers` and `query` (maps; values are text, numbers or secrets), `timeout` (a duration, 30 s by default, at most \
     5 m), `redirects` (true by default: up to 5 are followed, each needs a grant), `expect` (statuses that are fine; any \
     other is an error), `max_bytes` (most that is read of the body: 1 MiB by default, at most 4 MiB).",
);
const PLAIN: &[Param] = &[URL, OPTS];
const WITH_BODY: &[Param] = &[URL, BODY, OPTS];
const REQUEST: &[Param] = &[Param::required(
    "opts",
    Kind::Map,
    "`method` (`GET` by default), `url`, `body`, and the options of `http::get`.",
)];

/// An op by its method.
struct Shape {
    name: &'static str,
    method: Option<Method>,
    class: EffectClass,
    verb: &'static str,
    words: &'static str,
    what: &'static str,
    undo: &'static str,
    example: &'static str,
}

pub(super) fn module(client: Option<Arc<Client>>) -> HostModule {
    HostModule {
        name: "http",
        doc: "Requests to hosts, methods and paths that the run is granted: `http.get:https://api.example.net/v1/*`. TLS by \
              default; loopback, private, link-local and other special addresses are refused unless configuration or grant \
              names them; sizes and times are bounded.\n\nEvery status is a result, unless `expect` says otherwise. Errors of \
              all ops: `permission_denied` (no grant for the URL or for a redirect's, or an address inside the house), \
              `unavailable` (no connection, a broken one, or a status that isn't expected, in `data.status`), \
              `step_timeout`, `limit_exceeded`.",
        ops: shapes().into_iter().map(|shape| op(client.clone(), shape)).collect(),
    }
}

fn shapes() -> Vec<Shape> {
    let read = "nothing was changed";
    let theirs = "only the server's own interface knows the way back: register it with `on_rollback`";
    vec![
        Shape {
            name: "get",
            method: Some(Method::GET),
            class: EffectClass::Read,
            verb: "http.get",
            words: "read from",
            what: "Reads. Statuses 429, 502, 503 and 504 and broken connections are tried again; `Retry-After` is honoured up to a minute.",
            undo: read,
            example: r#"http::get("https://api.example.net/v1/status", #{ expect: [200] }).json"#,
        },
        Shape {
            name: "head",
            method: Some(Method::HEAD),
            class: EffectClass::Read,
            verb: "http.head",
            words: "look for things at",
            what: "Asks for status and headers only. Tried again as `http::get` is.",
            undo: read,
            example: r#"http::head("https://api.example.net/v1/image.iso").status == 200"#,
        },
        Shape {
            name: "put",
            method: Some(Method::PUT),
            class: EffectClass::Idempotent,
            verb: "http.put",
            words: "put things at",
            what: "Puts something at a URL. Twice is the same as once, so it is tried again as `http::get` is.",
            undo: theirs,
            example: r#"http::put("https://api.example.net/v1/flags/new", #{ on: true }, #{ expect: [200, 204] }).status"#,
        },
        Shape {
            name: "delete",
            method: Some(Method::DELETE),
            class: EffectClass::Idempotent,
            verb: "http.delete",
            words: "delete things at",
            what: "Deletes what is at a URL. Repeated after a crash: take 404 for success (`expect: [200, 204, 404]`).",
            undo: theirs,
            example: r#"http::delete("https://api.example.net/v1/flags/old", #{ expect: [204, 404, 200] }).status"#,
        },
        Shape {
            name: "post",
            method: Some(Method::POST),
            class: EffectClass::AtMostOnce,
            verb: "http.post",
            words: "post to",
            what: "Posts. Never repeated: after a crash in the middle the step is in doubt, and an operator decides. Use \
                   `http::post_keyed` where the server knows `Idempotency-Key`.",
            undo: theirs,
            example: r#"http::post("https://api.example.net/v1/messages", #{ text: "hello" }).status"#,
        },
        Shape {
            name: "post_keyed",
            method: Some(Method::POST),
            class: EffectClass::Keyed,
            verb: "http.post",
            words: "post to",
            what: "Posts with an `Idempotency-Key` header that is the same for every attempt of this step, so that a server \
                   that knows the header does it once. Tried again as `http::get` is.",
            undo: theirs,
            example: r#"http::post_keyed("https://api.example.net/v1/payments", #{ cents: 500 }).status"#,
        },
        Shape {
            name: "patch",
            method: Some(Method::PATCH),
            class: EffectClass::AtMostOnce,
            verb: "http.patch",
            words: "change things at",
            what: "Patches. Never repeated, as `http::post`.",
            undo: theirs,
            example: r#"http::patch("https://api.example.net/v1/users/7", #{ name: "Ada" }).status"#,
        },
        Shape {
            name: "request",
            method: None,
            class: EffectClass::AtMostOnce,
            verb: "http.request",
            words: "send any request to",
            what: "Sends a request with any method (not CONNECT or TRACE). Never repeated; its grant covers all methods: \
                   `http.request:https://…`.",
            undo: theirs,
            example: r#"http::request(#{ method: "OPTIONS", url: "https://api.example.net/v1/users" }).status"#,
        },
    ]
}

fn op(client: Option<Arc<Client>>, shape: Shape) -> Op {
    let keyed = shape.class == EffectClass::Keyed;
    let repeatable = shape.class != EffectClass::AtMostOnce;
    let method = shape.method.clone();
    Op {
        name: shape.name,
        doc: shape.what,
        params: match &shape.method {
            None => REQUEST,
            Some(method) if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) => PLAIN,
            Some(_) => WITH_BODY,
        },
        returns: RETURNS,
        permission: Permission::Needs { verb: shape.verb, scope: scopes, words: shape.words },
        class: shape.class,
        undo: Undo::None(shape.undo),
        resources: no_resources,
        timeout_ms: LONGEST_TIMEOUT_MS,
        retry: if repeatable { RetryPolicy::NETWORK } else { RetryPolicy::NEVER },
        rehearse: Rehearse::Assume(match shape.method {
            Some(Method::HEAD) => |_| answer::assumed(&Method::HEAD),
            _ => |_| answer::assumed(&Method::GET),
        }),
        example: shape.example,
        run: Box::new(move |cx, args| send(client.as_deref(), cx, args, method.as_ref(), (repeatable, keyed))),
        // The server has the key, and it recognises it when the request comes again.
        lookup: keyed.then(|| -> windlass_script::host::Lookup { Box::new(|_, _| Ok(None)) }),
    }
}

/// The URL without its query. One that can't be read is granted to nobody.
fn scopes(args: &Args) -> Vec<String> {
    let url = args.get("url").as_str().or_else(|| args.get("opts")["url"].as_str()).unwrap_or_default();
    vec![grant::read(url).map_or_else(|_| "(not a URL)".to_owned(), |url| grant::scope(&url))]
}

fn send(
    client: Option<&Client>,
    cx: &OpCx,
    args: &Args,
    method: Option<&Method>,
    (repeatable, keyed): (bool, bool),
) -> Result<Value, Problem> {
    let mut request = request::read(cx, args, method, repeatable)?;
    if keyed {
        // The run and the step, and not the machine: another one that takes the run over sends the same key.
        let key = blake3::hash(cx.key.as_bytes()).to_hex();
        let value =
            HeaderValue::from_str(&key[..32]).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        request.headers.insert(HeaderName::from_static("idempotency-key"), value);
    }
    let client = client.ok_or_else(|| Problem::new(Code::Internal, "a rehearsal sends no request").no_effect())?;
    let granted = |verb: &str| cx.granted_scopes(verb).map(str::to_owned).collect();
    let guard = Guard { granted: &granted, holds: Arc::new(cx.holder()) };
    cx.block_on(client.send(&guard, request))
}

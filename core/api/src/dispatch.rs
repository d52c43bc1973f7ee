//! One filter for everything: finds the route in the table, asks who is there and whether they may, reads the body within
//! its bounds, calls the handler, and renders what came of it.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tracing::Instrument as _;
use warp::{Filter, Reply as _, filters::path::FullPath, reply::Response, ws::Ws};
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Api, Principal, Request, Routes,
    answer::Body,
    bodies::{Bodies, Held},
    problem,
    route::{Answering, Found, Handler, Route},
};

/// Where a connection comes from; the listener puts it beside each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end, or what a trusted proxy says.
    pub address: IpAddr,
    /// Whether it came over TLS, here or at a trusted proxy.
    pub secure: bool,
    /// Whether it seems to have passed a proxy that isn't trusted: then the address may be the proxy's.
    pub relayed: bool,
}

/// What every request meets.
struct House {
    api: Arc<Api>,
    routes: Arc<Routes>,
    /// Handlers that block, at once.
    room: Arc<Semaphore>,
    /// Bodies in memory, at once.
    bodies: Bodies,
}

/// The filter that answers everything.
pub fn filter(
    api: Arc<Api>,
    routes: Arc<Routes>,
) -> impl Filter<Extract = (Response,), Error = std::convert::Infallible> + Clone {
    let room = Arc::new(Semaphore::new(api.config.concurrency));
    let bodies = Bodies::new(api.config.body_bytes, api.config.bodies_bytes);
    let house = Arc::new(House { api, routes, room, bodies });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::any()
        .map(move || house.clone())
        .and(warp::method())
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(upgrade())
        .and(warp::body::stream())
        .then(
            |house: Arc<House>,
             method: http::Method,
             path: FullPath,
             query,
             headers,
             peer: Option<Peer>,
             upgrade,
             body| async move {
                let peer = peer.unwrap_or(Peer { address: IpAddr::from([127, 0, 0, 1]), secure: false, relayed: true });
                let id = ulid::Ulid::new().to_string().to_lowercase();
                // A path may hold what nobody else is to know, such as a voucher's code: traces and logs get the route's.
                let route = match house.routes.find(method.as_str(), path.as_str()) {
                    Found::Route(route, _) => route.path,
                    _ => "",
                };
                let span = tracing::info_span!("request", otel.kind = "server", id, %method, path = route);
                join_trace(&house.api, &span, &headers);
                let began = std::time::Instant::now();
                let head = Head { id, method, path: path.as_str().to_owned(), query, headers, peer };
                let body = Rest { upgrade, body };
                async move {
                    let (answer, pattern) = serve(&house, &head, body).await;
                    let elapsed_ms = began.elapsed().as_millis() as u64;
                    tracing::debug!(status = answer.status.as_u16(), route = pattern, elapsed_ms, "answered");
                    house.api.observe(head.method.as_str(), pattern, answer.status.as_u16(), began.elapsed());
                    render(answer, &head)
                }
                .instrument(span)
                .await
            },
        )
        .or_else(|_| async { Ok::<_, std::convert::Infallible>((http::StatusCode::BAD_REQUEST.into_response(),)) })
}

/// A caller that traces finds what came of its request under its own trace.
fn join_trace(api: &Api, span: &tracing::Span, headers: &HeaderMap) {
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    if let (Some(join), Some(parent)) = (api.config.join_trace, parent) {
        join(span, parent);
    }
}

/// What a request that asks for a WebSocket becomes one by; nothing for any other.
fn upgrade() -> impl Filter<Extract = (Option<Ws>,), Error = std::convert::Infallible> + Clone {
    warp::ws().map(Some).or(warp::any().map(|| None)).unify()
}

/// What comes after a request's head.
struct Rest<S> {
    upgrade: Option<Ws>,
    body: S,
}

/// A request without its body.
struct Head {
    id: String,
    method: http::Method,
    path: String,
    query: String,
    headers: HeaderMap,
    peer: Peer,
}

async fn serve<B: Buf + Send>(
    house: &House,
    head: &Head,
    body: Rest<impl Stream<Item = Result<B, warp::Error>> + Send>,
) -> (Answer, &'static str) {
    let (route, parameters) = match house.routes.find(head.method.as_str(), &head.path) {
        Found::Route(route, parameters) => (route, parameters),
        Found::OtherMethods(methods) => {
            let allowed = methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("`{}` has no {}; it has {allowed}", head.path, head.method);
            let answer = problem::answer(&Problem::new(Code::MethodNotAllowed, message), &head.id, &head.path);
            return (answer.header(header::ALLOW, &allowed), "");
        }
        Found::Nothing => {
            if let Some(answer) = house.api.config.site.answer(&head.method, &head.path, &head.headers) {
                return (answer, "site");
            }
            let problem = Problem::new(Code::NotFound, format!("there is nothing at `{}`", head.path))
                .help("/api/openapi.json lists everything that there is");
            return (problem::answer(&problem, &head.id, &head.path), "");
        }
    };
    let answer = match answer(house, head, route, parameters, body).await {
        Ok(answer) => answer,
        Err(problem) => {
            if problem::status(problem.code).is_server_error() {
                tracing::error!(code = problem.code.as_str(), message = problem.message, "a request failed");
            }
            problem::answer(&problem, &head.id, &head.path)
        }
    };
    (answer, route.path)
}

async fn answer<B: Buf + Send>(
    house: &House,
    head: &Head,
    route: &Route,
    parameters: Vec<(&'static str, String)>,
    rest: Rest<impl Stream<Item = Result<B, warp::Error>> + Send>,
) -> Result<Answer, Problem> {
    let api = &house.api;
    // Reading who it is may ask the database.
    let principal = {
        let (api, headers, address) = (api.clone(), head.headers.clone(), head.peer.address);
        match api.auth.remembered(&headers) {
            Some(principal) => principal,
            None => blocking(house, move || api.auth.principal(&api.engine, &headers, address)).await?,
        }
    };
    admit(route, &principal)?;
    if route.soon.is_some() {
        api.engine.expect_launch();
    }
    // A signature can't be had from a browser that another site's page makes send things.
    let is_anybodys = route.any_page && !principal.is_known();
    if !route.method.is_safe() && route.access != Access::Signed && !is_anybodys {
        api.auth.refuse_cross_site(&principal, &head.headers, &api.config)?;
    }
    let limit = Duration::from_millis(api.config.request_ms);
    if let Some(first) = route.first {
        // Who isn't let in has nothing read of what they send.
        let (api, parameters) = (api.clone(), parameters.clone());
        blocking(house, move || first(&api, &parameters)).await?;
    }
    let stranger = (!principal.is_known()).then_some(head.peer.address);
    let reading = house.bodies.read(route, stranger, &head.headers, rest.body);
    let Held { bytes: body, room: taken } = tokio::time::timeout(limit, reading).await.map_err(|_| {
        let message = "the body didn't arrive within the time that a request may take";
        Problem::new(Code::InvalidInput, message).help("the bound is `server.request_timeout_ms`")
    })??;
    let request = Request {
        api: api.clone(),
        id: head.id.clone(),
        principal,
        address: head.peer.address,
        secure: head.peer.secure,
        relayed: head.peer.relayed,
        parameters,
        query: head.query.clone(),
        headers: head.headers.clone(),
        body,
        upgrade: rest.upgrade,
    };
    match &route.handler {
        // The body is in memory, and has to be counted, until the handler is done with it.
        Some(Handler::Streaming(handler)) => {
            let _taken = taken;
            handler(request).await
        }
        Some(Handler::Blocking(handler)) => match soon(house, route, &request)? {
            Some((room, answering)) => {
                let held = (room, taken);
                // A task of its own comes to its end even if whoever asked is gone.
                let task = async move {
                    let _held = held;
                    answering.await
                };
                let task = tokio::spawn(task.in_current_span());
                ended(limit, task).await
            }
            None => {
                let handler = handler.clone();
                let work = move || {
                    let _taken = taken;
                    handler(request)
                };
                blocking(house, work).await
            }
        },
        None => Err(Problem::new(Code::Internal, "this route has no handler")),
    }
}

/// The first thing of every endpoint: who may ask.
fn admit(route: &Route, principal: &Principal) -> Result<(), Problem> {
    let known = || {
        Problem::new(Code::Unauthenticated, "you have to log in for this, or to send a token")
            .help("send `Authorization: Bearer <token>`, or log in at /api/v1/session")
    };
    match route.access {
        Access::Public | Access::Signed => Ok(()),
        Access::Nobody => Err(Problem::new(Code::PermissionDenied, "this route is closed")),
        _ if !principal.is_known() => Err(known()),
        Access::Known => Ok(()),
        Access::Can(permission) if principal.may_somewhere(permission) => Ok(()),
        Access::Can(permission) => Err(principal.denied(permission, "*", "*")),
    }
}

/// What answers without a thread of its own, if that can be and there is room.
fn soon(house: &House, route: &Route, request: &Request) -> Result<Option<(OwnedSemaphorePermit, Answering)>, Problem> {
    let Some(soon) = &route.soon else { return Ok(None) };
    let Ok(room) = house.room.clone().try_acquire_owned() else { return Ok(None) };
    let answering = catch_unwind(AssertUnwindSafe(|| soon(request))).map_err(|_| broken(&"a panic"))?;
    Ok(answering.map(|answering| (room, answering)))
}

/// Runs what blocks on a thread for such things, within time.
async fn blocking<T: Send + 'static>(
    house: &House,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let limit = Duration::from_millis(house.api.config.request_ms);
    let span = tracing::Span::current();
    let permit = tokio::time::timeout(limit, house.room.clone().acquire_owned()).await.map_err(|_| busy())?;
    let task = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        span.in_scope(work)
    });
    ended(limit, task).await
}

/// What came of a task, within time; it goes on without those who wait for it.
async fn ended<T>(limit: Duration, task: JoinHandle<Result<T, Problem>>) -> Result<T, Problem> {
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(busy()),
    }
}

fn busy() -> Problem {
    Problem::new(Code::Unavailable, "the server is busy: the request took too long").help("try again in a moment")
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a handler panicked");
    Problem::new(Code::Internal, "a mistake in the server: the request's id finds it in the log")
}

fn render(answer: Answer, head: &Head) -> Response {
    let is_head = head.method == http::Method::HEAD;
    let mut response = match answer.body {
        Body::Whole(bytes) => {
            let length = bytes.len();
            let mut response = http::Response::new(if is_head { Bytes::new() } else { bytes }).into_response();
            if is_head {
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            response
        }
        Body::Stream(pieces) if !is_head => warp::reply::stream(pieces).into_response(),
        Body::Stream(_) => warp::reply().into_response(),
        Body::Upgraded(response) => response,
    };
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    if head.peer.secure {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    if let Ok(id) = HeaderValue::from_str(&head.id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    // Several cookies are several headers; everything else replaces what stands there.
    for (name, value) in answer.headers {
        match name == header::SET_COOKIE {
            true => drop(headers.append(name, value)),
            false => drop(headers.insert(name, value)),
        }
    }
    response
}

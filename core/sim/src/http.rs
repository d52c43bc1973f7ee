//! A small HTTP server: one handler, bounded bodies, an orderly end. It brings its own thread and runtime, so it can be
//! started from tests, from the binary and from rehearsals alike.

use std::{future::Future, io, net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// Bytes of a request's body.
pub const BODY_BYTES: usize = 4 * 1024 * 1024;
/// Connections at once.
const CONNECTIONS: usize = 1_024;
/// How long requests get to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(30);

/// A request that was read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: Method,
    /// The path, as it was sent (percent-encoded).
    pub path: String,
    /// The query's pairs in their order, decoded.
    pub query: Vec<(String, String)>,
    /// The query as it was sent, for signatures.
    pub raw_query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The parts of the path, decoded.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
    }

    /// The body as JSON; an empty body is null.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&self.body) }
    }

    /// The body as a form's pairs.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }
}

/// Pairs of `application/x-www-form-urlencoded`, which queries are written in, too.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(&name.replace('+', " ")), decode(&value.replace('+', " "))))
        .collect()
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, each name and value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Whether it gets lost on its way: the connection is closed instead.
    pub lost: bool,
}

impl Response {
    /// Status and JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Status and XML.
    pub fn xml(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "text/xml; charset=utf-8", body)
    }

    /// Status and plain text.
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A status without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), lost: false }
    }

    fn new(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.header("content-type", kind)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Marks it as lost on its way.
    #[must_use]
    pub fn lose(mut self) -> Self {
        self.lost = true;
        self
    }

    fn into_http(self) -> Result<http::Response<Full<Bytes>>, io::Error> {
        if self.lost {
            return Err(io::Error::other("this answer gets lost on purpose"));
        }
        let mut builder = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(Full::new(self.body)).map_err(io::Error::other)
    }
}

/// A server that runs until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address` (port 0: any that is free) and answers with `handler`. Fails when the address can't be had.
    pub fn start<F, A>(address: SocketAddr, handler: F) -> io::Result<Self>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let work = move || {
            runtime.block_on(accept(listener, Arc::new(handler), stopped));
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("simulator".into()).spawn(work)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:4711`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it: requests under way get two seconds, then their connections are closed. So does dropping it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept<F, A>(listener: std::net::TcpListener, handler: Arc<F>, mut stopped: watch::Receiver<bool>)
where
    F: Fn(Request) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = hyper_util::server::graceful::GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: a moment later some are free.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let handler = handler.clone();
            async move { answer(&*handler, request).await }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        let connection =
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD).serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
}

async fn answer<F, A>(
    handler: &F,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, io::Error>
where
    F: Fn(Request) -> A,
    A: Future<Output = Response>,
{
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return Response::empty(StatusCode::PAYLOAD_TOO_LARGE.as_u16()).header("connection", "close").into_http();
    };
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: pairs(&raw_query),
        raw_query,
        headers: parts.headers,
        body: body.to_bytes(),
    };
    handler(request).await.into_http()
}

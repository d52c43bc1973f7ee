//! The listener: connections within bounds, TLS where it is configured, who is at the other end, and an orderly end.

use std::{convert::Infallible, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::body::Body;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use ipnet::IpNet;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use windlass_model::{Code, Problem};

use crate::{
    Api, Routes, connection, dispatch,
    dispatch::Peer,
    forwarded::{self, Forwarding},
    idle::{self, Activity, Limits, Watched},
    tls::Tls,
};

/// How often to look after what is due now and then.
const UPKEEP: Duration = Duration::from_secs(1);

/// How the listener behaves.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// TLS, if it is spoken here.
    pub tls: Option<Arc<Tls>>,
    /// Networks of proxies whose word about the other end is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The headers with their word.
    pub forwarding: Forwarding,
    /// Whether those proxies begin each connection with the PROXY protocol (1 or 2).
    pub proxy_protocol: bool,
    /// Connections at once.
    pub connections: usize,
    /// How long a request's head may take, and a connection may be idle.
    pub head_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long requests get to end when the server stops.
    pub grace: Duration,
    /// How long a connection may take nothing of what is sent.
    pub stall: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 7070).into(),
            tls: None,
            trusted_proxies: Vec::new(),
            forwarding: Forwarding::default(),
            proxy_protocol: false,
            connections: 10_000,
            head_timeout: Duration::from_secs(20),
            head_bytes: 32 << 10,
            grace: Duration::from_secs(10),
            stall: Duration::from_secs(30),
        }
    }
}

/// A bound listener.
pub struct Server {
    config: ServerConfig,
    listener: TcpListener,
    address: SocketAddr,
    api: Arc<Api>,
    routes: Arc<Routes>,
}

impl Server {
    /// Binds the address; nothing is accepted yet.
    pub async fn bind(config: ServerConfig, api: Arc<Api>, routes: Arc<Routes>) -> Result<Self, Problem> {
        let unusable = |error: std::io::Error| {
            Problem::new(Code::System, format!("{} can't be listened on: {error}", config.listen))
                .help("another program may listen there; `--listen` or `server.listen` names another address")
        };
        let listener = TcpListener::bind(config.listen).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Self { config, listener, address, api, routes })
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true; then lets requests end, tells streams to come back, and returns.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let Self { config, listener, api, routes, .. } = self;
        let filter = dispatch::filter(api.clone(), routes);
        let config = Arc::new(config);
        let (leave, _) = watch::channel(());
        let room = Arc::new(Semaphore::new(config.connections));
        let upkeep = tokio::spawn(look_after(api.clone(), config.tls.clone()));
        loop {
            let permit = tokio::select! {
                permit = room.clone().acquire_owned() => permit,
                () = told(&mut stop) => break,
            };
            let (stream, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, or the other end gave up: neither may turn into a busy loop.
                        tracing::warn!(%error, "a connection couldn't be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = told(&mut stop) => break,
            };
            // Events are small and come one by one.
            let _ = stream.set_nodelay(true);
            let (config, mut told_to_leave) = (config.clone(), leave.subscribe());
            let limits =
                Limits { idle: config.head_timeout, stall: config.stall, stalled: api.metrics.stalled.clone() };
            let service = warp::service(filter.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let opened = tokio::select! {
                    opened = connection::open(&config, stream, peer.ip().to_canonical(), limits.stalled.clone()) => opened,
                    _ = told_to_leave.changed() => None,
                };
                let Some(connection::Opened { peer, http2, stream }) = opened else { return };
                // In a box at once: the compiler can't see through a connection's type that is kept while waiting.
                let serving: Pin<Box<dyn Future<Output = Result<(), _>> + Send>> = {
                    let (inner, activity) = (TowerToHyperService::new(service), Activity::new());
                    let service = Identified { inner, config: config.clone(), peer, activity: activity.clone() };
                    let connection =
                        builder(&config, http2).serve_connection_with_upgrades(stream, service).into_owned();
                    Box::pin(idle::serve(connection, http2.then_some((activity, limits)), told_to_leave))
                };
                if let Err(error) = serving.await {
                    tracing::debug!(%error, peer = %peer.address, "a connection broke off");
                }
            });
        }
        drop(listener);
        api.stop();
        upkeep.abort();
        let _ = leave.send(());
        // What has become a WebSocket isn't a request any more.
        let ended = async { tokio::join!(leave.closed(), api.consoles.emptied()) };
        if tokio::time::timeout(config.grace, ended).await.is_err() {
            tracing::warn!("requests were still under way when the time to stop was over");
        }
        // Failed log-ins that were only counted so far would be forgotten with the process.
        note(tokio::task::spawn_blocking(move || api.auth.flush(&api.engine, true)).await);
    }
}

/// What is due now and then.
async fn look_after(api: Arc<Api>, tls: Option<Arc<Tls>>) {
    let mut now_and_then = tokio::time::interval(UPKEEP);
    loop {
        now_and_then.tick().await;
        let (api, tls) = (api.clone(), tls.clone());
        let work = move || {
            api.auth.flush(&api.engine, false);
            if let Some(tls) = tls {
                tls.look_again();
            }
        };
        note(tokio::task::spawn_blocking(work).await);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task broke down");
    }
}

/// Ends when the server is told to stop, or nobody is left to tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Bytes of bodies that an HTTP/2 connection may send before somebody has asked for them.
const WINDOW: u32 = 256 << 10;

fn builder(config: &ServerConfig, http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_buf_size(config.head_bytes.max(8_192))
        .max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .max_send_buf_size(32 << 10)
        .initial_stream_window_size(WINDOW / 4)
        .initial_connection_window_size(WINDOW)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(20));
    if http2 { builder.http2_only() } else { builder.http1_only() }
}

/// Puts beside each request where it comes from, and notes that it is under way.
#[derive(Clone)]
struct Identified<S> {
    inner: S,
    config: Arc<ServerConfig>,
    peer: Peer,
    activity: Arc<Activity>,
}

impl<S, R, B> hyper::service::Service<http::Request<R>> for Identified<S>
where
    S: hyper::service::Service<http::Request<R>, Response = http::Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Unpin,
{
    type Response = http::Response<Watched<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: http::Request<R>) -> Self::Future {
        let config = &self.config;
        let peer = forwarded::peer(&config.trusted_proxies, config.forwarding, self.peer, request.headers());
        request.extensions_mut().insert(peer);
        let (open, answering) = (self.activity.begin(), self.inner.call(request));
        Box::pin(async move { Ok(answering.await?.map(|body| Watched::new(body, open))) })
    }
}

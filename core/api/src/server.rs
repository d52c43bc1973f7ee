//! The listener: connections within bounds, TLS where it is configured, who is at the other end, and an orderly end.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use http::HeaderMap;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;
use windlass_model::{Code, Problem};

use crate::{Api, Routes, dispatch, dispatch::Peer, proxy, stall::Stall};

/// How often to look after what is due now and then.
const UPKEEP: Duration = Duration::from_secs(1);

/// How the listener behaves.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// TLS, if it is spoken here.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Networks of proxies whose word about the other end is taken.
    pub trusted_proxies: Vec<IpNet>,
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
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(config.connections));
        let upkeep = tokio::spawn(look_after(api.clone()));
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
            let (config, watcher, stalled) = (config.clone(), graceful.watcher(), api.metrics.stalled.clone());
            let service = warp::service(filter.clone());
            tokio::spawn(async move {
                let _permit = permit;
                if let Some((peer, stream)) = open(&config, stream, peer.ip(), stalled).await {
                    let service = Identified { inner: TowerToHyperService::new(service), config: config.clone(), peer };
                    let connection = builder(&config).serve_connection_with_upgrades(stream, service).into_owned();
                    if let Err(error) = watcher.watch(connection).await {
                        tracing::debug!(%error, peer = %peer.address, "a connection broke off");
                    }
                }
            });
        }
        drop(listener);
        api.stop();
        upkeep.abort();
        if tokio::time::timeout(config.grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still under way when the time to stop was over");
        }
        // Failed log-ins that were only counted so far would be forgotten with the process.
        note(tokio::task::spawn_blocking(move || api.auth.flush(&api.engine, true)).await);
    }
}

/// What is due now and then.
async fn look_after(api: Arc<Api>) {
    let mut now_and_then = tokio::time::interval(UPKEEP);
    loop {
        now_and_then.tick().await;
        let api = api.clone();
        note(tokio::task::spawn_blocking(move || api.auth.flush(&api.engine, false)).await);
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

fn builder(config: &ServerConfig) -> auto::Builder<TokioExecutor> {
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
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// A connection, in the clear from here on.
type Opened = TokioIo<Box<dyn Stream>>;

/// What a connection reads from and writes to.
pub(crate) trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

/// Hears who is at the other end, and shakes hands. Nobody may take longer than a request's head may.
async fn open(
    config: &ServerConfig,
    mut stream: TcpStream,
    address: IpAddr,
    stalled: Arc<AtomicU64>,
) -> Option<(Peer, Opened)> {
    let opening = async {
        let mut peer = Peer { address, secure: config.tls.is_some() };
        if config.proxy_protocol && config.trusted_proxies.iter().any(|network| network.contains(&address)) {
            match proxy::read_preface(&mut stream).await {
                Ok(Some(told)) => peer.address = told,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, %address, "a trusted proxy doesn't speak the PROXY protocol");
                    return None;
                }
            }
        }
        let stream: Box<dyn Stream> = match &config.tls {
            None => Box::new(Stall::new(stream, config.stall, stalled)),
            Some(tls) => match TlsAcceptor::from(tls.clone()).accept(stream).await {
                Ok(stream) => Box::new(Stall::new(stream, config.stall, stalled)),
                Err(error) => {
                    tracing::debug!(%error, %address, "no TLS with this client");
                    return None;
                }
            },
        };
        Some((peer, TokioIo::new(stream)))
    };
    tokio::time::timeout(config.head_timeout, opening).await.ok().flatten()
}

/// Puts beside each request where it comes from.
#[derive(Clone)]
struct Identified<S> {
    inner: S,
    config: Arc<ServerConfig>,
    peer: Peer,
}

impl<S, B> hyper::service::Service<http::Request<B>> for Identified<S>
where
    S: hyper::service::Service<http::Request<B>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn call(&self, mut request: http::Request<B>) -> Self::Future {
        let peer = told_by_proxy(&self.config, self.peer, request.headers());
        request.extensions_mut().insert(peer);
        self.inner.call(request)
    }
}

/// What trusted proxies say about the other end: the first address, from the right, that isn't one of theirs.
fn told_by_proxy(config: &ServerConfig, peer: Peer, headers: &HeaderMap) -> Peer {
    let trusted = |address: &IpAddr| config.trusted_proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer.address) {
        return peer;
    }
    let secure = match headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()) {
        Some(scheme) => scheme.rsplit(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https")),
        None => peer.secure,
    };
    let chain: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .collect();
    let mut address = peer.address;
    for hop in chain.iter().rev() {
        // What can't be read isn't believed, and nothing before it either.
        let Ok(hop) = hop.trim().trim_matches(['[', ']']).parse::<IpAddr>() else { break };
        address = hop;
        if !trusted(&hop) {
            break;
        }
    }
    Peer { address, secure }
}

/// TLS from files of PEM.
pub fn tls(certificates: &std::path::Path, key: &std::path::Path) -> Result<Arc<rustls::ServerConfig>, Problem> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let wrong = |path: &std::path::Path, why: String| {
        Problem::new(Code::Configuration, format!("TLS from {}: {why}", path.display()))
            .help("`server.tls_cert` names a PEM file with the whole chain, `server.tls_key` one with its key")
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificates, error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong(certificates, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(trusted: &[&str]) -> ServerConfig {
        ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
            trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            proxy_protocol: false,
            connections: 1,
            head_timeout: Duration::from_secs(1),
            head_bytes: 8_192,
            grace: Duration::from_secs(1),
            stall: Duration::from_secs(30),
        }
    }

    fn told(trusted: &[&str], from: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let peer = told_by_proxy(&config(trusted), Peer { address: from.parse().unwrap(), secure: false }, &headers);
        format!("{} {}", peer.address, peer.secure)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(told(&[], "10.0.0.1", "1.2.3.4"), "10.0.0.1 false");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4"), "1.2.3.4 true");
        // The client's own claim stands left of what the proxy saw.
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9"), "1.2.3.4 true");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, nonsense"), "10.0.0.1 true");
    }
}

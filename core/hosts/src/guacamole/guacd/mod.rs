//! guacd, the proxy of Guacamole: a connection to a screen or a terminal, as instructions in both directions.
//!
//! Usable without the web application: whoever has a WebSocket to a browser (subprotocol `guacamole`) hands instructions on.

mod handshake;
mod instruction;
mod refusal;
#[cfg(test)]
mod tests;
mod tunnel;

use std::{collections::BTreeMap, time::Duration};

use tokio::net::TcpStream;
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

pub use instruction::{BYTES, ELEMENTS, Instruction, Parser};
pub use tunnel::{Reader, Tunnel, Writer};

/// Where guacd is, and how long it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `host:port`.
    pub address: String,
    /// How long the connection may take, and how long the handshake.
    pub handshake: Duration,
    /// How long it may be silent. guacd itself says something every few seconds.
    pub silence: Duration,
    /// How often it hears from us, whatever happens: after 15 seconds of silence it gives up.
    pub keep_alive: Duration,
}

impl Config {
    /// With the usual times.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            handshake: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
        }
    }
}

/// What is wanted of guacd.
#[derive(Clone)]
pub struct Handshake {
    /// `vnc`, `ssh`, `telnet`, `rdp`, …; or the id of a tunnel that is open, `$…`, to join it.
    pub protocol: String,
    /// Values for what guacd asks for: `hostname`, `port`, `password`.
    pub parameters: BTreeMap<String, Zeroizing<String>>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pixels to an inch.
    pub dpi: u32,
    /// Formats of images that can be shown.
    pub images: Vec<String>,
    /// Formats of sound that can be played.
    pub audio: Vec<String>,
    /// The viewer's time zone, `Europe/Berlin`.
    pub timezone: Option<String>,
    /// Whether keys, mouse and clipboard are kept back: guacd is told so, and this end sends none.
    pub read_only: bool,
}

impl Handshake {
    /// To `protocol`, for a picture of 1024 by 768 pixels, with nothing set.
    pub fn new(protocol: &str) -> Self {
        Self {
            protocol: protocol.to_owned(),
            parameters: BTreeMap::new(),
            width: 1024,
            height: 768,
            dpi: 96,
            images: vec!["image/png".into(), "image/jpeg".into()],
            audio: Vec::new(),
            timezone: None,
            read_only: false,
        }
    }

    /// With this value.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(name.to_owned(), Zeroizing::new(value.into()));
        self
    }
}

/// Opens a tunnel. Fails when guacd can't be reached, doesn't speak its protocol, or refuses. What guacd can't reach it tells in the
/// tunnel: the reader fails with it.
pub async fn open(config: &Config, handshake: Handshake) -> Result<Tunnel, Problem> {
    over(config, connect(config).await?, handshake).await
}

/// A connection to guacd, over which nothing has been said.
pub async fn connect(config: &Config) -> Result<TcpStream, Problem> {
    let connected = async {
        let stream = TcpStream::connect(&config.address).await.map_err(|error| {
            Problem::new(Code::Unavailable, format!("guacd can't be reached at {}: {error}", config.address))
                .help("`hosts.guacamole.guacd` is its host and port; guacd listens on port 4822 by default")
                .no_effect()
                .retryable()
        })?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    };
    in_time(config, connected).await
}

/// Opens a tunnel over a connection.
pub async fn over(config: &Config, stream: TcpStream, handshake: Handshake) -> Result<Tunnel, Problem> {
    let (read, write) = stream.into_split();
    in_time(config, handshake::perform(config, read, write, &handshake)).await
}

async fn in_time<T>(config: &Config, begun: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let limit = config.handshake;
    tokio::time::timeout(limit, begun).await.unwrap_or_else(|_| {
        let message = format!("guacd at {} took longer than {} ms to begin", config.address, limit.as_millis());
        Err(Problem::new(Code::Unavailable, message).retryable())
    })
}

//! Consoles by way of guacd: the first who looks begins a session, others join it by its id. What comes and goes is Guacamole's protocol,
//! as its WebSocket tunnels speak it.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, WriteHalf},
    sync::oneshot,
};
use windlass_api::services::{ConsoleAsk, ConsoleKind, ConsoleSource, Duplex, LabNode, ScreenAsk};
use windlass_hosts::guacamole::{
    self,
    guacd::{self, Handshake, Instruction, Parser, Reader, Tunnel, Writer},
};
use windlass_model::{Code, Problem};

use super::{
    bridge::{Bridge, Guacd},
    ssh::Login,
};

/// Bytes on their way.
const ROOM: usize = 256 << 10;
/// How long a viewer may take nothing: guacd itself waits as long for the answer to a `sync`.
const PATIENCE: Duration = Duration::from_secs(15);
/// guacd's status for whatever has no other.
const SERVER_ERROR: u64 = 512;
/// What somebody said that isn't an instruction.
const BAD_REQUEST: u64 = 768;
/// The instructions of tunnels among themselves: no opcode.
const INTERNAL: &str = "";

/// Which session. Who is logged in as somebody isn't shown to who names somebody else.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Which {
    node: LabNode,
    of: ConsoleKind,
    name: String,
    login: Option<(String, String)>,
}

/// A session at guacd, while somebody is in it.
struct Shared {
    id: String,
    _bridge: Bridge,
}

type Place = Arc<tokio::sync::Mutex<Weak<Shared>>>;

/// Sessions at the guacd that is configured.
pub struct Guacs {
    config: guacd::Config,
    here: IpAddr,
    places: Mutex<HashMap<Which, Place>>,
}

/// A node's console, for guacd.
pub struct Far {
    /// Its screen, or the server that somebody logs in at.
    pub stream: Box<dyn Duplex>,
    /// Who logs in, and the key of the server.
    pub login: Option<(Login, String)>,
}

impl Guacs {
    /// None, where no guacd is configured.
    pub fn new(config: &guacamole::Config) -> Option<Self> {
        // It was looked at when the configuration was read.
        let here = config.console_address.parse().ok()?;
        let config = Some(guacd::Config::new(&config.guacd)).filter(|config| !config.address.is_empty())?;
        Some(Self { config, here, places: Mutex::default() })
    }

    /// Begins a session of a node's console `of`, or joins it. `far` leads to the console.
    pub async fn open(
        &self,
        ask: ConsoleAsk,
        of: ConsoleKind,
        far: impl Future<Output = Result<Far, Problem>>,
    ) -> Result<ConsoleSource, Problem> {
        let login = ask.login.clone().map(|login| (login.user, login.secret));
        let place = self.place(Which { node: ask.node.clone(), of, name: ask.name.clone(), login });
        // Others who come for the same wait until it is there.
        let mut held = place.lock().await;
        if let Some(shared) = held.upgrade() {
            let joined = guacd::open(&self.config, handshake(&shared.id, ask.screen.as_ref(), ask.watch)).await;
            match joined {
                Ok(tunnel) => return Ok(source(tunnel, shared)),
                // It has ended meanwhile.
                Err(problem) if problem.data["reason"] == "closed" => {}
                Err(problem) => return Err(problem),
            }
        }
        if ask.watch {
            let message = format!("nobody has a {} of {} open by way of guacd", of.as_str(), ask.node.node);
            return Err(Problem::new(Code::NotFound, message).help("who may type can open it: `mode=type`"));
        }
        let Far { stream, login } = far.await?;
        let ours = guacd::connect(&self.config).await?;
        let known = Guacd::of(&ours, &self.addresses().await?)
            .map_err(|error| Problem::new(Code::Unavailable, format!("the connection to guacd has broken: {error}")))?;
        let bridge = Bridge::open(self.here, known, stream).await?;
        let mut wanted = handshake(of.as_str(), ask.screen.as_ref(), false)
            .parameter("hostname", bridge.address.ip().to_string())
            .parameter("port", bridge.address.port().to_string());
        if let Some((login, key)) = login {
            let secret = if login.is_key() { "private-key" } else { "password" };
            let known = format!("{} {key}", bridge.address.ip());
            wanted = wanted.parameter("username", login.user.as_str()).parameter("host-key", known);
            wanted = wanted.parameter(secret, login.secret.as_str());
        }
        let tunnel = guacd::over(&self.config, ours, wanted).await?;
        let shared = Arc::new(Shared { id: tunnel.id.clone(), _bridge: bridge });
        *held = Arc::downgrade(&shared);
        Ok(source(tunnel, shared))
    }

    fn place(&self, which: Which) -> Place {
        let mut places = self.places.lock();
        // Whoever is opening one holds its place, too.
        places.retain(|_, place| {
            Arc::strong_count(place) > 1 || place.try_lock().is_ok_and(|shared| shared.strong_count() > 0)
        });
        places.entry(which).or_default().clone()
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Problem> {
        let address = &self.config.address;
        let found = tokio::net::lookup_host(address).await;
        found.map(Iterator::collect).map_err(|error| {
            Problem::new(Code::Unavailable, format!("guacd's address {address} isn't known: {error}"))
                .help("`hosts.guacamole.guacd` is its host and port")
        })
    }
}

fn handshake(protocol: &str, screen: Option<&ScreenAsk>, watch: bool) -> Handshake {
    let mut wanted = Handshake { read_only: watch, ..Handshake::new(protocol) };
    if let Some(screen) = screen {
        (wanted.width, wanted.height, wanted.dpi) = (screen.width, screen.height, screen.dpi);
        wanted.timezone = screen.timezone.clone();
    }
    wanted
}

fn source(tunnel: Tunnel, shared: Arc<Shared>) -> ConsoleSource {
    let (near, far) = tokio::io::duplex(ROOM);
    let (held, exit) = oneshot::channel();
    tokio::spawn(async move {
        carry(tunnel, far).await;
        // With the last of those who are in it, the session's way to the node goes.
        drop((shared, held));
    });
    ConsoleSource { stream: Box::new(near), exit }
}

type Screen = tokio::sync::Mutex<WriteHalf<DuplexStream>>;

async fn carry(tunnel: Tunnel, far: DuplexStream) {
    let Tunnel { mut reader, writer, .. } = tunnel;
    let (mut keys, screen) = tokio::io::split(far);
    let screen = Screen::new(screen);
    // Tunnels of browsers are open when they know their id. guacd's own isn't for them.
    if show(&screen, &Instruction::new(INTERNAL, [id()])).await.is_none() {
        return;
    }
    let error = tokio::select! {
        error = speak(&mut reader, &screen) => error,
        error = hear(&mut keys, &writer, &screen) => error,
    };
    if let Some(error) = error {
        show(&screen, &error).await;
    }
    show(&screen, &Instruction::new("disconnect", [""; 0])).await;
    let _ = writer.disconnect().await;
    let _ = screen.lock().await.shutdown().await;
}

/// A random UUID.
fn id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    (bytes[6], bytes[8]) = (bytes[6] & 0x0f | 0x40, bytes[8] & 0x3f | 0x80);
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Shows an instruction, unless whoever looks is gone or takes nothing.
async fn show(screen: &Screen, instruction: &Instruction) -> Option<()> {
    let text = instruction.encode().ok()?;
    let written = async { screen.lock().await.write_all(text.as_bytes()).await };
    tokio::time::timeout(PATIENCE, written).await.ok()?.ok()
}

/// What guacd says, to its end; what went wrong.
async fn speak(reader: &mut Reader, screen: &Screen) -> Option<Instruction> {
    loop {
        match reader.next().await {
            Ok(Some(instruction)) => show(screen, &instruction).await?,
            Ok(None) => return None,
            Err(problem) => return Some(error(&problem)),
        }
    }
}

/// A problem, as guacd would tell it.
fn error(problem: &Problem) -> Instruction {
    let status = problem.data["status"].as_u64().filter(|status| *status > 0).unwrap_or(SERVER_ERROR);
    Instruction::new("error", [problem.message.clone(), status.to_string()])
}

/// What whoever looks says, to their end; what went wrong.
async fn hear(keys: &mut (impl tokio::io::AsyncRead + Unpin), writer: &Writer, screen: &Screen) -> Option<Instruction> {
    let mut parser = Parser::new();
    let mut piece = vec![0; 16 << 10];
    while let Ok(count @ 1..) = keys.read(&mut piece).await {
        if parser.push(&piece[..count]).is_err() {
            let words = "this isn't the Guacamole protocol".to_owned();
            return Some(Instruction::new("error", [words, BAD_REQUEST.to_string()]));
        }
        while let Some(instruction) = parser.pop() {
            match instruction.opcode.as_str() {
                // They ask whether the way is open, and hear the same.
                INTERNAL if instruction.arg(0) == "ping" => show(screen, &instruction).await?,
                INTERNAL => {}
                "disconnect" => return None,
                _ => match writer.send(&instruction).await {
                    // Who only looks types nothing, and is shown on.
                    Err(problem) if problem.code != Code::PermissionDenied => return Some(error(&problem)),
                    _ => {}
                },
            }
        }
    }
    None
}

//! What consoles and captures of labs need of this machine.

use std::{future::Future, pin::Pin};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot, watch},
};
use windlass_model::Problem;

/// A node of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LabNode {
    /// The organisation whose lab it is.
    pub organisation: String,
    /// The lab, as its organisation calls it.
    pub lab: String,
    /// The node.
    pub node: String,
}

/// What a console shows of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
// What a thing's facts call a console is another one.
#[schemars(rename = "NodeConsole")]
pub enum ConsoleKind {
    /// A shell inside: of a container, or in a namespace.
    Shell,
    /// A machine's serial line.
    Serial,
    /// The SSH server in the node.
    Ssh,
    /// The telnet server in the node.
    Telnet,
    /// A machine's screen: the bytes of RFB.
    Vnc,
    /// The same by way of guacd: instructions of its protocol.
    Guac,
}

impl ConsoleKind {
    /// As it stands in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Serial => "serial",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
            Self::Vnc => "vnc",
            Self::Guac => "guac",
        }
    }

    /// Whether it is text in rows and columns, which several people can look at together.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Vnc | Self::Guac)
    }
}

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// Who logs in where a node asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLogin {
    /// The user's name there.
    pub user: String,
    /// The name of the secret that holds the password or the private key.
    pub secret: String,
}

/// What is wanted of a screen by way of guacd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenAsk {
    /// Which of the node's consoles it shows: its screen, SSH or telnet. None: the first of these that it has.
    pub of: Option<ConsoleKind>,
    /// Pixels of the picture.
    pub width: u32,
    /// Pixels of the picture.
    pub height: u32,
    /// Pixels to an inch.
    pub dpi: u32,
    /// The viewer's time zone.
    pub timezone: Option<String>,
}

/// A console that is to be opened.
pub struct ConsoleAsk {
    /// Of this node.
    pub node: LabNode,
    /// What of it.
    pub kind: ConsoleKind,
    /// Who wants one apart from others names it.
    pub name: String,
    /// How it is shown, by way of guacd.
    pub screen: Option<ScreenAsk>,
    /// Whether nothing will be sent to it.
    pub watch: bool,
    /// Who logs in, if whoever asks has said so.
    pub login: Option<ConsoleLogin>,
    /// How large the terminal is, now and later.
    pub size: watch::Receiver<Size>,
}

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A console that is open. Dropping it closes it.
pub struct ConsoleSource {
    /// What it shows, and what is typed. Its end is the console's.
    pub stream: Box<dyn Duplex>,
    /// The exit code of what ran in it, if it had one.
    pub exit: oneshot::Receiver<Option<i32>>,
}

/// A console that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<ConsoleSource, Problem>> + Send>>;

/// The consoles of labs' nodes on this machine.
pub trait Consoles: Send + Sync {
    /// The consoles that a node has now; `not_found` if there is no such node. It may block.
    fn kinds(&self, node: &LabNode) -> Result<Vec<ConsoleKind>, Problem>;

    /// Opens one.
    fn open(&self, ask: ConsoleAsk) -> Opening;
}

/// A capture that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureAsk {
    /// The organisation whose lab it is.
    pub organisation: String,
    /// The lab, as its organisation calls it.
    pub lab: String,
    /// The interface or bridge.
    pub at: String,
    /// How long.
    pub seconds: Option<u64>,
    /// How much.
    pub bytes: Option<u64>,
    /// How much of each packet.
    pub snaplen: Option<u32>,
}

/// The links of labs on this machine, and what passes them.
pub trait Captures: Send + Sync {
    /// Begins a capture, which gives pieces of a pcapng file; `not_found` if there is no such link. Whoever drops the receiver ends
    /// it. It may block.
    fn open(&self, ask: CaptureAsk) -> Result<mpsc::Receiver<Vec<u8>>, Problem>;
}

//! A tunnel that is open: instructions from guacd, and to it.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::Mutex,
    task::JoinHandle,
};
use windlass_model::{Code, Problem};

use super::{Config, Instruction, Parser, refusal};

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
/// How long guacd may take to take what is sent.
const SENDING: Duration = Duration::from_secs(15);
/// What somebody who only looks may say.
const HARMLESS: [&str; 6] = ["sync", "nop", "ack", "disconnect", "size", "end"];

/// A session at guacd. It ends when its writer and its reader are dropped.
pub struct Tunnel {
    /// Its id, `$…`: others join the session by it.
    pub id: String,
    /// What guacd says.
    pub reader: Reader,
    /// What guacd is told.
    pub writer: Writer,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tunnel {}", self.id)
    }
}

/// What guacd says.
pub struct Reader {
    read: Box<dyn AsyncRead + Send + Unpin>,
    parser: Parser,
    piece: Vec<u8>,
    silence: Duration,
    /// For answers to `sync`, when nobody else gives them.
    answers: Option<Shared>,
    own: Shared,
}

/// What guacd is told. Clones tell the same one.
#[derive(Clone)]
pub struct Writer {
    shared: Shared,
    read_only: bool,
    every: Duration,
    keeper: Option<Arc<Keeper>>,
}

type Shared = Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>;

/// Sends `nop` for as long as there is a writer.
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn halves(
    config: &Config,
    read: impl AsyncRead + Send + Unpin + 'static,
    write: impl AsyncWrite + Send + Unpin + 'static,
) -> (Reader, Writer) {
    let shared: Shared = Arc::new(Mutex::new(Box::new(write)));
    let reader = Reader {
        read: Box::new(read),
        parser: Parser::new(),
        piece: vec![0; PIECE],
        silence: config.silence,
        answers: None,
        own: shared.clone(),
    };
    (reader, Writer { shared, read_only: false, every: config.keep_alive, keeper: None })
}

async fn write(shared: &Shared, text: &str) -> Result<(), Problem> {
    let lost = |error: std::io::Error| refusal::closed(&format!("guacd is gone: {error}"));
    let written = async {
        let mut write = shared.lock().await;
        write.write_all(text.as_bytes()).await.map_err(lost)?;
        write.flush().await.map_err(lost)
    };
    let late = |_| Err(refusal::closed("guacd takes nothing that is sent to it"));
    tokio::time::timeout(SENDING, written).await.unwrap_or_else(late)
}

impl Reader {
    /// From now on each `sync` is answered here: for whoever looks without a browser. guacd ends sessions of which it hears no answers.
    pub fn answer_syncs(&mut self) {
        self.answers = Some(self.own.clone());
    }

    /// The next instruction; `None` when guacd has ended the session in order. An `error` of guacd's is an error. Safe to be
    /// dropped and called again, unless it answers syncs: an answer may have been sent by half.
    pub async fn next(&mut self) -> Result<Option<Instruction>, Problem> {
        loop {
            if let Some(instruction) = self.parser.pop() {
                match instruction.opcode.as_str() {
                    "error" => return Err(refusal::of(&instruction)),
                    "disconnect" => return Ok(None),
                    "sync" => answer(self.answers.clone(), &instruction).await?,
                    _ => {}
                }
                return Ok(Some(instruction));
            }
            let read = tokio::time::timeout(self.silence, self.read.read(&mut self.piece)).await;
            let silence = || refusal::closed(&format!("guacd said nothing for {} ms", self.silence.as_millis()));
            let lost = |error: std::io::Error| refusal::closed(&format!("guacd is gone: {error}"));
            match read.map_err(|_| silence())?.map_err(lost)? {
                0 if self.parser.is_within() => {
                    return Err(refusal::closed("guacd stopped in the middle of an instruction"));
                }
                0 => return Ok(None),
                length => self.parser.push(&self.piece[..length])?,
            }
        }
    }
}

async fn answer(answers: Option<Shared>, sync: &Instruction) -> Result<(), Problem> {
    match answers {
        Some(shared) => write(&shared, &Instruction::new("sync", [sync.arg(0)]).encode()?).await,
        None => Ok(()),
    }
}

impl Writer {
    /// Tells guacd something. One that is read-only refuses what could change anything.
    pub async fn send(&self, instruction: &Instruction) -> Result<(), Problem> {
        if self.read_only && !HARMLESS.contains(&instruction.opcode.as_str()) {
            let what =
                format!("`{}` isn't sent: this session may only be looked at", instruction.opcode.escape_debug());
            return Err(Problem::new(Code::PermissionDenied, what).no_effect());
        }
        write(&self.shared, &instruction.encode()?).await
    }

    /// Whether it sends only what changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Ends the session in order.
    pub async fn disconnect(self) -> Result<(), Problem> {
        let sent = self.send(&Instruction::new("disconnect", [""; 0])).await;
        let _ = self.shared.lock().await.shutdown().await;
        sent
    }

    pub(super) fn restrict(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    pub(super) fn keep_alive(&mut self) {
        let (shared, every) = (self.shared.clone(), self.every);
        let work = async move {
            loop {
                tokio::time::sleep(every).await;
                if write(&shared, "3.nop;").await.is_err() {
                    return;
                }
            }
        };
        self.keeper = Some(Arc::new(Keeper(tokio::spawn(work))));
    }
}

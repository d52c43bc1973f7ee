//! Telnet (RFC 854) from the client's side: echo and go-ahead (857, 858), the size (1073) and the kind of terminal (1091); whatever else
//! is offered or asked for is refused.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    net::TcpStream,
    sync::{oneshot, watch},
};
use windlass_api::services::{ConsoleSource, Size};

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const TERMINAL_TYPE: u8 = 24;
const NAWS: u8 = 31;

/// Longest subnegotiation that is kept.
const SUB: usize = 256;
/// Bytes on their way.
const ROOM: usize = 64 << 10;

/// Where the reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Data,
    /// A carriage return was shown: a zero behind it isn't.
    Return,
    Command,
    Option(u8),
    Sub,
    SubCommand,
}

/// What is negotiated.
#[derive(Default)]
struct Telnet {
    stage: Stage,
    sub: Vec<u8>,
    /// Options that we do.
    ours: u64,
    /// Options that the other end does.
    theirs: u64,
    size: Option<Size>,
}

fn bit(option: u8) -> u64 {
    if option < 64 { 1 << option } else { 0 }
}

impl Telnet {
    /// What of these bytes is shown, and what is answered.
    fn read(&mut self, bytes: &[u8], answer: &mut Vec<u8>) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.stage = match (self.stage, byte) {
                (Stage::Data | Stage::Return, IAC) => Stage::Command,
                (Stage::Return, 0) if self.theirs & bit(BINARY) == 0 => Stage::Data,
                (Stage::Data | Stage::Return, _) => {
                    shown.push(byte);
                    if byte == b'\r' { Stage::Return } else { Stage::Data }
                }
                (Stage::Command, IAC) => {
                    shown.push(IAC);
                    Stage::Data
                }
                (Stage::Command, WILL | WONT | DO | DONT) => Stage::Option(byte),
                (Stage::Command, SB) => {
                    self.sub.clear();
                    Stage::Sub
                }
                (Stage::Command, _) => Stage::Data,
                (Stage::Option(command), option) => {
                    self.negotiate(command, option, answer);
                    Stage::Data
                }
                (Stage::Sub, IAC) => Stage::SubCommand,
                (Stage::Sub, _) | (Stage::SubCommand, IAC) => {
                    if self.sub.len() < SUB {
                        self.sub.push(byte);
                    }
                    Stage::Sub
                }
                (Stage::SubCommand, SE) => {
                    // SEND
                    if self.sub == [TERMINAL_TYPE, 1] && self.ours & bit(TERMINAL_TYPE) != 0 {
                        answer.extend([IAC, SB, TERMINAL_TYPE, 0]);
                        answer.extend(b"XTERM-256COLOR");
                        answer.extend([IAC, SE]);
                    }
                    Stage::Data
                }
                (Stage::SubCommand, _) => Stage::Data,
            };
        }
        shown
    }

    /// Answers only what changes something: two ends that confirm one another would never end.
    fn negotiate(&mut self, command: u8, option: u8, answer: &mut Vec<u8>) {
        let known = bit(option);
        match command {
            WILL if self.theirs & known != 0 => {}
            WILL if [ECHO, SUPPRESS_GO_AHEAD, BINARY].contains(&option) => {
                self.theirs |= known;
                answer.extend([IAC, DO, option]);
            }
            WILL => answer.extend([IAC, DONT, option]),
            WONT if self.theirs & known != 0 => {
                self.theirs &= !known;
                answer.extend([IAC, DONT, option]);
            }
            DO if self.ours & known != 0 => {}
            DO if [SUPPRESS_GO_AHEAD, TERMINAL_TYPE, NAWS, BINARY].contains(&option) => {
                self.ours |= known;
                answer.extend([IAC, WILL, option]);
                if let (NAWS, Some(size)) = (option, self.size) {
                    answer.extend(naws(size));
                }
            }
            DO => answer.extend([IAC, WONT, option]),
            DONT if self.ours & known != 0 => {
                self.ours &= !known;
                answer.extend([IAC, WONT, option]);
            }
            _ => {}
        }
    }

    /// What is typed, as it is sent: a return is CR NUL, as RFC 854 has it.
    fn typed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut sent = Vec::with_capacity(bytes.len() + 8);
        for &byte in bytes {
            sent.push(byte);
            match byte {
                IAC => sent.push(IAC),
                b'\r' if self.ours & bit(BINARY) == 0 => sent.push(0),
                _ => {}
            }
        }
        sent
    }

    /// The size, if it is wanted.
    fn resized(&mut self, size: Size) -> Vec<u8> {
        self.size = Some(size);
        if self.ours & bit(NAWS) == 0 { Vec::new() } else { naws(size) }
    }
}

fn naws(size: Size) -> Vec<u8> {
    let mut sent = vec![IAC, SB, NAWS];
    for byte in size.cols.to_be_bytes().into_iter().chain(size.rows.to_be_bytes()) {
        sent.push(byte);
        if byte == IAC {
            sent.push(IAC);
        }
    }
    sent.extend([IAC, SE]);
    sent
}

/// The terminal behind a connection.
pub fn over(stream: TcpStream, size: watch::Receiver<Size>) -> ConsoleSource {
    let (near, far) = tokio::io::duplex(ROOM);
    // It has no exit code; what ends the connection ends the terminal.
    let (held, exit) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(error) = carry(stream, far, size).await {
            tracing::debug!(%error, "a telnet connection broke off");
        }
        drop(held);
    });
    ConsoleSource { stream: Box::new(near), exit }
}

async fn carry(mut stream: TcpStream, far: DuplexStream, mut size: watch::Receiver<Size>) -> std::io::Result<()> {
    let mut telnet = Telnet { size: Some(*size.borrow_and_update()), ..Telnet::default() };
    let (mut keys, mut screen) = tokio::io::split(far);
    let (mut heard, mut typed) = (vec![0; 16 << 10], vec![0; 4 << 10]);
    let mut sized = true;
    loop {
        tokio::select! {
            read = stream.read(&mut heard) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                let mut answer = Vec::new();
                let shown = telnet.read(&heard[..count], &mut answer);
                stream.write_all(&answer).await?;
                screen.write_all(&shown).await?;
            }
            read = keys.read(&mut typed) => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                stream.write_all(&telnet.typed(&typed[..count])).await?;
            }
            changed = size.changed(), if sized => match changed {
                Ok(()) => {
                    let now = *size.borrow_and_update();
                    stream.write_all(&telnet.resized(now)).await?;
                }
                Err(_) => sized = false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_agreed_on_once_and_others_refused() {
        let mut telnet = Telnet { size: Some(Size { cols: 80, rows: 255 }), ..Telnet::default() };
        let mut answer = Vec::new();
        let sent =
            [&b"a"[..], &[IAC, WILL, ECHO, IAC, DO, NAWS, IAC, DO, 39, IAC, WILL, 5, IAC, WILL, ECHO], b"b"].concat();
        // However the bytes come.
        let shown: Vec<u8> = sent.chunks(1).flat_map(|piece| telnet.read(piece, &mut answer)).collect();
        assert_eq!(shown, b"ab");
        let size = [IAC, SB, NAWS, 0, 80, 0, 255, 255, IAC, SE];
        let expected = [&[IAC, DO, ECHO, IAC, WILL, NAWS][..], &size, &[IAC, WONT, 39, IAC, DONT, 5]].concat();
        assert_eq!(answer, expected);
        answer.clear();
        telnet.read(&[IAC, DO, TERMINAL_TYPE, IAC, SB, TERMINAL_TYPE, 1, IAC, SE], &mut answer);
        assert!(answer.starts_with(&[IAC, WILL, TERMINAL_TYPE]) && answer.ends_with(&[b'R', IAC, SE]), "{answer:?}");
        assert_eq!(telnet.resized(Size { cols: 100, rows: 30 }), [IAC, SB, NAWS, 0, 100, 0, 30, IAC, SE]);
    }

    #[test]
    fn bytes_that_mean_something_are_doubled_and_undone() {
        let mut telnet = Telnet::default();
        let mut answer = Vec::new();
        assert_eq!(telnet.read(&[b'x', IAC, IAC, b'\r', 0, b'\r', b'\n', 0], &mut answer), b"x\xff\r\r\n\0");
        assert_eq!(telnet.typed(b"a\xff\r"), b"a\xff\xff\r\0");
        // A subnegotiation without an end, and one that is too long, keep nothing.
        telnet.read(&[IAC, SB], &mut answer);
        telnet.read(&vec![7; 1 << 20], &mut answer);
        assert!(telnet.sub.len() <= SUB && answer.is_empty());
    }
}

//! Instructions on a socket, as guacd reads and writes them.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Bytes of one instruction.
const BYTES: usize = 32_768;

/// As it is sent.
pub(super) fn encode(elements: &[&str]) -> String {
    let parts: Vec<String> = elements.iter().map(|element| format!("{}.{element}", element.chars().count())).collect();
    format!("{};", parts.join(","))
}

pub(super) async fn send(write: &mut OwnedWriteHalf, elements: &[&str]) -> io::Result<()> {
    write.write_all(encode(elements).as_bytes()).await
}

/// Reads instructions from a socket.
pub(super) struct Inlet {
    read: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Inlet {
    pub(super) fn new(read: OwnedReadHalf) -> Self {
        Self { read, buffer: Vec::new() }
    }

    /// The next instruction, its opcode first. Safe to be dropped.
    pub(super) async fn next(&mut self) -> io::Result<Vec<String>> {
        loop {
            if let Some((elements, length)) = parse(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(elements);
            }
            if self.buffer.len() > BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.read.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// An instruction at the beginning of the bytes, and how many of them it has; none if it isn't whole yet.
fn parse(bytes: &[u8]) -> io::Result<Option<(Vec<String>, usize)>> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    // A character that is cut in two is for later.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).map_err(|_| wrong())?
        }
        Err(_) => return Err(wrong()),
    };
    let (mut elements, mut at) = (Vec::new(), 0);
    loop {
        let rest = &text[at..];
        let Some(dot) = rest.find('.') else {
            let digits = rest.len() <= 5 && rest.bytes().all(|byte| byte.is_ascii_digit());
            return if digits { Ok(None) } else { Err(wrong()) };
        };
        let length: usize = rest[..dot].parse().map_err(|_| wrong())?;
        let value = &rest[dot + 1..];
        let mut ends = value.char_indices().map(|(index, _)| index).chain([value.len()]);
        let Some(end) = ends.nth(length) else { return Ok(None) };
        let Some(separator) = value[end..].chars().next() else { return Ok(None) };
        elements.push(value[..end].to_owned());
        at += dot + 1 + end + 1;
        match separator {
            ';' => return Ok(Some((elements, at))),
            ',' => {}
            _ => return Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_whole_or_not_yet() {
        let text = encode(&["clipboard", "Grüße", "", "🥑"]);
        assert_eq!(text, "9.clipboard,5.Grüße,0.,1.🥑;");
        for end in 0..text.len() {
            assert!(parse(&text.as_bytes()[..end]).unwrap().is_none(), "{end}");
        }
        let (elements, length) = parse(format!("{text}3.nop;").as_bytes()).unwrap().unwrap();
        assert_eq!((elements[1].as_str(), length), ("Grüße", text.len()));
        assert!(parse(b"3.nopx;").is_err() && parse(b"GET / HTTP").is_err());
    }
}

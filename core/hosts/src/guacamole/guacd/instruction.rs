//! Instructions of the Guacamole protocol, `4.size,1.0,4.1024,3.768;`, written and read. A length counts characters, not bytes. What
//! is read may come from anybody: it arrives in any pieces, and nothing of it is kept beyond a bound.

use std::collections::VecDeque;

use windlass_model::{Code, Problem};

/// Bytes of one instruction as it is sent.
pub const BYTES: usize = 64 << 10;
/// Elements of one instruction, its opcode among them. guacd takes no more, either.
pub const ELEMENTS: usize = 128;
/// Digits of a length. guacd takes no more, either.
const DIGITS: usize = 5;
/// Instructions that wait to be taken.
const WAITING: usize = 4_096;

/// An instruction.
#[derive(Clone, PartialEq, Eq)]
pub struct Instruction {
    /// What is to be done: `sync`, `key`.
    pub opcode: String,
    /// With what.
    pub args: Vec<String>,
}

impl std::fmt::Debug for Instruction {
    /// Without its arguments: a password may be among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.opcode.escape_debug(), self.args.len())
    }
}

impl Instruction {
    /// One with these arguments.
    pub fn new(opcode: &str, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { opcode: opcode.to_owned(), args: args.into_iter().map(Into::into).collect() }
    }

    /// An argument, or nothing.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// As it is sent. Fails when the other end would take it for an attack.
    pub fn encode(&self) -> Result<String, Problem> {
        if self.args.len() + 1 > ELEMENTS {
            return Err(too_much(&format!("more than {ELEMENTS} elements")));
        }
        let mut text = String::new();
        for element in std::iter::once(&self.opcode).chain(&self.args) {
            let separator = if text.is_empty() { "" } else { "," };
            text.push_str(separator);
            text.push_str(&element.chars().count().to_string());
            text.push('.');
            text.push_str(element);
            if text.len() >= BYTES {
                return Err(too_much(&format!("more than {BYTES} bytes")));
            }
        }
        text.push(';');
        Ok(text)
    }
}

fn too_much(what: &str) -> Problem {
    Problem::new(Code::LimitExceeded, format!("an instruction of the Guacamole protocol with {what}")).no_effect()
}

/// Reads instructions from pieces of any length.
#[derive(Debug, Default)]
pub struct Parser {
    place: Place,
    /// Elements of the instruction that is being read.
    elements: Vec<String>,
    /// Bytes of it so far.
    bytes: usize,
    /// Read, and not yet taken.
    ready: VecDeque<Instruction>,
    /// What was wrong; nothing is read after it.
    broken: Option<String>,
}

/// Where the parser stands.
#[derive(Debug)]
enum Place {
    Length { digits: usize, value: usize },
    Value { left: usize, bytes: Vec<u8> },
}

impl Default for Place {
    fn default() -> Self {
        Self::Length { digits: 0, value: 0 }
    }
}

impl Parser {
    /// At the beginning of an instruction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a piece. Fails, from then on for ever, at what can't be an instruction, or is one beyond the bounds.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        if self.broken.is_none() {
            self.broken = piece.iter().try_for_each(|byte| self.take(*byte)).err();
        }
        match &self.broken {
            None => Ok(()),
            Some(why) => Err(Problem::new(Code::Unavailable, format!("this isn't the Guacamole protocol: {why}"))
                .help("is it really guacd that listens there?")
                .data(serde_json::json!({ "reason": "protocol" }))),
        }
    }

    /// The next instruction that is whole.
    pub fn pop(&mut self) -> Option<Instruction> {
        self.ready.pop_front()
    }

    /// Whether an instruction has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.bytes > 0
    }

    fn take(&mut self, byte: u8) -> Result<(), String> {
        self.bytes += 1;
        if self.bytes > BYTES {
            return Err(format!("an instruction of more than {BYTES} bytes"));
        }
        match &mut self.place {
            Place::Length { digits, value } => match byte {
                b'0'..=b'9' if *digits < DIGITS => {
                    *digits += 1;
                    *value = *value * 10 + usize::from(byte - b'0');
                    Ok(())
                }
                b'0'..=b'9' => Err(format!("a length of more than {DIGITS} digits")),
                b'.' if *digits > 0 && *value <= BYTES => {
                    self.place = Place::Value { left: *value, bytes: Vec::new() };
                    Ok(())
                }
                b'.' if *digits > 0 => Err(format!("an element of more than {BYTES} characters")),
                _ => Err("a length that isn't a number".into()),
            },
            // A further byte of a character that has begun.
            Place::Value { bytes, .. } if byte & 0b1100_0000 == 0b1000_0000 => {
                bytes.push(byte);
                Ok(())
            }
            Place::Value { left, bytes } if *left > 0 => {
                *left -= 1;
                bytes.push(byte);
                Ok(())
            }
            Place::Value { bytes, .. } => {
                let element = String::from_utf8(std::mem::take(bytes)).map_err(|_| "text that isn't UTF-8")?;
                self.end(element, byte)
            }
        }
    }

    /// An element is whole; what stands after it says whether the instruction is.
    fn end(&mut self, element: String, separator: u8) -> Result<(), String> {
        self.elements.push(element);
        self.place = Place::default();
        match separator {
            b',' if self.elements.len() < ELEMENTS => Ok(()),
            b',' => Err(format!("an instruction of more than {ELEMENTS} elements")),
            b';' => {
                self.bytes = 0;
                let opcode = self.elements.remove(0);
                let args = std::mem::take(&mut self.elements);
                if self.ready.len() >= WAITING {
                    return Err(format!("more than {WAITING} instructions that nobody has taken"));
                }
                self.ready.push_back(Instruction { opcode, args });
                Ok(())
            }
            _ => Err("a length that doesn't fit its element".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Instruction>, Problem> {
        let mut parser = Parser::new();
        let mut found = Vec::new();
        for piece in pieces {
            parser.push(piece)?;
            found.extend(std::iter::from_fn(|| parser.pop()));
        }
        Ok(found)
    }

    #[test]
    fn lengths_count_characters() {
        let instruction = Instruction::new("clipboard", ["Grüße", "日本語", "", "🥑,;.5"]);
        let text = instruction.encode().unwrap();
        assert_eq!(text, "9.clipboard,5.Grüße,3.日本語,0.,5.🥑,;.5;");
        assert_eq!(read(&[text.as_bytes()]).unwrap(), std::slice::from_ref(&instruction));
        // In pieces of every length, cut in the middle of characters, too.
        for length in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(length).collect();
            assert_eq!(read(&pieces).unwrap(), std::slice::from_ref(&instruction), "in pieces of {length}");
        }
        let two = read(&[b"4.sync,1.0;3.nop;4.si"]).unwrap();
        assert_eq!(two, [Instruction::new("sync", ["0"]), Instruction::new("nop", [""; 0])]);
    }

    #[test]
    fn nonsense_is_refused_within_its_bounds() {
        for (bytes, why) in [
            (&b"x"[..], "isn't a number"),
            (b".", "isn't a number"),
            (b"-1.x;", "isn't a number"),
            (b"123456.", "more than 5 digits"),
            (b"99999.", "more than 65536 characters"),
            (b"3.nops;", "doesn't fit"),
            (b"4.nop;3.nop;", "doesn't fit"),
            (b"2.\xff\xff;", "UTF-8"),
            (b"1.\xe2\x82;", "UTF-8"),
            (b"0.\x80;", "UTF-8"),
            (b"HTTP/1.1 400 Bad Request\r\n", "isn't a number"),
        ] {
            let problem = read(&[bytes]).unwrap_err();
            assert!(problem.message.contains(why), "{bytes:?}: {problem}");
        }
        let many = "0.,".repeat(ELEMENTS);
        assert!(read(&[many.as_bytes()]).unwrap_err().message.contains("128 elements"));
        // Continuation bytes count for no character, and have their bound all the same.
        let endless = [&b"1.\xe2"[..], &vec![0x80; BYTES]].concat();
        assert!(read(&[&endless]).unwrap_err().message.contains("65536 bytes"));
        let flood = "3.nop;".repeat(WAITING + 1);
        let mut parser = Parser::new();
        assert!(parser.push(flood.as_bytes()).is_err());
        // What was broken once stays it: nobody reads on from the middle.
        while parser.pop().is_some() {}
        assert!(parser.push(b"3.nop;").is_err() && parser.pop().is_none());
    }

    #[test]
    fn what_is_written_is_read_and_noise_never_panics() {
        let mut random = StdRng::seed_from_u64(7);
        let alphabet: Vec<char> = "a0.,;é日🥑\u{0}\u{301}".chars().collect();
        for _ in 0..2_000 {
            let mut element = |most: usize| -> String {
                let length = random.random_range(0..=most);
                (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect()
            };
            let opcode = element(8);
            let args: Vec<String> = (0..opcode.len() % 7).map(|_| element(40)).collect();
            let instruction = Instruction { opcode, args };
            let text = instruction.encode().unwrap().into_bytes();
            let cut = random.random_range(0..=text.len());
            assert_eq!(read(&[&text[..cut], &text[cut..]]).unwrap(), [instruction]);
            // One byte changed: another instruction or a refusal, and no more than was sent is kept.
            let mut noise = text;
            let place = random.random_range(0..noise.len());
            noise[place] = random.random();
            let _ = read(&[&noise]);
        }
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..random.random_range(0..200))
                .map(|_| b"0123456789.,;a\xc3\xa9"[random.random_range(0..16)])
                .collect();
            let _ = read(&[&noise]);
        }
    }

    #[test]
    fn too_much_is_not_sent() {
        assert!(Instruction::new("x", vec!["y"; ELEMENTS]).encode().is_err());
        assert!(Instruction::new("blob", ["x".repeat(BYTES)]).encode().is_err());
        let secret = Instruction::new("connect", ["hunter2"]);
        assert_eq!(format!("{secret:?}"), "connect(1)");
    }
}

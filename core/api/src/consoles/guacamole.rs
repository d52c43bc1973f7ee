//! Instructions of Guacamole's protocol as they come from guacd: browsers want whole ones in each message.

use std::borrow::Cow;

use windlass_model::Problem;

use super::outbox::End;

/// The status of a screen that isn't there.
pub(super) const UNREACHABLE: &str = "519";

/// The instruction that says why there is no screen.
pub(super) fn error(problem: &Problem) -> String {
    let told = match &problem.help {
        Some(help) => format!("{}: {help}", problem.message),
        None => problem.message.clone(),
    };
    format!("5.error,{}.{told},{}.{UNREACHABLE};", told.chars().count(), UNREACHABLE.len())
}

/// The close code and its reason: Guacamole's clients read a status code in it, and take `0` for an end in order.
pub(super) fn close(end: &End) -> Option<(u16, Cow<'static, str>)> {
    let status = match end {
        End::Exited(_) => "0",
        End::Nonsense(_) => "768",
        End::NoAccess => "771",
        End::Gone => "516",
        End::Idle => "522",
        End::Stopping => "523",
        End::TooSlow => "776",
        End::TooLarge => "781",
        End::Left => return None,
    };
    end.close().map(|(code, _)| (code, status.into()))
}

/// Most bytes that are kept of an instruction that isn't whole.
const INSTRUCTION: usize = 1 << 20;

/// Puts whole instructions together.
#[derive(Default)]
pub(super) struct Instructions {
    rest: Vec<u8>,
}

impl Instructions {
    /// All instructions that are whole by now.
    pub(super) fn whole(&mut self, bytes: &[u8]) -> Result<String, &'static str> {
        self.rest.extend_from_slice(bytes);
        let mut whole = 0;
        while let Some(length) = instruction(&self.rest[whole..])? {
            whole += length;
        }
        if self.rest.len() - whole > INSTRUCTION {
            return Err("an instruction of guacd was too long");
        }
        let rest = self.rest.split_off(whole);
        let text = std::mem::replace(&mut self.rest, rest);
        String::from_utf8(text).map_err(|_| "guacd sent something that isn't text")
    }
}

/// The length of the first instruction in bytes, if it is whole: `4.sync,3.123;`, whose lengths count characters.
fn instruction(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    const ODD: &str = "guacd sent something that isn't an instruction";
    let mut at = 0;
    loop {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some(dot) = bytes.get(at + digits) else { return if digits > 7 { Err(ODD) } else { Ok(None) } };
        if *dot != b'.' || !(1..=7).contains(&digits) {
            return Err(ODD);
        }
        let number = std::str::from_utf8(&bytes[at..at + digits]).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(mut characters) = number else { return Err(ODD) };
        at += digits + 1;
        // A character begins with any byte that doesn't continue one.
        loop {
            match bytes.get(at) {
                None => return Ok(None),
                Some(byte) if byte & 0xc0 == 0x80 => at += 1,
                Some(_) if characters == 0 => break,
                Some(_) => {
                    characters -= 1;
                    at += 1;
                }
            }
        }
        match bytes[at] {
            b',' => at += 1,
            b';' => return Ok(Some(at + 1)),
            _ => return Err(ODD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_whole_however_they_come() {
        let all = "4.sync,8.12345678;4.name,4.aé€😀;3.nop;0.;";
        for size in [1, 2, 5, all.len()] {
            let mut instructions = Instructions::default();
            let mut text = String::new();
            for piece in all.as_bytes().chunks(size) {
                let whole = instructions.whole(piece).unwrap();
                assert!(whole.is_empty() || whole.ends_with(';'), "{whole}");
                text += &whole;
            }
            assert_eq!(text, all);
        }
        for odd in ["x", "4sync;", "99999999.", "1.ab;", "-1.a;"] {
            assert!(Instructions::default().whole(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}

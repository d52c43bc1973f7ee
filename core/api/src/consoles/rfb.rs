//! RFB (RFC 6143) from a client: its connection leaves those of others alone, whatever it asks for; and of one that only looks, what it
//! types, points at and copies is left out.

/// Most bytes of one message that are kept until it is whole.
const MESSAGE: usize = 64 << 10;

/// Where a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The client's version: 12 bytes.
    #[default]
    Version,
    /// The security type that it chooses.
    Security,
    /// Its answer to a challenge: 16 bytes.
    Response,
    /// Whether it shares the screen.
    Init,
    /// Messages.
    Messages,
    /// Whatever comes passes.
    Open,
}

/// What of a client's bytes may pass.
pub(super) struct Client {
    only_looks: bool,
    stage: Stage,
    rest: Vec<u8>,
    /// Bytes of a message to come that are left out.
    skip: usize,
}

/// What the next message is.
enum Next {
    /// So long, and it passes.
    Pass(usize),
    /// So long, and it doesn't.
    Drop(usize),
    /// More has to come before that is known.
    Short,
}

impl Client {
    pub(super) fn new(only_looks: bool) -> Self {
        Self { only_looks, stage: Stage::default(), rest: Vec::new(), skip: 0 }
    }

    /// What of these bytes may pass, with what was kept of those before.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        if self.stage == Stage::Open {
            return Ok(bytes.to_vec());
        }
        self.rest.extend_from_slice(bytes);
        let mut passed = Vec::new();
        loop {
            let skipped = self.skip.min(self.rest.len());
            self.rest.drain(..skipped);
            self.skip -= skipped;
            if self.skip > 0 || self.rest.is_empty() {
                return Ok(passed);
            }
            match self.next()? {
                Next::Short if self.rest.len() > MESSAGE => return Err("a message of RFB was too long"),
                Next::Short => return Ok(passed),
                Next::Drop(count) => self.skip = count,
                Next::Pass(count) if self.rest.len() < count && count > MESSAGE => {
                    return Err("a message of RFB was too long");
                }
                Next::Pass(count) if self.rest.len() < count => return Ok(passed),
                Next::Pass(count) => {
                    let stage = self.stage;
                    let mut message: Vec<u8> = self.rest.drain(..count).collect();
                    match stage {
                        Stage::Version => self.stage = Stage::Security,
                        Stage::Security => {
                            self.stage = match message[0] {
                                1 => Stage::Init,
                                2 => Stage::Response,
                                _ if !self.only_looks => Stage::Open,
                                _ => return Err("who only watches can log in to the screen by a password or nothing"),
                            }
                        }
                        Stage::Response => self.stage = Stage::Init,
                        Stage::Init => {
                            self.stage = if self.only_looks { Stage::Messages } else { Stage::Open };
                            // One that wants the screen for itself would keep everybody else out.
                            message[0] = 1;
                        }
                        Stage::Messages | Stage::Open => {}
                    }
                    passed.append(&mut message);
                    if self.stage == Stage::Open {
                        passed.append(&mut self.rest);
                        return Ok(passed);
                    }
                }
            }
        }
    }

    fn next(&self) -> Result<Next, &'static str> {
        let number = |at: usize| match self.rest.get(at..at + 2) {
            Some([high, low]) => Some(usize::from(u16::from_be_bytes([*high, *low]))),
            _ => None,
        };
        Ok(match self.stage {
            Stage::Version => Next::Pass(12),
            Stage::Security | Stage::Init => Next::Pass(1),
            Stage::Response => Next::Pass(16),
            Stage::Open => Next::Pass(self.rest.len()),
            Stage::Messages => match self.rest[0] {
                // SetPixelFormat, SetEncodings, FramebufferUpdateRequest
                0 => Next::Pass(20),
                2 => number(2).map_or(Next::Short, |count| Next::Pass(4 + 4 * count)),
                3 => Next::Pass(10),
                // KeyEvent, PointerEvent, ClientCutText
                4 => Next::Drop(8),
                5 => Next::Drop(6),
                6 => match self.rest.get(4..8) {
                    Some(&[a, b, c, d]) => {
                        // Extended clipboards have negative lengths.
                        let length = i32::from_be_bytes([a, b, c, d]).unsigned_abs() as usize;
                        Next::Drop(8 + length)
                    }
                    _ => Next::Short,
                },
                // EnableContinuousUpdates, ClientFence
                150 => Next::Pass(10),
                248 => self.rest.get(8).map_or(Next::Short, |length| Next::Pass(9 + usize::from(*length))),
                // SetDesktopSize
                251 => self.rest.get(6).map_or(Next::Short, |screens| Next::Drop(8 + 16 * usize::from(*screens))),
                // QEMU's key event, and its sound
                255 => match (self.rest.get(1), number(2)) {
                    (Some(0), _) => Next::Drop(12),
                    (Some(1), Some(2)) => Next::Drop(10),
                    (Some(1), Some(_)) => Next::Drop(4),
                    (None, _) | (Some(1), None) => Next::Short,
                    _ => return Err("a message of RFB that isn't known can't be told from typing"),
                },
                _ => return Err("a message of RFB that isn't known can't be told from typing"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_pointers_are_left_out_however_the_bytes_come() {
        let update = [3, 1, 0, 0, 0, 0, 2, 0, 1, 0];
        let mut sent = b"RFB 003.008\n".to_vec();
        sent.extend([1, 0]);
        sent.extend([2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21]);
        sent.extend([4, 1, 0, 0, 0, 0, 0, 0x61]);
        sent.extend(update);
        sent.extend([5, 1, 0, 9, 0, 9]);
        sent.extend([6, 0, 0, 0, 0, 0, 0, 3, b'a', b'b', b'c']);
        sent.extend([255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30]);
        sent.extend(update);
        let mut expected = b"RFB 003.008\n".to_vec();
        expected.extend([1, 1]);
        expected.extend([2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21]);
        expected.extend(update);
        expected.extend(update);
        for size in [1, 2, 3, 7, sent.len()] {
            let mut filter = Client::new(true);
            let passed: Vec<u8> = sent.chunks(size).flat_map(|piece| filter.pass(piece).unwrap()).collect();
            assert_eq!(passed, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn who_uses_it_shares_it_and_passes_everything_else() {
        let sent = [b"RFB 003.008\n".as_slice(), &[1, 0], &[77, 4, 1, 0, 0, 0, 0, 0, 0x61]].concat();
        for size in [1, 5, sent.len()] {
            let mut client = Client::new(false);
            let passed: Vec<u8> = sent.chunks(size).flat_map(|piece| client.pass(piece).unwrap()).collect();
            assert_eq!(
                (&passed[..13], passed[13], &passed[14..]),
                (&sent[..13], 1, &sent[14..]),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_not_known_or_too_long_ends_it() {
        let begun = || {
            let mut filter = Client::new(true);
            filter.pass(b"RFB 003.008\n\x02").unwrap();
            filter.pass(&[7; 16]).unwrap();
            assert_eq!(filter.pass(&[0]).unwrap(), [1]);
            filter
        };
        assert!(begun().pass(&[77]).is_err());
        assert!(begun().pass(&[2, 0, 0xff, 0xff, 0]).is_err());
        assert!(Client::new(true).pass(b"RFB 003.008\n\x13").is_err());
        let mut filter = begun();
        // A clipboard that is longer than anything isn't kept.
        filter.pass(&[6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]).unwrap();
        assert!(filter.pass(&[9; 1 << 16]).unwrap().is_empty() && filter.rest.is_empty());
    }
}

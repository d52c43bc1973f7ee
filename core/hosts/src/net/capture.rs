//! Packets of a lab's link, as pcapng: what `tcpdump -r` and Wireshark read. Bounded in time and in bytes.

use std::time::{Duration, Instant};

use windlass_model::{Code, Problem};

use super::{backend::NetBackend, fault::Fault, lab::Lab, plan::invalid, summary::Summary};
use crate::lab_id::LabId;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const ETHERNET: u16 = 1;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const NANOSECONDS: u8 = 9;
const FLAGS: u16 = 2;
const RECEIVED: u16 = 4;
const DROPPED: u16 = 5;
/// Bytes of a packet's block besides the packet: its header, its flags, padding.
const AROUND: u64 = 64;
/// What is handed on at once.
const PIECE: usize = 64 << 10;
/// What the statistics at the end take.
const END: u64 = 64;

/// Seconds, when nobody says.
const SECONDS: u64 = 10;
/// Most seconds of one capture.
pub const SECONDS_MAX: u64 = 3_600;
/// Bytes, when nobody says.
const BYTES: u64 = 16 << 20;
/// Most bytes of one capture.
pub const BYTES_MAX: u64 = 1 << 30;
/// Fewest: the heading and one packet.
const BYTES_MIN: u64 = 4 << 10;
/// Most bytes that are kept of one packet: offloads make packets of 64 KiB.
const SNAPLEN_MAX: u32 = 256 << 10;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it passed, nanoseconds since 1970.
    pub at_ns: u64,
    /// How long it was.
    pub length: u32,
    /// Its beginning.
    pub data: Vec<u8>,
    /// Whether it left by the link.
    pub outgoing: bool,
}

/// Where packets come from.
pub trait PacketSource: Send {
    /// The next one; waits for it, at most so long.
    fn next(&mut self, longest: Duration) -> Result<Option<Packet>, Fault>;

    /// How many were lost since this was asked last: nobody took them in time.
    fn dropped(&mut self) -> u64;
}

/// Bounds of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it lasts.
    pub length: Duration,
    /// How large it gets.
    pub bytes: u64,
    /// How much of a packet is kept.
    pub snaplen: u32,
    /// How many packets there are at most.
    pub packets: u64,
}

impl Limits {
    /// As they are asked for; what nobody says has a default.
    pub fn new(seconds: Option<u64>, bytes: Option<u64>, snaplen: Option<u32>) -> Result<Self, Problem> {
        let within = |name: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(value);
            }
            Err(invalid(format!("`{name}` is {value}")).help(format!("from {least} to {most}")))
        };
        let seconds = within("seconds", seconds.unwrap_or(SECONDS), 1, SECONDS_MAX)?;
        let bytes = within("bytes", bytes.unwrap_or(BYTES), BYTES_MIN, BYTES_MAX)?;
        let snaplen = within("snaplen", snaplen.unwrap_or(SNAPLEN_MAX).into(), 14, SNAPLEN_MAX.into())?
            .try_into()
            .unwrap_or(SNAPLEN_MAX);
        Ok(Self { length: Duration::from_secs(seconds), bytes, snaplen, packets: u64::MAX })
    }

    /// The same, of so many packets at most.
    pub fn packets(self, packets: Option<u64>) -> Result<Self, Problem> {
        match packets {
            Some(0) => Err(invalid("`packets` is 0").help("from 1")),
            packets => Ok(Self { packets: packets.unwrap_or(u64::MAX), ..self }),
        }
    }
}

/// What a recording has so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets that are in it.
    pub packets: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Packets that came too fast.
    pub dropped: u64,
}

/// A capture under way. Dropping it ends it.
pub struct Recording {
    source: Box<dyn PacketSource>,
    limits: Limits,
    name: String,
    began: Instant,
    totals: Totals,
    summary: Option<Summary>,
    ended: bool,
}

impl Recording {
    /// Of an interface or a bridge of a lab, for a caller that is no step of a run. `not_found` where there is none.
    pub fn open(
        backend: &dyn NetBackend,
        id: LabId,
        instance: &str,
        at: &str,
        limits: Limits,
    ) -> Result<Option<Self>, Problem> {
        Self::of(&Lab::seen_by(backend, id, instance, String::new(), None)?, at, limits)
    }

    /// The same by a lab; `None` from a stack on which nothing passes.
    pub(super) fn of(lab: &Lab<'_>, at: &str, limits: Limits) -> Result<Option<Self>, Problem> {
        let (place, link) = lab.locate(&lab.view()?, at)?;
        let source = lab.backend.packets(&place, &link, limits.snaplen).map_err(|fault| {
            if fault.missing() {
                let none = format!("the lab {} has no interface {at}", lab.id.name);
                return Problem::new(Code::NotFound, none).help("net::links(lab) lists what there is").no_effect();
            }
            fault.problem(format!("listening at {at}"))
        })?;
        let (name, began) = (at.to_owned(), Instant::now());
        Ok(source.map(|source| Self {
            source,
            limits,
            name,
            began,
            totals: Totals::default(),
            summary: None,
            ended: false,
        }))
    }

    /// Has it told in words, too, the first packets with a line each.
    pub(super) fn summarise(&mut self, lines: usize) {
        self.summary = Some(Summary::new(lines));
    }

    /// What was seen, in words.
    pub(super) fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// What it has so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The next bytes of the file, none if nothing passes for so long; `None` when the capture has ended.
    pub fn next(&mut self, longest: Duration) -> Result<Option<Vec<u8>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let mut piece = Vec::new();
        if self.totals.bytes == 0 {
            heading(&mut piece, &self.name, self.limits.snaplen);
        }
        let mut wait = longest;
        while piece.len() < PIECE {
            if self.totals.packets >= self.limits.packets {
                self.ended = true;
                break;
            }
            let left = self.limits.length.saturating_sub(self.began.elapsed());
            // Whoever waits sees the heading at once.
            let wait_for = if piece.is_empty() { wait.min(left) } else { Duration::ZERO };
            let Some(packet) = self.source.next(wait_for)? else {
                self.ended = left.is_zero();
                break;
            };
            wait = Duration::ZERO;
            let so_far = self.totals.bytes + piece.len() as u64;
            if left.is_zero() || so_far + packet.data.len() as u64 + AROUND + END > self.limits.bytes {
                self.ended = true;
                break;
            }
            write(&mut piece, &packet);
            if let Some(summary) = &mut self.summary {
                summary.add(&packet);
            }
            self.totals.packets += 1;
        }
        self.totals.dropped += self.source.dropped();
        if self.ended {
            statistics(&mut piece, self.totals);
        }
        self.totals.bytes += piece.len() as u64;
        Ok(Some(piece))
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

fn heading(file: &mut Vec<u8>, name: &str, snaplen: u32) {
    let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    // Version 1.0; how long the section gets isn't known.
    body.extend([1, 0, 0, 0]);
    body.extend(u64::MAX.to_le_bytes());
    block(file, SECTION, &body);
    let mut body = ETHERNET.to_le_bytes().to_vec();
    body.extend([0, 0]);
    body.extend(snaplen.to_le_bytes());
    option(&mut body, NAME, name.as_bytes());
    option(&mut body, RESOLUTION, &[NANOSECONDS]);
    option(&mut body, 0, &[]);
    block(file, INTERFACE, &body);
}

fn time(body: &mut Vec<u8>, at_ns: u64) {
    body.extend(((at_ns >> 32) as u32).to_le_bytes());
    body.extend((at_ns as u32).to_le_bytes());
}

fn write(file: &mut Vec<u8>, packet: &Packet) {
    let mut body = 0_u32.to_le_bytes().to_vec();
    time(&mut body, packet.at_ns);
    body.extend((packet.data.len() as u32).to_le_bytes());
    body.extend(packet.length.to_le_bytes());
    body.extend(&packet.data);
    body.resize(body.len().next_multiple_of(4), 0);
    let direction: u32 = if packet.outgoing { 2 } else { 1 };
    option(&mut body, FLAGS, &direction.to_le_bytes());
    option(&mut body, 0, &[]);
    block(file, PACKET, &body);
}

fn statistics(file: &mut Vec<u8>, totals: Totals) {
    let mut body = 0_u32.to_le_bytes().to_vec();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    time(&mut body, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    option(&mut body, RECEIVED, &(totals.packets + totals.dropped).to_le_bytes());
    option(&mut body, DROPPED, &totals.dropped.to_le_bytes());
    option(&mut body, 0, &[]);
    block(file, STATISTICS, &body);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Endless;

    impl PacketSource for Endless {
        fn next(&mut self, _: Duration) -> Result<Option<Packet>, Fault> {
            Ok(Some(Packet { at_ns: 1, length: 1_000, data: vec![7; 999], outgoing: true }))
        }

        fn dropped(&mut self) -> u64 {
            1
        }
    }

    #[test]
    fn a_capture_ends_at_its_bytes_and_every_block_is_whole() {
        let limits = Limits::new(Some(60), Some(200_000), None).unwrap();
        let (source, name) = (Box::new(Endless), "r1:eth0".to_owned());
        let totals = Totals::default();
        let mut recording =
            Recording { source, limits, name, began: Instant::now(), totals, summary: None, ended: false };
        let mut file = Vec::new();
        while let Some(piece) = recording.next(Duration::ZERO).unwrap() {
            file.extend(piece);
        }
        let totals = recording.totals();
        assert!(file.len() as u64 == totals.bytes && totals.bytes <= 200_000 && totals.bytes > 198_000, "{totals:?}");
        let (mut kinds, mut rest) = (Vec::new(), &file[..]);
        while !rest.is_empty() {
            let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            let length = word(4) as usize;
            assert_eq!(word(length - 4) as usize, length);
            kinds.push(word(0));
            rest = &rest[length..];
        }
        assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), (SECTION, INTERFACE, STATISTICS));
        assert_eq!(kinds.iter().filter(|kind| **kind == PACKET).count() as u64, totals.packets);
        assert!(Limits::new(Some(0), None, None).is_err() && Limits::new(None, Some(u64::MAX), None).is_err());
    }
}

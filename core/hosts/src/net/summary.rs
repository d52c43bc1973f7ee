//! What a capture has seen, in words: how many packets of which protocol, and the first ones, a line each.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde_json::{Value, json};

use super::capture::Packet;

/// Protocols that are told apart; the rest is `other`.
const PROTOCOLS: usize = 64;
const VLAN: [u16; 2] = [0x8100, 0x88a8];

/// Counts and lines.
#[derive(Debug)]
pub struct Summary {
    protocols: BTreeMap<String, u64>,
    lines: Vec<String>,
    most: usize,
    began_ns: Option<u64>,
}

impl Summary {
    /// With so many lines at most.
    pub fn new(most: usize) -> Self {
        Self { protocols: BTreeMap::new(), lines: Vec::new(), most, began_ns: None }
    }

    /// One more.
    pub fn add(&mut self, packet: &Packet) {
        let began = *self.began_ns.get_or_insert(packet.at_ns);
        let (protocol, words) = frame(&packet.data).unwrap_or_else(|| ("other".into(), "a short frame".into()));
        if self.lines.len() < self.most {
            let micros = packet.at_ns.saturating_sub(began) / 1_000;
            let way = if packet.outgoing { '>' } else { '<' };
            self.lines.push(format!(
                "{}.{:06} {way} {protocol} {words}, {} bytes",
                micros / 1_000_000,
                micros % 1_000_000,
                packet.length
            ));
        }
        let known = self.protocols.len() < PROTOCOLS || self.protocols.contains_key(&protocol);
        *self.protocols.entry(if known { protocol } else { "other".into() }).or_default() += 1;
    }

    /// As a result of an op.
    pub fn value(&self) -> Value {
        json!({ "protocols": self.protocols, "lines": self.lines })
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn v4(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?.into())
}

fn v6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    Some(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?.into())
}

/// A protocol and what there is to say of the frame.
fn frame(bytes: &[u8]) -> Option<(String, String)> {
    let ends = || Some(format!("{} > {}", mac(bytes.get(6..12)?), mac(bytes.get(..6)?)));
    let mut at = 12;
    while VLAN.contains(&short(bytes, at)?) {
        at += 4;
    }
    let kind = short(bytes, at)?;
    let rest = &bytes[at + 2..];
    let plain = |name: &str| Some((name.to_owned(), ends()?));
    match kind {
        0x0800 => ipv4(rest),
        0x86dd => ipv6(rest),
        0x0806 => arp(rest),
        0x88cc => plain("lldp"),
        0x8847 | 0x8848 => plain("mpls"),
        // A length instead of a kind: LLC.
        ..=1_500 if rest.starts_with(&[0x42, 0x42]) => plain("stp"),
        ..=1_500 => plain("llc"),
        other => plain(&format!("ether-{other:04x}")),
    }
}

fn arp(bytes: &[u8]) -> Option<(String, String)> {
    let (from, to) = (v4(bytes, 14)?, v4(bytes, 24)?);
    let words = match short(bytes, 6)? {
        1 => format!("who has {to}? tell {from}"),
        2 => format!("{from} is at {}", mac(bytes.get(8..14)?)),
        other => format!("operation {other}"),
    };
    Some(("arp".into(), words))
}

fn ipv4(bytes: &[u8]) -> Option<(String, String)> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let (from, to, protocol) = (v4(bytes, 12)?.to_string(), v4(bytes, 16)?.to_string(), *bytes.get(9)?);
    // Only the first fragment has the header of what is in it.
    let rest = if short(bytes, 6)? & 0x1fff == 0 { bytes.get(header..).unwrap_or_default() } else { &[] };
    Some(transport(protocol, (&from, &to), rest))
}

fn ipv6(bytes: &[u8]) -> Option<(String, String)> {
    let (from, to, protocol) = (v6(bytes, 8)?, v6(bytes, 24)?, *bytes.get(6)?);
    Some(transport(protocol, (&format!("[{from}]"), &format!("[{to}]")), bytes.get(40..).unwrap_or_default()))
}

fn transport(protocol: u8, (from, to): (&str, &str), rest: &[u8]) -> (String, String) {
    let ends = format!("{from} > {to}");
    let ports = || Some((short(rest, 0)?, short(rest, 2)?));
    let first = rest.first().copied();
    match (protocol, ports()) {
        (6 | 17, Some((source, target))) => {
            let ends = format!("{from}:{source} > {to}:{target}");
            match rest.get(13) {
                Some(flags) if protocol == 6 => ("tcp".into(), format!("{ends} {}", tcp_flags(*flags))),
                _ => (if protocol == 6 { "tcp" } else { "udp" }.into(), ends),
            }
        }
        (6, None) => ("tcp".into(), ends),
        (17, None) => ("udp".into(), ends),
        (1, _) => (
            "icmp".into(),
            format!(
                "{ends} {}",
                icmp(first, &[(8, "echo request"), (0, "echo reply"), (3, "unreachable"), (11, "time exceeded")])
            ),
        ),
        (58, _) => (
            "icmp6".into(),
            format!(
                "{ends} {}",
                icmp(
                    first,
                    &[
                        (128, "echo request"),
                        (129, "echo reply"),
                        (135, "neighbour solicitation"),
                        (136, "neighbour advertisement")
                    ]
                )
            ),
        ),
        (2, _) => ("igmp".into(), ends),
        (47, _) => ("gre".into(), ends),
        (89, _) => ("ospf".into(), ends),
        (112, _) => ("vrrp".into(), ends),
        (132, _) => ("sctp".into(), ends),
        (other, _) => (format!("ip-{other}"), ends),
    }
}

fn icmp(kind: Option<u8>, known: &[(u8, &str)]) -> String {
    let Some(kind) = kind else { return "a fragment".into() };
    known
        .iter()
        .find(|(number, _)| *number == kind)
        .map_or_else(|| format!("type {kind}"), |(_, words)| (*words).to_owned())
}

fn tcp_flags(flags: u8) -> String {
    let names = ["fin", "syn", "rst", "psh", "ack", "urg"];
    let set: Vec<&str> =
        names.into_iter().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0).map(|(_, name)| name).collect();
    set.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(data: &[u8]) -> Packet {
        Packet { at_ns: 5_000_000_000, length: data.len() as u32, data: data.to_vec(), outgoing: false }
    }

    fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), rest].concat()
    }

    fn ip(protocol: u8, rest: &[u8]) -> Vec<u8> {
        let header = [&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..], rest].concat();
        ethernet(0x0800, &header)
    }

    #[test]
    fn frames_are_told_in_words_whatever_is_in_them() {
        let mut summary = Summary::new(4);
        let tagged = {
            let plain = ip(17, &[0x30, 0x39, 0, 53]);
            [&plain[..12], &[0x81, 0, 0, 7], &plain[12..]].concat()
        };
        summary.add(&packet(&ip(1, &[8, 0])));
        summary.add(&Packet { at_ns: 6_000_002_000, outgoing: true, ..packet(&ip(1, &[0, 0])) });
        summary.add(&packet(&tagged));
        summary.add(&packet(&ip(6, &[0, 80, 0x1f, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12])));
        summary.add(&packet(&ip(89, &[])));
        summary.add(&packet(&ethernet(0x0806, &[0; 28])));
        summary.add(&packet(&[1, 2, 3]));
        let value = summary.value();
        assert_eq!(value["protocols"], json!({ "icmp": 2, "udp": 1, "tcp": 1, "ospf": 1, "arp": 1, "other": 1 }));
        assert_eq!(
            value["lines"],
            json!([
                "0.000000 < icmp 10.0.0.1 > 10.0.0.2 echo request, 36 bytes",
                "1.000002 > icmp 10.0.0.1 > 10.0.0.2 echo reply, 36 bytes",
                "0.000000 < udp 10.0.0.1:12345 > 10.0.0.2:53, 42 bytes",
                "0.000000 < tcp 10.0.0.1:80 > 10.0.0.2:8080 syn+ack, 48 bytes",
            ])
        );
        // Cut anywhere, and with every byte changed: never a panic.
        for frame in [tagged, ip(6, &[0; 20]), ethernet(0x86dd, &[0x60; 60]), ethernet(0x0806, &[1; 28])] {
            for length in 0..frame.len() {
                summary.add(&packet(&frame[..length]));
                let mut changed = frame.clone();
                changed[length] ^= 0xff;
                summary.add(&packet(&changed));
            }
        }
        assert!(summary.protocols.len() <= PROTOCOLS + 1);
    }
}

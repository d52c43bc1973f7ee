//! Loss without a queueing discipline: a table of nftables for each link, which drops a share of what leaves it.
//!
//! Everything that has to be read back stands in the table's name: the link's number, which no later link of the same name has, and
//! the share. So a table that outlives its link drops nothing, and is known to be a leftover.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use netlink_packet_core::NlasIterator;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::super::fault::Fault;

const PREFIX: &str = "windlass-loss.";
const WHOLE: u32 = 1_000_000;
const PROGRAMS: [&str; 4] = ["/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft", "/usr/local/sbin/nft"];
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE`.
const GET_TABLES: u16 = 10 << 8 | 1;
const REQUEST_DUMP: u16 = 0x301;
const FAMILY_NETDEV: u8 = 5;
const NFTA_TABLE_NAME: u16 = 1;
const HEADER_BYTES: usize = 16;
const FAMILY_BYTES: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// A table of ours: the number of its link, and the share that it drops, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub link: u32,
    pub millionths: u32,
}

impl Loss {
    fn table(self) -> String {
        format!("{PREFIX}{}.{}", self.link, self.millionths)
    }

    fn parse(table: &str) -> Option<Self> {
        let (link, millionths) = table.strip_prefix(PREFIX)?.split_once('.')?;
        Some(Self { link: link.parse().ok()?, millionths: millionths.parse().ok()? })
    }
}

/// The program that writes tables, if this machine has it.
pub fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|path| std::fs::exists(path).unwrap_or(false))
}

/// Our tables in this thread's namespace. A kernel without nftables has none.
pub fn all() -> Result<Vec<Loss>, Fault> {
    let failed = |error| Fault::io(&error, "asking for the tables of nftables");
    let Ok(mut socket) = Socket::new(NETLINK_NETFILTER) else { return Ok(Vec::new()) };
    socket.bind_auto().map_err(failed)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
    let mut request = Vec::with_capacity(HEADER_BYTES + FAMILY_BYTES);
    request.extend(((HEADER_BYTES + FAMILY_BYTES) as u32).to_ne_bytes());
    request.extend(GET_TABLES.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    // A number of the request, the sender, and the family with the rest of its header.
    request.extend(1u32.to_ne_bytes());
    request.extend(0u32.to_ne_bytes());
    request.extend([FAMILY_NETDEV, 0, 0, 0]);
    socket.send(&request, 0).map_err(failed)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = socket.recv(&mut &mut buffer[..], 0).map_err(failed)?;
        let mut rest = &buffer[..length];
        while let Some((message, after)) = first_message(rest) {
            rest = after;
            match u16::from_ne_bytes([message[4], message[5]]) {
                NLMSG_DONE | NLMSG_ERROR => return Ok(found),
                _ => {
                    let attributes = message.get(HEADER_BYTES + FAMILY_BYTES..).unwrap_or_default();
                    let name = NlasIterator::new(attributes).flatten().find(|one| one.kind() == NFTA_TABLE_NAME);
                    let name = name.map(|one| String::from_utf8_lossy(one.value()).trim_end_matches('\0').to_owned());
                    found.extend(name.as_deref().and_then(Loss::parse));
                }
            }
        }
    }
}

fn first_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    if length < HEADER_BYTES || bytes.len() < length {
        return None;
    }
    Some((&bytes[..length], bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Drops this share of what leaves the link, in place of what was dropped before; 0 drops nothing. Tables of links that are gone
/// (`is_there` says no) go with it. All of it is one transaction.
pub fn set(link: u32, name: &str, millionths: u32, is_there: impl Fn(u32) -> bool) -> Result<(), Fault> {
    let old = all()?.into_iter().filter(|loss| loss.link == link || !is_there(loss.link));
    let mut script: String = old.map(|loss| format!("delete table netdev {}\n", loss.table())).collect();
    if millionths > 0 {
        let table = Loss { link, millionths }.table();
        // Names of interfaces were checked when they were made; a quote would end the string.
        if name.contains(['"', '\\', '\n']) {
            return Err(Fault::new(libc::EINVAL, format!("the link {name}")));
        }
        let share =
            if millionths >= WHOLE { String::new() } else { format!("numgen random mod {WHOLE} < {millionths} ") };
        script += &format!(
            "add table netdev {table}\n\
             add chain netdev {table} out {{ type filter hook egress device \"{name}\" priority 0; policy accept; }}\n\
             add rule netdev {table} out meta oif {link} {share}drop\n"
        );
    }
    if script.is_empty() { Ok(()) } else { run(&script) }
}

/// Removes tables of links that are gone.
pub fn sweep(is_there: impl Fn(u32) -> bool) -> Result<(), Fault> {
    set(0, "", 0, is_there)
}

fn run(script: &str) -> Result<(), Fault> {
    let program = program().ok_or_else(|| Fault::new(libc::EOPNOTSUPP, "there is no `nft` program"))?;
    let failed = |error: std::io::Error| Fault::io(&error, format!("running {program}"));
    let mut command = Command::new(program);
    command.args(["-f", "-"]).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words: String = words.lines().next().unwrap_or_default().chars().take(200).collect();
    Err(Fault::new(libc::EOPNOTSUPP, format!("nft: {words}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_its_link_and_its_share() {
        let loss = Loss { link: 12, millionths: 25_000 };
        assert_eq!(Loss::parse(&loss.table()), Some(loss));
        for other in ["filter", "windlass-loss.", "windlass-loss.1", "windlass-loss.x.1", "windlass-loss.1.x"] {
            assert_eq!(Loss::parse(other), None, "{other}");
        }
    }
}

//! How a tunnel begins: select, args, what can be shown, connect, ready.

use tokio::io::{AsyncRead, AsyncWrite};
use windlass_model::{Code, Problem};

use super::{
    Config, Handshake, Instruction, refusal,
    tunnel::{self, Reader, Tunnel, Writer},
};
use crate::support::invalid;

/// The newest version of the protocol that is spoken here. guacd and we take the lower one.
const VERSION: (u32, u32, u32) = (1, 5, 0);
/// What guacd may say before it is ready.
const PATIENCE: usize = 64;

pub(super) async fn perform(
    config: &Config,
    read: impl AsyncRead + Send + Unpin + 'static,
    write: impl AsyncWrite + Send + Unpin + 'static,
    wanted: &Handshake,
) -> Result<Tunnel, Problem> {
    check(wanted)?;
    let (mut reader, writer) = tunnel::halves(config, read, write);
    let joins = wanted.protocol.starts_with('$');
    writer.send(&Instruction::new("select", [wanted.protocol.as_str()])).await?;
    let offered = wait_for(&mut reader, "args", joins).await?.args;
    let (version, names) = split_version(&offered);
    let values = values(wanted, version.is_some(), names)?;
    let pixels = [wanted.width, wanted.height, wanted.dpi].map(|number| number.to_string());
    writer.send(&Instruction::new("size", pixels)).await?;
    writer.send(&Instruction::new("audio", wanted.audio.iter().map(String::as_str))).await?;
    writer.send(&Instruction::new("video", [""; 0])).await?;
    writer.send(&Instruction::new("image", wanted.images.iter().map(String::as_str))).await?;
    // Older ones don't know it.
    if let (Some(zone), Some(version)) = (&wanted.timezone, version)
        && version >= (1, 1, 0)
    {
        writer.send(&Instruction::new("timezone", [zone.as_str()])).await?;
    }
    let spoken = version.map(|version| version.min(VERSION));
    let first = spoken.map(|(major, minor, patch)| format!("VERSION_{major}_{minor}_{patch}"));
    let connect = Instruction::new("connect", first.into_iter().chain(values));
    let sent = writer.send(&connect).await;
    // A password may be among them.
    connect.args.into_iter().for_each(|value| drop(zeroize::Zeroizing::new(value)));
    sent?;
    let ready = wait_for(&mut reader, "ready", joins).await?;
    let id = ready.arg(0).to_owned();
    if !id.starts_with('$') || id.len() > 64 {
        return Err(Problem::new(Code::Unavailable, "guacd gave its tunnel an id that isn't one"));
    }
    Ok(begun(id, reader, writer, wanted.read_only))
}

fn begun(id: String, reader: Reader, mut writer: Writer, read_only: bool) -> Tunnel {
    writer.restrict(read_only);
    writer.keep_alive();
    Tunnel { id, reader, writer }
}

fn check(wanted: &Handshake) -> Result<(), Problem> {
    let word = wanted.protocol.strip_prefix('$').unwrap_or(&wanted.protocol);
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if word.is_empty() || word.len() > 64 || !word.bytes().all(known) {
        return Err(invalid("a protocol is a word such as `vnc`, or the id of a tunnel, `$…`"));
    }
    if !(1..=16_384).contains(&wanted.width)
        || !(1..=16_384).contains(&wanted.height)
        || !(1..=1_000).contains(&wanted.dpi)
    {
        return Err(invalid("a picture has 1 to 16384 pixels each way, and 1 to 1000 to an inch"));
    }
    Ok(())
}

/// The version that guacd speaks, if it tells one, and the names of what it asks for.
fn split_version(offered: &[String]) -> (Option<(u32, u32, u32)>, &[String]) {
    let version = offered.first().and_then(|first| first.strip_prefix("VERSION_")).map(|text| {
        let mut numbers = text.split('_').map(|number| number.parse().unwrap_or(0));
        let mut number = || numbers.next().unwrap_or(0);
        (number(), number(), number())
    });
    (version, if version.is_some() { &offered[1..] } else { offered })
}

/// A value for each name, in guacd's order.
fn values(wanted: &Handshake, has_version: bool, names: &[String]) -> Result<Vec<String>, Problem> {
    if let Some(unknown) = wanted.parameters.keys().find(|name| !names.contains(name)) {
        let what = format!("guacd knows no parameter `{unknown}` of `{}`", wanted.protocol);
        return Err(invalid(what).help(format!("it knows {}", names.join(", "))));
    }
    if wanted.read_only && !names.iter().any(|name| name == "read-only") {
        let what = format!("this guacd can't show `{}` without taking keys", wanted.protocol);
        return Err(Problem::new(Code::Unsupported, what).no_effect());
    }
    let mut values: Vec<String> = Vec::with_capacity(names.len() + usize::from(has_version));
    for name in names {
        values.push(match wanted.parameters.get(name) {
            _ if wanted.read_only && name == "read-only" => "true".to_owned(),
            Some(value) => value.to_string(),
            None => String::new(),
        });
    }
    Ok(values)
}

async fn wait_for(reader: &mut Reader, opcode: &str, joins: bool) -> Result<Instruction, Problem> {
    for _ in 0..PATIENCE {
        let Some(instruction) = reader.next().await? else {
            let why = match joins {
                true => "there is no tunnel with this id any more",
                false => "it doesn't know this protocol, or can't serve it",
            };
            return Err(refusal::closed(&format!("guacd closed the connection before it began: {why}")));
        };
        if instruction.opcode == opcode {
            return Ok(instruction);
        }
        if !["nop", "sync", "log"].contains(&instruction.opcode.as_str()) {
            let what = format!("guacd said `{}` where `{opcode}` was due", instruction.opcode.escape_debug());
            return Err(Problem::new(Code::Unavailable, what));
        }
    }
    Err(Problem::new(Code::Unavailable, format!("guacd said {PATIENCE} things, and never `{opcode}`")))
}

//! One client: its handshake, what it is shown, what it sends.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::{broadcast, mpsc},
    time::Instant,
};

use super::{
    Seen, Session, Shared, args, reach, status,
    wire::{Inlet, encode, send},
};

/// Parameters of which is only told whether they were given.
const SECRETS: [&str; 7] = [
    "password",
    "private-key",
    "passphrase",
    "sftp-password",
    "sftp-private-key",
    "sftp-passphrase",
    "gateway-password",
];
/// guacd's statuses.
const UPSTREAM_NOT_FOUND: &str = "519";
const CLIENT_TIMEOUT: &str = "776";
/// `Return`, as X11 numbers keys.
const RETURN: u32 = 0xff0d;

/// What a client has told until it connects.
struct Wishes {
    told: BTreeMap<String, Vec<String>>,
    values: Vec<String>,
}

pub(super) async fn serve(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut inlet = Inlet::new(read);
    let patience = shared.config.patience;
    let handshake = async {
        let select = inlet.next().await?;
        let [opcode, wanted] = select.as_slice() else { return Err(wrong()) };
        if opcode != "select" {
            return Err(wrong());
        }
        let joined = shared.open.lock().get(wanted.as_str()).cloned();
        // guacd says nothing to who asks for what isn't there: it closes the connection.
        let (names, port) = match &joined {
            Some(session) => (session.names, 0),
            None => args::of(wanted).ok_or_else(wrong)?,
        };
        let verdict = shared.faults.take("guacd.select");
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
        if verdict.lose {
            return Err(wrong());
        }
        let mut offer = vec!["args", args::VERSION];
        offer.extend(names);
        send(&mut write, &offer).await?;
        let wishes = wishes(&mut inlet).await?;
        Ok((joined, wanted.clone(), names, port, wishes))
    };
    let (joined, protocol, names, port, wishes) =
        tokio::time::timeout(patience, handshake).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let parameters = named(names, &wishes.values);
    let verdict = shared.faults.take("guacd.connect");
    tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
    if let Some(failure) = verdict.fail.or(verdict.fail_after) {
        let message = failure.message.clone().unwrap_or_else(|| failure.code.clone());
        return send(&mut write, &["error", &message, &status(&failure)]).await;
    }
    if verdict.lose {
        return Ok(());
    }
    let read_only = parameters.get("read-only").is_some_and(|value| value == "true");
    let (session, id) = match joined {
        Some(session) => {
            let id = session.seen.lock().id.clone();
            send(&mut write, &["ready", &id]).await?;
            (session, id)
        }
        None => {
            let id = shared.id();
            send(&mut write, &["ready", &id]).await?;
            // One value for each name, and the version: else its own part of guacd gives up.
            if wishes.values.len() != names.len() + 1 {
                return Ok(());
            }
            let Some(session) = begin(shared, &mut write, &id, (&protocol, names, port), (&wishes, parameters)).await?
            else {
                return Ok(());
            };
            (session, id)
        }
    };
    session.seen.lock().users += 1;
    let ended = attend(shared, &session, &mut inlet, &mut write, read_only).await;
    let left = {
        let mut seen = session.seen.lock();
        seen.users -= 1;
        seen.ended = seen.users == 0;
        seen.users
    };
    if left == 0 {
        shared.open.lock().remove(&id);
    }
    let _ = write.shutdown().await;
    ended
}

fn wrong() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// What a client can show and play, and what it connects with.
async fn wishes(inlet: &mut Inlet) -> io::Result<Wishes> {
    let mut told = BTreeMap::new();
    loop {
        let mut instruction = inlet.next().await?;
        let values = instruction.split_off(1);
        match instruction.first().map(String::as_str) {
            Some("connect") => return Ok(Wishes { told, values }),
            Some(word @ ("size" | "audio" | "video" | "image" | "timezone" | "name")) => {
                told.insert(word.to_owned(), values);
            }
            // Others are ignored.
            _ => {}
        }
    }
}

fn named(names: &[&str], values: &[String]) -> BTreeMap<String, String> {
    let values = values.iter().skip(1).cloned();
    names.iter().map(|name| (*name).to_owned()).zip(values).filter(|(_, value)| !value.is_empty()).collect()
}

async fn begin(
    shared: &Arc<Shared>,
    write: &mut OwnedWriteHalf,
    id: &str,
    (protocol, names, port): (&str, &'static [&'static str], u16),
    (wishes, parameters): (&Wishes, BTreeMap<String, String>),
) -> io::Result<Option<Arc<Session>>> {
    let (shown, _) = broadcast::channel(1_024);
    let (typed, lines) = mpsc::channel(1_024);
    if shared.config.reaches {
        match reach(&parameters, port).await {
            Ok(machine) => {
                let shown = shown.clone();
                tokio::spawn(pass_on(machine, lines, shown, protocol == "telnet"));
            }
            Err(_) => {
                let message = format!("Unable to connect to {} server.", protocol.to_uppercase());
                send(write, &["error", &message, UPSTREAM_NOT_FOUND]).await?;
                return Ok(None);
            }
        }
    }
    let hide = |(name, value): (String, String)| match SECRETS.contains(&name.as_str()) {
        true => (name, "given".to_owned()),
        false => (name, value),
    };
    let seen = Arc::new(Mutex::new(Seen {
        id: id.to_owned(),
        protocol: protocol.to_owned(),
        parameters: parameters.into_iter().map(hide).collect(),
        told: wishes.told.clone(),
        ..Seen::default()
    }));
    shared.seen.lock().push(seen.clone());
    let session = Arc::new(Session { protocol: protocol.to_owned(), names, shown, typed, seen });
    shared.open.lock().insert(id.to_owned(), session.clone());
    Ok(Some(session))
}

/// Passes on what is typed, and shows that the machine has answered.
async fn pass_on(
    machine: TcpStream,
    mut lines: mpsc::Receiver<Vec<u8>>,
    shown: broadcast::Sender<Arc<str>>,
    types: bool,
) {
    let (mut read, mut write) = machine.into_split();
    let mut piece = [0; 4_096];
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) if types => if write.write_all(&line).await.is_err() { return },
                Some(_) => {}
                None => return,
            },
            read = read.read(&mut piece) => match read {
                // A row of boxes, one for each byte.
                Ok(length) if length > 0 => drop(shown.send(boxed(0, length))),
                _ => return,
            },
        }
    }
}

/// A box: where says what it stands for.
fn boxed(x: u32, width: usize) -> Arc<str> {
    let rect = encode(&["rect", "0", &x.to_string(), "0", &width.to_string(), "16"]);
    format!("{rect}{}", encode(&["cfill", "14", "0", "0", "160", "80", "255"])).into()
}

async fn attend(
    shared: &Shared,
    session: &Session,
    inlet: &mut Inlet,
    write: &mut OwnedWriteHalf,
    read_only: bool,
) -> io::Result<()> {
    let mut shown = session.shown.subscribe();
    let size = session.seen.lock().told.get("size").cloned().unwrap_or_default();
    let of = |index: usize, or: &str| size.get(index).cloned().unwrap_or_else(|| or.to_owned());
    send(write, &["size", "0", &of(0, "1024"), &of(1, "768")]).await?;
    send(write, &["name", &format!("simulated {} – keys are drawn as boxes", session.protocol)]).await?;
    let began = Instant::now();
    let mut ticks = tokio::time::interval(shared.config.sync);
    // When the oldest question was asked that has no answer, and when anything was heard at all.
    let (mut asked, mut heard): (Option<Instant>, Instant) = (None, began);
    loop {
        let late = asked.unwrap_or(heard).min(heard.max(began)) + shared.config.patience;
        tokio::select! {
            biased;
            instruction = inlet.next() => {
                let instruction = instruction?;
                heard = Instant::now();
                let all: Vec<&str> = instruction.iter().map(String::as_str).collect();
                match all.as_slice() {
                    ["sync", ..] => {
                        asked = None;
                        session.seen.lock().syncs += 1;
                    }
                    ["nop"] => session.seen.lock().nops += 1,
                    ["disconnect"] => return Ok(()),
                    ["key", keysym, "1"] if !read_only => press(session, keysym),
                    _ => {}
                }
            }
            () = tokio::time::sleep_until(late) => {
                return send(write, &["error", "Client is not responding.", CLIENT_TIMEOUT]).await;
            }
            drawn = shown.recv() => if let Ok(drawn) = drawn {
                write.write_all(drawn.as_bytes()).await?;
            },
            _ = ticks.tick() => {
                asked = asked.or(Some(Instant::now()));
                send(write, &["sync", &began.elapsed().as_millis().to_string()]).await?;
            }
        }
    }
}

fn press(session: &Session, keysym: &str) {
    let Ok(key) = keysym.parse::<u32>() else { return };
    session.seen.lock().keys.push(key);
    let typed = match key {
        RETURN => b"\r\n".to_vec(),
        0x20..=0x7e => vec![u8::try_from(key).unwrap_or(b'?')],
        _ => Vec::new(),
    };
    let _ = session.typed.try_send(typed);
    let _ = session.shown.send(boxed(key, 8));
}

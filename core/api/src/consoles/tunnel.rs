//! A screen: everybody has a connection of their own to it, and bytes pass as they are. Who only watches is kept from typing and
//! pointing where that is known: in RFB here, in guacd's protocol where it is spoken.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
};
use warp::ws::{Message, WebSocket};

use super::{
    guacamole::{self, Instructions},
    hub::Visit,
    outbox::End,
    rfb,
    viewer::{self, Watch},
};
use crate::services::{ConsoleKind, ConsoleSource};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// How long the screen may take nothing of what is sent to it.
const INPUT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the last that an ended screen has shown may take to be sent on.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves somebody at a screen to their end; why it came.
pub(super) async fn serve(
    socket: WebSocket,
    source: ConsoleSource,
    kind: ConsoleKind,
    visit: &mut Visit,
    (gone, mut stopping): (impl Future<Output = ()>, watch::Receiver<bool>),
) -> End {
    let (mut sink, mut stream) = socket.split();
    let (mut shown, mut keys) = tokio::io::split(source.stream);
    let idle = Duration::from_millis(visit.idle_ms.max(1));
    let mut filter = (kind == ConsoleKind::Vnc).then(|| rfb::Client::new(!visit.may_type));
    let mut sent = 0_u64;
    let ping = tokio::sync::Notify::new();
    let speak = async {
        let mut buffer = BytesMut::new();
        let mut instructions = Instructions::default();
        loop {
            buffer.reserve(PIECE);
            let message = tokio::select! {
                read = shown.read_buf(&mut buffer) => match read {
                    Ok(1..) => {
                        let bytes = buffer.split().freeze();
                        sent += bytes.len() as u64;
                        match kind {
                            ConsoleKind::Guac => match instructions.whole(&bytes) {
                                Ok(text) if text.is_empty() => continue,
                                Ok(text) => Message::text(text),
                                Err(why) => return End::Nonsense(why.to_owned()),
                            },
                            _ => Message::binary(bytes),
                        }
                    }
                    Ok(0) | Err(_) => return End::Exited(None),
                },
                () = ping.notified() => Message::ping(Bytes::new()),
            };
            // Who takes nothing holds up nobody else; the connection ends by `server.stall_ms`.
            if sink.send(message).await.is_err() {
                return End::Left;
            }
        }
    };
    let hear = async {
        let mut watch = Watch::new(visit);
        let mut active = tokio::time::Instant::now();
        loop {
            let message = tokio::select! {
                message = stream.next() => message,
                () = tokio::time::sleep_until(active + idle) => return End::Idle,
                due = watch.due(visit) => match due {
                    Some(end) => return end,
                    None => {
                        ping.notify_one();
                        continue;
                    }
                },
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return viewer::broken(&error),
                None => return End::Left,
            };
            watch.heard();
            if message.is_close() {
                return End::Left;
            }
            if message.is_ping() || message.is_pong() {
                continue;
            }
            if message.as_bytes().len() > visit.message_bytes {
                return End::TooLarge;
            }
            active = tokio::time::Instant::now();
            let bytes = message.into_bytes();
            visit.received += bytes.len() as u64;
            let bytes = match &mut filter {
                None => bytes,
                Some(filter) => match filter.pass(&bytes) {
                    Ok(bytes) => bytes.into(),
                    Err(why) => return End::Nonsense(why.to_owned()),
                },
            };
            match tokio::time::timeout(INPUT_PATIENCE, async {
                keys.write_all(&bytes).await?;
                keys.flush().await
            })
            .await
            {
                Ok(Ok(())) => {}
                // It has ended; the last that it showed may still be on its way, and ends with its end.
                Ok(Err(_)) => {
                    tokio::time::sleep(LAST_WORDS).await;
                    return End::Exited(None);
                }
                Err(_) => return End::Exited(None),
            }
        }
    };
    let end = tokio::select! {
        end = speak => end,
        end = hear => end,
        () = gone => End::Gone,
        _ = stopping.wait_for(|stop| *stop) => End::Stopping,
    };
    match kind {
        ConsoleKind::Guac => viewer::part(&mut sink, guacamole::close(&end)).await,
        _ => viewer::close(&mut sink, &end).await,
    }
    visit.shown = Some(sent);
    viewer::wait_for_close(&mut stream).await;
    end
}

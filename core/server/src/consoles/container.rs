//! A shell in a container, by way of its engine.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::oneshot,
};
use windlass_api::services::{ConsoleAsk, ConsoleSource};
use windlass_hosts::docker::console::{Consoles, Shell};
use windlass_model::Problem;

/// Bytes on their way.
const ROOM: usize = 64 << 10;
/// The best shell that the image has.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"];

/// Opens one.
pub async fn open(consoles: Arc<Consoles>, container: String, ask: ConsoleAsk) -> Result<ConsoleSource, Problem> {
    let size = *ask.size.borrow();
    let shell = consoles.open(&container, &SHELL.map(str::to_owned), size.cols, size.rows).await?;
    let (near, far) = tokio::io::duplex(ROOM);
    let (exited, exit) = oneshot::channel();
    tokio::spawn(async move {
        // Whoever watched may be gone.
        let _ = exited.send(carry(shell, far, ask).await);
    });
    Ok(ConsoleSource { stream: Box::new(near), exit })
}

/// Carries bytes and sizes until one of both ends is gone; the exit code.
async fn carry(shell: Shell, far: tokio::io::DuplexStream, ask: ConsoleAsk) -> Option<i32> {
    let Shell { mut output, mut input, ending } = shell;
    let (mut keys, mut screen) = tokio::io::split(far);
    let mut size = ask.size;
    let show = async {
        while let Some(Ok(bytes)) = output.next().await {
            if screen.write_all(&bytes).await.is_err() {
                return false;
            }
        }
        true
    };
    let typed = async {
        let mut buffer = vec![0; ROOM];
        loop {
            match keys.read(&mut buffer).await {
                Ok(count @ 1..) if input.write_all(&buffer[..count]).await.is_ok() => {
                    if input.flush().await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    };
    let resize = async {
        while size.changed().await.is_ok() {
            let now = *size.borrow_and_update();
            ending.resize(now.cols, now.rows).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = show => if ended { ending.code().await } else { None },
        () = typed => None,
        () = resize => None,
    }
}

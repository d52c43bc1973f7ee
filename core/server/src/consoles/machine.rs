//! A machine's serial line and its screen: unix sockets of QEMU's.

use std::{fs::File, os::fd::AsRawFd as _, path::PathBuf, time::Duration};

use tokio::{net::UnixStream, sync::oneshot};
use windlass_api::services::ConsoleSource;
use windlass_hosts::qemu;
use windlass_model::{Code, Problem};

use super::aside;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Attaches to a serial line.
pub async fn serial(folder: PathBuf, socket: &'static str) -> Result<ConsoleSource, Problem> {
    let attached = aside(move || qemu::attach(&folder, socket).map_err(|error| failed(socket, &error))).await?;
    let stream = UnixStream::from_std(attached).map_err(|error| failed(socket, &error))?;
    let (_, exit) = oneshot::channel();
    Ok(ConsoleSource { stream: Box::new(stream), exit })
}

fn failed(socket: &str, error: &std::io::Error) -> Problem {
    Problem::new(Code::Unavailable, format!("the machine's `{socket}` can't be reached: {error}")).help(
        "it may be stopped: qemu::start_machine starts it; a serial line has one end, which somebody else may hold",
    )
}

/// Connects to a socket in a folder, however long the folder's path is.
pub async fn open(folder: PathBuf, socket: &'static str) -> Result<ConsoleSource, Problem> {
    let failed = |error: std::io::Error| failed(socket, &error);
    let opened = File::open(&folder).map_err(failed)?;
    let path = format!("/proc/self/fd/{}/{socket}", opened.as_raw_fd());
    let stream = tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await;
    let stream = stream.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(failed)?;
    // It has no exit code.
    let (_, exit) = oneshot::channel();
    Ok(ConsoleSource { stream: Box::new(stream), exit })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_socket_is_reached_at_the_end_of_a_long_path() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("d".repeat(150));
        std::fs::create_dir(&long).unwrap();
        let held = File::open(&long).unwrap();
        let listener = tokio::net::UnixListener::bind(format!("/proc/self/fd/{}/serial", held.as_raw_fd())).unwrap();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut typed = [0; 5];
            stream.read_exact(&mut typed).await.unwrap();
            stream.write_all(&typed).await.unwrap();
        });
        let mut source = open(long.clone(), "serial").await.unwrap();
        source.stream.write_all(b"login").await.unwrap();
        let mut shown = String::new();
        source.stream.read_to_string(&mut shown).await.unwrap();
        assert_eq!(shown, "login");
        echo.await.unwrap();
        assert_eq!(open(long, "vnc").await.err().unwrap().code, Code::Unavailable);
    }
}

//! SSH to the server in a node, over its own loopback address. The first key that it shows is kept; another one later is refused.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use russh::{
    Channel, ChannelMsg, Disconnect,
    client::{self, Handle, Handler},
    keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyBase64 as _, decode_secret_key},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    net::TcpStream,
    sync::{oneshot, watch},
};
use windlass_api::services::{ConsoleSource, Size};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

/// Bytes on their way.
const ROOM: usize = 64 << 10;
/// Longest file with a key.
const KEY_BYTES: usize = 16 << 10;

/// Who logs in, and by what.
pub struct Login {
    pub user: String,
    /// A password, or a private key as OpenSSH writes it.
    pub secret: Zeroizing<String>,
}

/// A node's key: the one that its lab's document gives, or the first that was seen, which is kept in a file.
#[derive(Clone)]
pub struct Pin {
    /// The file.
    pub path: PathBuf,
    /// As the document gives it.
    pub given: Option<String>,
}

impl Login {
    /// Whether it is a private key.
    pub fn is_key(&self) -> bool {
        self.secret.contains("PRIVATE KEY-----")
    }
}

struct Trust {
    pin: Pin,
    refused: Arc<parking_lot::Mutex<Option<Problem>>>,
    shown: Arc<parking_lot::Mutex<Option<String>>>,
}

impl Pin {
    /// Keeps a key as the first one, in one go: a file that was begun and not ended would refuse the node for ever. Whether it is the
    /// first one.
    fn keep(&self, key: &str) -> std::io::Result<bool> {
        let beside = self.path.with_file_name(format!(".{}", hex::encode(rand::random::<[u8; 8]>())));
        let kept = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(key.as_bytes())?;
            file.sync_all()?;
            match fs::hard_link(&beside, &self.path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        };
        let kept = kept();
        let _ = fs::remove_file(&beside);
        kept
    }

    /// Whether this key is the node's: the one that it showed first.
    fn admits(&self, key: &str) -> Result<(), Problem> {
        if let Some(given) = &self.given {
            // A comment may stand behind it.
            if given.split_whitespace().take(2).eq(key.split_whitespace()) {
                return Ok(());
            }
            return Err(Problem::new(Code::Conflict, "the node shows another SSH key than its lab's document gives")
                .help("correct `host_key` in the document, or find out who answers there"));
        }
        let failed = |error: std::io::Error| {
            Problem::new(Code::Storage, format!("the keys of nodes can't be kept in {}: {error}", self.path.display()))
        };
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        if !self.path.exists() && self.keep(key).map_err(failed)? {
            return Ok(());
        }
        let known = fs::read_to_string(&self.path).map_err(failed)?;
        if known.len() <= KEY_BYTES && known.trim() == key {
            return Ok(());
        }
        Err(Problem::new(Code::Conflict, "the node shows another SSH key than before").help(format!(
            "if it was made anew, forget the old key: `rm {}`; if it wasn't, somebody else answers",
            self.path.display()
        )))
    }
}

impl Handler for Trust {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &russh::keys::PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let russh::keys::PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let text = format!("{} {}", key.algorithm(), key.public_key_base64());
        match self.pin.admits(&text) {
            Ok(()) => {
                *self.shown.lock() = Some(text);
                Ok(true)
            }
            Err(problem) => {
                *self.refused.lock() = Some(problem);
                Ok(false)
            }
        }
    }
}

fn failed(error: russh::Error) -> Problem {
    Problem::new(Code::Unavailable, format!("the node's SSH server: {error}"))
}

/// Meets a server, if its key is the node's; with the key.
async fn greet(stream: TcpStream, pin: Pin) -> Result<(Handle<Trust>, String), Problem> {
    let (refused, shown) =
        <(Arc<parking_lot::Mutex<Option<Problem>>>, Arc<parking_lot::Mutex<Option<String>>>)>::default();
    let config = client::Config { keepalive_interval: Some(Duration::from_secs(30)), ..client::Config::default() };
    let trust = Trust { pin, refused: refused.clone(), shown: shown.clone() };
    let session = client::connect_stream(Arc::new(config), stream, trust).await;
    let session = session.map_err(|error| refused.lock().take().unwrap_or_else(|| failed(error)))?;
    let key = shown.lock().take().unwrap_or_default();
    Ok((session, key))
}

/// The key of the server at the other end, if it is the node's. Nobody logs in.
pub async fn key(stream: TcpStream, pin: Pin) -> Result<String, Problem> {
    let (session, key) = greet(stream, pin).await?;
    let _ = session.disconnect(Disconnect::ByApplication, "", "en").await;
    Ok(key)
}

/// Logs in over a connection, and opens a terminal.
pub async fn over(
    stream: TcpStream,
    login: Login,
    pin: Pin,
    size: watch::Receiver<Size>,
) -> Result<ConsoleSource, Problem> {
    let (mut session, _) = greet(stream, pin).await?;
    let admitted = if login.is_key() {
        let key = decode_secret_key(&login.secret, None).map_err(|error| {
            Problem::new(Code::InvalidInput, format!("the secret isn't a private key that can be read: {error}"))
                .help("use an ed25519 key without a passphrase, as `ssh-keygen -t ed25519` writes it")
        })?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), Some(HashAlg::Sha512));
        session.authenticate_publickey(login.user.as_str(), key).await
    } else {
        session.authenticate_password(login.user.as_str(), login.secret.as_str()).await
    };
    if !admitted.map_err(failed)?.success() {
        return Err(Problem::new(
            Code::PermissionDenied,
            format!("the node doesn't let {} in by this secret", login.user),
        )
        .help("does the user exist there, and may it log in by password or key?"));
    }
    let channel = session.channel_open_session().await.map_err(failed)?;
    let now = *size.borrow();
    let (cols, rows) = (u32::from(now.cols), u32::from(now.rows));
    channel.request_pty(true, "xterm-256color", cols, rows, 0, 0, &[]).await.map_err(failed)?;
    channel.request_shell(true).await.map_err(failed)?;
    let (near, far) = tokio::io::duplex(ROOM);
    let (exited, exit) = oneshot::channel();
    tokio::spawn(async move {
        // Whoever watched may be gone.
        let _ = exited.send(carry(session, channel, far, size).await);
    });
    Ok(ConsoleSource { stream: Box::new(near), exit })
}

async fn carry(
    session: Handle<Trust>,
    channel: Channel<client::Msg>,
    far: DuplexStream,
    mut size: watch::Receiver<Size>,
) -> Option<i32> {
    let (mut keys, mut screen) = tokio::io::split(far);
    let (mut shown, typed) = channel.split();
    let mut code = None;
    let show = async {
        while let Some(message) = shown.wait().await {
            match message {
                ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                    let written = screen.write_all(&data).await;
                    if written.is_err() {
                        return;
                    }
                }
                ChannelMsg::ExitStatus { exit_status } => code = i32::try_from(exit_status).ok(),
                ChannelMsg::Close => return,
                _ => {}
            }
        }
    };
    let hear = async {
        let mut buffer = vec![0; 4 << 10];
        let mut sized = true;
        loop {
            tokio::select! {
                read = keys.read(&mut buffer) => match read {
                    Ok(count @ 1..) if typed.data(&buffer[..count]).await.is_ok() => {}
                    _ => return,
                },
                changed = size.changed(), if sized => {
                    sized = changed.is_ok();
                    let now = *size.borrow_and_update();
                    // Whether it could be done is seen by whoever types next.
                    let _ = typed.window_change(u32::from(now.cols), u32::from(now.rows), 0, 0).await;
                }
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = hear => {}
    }
    let _ = session.disconnect(Disconnect::ByApplication, "", "en").await;
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_kept_and_another_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pin = Pin { path: folder.path().join("made/r1"), given: None };
        pin.admits("ssh-ed25519 AAAA").unwrap();
        pin.admits("ssh-ed25519 AAAA").unwrap();
        let problem = pin.admits("ssh-ed25519 BBBB").unwrap_err();
        assert!(problem.code == Code::Conflict && problem.help.is_some_and(|help| help.contains("made/r1")));
        // Another one that came at the same time was later; and nothing is left beside.
        assert!(!pin.keep("ssh-ed25519 BBBB").unwrap());
        assert_eq!(fs::read_to_string(&pin.path).unwrap(), "ssh-ed25519 AAAA");
        assert_eq!(fs::read_dir(folder.path().join("made")).unwrap().count(), 1);
        let given = Pin { path: folder.path().join("made/r2"), given: Some("ssh-ed25519  BBBB ann@r2".into()) };
        given.admits("ssh-ed25519 BBBB").unwrap();
        assert!(given.admits("ssh-ed25519 AAAA").unwrap_err().message.contains("document"));
        assert!(!given.path.exists());
    }
}

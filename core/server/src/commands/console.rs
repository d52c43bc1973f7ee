//! `windlass console`: a console of a lab's node in this terminal, over the server's WebSocket.

use std::{
    io::{IsTerminal as _, Read as _, Write as _},
    sync::Arc,
};

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, rustls};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};
use windlass_api::services::Duplex;
use windlass_model::{Code, Problem};

use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
};

/// Ctrl-]: what telnet is left by.
const LEAVE: u8 = 0x1d;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The lab
    #[arg(value_name = "LAB")]
    pub lab: String,
    /// The node
    #[arg(value_name = "NODE")]
    pub node: String,
    /// Which of its consoles [default: the first that it has]
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// The organisation whose lab it is [default: the platform, or yours]
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// Look, and don't type
    #[arg(long)]
    pub watch: bool,
    /// A terminal apart from those of others
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Have it recorded
    #[arg(long, conflicts_with = "watch")]
    pub record: bool,
    /// Who logs in (SSH)
    #[arg(long, requires = "secret")]
    pub user: Option<String>,
    /// Name of the secret that is the password or the key (SSH)
    #[arg(long, requires = "user")]
    pub secret: Option<String>,
}

/// Consoles that are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Kind {
    Shell,
    Serial,
    Ssh,
    Telnet,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Serial => "serial",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let Some(remote) = context.remote()? else {
        return Err(Problem::new(Code::Usage, "a console is opened at the server that runs the lab")
            .help("name it with --server or WINDLASS_SERVER; `windlass dev` says its address"));
    };
    let place = format!("/labs/{}/nodes/{}", encoded(&args.lab), encoded(&args.node));
    let whose = args.organisation.as_ref().map(|name| format!("organisation={}", encoded(name)));
    let has: Value = remote.get(&format!("{place}/consoles?{}", whose.clone().unwrap_or_default()))?;
    let kinds: Vec<&str> = has["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = [Kind::Shell, Kind::Serial, Kind::Ssh, Kind::Telnet].map(Kind::as_str);
    let kind = match args.kind {
        Some(kind) => kind.as_str(),
        None => kinds.iter().find(|kind| text.contains(kind)).copied().ok_or_else(|| {
            Problem::new(Code::NotFound, format!("{} has no console that a terminal can show", args.node))
                .help("is the node up?")
        })?,
    };
    let (cols, rows) = size();
    let mut query = vec![format!("kind={kind}"), format!("cols={cols}"), format!("rows={rows}")];
    query.extend(whose);
    query.extend(args.watch.then(|| "mode=watch".to_owned()));
    query.extend(args.record.then(|| "record=1".to_owned()));
    for (key, value) in [("name", &args.name), ("user", &args.user), ("secret", &args.secret)] {
        query.extend(value.as_ref().map(|value| format!("{key}={}", encoded(value))));
    }
    let path = format!("{place}/console?{}", query.join("&"));
    remote.block_on(attend(&remote, &path, args, context))
}

/// Columns and rows of this terminal.
fn size() -> (u16, u16) {
    let (rows, cols) = ::console::Term::stdout().size();
    (cols.clamp(1, 1_000), rows.clamp(1, 1_000))
}

async fn attend(remote: &Remote, path: &str, args: &Args, context: &Context) -> Result<Exit, Problem> {
    let socket = open(remote, path).await?;
    if std::io::stdin().is_terminal() {
        context.hint(&format!("at {} of {}: Ctrl-] leaves\r", args.node, args.lab));
    }
    let raw = Raw::begin();
    let ended = carry(socket, args.watch).await;
    drop(raw);
    match ended? {
        Ended::Left => Ok(Exit::Success),
        Ended::Terminated => Ok(Exit::Terminated),
        // What ran there is what this command was about: its code is ours, as with `ssh`.
        Ended::Closed { code: 1000, exit, .. } => Ok(match exit.map(|exit| u8::try_from(exit).unwrap_or(u8::MAX)) {
            Some(exit @ 1..) => Exit::Program(exit),
            _ => Exit::Success,
        }),
        Ended::Closed { code, why, .. } => {
            let problem = Problem::new(Code::Unavailable, format!("the console was closed: {why}"));
            Err(problem.data(json!({ "close_code": code })))
        }
    }
}

type Socket = WebSocketStream<Box<dyn Duplex>>;

async fn open(remote: &Remote, path: &str) -> Result<Socket, Problem> {
    let (base, token) = remote.place();
    let failed = |why: String| {
        Problem::new(Code::Unavailable, format!("the server at {base} can't be reached: {why}"))
            .help("is it running, and does what stands before it pass WebSockets on?")
    };
    let url = reqwest::Url::parse(base).map_err(|error| failed(error.to_string()))?;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|error| failed(error.to_string()))?;
    // Keys are small and come one by one.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Duplex> = match url.scheme() {
        "https" => {
            let name = rustls::pki_types::ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
            let name = name.map_err(|error| failed(error.to_string()))?;
            Box::new(tls()?.connect(name, stream).await.map_err(|error| failed(error.to_string()))?)
        }
        _ => Box::new(stream),
    };
    let address = format!("{}/api/v1{path}", base.replacen("http", "ws", 1));
    let mut request = address.into_client_request().map_err(|error| failed(error.to_string()))?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
    let bearer = bearer.map_err(|_| Problem::new(Code::Unauthenticated, "the token can't stand in a request"))?;
    request.headers_mut().insert("authorization", bearer);
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            let told = answer.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
            Err(told.and_then(|body: Value| crate::desk::problem(&body)).unwrap_or_else(|| {
                Problem::new(Code::Unavailable, format!("{base} answered {} instead of a console", answer.status()))
            }))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

fn tls() -> Result<TlsConnector, Problem> {
    let mut roots = rustls::RootCertStore::empty();
    let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::new(Code::System, format!("no TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// How it ended.
enum Ended {
    /// By the key for that.
    Left,
    /// Somebody ended this process.
    Terminated,
    /// By the server, with the exit code of what ran there.
    Closed { code: u16, why: String, exit: Option<i64> },
}

/// Carries keys and what is shown, to the end.
async fn carry(socket: Socket, watch: bool) -> Result<Ended, Problem> {
    let failed = |error: std::io::Error| Problem::new(Code::System, format!("this terminal: {error}"));
    let (mut sink, mut stream) = socket.split();
    let mut keys = keys();
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    let (mut listening, mut exit) = (true, None);
    let broken = |why: String, exit| Ok(Ended::Closed { code: 1006, why, exit });
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let mut out = std::io::stdout().lock();
                    out.write_all(&bytes).and_then(|()| out.flush()).map_err(failed)?;
                }
                Some(Ok(Message::Text(text))) => {
                    let told: Value = serde_json::from_str(&text).unwrap_or_default();
                    exit = exit.or(told["exit"].as_i64());
                    if let Some(why) = told["error"]["message"].as_str() {
                        let _ = write!(std::io::stderr(), "\r\n{why}\r\n");
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let told = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                    let (code, why) = told.unwrap_or((1005, String::new()));
                    return Ok(Ended::Closed { code, why, exit });
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return broken(error.to_string(), exit),
                None => return broken("the connection broke".into(), exit),
            },
            typed = keys.recv(), if listening => match typed {
                Some(bytes) => {
                    let leave = bytes.iter().position(|byte| *byte == LEAVE && std::io::stdin().is_terminal());
                    let bytes = &bytes[..leave.unwrap_or(bytes.len())];
                    if !bytes.is_empty() && !watch && sink.send(Message::binary(bytes.to_vec())).await.is_err() {
                        return broken("the connection broke".into(), exit);
                    }
                    if leave.is_some() {
                        let _ = sink.close().await;
                        return Ok(Ended::Left);
                    }
                }
                // What was piped in is at its end; what it does may still be shown.
                None => listening = false,
            },
            _ = terminated.recv() => return Ok(Ended::Terminated),
            _ = hung_up.recv() => return Ok(Ended::Terminated),
            _ = resized.recv() => {
                let (cols, rows) = size();
                let said = json!({ "resize": { "cols": cols, "rows": rows } });
                let _ = sink.send(Message::text(said.to_string())).await;
            }
        }
    }
}

/// What is typed. Its thread waits for keys until the process ends.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 4 << 10];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A terminal that passes every key on, until this is dropped.
struct Raw(Option<Termios>);

impl Raw {
    fn begin() -> Self {
        let stdin = std::io::stdin();
        let Some(before) = stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten() else { return Self(None) };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        let done = tcsetattr(&stdin, SetArg::TCSANOW, &raw);
        Self(done.is_ok().then_some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

//! `windlass capture`: the packets that pass a link of a lab, from the server that runs it, as they pass.

use std::{
    cell::Cell,
    fs::OpenOptions,
    io::{ErrorKind, IsTerminal as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    rc::Rc,
};

use windlass_model::{Code, Problem};

use crate::{context::Context, desk::encoded, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The lab
    #[arg(value_name = "LAB")]
    pub lab: String,
    /// An interface `r1:eth0`, its link's end on the host `r1:eth0@host`, or a network
    #[arg(value_name = "NODE:IF")]
    pub at: String,
    /// Where to: a file, or `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub write: PathBuf,
    /// The organisation whose lab it is [default: the platform, or yours]
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// How long, at most an hour
    #[arg(long, value_name = "N", default_value_t = 3_600)]
    pub seconds: u64,
    /// How much, at most 1 GiB [default: 16 MiB]
    #[arg(long, value_name = "N")]
    pub bytes: Option<u64>,
    /// Bytes that are kept of each packet
    #[arg(long, value_name = "N")]
    pub snaplen: Option<u32>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let Some(remote) = context.remote()? else {
        return Err(Problem::new(Code::Usage, "packets are listened to at the server that runs the lab")
            .help("name it with --server or WINDLASS_SERVER; `windlass dev` says its address"));
    };
    let to_terminal = args.write.as_os_str() == "-" && std::io::stdout().is_terminal();
    if to_terminal {
        return Err(Problem::new(Code::Usage, "packets aren't for a terminal")
            .help("`-w ping.pcapng` writes a file; `| wireshark -k -i -` shows them while they pass"));
    }
    let mut query = vec![format!("at={}", encoded(&args.at)), format!("seconds={}", args.seconds)];
    query.extend(args.organisation.as_ref().map(|name| format!("organisation={}", encoded(name))));
    query.extend(args.bytes.map(|bytes| format!("bytes={bytes}")));
    query.extend(args.snaplen.map(|bytes| format!("snaplen={bytes}")));
    let path = format!("/labs/{}/capture?{}", encoded(&args.lab), query.join("&"));
    let closed = Rc::new(Cell::new(false));
    let mut out: Box<dyn Write> = if args.write.as_os_str() == "-" {
        Box::new(Prompt { out: std::io::stdout().lock(), closed: closed.clone() })
    } else {
        Box::new(Late { path: args.write.clone(), file: None })
    };
    match remote.copy(&path, &mut out) {
        // Whoever looked has seen enough.
        Err(_) if closed.get() => Ok(Exit::Success),
        copied => copied.map(|()| Exit::Success),
    }
}

/// A file that is made when there is something to write: what is refused leaves none.
struct Late {
    path: PathBuf,
    file: Option<std::fs::File>,
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.file.is_none() {
            // What passes a link isn't for everybody.
            let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
            let named =
                |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", self.path.display()));
            self.file = Some(made.map_err(named)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Standard output, each piece of it at once.
struct Prompt<W> {
    out: W,
    /// Whether nobody reads any more.
    closed: Rc<Cell<bool>>,
}

impl<W: Write> Write for Prompt<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        self.closed.set(written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe));
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

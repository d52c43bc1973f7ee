//! The inside of a node's network namespace, entered by plain threads that end there.

use std::{
    fs::File,
    net::SocketAddr,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
};
use windlass_hosts::privileges;
use windlass_model::{Code, Problem};

const FOLDER: &str = "/run/netns";
/// How long connecting may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A network namespace that has a name.
#[derive(Debug)]
pub struct Inside {
    path: PathBuf,
    file: File,
    inode: u64,
}

impl Inside {
    /// By its name, which nobody from outside has chosen.
    pub fn open(namespace: &str) -> Result<Self, Problem> {
        let path = Path::new(FOLDER).join(namespace);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.ino(), file)));
        let (inode, file) = opened
            .map_err(|error| Problem::new(Code::NotFound, format!("the namespace {namespace} is gone: {error}")))?;
        Ok(Self { path, file, inode })
    }

    /// Enters it with this thread, which may do nothing else afterwards.
    fn enter(&self) -> Result<(), Problem> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| {
            let general = || "labs need a server that runs as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN".to_owned();
            let code = if errno == Errno::EPERM { Code::Unsupported } else { Code::System };
            Problem::new(code, format!("{} can't be entered: {errno}", self.path.display()))
                .help(privileges::help().unwrap_or_else(general))
        })
    }

    /// The namespace itself.
    pub fn network(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether its name still stands for it.
    pub fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|now| now.ino() == self.inode)
    }
}

impl Inside {
    /// Does something on a plain thread that has entered it.
    fn within<T: Send>(&self, work: impl FnOnce() -> Result<T, Problem> + Send) -> Result<T, Problem> {
        let entered = || {
            self.enter()?;
            work()
        };
        let broken = |_| Problem::new(Code::Internal, "a thread in a namespace broke");
        std::thread::scope(|scope| scope.spawn(entered).join()).map_err(broken)?
    }

    /// Ports that something in it listens on for anybody, or for itself.
    pub fn listening(&self) -> Result<Vec<u16>, Problem> {
        self.within(|| {
            // `self` is the process: this thread's network is elsewhere.
            let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
            let text: String = tables.into_iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
            Ok(text.lines().filter_map(listens_on).collect())
        })
    }

    /// A connection from in it.
    pub fn connect(&self, address: SocketAddr) -> Result<std::net::TcpStream, Problem> {
        self.within(|| {
            let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok(stream)
            });
            stream.map_err(|error| {
                Problem::new(Code::Unavailable, format!("nothing answers at {address}, seen from the node: {error}"))
            })
        })
    }
}

/// The port of a line of /proc/net/tcp that is about a listener.
fn listens_on(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    (state == LISTEN).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_from_connections() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid";
        let listener =
            "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100";
        let connection =
            "   1: 0100007F:0016 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20";
        let six =
            "   0: 00000000000000000000000000000000:0017 00000000000000000000000000000000:0000 0A 00000000:00000000";
        let high = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000";
        let found: Vec<u16> = [head, listener, connection, six, high, ""].into_iter().filter_map(listens_on).collect();
        assert_eq!(found, [22, 23, 8080]);
    }
}

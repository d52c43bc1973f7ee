//! A way for guacd to a node: a port of this machine that leads there, for one connection of guacd's and of nobody else.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use windlass_api::services::Duplex;
use windlass_model::{Code, Problem};

/// How long guacd may take to come.
const PATIENCE: Duration = Duration::from_secs(15);
/// Tables of this process' sockets.
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
const LISTENS: &str = "0A";

/// A port that leads to a node. It is closed when this is dropped, and what came through it.
pub struct Bridge {
    /// Where guacd finds it.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket, as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    listens: bool,
    user: u32,
}

impl Bridge {
    /// Leads to `node` whoever is guacd, at this address of this machine.
    pub async fn open(here: IpAddr, guacd: Vec<SocketAddr>, node: Box<dyn Duplex>) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| {
            Problem::new(Code::System, format!("no port for guacd at {here}: {error}"))
                .help("`hosts.guacamole.console_address` is an address of this machine that guacd can reach")
        };
        let listener = TcpListener::bind((here, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let task = tokio::spawn(async move {
            let Ok(Some(stream)) = tokio::time::timeout(PATIENCE, accept(listener, &guacd)).await else { return };
            let _ = stream.set_nodelay(true);
            carry(stream, node).await;
        });
        Ok(Self { address, task })
    }
}

/// The first connection that is guacd's.
async fn accept(listener: TcpListener, guacd: &[SocketAddr]) -> Option<TcpStream> {
    let own = listener.local_addr().ok()?;
    loop {
        let (stream, peer) = listener.accept().await.ok()?;
        if is_guacd(peer, own, guacd) {
            return Some(stream);
        }
        tracing::warn!(%peer, "somebody else than guacd has come for a console");
    }
}

/// Whether the other end is guacd: its address, and on this machine its user.
fn is_guacd(peer: SocketAddr, own: SocketAddr, guacd: &[SocketAddr]) -> bool {
    let at = peer.ip().to_canonical();
    if !guacd.iter().any(|guacd| guacd.ip().to_canonical() == at) {
        return false;
    }
    if at != own.ip().to_canonical() && !at.is_loopback() {
        return true;
    }
    let text: String = TABLES.into_iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let sockets: Vec<Socket> = text.lines().filter_map(socket).collect();
    let other = sockets.iter().find(|socket| !socket.listens && socket.local == peer && socket.remote == own);
    let serves = |socket: &&Socket| {
        let all = socket.local.ip().is_unspecified();
        socket.listens
            && guacd.iter().any(|it| it.port() == socket.local.port() && (all || it.ip() == socket.local.ip()))
    };
    other.is_some_and(|other| sockets.iter().filter(serves).any(|guacd| guacd.user == other.user))
}

/// A line of /proc/net/tcp.
fn socket(line: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, _, _, user, ..] = words[..] else { return None };
    let (local, remote) = (address(local)?, address(remote)?);
    Some(Socket { local, remote, listens: state == LISTENS, user: user.parse().ok()? })
}

/// `0100007F:0016`, each four bytes in this machine's order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let all = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            IpAddr::from(<[u8; 16]>::try_from(all).ok()?)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

/// Until one of both ends is gone.
async fn carry(guacd: TcpStream, node: Box<dyn Duplex>) {
    let (mut from, mut to) = guacd.into_split();
    let (mut shown, mut keys) = tokio::io::split(node);
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut keys) => {}
        _ = tokio::io::copy(&mut shown, &mut to) => {}
    }
    let _ = keys.shutdown().await;
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[test]
    fn lines_of_the_kernels_tables_are_read() {
        let six = "   1: 00000000000000000000000001000000:12D6 00000000000000000000000000000000:0000 0A \
                   00000000:00000000 00:00000000 00000000   113        0 1";
        let four = "   0: 0100007F:0016 0200007F:A001 01 00000000:00000000 00:00000000 00000000  1000        0 1";
        let seen = socket(four).unwrap();
        assert_eq!(seen.local, "127.0.0.1:22".parse().unwrap());
        assert_eq!((seen.remote, seen.listens, seen.user), ("127.0.0.2:40961".parse().unwrap(), false, 1000));
        let seen = socket(six).unwrap();
        assert_eq!((seen.local, seen.listens, seen.user), ("[::1]:4822".parse().unwrap(), true, 113));
        assert_eq!(socket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"), None);
    }

    #[tokio::test]
    async fn a_port_leads_to_the_node_for_guacd_alone_and_once() {
        let guacd = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = guacd.local_addr().unwrap();
        let here: IpAddr = [127, 0, 0, 1].into();
        let (near, mut node) = tokio::io::duplex(64);
        let bridge = Bridge::open(here, vec![at], Box::new(near)).await.unwrap();
        let mut stream = TcpStream::connect(bridge.address).await.unwrap();
        stream.write_all(b"keys").await.unwrap();
        let mut seen = [0; 4];
        node.read_exact(&mut seen).await.unwrap();
        node.write_all(b"shown").await.unwrap();
        let mut seen = [0; 5];
        stream.read_exact(&mut seen).await.unwrap();
        assert!(&seen == b"shown" && TcpStream::connect(bridge.address).await.is_err(), "a second one came in");
        drop(bridge);
        assert_eq!(stream.read(&mut seen).await.unwrap_or(0), 0, "it goes on");
        // Nobody of guacd's user listens there: whoever comes isn't guacd.
        let (near, _node) = tokio::io::duplex(64);
        drop(guacd);
        let bridge = Bridge::open(here, vec![at], Box::new(near)).await.unwrap();
        let mut stream = TcpStream::connect(bridge.address).await.unwrap();
        assert_eq!(stream.read(&mut seen).await.unwrap_or(0), 0, "somebody else came in");
    }
}

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
const ESTABLISHED: &str = "01";

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
    is_open: bool,
    user: u32,
}

/// Who guacd is.
pub struct Guacd {
    /// Addresses that it may come from.
    addresses: Vec<IpAddr>,
    /// Our end of a connection to it, for as long as that is open.
    ours: SocketAddr,
    /// Its end.
    theirs: SocketAddr,
}

impl Guacd {
    /// Whoever is at the other end of this connection, and has these addresses.
    pub fn of(stream: &TcpStream, addresses: &[SocketAddr]) -> std::io::Result<Self> {
        let (ours, theirs) = (plain(stream.local_addr()?), plain(stream.peer_addr()?));
        let addresses = addresses.iter().copied().chain([theirs]).map(|one| plain(one).ip()).collect();
        Ok(Self { addresses, ours, theirs })
    }
}

impl Bridge {
    /// Leads to `node` whoever is guacd, at this address of this machine.
    pub async fn open(here: IpAddr, guacd: Guacd, node: Box<dyn Duplex>) -> Result<Self, Problem> {
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
async fn accept(listener: TcpListener, guacd: &Guacd) -> Option<TcpStream> {
    let own = listener.local_addr().ok()?;
    loop {
        let (stream, peer) = listener.accept().await.ok()?;
        if is_guacd(peer, own, guacd) {
            return Some(stream);
        }
        tracing::warn!(%peer, "somebody else than guacd has come for a console");
    }
}

/// Whether the other end is guacd: its address, and on this machine the user of guacd's end of our own connection to it. Who listens at
/// guacd's port is no proof: anybody may listen there at an address that guacd left free.
fn is_guacd(peer: SocketAddr, own: SocketAddr, guacd: &Guacd) -> bool {
    let (peer, own) = (plain(peer), plain(own));
    if !guacd.addresses.contains(&peer.ip()) {
        return false;
    }
    let text: String = TABLES.into_iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let sockets: Vec<Socket> = text.lines().filter_map(socket).collect();
    // Of a connection that has ended the kernel says nobody's user.
    let end = |local, remote| {
        let found = sockets.iter().find(|socket| socket.is_open && (socket.local, socket.remote) == (local, remote));
        found.map(|socket| socket.user)
    };
    match (end(peer, own), end(guacd.theirs, guacd.ours)) {
        (Some(other), Some(guacd)) => other == guacd,
        // Both are elsewhere, where their address tells them from others.
        (None, None) => !peer.ip().is_loopback() && peer.ip() != own.ip(),
        _ => false,
    }
}

/// As the kernel's tables have it here: an IPv4 address is one.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A line of /proc/net/tcp.
fn socket(line: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, _, _, user, ..] = words[..] else { return None };
    let (local, remote) = (address(local)?, address(remote)?);
    Some(Socket { local, remote, is_open: state == ESTABLISHED, user: user.parse().ok()? })
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
        assert_eq!((seen.remote, seen.is_open, seen.user), ("127.0.0.2:40961".parse().unwrap(), true, 1000));
        let seen = socket(six).unwrap();
        assert_eq!((seen.local, seen.is_open, seen.user), ("[::1]:4822".parse().unwrap(), false, 113));
        assert_eq!(socket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"), None);
    }

    /// Our connection to a guacd, and guacd's end of it.
    async fn met(guacd: &TcpListener) -> (TcpStream, TcpStream) {
        let ours = TcpStream::connect(guacd.local_addr().unwrap()).await.unwrap();
        (ours, guacd.accept().await.unwrap().0)
    }

    async fn is_let_in(guacd: Guacd) -> bool {
        let (near, mut node) = tokio::io::duplex(64);
        let bridge = Bridge::open([127, 0, 0, 1].into(), guacd, Box::new(near)).await.unwrap();
        let mut stream = TcpStream::connect(bridge.address).await.unwrap();
        node.write_all(b"shown").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.is_ok()
    }

    #[tokio::test]
    async fn a_port_leads_to_the_node_for_guacd_alone_and_once() {
        let guacd = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, theirs) = met(&guacd).await;
        let (near, mut node) = tokio::io::duplex(64);
        let known = Guacd::of(&ours, &[]).unwrap();
        let bridge = Bridge::open([127, 0, 0, 1].into(), known, Box::new(near)).await.unwrap();
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
        // Somebody listens there still, but nobody is at the other end of our connection: whoever comes isn't guacd.
        let known = Guacd::of(&ours, &[]).unwrap();
        drop(theirs);
        drop(ours);
        assert!(!is_let_in(known).await, "somebody else came in");
    }

    #[tokio::test]
    async fn who_listens_at_guacds_port_beside_it_is_not_guacd() {
        let guacd = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = guacd.local_addr().unwrap();
        // Ours is the user of both sockets here: that guacd's end is another's is told by an end that isn't there.
        let beside = TcpListener::bind(("::1", at.port())).await.unwrap();
        let (ours, _theirs) = met(&guacd).await;
        let other = TcpStream::connect(beside.local_addr().unwrap()).await.unwrap();
        let _held = beside.accept().await.unwrap();
        assert!(is_let_in(Guacd::of(&ours, &[]).unwrap()).await);
        let beside = Guacd { theirs: plain(other.peer_addr().unwrap()), ..Guacd::of(&ours, &[]).unwrap() };
        assert!(!is_let_in(beside).await);
        let elsewhere = Guacd { addresses: vec![[127, 0, 0, 2].into()], ..Guacd::of(&ours, &[]).unwrap() };
        assert!(!is_let_in(elsewhere).await);
    }
}

//! Where a node's SSH and telnet servers are: what its lab's document says of them, or their usual ports in its own namespace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use serde::Deserialize;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use windlass_api::services::ConsoleKind;
use windlass_hosts::net::Near;
use windlass_model::{Code, Problem};

use super::{aside, inside::Inside};

/// How long connecting may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A server of a node that people log in at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Door {
    port: Option<u16>,
    address: Option<IpAddr>,
    via: Option<String>,
    /// Who logs in, unless whoever opens it says so.
    pub user: Option<String>,
    /// The name of the secret that they log in by.
    pub secret: Option<String>,
    /// The server's key, as OpenSSH writes it.
    pub host_key: Option<String>,
}

/// From where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A namespace, as `ip netns` knows it.
    Namespace(String),
    /// This machine itself, by this bridge and no other way.
    Bridge(String),
}

impl Door {
    /// What a document says of a node's server. What can't be read is as if it weren't said.
    pub fn of(document: Option<&Value>, node: &str, kind: ConsoleKind) -> Option<Self> {
        let nodes = document?["nodes"].as_array()?;
        let said = &nodes.iter().find(|one| one["name"] == node)?["consoles"][kind.as_str()];
        match said.as_u64() {
            Some(port) => Some(Self { port: u16::try_from(port).ok().filter(|port| *port > 0), ..Self::default() }),
            None => serde_json::from_value(said.clone()).ok().filter(|_| said.is_object()),
        }
    }

    /// The port.
    pub fn port(&self, kind: ConsoleKind) -> u16 {
        self.port.unwrap_or(if kind == ConsoleKind::Ssh { 22 } else { 23 })
    }

    /// Whether it is elsewhere than in the node's own namespace, so that only trying tells whether it is there.
    pub fn is_elsewhere(&self) -> bool {
        self.address.is_some()
    }

    /// The node of the same lab from which it is reached.
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref().filter(|_| self.address.is_some())
    }

    /// By which of the lab's bridges this machine itself may reach for it: its address is in a network that this machine has an address
    /// of on that bridge, and isn't one of this machine's own. Any other could be anybody's. What the document says of networks proves
    /// nothing: whoever may write it could name any.
    pub fn bridge(&self, near: &[Near]) -> Option<String> {
        let own = |address| near.iter().any(|near| near.prefix.address == address) || is_own(address);
        let address = self.address.filter(|address| is_a_hosts(*address) && !own(*address))?;
        // A network that is everything is none of the lab's.
        let fits = near.iter().filter(|near| near.prefix.length > 0 && near.prefix.contains(address));
        fits.max_by_key(|near| near.prefix.length).map(|near| near.bridge.clone())
    }

    /// Connects.
    pub async fn connect(&self, kind: ConsoleKind, from: From) -> Result<TcpStream, Problem> {
        let address = SocketAddr::new(self.address.unwrap_or(Ipv4Addr::LOCALHOST.into()), self.port(kind));
        match from {
            From::Namespace(namespace) => {
                let stream = aside(move || Inside::open(&namespace)?.connect(address)).await?;
                TcpStream::from_std(stream)
                    .map_err(|error| Problem::new(Code::System, format!("the connection into the node: {error}")))
            }
            From::Bridge(bridge) => {
                let connected = tokio::time::timeout(PATIENCE, by(&bridge, address)).await;
                let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
                let stream = connected.map_err(|error| {
                    Problem::new(
                        Code::Unavailable,
                        format!("nothing answers at {address}, seen from this machine by {bridge}: {error}"),
                    )
                })?;
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
        }
    }
}

/// A connection that leaves this machine by one interface, or not at all.
async fn by(interface: &str, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.connect(address).await
}

/// Whether an address is one that a host in a network has.
fn is_a_hosts(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        // One that stands for an IPv4 address has to be given as that.
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(special || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// Whether an address is this machine's. One of which that can't be told is taken for one.
fn is_own(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_hosts::net::types::Prefix;

    use super::*;

    #[test]
    fn a_document_says_where_servers_are() {
        let document = json!({
            "nodes": [
                { "name": "r1", "consoles": { "ssh": 2222 } },
                { "name": "m1", "consoles": { "ssh": { "address": "10.0.0.9", "user": "root", "secret": "lab/key" },
                                              "telnet": { "address": "10.9.9.9", "via": "r1" } } },
                { "name": "odd", "consoles": { "ssh": { "address": "x" }, "telnet": 0 } },
            ],
        });
        let door = |node: &str, kind| Door::of(Some(&document), node, kind);
        let r1 = door("r1", ConsoleKind::Ssh).unwrap();
        assert_eq!((r1.port(ConsoleKind::Ssh), r1.is_elsewhere()), (2222, false));
        let m1 = door("m1", ConsoleKind::Ssh).unwrap();
        assert_eq!((m1.port(ConsoleKind::Ssh), m1.user.as_deref(), m1.is_elsewhere()), (22, Some("root"), true));
        let telnet = door("m1", ConsoleKind::Telnet).unwrap();
        assert_eq!((telnet.via(), telnet.port(ConsoleKind::Telnet)), (Some("r1"), 23));
        assert_eq!(
            (door("odd", ConsoleKind::Ssh), door("r1", ConsoleKind::Telnet), door("r9", ConsoleKind::Ssh)),
            (None, None, None)
        );
        assert_eq!(door("odd", ConsoleKind::Telnet).unwrap().port(ConsoleKind::Telnet), 23);
    }

    fn near(bridge: &str, address: &str, length: u8) -> Near {
        Near { bridge: bridge.into(), prefix: Prefix { address: address.parse().unwrap(), length } }
    }

    #[test]
    fn this_machine_reaches_only_into_networks_of_the_lab() {
        let all = [near("wide", "10.72.0.1", 16), near("lan", "10.72.3.1", 24), near("six", "fd72::1", 64)];
        let all =
            [&all[..], &[near("lo", "127.0.0.2", 8), near("any", "192.0.2.1", 0), near("ll", "fe80::1", 64)]].concat();
        for (address, bridge) in [
            ("10.72.9.9", Some("wide")),
            ("10.72.3.9", Some("lan")),
            ("10.73.0.9", None),
            ("10.72.3.1", None),
            ("fd72::9", Some("six")),
            ("fd73::9", None),
            ("127.0.0.1", None),
            ("127.0.0.9", None),
            ("::ffff:127.0.0.1", None),
            ("::ffff:10.72.3.9", None),
            ("::1", None),
            ("0.0.0.0", None),
            ("::", None),
            ("224.0.0.1", None),
            ("ff02::1", None),
            ("169.254.169.254", None),
            ("255.255.255.255", None),
            ("fe80::9", None),
            ("192.0.2.9", None),
        ] {
            let door = Door { address: Some(address.parse().unwrap()), ..Door::default() };
            assert_eq!(door.bridge(&all).as_deref(), bridge, "{address}");
            assert_eq!(door.bridge(&[]), None, "{address}");
        }
        assert_eq!(Door::default().bridge(&all), None);
        assert!(is_own([127, 0, 0, 1].into()) && !is_own([192, 0, 2, 9].into()));
    }

    #[tokio::test]
    async fn a_connection_takes_its_bridge_or_none() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        let door = Door { address: Some(at.ip()), port: Some(at.port()), ..Door::default() };
        let by = |bridge: &str| door.connect(ConsoleKind::Ssh, From::Bridge(bridge.into()));
        assert_eq!(by("lo").await.unwrap().peer_addr().unwrap(), at);
        let problem = by("none-such").await.unwrap_err();
        assert!(problem.code == Code::Unavailable && problem.message.contains("by none-such"), "{problem:?}");
    }
}

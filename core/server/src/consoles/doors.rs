//! Where a node's SSH and telnet servers are: what its lab's document says of them, or their usual ports in its own namespace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use windlass_api::services::ConsoleKind;
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
    /// This machine itself.
    Here,
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

    /// Whether this machine itself may reach for it: its address is in a network of the lab in which this machine has one, too. Any
    /// other could be anybody's.
    pub fn is_near(&self, document: Option<&Value>) -> bool {
        let networks = document.and_then(|document| document["networks"].as_array());
        let own = networks.into_iter().flatten().filter_map(|network| network["addresses"].as_array()).flatten();
        self.address.is_some_and(|address| own.filter_map(Value::as_str).any(|prefix| within(address, prefix)))
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
            From::Here => {
                let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
                let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
                let stream = connected.map_err(|error| {
                    Problem::new(
                        Code::Unavailable,
                        format!("nothing answers at {address}, seen from this machine: {error}"),
                    )
                })?;
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
        }
    }
}

/// Whether an address is in the network of `10.0.0.1/24`, and isn't that one itself.
fn within(address: IpAddr, prefix: &str) -> bool {
    let Some((own, length)) = prefix.split_once('/') else { return false };
    let (Ok(own), Ok(length)) = (own.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let (a, b, bits) = match (address, own) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    // A network that is everything is none of the lab's.
    (1..=bits).contains(&length) && a != b && (a ^ b) >> (bits - length) == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_says_where_servers_are() {
        let document = json!({
            "networks": [{ "name": "lan", "addresses": ["10.0.0.1/24", "fd00::1/64"] }],
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
        assert_eq!(
            (m1.port(ConsoleKind::Ssh), m1.user.as_deref(), m1.is_near(Some(&document))),
            (22, Some("root"), true)
        );
        let telnet = door("m1", ConsoleKind::Telnet).unwrap();
        assert_eq!(
            (telnet.via(), telnet.port(ConsoleKind::Telnet), telnet.is_near(Some(&document))),
            (Some("r1"), 23, false)
        );
        assert_eq!(
            (door("odd", ConsoleKind::Ssh), door("r1", ConsoleKind::Telnet), door("r9", ConsoleKind::Ssh)),
            (None, None, None)
        );
        assert_eq!(door("odd", ConsoleKind::Telnet).unwrap().port(ConsoleKind::Telnet), 23);
    }

    #[test]
    fn this_machine_reaches_only_into_networks_of_the_lab() {
        for (address, prefix, fits) in [
            ("10.0.0.9", "10.0.0.1/24", true),
            ("10.0.1.9", "10.0.0.1/24", false),
            ("10.0.0.1", "10.0.0.1/24", false),
            ("fd00::9", "fd00::1/64", true),
            ("fd01::9", "fd00::1/64", false),
            ("127.0.0.1", "10.0.0.1/0", false),
            ("10.0.0.9", "10.0.0.1/33", false),
            ("10.0.0.9", "fd00::1/64", false),
            ("10.0.0.9", "10.0.0.1", false),
        ] {
            assert_eq!(within(address.parse().unwrap(), prefix), fits, "{address} {prefix}");
        }
    }
}

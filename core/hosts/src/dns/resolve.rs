//! Where a name server is, and what the parent of a zone is: from the configuration, else from recursive servers.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use hickory_proto::rr::{Name, RData, RecordType};
use ipnet::IpNet;
use windlass_model::{Code, Problem};

use super::ask::{Wanted, ask};
use crate::{authority, web};

/// The port of DNS.
const PORT: u16 = 53;

/// Addresses of one name server that are asked, at most.
const ADDRESSES: usize = 4;

/// Finds servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    resolvers: Vec<SocketAddr>,
    addresses: BTreeMap<String, SocketAddr>,
    /// What may be asked though it isn't public.
    private: Vec<IpNet>,
}

impl Resolver {
    pub(super) fn new(config: &authority::Config) -> Result<Self, Problem> {
        let wrong = |key: String, text: &str| {
            Problem::new(
                Code::Configuration,
                format!("hosts.dns.{key}: `{text}` isn't an address such as 192.0.2.53:53"),
            )
        };
        let read = |text: &str| {
            let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT));
            text.parse::<SocketAddr>().or(bare)
        };
        let resolvers = config.resolvers.iter().map(|text| read(text).map_err(|_| wrong("resolvers".into(), text)));
        let addresses = config.addresses.iter().map(|(name, text)| {
            let address = read(text).map_err(|_| wrong(format!("addresses.{name}"), text))?;
            Ok((authority::name(name).map_err(|problem| Problem { code: Code::Configuration, ..problem })?, address))
        });
        let private = config.private_addresses.iter().map(|text| {
            let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            range.ok_or_else(|| {
                let message = format!("hosts.dns.private_addresses: `{text}` is no address and no range");
                Problem::new(Code::Configuration, message)
            })
        });
        Ok(Self {
            private: private.collect::<Result<_, _>>()?,
            resolvers: resolvers.collect::<Result<_, _>>()?,
            addresses: addresses.collect::<Result<_, Problem>>()?,
        })
    }

    fn resolvers(&self) -> Vec<SocketAddr> {
        if !self.resolvers.is_empty() {
            return self.resolvers.clone();
        }
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let words =
            text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
        words.map(|address| SocketAddr::new(address, PORT)).collect()
    }

    /// What recursive servers say; the last one's failure if none answers.
    async fn recurse(&self, name: &Name, kind: RecordType) -> Result<Vec<RData>, String> {
        let mut why = "no recursive server is configured, and /etc/resolv.conf names none".to_owned();
        for resolver in self.resolvers() {
            match ask(resolver, name, Wanted { kind, recursive: true, signatures: false }).await {
                Ok(answer) => {
                    let of = answer.answers.into_iter().filter(|record| record.record_type() == kind);
                    return Ok(of.map(|record| record.data).collect());
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Where a name server is reached; `glue` are addresses that a parent gave for it.
    pub(super) async fn addresses(&self, server: &str, glue: &[IpAddr]) -> Result<Vec<SocketAddr>, String> {
        if let Some(address) = self.addresses.get(server) {
            return Ok(vec![*address]);
        }
        let mut found: Vec<IpAddr> = glue.to_vec();
        if found.is_empty() {
            let name = parsed(server)?;
            let mut failed = None;
            for kind in [RecordType::A, RecordType::AAAA] {
                match self.recurse(&name, kind).await {
                    Ok(data) => found.extend(data.iter().filter_map(RData::ip_addr)),
                    Err(why) => failed = Some(why),
                }
            }
            if found.is_empty() {
                return Err(failed.unwrap_or_else(|| format!("{server} has no address")));
            }
        }
        // Whoever writes a zone writes its NS records and their addresses: they would have us knock at doors inside.
        let mut inside = None;
        found.retain(|address| match web::special(address.to_canonical()) {
            Some(why) if !self.private.iter().any(|range| range.contains(&address.to_canonical())) => {
                inside = Some(format!(
                    "{server} is at {address} ({why}), which isn't asked: `hosts.dns.private_addresses` would allow it"
                ));
                false
            }
            _ => true,
        });
        if let Some(why) = inside.filter(|_| found.is_empty()) {
            return Err(why);
        }
        // A machine without IPv6 can't ask there, which says nothing about the server.
        if found.iter().any(has_route) {
            found.retain(has_route);
        }
        found.truncate(ADDRESSES);
        Ok(found.into_iter().map(|address| SocketAddr::new(address, PORT)).collect())
    }

    /// The zone above a name, with the names of its servers.
    pub(super) async fn parent(&self, name: &str) -> Result<(String, Vec<String>), String> {
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            let mut servers: Vec<String> =
                self.recurse(&parsed(above)?, RecordType::NS).await?.iter().filter_map(host).collect();
            if !servers.is_empty() {
                servers.sort();
                return Ok((above.to_owned(), servers));
            }
            rest = above;
        }
        Err(format!("no zone above {name} is known to the recursive servers"))
    }
}

/// Whether this machine knows a way to the address; nothing is sent.
fn has_route(address: &IpAddr) -> bool {
    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    std::net::UdpSocket::bind(own).and_then(|socket| socket.connect((*address, PORT))).is_ok()
}

/// A name for a question.
pub(super) fn parsed(name: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{name}.")).map_err(|error| format!("{name}: {error}"))
}

/// The server that an NS record names, in our form.
pub(super) fn host(data: &RData) -> Option<String> {
    match data {
        RData::NS(server) => Some(bare(&server.0)),
        _ => None,
    }
}

/// A name in our form.
pub(super) fn bare(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_without_a_way_to_it_is_passed_over() {
        let allowed = ["127.0.0.0/8", "fe80::/10"].map(|range| range.parse().unwrap());
        let resolver = Resolver { private: allowed.into(), ..Resolver::default() };
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        // A link's own address leads nowhere without the link's name.
        let nowhere: IpAddr = "fe80::1".parse().unwrap();
        assert!(has_route(&here) && !has_route(&nowhere));
        let found = resolver.addresses("ns1.example.net", &[nowhere, here]).await.unwrap();
        assert_eq!(found, [SocketAddr::new(here, PORT)]);
        // The only one is tried all the same: its failure is told.
        assert_eq!(resolver.addresses("ns1.example.net", &[nowhere]).await.unwrap().len(), 1);
    }
}

//! Which addresses a request may go to: what is public, and what the configuration names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use windlass_model::{Code, Problem};

/// Ranges that aren't the public internet (IANA's special-purpose registries), and what each is.
const SPECIAL_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-internal"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local, where clouds keep their metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// Parts of 2000::/3 that aren't plain public addresses. Everything outside 2000::/3 is special.
const SPECIAL_V6: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0], 23), "reserved for protocols (Teredo among them)"),
    (v6([0x2001, 0xdb8, 0], 32), "for documentation"),
    (v6([0x2002, 0, 0], 16), "6to4, which wraps an IPv4 address"),
    (v6([0x3fff, 0, 0], 20), "for documentation"),
];

/// Outside 2000::/3, so that the error can say more than that.
const NAMED_V6: &[(Ipv6Net, &str)] = &[
    (v6([0xfe80, 0, 0], 10), "link-local"),
    (v6([0xfc00, 0, 0], 7), "private"),
    (v6([0xff00, 0, 0], 8), "multicast"),
    (v6([0x64, 0xff9b, 0], 32), "NAT64, which wraps an IPv4 address"),
    (v6([0, 0, 0], 64), "loopback, unspecified or a wrapped IPv4 address"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], 0, 0, 0, 0, 0), prefix)
}

/// Why an address isn't a public one, if it isn't.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => SPECIAL_V4.iter().find(|(range, _)| range.contains(&address)).map(|(_, what)| *what),
        IpAddr::V6(address) => {
            let global = address.segments()[0] & 0xe000 == 0x2000;
            let ranges = if global { SPECIAL_V6 } else { NAMED_V6 };
            let named = ranges.iter().find(|(range, _)| range.contains(&address)).map(|(_, what)| *what);
            if global { named } else { Some(named.unwrap_or("reserved")) }
        }
    }
}

/// What the configuration allows beyond public addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed(Vec<IpNet>);

impl Allowed {
    pub(crate) fn read(texts: &[String]) -> Result<Self, Problem> {
        let read = |text: &String| {
            let range = text.parse::<IpNet>().ok();
            range.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or_else(|| {
                Problem::new(
                    Code::Configuration,
                    format!("hosts.http.allow_addresses: `{text}` is no address and no range"),
                )
            })
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Fails for an address that is special and not in the list.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Refused> {
        match special(address) {
            Some(what) if !self.0.iter().any(|range| range.contains(&address)) => Err(Refused { address, what }),
            _ => Ok(()),
        }
    }
}

/// A request may not go to this address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{address} is {what}")]
pub(crate) struct Refused {
    pub(crate) address: IpAddr,
    what: &'static str,
}

impl Refused {
    pub(crate) fn problem(&self, host: &str) -> Problem {
        Problem::new(Code::PermissionDenied, format!("requests may not go to {host}: {self}")).help(format!(
            "if it is meant, an administrator adds \"{}\" to `allow_addresses` under [hosts.http]",
            self.address
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.88.99.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(special(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.32.0.1",
            "172.15.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "100.128.0.1",
            "2606:4700::1111",
            "2a01:4f8::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn the_configuration_can_allow_addresses_and_ranges() {
        let allowed = Allowed::read(&["127.0.0.1".into(), "10.20.0.0/16".into(), "fd12::/48".into()]).unwrap();
        for text in ["127.0.0.1", "10.20.3.4", "fd12::7", "1.1.1.1"] {
            assert!(allowed.check(text.parse().unwrap()).is_ok(), "{text}");
        }
        for text in ["127.0.0.2", "10.21.0.1", "fd13::7", "::ffff:127.0.0.1"] {
            assert!(allowed.check(text.parse().unwrap()).is_err(), "{text}");
        }
        assert_eq!(Allowed::read(&["localhost".into()]).unwrap_err().code, Code::Configuration);
    }
}

//! What trusted proxies say in headers about the other end. One kind of header is believed and never both: a proxy that
//! writes the one passes on what its client wrote into the other.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::Peer;

/// The headers that trusted proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A proxy on the way, as the next one wrote it down.
struct Hop {
    /// None: it can't be read, or the proxy doesn't say.
    from: Option<IpAddr>,
    secure: Option<bool>,
}

/// Who is at the other end: the first address, from the right, that isn't a trusted proxy's.
pub(crate) fn peer(trusted: &[IpNet], forwarding: Forwarding, peer: Peer, headers: &HeaderMap) -> Peer {
    let trusts = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !trusts(&peer.address) {
        let says = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        return Peer { relayed: says.iter().any(|name| headers.contains_key(*name)), ..peer };
    }
    let hops = match forwarding {
        Forwarding::XForwarded => x_forwarded(headers),
        Forwarding::Forwarded => forwarded(headers),
    };
    let mut found = peer;
    // The proxy that we see is the one that knows how its client came.
    if let Some(secure) = hops.last().and_then(|hop| hop.secure) {
        found.secure = secure;
    }
    for hop in hops.iter().rev() {
        // What can't be read isn't believed, and nothing before it either.
        let Some(from) = hop.from else { break };
        found.address = from;
        if !trusts(&from) {
            break;
        }
    }
    found
}

fn texts<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let last = texts(headers, "x-forwarded-proto").next().and_then(|text| text.rsplit(',').next());
    let secure = last.map(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    let mut hops: Vec<Hop> = texts(headers, "x-forwarded-for")
        .flat_map(|text| text.split(','))
        .map(|from| Hop { from: address(from.trim()), secure: None })
        .collect();
    match hops.last_mut() {
        Some(last) => last.secure = secure,
        None if secure.is_some() => hops.push(Hop { from: None, secure }),
        None => {}
    }
    hops
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    texts(headers, "forwarded").flat_map(|text| parts(text, ',')).map(hop).collect()
}

fn hop(element: &str) -> Hop {
    let mut hop = Hop { from: None, secure: None };
    for pair in parts(element, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.from = address(value),
            "proto" => hop.secure = Some(value.eq_ignore_ascii_case("https")),
            _ => {}
        }
    }
    hop
}

/// An address, perhaps with a port; IPv6 perhaps in brackets. `unknown` and made-up names are none.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found: Option<IpAddr> =
        plain.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    found.map(|address| address.to_canonical())
}

/// Splits where the separator isn't inside a quoted string.
fn parts(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let split = text.split(move |letter: char| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return letter == separator && !quoted,
        }
        false
    });
    split.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(trusted: &[&str], forwarding: Forwarding, from: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let from = Peer { address: from.parse().unwrap(), secure: false, relayed: false };
        let peer = peer(&trusted, forwarding, from, &map);
        format!("{} {} {}", peer.address, peer.secure, peer.relayed)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let told = |trusted: &[&str], from: &str, forwarded: &str| {
            let headers = [("x-forwarded-for", forwarded), ("x-forwarded-proto", "https")];
            told(trusted, Forwarding::XForwarded, from, &headers)
        };
        assert_eq!(told(&[], "10.0.0.1", "1.2.3.4"), "10.0.0.1 false true");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4"), "1.2.3.4 true false");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4:4711"), "1.2.3.4 true false");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "::ffff:1.2.3.4, ::ffff:10.0.0.2"), "1.2.3.4 true false");
        // The client's own claim stands left of what the proxy saw.
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9"), "1.2.3.4 true false");
        assert_eq!(told(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, nonsense"), "10.0.0.1 true false");
    }

    #[test]
    fn the_standard_header_says_the_same() {
        let told = |from: &str, forwarded: &str| {
            told(&["10.0.0.0/8"], Forwarding::Forwarded, from, &[("forwarded", forwarded)])
        };
        assert_eq!(told("10.0.0.1", "for=1.2.3.4;proto=https;by=10.0.0.1"), "1.2.3.4 true false");
        assert_eq!(told("10.0.0.1", "For=\"[2001:db8::7]:4711\""), "2001:db8::7 false false");
        assert_eq!(told("10.0.0.1", "for=\"[2001:db8::7]\";proto=http"), "2001:db8::7 false false");
        assert_eq!(told("10.0.0.1", "for=6.6.6.6;proto=https, for=1.2.3.4, for=10.9.9.9"), "1.2.3.4 false false");
        for nobody in ["for=unknown", "for=_hidden", "for=\"", "proto", "for=\"1.2.3.4, for=5.6.7.8"] {
            assert_eq!(told("10.0.0.1", nobody), "10.0.0.1 false false", "{nobody}");
        }
        // A separator in a quoted string separates nothing.
        assert_eq!(told("10.0.0.1", "for=1.2.3.4;ext=\"a,for=6.6.6.6\""), "1.2.3.4 false false");
        assert_eq!(told("192.0.2.1", "for=1.2.3.4"), "192.0.2.1 false true");
    }

    #[test]
    fn what_the_proxy_does_not_write_is_its_clients_claim() {
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        let trusted = ["10.0.0.0/8"];
        assert_eq!(told(&trusted, Forwarding::XForwarded, "10.0.0.1", &both), "1.2.3.4 false false");
        assert_eq!(told(&trusted, Forwarding::Forwarded, "10.0.0.1", &both), "6.6.6.6 false false");
        assert_eq!(told(&trusted, Forwarding::XForwarded, "10.0.0.1", &both[..1]), "10.0.0.1 false false");
    }
}

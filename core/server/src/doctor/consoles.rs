//! Whether the Guacamole that is configured, and its guacd, can be reached.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use super::Finding;
use crate::config::Config;

/// How long one address is tried.
const PATIENCE: Duration = Duration::from_secs(2);
const NAME: &str = "guacamole";

/// Nothing where none is configured.
pub(super) fn guacamole(config: &Config) -> Option<Finding> {
    let consoles = &config.hosts.guacamole;
    let web = reqwest::Url::parse(&consoles.url).ok().and_then(|url| {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some((host, url.port_or_known_default()?))
    });
    let guacd = consoles.guacd.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let places = [("the web application", web), ("guacd", guacd)];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (what, (host, port)) in places.into_iter().filter_map(|(what, place)| Some((what, place?))) {
        match reach(&host, port) {
            Ok(()) => good.push(format!("{what} at {host} port {port}")),
            Err(error) => bad.push(format!("{what} at {host} port {port}: {error}")),
        }
    }
    match (good.is_empty(), bad.is_empty()) {
        (true, true) => None,
        (_, true) => Some(Finding::fine(NAME, format!("{} can be reached", good.join(", ")))),
        _ => Some(Finding::missing(
            NAME,
            bad.join("; "),
            "no console is made until `hosts.guacamole.url` and `hosts.guacamole.guacd` can be reached from here",
        )),
    }
}

fn reach(host: &str, port: u16) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()?.take(4) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

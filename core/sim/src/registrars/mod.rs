//! Registrars, simulated: the wire protocols of seven, as far as plugins use them, over one book of domains each.
//!
//! Their answers are written after the registrars' own documents. What couldn't be looked up there says so at its place.

pub mod book;
mod cloudflare;
mod dynadot;
mod godaddy;
mod inwx;
mod namecheap;
mod ovh;
mod porkbun;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc};

pub use book::Book;
pub use inwx::{SEED, USER_WITH_TAN};

use crate::{Clock, Control, Server, serve};

/// A registrar that can be simulated.
pub struct Kind {
    /// As its plugin is called.
    pub name: &'static str,
    /// What stands behind the address in the base URL that clients are given.
    pub base: &'static str,
    /// The hosts that it stands for.
    pub hosts: &'static [&'static str],
    /// Credentials that may do everything, by the fields of its plugin.
    pub credentials: &'static [(&'static str, &'static str)],
    /// The field that tells what they may do: with another of the book's keys there, they may do less.
    pub key: &'static str,
    /// What other keys lead to when they are tried: the kind of refusal, and the key.
    pub refused: &'static [(&'static str, &'static str)],
    /// What it answers to a request for a domain whose registry can't do it: status and code, if it has words for that.
    pub unsupported_tld: Option<(u16, &'static str)>,
    start: fn(SocketAddr, Arc<Book>, &Control) -> io::Result<Server>,
}

/// A key that nobody knows.
const WRONG: &str = "sim-wrong-key";
const USUAL: &[(&str, &str)] =
    &[("invalid_credentials", WRONG), ("ip_not_allowed", book::ELSEWHERE), ("account_not_eligible", book::INELIGIBLE)];

/// All of them.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "cloudflare",
        base: "/client/v4",
        hosts: &["api.cloudflare.com"],
        credentials: &[("token", book::GOOD)],
        key: "token",
        refused: &[
            ("invalid_credentials", WRONG),
            ("insufficient_rights", book::INELIGIBLE),
            ("ip_not_allowed", book::ELSEWHERE),
        ],
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(cloudflare::Cloudflare { book }), control),
    },
    Kind {
        name: "dynadot",
        base: "/api3.json",
        hosts: &["api.dynadot.com"],
        credentials: &[("key", book::GOOD)],
        key: "key",
        refused: USUAL,
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(dynadot::Dynadot::new(book)), control),
    },
    Kind {
        name: "godaddy",
        base: "/v1",
        hosts: &["api.godaddy.com", "api.ote-godaddy.com"],
        credentials: &[("key", book::GOOD), ("secret", book::SECRET)],
        key: "key",
        refused: &[("invalid_credentials", WRONG), ("account_not_eligible", book::INELIGIBLE)],
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(godaddy::GoDaddy { book }), control),
    },
    Kind {
        name: "inwx",
        base: "/jsonrpc/",
        hosts: &["api.domrobot.com", "api.ote.domrobot.com"],
        credentials: &[("user", book::USER), ("password", book::GOOD)],
        key: "password",
        refused: USUAL,
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(inwx::Inwx::new(book, control.clock.clone())), control),
    },
    Kind {
        name: "namecheap",
        base: "/xml.response",
        hosts: &["api.namecheap.com", "api.sandbox.namecheap.com"],
        credentials: &[("user", book::USER), ("key", book::GOOD), ("client_ip", "192.0.2.10")],
        key: "key",
        refused: USUAL,
        unsupported_tld: Some((200, "2030280")),
        start: |address, book, control| serve(address, Arc::new(namecheap::Namecheap { book }), control),
    },
    Kind {
        name: "ovh",
        base: "/1.0",
        hosts: &["eu.api.ovh.com", "ca.api.ovh.com"],
        credentials: &[("app_key", ovh::APP_KEY), ("app_secret", book::SECRET), ("consumer_key", book::GOOD)],
        key: "consumer_key",
        refused: USUAL,
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(ovh::Ovh::new(book, control.clock.clone())), control),
    },
    Kind {
        name: "porkbun",
        base: "/api/json/v3",
        hosts: &["api.porkbun.com"],
        credentials: &[("key", book::GOOD), ("secret", book::SECRET)],
        key: "key",
        refused: USUAL,
        unsupported_tld: None,
        start: |address, book, control| serve(address, Arc::new(porkbun::Porkbun { book }), control),
    },
];

/// One that runs.
pub struct Running {
    /// Which.
    pub kind: &'static Kind,
    /// Its domains.
    pub book: Arc<Book>,
    /// Its faults and its clock.
    pub control: Control,
    /// Its socket.
    pub server: Server,
}

/// Starts the simulator of this name; `None` if there is none.
pub fn start(name: &str, address: SocketAddr) -> Option<io::Result<Running>> {
    let kind = KINDS.iter().find(|kind| kind.name == name)?;
    let (book, control) = (Arc::<Book>::default(), Control::new(Clock::system()));
    let server = (kind.start)(address, book.clone(), &control);
    Some(server.map(|server| Running { kind, book, control, server }))
}

/// Serves the simulator of this name with a control of the caller's.
pub fn serve_named(name: &str, address: SocketAddr, control: &Control) -> io::Result<Server> {
    let kind = KINDS.iter().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("nobody simulates {name}")))?;
    (kind.start)(address, Arc::default(), control)
}

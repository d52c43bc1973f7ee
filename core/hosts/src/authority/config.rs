//! `[hosts.dns]`: the name servers that are written to, and how delegations are looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[hosts.dns]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Authoritative servers by a name of your own.
    pub servers: BTreeMap<String, ServerConfig>,
    /// Recursive servers that checks ask where they need a name's address or a zone's parent: `192.0.2.53:53`. Empty: those
    /// of `/etc/resolv.conf`.
    pub resolvers: Vec<String>,
    /// Where name servers are reached that checks couldn't find, or shouldn't look for: `"ns1.example.net" = "10.0.0.5:53"`.
    pub addresses: BTreeMap<String, String>,
    /// Addresses and ranges that aren't public and that checks may ask all the same, where a record or a resolver names
    /// them: `10.0.0.0/8`. What `resolvers` and `addresses` name needn't stand here.
    pub private_addresses: Vec<String>,
}

/// One authoritative server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// What it is: `powerdns`.
    pub kind: String,
    /// Where its HTTP API is: `https://dns.example.net:8081`. Without TLS only on a loopback address, or with `plain_http`.
    pub url: String,
    /// Allows an address without TLS: the key then crosses the network readable.
    pub plain_http: bool,
    /// Its own id of the server, in the API's paths.
    pub server_id: String,
    /// Where the API's key is: `file:/etc/windlass/dns.key` or `env:DNS_KEY`. Read at every use.
    pub api_key: String,
    /// Zones that it serves: `omani.works` with everything below it. Empty: whatever no other server names.
    pub zones: Vec<String>,
    /// Organisations whose runs may make zones here; `*`: all of them. The platform's always may. Which zones a run changes,
    /// the zones' marks say.
    pub organisations: Vec<String>,
    /// Name servers of new zones.
    pub nameservers: Vec<String>,
    /// The mark of what is ours. Zones and rrsets without it are left alone.
    pub owner: String,
    /// Whether writes follow one another on the whole server (needed where it keeps its zones in SQLite) or in each zone.
    pub serialise: Serialise,
    /// Where it hands out whole zones (AXFR): `192.0.2.1:53`. Empty: it doesn't.
    pub axfr: String,
    /// Milliseconds that one request may take.
    pub timeout_ms: u64,
}

/// What one write waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serialise {
    /// Any other write to the server.
    #[default]
    Server,
    /// Any other write to the zone.
    Zone,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            kind: "powerdns".into(),
            url: String::new(),
            plain_http: false,
            server_id: "localhost".into(),
            api_key: String::new(),
            zones: Vec::new(),
            organisations: Vec::new(),
            nameservers: Vec::new(),
            owner: "windlass".into(),
            serialise: Serialise::default(),
            axfr: String::new(),
            timeout_ms: 10_000,
        }
    }
}

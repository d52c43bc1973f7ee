//! What zones are made of.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::Problem;

use super::{contents, names};
use crate::support::invalid;

/// Records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rrset {
    /// The full name, ASCII, without the last dot.
    pub name: String,
    /// Such as `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds that others may remember it.
    pub ttl: u32,
    /// The contents, in order, each in the form of a zone file.
    pub records: Vec<String>,
    /// Whose mark it carries, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A change to one rrset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It becomes this.
    Replace(Rrset),
    /// It goes.
    Delete {
        /// The full name.
        name: String,
        /// Such as `A`.
        kind: String,
    },
}

impl Change {
    /// The name that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Replace(rrset) => &rrset.name,
            Self::Delete { name, .. } => name,
        }
    }

    /// The type that it is about.
    pub fn kind(&self) -> &str {
        match self {
            Self::Replace(rrset) => &rrset.kind,
            Self::Delete { kind, .. } => kind,
        }
    }
}

/// A zone without what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneHead {
    /// Its name.
    pub name: String,
    /// `Native`, `Master` or `Slave`, in PowerDNS' words.
    pub kind: String,
    /// The serial of its SOA.
    pub serial: u32,
    /// Whether it is signed.
    pub dnssec: bool,
    /// The account that the server keeps with it: our mark.
    pub account: String,
}

/// A key that signs a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneKey {
    /// Its number at the server.
    pub id: i64,
    /// `csk`, `ksk` or `zsk`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it signs.
    pub active: bool,
    /// Whether it is published.
    pub published: bool,
    /// The content of its DNSKEY.
    pub dnskey: String,
    /// The contents of its DS records, SHA-256 only.
    pub ds: Vec<String>,
}

impl Rrset {
    /// Read from what a script wrote: `#{ name, type, ttl, records }`, or with one `record`.
    pub fn read(zone: &str, value: &Value) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            name: String,
            #[serde(rename = "type")]
            kind: String,
            #[serde(default = "an_hour")]
            ttl: i64,
            #[serde(default)]
            records: Vec<String>,
            record: Option<String>,
            // What an op has answered may be written back.
            #[serde(default)]
            #[allow(dead_code)]
            owner: Value,
        }
        const fn an_hour() -> i64 {
            3_600
        }
        let written =
            Written::deserialize(value).map_err(|error| invalid(format!("an rrset can't be read: {error}")))?;
        let name = names::within(zone, &written.name)?;
        let kind = contents::kind(&written.kind)?;
        let ttl = u32::try_from(written.ttl).ok().filter(|ttl| *ttl <= 0x7fff_ffff);
        let ttl = ttl.ok_or_else(|| invalid(format!("{name} {kind}: a TTL is 0 to 2147483647 seconds")))?;
        let records: Vec<&String> = written.records.iter().chain(&written.record).collect();
        if records.is_empty() {
            return Err(invalid(format!("{name} {kind}: an rrset without records is removed with `dns::delete`")));
        }
        let mut read: Vec<String> = Vec::new();
        for record in records {
            let content = contents::canonical(&kind, record).map_err(|why| invalid(format!("{name} {kind}: {why}")))?;
            if !read.contains(&content) {
                read.push(content);
            }
        }
        read.sort();
        Ok(Self { name, kind, ttl, records: read, owner: None })
    }

    /// Whether both say the same to whoever asks; marks don't count.
    pub fn same(&self, other: &Self) -> bool {
        let sorted = |records: &[String], kind: &str| {
            let mut records: Vec<String> = records
                .iter()
                .map(|record| contents::canonical(kind, record).unwrap_or_else(|_| record.clone()))
                .collect();
            records.sort();
            records
        };
        (&self.name, &self.kind, self.ttl) == (&other.name, &other.kind, other.ttl)
            && sorted(&self.records, &self.kind) == sorted(&other.records, &other.kind)
    }

    /// For scripts.
    pub fn shown(&self) -> Value {
        json!({ "name": self.name, "type": self.kind, "ttl": self.ttl, "records": self.records, "owner": self.owner })
    }
}

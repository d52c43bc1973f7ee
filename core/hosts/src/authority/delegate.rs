//! A child's name servers and DS records in its parent zone.

use windlass_model::Problem;

use super::{Change, Hand, Rrset, Server, change::Changed, contents};
use crate::support::invalid;

impl Server {
    /// Delegates: NS and DS in one change. No DS leaves the child unsigned for the world, and removes those that are there.
    pub async fn delegate(&self, parent: &str, child: &str, to: &Delegation, hand: &Hand) -> Result<Changed, Problem> {
        if to.nameservers.is_empty() {
            return Err(invalid(format!("{child} needs at least one name server")));
        }
        let rrset = |kind: &str, records: &[String]| -> Result<Rrset, Problem> {
            let read = records.iter().map(|record| contents::canonical(kind, record));
            let mut records =
                read.collect::<Result<Vec<_>, _>>().map_err(|why| invalid(format!("{child} {kind}: {why}")))?;
            records.sort();
            records.dedup();
            Ok(Rrset { name: child.to_owned(), kind: kind.to_owned(), ttl: to.ttl, records, owner: None })
        };
        let mut changes = vec![Change::Replace(rrset("NS", &to.nameservers)?)];
        changes.push(match to.ds.is_empty() {
            true => Change::Delete { name: child.to_owned(), kind: "DS".into() },
            false => Change::Replace(rrset("DS", &to.ds)?),
        });
        self.change(parent, changes, hand).await
    }

    /// Takes a delegation back: NS and DS go in one change, so that no validator sees the one without the other.
    pub async fn undelegate(&self, parent: &str, child: &str, hand: &Hand) -> Result<Changed, Problem> {
        let gone = |kind: &str| Change::Delete { name: child.to_owned(), kind: kind.to_owned() };
        self.change(parent, vec![gone("DS"), gone("NS")], hand).await
    }
}

/// What a parent says of a child.
pub struct Delegation {
    /// Its name servers.
    pub nameservers: Vec<String>,
    /// Contents of its DS records.
    pub ds: Vec<String>,
    /// Seconds that others may remember both.
    pub ttl: u32,
}

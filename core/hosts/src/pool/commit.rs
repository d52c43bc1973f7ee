//! Giving a name out, and taking that back.

use std::net::Ipv4Addr;

use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{
    LABELS, Pool, Proof, Row, State,
    service::{TRIES, TTL, changed_meanwhile},
};
use crate::{
    authority::{Change, Hand, Rrset},
    support::invalid,
};

/// Addresses of a name at most.
const ADDRESSES: usize = 16;

/// A name that is given out now.
#[derive(Debug, Serialize)]
pub struct Committed {
    /// The full name.
    pub name: String,
    /// Where it points.
    pub addresses: Vec<String>,
    /// The names that stand there.
    pub names: Vec<String>,
}

impl Pool {
    /// Gives a reserved name out: its records first, then the row. The proof stays good, so that what failed half-way
    /// can be done again.
    pub async fn commit(
        &self,
        domain: &str,
        label: &str,
        proof: &Proof<'_>,
        addresses: &[String],
        by: Option<&str>,
    ) -> Result<Committed, Problem> {
        let place = self.place(domain, label)?;
        if addresses.is_empty() || addresses.len() > ADDRESSES {
            return Err(invalid(format!("a name points to 1 to {ADDRESSES} addresses")));
        }
        let read = addresses.iter().map(|text| text.parse::<Ipv4Addr>().map(|it| it.to_string()).map_err(|_| text));
        let mut addresses =
            read.collect::<Result<Vec<_>, _>>().map_err(|text| invalid(format!("`{text}` isn't an IPv4 address")))?;
        addresses.sort();
        addresses.dedup();
        for _ in 0..TRIES {
            let entry = self.row(&place.name, proof)?;
            self.admit(&entry.row)?;
            if matches!(proof, Proof::Adopts(run, ..) if entry.row.run.as_ref() != Some(*run) && entry.row.addresses != addresses)
            {
                let message = format!(
                    "{} points to {}, and another run has given it out",
                    place.name,
                    entry.row.addresses.join(", ")
                );
                return Err(Problem::new(Code::PermissionDenied, message)
                    .help("only what it lacks is written: release the name first, if it is to point elsewhere")
                    .no_effect());
            }
            // The reservation can't run out while the records are written.
            let mut row = entry.row;
            if row.state == State::Reserved {
                row.until_ms = row.until_ms.max(Some(self.new_end_ms()));
            }
            let Some(seen) = self.book.put(&row, entry.version)? else { continue };
            let rrset = |label: &&str| {
                let name = if *label == "@" { place.name.clone() } else { format!("{label}.{}", place.name) };
                Change::Replace(Rrset { name, kind: "A".into(), ttl: TTL, records: addresses.clone(), owner: None })
            };
            place.server.change(&place.name, LABELS.iter().map(rrset).collect(), &Hand::of_platform()).await?;
            // What another run has given out stays that one's: no undo of this one takes it back.
            let committed_by = match proof {
                Proof::Adopts(run, ..) if row.run.as_ref() != Some(*run) => row.committed_by.clone(),
                _ => by.map(str::to_owned).or(row.committed_by.clone()),
            };
            let row = Row {
                state: State::Active,
                served: true,
                addresses: addresses.clone(),
                until_ms: None,
                committed_by,
                ..row
            };
            if self.book.put(&row, seen)?.is_some() {
                let names = LABELS.iter().map(|label| (*label).to_owned()).collect();
                return Ok(Committed { name: place.name, addresses, names });
            }
        }
        Err(changed_meanwhile(&place.name))
    }

    /// Takes back what this step committed: its records go, and the name is reserved again. Whether there was something.
    pub async fn withdraw(&self, domain: &str, label: &str, by: &str) -> Result<bool, Problem> {
        let place = self.place(domain, label)?;
        let Some(entry) = self.book.find(&place.name)? else { return Ok(false) };
        if entry.row.state != State::Active || entry.row.committed_by.as_deref() != Some(by) {
            return Ok(false);
        }
        let gone = |label: &&str| {
            let name = if *label == "@" { place.name.clone() } else { format!("{label}.{}", place.name) };
            Change::Delete { name, kind: "A".into() }
        };
        let changes = LABELS.iter().map(gone).collect();
        match place.server.change(&place.name, changes, &Hand::of_platform()).await {
            Err(problem) if problem.code != Code::NotFound => return Err(problem),
            _ => {}
        }
        let row = Row {
            state: State::Reserved,
            committed_by: None,
            addresses: Vec::new(),
            until_ms: Some(self.new_end_ms()),
            ..entry.row
        };
        match self.book.put(&row, entry.version)? {
            Some(_) => Ok(true),
            None => Err(changed_meanwhile(&place.name)),
        }
    }
}

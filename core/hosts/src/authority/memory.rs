//! A name server in memory, for rehearsals. What it doesn't know yet it reads from the real one, where there is one; what is
//! written stays here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use windlass_model::{Code, Problem};

use super::{Answer, Authoritative, Change, NewZone, Rrset, ZoneHead, ZoneKey, contents, powerdns::no_zone};

/// The rehearsal of one server.
pub struct Memory {
    name: String,
    real: Option<Arc<dyn Authoritative>>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    zones: BTreeMap<String, Zone>,
    /// Zones that were looked for at the real server, or are gone here.
    known: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct Zone {
    head: ZoneHead,
    rrsets: BTreeMap<(String, String), Rrset>,
    metadata: BTreeMap<String, Vec<String>>,
    keys: Vec<ZoneKey>,
}

impl Memory {
    /// The rehearsal of this server; without one, it begins empty.
    pub fn new(name: &str, real: Option<Arc<dyn Authoritative>>) -> Self {
        Self { name: name.to_owned(), real, held: Mutex::default() }
    }

    /// Reads the zone from the real server, once. A server that can't be asked has no such zone, for a plan.
    async fn look(&self, zone: &str) {
        if self.held.lock().known.contains(zone) {
            return;
        }
        let found = match &self.real {
            Some(real) => read(real.as_ref(), zone).await.ok().flatten(),
            None => None,
        };
        let mut held = self.held.lock();
        if held.known.insert(zone.to_owned())
            && let Some(found) = found
        {
            held.zones.insert(zone.to_owned(), found);
        }
    }

    async fn with<T>(&self, zone: &str, work: impl FnOnce(&mut Zone) -> Result<T, Problem>) -> Result<T, Problem> {
        self.look(zone).await;
        let mut held = self.held.lock();
        let found = held.zones.get_mut(zone).ok_or_else(|| no_zone(&self.name, zone))?;
        work(found)
    }
}

async fn read(real: &dyn Authoritative, zone: &str) -> Result<Option<Zone>, Problem> {
    let Some(head) = real.zone(zone).await? else { return Ok(None) };
    let rrsets = real.rrsets(zone, None).await?;
    let rrsets = rrsets.into_iter().map(|rrset| ((rrset.name.clone(), rrset.kind.clone()), rrset)).collect();
    let (metadata, keys) = (real.metadata(zone).await?, real.keys(zone).await?);
    Ok(Some(Zone { head, rrsets, metadata, keys }))
}

/// A key that nothing is signed with; the same for the same zone, so that plans have the same digest.
fn made_up(zone: &str, id: i64, active: bool) -> ZoneKey {
    let digest = blake3::hash(format!("{zone} {id}").as_bytes());
    let tag = u16::from_be_bytes([digest.as_bytes()[0], digest.as_bytes()[1]]);
    let public = hex::encode(digest.as_bytes());
    ZoneKey {
        id,
        kind: "csk".into(),
        active,
        published: true,
        dnskey: format!("257 3 13 {public}"),
        ds: vec![format!("{tag} 13 2 {public}")],
    }
}

impl Authoritative for Memory {
    fn zones(&self) -> Answer<'_, Vec<ZoneHead>> {
        Box::pin(async move {
            if let Some(real) = &self.real {
                for zone in real.zones().await.unwrap_or_default() {
                    self.look(&zone.name).await;
                }
            }
            Ok(self.held.lock().zones.values().map(|zone| zone.head.clone()).collect())
        })
    }

    fn zone<'a>(&'a self, zone: &'a str) -> Answer<'a, Option<ZoneHead>> {
        Box::pin(async move {
            self.look(zone).await;
            Ok(self.held.lock().zones.get(zone).map(|zone| zone.head.clone()))
        })
    }

    fn rrsets<'a>(&'a self, zone: &'a str, name: Option<&'a str>) -> Answer<'a, Vec<Rrset>> {
        Box::pin(async move {
            self.with(zone, |zone| {
                let wanted = zone.rrsets.values().filter(|rrset| name.is_none_or(|name| rrset.name == name));
                Ok(wanted.cloned().collect())
            })
            .await
        })
    }

    fn create<'a>(&'a self, zone: &'a NewZone) -> Answer<'a, ()> {
        Box::pin(async move {
            self.look(&zone.name).await;
            let mut held = self.held.lock();
            if held.zones.contains_key(&zone.name) {
                let message = format!("the name server `{}` has a zone {} already", self.name, zone.name);
                return Err(Problem::new(Code::Conflict, message).no_effect());
            }
            let mut made = Zone {
                head: ZoneHead {
                    name: zone.name.clone(),
                    kind: zone.kind.clone(),
                    serial: 1,
                    dnssec: zone.dnssec,
                    account: zone.account.clone(),
                },
                ..Zone::default()
            };
            let mut put = |kind: &str, records: Vec<String>| {
                let rrset = Rrset { name: zone.name.clone(), kind: kind.into(), ttl: 3_600, records, owner: None };
                made.rrsets.insert((zone.name.clone(), kind.to_owned()), rrset);
            };
            let first = zone.nameservers.first().map_or("a.misconfigured.invalid", String::as_str);
            put("SOA", vec![format!("{first}. hostmaster.{}. 1 10800 3600 604800 300", zone.name)]);
            if !zone.nameservers.is_empty() {
                put("NS", zone.nameservers.iter().map(|name| format!("{name}.")).collect());
            }
            if zone.dnssec {
                made.keys.push(made_up(&zone.name, 1, true));
            }
            held.zones.insert(zone.name.clone(), made);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, zone: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            self.look(zone).await;
            Ok(self.held.lock().zones.remove(zone).is_some())
        })
    }

    fn change<'a>(&'a self, zone: &'a str, changes: &'a [Change]) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(zone, |found| {
                let mut next = found.rrsets.clone();
                for change in changes {
                    let at = (change.name().to_owned(), change.kind().to_owned());
                    match change {
                        Change::Replace(rrset) => {
                            for record in &rrset.records {
                                contents::canonical(&rrset.kind, record).map_err(crate::support::invalid)?;
                            }
                            next.insert(at, rrset.clone());
                        }
                        Change::Delete { .. } => drop(next.remove(&at)),
                    }
                }
                found.rrsets = next;
                found.head.serial += 1;
                Ok(())
            })
            .await
        })
    }

    fn metadata<'a>(&'a self, zone: &'a str) -> Answer<'a, BTreeMap<String, Vec<String>>> {
        Box::pin(async move { self.with(zone, |zone| Ok(zone.metadata.clone())).await })
    }

    fn set_account<'a>(&'a self, zone: &'a str, account: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(zone, |zone| {
                zone.head.account = account.to_owned();
                Ok(())
            })
            .await
        })
    }

    fn set_metadata<'a>(&'a self, zone: &'a str, kind: &'a str, values: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(zone, |zone| {
                match values.is_empty() {
                    true => drop(zone.metadata.remove(kind)),
                    false => drop(zone.metadata.insert(kind.to_owned(), values.to_vec())),
                }
                Ok(())
            })
            .await
        })
    }

    fn sign<'a>(&'a self, zone: &'a str, signed: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(zone, |found| {
                found.head.dnssec = signed;
                match signed {
                    true if found.keys.is_empty() => found.keys.push(made_up(zone, 1, true)),
                    true => {}
                    false => found.keys.clear(),
                }
                Ok(())
            })
            .await
        })
    }

    fn keys<'a>(&'a self, zone: &'a str) -> Answer<'a, Vec<ZoneKey>> {
        Box::pin(async move { self.with(zone, |zone| Ok(zone.keys.clone())).await })
    }

    fn add_key<'a>(&'a self, zone: &'a str, active: bool) -> Answer<'a, ZoneKey> {
        Box::pin(async move {
            self.with(zone, |found| {
                let id = found.keys.iter().map(|key| key.id).max().unwrap_or(0) + 1;
                let key = made_up(zone, id, active);
                found.keys.push(key.clone());
                found.head.dnssec = true;
                Ok(key)
            })
            .await
        })
    }

    fn set_key<'a>(&'a self, zone: &'a str, id: i64, active: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(zone, |zone| {
                zone.keys.iter_mut().filter(|key| key.id == id).for_each(|key| key.active = active);
                Ok(())
            })
            .await
        })
    }

    fn remove_key<'a>(&'a self, zone: &'a str, id: i64) -> Answer<'a, bool> {
        Box::pin(async move {
            self.with(zone, |zone| {
                let before = zone.keys.len();
                zone.keys.retain(|key| key.id != id);
                Ok(zone.keys.len() < before)
            })
            .await
        })
    }

    fn export<'a>(&'a self, zone: &'a str) -> Answer<'a, String> {
        Box::pin(async move {
            self.with(zone, |zone| {
                let line = |rrset: &Rrset, record: &String| {
                    format!("{}.\t{}\tIN\t{}\t{record}\n", rrset.name, rrset.ttl, rrset.kind)
                };
                Ok(zone
                    .rrsets
                    .values()
                    .flat_map(|rrset| rrset.records.iter().map(move |record| line(rrset, record)))
                    .collect())
            })
            .await
        })
    }
}

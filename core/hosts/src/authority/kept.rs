//! What an undo needs: what stood there before a step, and what the step put there, kept beside the zone on its name server,
//! where every machine finds it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use super::{Change, Hand, Rrset, Server};
use crate::owner::{Fate, run_of};

/// Metadata of a zone that begins so is what is kept. With the hash of the key it has 31 characters; 32 fit everywhere.
const PREFIX: &str = "X-UNDO-";

/// One value of metadata holds so many bytes at most: longer ones are cut off by some databases.
const PIECE: usize = 30_000;

/// Seconds after which nobody undoes anything any more.
const FORGOTTEN_S: u64 = 30 * 24 * 3_600;

/// What one step did to one rrset.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Did {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    before: Option<Rrset>,
    after: Option<Rrset>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    at_s: u64,
    /// The run whose step it was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    run: String,
    did: Vec<Did>,
}

fn kind(key: &str) -> String {
    format!("{PREFIX}{}", &blake3::hash(key.as_bytes()).to_hex()[..24].to_ascii_uppercase())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn read(values: &[String]) -> Option<Kept> {
    let mut pieces: Vec<&String> = values.iter().collect();
    pieces.sort();
    let text: String = pieces.iter().filter_map(|piece| piece.split_once(':')).map(|(_, text)| text).collect();
    serde_json::from_str(&text).ok()
}

fn written(kept: &Kept) -> Result<Vec<String>, Problem> {
    let text = serde_json::to_string(kept)
        .map_err(|error| Problem::new(Code::Internal, format!("what an undo needs can't be written: {error}")))?;
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = (0..=PIECE.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(format!("{:05}:{piece}", pieces.len()));
        rest = after;
    }
    Ok(pieces)
}

/// Keeps what stands there before these changes, unless an attempt before this one has. What is too old goes.
pub(super) async fn keep(
    server: &Server,
    zone: &str,
    key: &str,
    present: &[Rrset],
    changes: &[Change],
) -> Result<(), Problem> {
    let own = kind(key);
    let mut there = None;
    for (name, values) in server.backend.metadata(zone).await? {
        if name == own {
            there = read(&values);
        } else if name.starts_with(PREFIX) && read(&values).is_some_and(|kept| kept.at_s + FORGOTTEN_S < now_s()) {
            server.backend.set_metadata(zone, &name, &[]).await?;
        }
    }
    let mut all = there.map(|kept| kept.did).unwrap_or_default();
    // What an attempt before this one has kept, and what was taken over, stays.
    let new = |change: &&Change| !all.iter().any(|did| (&*did.name, &*did.kind) == (change.name(), change.kind()));
    let changes: Vec<&Change> = changes.iter().filter(new).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let did = changes.into_iter().map(|change| Did {
        name: change.name().to_owned(),
        kind: change.kind().to_owned(),
        before: present.iter().find(|one| one.name == change.name() && one.kind == change.kind()).cloned(),
        after: match change {
            Change::Replace(rrset) => Some(rrset.clone()),
            Change::Delete { .. } => None,
        },
    });
    all.extend(did);
    let kept = Kept { at_s: now_s(), run: run_of(key).to_string(), did: all };
    server.backend.set_metadata(zone, &own, &written(&kept)?).await
}

/// Of what is so already, what a run has made so that executes no more is this step's from now on: its own undo puts back what
/// was there before, and the other run's doesn't find it.
pub(super) async fn take_over(server: &Server, zone: &str, same: &[Change], hand: &Hand) -> Result<(), Problem> {
    let (Some(key), Some(runs), false) = (&hand.key, &hand.runs, same.is_empty()) else { return Ok(()) };
    let (own, run) = (kind(key), run_of(key));
    let notes = server.backend.metadata(zone).await?;
    let mut ours = notes.get(&own).and_then(|values| read(values)).map(|kept| kept.did).unwrap_or_default();
    let mut others: Vec<(String, Kept)> = Vec::new();
    for (name, values) in notes.into_iter().filter(|(name, _)| name.starts_with(PREFIX) && *name != own) {
        others.extend(read(&values).filter(|kept| !kept.run.is_empty()).map(|kept| (name, kept)));
    }
    others.sort_by_key(|(_, kept)| kept.at_s);
    let mut emptied = Vec::new();
    for change in same {
        let of = |did: &Did| (&*did.name, &*did.kind) == (change.name(), change.kind());
        // Only the last one has made it what it is.
        let Some((name, kept)) = others.iter_mut().rev().find(|(_, kept)| kept.did.iter().any(of)) else { continue };
        let is_so = |did: &Did| match (change, &did.after) {
            (Change::Replace(rrset), Some(after)) => rrset.same(after),
            (Change::Delete { .. }, None) => true,
            _ => false,
        };
        if kept.run == run.as_str()
            || !kept.did.iter().any(|did| of(did) && is_so(did))
            || runs.fate(&kept.run.as_str().into())? != Fate::Left
        {
            continue;
        }
        let (taken, rest) = std::mem::take(&mut kept.did).into_iter().partition::<Vec<_>, _>(|did| of(did));
        kept.did = rest;
        if !ours.iter().any(of) {
            ours.extend(taken);
        }
        emptied.push(name.clone());
    }
    if emptied.is_empty() {
        return Ok(());
    }
    hand.check()?;
    // Ours first: cut off between the two, the next attempt finds both.
    let kept = Kept { at_s: now_s(), run: run.to_string(), did: ours };
    server.backend.set_metadata(zone, &own, &written(&kept)?).await?;
    for (name, kept) in others.iter().filter(|(name, _)| emptied.contains(name)) {
        let values = if kept.did.is_empty() { Vec::new() } else { written(kept)? };
        server.backend.set_metadata(zone, name, &values).await?;
    }
    Ok(())
}

/// Drops what was kept for the undo of this run's steps.
pub(super) async fn forget(server: &Server, zone: &str, run: &str) -> Result<(), Problem> {
    for (name, values) in server.backend.metadata(zone).await? {
        // What was kept by an earlier version doesn't tell whose it is; that run can't be another one than the zone's.
        let of = |kept: Kept| kept.run.is_empty() || kept.run == run;
        if name.starts_with(PREFIX) && read(&values).is_some_and(of) {
            server.backend.set_metadata(zone, &name, &[]).await?;
        }
    }
    Ok(())
}

impl Server {
    /// Takes back what the step of this key did in a zone; whether it did anything. What somebody else has put there since
    /// stays, and is an error.
    pub async fn restore(&self, zone: &str, key: &str, hand: &Hand) -> Result<bool, Problem> {
        let _turn = self.turn(zone).await;
        if self.backend.zone(zone).await?.is_none() {
            return Ok(false);
        }
        let own = kind(key);
        let Some(kept) = self.backend.metadata(zone).await?.get(&own).and_then(|values| read(values)) else {
            return Ok(false);
        };
        let present = self.backend.rrsets(zone, None).await?;
        let same = |one: Option<&Rrset>, other: Option<&Rrset>| match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => one.same(other),
            _ => false,
        };
        let mut changes = Vec::new();
        for did in kept.did {
            let there = present.iter().find(|one| one.name == did.name && one.kind == did.kind);
            if same(there, did.before.as_ref()) {
                continue;
            }
            if !same(there, did.after.as_ref()) {
                let message = format!("{} {} in {zone} has been changed since by somebody else", did.name, did.kind);
                return Err(Problem::new(Code::Conflict, message)
                    .help("look at what stands there now: put it right by hand and skip this undo, or delete it and try again"));
            }
            changes.push(match did.before {
                Some(before) => Change::Replace(before),
                None => Change::Delete { name: did.name, kind: did.kind },
            });
        }
        hand.check()?;
        if !changes.is_empty() {
            self.backend.change(zone, &changes).await?;
        }
        // Last, so that an undo that was interrupted begins again.
        self.backend.set_metadata(zone, &own, &[]).await?;
        Ok(true)
    }
}

//! Which hash and group a lab has on this machine: its first one, unless another lab was there before.
//!
//! Four digits are few: with three hundred labs, two of them share some. So a lab has several candidates, in an order that follows
//! from what it is called, and takes the first that nobody else has. Nothing is kept of that: a lab that is there is found again by
//! its marks. Whoever makes something holds the lock, so a hash never gets two labs.

use std::collections::{HashMap, HashSet};

use windlass_model::{Code, Problem};

use super::{backend::NetBackend, types::Link};
use crate::{
    lab_id::LabId,
    lab_mark::Mark,
    lab_names::{LabNames, Parsed, parse},
};

/// What carries a hash.
#[derive(Default)]
struct Held<'a> {
    ours: bool,
    others: bool,
    /// Groups of links without a mark: halves that a crash has left, or a stranger's.
    unmarked: HashSet<u32>,
    spaces: Vec<&'a String>,
}

/// The names of a lab, looked up among what is there. `instance` is the whole id, `short` its digest as it stands in marks.
pub fn names(
    backend: &dyn NetBackend,
    id: &LabId,
    (instance, short): (&str, &str),
    links: &[Link],
    spaces: &[String],
) -> Result<LabNames, Problem> {
    let is_ours = |mark: &Mark| mark.instance == short && mark.lab == id.key;
    let mut held: HashMap<String, Held<'_>> = HashMap::new();
    let mut groups_of_others: HashSet<u32> = HashSet::new();
    for link in links {
        let mark = link.alias.as_deref().and_then(Mark::parse);
        if mark.as_ref().is_some_and(|mark| !is_ours(mark)) {
            groups_of_others.insert(link.group);
        }
        let Some(Parsed::Bridge { hash, .. } | Parsed::Vxlan { hash, .. } | Parsed::Interface { hash, .. }) =
            parse(&link.name)
        else {
            continue;
        };
        let of_hash = held.entry(hash).or_default();
        match mark {
            Some(mark) if is_ours(&mark) => of_hash.ours = true,
            Some(_) => of_hash.others = true,
            None => drop(of_hash.unmarked.insert(link.group)),
        }
    }
    for space in spaces {
        if let Some(Parsed::Namespace { hash, .. }) = parse(space) {
            held.entry(hash).or_default().spaces.push(space);
        }
    }
    let mut free = None;
    for names in LabNames::candidates(instance, &id.key) {
        let of_hash = held.get(names.hash());
        match of_hash.map_or(Ok(None), |held| owner(backend, held, &names, is_ours))? {
            Some(true) => return Ok(names),
            None if !groups_of_others.contains(&names.group()) => free = free.or(Some(names)),
            _ => {}
        }
    }
    free.ok_or_else(|| {
        Problem::new(
            Code::LimitExceeded,
            format!("every name in the kernel that the lab {} could have is taken", id.name),
        )
        .help("use another name for the lab, or remove labs from this machine")
        .no_effect()
    })
}

/// Whether a hash is this lab's; `None`: it is free.
fn owner(
    backend: &dyn NetBackend,
    held: &Held<'_>,
    names: &LabNames,
    is_ours: impl Fn(&Mark) -> bool,
) -> Result<Option<bool>, Problem> {
    if held.ours || held.others {
        return Ok(Some(held.ours));
    }
    // One namespace speaks for all.
    for space in &held.spaces {
        let alias = match backend.aliases(std::slice::from_ref(*space)).pop() {
            Some(Err(fault)) if !fault.missing() => {
                return Err(fault.problem(format!("reading the mark of the namespace {space}")));
            }
            answer => answer.and_then(Result::ok).flatten(),
        };
        if let Some(mark) = alias.as_deref().and_then(Mark::parse) {
            return Ok(Some(is_ours(&mark)));
        }
    }
    if held.unmarked.contains(&names.group()) {
        return Ok(Some(true));
    }
    // Another lab's half: it will be wanted back.
    Ok(held.unmarked.iter().any(|group| *group != 0).then_some(false))
}

//! A lab's connections and groups, brought into step with what the lab is to have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use windlass_model::Problem;

use super::{
    arguments::Connection,
    lab::{Kind, Lab, Thing},
    marks::{ROOT, encoded},
};
use crate::support::invalid;

/// Connections of one lab.
const CONNECTIONS: usize = 2_000;

/// Makes, changes and removes what differs; the same again changes nothing.
pub(super) async fn sync(lab: &Lab<'_>, wanted: &[Connection]) -> Result<Value, Problem> {
    check(wanted)?;
    let root = lab.root().await?;
    let (mut created, mut updated, mut unchanged) = (Vec::new(), Vec::new(), 0_u32);
    let groups = groups(lab, &root, wanted).await?;
    let there: BTreeMap<String, Thing> =
        lab.things(Kind::Connection).await?.into_iter().map(|thing| (thing.name.clone(), thing)).collect();
    for connection in wanted {
        let parent = connection.group.as_ref().and_then(|group| groups.get(group)).unwrap_or(&root);
        let body = connection.body(lab, parent)?;
        match there.get(&connection.name) {
            None => {
                lab.make(Kind::Connection, &connection.name, body).await?;
                created.push(connection.name.clone());
            }
            Some(thing) if is_as_wanted(lab, thing, &body).await? => unchanged += 1,
            Some(thing) => {
                lab.write(Kind::Connection, thing, with_kept(thing, body)).await?;
                updated.push(connection.name.clone());
            }
        }
    }
    let names: BTreeSet<&str> = wanted.iter().map(|connection| connection.name.as_str()).collect();
    let mut removed = Vec::new();
    for thing in there.values().filter(|thing| !names.contains(thing.name.as_str())) {
        if lab.drop_thing(Kind::Connection, &thing.id).await? {
            removed.push(thing.name.clone());
        }
    }
    let needed: BTreeSet<&str> = wanted.iter().filter_map(|connection| connection.group.as_deref()).collect();
    let surplus: Vec<Thing> =
        lab.things(Kind::Group).await?.into_iter().filter(|group| !needed.contains(group.name.as_str())).collect();
    let (gone, kept) = remove_groups(lab, surplus).await?;
    Ok(json!({ "group": root, "created": created, "updated": updated, "removed": removed, "unchanged": unchanged,
               "groups_removed": gone, "groups_kept": kept }))
}

/// Removes all that carries the lab's mark; for the undo of a step what that has made.
pub(super) async fn clean(lab: &Lab<'_>) -> Result<Value, Problem> {
    let mut removed = 0_u32;
    for kind in Kind::ALL {
        if kind == Kind::Group {
            continue;
        }
        for thing in lab.things(kind).await?.iter().filter(|thing| lab.may_remove(thing)) {
            removed += u32::from(lab.drop_thing(kind, &thing.id).await?);
            if kind == Kind::User {
                super::ops::forget_password(lab, &thing.name)?;
            }
        }
    }
    let mut groups = lab.things(Kind::Group).await?;
    groups.extend(lab.find_root().await?);
    groups.retain(|group| lab.may_remove(group));
    let (gone, kept) = remove_groups(lab, groups).await?;
    Ok(json!({ "removed": removed + u32::try_from(gone.len()).unwrap_or(u32::MAX), "kept": kept }))
}

fn check(wanted: &[Connection]) -> Result<(), Problem> {
    if wanted.len() > CONNECTIONS {
        return Err(invalid(format!("a lab has at most {CONNECTIONS} connections")));
    }
    let mut names = BTreeSet::new();
    for connection in wanted {
        connection.check()?;
        if !names.insert(&connection.name) {
            return Err(invalid(format!("the connection `{}` stands there twice", connection.name)));
        }
    }
    Ok(())
}

/// The groups that connections name, each with its id; made if they aren't there.
async fn groups(lab: &Lab<'_>, root: &str, wanted: &[Connection]) -> Result<BTreeMap<String, String>, Problem> {
    let mut groups: BTreeMap<String, String> =
        lab.things(Kind::Group).await?.into_iter().map(|thing| (thing.name, thing.id)).collect();
    let named: BTreeSet<&String> = wanted.iter().filter_map(|connection| connection.group.as_ref()).collect();
    for name in named {
        if !groups.contains_key(name) {
            let body = json!({ "parentIdentifier": root, "name": name, "type": "ORGANIZATIONAL", "attributes": {} });
            groups.insert(name.clone(), lab.make(Kind::Group, name, body).await?.id);
        }
    }
    Ok(groups)
}

/// Whether a connection is what it is to be. What nobody asked for is Guacamole's own business.
async fn is_as_wanted(lab: &Lab<'_>, thing: &Thing, body: &Value) -> Result<bool, Problem> {
    let same = ["name", "protocol", "parentIdentifier"].into_iter().all(|field| thing.object[field] == body[field]);
    let attributes = body["attributes"].as_object().into_iter().flatten();
    if !same || !attributes.into_iter().all(|(name, value)| thing.object["attributes"][name] == *value) {
        return Ok(false);
    }
    let held = lab.desk.get(&format!("{}/{}/parameters", Kind::Connection.path(), encoded(&thing.id))).await?;
    let set = |parameters: &Value| -> BTreeMap<String, String> {
        let all = parameters.as_object().into_iter().flatten();
        let texts = all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        // One that is empty and one that isn't there are the same to guacd.
        texts.filter(|(_, value)| !value.is_empty()).collect()
    };
    Ok(set(&held) == set(&body["parameters"]))
}

/// A body that leaves the attributes as they are that it doesn't name.
pub(super) fn with_kept(thing: &Thing, mut body: Value) -> Value {
    for (name, value) in thing.object["attributes"].as_object().into_iter().flatten() {
        if body["attributes"].get(name).is_none() {
            body["attributes"][name] = value.clone();
        }
    }
    body
}

/// Removes groups in which nothing stands, those within others first; and the names of those that stay, with what is in them.
async fn remove_groups(lab: &Lab<'_>, mut groups: Vec<Thing>) -> Result<(Vec<String>, Vec<Value>), Problem> {
    let mut gone = Vec::new();
    loop {
        let before = gone.len();
        let mut left = Vec::new();
        for group in groups {
            match lab.inside(&group.id).await?.is_empty() {
                true => {
                    lab.drop_thing(Kind::Group, &group.id).await?;
                    gone.push(group.name);
                }
                false => left.push(group),
            }
        }
        groups = left;
        if groups.is_empty() || gone.len() == before {
            break;
        }
    }
    let mut kept = Vec::new();
    for group in &groups {
        let name = if group.name == ROOT { lab.id.name.as_str() } else { group.name.as_str() };
        kept.push(json!({ "group": name, "inside": lab.inside(&group.id).await? }));
    }
    Ok((gone, kept))
}

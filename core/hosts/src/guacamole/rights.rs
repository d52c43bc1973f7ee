//! Who may use what: permissions of the lab's users and user groups on the lab's things.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{
    lab::{Kind, Lab, Thing},
    marks::{OURS, encoded},
};
use crate::support::invalid;

/// What a step may grant at once.
const GRANTS: usize = 1_000;
/// What a script may grant: whoever may update a thing could rewrite the mark that says whose it is.
const GRANTED: [&str; 1] = ["READ"];
/// What Guacamole knows on things: what may be taken away.
const WORDS: [&str; 4] = ["READ", "UPDATE", "DELETE", "ADMINISTER"];

/// Who, as scripts write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Who {
    User(String),
    UserGroup(String),
}

/// What, as scripts write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Right {
    connection: Option<String>,
    group: Option<String>,
    sharing_profile: Option<String>,
    #[serde(default = "read")]
    permissions: Vec<String>,
}

fn read() -> Vec<String> {
    vec!["READ".into()]
}

/// A place in a set of permissions, and a word: what a patch adds or removes.
type Entry = (String, String);

/// The user or user group, with its kind.
pub(super) async fn holder(lab: &Lab<'_>, who: &Who) -> Result<(Kind, Thing), Problem> {
    let (kind, name) = match who {
        Who::User(name) => (Kind::User, name),
        Who::UserGroup(name) => (Kind::UserGroup, name),
    };
    Ok((kind, lab.need(kind, name).await?))
}

fn path(kind: Kind, thing: &Thing) -> String {
    format!("{}/{}/permissions", kind.path(), encoded(&thing.id))
}

/// What somebody may do, as Guacamole tells it.
pub(super) async fn permissions(lab: &Lab<'_>, who: &Who) -> Result<Value, Problem> {
    let (kind, thing) = holder(lab, who).await?;
    let held = lab.desk.get(&path(kind, &thing)).await?;
    let mut shown = json!({ "system": held["systemPermissions"] });
    let sets = [(Kind::Connection, "connections"), (Kind::Group, "groups"), (Kind::Profile, "sharing_profiles")];
    for (kind, field) in sets {
        let names = lab.things(kind).await?;
        let named = names.iter().filter(|thing| held[set(kind)][&thing.id].is_array());
        shown[field] = named.map(|thing| (thing.name.clone(), held[set(kind)][&thing.id].clone())).collect();
    }
    Ok(shown)
}

fn set(kind: Kind) -> &'static str {
    match kind {
        Kind::Connection => "connectionPermissions",
        Kind::Group => "connectionGroupPermissions",
        Kind::Profile => "sharingProfilePermissions",
        Kind::User => "userPermissions",
        Kind::UserGroup => "userGroupPermissions",
    }
}

/// What is asked for, of things of the lab only. Whoever may read a connection has to read the groups around it to find it.
async fn entries(lab: &Lab<'_>, rights: &[Right], grants: bool) -> Result<BTreeSet<Entry>, Problem> {
    if rights.len() > GRANTS {
        return Err(invalid(format!("at most {GRANTS} permissions at once")));
    }
    let mut entries = BTreeSet::new();
    for right in rights {
        let named = [
            (Kind::Connection, &right.connection),
            (Kind::Group, &right.group),
            (Kind::Profile, &right.sharing_profile),
        ];
        let mut named = named.into_iter().filter_map(|(kind, name)| Some((kind, name.as_ref()?)));
        let (Some((kind, name)), None) = (named.next(), named.next()) else {
            return Err(invalid("a permission names one of `connection`, `group` and `sharing_profile`"));
        };
        let words = if grants { &GRANTED[..] } else { &WORDS };
        if let Some(word) = right.permissions.iter().find(|word| !words.contains(&word.as_str())) {
            let message = format!("`{}` isn't one of {}", word.escape_debug(), words.join(", "));
            return Err(match grants {
                true => invalid(message)
                    .help("a lab's things are changed by its workflows: people may look and connect, which is READ"),
                false => invalid(message),
            });
        }
        let thing = lab.need(kind, name).await?;
        let place = format!("/{}/{}", set(kind), thing.id);
        entries.extend(right.permissions.iter().map(|word| (place.clone(), word.clone())));
        if grants && kind != Kind::Profile {
            entries.extend(around(lab, &thing).await?.into_iter().map(|group| (group, "READ".to_owned())));
        }
    }
    Ok(entries)
}

/// The lab's groups that a thing stands in.
async fn around(lab: &Lab<'_>, thing: &Thing) -> Result<Vec<String>, Problem> {
    let mut groups = lab.things(Kind::Group).await?;
    groups.extend(lab.find_root().await?);
    let (mut found, mut place) = (Vec::new(), thing.object["parentIdentifier"].clone());
    while let Some(index) = groups.iter().position(|group| place == group.id.as_str()) {
        let group = groups.swap_remove(index);
        found.push(format!("/{}/{}", set(Kind::Group), group.id));
        place = group.object["parentIdentifier"].clone();
    }
    Ok(found)
}

fn patch(op: &str, entries: impl IntoIterator<Item = Entry>) -> Value {
    entries.into_iter().map(|(path, value)| json!({ "op": op, "path": path, "value": value })).collect()
}

/// The attribute under which is kept what a step has granted, and wasn't there before: what its undo takes back.
fn note(key: &str) -> String {
    format!("{OURS}granted-{}", &blake3::hash(key.as_bytes()).to_hex()[..16])
}

/// Adds what isn't there.
pub(super) async fn grant(lab: &Lab<'_>, who: &Who, rights: &[Right]) -> Result<Value, Problem> {
    let wanted = entries(lab, rights, true).await?;
    let (kind, thing) = holder(lab, who).await?;
    let held = lab.desk.get(&path(kind, &thing)).await?;
    let is_held = |(place, word): &Entry| {
        let (set, id) = place.trim_start_matches('/').split_once('/').unwrap_or_default();
        held[set][id].as_array().is_some_and(|words| words.iter().any(|held| held == word.as_str()))
    };
    let missing: BTreeSet<Entry> = wanted.into_iter().filter(|entry| !is_held(entry)).collect();
    if missing.is_empty() {
        return Ok(json!({ "granted": 0 }));
    }
    // Noted first: what a crash leaves in between is taken back, or granted by a repeat.
    let mut noted: BTreeSet<Entry> = noted(&thing, &lab.cx.key);
    noted.extend(missing.iter().cloned());
    keep_note(lab, kind, &thing, &lab.cx.key, Some(&noted)).await?;
    lab.desk.patch(&path(kind, &thing), &patch("add", missing.clone())).await?;
    Ok(json!({ "granted": missing.len() }))
}

/// Removes what is named; for an undo what its step has granted, and wasn't there before.
pub(super) async fn revoke(lab: &Lab<'_>, who: &Who, rights: &[Right]) -> Result<Value, Problem> {
    let Some(key) = &lab.cx.undoes else {
        let (kind, thing) = holder(lab, who).await?;
        let wanted = entries(lab, rights, false).await?;
        let count = wanted.len();
        lab.desk.patch(&path(kind, &thing), &patch("remove", wanted)).await?;
        return Ok(json!({ "revoked": count }));
    };
    let (kind, thing) = match holder(lab, who).await {
        Ok(found) => found,
        // Whoever isn't there any more may do nothing.
        Err(problem) if problem.code == Code::NotFound => return Ok(json!({ "revoked": 0 })),
        Err(problem) => return Err(problem),
    };
    let noted = noted(&thing, key);
    if noted.is_empty() {
        return Ok(json!({ "revoked": 0 }));
    }
    lab.desk.patch(&path(kind, &thing), &patch("remove", noted.clone())).await?;
    keep_note(lab, kind, &thing, key, None).await?;
    Ok(json!({ "revoked": noted.len() }))
}

fn noted(thing: &Thing, key: &str) -> BTreeSet<Entry> {
    let text = thing.object["attributes"][note(key)].as_str().unwrap_or("[]");
    serde_json::from_str(text).unwrap_or_default()
}

async fn keep_note(
    lab: &Lab<'_>,
    kind: Kind,
    thing: &Thing,
    key: &str,
    noted: Option<&BTreeSet<Entry>>,
) -> Result<(), Problem> {
    let text = noted.map(|noted| json!(noted).to_string());
    if text.as_ref().is_some_and(|text| text.len() > 4_096) {
        return Err(invalid("so many permissions can't be noted for the undo: grant them in several steps")
            .help("Guacamole keeps 4096 characters of an attribute"));
    }
    let mut body = thing.object.clone();
    body["attributes"][note(key)] = text.map_or(Value::Null, Value::String);
    lab.write(kind, thing, body).await
}

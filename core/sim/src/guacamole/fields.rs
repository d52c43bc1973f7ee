//! Which fields each kind of object has, and the attributes that the database has columns for.

use serde_json::{Map, Value, json};

/// The collections, in the order in which one may stand in another.
pub(super) const COLLECTIONS: [&str; 5] = ["users", "userGroups", "connectionGroups", "connections", "sharingProfiles"];

/// Attributes that the database has columns for; everything else is kept as it is, if at all.
fn mapped(collection: &str) -> &'static [&'static str] {
    match collection {
        "connections" => &[
            "guacd-encryption",
            "failover-only",
            "weight",
            "max-connections",
            "guacd-hostname",
            "guacd-port",
            "max-connections-per-user",
        ],
        "connectionGroups" => &["max-connections", "max-connections-per-user", "enable-session-affinity"],
        "users" => &[
            "guac-email-address",
            "guac-organizational-role",
            "guac-full-name",
            "guac-organization",
            "expired",
            "timezone",
            "access-window-start",
            "access-window-end",
            "disabled",
            "valid-from",
            "valid-until",
        ],
        "userGroups" => &["disabled"],
        _ => &[],
    }
}

/// The name of the set that permissions on such objects stand in.
pub(super) fn permissions_on(collection: &str) -> &'static str {
    match collection {
        "users" => "userPermissions",
        "userGroups" => "userGroupPermissions",
        "connectionGroups" => "connectionGroupPermissions",
        "sharingProfiles" => "sharingProfilePermissions",
        "activeConnections" => "activeConnectionPermissions",
        _ => "connectionPermissions",
    }
}

/// What somebody needs to make one.
pub(super) fn to_create(collection: &str) -> &'static str {
    match collection {
        "users" => "CREATE_USER",
        "userGroups" => "CREATE_USER_GROUP",
        "connectionGroups" => "CREATE_CONNECTION_GROUP",
        "sharingProfiles" => "CREATE_SHARING_PROFILE",
        _ => "CREATE_CONNECTION",
    }
}

/// `The connection "r1" already exists.`
pub(super) fn taken(collection: &str, name: &str) -> String {
    match collection {
        "users" => format!("User \"{name}\" already exists."),
        "userGroups" => format!("Group \"{name}\" already exists."),
        "connectionGroups" => format!("The connection group \"{name}\" already exists."),
        "sharingProfiles" => format!("The sharing profile \"{name}\" already exists."),
        _ => format!("The connection \"{name}\" already exists."),
    }
}

/// The field that an object is known by.
pub(super) fn id_field(collection: &str) -> &'static str {
    if collection == "users" { "username" } else { "identifier" }
}

/// What an object is known by.
pub(super) fn id_of(collection: &str, object: &Value) -> String {
    object[id_field(collection)].as_str().unwrap_or_default().to_owned()
}

/// Whether its name is what it is known by.
pub(super) fn is_named_by_maker(collection: &str) -> bool {
    collection == "users" || collection == "userGroups"
}

/// What stands in a place of which names are unique.
pub(super) fn place(collection: &str, object: &Value) -> Value {
    match collection {
        "connections" | "connectionGroups" => object["parentIdentifier"].clone(),
        "sharingProfiles" => object["primaryConnectionIdentifier"].clone(),
        _ => Value::Null,
    }
}

/// Attributes after some were set: those with a column are always there, null or text; others by what they were given.
pub(super) fn attributes(collection: &str, held: &Value, given: &Value, keeps_others: bool) -> Value {
    let mut attributes = held.as_object().cloned().unwrap_or_default();
    let columns = mapped(collection);
    for name in columns {
        // What isn't sent is emptied: it has a column of its own.
        let text = given[*name].as_str().filter(|text| !text.is_empty());
        attributes.insert((*name).to_owned(), json!(text));
    }
    let others: Map<String, Value> = given.as_object().cloned().unwrap_or_default();
    for (name, value) in others.into_iter().filter(|(name, _)| keeps_others && !columns.contains(&name.as_str())) {
        match value.as_str() {
            Some(text) => attributes.insert(name, text.into()),
            None => attributes.remove(&name),
        };
    }
    Value::Object(attributes)
}

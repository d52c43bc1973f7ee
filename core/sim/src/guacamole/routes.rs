//! Paths of a datasource, and who may ask what.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Reply,
    directory::Directory,
    fields::{self, COLLECTIONS},
    refusal::Refusal,
};
use crate::Request;

/// The name of what is asked, for faults and the record: `connections.create`.
pub(super) fn operation(request: &Request) -> String {
    let segments = request.segments();
    let all: Vec<&str> = segments.iter().map(String::as_str).collect();
    let verb = |single: bool| match (&request.method, single) {
        (&Method::GET, true) => "get",
        (&Method::GET, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, _) => "delete",
        _ => "other",
    };
    match all.as_slice() {
        ["guacamole", "api", "tokens", ..] => format!("tokens.{}", verb(true)),
        ["guacamole", "api", "session"] => format!("session.{}", verb(true)),
        ["guacamole", "api", "session", "data", _, one] => format!("{one}.{}", verb(false)),
        ["guacamole", "api", "session", "data", _, one, _] => format!("{one}.{}", verb(true)),
        ["guacamole", "api", "session", "data", _, one, _, part, ..] => format!("{one}.{part}.{}", verb(true)),
        _ => "unknown".into(),
    }
}

pub(super) fn route(directory: &mut Directory, user: &str, request: &Request, path: &[&str]) -> Reply {
    match (&request.method, path) {
        (&Method::GET, ["self"]) => directory.get("users", user).map(Some),
        (&Method::GET, ["self", "permissions"]) => Ok(Some(directory.rights.shown("users", user, false))),
        (&Method::GET, ["self", "effectivePermissions"]) => Ok(Some(directory.rights.shown("users", user, true))),
        (&Method::GET, ["activeConnections"]) => Ok(Some(sessions(directory, user))),
        (&Method::GET, ["activeConnections", id]) => sessions(directory, user)
            .get(*id)
            .cloned()
            .map(Some)
            .ok_or_else(|| Refusal::not_found(&format!("Not found: \"{id}\""))),
        (&Method::DELETE, ["activeConnections", id]) => end(directory, user, id),
        (&Method::PATCH, ["activeConnections"]) => {
            removals(&json_of(request)?)?.iter().try_for_each(|id| end(directory, user, id).map(drop)).map(|()| None)
        }
        (&Method::GET, ["history", "connections"]) => {
            let sees = |entry: &Value| {
                directory.rights.may(
                    user,
                    "connectionPermissions",
                    entry["connectionIdentifier"].as_str().unwrap_or_default(),
                    "READ",
                )
            };
            Ok(Some(directory.history().into_iter().filter(sees).collect()))
        }
        (&Method::GET, ["history", "users"]) => Ok(Some(json!([]))),
        (&Method::GET, ["schema", "protocols"]) => {
            let names = ["kubernetes", "rdp", "ssh", "telnet", "vnc"];
            Ok(Some(
                names
                    .into_iter()
                    .map(|name| {
                        (name.to_owned(), json!({ "name": name, "connectionForms": [], "sharingProfileForms": [] }))
                    })
                    .collect::<Map<_, _>>()
                    .into(),
            ))
        }
        (&Method::GET, ["schema", _]) => Ok(Some(json!([]))),
        (_, [collection, rest @ ..]) if COLLECTIONS.contains(collection) => {
            objects(directory, user, request, collection, rest)
        }
        _ => Err(Refusal::not_found("HTTP 404 Not Found")),
    }
}

fn json_of(request: &Request) -> Result<Value, Refusal> {
    request.json().map_err(|_| Refusal::bad("The request body is not valid JSON."))
}

/// The identifiers that a patch removes; nothing else can be patched in 1.5.
fn removals(patch: &Value) -> Result<Vec<String>, Refusal> {
    let steps = patch.as_array().ok_or_else(|| Refusal::bad("Patches must be an array."))?;
    let removal =
        |step: &Value| match (step["op"].as_str(), step["path"].as_str().and_then(|path| path.strip_prefix('/'))) {
            (Some("remove"), Some(id)) => Ok(id.to_owned()),
            _ => Err(Refusal::unsupported("Unsupported patch operation.")),
        };
    steps.iter().map(removal).collect()
}

fn sessions(directory: &Directory, user: &str) -> Value {
    let sees = |session: &Value| {
        session["username"] == user
            || directory.rights.may(
                user,
                "connectionPermissions",
                session["connectionIdentifier"].as_str().unwrap_or_default(),
                "ADMINISTER",
            )
    };
    directory
        .sessions()
        .iter()
        .filter(|(_, session)| sees(session))
        .map(|(id, session)| (id.clone(), session.clone()))
        .collect::<Map<_, _>>()
        .into()
}

fn end(directory: &mut Directory, user: &str, id: &str) -> Reply {
    if sessions(directory, user).get(id).is_none() {
        return Err(Refusal::not_found(&format!("Not found: \"{id}\"")));
    }
    directory.end(id, 0).map(|()| None)
}

fn objects(directory: &mut Directory, user: &str, request: &Request, collection: &str, path: &[&str]) -> Reply {
    let set = fields::permissions_on(collection);
    let demand = |directory: &Directory, id: &str, word: &str| -> Result<(), Refusal> {
        let own = collection == "users" && id == user && word == "READ";
        let root = collection == "connectionGroups" && id == "ROOT" && word == "READ";
        match own || root || directory.rights.may(user, set, id, word) {
            true => Ok(()),
            // Who may not even see it isn't told that it is there.
            false if !directory.is_there(collection, id) || !directory.rights.may(user, set, id, "READ") => {
                Err(Refusal::not_found(&format!("Not found: \"{id}\"")))
            }
            false => Err(Refusal::denied()),
        }
    };
    match (&request.method, path) {
        (&Method::GET, []) => {
            let all =
                directory.shown(collection).into_iter().map(|object| (fields::id_of(collection, &object), object));
            let seen = all.filter(|(id, _)| demand(directory, id, "READ").is_ok());
            Ok(Some(seen.collect::<Map<_, _>>().into()))
        }
        (&Method::POST, []) => {
            let body = json_of(request)?;
            if !directory.rights.may(user, "systemPermissions", "", fields::to_create(collection)) {
                return Err(Refusal::denied());
            }
            let parent = body["parentIdentifier"].as_str().unwrap_or("ROOT");
            if parent != "ROOT" && !directory.rights.may(user, "connectionGroupPermissions", parent, "UPDATE") {
                return Err(Refusal::denied());
            }
            directory.create(collection, &body, user).map(Some)
        }
        (&Method::PATCH, []) => {
            let ids = removals(&json_of(request)?)?;
            ids.iter().try_for_each(|id| demand(directory, id, "DELETE"))?;
            ids.iter().try_for_each(|id| directory.remove(collection, id)).map(|()| None)
        }
        (&Method::GET, [id]) => {
            demand(directory, id, "READ")?;
            directory.get(collection, id).map(Some)
        }
        (&Method::PUT, [id]) => {
            demand(directory, id, "UPDATE")?;
            directory.update(collection, id, &json_of(request)?).map(|()| None)
        }
        (&Method::DELETE, [id]) => {
            demand(directory, id, "DELETE")?;
            if collection == "users" && *id == user {
                return Err(Refusal::denied());
            }
            directory.remove(collection, id).map(|()| None)
        }
        (&Method::GET, [id, "parameters"]) if ["connections", "sharingProfiles"].contains(&collection) => {
            demand(directory, id, "UPDATE")?;
            Ok(Some(directory.parameters(collection, id)))
        }
        (&Method::GET, [id, "history"]) => {
            demand(directory, id, "READ")?;
            let of = |entry: &Value| entry["connectionIdentifier"] == *id || entry["username"] == *id;
            Ok(Some(directory.history().into_iter().filter(of).collect()))
        }
        (&Method::GET, [id, "tree"]) if collection == "connectionGroups" => {
            demand(directory, id, "READ")?;
            let sees =
                |collection: &str, id: &str| directory.rights.may(user, fields::permissions_on(collection), id, "READ");
            directory.tree(id, &sees).map(Some)
        }
        (method, [id, part]) if collection == "users" || collection == "userGroups" => {
            demand(directory, id, if *method == Method::GET { "READ" } else { "UPDATE" })?;
            holder(directory, request, collection, id, part)
        }
        _ => Err(Refusal::not_found("HTTP 404 Not Found")),
    }
}

/// What belongs to a user or a user group.
fn holder(directory: &mut Directory, request: &Request, collection: &str, id: &str, part: &str) -> Reply {
    let there: Vec<String> = directory
        .shown(if part == "memberUsers" { "users" } else { "userGroups" })
        .iter()
        .map(|object| fields::id_of(if part == "memberUsers" { "users" } else { "userGroups" }, object))
        .collect();
    let is_there = |name: &str| there.iter().any(|known| known == name);
    match (&request.method, collection, part) {
        (&Method::GET, _, "permissions") => Ok(Some(directory.rights.shown(collection, id, false))),
        (&Method::GET, "users", "effectivePermissions") => Ok(Some(directory.rights.shown(collection, id, true))),
        (&Method::PATCH, _, "permissions") => {
            directory.rights.patch((collection, id), &json_of(request)?).map(|()| None)
        }
        (&Method::GET, "users", "userGroups") => Ok(Some(directory.rights.groups(id))),
        (&Method::GET, "userGroups", "memberUsers") => Ok(Some(directory.rights.members(id))),
        (&Method::GET, "userGroups", "memberUserGroups" | "userGroups") => Ok(Some(json!([]))),
        (&Method::PATCH, "users", "userGroups") => directory
            .rights
            .patch_members(&json_of(request)?, |group| (group.to_owned(), id.to_owned()), is_there)
            .map(|()| None),
        (&Method::PATCH, "userGroups", "memberUsers") => directory
            .rights
            .patch_members(&json_of(request)?, |user| (id.to_owned(), user.to_owned()), is_there)
            .map(|()| None),
        (&Method::PUT, "users", "password") => {
            let body = json_of(request)?;
            if !directory.is_password(id, body["oldPassword"].as_str().unwrap_or_default()) {
                return Err(Refusal::denied());
            }
            let mut user = directory.get("users", id)?;
            user["password"] = body["newPassword"].clone();
            directory.update("users", id, &user).map(|()| None)
        }
        _ => Err(Refusal::not_found("HTTP 404 Not Found")),
    }
}

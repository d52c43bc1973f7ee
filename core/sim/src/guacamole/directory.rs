//! The database: objects, their parameters, sessions, and what goes with what.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

use serde_json::{Map, Value, json};

use super::{
    fields::{self, COLLECTIONS},
    refusal::Refusal,
    rights::Rights,
};

struct Object {
    /// As the API shows it.
    shown: Value,
    parameters: Map<String, Value>,
    password: Option<String>,
}

/// Everything that is kept.
pub(super) struct Directory {
    objects: BTreeMap<&'static str, BTreeMap<String, Object>>,
    pub(super) rights: Rights,
    sessions: BTreeMap<String, Value>,
    history: Vec<Value>,
    next: u64,
    keeps_attributes: bool,
}

impl Directory {
    pub(super) fn new(keeps_attributes: bool) -> Self {
        Self {
            objects: COLLECTIONS.iter().map(|collection| (*collection, BTreeMap::new())).collect(),
            rights: Rights::default(),
            sessions: BTreeMap::new(),
            history: Vec::new(),
            next: 1,
            keeps_attributes,
        }
    }

    pub(super) fn add_administrator(&mut self, name: &str, password: &str) {
        let body = json!({ "username": name, "password": password, "attributes": {} });
        let _ = self.create("users", &body, name);
        self.rights.give(("users", name), "systemPermissions", "", "ADMINISTER");
    }

    pub(super) fn is_password(&self, user: &str, password: &str) -> bool {
        let object = self.objects["users"].get(user);
        object.is_some_and(|user| {
            user.password.as_deref() == Some(password) && user.shown["attributes"]["disabled"] != "true"
        })
    }

    pub(super) fn is_there(&self, collection: &str, id: &str) -> bool {
        self.of(collection).is_some_and(|all| all.contains_key(id))
            || (collection == "connectionGroups" && id == "ROOT")
    }

    pub(super) fn count(&self) -> usize {
        self.objects.values().map(BTreeMap::len).sum()
    }

    fn of(&self, collection: &str) -> Option<&BTreeMap<String, Object>> {
        self.objects.get(collection)
    }

    pub(super) fn shown(&self, collection: &str) -> Vec<Value> {
        self.of(collection)
            .into_iter()
            .flat_map(|all| all.keys())
            .filter_map(|id| self.get(collection, id).ok())
            .collect()
    }

    pub(super) fn parameters(&self, collection: &str, id: &str) -> Value {
        let object = self.of(collection).and_then(|all| all.get(id));
        object.map_or(Value::Null, |object| Value::Object(object.parameters.clone()))
    }

    pub(super) fn get(&self, collection: &str, id: &str) -> Result<Value, Refusal> {
        if collection == "connectionGroups" && id == "ROOT" {
            return Ok(
                json!({ "name": "ROOT", "identifier": "ROOT", "type": "ORGANIZATIONAL", "activeConnections": 0, "attributes": {} }),
            );
        }
        let object = self.of(collection).and_then(|all| all.get(id));
        let mut shown = object.ok_or_else(|| Refusal::not_found(&format!("Not found: \"{id}\"")))?.shown.clone();
        if collection == "connections" {
            let open = self.sessions.values().filter(|session| session["connectionIdentifier"] == id).count();
            shown["activeConnections"] = open.into();
        }
        Ok(shown)
    }

    /// Makes one; whoever does may do everything with it.
    pub(super) fn create(&mut self, collection: &str, body: &Value, maker: &str) -> Result<Value, Refusal> {
        let id = match fields::is_named_by_maker(collection) {
            true => fields::id_of(collection, body),
            false => self.next.to_string(),
        };
        if id.trim().is_empty() {
            return Err(Refusal::bad("The username must not be blank."));
        }
        if fields::is_named_by_maker(collection) && self.is_there(collection, &id) {
            return Err(Refusal::bad(fields::taken(collection, &id)));
        }
        let shown = self.shape(collection, &id, &Value::Null, body)?;
        let object = Object {
            shown: shown.clone(),
            parameters: body["parameters"].as_object().cloned().unwrap_or_default(),
            password: body["password"].as_str().map(str::to_owned),
        };
        self.next += 1;
        self.objects.entry(known(collection)).or_default().insert(id.clone(), object);
        for word in ["READ", "UPDATE", "DELETE", "ADMINISTER"] {
            self.rights.give(("users", maker), fields::permissions_on(collection), &id, word);
        }
        Ok(shown)
    }

    pub(super) fn update(&mut self, collection: &str, id: &str, body: &Value) -> Result<(), Refusal> {
        let held = self.get(collection, id)?;
        if fields::is_named_by_maker(collection) && fields::id_of(collection, body) != id {
            return Err(Refusal::bad("Username does not match that of the specified user."));
        }
        let shown = self.shape(collection, id, &held, body)?;
        let Some(object) = self.objects.get_mut(collection).and_then(|all| all.get_mut(id)) else {
            return Err(Refusal::not_found(&format!("Not found: \"{id}\"")));
        };
        object.shown = shown;
        if let Some(parameters) = body["parameters"].as_object() {
            object.parameters = parameters.clone();
        }
        if let Some(password) = body["password"].as_str() {
            object.password = Some(password.to_owned());
        }
        Ok(())
    }

    /// The fields of an object from what was sent.
    fn shape(&self, collection: &str, id: &str, held: &Value, body: &Value) -> Result<Value, Refusal> {
        let attributes =
            fields::attributes(collection, &held["attributes"], &body["attributes"], self.keeps_attributes);
        let mut shown = json!({ "attributes": attributes });
        shown[fields::id_field(collection)] = id.into();
        if fields::is_named_by_maker(collection) {
            return Ok(shown);
        }
        let name = body["name"].as_str().unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Refusal::bad("The name must not be blank."));
        }
        if name.chars().count() > 128 {
            return Err(Refusal::internal());
        }
        shown["name"] = name.into();
        match collection {
            "sharingProfiles" => {
                let connection = body["primaryConnectionIdentifier"].as_str().unwrap_or_default();
                if !self.is_there("connections", connection) {
                    return Err(Refusal::internal());
                }
                shown["primaryConnectionIdentifier"] = connection.into();
            }
            _ => {
                let parent = body["parentIdentifier"].as_str().unwrap_or("ROOT");
                // What the database refuses isn't explained.
                if !self.is_there("connectionGroups", parent) || (collection == "connectionGroups" && parent == id) {
                    return Err(Refusal::internal());
                }
                shown["parentIdentifier"] = parent.into();
                shown["activeConnections"] = 0.into();
            }
        }
        if collection == "connections" {
            let protocol = body["protocol"].as_str().filter(|protocol| !protocol.is_empty());
            shown["protocol"] = protocol.ok_or_else(|| Refusal::bad("The protocol must not be blank."))?.into();
        }
        if collection == "connectionGroups" {
            shown["type"] = body["type"].as_str().unwrap_or("ORGANIZATIONAL").into();
        }
        let place = fields::place(collection, &shown);
        let twin = self.of(collection).into_iter().flatten().any(|(other, object)| {
            other != id && object.shown["name"] == name && fields::place(collection, &object.shown) == place
        });
        if twin { Err(Refusal::bad(fields::taken(collection, name))) } else { Ok(shown) }
    }

    /// Removes one, and all that stands in it.
    pub(super) fn remove(&mut self, collection: &str, id: &str) -> Result<(), Refusal> {
        let removed = self.objects.get_mut(collection).and_then(|all| all.remove(id));
        removed.ok_or_else(|| Refusal::not_found(&format!("Not found: \"{id}\"")))?;
        self.rights.forget(collection, fields::permissions_on(collection), id);
        let inside = |object: &Value, of: &str| {
            (collection == "connectionGroups" && of != "sharingProfiles" && object["parentIdentifier"] == id)
                || (collection == "connections"
                    && of == "sharingProfiles"
                    && object["primaryConnectionIdentifier"] == id)
        };
        for of in ["connectionGroups", "connections", "sharingProfiles"] {
            let all: Vec<String> = self.objects[of]
                .iter()
                .filter(|(_, object)| inside(&object.shown, of))
                .map(|(id, _)| id.clone())
                .collect();
            all.into_iter().try_for_each(|id| self.remove(of, &id))?;
        }
        if collection == "connections" {
            let closed: Vec<String> = self
                .sessions
                .iter()
                .filter(|(_, session)| session["connectionIdentifier"] == id)
                .map(|(id, _)| id.clone())
                .collect();
            closed.iter().for_each(|id| drop(self.end(id, 0)));
        }
        Ok(())
    }

    /// A group with all that is in it.
    pub(super) fn tree(&self, id: &str, sees: &dyn Fn(&str, &str) -> bool) -> Result<Value, Refusal> {
        let mut group = self.get("connectionGroups", id)?;
        let within = |collection: &str| -> Vec<String> {
            let all = self.of(collection).into_iter().flatten();
            all.filter(|(own, object)| object.shown["parentIdentifier"] == id && sees(collection, own))
                .map(|(id, _)| id.clone())
                .collect()
        };
        let groups: Result<Vec<Value>, Refusal> =
            within("connectionGroups").iter().map(|id| self.tree(id, sees)).collect();
        let connections: Result<Vec<Value>, Refusal> =
            within("connections").iter().map(|id| self.get("connections", id)).collect();
        group["childConnectionGroups"] = groups?.into();
        group["childConnections"] = connections?.into();
        Ok(group)
    }

    pub(super) fn open(&mut self, connection: &str, user: &str, now_ms: i64) -> String {
        let half = || RandomState::new().hash_one(());
        let (a, b) = (half(), half());
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        );
        let session = json!({ "identifier": id, "connectionIdentifier": connection, "startDate": now_ms, "remoteHost": "127.0.0.1",
                              "username": user, "connectable": true });
        self.sessions.insert(id.clone(), session);
        self.history.push(json!({ "connectionIdentifier": connection, "connectionName": self.get("connections", connection).unwrap_or_default()["name"],
                                  "username": user, "startDate": now_ms, "endDate": null, "active": true, "remoteHost": "127.0.0.1",
                                  "uuid": id, "identifier": id, "attributes": {}, "logs": {} }));
        id
    }

    pub(super) fn end(&mut self, id: &str, now_ms: i64) -> Result<(), Refusal> {
        self.sessions.remove(id).ok_or_else(|| Refusal::not_found(&format!("Not found: \"{id}\"")))?;
        if let Some(entry) = self.history.iter_mut().find(|entry| entry["uuid"] == id) {
            entry["endDate"] = now_ms.into();
            entry["active"] = false.into();
        }
        Ok(())
    }

    pub(super) fn sessions(&self) -> &BTreeMap<String, Value> {
        &self.sessions
    }

    /// The last first.
    pub(super) fn history(&self) -> Vec<Value> {
        self.history.iter().rev().take(1_000).cloned().collect()
    }
}

/// The collection's name for good.
fn known(collection: &str) -> &'static str {
    COLLECTIONS.iter().find(|known| **known == collection).copied().unwrap_or("connections")
}

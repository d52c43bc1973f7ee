//! What clients rely on, one by one.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use serde_json::{Value, json};

use super::*;
use crate::{Control, Server, serve};

struct World {
    control: Control,
    web: Arc<Guacamole>,
    server: Server,
}

impl World {
    fn new(config: Config) -> Self {
        let control = Control::new(Clock::fixed(1_000_000));
        let web = Arc::new(Guacamole::new(config, control.clock.clone()));
        let server = serve(([127, 0, 0, 1], 0).into(), web.clone(), &control).unwrap();
        Self { control, web, server }
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {BASE}/api{path} HTTP/1.1\r\nhost: localhost\r\nguacamole-token: {token}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (answer[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn token(&self, user: &str, password: &str) -> String {
        let (status, body) = self.ask("POST", "/tokens", "", &format!("username={user}&password={password}"));
        assert_eq!((status, &body["dataSource"]), (200, &json!("postgresql")), "{body}");
        body["authToken"].as_str().unwrap().to_owned()
    }
}

const DATA: &str = "/session/data/postgresql";

#[test]
fn a_log_in_ends_by_itself_and_says_nothing_of_why() {
    let world = World::new(Config::default());
    let (status, body) = world.ask("POST", "/tokens", "", "username=guacadmin&password=guacadmin");
    assert_eq!(
        (status, &body["type"], &body["expected"][0]["name"]),
        (403, &json!("INVALID_CREDENTIALS"), &json!("username"))
    );
    let token = world.token(USER, PASSWORD);
    assert_eq!(world.ask("GET", &format!("{DATA}/self"), &token, "").1["username"], USER);
    assert_eq!(world.ask("GET", &format!("{DATA}/self?token={token}"), "", "").0, 200, "older clients");
    assert_eq!(world.ask("GET", "/session/data/mysql/self", &token, "").0, 404);
    world.control.clock.advance(60 * 60 * 1_000);
    let (status, body) = world.ask("GET", &format!("{DATA}/self"), &token, "");
    assert_eq!(
        (status, &body["type"], &body["message"]),
        (403, &json!("PERMISSION_DENIED"), &json!("Permission Denied."))
    );
    let token = world.token(USER, PASSWORD);
    assert_eq!(world.ask("DELETE", "/session", &token, "").0, 204);
    assert_eq!((world.ask("GET", &format!("{DATA}/self"), &token, "").0, world.web.tokens()), (403, 0));
    let token = world.token(USER, PASSWORD);
    assert_eq!(world.ask("DELETE", &format!("/tokens/{token}"), "", "").0, 204);
}

#[test]
fn names_are_unique_where_they_stand_and_all_goes_with_a_group() {
    let world = World::new(Config::default());
    let token = world.token(USER, PASSWORD);
    let make = |kind: &str, body: Value| world.ask("POST", &format!("{DATA}/{kind}"), &token, &body.to_string());
    let (_, group) = make(
        "connectionGroups",
        json!({ "parentIdentifier": "ROOT", "name": "g", "type": "ORGANIZATIONAL", "attributes": {} }),
    );
    let body = json!({ "parentIdentifier": group["identifier"], "name": "r1", "protocol": "vnc", "parameters": { "password": "x" },
                       "attributes": { "max-connections": "2", "mine": "yes" } });
    let (status, made) = make("connections", body.clone());
    assert_eq!(
        (status, &made["attributes"]["mine"], &made["attributes"]["weight"]),
        (200, &json!("yes"), &Value::Null)
    );
    let (status, refused) = make("connections", body);
    assert_eq!((status, &refused["message"]), (400, &json!("The connection \"r1\" already exists.")));
    let path = format!("{DATA}/connections/{}", made["identifier"].as_str().unwrap());
    assert_eq!(
        world.ask("GET", &path, &token, "").1["parameters"],
        Value::Null,
        "parameters have a place of their own"
    );
    assert_eq!(world.ask("GET", &format!("{path}/parameters"), &token, "").1, json!({ "password": "x" }));
    // What isn't sent is emptied where it has a column, and stays where it has none.
    let body = json!({ "parentIdentifier": group["identifier"], "name": "r1", "protocol": "vnc", "parameters": {}, "attributes": {} });
    assert_eq!(world.ask("PUT", &path, &token, &body.to_string()).0, 204);
    let now = world.ask("GET", &path, &token, "").1;
    assert_eq!((&now["attributes"]["mine"], &now["attributes"]["max-connections"]), (&json!("yes"), &Value::Null));
    let group = format!("{DATA}/connectionGroups/{}", group["identifier"].as_str().unwrap());
    let tree = world.ask("GET", &format!("{DATA}/connectionGroups/ROOT/tree"), &token, "").1;
    assert_eq!(tree["childConnectionGroups"][0]["childConnections"][0]["name"], "r1");
    assert_eq!(world.ask("DELETE", &group, &token, "").0, 204);
    assert_eq!((world.ask("GET", &path, &token, "").0, world.web.count()), (404, 0));
}

#[test]
fn others_see_and_do_what_they_were_granted() {
    let world = World::new(Config::default());
    let token = world.token(USER, PASSWORD);
    let id = world.web.put("connections", &json!({ "parentIdentifier": "ROOT", "name": "r1", "protocol": "vnc" }));
    world.web.put("users", &json!({ "username": "ann", "password": "secret", "attributes": {} }));
    world.web.put("userGroups", &json!({ "identifier": "students", "attributes": {} }));
    let ann = world.token("ann", "secret");
    let seen = || world.ask("GET", &format!("{DATA}/connections"), &ann, "").1.as_object().unwrap().len();
    assert_eq!(seen(), 0);
    let patch = json!([{ "op": "add", "path": format!("/connectionPermissions/{id}"), "value": "READ" }]).to_string();
    assert_eq!(world.ask("PATCH", &format!("{DATA}/userGroups/students/permissions"), &token, &patch).0, 204);
    let join = json!([{ "op": "add", "path": "/", "value": "ann" }]).to_string();
    assert_eq!(world.ask("PATCH", &format!("{DATA}/userGroups/students/memberUsers"), &token, &join).0, 204);
    assert_eq!(seen(), 1);
    for (method, path) in [
        ("DELETE", format!("connections/{id}")),
        ("POST", "connections".into()),
        ("GET", format!("connections/{id}/parameters")),
    ] {
        assert_eq!(world.ask(method, &format!("{DATA}/{path}"), &ann, "{}").0, 403, "{method} {path}");
    }
    assert_eq!(world.ask("GET", &format!("{DATA}/users/{USER}"), &ann, "").0, 404);
    let bad = json!([{ "op": "add", "path": format!("/connectionPermissions/{id}"), "value": "READ" }, { "op": "add", "path": "/x/1", "value": "READ" }]).to_string();
    assert_eq!(world.ask("PATCH", &format!("{DATA}/users/ann/permissions"), &token, &bad).0, 400);
    assert_eq!(
        world.ask("GET", &format!("{DATA}/users/ann/permissions"), &token, "").1["connectionPermissions"],
        json!({})
    );
    let session = world.web.open(&id, "ann");
    assert_eq!(world.ask("GET", &format!("{DATA}/activeConnections"), &token, "").1[&session]["username"], "ann");
    let kill = json!([{ "op": "remove", "path": format!("/{session}") }]).to_string();
    assert_eq!(world.ask("PATCH", &format!("{DATA}/activeConnections"), &token, &kill).0, 204);
    assert_eq!(world.ask("GET", &format!("{DATA}/history/connections"), &token, "").1[0]["active"], false);
}

//! What is drawn of labs and not deployed: kept for everybody of the organisation who may draw, and nobody else's business.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use crate::api::people;

const PATH: &str = "/api/v1/labs/sketch/drawing";

fn organisations(server: &ApiServer) {
    for name in ["acme", "rival"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }
}

fn drawing(text: &str) -> Value {
    json!({ "text": text, "base": "b1" })
}

#[test]
fn a_drawing_is_kept_changed_and_thrown_away() {
    let server = ApiServer::start(&[]);
    organisations(&server);
    people::user(&server, "ann", "acme", "operator");
    people::user(&server, "ben", "acme", "operator");
    let (ann, ben) = (people::token(&server, "ann"), people::token(&server, "ben"));
    server.send_as(&ann, "GET", PATH, None).expect(404);

    // Without a word about whose it is, it is their organisation's.
    let text = "name: sketch\nnodes: [{ name: a }, { name: b }]\nlinks: [{ endpoints: [\"a:eth0\", \"b:eth0\"] }]\n";
    let first = server.send_as(&ann, "PUT", PATH, Some(&drawing(text))).expect(200).json();
    let shown = server.send_as(&ben, "GET", PATH, None).expect(200).json();
    assert_eq!((&shown["text"], &shown["base"], &shown["organisation"]), (&json!(text), &json!("b1"), &json!("acme")));
    assert_eq!(shown["version"], first["version"]);
    let listed = server.send_as(&ben, "GET", "/api/v1/lab-drawings", None).expect(200).json();
    assert_eq!((listed[0]["nodes"].as_u64(), listed[0]["links"].as_u64()), (Some(2), Some(1)), "{listed}");
    assert!(server.send_as(&ben, "GET", "/api/v1/labs", None).expect(200).json().as_array().unwrap().is_empty());

    // Text that can't be read is kept, too: somebody is in the middle of it.
    server.send_as(&ben, "PUT", PATH, Some(&drawing("name: sketch\nnodes: ["))).expect(200);
    let listed = server.send_as(&ben, "GET", "/api/v1/lab-drawings", None).expect(200).json();
    assert_eq!((listed[0]["nodes"].as_u64(), listed[0]["by"].as_str()), (Some(2), Some("ben")), "{listed}");

    server.send_as(&ann, "DELETE", PATH, None).expect(204);
    server.send_as(&ann, "DELETE", PATH, None).expect(404);
    server.send_as(&ben, "GET", PATH, None).expect(404);
}

#[test]
fn somebody_elses_change_is_not_overwritten() {
    let server = ApiServer::start(&[]);
    let put = |text: &str, version: &str| {
        let headers = [("content-type", "application/json"), ("if-match", version)];
        server.raw("PUT", PATH, &server.token, &headers, Some(drawing(text).to_string().into_bytes()))
    };
    let first = put("name: sketch\n", "\"0\"").expect(200).json()["version"].as_i64().unwrap();
    put("name: sketch # again\n", "\"0\"").expect(412);
    let second = put("name: sketch # two\n", &format!("\"{first}\"")).expect(200).json()["version"].as_i64().unwrap();
    assert!(second > first);
    put("name: sketch # late\n", &format!("\"{first}\"")).expect(412);
    assert_eq!(server.get(PATH).expect(200).json()["text"], "name: sketch # two\n");
}

#[test]
fn what_is_too_large_or_misnamed_is_refused() {
    let server = ApiServer::start(&[]);
    server.put(PATH, &drawing(&"#".repeat((1 << 20) + 1))).expect(400);
    server.put(PATH, &json!({ "text": "", "base": "x".repeat(101) })).expect(400);
    server.put(PATH, &json!({ "text": "", "colour": "blue" })).expect(400);
    for name in [".hidden", "a%20b", "a%2Fb", &"x".repeat(49)] {
        let status = server.put(&format!("/api/v1/labs/{name}/drawing"), &drawing("")).status;
        assert!(matches!(status, 400 | 404), "{name}: {status}");
    }
    assert_eq!(server.get("/api/v1/lab-drawings").expect(200).json(), json!([]));
}

#[test]
fn viewers_look_and_neighbours_do_not() {
    let server = ApiServer::start(&[]);
    organisations(&server);
    people::user(&server, "ann", "acme", "operator");
    people::user(&server, "vic", "acme", "viewer");
    people::user(&server, "nell", "rival", "operator");
    let [ann, vic, nell] = ["ann", "vic", "nell"].map(|name| people::token(&server, name));
    server.send_as(&ann, "PUT", PATH, Some(&drawing("name: sketch\n"))).expect(200);
    server.send_as(&vic, "GET", PATH, None).expect(200);
    server.send_as(&vic, "PUT", PATH, Some(&drawing("name: sketch # mine\n"))).expect(403);
    server.send_as(&vic, "DELETE", PATH, None).expect(403);
    let there = format!("{PATH}?organisation=acme");
    for method in ["GET", "DELETE"] {
        server.send_as(&nell, method, &there, None).expect(404);
    }
    server.send_as(&nell, "PUT", &there, Some(&drawing("name: sketch # nell's\n"))).expect(404);
    assert_eq!(server.send_as(&nell, "GET", "/api/v1/lab-drawings", None).expect(200).json(), json!([]));
    // A lab of the same name is another one.
    server.send_as(&nell, "PUT", PATH, Some(&drawing("name: sketch # rival\n"))).expect(200);
    assert_eq!(server.send_as(&ann, "GET", PATH, None).expect(200).json()["text"], "name: sketch\n");
}

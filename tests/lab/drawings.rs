//! What is drawn of labs and not deployed: kept for everybody of the organisation who may draw, and nobody else's business.

use serde_json::{Value, json};
use windlass_tests::{Answer, ApiServer};

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

fn put_if(server: &ApiServer, path: &str, condition: (&str, &str), text: &str) -> Answer {
    let headers = [("content-type", "application/json"), condition];
    server.raw("PUT", path, &server.token, &headers, Some(drawing(text).to_string().into_bytes()))
}

#[test]
fn somebody_elses_change_is_not_overwritten() {
    let server = ApiServer::start(&[]);
    let put = |condition: (&str, &str), text: &str| put_if(&server, PATH, condition, text);
    let version = |number: i64| format!("\"{number}\"");
    let kept = || server.get(PATH).expect(200).json()["text"].as_str().unwrap().to_owned();

    // What isn't there matches no version, and isn't made by a change to one.
    for seen in ["*", "\"0\"", "\"1\""] {
        let refused = put(("if-match", seen), "name: sketch # nobody's\n").expect(412).json();
        assert_eq!(refused["code"], "precondition_failed", "{refused}");
    }
    server.get(PATH).expect(404);
    put(("if-none-match", "\"1\""), "name: sketch\n").expect(400);

    let first = put(("if-none-match", "*"), "name: sketch\n").expect(200).json()["version"].as_i64().unwrap();
    let refused = put(("if-none-match", "*"), "name: sketch # again\n").expect(412).json();
    assert_eq!(refused["code"], "precondition_failed", "{refused}");
    let second =
        put(("if-match", &version(first)), "name: sketch # two\n").expect(200).json()["version"].as_i64().unwrap();
    assert!(second > first);
    put(("if-match", &version(first)), "name: sketch # late\n").expect(412);
    assert_eq!(kept(), "name: sketch # two\n");
    put(("if-match", "*"), "name: sketch # any\n").expect(200);
    assert_eq!(kept(), "name: sketch # any\n");
}

#[test]
fn of_those_who_draw_a_lab_first_one_is_the_first() {
    let server = ApiServer::start(&[]);
    for round in 0..12 {
        let path = format!("/api/v1/labs/new{round}/drawing");
        let start = std::sync::Barrier::new(8);
        let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|who| {
                    let (server, path, start) = (&server, &path, &start);
                    scope.spawn(move || {
                        let text = format!("name: new{round} # {who}\n");
                        start.wait();
                        let answer = put_if(server, path, ("if-none-match", "*"), &text);
                        (answer.status, if answer.status == 200 { text } else { answer.json()["code"].to_string() })
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let (first, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
        assert_eq!(first.len(), 1, "{first:?}");
        assert_eq!(server.get(&path).expect(200).json()["text"], first[0].1.as_str());
        for refused in others {
            assert_eq!(refused, (412, "\"precondition_failed\"".to_owned()));
        }
    }
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

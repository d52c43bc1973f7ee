//! The audit log: what people do stands in it, others' business isn't shown, and it can't be changed unseen.

use serde_json::{Value, json};
use windlass_tests::{ApiServer, has_program, skip};

use super::{
    databases::{Database, on_each_database},
    people::{self, done, windlass},
};

fn what_people_do_is_written_down_once(server: ApiServer) {
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "fran", "acme", "franchisee@acme");
    server.patch("/api/v1/users/fran", &json!({ "title": "Fran" })).expect(200);
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(409);
    let entries = server.get("/api/v1/audit?action=user.").expect(200).json();
    let entry = &entries["items"][0];
    assert_eq!((&entry["action"], &entry["actor"]), (&json!("user.update"), &json!("token:admin/dev")));
    assert_eq!((&entry["before"]["title"], &entry["after"]["title"]), (&json!(""), &json!("Fran")));
    assert_eq!(entry["source"], "127.0.0.1");
    let made = &entries["items"][1];
    assert_eq!((&made["actor"], &made["source"], &made["target"]), (&json!("ops"), &json!("cli"), &json!("fran")));
    // What was refused left no entry.
    let made = server.get("/api/v1/audit?action=organisation.create&target=acme").expect(200).json();
    assert_eq!(made["items"].as_array().unwrap().len(), 1);
    // Page by page it is the same list.
    let all = server.get("/api/v1/audit?limit=500").expect(200).json()["items"].as_array().unwrap().clone();
    let (mut paged, mut path) = (Vec::new(), "/api/v1/audit?limit=3".to_owned());
    loop {
        let page = server.get(&path).expect(200).json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/audit?limit=3&cursor={next}");
    }
    assert_eq!(paged, all);
    // Somebody of one organisation sees that one's.
    let fran = people::token(&server, "fran");
    for path in ["/api/v1/audit?limit=500", "/api/v1/audit/export"] {
        let text = server.send_as(&fran, "GET", path, None).expect(200).text;
        assert!(text.contains("\"acme\"") && !text.contains("\"zeta\"") && !text.contains("\"platform\""), "{text}");
    }
    let others = server.send_as(&fran, "GET", "/api/v1/audit?organisation=zeta", None).expect(200).json();
    assert_eq!(others["items"], json!([]));
    server.send_as(&fran, "GET", "/api/v1/audit/verify", None).expect(403);
}

on_each_database!(open: what_people_do_is_written_down_once);

fn open(database: Database) -> ApiServer {
    ApiServer::start_with(&[], &[], &database.settings())
}

#[test]
fn a_change_to_the_log_is_found() {
    if !has_program("sqlite3") {
        return skip("sqlite3 isn't here: .ci/setup installs it");
    }
    let mut server = ApiServer::start(&[]);
    for name in ["acme", "zeta", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    let sound = server.get("/api/v1/audit/verify").expect(200).json();
    assert_eq!(sound["fault"], Value::Null);
    let some = server.get("/api/v1/audit/export?action=user.&target=admin").expect(200).text;
    let some: Vec<Value> = some.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!some.is_empty() && some.iter().all(|one| one["target"] == "admin"), "{some:?}");
    assert_eq!(server.get("/api/v1/audit/export?until_ms=1").expect(200).text, "");
    // What somebody's tokens did is theirs.
    let by = |actor: &str| server.get(&format!("/api/v1/audit?action=organisation.&actor={actor}")).expect(200).json();
    let mine = by("admin")["items"].as_array().unwrap().len();
    let exported = server.get("/api/v1/audit/export?action=organisation.&actor=admin").expect(200).text;
    assert_eq!((mine, exported.lines().count(), by("adm")["items"].as_array().unwrap().len()), (3, 3, 0));
    let exported = server.get("/api/v1/audit/export").expect(200).text;
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as i64, sound["entries"].as_i64().unwrap());
    assert_eq!(lines.last().unwrap()["hash"], sound["last"]);
    assert_eq!(done(&server, &["audit", "verify"]), sound);
    assert_eq!(done(&server, &["audit", "ls", "--limit", "2"]).as_array().unwrap().len(), 2);
    server.kill();
    let database = std::fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().path());
    let database = database.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
    let sql = |text: &str| {
        let done = std::process::Command::new("sqlite3").arg(&database).arg(text).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let seq = lines.len() as i64 - 1;
    // The database itself refuses to change an entry; somebody who takes that away is found out.
    let triggers = std::process::Command::new("sqlite3")
        .arg(&database)
        .arg("select name from sqlite_master where type = 'trigger' and tbl_name = 'audit'")
        .output()
        .unwrap();
    for trigger in String::from_utf8_lossy(&triggers.stdout).lines() {
        sql(&format!("drop trigger \"{trigger}\""));
    }
    sql(&format!("update audit set actor = 'nobody' where seq = {seq}"));
    let (found, success) = windlass(&server, &["audit", "verify"]);
    assert!(!success, "{found}");
    sql(&format!(
        "update audit set actor = '{}' where seq = {seq}",
        lines[seq as usize - 1]["actor"].as_str().unwrap()
    ));
    assert_eq!(done(&server, &["audit", "verify"]), sound);
    sql(&format!("delete from audit where seq = {seq}"));
    assert!(!windlass(&server, &["audit", "verify"]).1);
}

//! Plugins as somebody in a browser installs and writes them: an archive, a save that is a draft, the conformance kit, and what
//! keeps two people from overwriting each other.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use windlass_tests::{Answer, ApiServer};

use super::people;

const MINE: &str = "/api/v1/plugins/registrars/mine";

fn starter(server: &ApiServer) -> Value {
    let body = json!({ "name": "registrars/mine", "author": "Ann \"A\"" });
    server.post("/api/v1/plugins/starter", &body).expect(200).json()["files"].clone()
}

fn save(server: &ApiServer, files: &Value, expected: &Value) -> Answer {
    server.put(&format!("{MINE}/files"), &json!({ "files": files, "expected": expected, "message": "as asked" }))
}

fn files(server: &ApiServer) -> Value {
    server.get(&format!("{MINE}/files")).expect(200).json()
}

fn standing(server: &ApiServer) -> Value {
    server.get(&format!("{MINE}/approval")).expect(200).json()
}

/// Packs a folder as people do.
fn packed(folder: &Path) -> Vec<u8> {
    let parent = folder.parent().unwrap();
    let packed =
        Command::new("tar").arg("czf").arg("-").arg("-C").arg(parent).arg(folder.file_name().unwrap()).output();
    let packed = packed.unwrap();
    assert!(packed.status.success(), "{packed:?}");
    packed.stdout
}

fn unpack(server: &ApiServer, archive: Vec<u8>) -> Answer {
    let headers = [("content-type", "application/gzip")];
    server.raw("POST", "/api/v1/plugins/unpack", &server.token, &headers, Some(archive))
}

#[test]
fn a_plugin_comes_out_of_an_archive_is_saved_tested_and_approved() {
    let server = ApiServer::start(&[]);
    let beside = tempfile::tempdir().unwrap();
    let folder = beside.path().join("any-name");
    for (path, text) in starter(&server).as_object().unwrap() {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.as_str().unwrap()).unwrap();
    }
    std::fs::write(folder.join("README.md"), "not taken").unwrap();
    let unpacked = unpack(&server, packed(&folder)).expect(200).json();
    assert_eq!((&unpacked["name"], &unpacked["files"]), (&json!("registrars/mine"), &starter(&server)));
    assert_eq!(unpacked["left_out"], json!(["any-name/README.md"]));
    server.get(&format!("{MINE}/files")).expect(404);

    let checked = server.post(&format!("{MINE}/check"), &json!({ "files": unpacked["files"] })).expect(200).json();
    assert_eq!((&checked["diagnostics"], &checked["manifest"]["author"]), (&json!([]), &json!("Ann \"A\"")));
    let saved = save(&server, &unpacked["files"], &Value::Null).expect(200).json();
    assert_eq!(files(&server)["digest"], saved["digest"]);
    let shown = standing(&server);
    assert_eq!((&shown["state"], &shown["digest"]), (&json!("new"), &checked["digest"]));
    let tested = server.post(&format!("{MINE}/conformance"), &json!({})).expect(200).json();
    assert_eq!(tested["passed"], true, "{tested}");
    assert!(tested["checks"].as_array().unwrap().len() > 5, "{tested}");
    server.put(&format!("{MINE}/approval"), &json!({ "digest": shown["digest"] })).expect(200);
    let audit = server.get("/api/v1/audit?action=plugin.").expect(200).json();
    assert!(
        audit["items"].as_array().unwrap().iter().all(|entry| entry["actor"] == "token:admin/dev"),
        "whose it was: {audit}"
    );

    // A draft: what was approved stays in use, and both are there to be compared.
    let mut draft = unpacked["files"].clone();
    draft["main.rhai"] = json!(format!("// A draft.\n{}", draft["main.rhai"].as_str().unwrap()));
    draft.as_object_mut().unwrap().remove("fixtures/list.json");
    std::fs::write(server.workflows().with_file_name("plugins/registrars/mine/LICENSE"), "mine").unwrap();
    save(&server, &draft, &saved["digest"]).expect(200);
    let both = files(&server);
    assert_eq!((&both["files"], &both["approved"]), (&draft, &unpacked["files"]));
    assert_eq!(standing(&server)["state"], "modified");
    let tested = server.post(&format!("{MINE}/conformance"), &json!({})).expect(200).json();
    let failed = tested["checks"].as_array().unwrap().iter().filter(|check| check["passed"] == false);
    assert!(!failed.map(|check| check["name"].as_str().unwrap()).collect::<Vec<_>>().is_empty(), "{tested}");
    assert_eq!(tested["passed"], false, "a capability without a recorded exchange");
    assert!(server.workflows().with_file_name("plugins/registrars/mine/LICENSE").exists(), "what isn't ours stays");
}

#[test]
fn what_has_mistakes_or_was_changed_meanwhile_isnt_saved() {
    let server = ApiServer::start(&[]);
    let good = starter(&server);
    let first = save(&server, &good, &Value::Null).expect(200).json()["digest"].clone();
    // Somebody has it already; somebody was quicker.
    assert_eq!(save(&server, &good, &Value::Null).expect(412).json()["data"]["digest"], first);
    save(&server, &good, &json!("0".repeat(64))).expect(412);
    // Mistakes are told with their places, and nothing changes.
    for (file, text, at, line) in [
        ("main.rhai", "fn validate(request) {\n    htttp::get(1);\n    nope(2)\n}\n", "registrars/mine/main.rhai", 2),
        ("plugin.toml", "id = \"mine\"\nversion = 1\n", "registrars/mine/plugin.toml", 2),
        ("plugin.toml", "id = \"other\"\n", "registrars/mine/plugin.toml", 1),
    ] {
        let mut wrong = good.clone();
        wrong[file] = json!(text);
        let refused = save(&server, &wrong, &first).expect(422).json();
        assert_eq!(refused["code"], "workflow_invalid", "{refused}");
        let checked = server.post(&format!("{MINE}/check"), &json!({ "files": wrong })).expect(200).json();
        for found in [&refused["data"]["diagnostics"][0], &checked["diagnostics"][0]] {
            assert_eq!((&found["file"], &found["line"]), (&json!(at), &json!(line)), "{found}");
        }
        assert_eq!(files(&server)["files"], good);
    }
    // No path leads anywhere else, whatever is sent.
    for path in [
        "../x.json",
        "/etc/x",
        "fixtures/../../x.json",
        "fixtures/a/b.json",
        "fixtures/.x.json",
        "x.sh",
        "fixtures/x.json\0",
    ] {
        let mut odd = good.clone();
        odd[path] = json!("{}");
        save(&server, &odd, &first).expect(400);
    }
    for name in ["registrars/..", "registrars/Mine", "other/mine", "registrars/a%2Fb", "mine"] {
        let body = json!({ "files": good, "expected": null });
        let status = server.put(&format!("/api/v1/plugins/{name}/files"), &body).status;
        assert!([400, 404, 405].contains(&status), "{name}: {status}");
    }
    let mut large = good.clone();
    large["main.rhai"] = json!(" ".repeat(2 << 20));
    assert_eq!(save(&server, &large, &first).json()["code"], "limit_exceeded");
    // A folder that is a link to elsewhere isn't written to.
    let outside = tempfile::tempdir().unwrap();
    let folder = server.workflows().with_file_name("plugins").join("registrars");
    std::os::unix::fs::symlink(outside.path(), folder.join("away")).unwrap();
    let body = json!({ "name": "registrars/away" });
    let away = server.post("/api/v1/plugins/starter", &body).expect(200).json()["files"].clone();
    let status = server.put("/api/v1/plugins/registrars/away/files", &json!({ "files": away })).status;
    assert!([409, 422].contains(&status), "{status}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "nothing was written there");
    assert_eq!(files(&server)["files"], good);
}

#[test]
fn an_archive_that_isnt_one_is_refused_and_only_the_platforms_admins_install() {
    let server = ApiServer::start(&[]);
    let beside = tempfile::tempdir().unwrap();
    let folder = beside.path().join("mine");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plugin.toml"), "id = \"mine\"\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("main.rhai")).unwrap();
    let told = unpack(&server, packed(&folder)).expect(400).json();
    assert!(told["detail"].as_str().unwrap().contains("is a link"), "{told}");
    unpack(&server, b"PK and nothing".to_vec()).expect(400);
    unpack(&server, vec![0; (4 << 20) + 1]).expect(413);
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(201);
    people::user(&server, "fred", "acme", "admin@acme");
    let fred = people::token(&server, "fred");
    let good = starter(&server);
    let body = json!({ "files": good });
    server.send_as(&fred, "PUT", &format!("{MINE}/files"), Some(&body)).expect(403);
    server.send_as(&fred, "POST", &format!("{MINE}/conformance"), Some(&body)).expect(403);
    save(&server, &good, &Value::Null).expect(200);
    // Whoever approves it for an organisation sees beforehand whether it passes.
    let tested = server.send_as(&fred, "POST", &format!("{MINE}/conformance"), Some(&json!({}))).expect(200).json();
    assert_eq!(tested["passed"], true);
}

#[test]
fn sources_are_read_by_whoever_may_approve_them_and_by_nobody_else() {
    let server = ApiServer::start(&[]);
    for (organisation, people) in [("acme", ["vera", "otto", "fay", "adam"]), ("zeta", ["zoe", "zack", "zia", "zed"])] {
        server.post("/api/v1/organisations", &json!({ "name": organisation })).expect(201);
        for (name, role) in people.into_iter().zip(["viewer", "operator", "franchisee", "admin"]) {
            people::user(&server, name, organisation, &format!("{role}@{organisation}"));
        }
    }
    let mut theirs = starter(&server);
    save(&server, &theirs, &Value::Null).expect(200);
    let digest = standing(&server)["digest"].clone();
    let (of_acme, how) = (format!("{MINE}/files?organisation=acme"), format!("{MINE}/approval?organisation=acme"));
    server.put(&how, &json!({ "digest": digest })).expect(200);
    let saved = files(&server)["digest"].clone();
    theirs["main.rhai"] = json!(format!("{}\n// only for approvers\n", theirs["main.rhai"].as_str().unwrap()));
    save(&server, &theirs, &saved).expect(200);

    let ask = |who: &str, path: &str| server.send_as(&people::token(&server, who), "GET", path, None);
    for who in ["vera", "otto", "fay", "zoe", "zed"] {
        let refused = ask(who, &of_acme).expect(403);
        assert!(!refused.json().to_string().contains("only for approvers"), "{who}");
        ask(who, &format!("{MINE}/files")).expect(403);
    }
    let shown = ask("adam", &of_acme).expect(200).json();
    assert_eq!(shown["files"], theirs);
    assert_ne!(shown["approved"], shown["files"]);
    assert!(ask("adam", &how).expect(200).json().to_string().contains("only for approvers"));
    // How it stands is everybody's of the organisation; with which words isn't.
    for who in ["vera", "otto", "fay"] {
        let stands = ask(who, &how).expect(200).json();
        assert_eq!((&stands["state"], &stands["difference"]["text"]), (&json!("modified"), &Value::Null), "{who}");
        assert!(!stands.to_string().contains("only for approvers"), "{who}");
    }
    // Another organisation's admin sees the draft that they may approve, and never what was approved elsewhere.
    let other = ask("zed", &format!("{MINE}/files?organisation=zeta")).expect(200).json();
    assert_eq!((&other["files"], &other["approved"]), (&theirs, &Value::Null));
}

#[test]
fn what_the_server_runs_with_is_told_without_secrets() {
    let server = ApiServer::start_with(&[], &[], "[server]\nstreams = 77\n");
    let told = server.get("/api/v1/settings").expect(200).json();
    let find = |told: &Value, key: &str| -> Value {
        told["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).cloned().unwrap_or_default()
    };
    let streams = find(&told, "server.streams");
    assert_eq!((&streams["value"], &streams["live"]), (&json!(77), &json!(false)), "{streams}");
    assert!(streams["origin"].as_str().unwrap().ends_with("windlass.toml:2"), "{streams}");
    assert_eq!(streams["variable"], "WINDLASS_SERVER_STREAMS");
    assert_eq!(find(&told, "labs.discovery_every")["live"], true);
    assert_eq!(find(&told, "engine.poll_ms")["origin"], "default");
    // What the file says by now waits for a new start; a file that can't be read is told.
    let file = server.workflows().with_file_name("windlass.toml");
    std::fs::write(&file, "[server]\nstreams = 78\n").unwrap();
    let told = server.get("/api/v1/settings").expect(200).json();
    let streams = find(&told, "server.streams");
    assert_eq!((&streams["value"], &streams["waiting"]), (&json!(77), &json!(78)), "{streams}");
    assert!(find(&told, "server.listen").get("waiting").is_none());
    std::fs::write(&file, "[server]\nstream = 78\n").unwrap();
    let told = server.get("/api/v1/settings").expect(200).json();
    assert!(told["problem"]["message"].as_str().unwrap().contains("stream"), "{told}");
    assert_eq!(find(&told, "server.streams")["value"], 77);
}

//! Claims, from a script to a machine and back: fetched once, reported as signals, withdrawn with the run.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for};

const HAND_OVER: &str = r#"const WORKFLOW = #{
    name: "machines/one",
    title: "One machine",
    inputs: #{ type: "object", properties: #{ folder: #{ type: "string" } } },
    permissions: ["claim.*:*", "secret.use:made/*", "file.write:*"],
};

fn run(input) {
    let made = claim::generate("acme/token");
    let offered = claim::offer("acme/cp-1", #{
        values: #{ token: secret(made.secret), host: "cp-1" },
        returns: ["kubeconfig"], returns_to: ["file:*"], word_to: ["file:*"], open: "5m",
    });
    file::write(input.folder + "/claim.json", `{"url":"${offered.url}","word":"` + secret(offered.word) + `"}`);
    let told = [];
    for n in 0..2 { told.push(wait_signal(offered.signal)); }
    file::write(input.folder + "/kubeconfig", secret(told[1].secrets.kubeconfig));
    fail("enough");
}
"#;

/// A server, a run that waits for its machine, and what the machine was booted with.
fn waiting() -> (ApiServer, String, Value, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let settings = format!(
        "[hosts.file]\nfolders = [{:?}]\n[policy]\n\"machines/*\" = [\"claim.*:*\", \"secret.use:*\", \"file.write:*\"]\n",
        path.display().to_string()
    );
    let server = ApiServer::start_with(&[("machines/one", HAND_OVER)], &[], &settings);
    let launch = json!({ "workflow": "machines/one", "input": { "folder": path } });
    let run = server.post("/api/v1/runs", &launch).expect(201).json()["id"].as_str().unwrap().to_owned();
    let claim = wait_for("the claim", Duration::from_secs(60), || {
        let state = server.get(&format!("/api/v1/runs/{run}")).json();
        assert_ne!(state["state"], "failed", "{state}");
        serde_json::from_slice::<Value>(&std::fs::read(path.join("claim.json")).ok()?).ok()
    });
    (server, run, claim, folder)
}

/// What comes after the server's own address.
fn path_of(claim: &Value, what: &str) -> String {
    let url = claim["url"].as_str().unwrap();
    format!("{}/{what}", &url[url.find("/api/").unwrap()..])
}

const SAME_NAME: &str = r#"const WORKFLOW = #{
    name: "machines/same",
    title: "A machine of this name",
    inputs: #{ type: "object", properties: #{ folder: #{ type: "string" }, does: #{ type: "string" } } },
    permissions: ["claim.*:*", "secret.use:made/*", "file.write:*"],
    rollback: "ROLLBACK",
};

fn run(input) {
    let offered = claim::offer("acme/cp-1", #{ values: #{ host: "cp-1" }, word_to: ["file:*"], open: "1d" });
    file::write(`${input.folder}/${input.does}.json`, `{"url":"${offered.url}","word":"` + secret(offered.word) + `"}`);
    if input.does == "fail" { fail("as asked"); }
    if input.does == "wait" { wait_signal(offered.signal); }
    if input.does == "forget" { claim::forget("claims/acme/cp-1"); }
    offered.word
}
"#;

#[test]
fn a_claim_of_an_ended_run_gives_way_and_one_that_is_waited_for_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let settings = format!(
        "[hosts.file]\nfolders = [{:?}]\n[policy]\n\"machines/*\" = [\"claim.*:*\", \"secret.use:*\", \"file.write:*\"]\n",
        path.display().to_string()
    );
    let (usual, none) = (
        SAME_NAME.replace("ROLLBACK", "auto"),
        SAME_NAME.replace("ROLLBACK", "none").replace("machines/same", "machines/left"),
    );
    let server = ApiServer::start_with(&[("machines/same", &usual), ("machines/left", &none)], &[], &settings);
    let launch = |workflow: &str, does: &str| server.launch(workflow, &json!({ "folder": path, "does": does }));
    let claim = |does: &str| -> Value {
        serde_json::from_slice(&std::fs::read(path.join(format!("{does}.json"))).unwrap()).unwrap()
    };
    let fetch = |claim: &Value, status: u16| {
        let body = json!({ "word": claim["word"], "machine": "a-word-that-nobody-can-guess" });
        server.send_as("", "POST", &path_of(claim, "fetch"), Some(&body)).expect(status).json()
    };

    // Its run failed, and nothing was undone: the next one of the name takes its place, with a word of its own.
    let left = launch("machines/left", "fail");
    assert_eq!(server.ended(&left)["state"], "failed");
    let first = claim("fail");
    fetch(&first, 200);
    let waits = launch("machines/same", "wait");
    wait_for("the run to wait", Duration::from_secs(60), || {
        (server.get(&format!("/api/v1/runs/{waits}")).json()["state"] == "waiting").then_some(())
    });
    let second = claim("wait");
    assert_ne!(first["word"], second["word"]);
    fetch(&first, 401);
    fetch(&json!({ "url": second["url"], "word": first["word"] }), 401);

    // This one is waited for: nobody gets its name.
    let refused = server.ended(&launch("machines/same", "more"));
    assert_eq!(refused["problem"]["code"], "conflict", "{refused}");
    assert!(refused["problem"]["message"].as_str().unwrap().contains("which hasn't ended"), "{refused}");
    // The undo of what the first run has left is done, and leaves the other one's alone.
    server.post(&format!("/api/v1/runs/{left}/cancel"), &json!({})).expect(200);
    wait_for("the undo", Duration::from_secs(60), || {
        (server.get(&format!("/api/v1/runs/{left}")).json()["state"] == "cancelled").then_some(())
    });
    let word = fetch(&second, 200)["report_word"].clone();
    let report = json!({ "word": word, "id": "1", "component": "k3s", "state": "installed" });
    server.send_as("", "POST", &path_of(&second, "reports"), Some(&report)).expect(200);
    assert_eq!(server.ended(&waits)["state"], "succeeded");

    // Whose word is forgotten is gone; while its own run goes on, it isn't.
    assert_eq!(server.ended(&launch("machines/same", "forget"))["state"], "succeeded");
    fetch(&claim("forget"), 200);
}

#[test]
fn a_machine_fetches_once_reports_and_what_it_sends_back_is_a_secret() {
    let (server, run, claim, folder) = waiting();
    let (fetch, reports) = (path_of(&claim, "fetch"), path_of(&claim, "reports"));
    // Nobody needs a token for it, and nobody without the word gets anything.
    let post = |path: &str, body: &Value| server.send_as("", "POST", path, Some(body));
    post(&fetch, &json!({ "word": "guess" })).expect(401);
    post(&reports, &json!({ "word": "", "id": "1", "component": "k3s", "state": "installed" })).expect(401);
    post("/api/v1/claims/0123/fetch", &json!({ "word": claim["word"] })).expect(401);
    let fetched = post(&fetch, &json!({ "word": claim["word"] })).expect(200).json();
    assert_eq!(fetched["values"]["host"], "cp-1");
    let token = fetched["values"]["token"].as_str().unwrap();
    assert!(token.len() >= 40, "{token}");
    let again = post(&fetch, &json!({ "word": claim["word"] })).expect(410).json();
    assert_eq!(again["code"], "gone");

    let word = &fetched["report_word"];
    let report = |id: &str, returns: Value| {
        json!({ "word": word, "id": id, "component": "k3s", "state": "installed", "message": format!("with {token}"),
                "returns": returns })
    };
    post(&reports, &report("1", json!({}))).expect(200);
    post(&reports, &report("1", json!({}))).expect(200);
    let refused = post(&reports, &report("2", json!({ "other": "x" }))).expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("no place for `other`"), "{refused}");
    // The machine's first word doesn't report.
    post(&reports, &json!({ "word": claim["word"], "id": "9", "component": "a", "state": "b" })).expect(401);
    post(&reports, &report("3", json!({ "kubeconfig": "certificate of acme" }))).expect(200);

    let ended = wait_for("the run to end", Duration::from_secs(60), || {
        let shown = server.get(&format!("/api/v1/runs/{run}")).json();
        (shown["state"] == "rolled_back" || shown["state"] == "failed").then_some(shown)
    });
    assert_eq!(ended["problem"]["message"], "enough", "{ended}");
    // Undone: the files are gone, the claim too, and so are its secrets.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{:?}", folder.path());
    post(&reports, &report("4", json!({}))).expect(401);
    let left = server.get("/api/v1/secrets").expect(200).text;
    assert!(!left.contains("made/"), "{left}");
    // Whatever is told of the run doesn't tell the secrets.
    let mut told = server.get(&format!("/api/v1/runs/{run}/events")).expect(200).text;
    told.push_str(&server.get("/api/v1/audit").expect(200).text);
    for secret in [token, claim["word"].as_str().unwrap(), word.as_str().unwrap(), "certificate of acme"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let log = server.get("/api/v1/audit?action=claim.").expect(200).json();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["claim.refuse", "claim.fetch"]);
}

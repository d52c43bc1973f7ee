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

//! Claims, from a script to a machine and back: fetched once, reported as signals, withdrawn with the run.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_api::claims::{self, NewClaim};
use windlass_tests::{ApiServer, World, wait_for, wait_until};

use super::house::House;

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
    waiting_with(HAND_OVER)
}

fn waiting_with(source: &str) -> (ApiServer, String, Value, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let settings = format!(
        "[hosts.file]\nfolders = [{:?}]\n[policy]\n\"machines/*\" = [\"claim.*:*\", \"secret.use:*\", \"file.write:*\", \"kv.*:*\"]\n",
        path.display().to_string()
    );
    let server = ApiServer::start_with(&[("machines/one", source), ("machines/other", OTHER)], &[], &settings);
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
    post(&reports, &report("3", json!({ "kubeconfig": "certificate of acme, and its key" }))).expect(200);

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
    for secret in [token, claim["word"].as_str().unwrap(), word.as_str().unwrap(), "certificate of acme, and its key"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let log = server.get("/api/v1/audit?action=claim.").expect(200).json();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["claim.refuse", "claim.fetch"]);
}

/// What another organisation's run shows: text that anybody could send back as a secret.
const OTHER: &str = r#"const WORKFLOW = #{ name: "machines/other", title: "Another one", permissions: ["kv.read:*", "kv.write:*"] };

fn run(input) {
    annotate("server_type", "server_type and location of everybody");
    kv_set("server_type", #{ server_type: "server_type and location of everybody" });
    kv_get("server_type")
}
"#;

/// Waits for a machine until it is told to end.
fn patient(returns: &[String]) -> String {
    let returns = json!(returns).to_string();
    let waits = HAND_OVER.replace("[\"kubeconfig\"]", &returns);
    let (before, after) = waits.split_once("    let told = [];").unwrap();
    let after = after.split_once("fail(\"enough\");").unwrap().1;
    format!("{before}    wait_signal(\"end\");\n{after}")
}

struct Machine<'a> {
    server: &'a ApiServer,
    reports: String,
    word: String,
}

impl<'a> Machine<'a> {
    fn fetched(server: &'a ApiServer, claim: &Value) -> Self {
        let body = json!({ "word": claim["word"], "machine": "this-machine-and-no-other" });
        let fetched = server.send_as("", "POST", &path_of(claim, "fetch"), Some(&body)).expect(200).json();
        Self { server, reports: path_of(claim, "reports"), word: fetched["report_word"].as_str().unwrap().into() }
    }

    fn body(&self, id: &str, returns: Value) -> Value {
        json!({ "word": self.word, "id": id, "component": "k3s", "state": "installed", "returns": returns })
    }

    fn reports(&self, id: &str, returns: Value) -> windlass_tests::Answer {
        self.server.send_as("", "POST", &self.reports, Some(&self.body(id, returns)))
    }
}

fn secrets(server: &ApiServer) -> String {
    server.get("/api/v1/secrets").expect(200).text
}

fn end(server: &ApiServer, run: &str) {
    server.post(&format!("/api/v1/runs/{run}/signal"), &json!({ "name": "end", "payload": {} }));
    assert_eq!(server.ended(run)["state"], "succeeded");
}

#[test]
fn what_a_machine_sends_back_is_bounded_stays_and_changes_nothing_of_other_runs() {
    let (server, run, claim, _folder) = waiting_with(&patient(&["kubeconfig".into(), "other".into()]));
    let machine = Machine::fetched(&server, &claim);
    for bad in ["server".to_owned(), "x".repeat(40), "abcdefg".to_owned(), "0123456789".repeat(4_000)] {
        let refused = machine.reports("1", json!({ "kubeconfig": bad })).expect(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("can't be a secret"), "{refused}");
    }
    assert!(!secrets(&server).contains(".returned"), "refused, so nothing was kept");

    // Text that stands in everybody's results is taken out of nobody else's.
    let chosen = "server_type and location of everybody";
    machine.reports("1", json!({ "kubeconfig": chosen })).expect(200);
    machine.reports("1", json!({ "kubeconfig": chosen })).expect(200);
    assert!(secrets(&server).contains("/.returned/acme/cp-1/kubeconfig"));
    let other = server.launch("machines/other", &json!({}));
    let ended = server.ended(&other);
    assert_eq!(ended["output"], json!({ "server_type": chosen }), "{ended}");
    let events = server.get(&format!("/api/v1/runs/{other}/events")).expect(200).text;
    assert!(events.contains(chosen) && !events.contains("[secret"), "{events}");

    // It stays what it was, whatever comes later.
    let replaced = json!({ "kubeconfig": "another kubeconfig, of whoever has the machine now" });
    machine.reports("2", replaced.clone()).expect(409);
    machine.reports("1", replaced.clone()).expect(409);
    machine.reports("1", json!({ "other": "something else under the same id" })).expect(409);
    for text in ["a\nb", "\u{1b}[2J"] {
        let mut odd = machine.body("3", json!({}));
        odd["component"] = text.into();
        server.send_as("", "POST", &machine.reports, Some(&odd)).expect(400);
    }
    let mut shown = machine.body("4", json!({ "other": "kubeconfig in a place where it doesn't belong" }));
    shown["component"] = "kubeconfig in a place where it doesn't belong".into();
    server.send_as("", "POST", &machine.reports, Some(&shown)).expect(200);
    end(&server, &run);
    let events = server.get(&format!("/api/v1/runs/{run}/events")).expect(200).text;
    assert!(events.contains("signal") && !events.contains("in a place where"), "{events}");
    machine.reports("9", json!({})).expect(409);
    machine.reports("9", replaced).expect(409);
}

#[test]
fn reports_and_vain_fetches_of_one_claim_come_to_an_end() {
    let (server, run, claim, _folder) = waiting_with(&patient(&[]));
    let machine = Machine::fetched(&server, &claim);
    let fetch = |machine: &str| {
        let body = json!({ "word": claim["word"], "machine": machine });
        server.send_as("", "POST", &path_of(&claim, "fetch"), Some(&body))
    };
    for _ in 0..30 {
        fetch("somebody-else-with-the-word").expect(410);
    }
    let log = server.get("/api/v1/audit?action=claim.refuse&limit=100").expect(200).json();
    assert_eq!(log["items"].as_array().unwrap().len(), 20, "{log}");
    // Whoever had it first may still have lost the answer.
    let again = fetch("this-machine-and-no-other").expect(200).json();
    let machine = Machine { word: again["report_word"].as_str().unwrap().into(), ..machine };
    for n in 0..500 {
        machine.reports(&n.to_string(), json!({})).expect(200);
    }
    let refused = machine.reports("one-more", json!({}));
    assert_eq!(refused.json()["code"], "limit_exceeded", "{refused:?}");
    machine.reports("7", json!({})).expect(200);
    end(&server, &run);
    let events = server.get(&format!("/api/v1/runs/{run}/events")).expect(200).text;
    assert_eq!(events.matches("\"k3s\"").count(), 500, "each once");
}

#[test]
fn a_report_that_a_crash_has_cut_off_is_completed_by_the_same_one() {
    let names: Vec<String> = (1..=8).map(|n| format!("part-{n}")).collect();
    let (mut server, run, claim, _folder) = waiting_with(&patient(&names));
    let (reports, word) = {
        let machine = Machine::fetched(&server, &claim);
        (machine.reports, machine.word)
    };
    let mut died = 0;
    for (n, name) in names.iter().enumerate() {
        let body = json!({ "word": word, "id": name, "component": name, "state": "installed",
                           "returns": { name: format!("what came back as {name}, and is long enough") } });
        server.kill();
        server.restart_to_crash(&format!("commit.before:{}", n + 1));
        let json = [("content-type", "application/json")];
        let answer = server.try_raw("POST", &reports, "", &json, Some(body.to_string().into_bytes()));
        if answer.is_none() {
            died += 1;
            server.restart();
            server.send_as("", "POST", &reports, Some(&body)).expect(200);
        }
    }
    assert!(died > 2, "it died in {died} of {} reports", names.len());
    server.kill_and_restart();
    end(&server, &run);
    let (held, events) = (secrets(&server), server.get(&format!("/api/v1/runs/{run}/events")).expect(200));
    for name in &names {
        assert!(held.contains(&format!("/.returned/acme/cp-1/{name}")), "{held}");
        assert_eq!(events.text.matches(&format!("\"component\":\"{name}\"")).count(), 1, "{}", events.text);
    }
}

#[test]
fn a_report_that_comes_while_the_claim_is_withdrawn_leaves_nothing() {
    let names: Vec<String> = (0..40).map(|n| format!("part-{n}")).collect();
    let source =
        patient(&names).replace("wait_signal(\"end\");", "wait_signal(\"end\"); claim::withdraw(\"acme/cp-1\");");
    let (server, run, claim, _folder) = waiting_with(&source);
    let machine = Machine::fetched(&server, &claim);
    let refused = std::thread::scope(|scope| {
        let part = |names: &'_ [String]| {
            let names = names.to_vec();
            let machine = &machine;
            move || {
                let report = |name: &String| {
                    machine.reports(name, json!({ name: format!("what came back as {name}, long enough") }))
                };
                // Again and again what was sent already, until there is no claim any more.
                let (mut count, begun) = (0, std::time::Instant::now());
                while begun.elapsed() < Duration::from_secs(60) {
                    count += 1;
                    match report(&names[count % names.len()]).status {
                        401 => return count,
                        status => assert_eq!(status, 200),
                    }
                }
                0
            }
        };
        let threads: Vec<_> = names.chunks(10).map(|names| scope.spawn(part(names))).collect();
        std::thread::sleep(Duration::from_millis(300));
        server.post(&format!("/api/v1/runs/{run}/signal"), &json!({ "name": "end", "payload": {} }));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(refused.iter().all(|count| *count > 0), "all came too late in the end: {refused:?}");
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let held = secrets(&server);
    assert!(!held.contains(".returned") && !held.contains(".word"), "{held}");
}

#[test]
fn what_a_report_keeps_when_the_claim_has_just_gone_is_removed_by_the_report() {
    let house = House::of(World::new());
    house.world.script("lab/wait", "", "fn run(input) { wait_signal(\"go\") }");
    let (engine, run) = (house.world.engine(), house.world.launch("lab/wait", json!({})));
    let organisation = engine.require(&run).unwrap().organisation;
    let new = NewClaim {
        name: "acme/cp-1".into(),
        organisation: organisation.clone(),
        run: run.clone(),
        key: "k".into(),
        values: [].into(),
        word: "the word".into(),
        returns: vec!["kubeconfig".into()],
        returns_to: Vec::new(),
        signal: "told".into(),
        open_ms: 60_000,
    };
    let id = claims::offer(&engine, |context, plain| Ok(format!("{context}|{plain}")), &new).unwrap();
    let send = |what: &str, body: Value| house.post(&format!("/claims/{id}/{what}"), body);
    let word = send("fetch", json!({ "word": "the word" })).json(200)["report_word"].clone();
    let kept = claims::returned(&organisation, "acme/cp-1", "kubeconfig");
    let report = json!({ "word": word, "id": "1", "component": "k3s", "state": "installed",
                         "returns": { "kubeconfig": "what came back, and is long enough" } });
    let answer = std::thread::scope(|scope| {
        // The report stands still between keeping the secret and looking whether there still is a claim.
        let still = house.secrets.0.lock();
        let reporting = scope.spawn(|| send("reports", report.clone()));
        wait_until("the secret to be kept", Duration::from_secs(60), || engine.sealed_secret(&kept).unwrap().is_some());
        assert!(claims::withdraw(&engine, &organisation, "acme/cp-1", &run).unwrap());
        drop(still);
        reporting.join().unwrap()
    });
    answer.json(401);
    assert!(engine.sealed_secret(&kept).unwrap().is_none(), "it is left behind");
    assert!(engine.signals(&run).unwrap().is_empty(), "nobody hears of it");
}

#[test]
fn no_machine_is_sent_where_everybody_could_listen() {
    for url in ["http://192.0.2.1:7070", "http://0.0.0.0:7070", "https://[::]:7070"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let settings = format!(
            "[server]\npublic_url = \"{url}\"\n[hosts.file]\nfolders = [{:?}]\n[policy]\n\"machines/*\" = [\"claim.*:*\", \"secret.use:*\", \"file.write:*\"]\n",
            path.display().to_string()
        );
        let server = ApiServer::start_with(&[("machines/one", HAND_OVER)], &[], &settings);
        let ended = server.ended(&server.launch("machines/one", &json!({ "folder": path })));
        assert_eq!(ended["problem"]["code"], "configuration", "{ended}");
        assert!(ended["problem"]["help"].as_str().unwrap().contains("server.public_url"), "{ended}");
        assert!(!secrets(&server).contains("made/"), "nothing was made for it");
    }
}

#[test]
fn names_that_are_kept_for_claims_are_nobodys_to_choose() {
    let source = HAND_OVER.replace("claim::generate(\"acme/token\")", "claim::generate(\".word/acme/cp-1\")");
    let settings = "[policy]\n\"machines/*\" = [\"claim.*:*\", \"secret.use:*\", \"file.write:*\"]\n";
    let server = ApiServer::start_with(&[("machines/one", &source)], &[], settings);
    let ended = server.ended(&server.launch("machines/one", &json!({ "folder": "/" })));
    assert_eq!(ended["problem"]["code"], "invalid_argument", "{ended}");
}

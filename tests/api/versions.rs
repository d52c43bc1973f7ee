//! Several servers on one PostgreSQL: what one of them puts in use or removes, all of them launch or don't, whether they share
//! a folder of workflows or have one each.

use std::{net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{Process, postgres, skip, wait_for, wait_until, windlass_binary};

const SOON: Duration = Duration::from_secs(60);
const X: &str = "/api/v1/workflows/lab/x";

fn source(name: &str, answer: i64) -> String {
    format!(
        "const WORKFLOW = #{{ name: \"{name}\", title: \"Answers {answer}\" }};\n\nfn run(input) {{\n    {answer}\n}}\n"
    )
}

/// A database with a user, and machines that serve it.
struct Site {
    root: tempfile::TempDir,
    url: String,
}

/// A machine's configuration, data and token.
struct Machine {
    folder: PathBuf,
    workflows: PathBuf,
    token: String,
}

/// A server that runs on it.
struct Serving {
    process: Process,
    address: SocketAddr,
    token: String,
    client: reqwest::blocking::Client,
}

impl Site {
    fn new() -> Option<Self> {
        let Some(url) = postgres::database() else {
            skip("no PostgreSQL is installed under /usr/lib/postgresql");
            return None;
        };
        Some(Self { root: tempfile::tempdir().unwrap(), url })
    }

    /// `workflows` is a folder that another machine may have, too.
    fn machine(&self, name: &str, workflows: &str) -> Machine {
        let (folder, workflows) = (self.root.path().join(name), self.root.path().join(workflows));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(workflows.join("lab")).unwrap();
        let settings = format!(
            "database = \"{}\"\nworkflows = \"{}\"\n[engine]\nlease_ms = 1000\npoll_ms = 50\n",
            self.url,
            workflows.display()
        );
        std::fs::write(folder.join("windlass.toml"), settings).unwrap();
        let machine = Machine { folder, workflows, token: String::new() };
        machine.done(&["migrate"]);
        machine.done(&["users", "create", name, "--role", "admin@*"]);
        let token = machine.done(&["tokens", "issue", "main", "--user", name])["token"].as_str().unwrap().to_owned();
        Machine { token, ..machine }
    }
}

impl Machine {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        command.current_dir(&self.folder).arg("--json").args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
            command.env_remove(name);
        }
        command.env("WINDLASS_INSTANCE_ID", "5f0c7c1e-6d0b-4d0e-9a55-3c1d2f8f6a01");
        command.env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
        command
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn write(&self, name: &str, answer: i64) {
        std::fs::write(self.workflows.join(format!("{name}.rhai")), source(name, answer)).unwrap();
    }

    fn serve(&self) -> Serving {
        let mut process = Process::start(&mut self.command(&["serve", "--listen", "127.0.0.1:0"])).unwrap();
        let address = wait_for("the server to listen", SOON, || {
            assert!(process.is_running(), "{}", process.output());
            let output = process.output();
            let begin = output.find("{\n")?;
            let end = output[begin..].find("\n}")? + begin;
            let ready: Value = serde_json::from_str(&output[begin..end + 2]).ok()?;
            ready["address"].as_str()?.parse().ok()
        });
        // A provider that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Serving { process, address, token: self.token.clone(), client: reqwest::blocking::Client::new() }
    }
}

impl Serving {
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().unwrap()).unwrap_or_default())
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// What a launch answers here, 404 if there is no such workflow.
    fn answer(&self, workflow: &str) -> i64 {
        let (status, launched) = self.ask("POST", "/api/v1/runs", Some(json!({ "workflow": workflow })));
        if status != 201 {
            return status.into();
        }
        let run = format!("/api/v1/runs/{}", launched["id"].as_str().unwrap());
        wait_for("the run to end", SOON, || self.get(&run)["output"].as_i64())
    }

    #[track_caller]
    fn save(&self, answer: i64) -> Value {
        let expected = self.get(X)["source_digest"].clone();
        let body = json!({ "source": source("lab/x", answer), "expected": expected });
        let (status, saved) = self.ask("PUT", X, Some(body));
        assert_eq!(status, 200, "{saved}");
        saved
    }

    /// Numbers of its versions, newest first.
    fn versions(&self, name: &str) -> Vec<i64> {
        let history = self.get(&format!("/api/v1/workflows/{name}/history"));
        history["items"].as_array().unwrap().iter().map(|version| version["version"].as_i64().unwrap()).collect()
    }
}

/// Waits until this server itself has looked at its folder: what is broken isn't told to others.
fn looked(machine: &Machine, server: &Serving, name: &str) {
    std::fs::write(machine.workflows.join(format!("{name}.rhai")), "const WORKFLOW =").unwrap();
    let lists = || server.get("/api/v1/workflows")["items"].as_array().unwrap().iter().any(|one| one["name"] == name);
    wait_until("the folder to be looked at", SOON, lists);
}

#[test]
fn servers_with_folders_of_their_own_use_what_any_of_them_puts_in_use() {
    let Some(site) = Site::new() else { return };
    let (first, second) = (site.machine("ann", "a"), site.machine("bob", "b"));
    first.write("lab/x", 1);
    second.write("lab/x", 1);
    let a = first.serve();
    let mut b = second.serve();
    assert_eq!((a.answer("lab/x"), b.answer("lab/x"), b.versions("lab/x")), (1, 1, vec![1]));
    // A saved source is in use everywhere, and nobody's older file takes it back.
    assert_eq!(a.save(2)["version"], 2);
    wait_until("the other server to use it", SOON, || b.answer("lab/x") == 2);
    looked(&second, &b, "lab/b");
    assert!(b.process.terminate(SOON).success(), "{}", b.process.output());
    let mut b = second.serve();
    looked(&second, &b, "lab/b2");
    assert_eq!((a.answer("lab/x"), b.answer("lab/x"), b.versions("lab/x")), (2, 2, vec![2, 1]));
    assert!(b.get(X)["problem"].is_null());
    // What is in use from elsewhere can be saved here, activated here, and edited here.
    assert_eq!(b.save(3)["version"], 3);
    wait_until("the first server to use it", SOON, || a.answer("lab/x") == 3);
    assert_eq!(b.ask("POST", &format!("{X}/activate"), Some(json!({ "version": 1 }))).0, 200);
    wait_until("the first server to use what was activated", SOON, || a.answer("lab/x") == 1);
    first.write("lab/x", 4);
    for server in [&a, &b] {
        wait_until("the edited file to be in use", SOON, || server.answer("lab/x") == 4);
    }
    assert_eq!(b.versions("lab/x"), [4, 3, 2, 1]);
    // A workflow that only one folder has is there for all, and stays there.
    first.write("lab/only", 7);
    wait_until("the other server to use a new one", SOON, || b.answer("lab/only") == 7);
    looked(&second, &b, "lab/b3");
    assert_eq!((a.answer("lab/only"), b.answer("lab/only")), (7, 7));
    // A machine that has lost its data folder, and with it what it had seen, takes nothing back either.
    assert!(b.process.terminate(SOON).success(), "{}", b.process.output());
    let seen = second.folder.join(".windlass/workflows.seen");
    assert!(std::fs::read_to_string(&seen).unwrap().contains("lab/x"));
    std::fs::remove_file(seen).unwrap();
    let b = second.serve();
    looked(&second, &b, "lab/b4");
    assert_eq!((a.answer("lab/x"), b.answer("lab/x"), b.versions("lab/x")), (4, 4, vec![4, 3, 2, 1]));
    // It can be removed where it isn't; the file that is left elsewhere brings nothing back.
    let digest = b.get("/api/v1/workflows/lab/only")["source_digest"].as_str().unwrap().to_owned();
    let (status, removed) = b.ask("DELETE", &format!("/api/v1/workflows/lab/only?expected={digest}"), None);
    assert_eq!(status, 204, "{removed}");
    wait_until("the first server to forget it", SOON, || a.answer("lab/only") == 404);
    looked(&first, &a, "lab/a");
    assert_eq!((a.answer("lab/only"), b.answer("lab/only")), (404, 404));
}

#[test]
fn servers_that_share_a_folder_make_one_version_of_a_change_and_forget_together() {
    let Some(site) = Site::new() else { return };
    let (first, second) = (site.machine("ann", "both"), site.machine("bob", "both"));
    for name in ["lab/x", "lab/y"] {
        first.write(name, 1);
    }
    let (a, b) = (first.serve(), second.serve());
    assert_eq!((a.answer("lab/x"), b.answer("lab/x")), (1, 1));
    a.save(2);
    wait_until("the other server to use it", SOON, || b.answer("lab/x") == 2);
    looked(&second, &b, "lab/b");
    assert_eq!(a.versions("lab/x"), [2, 1], "one change is one version");
    first.write("lab/x", 3);
    for server in [&a, &b] {
        wait_until("the edited file to be in use", SOON, || server.answer("lab/x") == 3);
    }
    looked(&second, &b, "lab/b2");
    assert_eq!(b.versions("lab/x"), [3, 2, 1]);
    // Removed at one server, it is removed; what comes after it in the folder is looked at all the same.
    let digest = a.get(X)["source_digest"].as_str().unwrap().to_owned();
    assert_eq!(a.ask("DELETE", &format!("{X}?expected={digest}"), None).0, 204);
    wait_until("the other server to forget it", SOON, || b.answer("lab/x") == 404);
    first.write("lab/y", 2);
    for server in [&a, &b] {
        wait_until("what comes after it to be in use", SOON, || server.answer("lab/y") == 2);
    }
    looked(&second, &b, "lab/b3");
    assert_eq!(a.answer("lab/x"), 404);
    let removals = a.get("/api/v1/audit?action=workflow.remove");
    let removals: Vec<&str> =
        removals["items"].as_array().unwrap().iter().filter_map(|entry| entry["actor"].as_str()).collect();
    assert!(removals.iter().any(|actor| actor.contains("ann")), "{removals:?}");
    // Both see the file that is gone by itself; one of them is first.
    std::fs::remove_file(first.workflows.join("lab/y.rhai")).unwrap();
    for server in [&a, &b] {
        wait_until("the removed file to be forgotten", SOON, || server.answer("lab/y") == 404);
    }
    looked(&second, &b, "lab/b4");
    looked(&first, &a, "lab/a4");
}

#[test]
fn what_waits_for_an_admin_waits_at_every_server_that_sees_its_file() {
    let Some(site) = Site::new() else { return };
    let (first, second) = (site.machine("ann", "both"), site.machine("bob", "both"));
    first.write("lab/x", 1);
    let (mut a, b) = (first.serve(), second.serve());
    first.done(&["users", "create", "olga", "--role", "operator@platform"]);
    let olga = first.done(&["tokens", "issue", "main", "--user", "olga"])["token"].as_str().unwrap().to_owned();
    let ann = std::mem::replace(&mut a.token, olga);
    let wide = source("lab/x", 2).replace("\" };", "\", permissions: [\"net.*:*\"] };");
    let body = json!({ "source": wide, "expected": a.get(X)["source_digest"] });
    let (status, saved) = a.ask("PUT", X, Some(body));
    assert_eq!((status, &saved["waiting"], &saved["version"]), (200, &json!(2), &json!(1)), "{saved}");
    looked(&second, &b, "lab/b");
    assert_eq!(std::fs::read_to_string(first.workflows.join("lab/x.rhai")).unwrap(), wide);
    assert_eq!((a.answer("lab/x"), b.answer("lab/x"), b.versions("lab/x")), (1, 1, vec![2, 1]));
    assert_eq!(b.get(X)["problem"]["data"]["version"], 2);
    a.token = ann;
    assert_eq!(b.ask("POST", &format!("{X}/activate"), Some(json!({ "version": 2 }))).0, 200);
    wait_until("the first server to use it", SOON, || a.answer("lab/x") == 2);
    assert_eq!((&a.get(X)["problem"], &b.get(X)["problem"]), (&Value::Null, &Value::Null));
}

//! The same commands on a data folder and on a server: the same output, the same exit codes.

use std::process::{Command, Output};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, windlass_binary};

const COUNT: &str = r#"const WORKFLOW = #{ name: "lab/count", title: "Counts", inputs: #{ type: "object", additionalProperties: false,
    properties: #{ "count": #{ "type": "integer", "default": 3 } } } };

fn run(input) {
    let all = [];
    for n in 0..input.count { all.push(random()); log(`step ${n}`); }
    all.len()
}
"#;
const FAIL: &str = r#"const WORKFLOW = #{ name: "lab/fail", title: "Fails" };

fn run(input) {
    now();
    throw "as asked"
}
"#;
const WAIT: &str = r#"const WORKFLOW = #{ name: "lab/wait", title: "Waits" };

fn run(input) {
    wait_signal("go")
}
"#;
const ASK: &str = r#"const WORKFLOW = #{ name: "lab/ask", title: "Asks" };

fn run(input) {
    approve(#{ title: "May I?", allow_self: true }).approved
}
"#;
const ALL: &[(&str, &str)] = &[("lab/count", COUNT), ("lab/fail", FAIL), ("lab/wait", WAIT), ("lab/ask", ASK)];

/// A server, and a data folder of its own beside it with the same workflows.
struct Both {
    server: ApiServer,
    local: tempfile::TempDir,
}

impl Both {
    fn new() -> Self {
        Self { server: ApiServer::start(ALL), local: tempfile::tempdir().unwrap() }
    }

    fn here(&self, args: &[&str]) -> Output {
        let mut command = Command::new(windlass_binary());
        command.arg("--data").arg(self.local.path().join("data")).arg("--workflows").arg(self.server.workflows());
        command.args(["--as", "admin"]).args(args).env_remove("WINDLASS_SERVER").output().unwrap()
    }

    fn there(&self, args: &[&str]) -> Output {
        let mut command = Command::new(windlass_binary());
        // Without a project around it: everything has to come from the server.
        command.current_dir("/").args(["--server", &self.server.url]).args(args);
        command.env("WINDLASS_TOKEN", &self.server.token).output().unwrap()
    }

    /// Runs both; their exit codes and outputs, with what differs by nature blotted out.
    #[track_caller]
    fn same(&self, here: &[&str], there: &[&str]) -> String {
        let (here, there) = (self.here(here), self.there(there));
        let (one, other) = (blot(&here.stdout), blot(&there.stdout));
        assert_eq!(one, other, "{}\n{}", text(&here.stderr), text(&there.stderr));
        assert_eq!(here.status.code(), there.status.code(), "{}\n{}", text(&here.stderr), text(&there.stderr));
        one
    }

    fn run_id(output: &Output) -> String {
        text(&output.stdout)
            .split_whitespace()
            .find(|word| word.len() == 26 && word.starts_with("01"))
            .unwrap_or_else(|| panic!("no run in {output:?}"))
            .to_owned()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ids, times, numbers and digests are each run's own.
fn blot(bytes: &[u8]) -> String {
    let own = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        (word.len() == 26 && word.starts_with("01"))
            || (word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit()))
            || word.parse::<f64>().is_ok()
            || (word.contains(':') && word.chars().next().is_some_and(|c| c.is_ascii_digit()))
    };
    let times = ["ms", "s", "ago", "just", "now", "µs"];
    text(bytes)
        .lines()
        .filter(|line| !line.contains("\"node\":"))
        .map(|line| {
            let words = line.split_whitespace().filter(|word| !times.contains(word));
            words.map(|word| if own(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn runs_are_launched_followed_listed_and_shown_alike() {
    let both = Both::new();
    let run = ["run", "lab/count", "--set", "count=2", "--tag", "mine"];
    let shown = both.same(&run, &run);
    assert!(shown.contains("│ step"), "{shown}");
    let list = both.same(&["runs", "ls", "--tag", "mine"], &["runs", "ls", "--tag", "mine"]);
    assert!(list.contains("lab/count"), "{list}");
    let (here, there) = (both.here(&["runs", "ls"]), both.there(&["runs", "ls"]));
    let (here, there) = (Both::run_id(&here), Both::run_id(&there));
    for command in ["show", "logs", "events", "export"] {
        both.same(&["runs", command, &here], &["runs", command, &there]);
    }
    // The beginning of an id is enough, and what isn't there is told in the same words.
    assert_eq!(both.there(&["runs", "logs", &there[..24]]).status.code(), Some(0));
    both.same(&["runs", "show", "zzz"], &["runs", "show", "zzz"]);
    both.same(&["run", "lab/count", "--set", "cuont=2"], &["run", "lab/count", "--set", "cuont=2"]);
    both.same(&["resources", "ls"], &["resources", "ls"]);
    for command in [&["ls"][..], &["show", "lab/count"], &["check"], &["show", "lab/cuont"]] {
        let args = [&["workflows"], command].concat();
        both.same(&args, &args);
    }
    let plan = ["workflows", "rehearse", "lab/count", "--set", "count=1"];
    both.same(&plan, &plan);
}

#[test]
fn runs_are_steered_alike() {
    let both = Both::new();
    assert_eq!(both.same(&["run", "lab/fail"], &["run", "lab/fail"]).matches("as asked").count(), 1);
    let there = Both::run_id(&both.there(&["run", "lab/wait", "--detach"]));
    let waits = || both.server.get(&format!("/api/v1/runs/{there}")).json()["state"] == "waiting";
    windlass_tests::wait_until("the run to wait", std::time::Duration::from_secs(20), waits);
    let sent = both.there(&["runs", "signal", &there, "go", "--payload", "{\"a\":1}"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert_eq!(both.server.ended(&there)["output"], json!({ "a": 1 }));

    let asks = Both::run_id(&both.there(&["run", "lab/ask", "--detach"]));
    let asked = || both.server.get(&format!("/api/v1/runs/{asks}")).json()["state"] == "waiting";
    windlass_tests::wait_until("the run to ask", std::time::Duration::from_secs(20), asked);
    let approved = both.there(&["runs", "approve", &asks, "-m", "fine"]);
    assert_eq!(approved.status.code(), Some(0), "{}", text(&approved.stderr));
    assert_eq!(both.server.ended(&asks)["output"], json!(true));

    let waits = Both::run_id(&both.there(&["run", "lab/wait", "--detach"]));
    assert_eq!(both.there(&["runs", "cancel", &waits, "--reason", "enough"]).status.code(), Some(0));
    assert_eq!(both.server.ended(&waits)["state"], "cancelled");
    let again: Value = serde_json::from_slice(&both.there(&["--json", "runs", "retry", &waits]).stdout).unwrap();
    assert_eq!(again["done"], "launched");
}

#[test]
fn without_a_token_or_a_server_it_says_what_to_do() {
    let both = Both::new();
    let output = Command::new(windlass_binary())
        .current_dir("/")
        .args(["--server", &both.server.url, "runs", "ls"])
        .env_remove("WINDLASS_TOKEN")
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("WINDLASS_TOKEN"), "{}", text(&output.stderr));
    let wrong = Command::new(windlass_binary())
        .current_dir("/")
        .args(["--server", &both.server.url, "--token", "wl_no_such", "runs", "ls"])
        .output()
        .unwrap();
    assert!(text(&wrong.stderr).contains("unauthenticated"), "{}", text(&wrong.stderr));
    let nowhere = Command::new(windlass_binary())
        .current_dir("/")
        .args(["--server", "http://127.0.0.1:9", "--token", "x", "runs", "cancel", "x"])
        .output()
        .unwrap();
    assert!(text(&nowhere.stderr).contains("can't be reached"), "{}", text(&nowhere.stderr));
    assert!(!nowhere.status.success());
}

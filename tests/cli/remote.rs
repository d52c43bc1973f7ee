//! The same commands on a data folder and on a server: the same output, the same exit codes.

use std::process::Command;

use serde_json::{Value, json};
use windlass_tests::windlass_binary;

use super::both::{Both, text};

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

#[test]
fn runs_are_launched_followed_listed_and_shown_alike() {
    let both = Both::new(ALL);
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
    let both = Both::new(ALL);
    assert_eq!(both.same(&["run", "lab/fail"], &["run", "lab/fail"]).matches("as asked").count(), 1);
    let there = Both::run_id(&both.there(&["run", "lab/wait", "--detach"]));
    let waits = || both.server.get(&format!("/api/v1/runs/{there}")).json()["state"] == "waiting";
    windlass_tests::wait_until("the run to wait", std::time::Duration::from_secs(60), waits);
    let sent = both.there(&["runs", "signal", &there, "go", "--payload", "{\"a\":1}"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert_eq!(both.server.ended(&there)["output"], json!({ "a": 1 }));

    let asks = Both::run_id(&both.there(&["run", "lab/ask", "--detach"]));
    let asked = || both.server.get(&format!("/api/v1/runs/{asks}")).json()["state"] == "waiting";
    windlass_tests::wait_until("the run to ask", std::time::Duration::from_secs(60), asked);
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
fn mistakes_are_shown_alike_with_the_place_and_what_to_do() {
    let broken = [
        (
            "lab/typo",
            "const WORKFLOW = #{ name: \"lab/typo\", title: \"T\" };\n\nfn run(input) {\n    slep(\"1s\");\n\tlogg(1)\n}\n",
        ),
        ("lab/cut", "const WORKFLOW = #{ name: \"lab/cut\", title: \"C\" };\n\nfn run(input) {\n    let a = ;\n}\n"),
        (
            "lab/import",
            "import \"lib/broken\" as b;\nconst WORKFLOW = #{ name: \"lab/import\", title: \"I\" };\nfn run(input) { b::twice(1) }\n",
        ),
        ("lib/broken", "fn twice(n) {\n    n * nn(2)\n}\n"),
        ("lab/count", COUNT),
    ];
    let both = Both::new(&broken);
    let shown = both.alike(&["workflows", "check"]);
    for part in ["✗ lab/typo", "slep(\"1s\");", "^^^^", "= help: Did you mean `sleep`?", "✓ lab/count"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    both.alike(&["--json", "workflows", "check"]);
    both.alike(&["workflows", "check", "lab/cut", "lab/import"]);
    both.refused(&["workflows", "check", "lab/none"], &["workflows", "check", "lab/none"]);
    for name in ["lab/../typo", "lab/a?b=c", "lab/a b"] {
        both.refused(&["workflows", "check", name], &["workflows", "check", name]);
        both.refused(&["workflows", "show", name], &["workflows", "show", name]);
        both.refused(&["run", name], &["run", name]);
    }
}

#[test]
fn what_the_policy_refuses_and_a_file_that_is_not_in_use_are_told() {
    let wide = "const WORKFLOW = #{ name: \"lab/wide\", title: \"W\", permissions: [\"exec.run:sleep\", \"net.*:*\"] };\n\
                fn run(input) { exec::probe([\"sleep\", \"0\"]); net::create_namespaces(\"a\", [\"b\"]) }\n";
    let settings = |grants: &str| format!("[hosts.exec]\nprograms = [\"sleep\"]\n[policy]\n\"lab/*\" = [{grants}]\n");
    let all = [("lab/count", COUNT), ("lab/wide", wide)];
    let mut both = Both::with(&all, &settings("\"net.*:*\", \"exec.run:*\""));
    // It is in use; from the next start on the policy doesn't allow it any more.
    let file = both.server.workflows().with_file_name("windlass.toml");
    std::fs::write(file, settings("\"net.*:*\"")).unwrap();
    both.server.kill_and_restart();
    let shown = text(&both.there(&["workflows", "show", "lab/wide"]).stdout);
    assert!(shown.contains("(exec.run:sleep)  ✗ the policy doesn't allow this"), "{shown}");
    let shown = both.there(&["--json", "workflows", "show", "lab/wide"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["refused_by_policy"], json!(["exec.run:sleep"]));
    both.server
        .write_workflow("lab/count", "const WORKFLOW = #{ name: \"lab/count\", title: \"Cut\" };\nfn run(input) {");
    let line = || {
        let listed = text(&both.there(&["workflows", "ls"]).stdout);
        listed.lines().find(|line| line.contains("lab/count")).unwrap_or_default().to_owned()
    };
    windlass_tests::wait_until("the file to be looked at", std::time::Duration::from_secs(60), || line().contains('✗'));
    assert!(line().contains("Counts"), "an earlier version is in use: {}", line());
    let told = text(&both.there(&["workflows", "show", "lab/count"]).stderr);
    assert!(told.contains("isn't what is in use") && told.contains("lab/count.rhai"), "{told}");
}

#[test]
fn without_a_token_or_a_server_it_says_what_to_do() {
    let both = Both::new(ALL);
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

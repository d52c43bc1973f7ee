//! `windlass schedules`: the same in a data folder and at a server.

use std::process::{Command, Output};

use serde_json::Value;
use windlass_tests::{ApiServer, windlass_binary};

const NOTE: &str = "const WORKFLOW = #{ name: \"lab/note\", title: \"Notes\", permissions: [], inputs: #{ type: \"object\", \
                    additionalProperties: false, properties: #{ n: #{ \"type\": \"integer\" } } } };\nfn run(input) { input.n }\n";

/// A server, and a folder of its own with the same workflows and a user of the same name.
struct Both {
    server: ApiServer,
    local: tempfile::TempDir,
}

impl Both {
    fn new() -> Self {
        let both = Self { server: ApiServer::start(&[("lab/note", NOTE)]), local: tempfile::tempdir().unwrap() };
        let made = both.here(&["users", "create", "admin", "--role", "admin@*"]);
        assert!(made.status.success(), "{made:?}");
        both
    }

    fn here(&self, args: &[&str]) -> Output {
        let mut command = Command::new(windlass_binary());
        command.arg("--data").arg(self.local.path().join("data")).arg("--workflows").arg(self.server.workflows());
        command.args(["--as", "admin"]).args(args).env_remove("WINDLASS_SERVER").output().unwrap()
    }

    fn there(&self, args: &[&str]) -> Output {
        let mut command = Command::new(windlass_binary());
        command.current_dir("/").args(["--server", &self.server.url]).args(args);
        command.env("WINDLASS_TOKEN", &self.server.token).output().unwrap()
    }

    /// Both have to end alike; what they printed as JSON.
    #[track_caller]
    fn json(&self, args: &[&str]) -> (Value, Value) {
        let args = [&["--json"], args].concat();
        let (here, there) = (self.here(&args), self.there(&args));
        assert_eq!(here.status.code(), there.status.code(), "{here:?} {there:?}");
        let read = |output: &Output| {
            let bytes = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
            serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("{output:?}"))
        };
        (read(&here), read(&there))
    }
}

/// Without what is each one's own.
fn blot(mut schedule: Value) -> Value {
    for key in ["id", "created_at_ms", "version", "acts_until_ms"] {
        schedule[key] = Value::Null;
    }
    schedule
}

#[test]
fn schedules_are_made_changed_and_removed_alike() {
    let both = Both::new();
    let add = [
        "schedules",
        "add",
        "leap",
        "lab/note",
        "--cron",
        "0 0 29 2 *",
        "--time-zone",
        "Europe/Berlin",
        "--set",
        "n=5",
        "--overlap",
        "cancel-previous",
        "--missed",
        "all",
        "--jitter",
        "5m",
        "--tag",
        "rare",
    ];
    let (here, there) = both.json(&add);
    assert_eq!(blot(here.clone()), blot(there.clone()));
    assert_eq!((here["overlap"].as_str(), here["jitter_ms"].as_i64()), (Some("cancel_previous"), Some(300_000)));
    assert_eq!((here["input"]["n"].as_i64(), here["owner"].as_str()), (Some(5), Some("admin")));
    // What a token set up acts no longer than the token.
    assert!(here["acts_until_ms"].is_null() && there["acts_until_ms"].is_i64(), "{there}");
    assert!(there["next"][0]["wall"].as_str().unwrap().contains("-02-29T00:00:00+01:00"), "{there}");
    let (here, there) = (both.here(&["schedules", "show", "leap"]), both.there(&["schedules", "show", "leap"]));
    let says = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("then the token ends");
    assert!(!says(&here) && says(&there), "{there:?}");
    for args in [
        &["schedules", "set", "leap", "--cron", "0 12 * * *", "--description", "noon"][..],
        &["schedules", "pause", "leap"],
        &["schedules", "resume", "leap"],
        &["schedules", "show", "leap"],
    ] {
        let (here, there) = both.json(args);
        assert_eq!(blot(here)["cron"], "0 12 * * *", "{args:?}");
        assert_eq!(there["cron"], "0 12 * * *", "{args:?}");
    }
    let (_, there) = both.json(&["schedules", "ls"]);
    assert_eq!(there.as_array().unwrap().len(), 1);
    let (here, there) = both.json(&["schedules", "run", "leap"]);
    for run in [&here["id"], &there["id"]] {
        assert_eq!(run.as_str().unwrap().len(), 26);
    }
    let shown = |output: Output| String::from_utf8(output.stdout).unwrap();
    let text = shown(both.here(&["schedules", "show", "leap"]));
    assert!(
        text.contains("launches lab/note for admin, in platform") && text.contains("overlap cancel-previous"),
        "{text}"
    );
    assert!(shown(both.there(&["schedules", "ls"])).contains("0 12 * * * (Europe/Berlin)"));
    both.json(&["schedules", "rm", "leap"]);
    let (here, there) = both.json(&["schedules", "show", "leap"]);
    assert_eq!(
        (here["error"]["code"].as_str(), there["error"]["code"].as_str()),
        (Some("not_found"), Some("not_found"))
    );
}

#[test]
fn mistakes_are_named_alike() {
    let both = Both::new();
    for (args, code) in [
        (&["schedules", "add", "x", "lab/note", "--cron", "nonsense"][..], "invalid_input"),
        (&["schedules", "add", "x", "lab/none", "--cron", "* * * * *"], "workflow_not_found"),
        (&["schedules", "add", "x", "lab/note", "--cron", "* * * * *", "--time-zone", "Mars"], "invalid_input"),
        (&["schedules", "add", "x", "lab/note", "--cron", "* * * * *", "--tag", "depth:1"], "invalid_input"),
    ] {
        let (here, there) = both.json(args);
        assert_eq!(
            (here["error"]["code"].as_str(), there["error"]["code"].as_str()),
            (Some(code), Some(code)),
            "{args:?}: {here} {there}"
        );
        assert_eq!(here["error"]["message"], there["error"]["message"], "{args:?}");
    }
    // In a data folder somebody has to be named who may launch.
    let args = ["--json", "--as", "stranger", "schedules", "add", "x", "lab/note", "--cron", "* * * * *"];
    let mut command = Command::new(windlass_binary());
    command.arg("--data").arg(both.local.path().join("data")).arg("--workflows").arg(both.server.workflows());
    let refused = command.args(args).env_remove("WINDLASS_SERVER").output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--owner"), "{refused:?}");
    let next = both.here(&["schedules", "next", "0 4 * * *", "-n", "3"]);
    assert_eq!(String::from_utf8_lossy(&next.stdout).lines().count(), 4);
}

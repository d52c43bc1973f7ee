//! Versions of workflows on the command line: in a data folder and at a server alike.

use std::process::Command;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, windlass_binary};

use super::support::{Project, Ran};

fn source(title: &str, body: &str) -> String {
    format!("const WORKFLOW = #{{ name: \"lab/x\", title: \"{title}\" }};\n\nfn run(input) {{\n    {body}\n}}\n")
}

/// A server and a project, each with a folder and a database of its own.
struct Both {
    server: ApiServer,
    project: Project,
}

impl Both {
    fn new() -> Self {
        let (server, project) = (ApiServer::start(&[("lab/x", &source("First", "1"))]), Project::empty());
        project.write("workflows/lab/x.rhai", &source("First", "1"));
        Self { server, project }
    }

    fn here(&self, args: &[&str]) -> Ran {
        self.project.run(&[&["--as", "admin"], args].concat())
    }

    fn there(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(windlass_binary());
        command.current_dir(self.project.root()).args(["--server", &self.server.url]).args(args);
        Ran::from(command.env("WINDLASS_TOKEN", &self.server.token).env("NO_COLOR", "1").output().unwrap())
    }

    /// Does it in both places. What is answered is the same but for who, when and where from.
    #[track_caller]
    fn both(&self, code: i32, args: &[&str]) -> (Ran, Ran) {
        let (here, there) = (self.here(args), self.there(args));
        assert_eq!((here.code, there.code), (code, code), "{}\n{}", here.stderr, there.stderr);
        (here, there)
    }

    #[track_caller]
    fn same(&self, code: i32, args: &[&str]) -> Ran {
        let (here, there) = self.both(code, args);
        assert_eq!(here.stdout, there.stdout);
        let errors =
            |ran: &Ran| ran.stderr.lines().filter(|line| line.contains("error[")).collect::<Vec<_>>().join("\n");
        assert_eq!(errors(&here), errors(&there));
        here
    }

    /// Both histories, without who and when.
    #[track_caller]
    fn history(&self) -> Value {
        let (here, there) = self.both(0, &["--json", "workflows", "history", "lab/x"]);
        let [here, there] = [here, there].map(|ran| {
            let mut versions = ran.json();
            for version in versions.as_array_mut().unwrap() {
                let version = version.as_object_mut().unwrap();
                assert!(version["by"].as_str().is_some_and(|by| by == "file" || by.contains("admin")), "{version:?}");
                version.remove("by");
                version.remove("at_ms");
            }
            versions
        });
        assert_eq!(here, there);
        here
    }
}

#[test]
fn versions_are_saved_listed_activated_and_restored_alike() {
    let both = Both::new();
    both.project.write("second.rhai", &source("Second", "2"));
    let saved = both.same(0, &["workflows", "save", "lab/x", "second.rhai", "-m", "because"]);
    assert_eq!(saved.stdout, "version 2 of lab/x is in use\n");
    let history = both.history();
    assert_eq!(
        (&history[0]["version"], &history[0]["why"], &history[0]["active"]),
        (&json!(2), &json!("because"), &json!(true))
    );
    assert_eq!((&history[1]["version"], history.as_array().unwrap().len()), (&json!(1), 2));
    let (here, there) = both.both(0, &["workflows", "history", "lab/x"]);
    for ran in [here, there] {
        let newest = ran.stdout.lines().find(|line| line.contains("because")).unwrap().to_owned();
        assert!(newest.contains('✓') && newest.contains("admin"), "{}", ran.stdout);
    }
    both.same(0, &["workflows", "source", "lab/x"]);
    assert_eq!(both.same(0, &["workflows", "source", "lab/x", "1"]).stdout, source("First", "1"));

    let tried = both.same(0, &["--json", "workflows", "activate", "lab/x", "1", "--dry-run"]).json();
    assert_eq!(tried, json!({ "version": 1, "activated": false, "added": [], "runs": [] }));
    assert_eq!(both.history()[0]["active"], true);
    assert_eq!(both.same(0, &["workflows", "activate", "lab/x", "1"]).stdout, "version 1 of lab/x is in use\n");
    assert_eq!(both.history()[1]["active"], true);

    // The file still holds the second version, which is kept; the command doesn't look for that.
    let restored = both.same(0, &["--json", "workflows", "restore", "lab/x", "1", "--force"]).json();
    assert!(restored["version"].as_i64().is_some_and(|version| version == 1 || version == 3), "{restored}");
    for file in [both.project.path("workflows/lab/x.rhai"), both.server.workflows().join("lab/x.rhai")] {
        assert_eq!(std::fs::read_to_string(file).unwrap(), source("First", "1"));
    }
    both.same(0, &["workflows", "rm", "lab/x"]);
    assert!(!both.project.path("workflows/lab/x.rhai").exists());
    assert!(!both.server.workflows().join("lab/x.rhai").exists());
    let back = both.same(0, &["--json", "workflows", "restore", "lab/x", "2"]).json();
    assert_eq!(back["name"], "lab/x");
    assert_eq!(both.history()[0]["why"], "version 2 again");
    assert_eq!(both.server.get("/api/v1/workflows/lab/x").expect(200).json()["workflow"]["title"], "Second");
}

#[test]
fn what_cannot_be_is_told_alike_and_changes_nothing() {
    let both = Both::new();
    both.project.write(
        "broken.rhai",
        "const WORKFLOW = #{ name: \"lab/x\", title: \"X\" };\n\nfn run(input) {\n    nope(1)\n}\n",
    );
    let broken = both.same(2, &["workflows", "save", "lab/x", "broken.rhai"]);
    assert!(broken.stderr.contains("lab/x.rhai:4:5"), "{}", broken.stderr);
    for args in [
        &["workflows", "activate", "lab/x", "7"][..],
        &["workflows", "restore", "lab/x", "7"],
        &["workflows", "source", "lab/x", "7"],
        &["workflows", "history", "lab/nothing"],
        &["workflows", "rm", "lab/nothing"],
        &["workflows", "save", "../evil", "broken.rhai"],
    ] {
        let (here, there) = (both.here(args), both.there(args));
        assert_ne!((here.code, there.code), (0, 0), "{args:?}");
        assert_eq!(here.code, there.code, "{args:?}: {}\n{}", here.stderr, there.stderr);
    }
    // A file that somebody is at work on isn't lost.
    let half = "const WORKFLOW = #{ name: \"lab/x\", ti";
    for file in [both.project.path("workflows/lab/x.rhai"), both.server.workflows().join("lab/x.rhai")] {
        std::fs::write(file, half).unwrap();
    }
    both.project.write("second.rhai", &source("Second", "2"));
    let refused = both.there(&["workflows", "save", "lab/x", "second.rhai"]);
    assert!(
        refused.stderr.contains("error[precondition_failed]") && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read_to_string(both.server.workflows().join("lab/x.rhai")).unwrap(), half);
    both.same(0, &["workflows", "save", "lab/x", "second.rhai", "--force"]);
}

#[test]
fn a_servers_data_folder_is_not_changed_behind_its_back() {
    let server = ApiServer::start(&[("lab/x", &source("First", "1"))]);
    let project = Project::empty();
    let mut command = project.command(&["workflows", "activate", "lab/x", "1"]);
    command.arg("--data").arg(server.data()).arg("--workflows").arg(server.workflows());
    let refused = Ran::from(command.output().unwrap());
    assert!(
        refused.stderr.contains("error[data_folder_busy]") && refused.stderr.contains("--server"),
        "{}",
        refused.stderr
    );
    let mut command = project.command(&["--json", "workflows", "history", "lab/x"]);
    command.arg("--data").arg(server.data()).arg("--workflows").arg(server.workflows());
    assert_eq!(Ran::from(command.output().unwrap()).json()[0]["active"], true);
}

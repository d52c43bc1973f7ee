//! A project in a temporary folder, and the binary run in it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use windlass_tests::{Process, windlass_binary};

/// How long anything may take.
pub const SOON: Duration = Duration::from_secs(60);

/// A folder with a few small workflows.
pub struct Project {
    folder: tempfile::TempDir,
}

const HEADER: &str = r#"title: "t", inputs: #{ type: "object", additionalProperties: false, properties: #{
    "count": #{ "type": "integer", "default": 3 }, "name": #{ "type": "string", "default": "x" } } }"#;

impl Project {
    /// A project without workflows.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A project with `lab/count` (steps), `lab/fail`, `lab/ask` (an approval), `lab/nap` (a long sleep), `lab/wait` (a
    /// signal), `lab/refused` (lacks a grant), `lab/stuck` (its undo fails).
    pub fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.workflow(
            "lab/count",
            "",
            "let all = []; for n in 0..input.count { all.push(now()); log(`step ${n}`); } all.len()",
        );
        project.workflow("lab/fail", "", r#"now(); throw "as asked""#);
        project.workflow("lab/ask", "", r#"let a = approve(#{ title: "May I?" }); if !a.approved { throw "no" } a.by"#);
        project.workflow("lab/nap", "", r#"log("down"); sleep("2h"); "up""#);
        project.workflow("lab/wait", "", r#"log("waiting"); wait_signal("go")"#);
        project.workflow("lab/refused", "\"exec.run:ping\"", r#"exec::probe(["cat", "/dev/null"])"#);
        project.workflow("lab/stuck", "", r#"on_rollback("never works", || { throw "still no" }); throw "as asked""#);
        project
    }

    /// Adds a workflow with these grants and this body of `run(input)`.
    pub fn workflow(&self, name: &str, grants: &str, body: &str) {
        let text = format!(
            "const WORKFLOW = #{{ name: \"{name}\", permissions: [{grants}], {HEADER} }};\n\nfn run(input) {{\n    {body}\n}}\n"
        );
        self.write(&format!("workflows/{name}.rhai"), &text);
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A path in the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary in this project.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WINDLASS_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs the binary with this standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Starts the binary, to be watched.
    pub fn start(&self, args: &[&str]) -> Process {
        Process::start(&mut self.command(args)).unwrap()
    }

    /// The newest run.
    pub fn newest(&self) -> Value {
        self.runs().first().cloned().unwrap()
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Vec<Value> {
        let listed = self.run(&["runs", "ls", "--json", "--limit", "1000"]);
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        serde_json::from_str(&listed.stdout).unwrap()
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Standard output as one JSON object a line.
    pub fn events(&self) -> Vec<Value> {
        let parsed = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
        parsed.collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Numbers of events, which have no gap.
pub fn assert_gapless(events: &[Value]) {
    let numbers: Vec<i64> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    let expected: Vec<i64> = (1..=numbers.len() as i64).collect();
    assert_eq!(numbers, expected);
}

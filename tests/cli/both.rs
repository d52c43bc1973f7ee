//! The same command here and there: on a data folder, and on a server with the same workflows.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use windlass_tests::{ApiServer, windlass_binary};

/// A server, and a data folder of its own beside it with the same workflows.
pub struct Both {
    pub server: ApiServer,
    local: tempfile::TempDir,
}

impl Both {
    /// With these workflows.
    pub fn new(workflows: &[(&str, &str)]) -> Self {
        Self::with(workflows, "")
    }

    /// With lines of `windlass.toml`, too.
    pub fn with(workflows: &[(&str, &str)], settings: &str) -> Self {
        Self { server: ApiServer::start_with(workflows, &[], settings), local: tempfile::tempdir().unwrap() }
    }

    /// The data folder here.
    pub fn data(&self) -> PathBuf {
        self.local.path().join("data")
    }

    /// The command, to be run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        // What flags say stands in hints, too; what variables say doesn't.
        command.env("WINDLASS_DATA", self.data()).env("WINDLASS_WORKFLOWS", self.server.workflows());
        command.env("WINDLASS_CONFIG", self.server.workflows().with_file_name("windlass.toml"));
        command.args(["--as", "admin"]).args(args).env_remove("WINDLASS_SERVER").env("NO_COLOR", "1");
        command
    }

    /// Runs it here.
    pub fn here(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it there.
    pub fn there(&self, args: &[&str]) -> Output {
        self.remote(args).output().unwrap()
    }

    fn remote(&self, args: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        // Without a project around it: everything has to come from the server.
        command.current_dir("/").env("WINDLASS_SERVER", &self.server.url).args(args).env("NO_COLOR", "1");
        command.env("WINDLASS_TOKEN", &self.server.token);
        command
    }

    /// Runs both with this standard input; what both said.
    #[track_caller]
    pub fn same_with(&self, args: &[&str], input: &str) -> String {
        let run = |mut command: Command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        };
        Self::compared(&run(self.command(args)), &run(self.remote(args)))
    }

    /// Runs both; their exit codes and outputs, with what differs by nature blotted out.
    #[track_caller]
    pub fn same(&self, here: &[&str], there: &[&str]) -> String {
        Self::compared(&self.here(here), &self.there(there))
    }

    /// The same, for a command that is typed in the same words.
    #[track_caller]
    pub fn alike(&self, args: &[&str]) -> String {
        self.same(args, args)
    }

    /// Both refuse, in the same words.
    #[track_caller]
    pub fn refused(&self, here: &[&str], there: &[&str]) -> String {
        let (here, there) = (self.here(here), self.there(there));
        assert_eq!(blot(&here.stderr), blot(&there.stderr));
        assert_ne!(here.status.code(), Some(0));
        Self::compared(&here, &there);
        text(&here.stderr)
    }

    #[track_caller]
    fn compared(here: &Output, there: &Output) -> String {
        let (one, other) = (blot(&here.stdout), blot(&there.stdout));
        assert_eq!(one, other, "(here, there) {}\n{}", text(&here.stderr), text(&there.stderr));
        assert_eq!(here.status.code(), there.status.code(), "{}\n{}", text(&here.stderr), text(&there.stderr));
        one
    }

    /// The first run's id in an output.
    pub fn run_id(output: &Output) -> String {
        text(&output.stdout)
            .split_whitespace()
            .find(|word| word.len() == 26 && word.starts_with("01"))
            .unwrap_or_else(|| panic!("no run in {output:?}"))
            .to_owned()
    }
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
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
    let lines: Vec<String> = text(bytes)
        .lines()
        .filter(|line| !line.contains("\"node\":"))
        .map(|line| {
            let words = line.split_whitespace().filter(|word| !times.contains(word));
            let mut words: Vec<&str> = words.map(|word| if own(word) { "…" } else { word }).collect();
            // One time takes one number (`12 ms`), another two (`1 s 3 ms`).
            words.dedup_by(|next, before| *next == "…" && *before == "…");
            // How long a step took, or has waited, is told from some time on only: here perhaps, and there not yet.
            let mark = words.iter().position(|word| ["◷", "✓"].contains(word));
            if let Some([name, "…", ..]) = mark.map(|mark| &words[mark + 1..])
                && *name != "…"
            {
                words.remove(mark.unwrap() + 2);
            }
            words.join(" ")
        })
        .collect();
    // That a step has begun is told by itself only where it takes a while, and then its outcome follows.
    let is_begun = |line: &str| line.starts_with('…') && line.ends_with(')');
    let is_told_later = |line: &String, later: &[String]| {
        is_begun(line)
            && later.iter().any(|next| next.strip_prefix(line.as_str()).is_some_and(|rest| rest.starts_with(' ')))
    };
    let kept = lines.iter().enumerate().filter(|(at, line)| !is_told_later(line, &lines[at + 1..]));
    kept.map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
}

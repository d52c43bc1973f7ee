//! Commands in pages and in messages are commands that the binary knows: each is looked up in its own `--help`.

use std::{cell::RefCell, collections::BTreeMap, process::Command};

use windlass_tests::windlass_binary;

use crate::{
    references::{backticks, fenced},
    tree::{Tree, demand},
};

/// Gives the help of a command, from the words after `windlass`.
trait Help {
    fn help(&self, words: &[String]) -> String;
}

/// The help of the real binary; each is asked for once.
struct Binary {
    asked: RefCell<BTreeMap<Vec<String>, String>>,
    path: std::path::PathBuf,
}

impl Help for Binary {
    fn help(&self, words: &[String]) -> String {
        let mut asked = self.asked.borrow_mut();
        let entry = asked.entry(words.to_vec()).or_insert_with(|| {
            let output = Command::new(&self.path).args(words).arg("--help").output().expect("the binary runs");
            assert!(output.status.success(), "`windlass {} --help` failed", words.join(" "));
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        entry.clone()
    }
}

/// Names of the commands that a help lists.
fn subcommands(help: &str) -> Vec<&str> {
    let section = help.lines().skip_while(|line| line.trim() != "Commands:").skip(1);
    // Entries stand two columns in; the rest of a wrapped description stands further in.
    let entries = section.take_while(|line| line.is_empty() || line.starts_with(' '));
    entries
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whether a help lists an option.
fn has_option(help: &str, option: &str) -> bool {
    help.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-')).any(|word| word == option)
}

/// What is wrong with a command line that begins after `windlass`.
fn mistake(binary: &dyn Help, line: &str) -> Option<String> {
    let mut known: Vec<String> = Vec::new();
    let mut in_arguments = false;
    for word in words(line) {
        let help = binary.help(&known);
        if word.starts_with('-') {
            let option = word.split('=').next().unwrap_or(&word);
            if !has_option(&help, option) && !has_option(&binary.help(&[]), option) {
                return Some(format!("`windlass {}` has no option {option}", known.join(" ")));
            }
            continue;
        }
        let commands = subcommands(&help);
        if commands.is_empty() || in_arguments {
            in_arguments = true;
        } else if let Some(unknown) = word.split('|').find(|name| !commands.contains(name)) {
            // The value of an option in front of the command (`--data DIR`) isn't a command.
            if known.is_empty() && line.contains(&format!("--data {word}")) {
                continue;
            }
            return Some(format!("`windlass {}` has no command `{unknown}`", known.join(" ")));
        } else {
            known.extend(word.split('|').next().map(str::to_owned));
        }
    }
    None
}

/// The words of a command up to what the shell takes over; placeholders in brackets are left out.
fn words(line: &str) -> Vec<String> {
    let cut = line.split(" #").next().unwrap_or(line);
    let cut = ["|", ">", "&&", ";"].iter().fold(cut, |cut, mark| cut.split(&format!(" {mark}")).next().unwrap_or(cut));
    cut.split_whitespace()
        .map(|word| word.trim_matches(['[', ']', '"', '\'', '`', ',', '.']).to_owned())
        .filter(|word| !word.is_empty() && word != "…" && word != "\\")
        .collect()
}

/// Command lines of a page that call `windlass`, with their line.
fn commands(text: &str) -> Vec<(usize, &str)> {
    let shells = ["", "sh", "bash", "console", "shell"];
    let blocks = fenced(text).into_iter().filter(|(_, language, _)| shells.contains(language));
    let lines = blocks.map(|(number, _, line)| (number, line.trim_start().trim_start_matches("$ ")));
    let calls = lines.chain(backticks(text)).filter_map(|(number, line)| {
        let (program, rest) = line.split_once(' ')?;
        (program == "windlass" || program.ends_with("/windlass")).then_some((number, rest))
    });
    calls.collect()
}

/// Command lines that a source tells people to type: in backticks, in messages and comments.
fn told(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(index, line)| line.split('`').skip(1).step_by(2).map(move |code| (index + 1, code)))
        .filter_map(|(number, code)| code.strip_prefix("windlass ").map(|rest| (number, rest)))
        .collect()
}

fn mistakes(tree: &Tree, binary: &dyn Help) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in &tree.files {
        let lines = match file {
            page if page.is_page() => commands(&page.text),
            source if source.is_rust() && source.path.starts_with("core/") => told(&source.text),
            _ => continue,
        };
        for (number, line) in lines {
            if let Some(mistake) = mistake(binary, line) {
                complaints.push(format!("{}:{number}: {mistake} (in `windlass {line}`)", file.path));
            }
        }
    }
    complaints
}

#[test]
fn commands_that_people_are_told_exist() {
    let binary = Binary { asked: RefCell::default(), path: windlass_binary() };
    assert!(!subcommands(&binary.help(&[])).is_empty(), "`windlass --help` lists its commands");
    demand("These places name commands that the binary doesn't know:", mistakes(&Tree::repository(), &binary));
}

/// A made-up command tree.
struct Sample;

impl Help for Sample {
    fn help(&self, words: &[String]) -> String {
        match words.join(" ").as_str() {
            "" => "Usage: windlass\n\nCommands:\n  run   Runs it\n          at length\n  runs  Lists\n\nOptions:\n      --data <DIR>  Folder\n".into(),
            "run" => "Usage: windlass run <WORKFLOW>\n\nOptions:\n      --set <K=V>  x\n".into(),
            "runs" => "Commands:\n  ls    x\n  show  x\n".into(),
            _ => String::new(),
        }
    }
}

#[test]
fn wrong_commands_are_found() {
    let good = [
        "run lab/x --set a=b",
        "--data /var/x runs ls",
        "runs ls|show",
        "run x | less --wrap",
        "runs show RUN # --odd",
        "run x [--set k=v]",
    ];
    for line in good {
        assert_eq!(mistake(&Sample, line), None, "{line}");
    }
    assert_eq!(mistake(&Sample, "walk").unwrap(), "`windlass ` has no command `walk`");
    assert_eq!(mistake(&Sample, "runs ls|eat").unwrap(), "`windlass runs` has no command `eat`");
    assert_eq!(mistake(&Sample, "run x --sets a").unwrap(), "`windlass run` has no option --sets");
    assert_eq!(mistake(&Sample, "at length").unwrap(), "`windlass ` has no command `at`");
}

#[test]
fn commands_are_found_in_text_and_blocks() {
    let text = "Type `windlass run x`.\n```sh\n$ ./target/release/windlass runs ls\nls windlass\n```\n```rhai\nwindlass no\n```\n";
    assert_eq!(commands(text), [(3, "runs ls"), (1, "run x")]);
}

#[test]
fn commands_are_found_in_messages() {
    let text = "fn a() {\n    help(format!(\"see `windlass runs show {run}`, or `ls`\"));\n}\n";
    assert_eq!(told(text), [(2, "runs show {run}")]);
    let (_folder, tree) = crate::tree::sample(&[
        ("core/a.rs", "// `windlass runs eat`\n"),
        ("b.md", "`windlass walk`\n"),
        ("c.rhai", "`windlass walk`"),
    ]);
    assert_eq!(mistakes(&tree, &Sample).len(), 2);
}

//! `--server` is global: each command works there or refuses. None works at the data folder that happens to be here.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use windlass_tests::windlass_binary;

/// What a command does when a server is named.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Asks it.
    Asks,
    /// Refuses, before anything else.
    Refuses,
    /// Neither: it is about the program itself.
    Ignores,
}
use Does::{Asks, Ignores, Refuses};

/// Every command, with arguments that it takes.
const CASES: &[(Does, &str)] = &[
    (Asks, "run lab/a"),
    (Asks, "runs ls"),
    (Asks, "runs show x"),
    (Asks, "runs logs x"),
    (Asks, "runs events x"),
    (Asks, "runs cancel x"),
    (Asks, "runs signal x go"),
    (Asks, "runs approve x"),
    (Asks, "runs deny x"),
    (Asks, "runs resolve x 1 --fail"),
    (Asks, "runs retry x"),
    (Asks, "runs restart x"),
    (Asks, "runs upgrade x"),
    (Asks, "runs diff x y"),
    (Asks, "runs export x"),
    (Asks, "runs bulk cancel --state failed"),
    (Refuses, "runs prune"),
    (Asks, "runs stick x"),
    (Asks, "runs unstick x --retry"),
    (Asks, "runs unpark x"),
    (Asks, "console demo r1"),
    (Asks, "capture demo r1:eth0 -w x.pcapng"),
    (Asks, "approvals ls"),
    (Asks, "workflows ls"),
    (Asks, "workflows show lab/a"),
    (Asks, "workflows check"),
    (Refuses, "workflows test"),
    (Asks, "workflows rehearse lab/a"),
    (Asks, "workflows history lab/a"),
    (Asks, "workflows source lab/a"),
    (Asks, "workflows activate lab/a 1"),
    (Asks, "workflows restore lab/a 1"),
    (Asks, "workflows save lab/a -"),
    (Asks, "workflows rm lab/a"),
    (Asks, "workflows export --git GIT"),
    (Asks, "workflows import --git GIT"),
    (Refuses, "serve"),
    (Refuses, "dev"),
    (Refuses, "install --dry-run"),
    (Refuses, "upgrade --binary x"),
    (Refuses, "rollback"),
    (Refuses, "uninstall"),
    (Refuses, "seed"),
    (Refuses, "migrate"),
    (Refuses, "backup x"),
    (Refuses, "restore x"),
    (Refuses, "store verify"),
    (Refuses, "store copy --to sqlite:x"),
    (Refuses, "doctor"),
    (Refuses, "config show"),
    (Refuses, "hosts"),
    (Refuses, "definitions"),
    (Asks, "secrets set a --to *"),
    (Asks, "secrets ls"),
    (Asks, "secrets rm a"),
    (Refuses, "secrets rotate"),
    (Asks, "nodes ls"),
    (Asks, "nodes drain a"),
    (Asks, "nodes resume a"),
    (Refuses, "retention plan"),
    (Refuses, "retention run"),
    (Asks, "notify targets ls"),
    (Asks, "notify targets add a email --to a@b.test"),
    (Asks, "notify targets rm a"),
    (Asks, "notify rules ls"),
    (Asks, "notify rules add a {}"),
    (Asks, "notify rules rm a"),
    (Asks, "notify deliveries ls"),
    (Asks, "notify deliveries retry a"),
    (Asks, "notify test a"),
    (Asks, "schedules ls"),
    (Asks, "schedules show a"),
    (Asks, "schedules add a lab/a --cron 0"),
    (Asks, "schedules set a"),
    (Asks, "schedules pause a"),
    (Asks, "schedules resume a"),
    (Asks, "schedules run a"),
    (Asks, "schedules rm a"),
    (Ignores, "schedules next 0_0_*_*_*"),
    (Refuses, "plugin new a"),
    (Refuses, "plugin check"),
    (Refuses, "plugin test a"),
    (Refuses, "plugin install a"),
    (Asks, "plugin ls"),
    (Asks, "plugin show a"),
    (Asks, "plugin approve a"),
    (Asks, "plugin disable a"),
    (Refuses, "plugin rm a"),
    (Asks, "resources ls"),
    (Asks, "users create bob"),
    (Asks, "users ls"),
    (Asks, "users reset-password bob"),
    (Asks, "users grant bob viewer"),
    (Asks, "users revoke bob viewer"),
    (Asks, "users disable bob"),
    (Asks, "users enable bob"),
    (Asks, "organisations ls"),
    (Asks, "organisations create acme"),
    (Asks, "organisations show acme"),
    (Asks, "organisations suspend acme"),
    (Asks, "organisations resume acme"),
    (Asks, "organisations remove acme"),
    (Asks, "organisations usage acme"),
    (Asks, "invitations ls acme"),
    (Asks, "invitations create acme ann@acme.test"),
    (Asks, "invitations send x"),
    (Asks, "invitations rm x"),
    (Asks, "tokens issue ci"),
    (Asks, "tokens ls"),
    (Asks, "tokens revoke x"),
    (Asks, "vouchers issue --issuer a --name b --credit 1 --currency EUR"),
    (Asks, "vouchers ls"),
    (Asks, "vouchers show v_1"),
    (Asks, "vouchers revoke v_1"),
    (Asks, "vouchers export b_1"),
    (Asks, "vouchers preview x"),
    (Asks, "vouchers redeem x --organisation a --email a@b.c"),
    (Asks, "ledger balances"),
    (Asks, "ledger entries"),
    (Asks, "ledger verify"),
    (Asks, "sovereigns ls"),
    (Asks, "sovereigns key"),
    (Asks, "sovereigns trust a --public-key b --limit 1"),
    (Asks, "sovereigns rm a"),
    (Asks, "sovereigns claims a"),
    (Asks, "sovereigns pay a received 1 EUR b"),
    (Asks, "audit verify"),
    (Asks, "audit ls"),
    (Asks, "audit export"),
    (Refuses, "sim hetzner"),
    (Ignores, "lab schema"),
    (Ignores, "lab check lab.yaml"),
    (Ignores, "lab import other.yaml"),
    (Ignores, "completions bash"),
    (Ignores, "version"),
];

/// Answers every request with a refusal, and counts them.
fn refusing() -> (String, Arc<AtomicUsize>) {
    const BODY: &str = r#"{"code":"permission_denied","detail":"not you"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::<AtomicUsize>::default());
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4_096];
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let length = BODY.len();
                let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: application/problem+json";
                let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{BODY}");
            }
        }
    });
    (url, asked)
}

/// Names of all commands that do something themselves, as their helps list them.
fn leaves(words: &[String], found: &mut Vec<String>) {
    let output = Command::new(windlass_binary()).args(words).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let section = help.lines().skip_while(|line| line.trim() != "Commands:").skip(1);
    let below: Vec<&str> = section
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if below.is_empty() {
        found.push(words.join(" "));
    }
    for name in below {
        leaves(&[words, &[name.to_owned()]].concat(), found);
    }
}

#[test]
fn every_command_has_its_case() {
    let mut found = Vec::new();
    leaves(&[], &mut found);
    assert!(found.len() > 50, "{found:?}");
    let mut cases: BTreeMap<&str, usize> = found.iter().map(|name| (name.as_str(), 0)).collect();
    for (_, line) in CASES {
        let name = found.iter().find(|name| line == name || line.starts_with(&format!("{name} ")));
        *cases.get_mut(name.unwrap_or_else(|| panic!("there is no `{line}`")).as_str()).unwrap() += 1;
    }
    let missing: Vec<_> = cases.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn what_is_meant_for_a_server_is_never_done_here() {
    let (url, asked) = refusing();
    for (does, line) in CASES {
        for by_variable in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("workflows/lab")).unwrap();
            std::fs::write(folder.path().join("workflows/lab/a.rhai"), "fn run(input) { 1 }").unwrap();
            std::fs::write(folder.path().join("lab.yaml"), "name: a\n").unwrap();
            let other = "name: a\ntopology: { nodes: { r1: { kind: linux, image: frr } } }\n";
            std::fs::write(folder.path().join("other.yaml"), other).unwrap();
            let git = folder.path().join("git");
            let made = Command::new("git").arg("init").arg("-q").arg(&git).output().unwrap();
            assert!(made.status.success(), "{made:?}");
            let words = line.split(' ').map(|word| word.replace('_', " ").replace("GIT", &git.display().to_string()));
            let mut command = Command::new(windlass_binary());
            command.current_dir(folder.path()).args(["--json", "--data", "data"]).args(words).stdin(Stdio::piped());
            command.env("WINDLASS_TOKEN", "wl_x").env_remove("WINDLASS_SERVER").stdout(Stdio::piped());
            match by_variable {
                true => command.env("WINDLASS_SERVER", &url),
                false => command.args(["--server", &url]),
            };
            let before = asked.load(Ordering::SeqCst);
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            // Whoever doesn't read it has gone away, and nobody minds.
            let _ = child.stdin.take().unwrap().write_all(b"fn run(input) { 2 }");
            let ended = child.wait_with_output().unwrap();
            let (questions, errors) = (asked.load(Ordering::SeqCst) - before, String::from_utf8_lossy(&ended.stderr));
            assert!(!folder.path().join("data").exists(), "`{line}` opened the data folder: {errors}");
            let code = serde_json::from_str::<Value>(errors.trim()).map(|problem| problem["error"]["code"].clone());
            let code = code.unwrap_or_default();
            // Importing begins with the commit, which this repository lacks.
            if line.starts_with("workflows import") {
                assert_ne!(ended.status.code(), Some(0), "{errors}");
                continue;
            }
            match does {
                Asks => assert!(questions > 0 && code == "permission_denied", "`{line}`: {questions} {errors}"),
                Refuses => assert!(questions == 0 && code == "usage", "`{line}`: {questions} {errors}"),
                Ignores => assert!(questions == 0 && ended.status.success(), "`{line}`: {errors}"),
            }
        }
    }
}

#[test]
fn what_a_server_knows_better_is_refused_and_not_ignored() {
    let (url, asked) = refusing();
    for line in [
        "--as ann runs cancel x",
        "--as ann users disable bob",
        "schedules add a lab/a --cron 0 --owner ann",
        "schedules set a --owner ann",
    ] {
        let before = asked.load(Ordering::SeqCst);
        let mut command = Command::new(windlass_binary());
        command.args(["--json", "--server", &url]).args(line.split(' ')).env("WINDLASS_TOKEN", "wl_x");
        let ended = command.output().unwrap();
        let problem: Value = serde_json::from_slice(&ended.stderr).unwrap();
        assert_eq!(problem["error"]["code"], "usage", "`{line}`: {problem}");
        assert_eq!(asked.load(Ordering::SeqCst), before, "`{line}` asked first");
    }
}

//! Versions as commits of a real Git repository, and commits as versions.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, windlass_binary};

use super::support::{Project, Ran};

fn source(name: &str, body: &str) -> String {
    format!("const WORKFLOW = #{{ name: \"{name}\", title: \"T\" }};\n\nfn run(input) {{\n    {body}\n}}\n")
}

const USING: &str = "const WORKFLOW = #{ name: \"lab/y\", title: \"Y\" };\n\nimport \"lib/shared\" as common;\n\nfn run(input) {\n    common::answer()\n}\n";

fn answer(number: u32) -> String {
    format!("fn answer() {{\n    {number}\n}}\n")
}

fn try_git(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=Ann O.", "-c", "user.email=ann@example.net"]).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").output().unwrap()
}

#[track_caller]
fn git(folder: &Path, args: &[&str]) -> String {
    let output = try_git(folder, args);
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository with these files in one commit.
fn repository(folder: &Path, files: &[(&str, &str)], message: &str) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q", "-b", "main"]);
    commit(folder, files, message);
}

fn commit(folder: &Path, files: &[(&str, &str)], message: &str) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", message]);
}

fn subjects(folder: &Path) -> Vec<String> {
    git(folder, &["log", "--reverse", "--format=%s"]).lines().map(str::to_owned).collect()
}

#[test]
fn what_was_in_use_becomes_commits_in_that_order() {
    let project = Project::empty();
    project.write("workflows/lab/x.rhai", &source("lab/x", "1"));
    project.write("two.rhai", &source("lab/x", "2"));
    let save = ["--as", "ann", "workflows", "save", "lab/x", "two.rhai", "-m", "faster\n\nWindlass-Entry: 999 no"];
    assert_eq!(project.run(&save).code, 0);
    assert_eq!(project.run(&["--as", "bob", "workflows", "activate", "lab/x", "1", "-m", "slower"]).code, 0);
    let export = || project.run(&["--json", "workflows", "export", "--git", "out"]);
    let first = export();
    assert_eq!(first.code, 0, "{}", first.stderr);
    let out = project.path("out");
    assert_eq!(subjects(&out), ["lab/x@1", "lab/x@2: faster", "lab/x@1: slower"]);
    assert_eq!(git(&out, &["log", "--reverse", "--format=%an"]), "file\nann\nbob");
    assert_eq!(git(&out, &["show", "HEAD~1:lab/x.rhai"]), source("lab/x", "2").trim());
    assert_eq!(std::fs::read_to_string(out.join("lab/x.rhai")).unwrap(), source("lab/x", "1"));
    assert_eq!(git(&out, &["status", "--porcelain"]), "");
    assert_eq!(first.json()["head"], git(&out, &["rev-parse", "HEAD"]).as_str());
    git(&out, &["fsck", "--strict"]);
    let history = project.run(&["--json", "workflows", "history", "lab/x"]).json();
    let made_s = history[0]["at_ms"].as_i64().unwrap() / 1_000;
    assert_eq!(git(&out, &["log", "-1", "--format=%at", "HEAD~1"]), made_s.to_string());

    // Nothing new, then one more: what is there stays, also what people have committed beside it.
    assert_eq!(export().json()["commits"], json!([]));
    commit(&out, &[("README.md", "ours")], "A readme");
    project.write("workflows/lab/y.rhai", USING);
    project.write("workflows/lib/shared.rhai", &answer(41));
    assert_eq!(export().json()["commits"], json!(["lab/y@1"]));
    assert_eq!(subjects(&out)[3..], ["A readme", "lab/y@1"]);
    assert_eq!(git(&out, &["ls-files"]), "README.md\nlab/x.rhai\nlab/y.rhai\nlib/shared.rhai");
    std::fs::remove_file(project.path("workflows/lab/x.rhai")).unwrap();
    assert_eq!(export().json()["commits"], json!(["lab/x: removed"]));
    assert_eq!(git(&out, &["ls-files"]), "README.md\nlab/y.rhai\nlib/shared.rhai");
}

#[test]
fn an_export_overwrites_nothing() {
    let project = Project::empty();
    project.write("workflows/lab/x.rhai", &source("lab/x", "1"));
    project.write("full/notes.txt", "mine");
    let export = |folder: &str| project.run(&["workflows", "export", "--git", folder]);
    let refused = |folder: &str, why: &str| {
        let ran = export(folder);
        assert_ne!(ran.code, 0);
        assert!(
            ran.stderr.contains("error[conflict]") && ran.stderr.contains(why) && ran.stderr.contains("help:"),
            "{}",
            ran.stderr
        );
    };
    refused("full", "isn't empty, and isn't a Git repository");
    assert!(!project.path("full/.git").exists());
    // Inside another repository it is still a folder that isn't one.
    git(project.root(), &["init", "-q"]);
    refused("full", "isn't a Git repository");
    assert_eq!(export("out").code, 0);
    std::fs::write(project.path("out/lab/x.rhai"), "changed").unwrap();
    refused("out", "lab/x.rhai");
    git(&project.path("out"), &["checkout", "-q", "--", "."]);
    std::fs::write(project.path("out/new.txt"), "new").unwrap();
    refused("out", "new.txt");
    std::fs::remove_file(project.path("out/new.txt")).unwrap();
    git(&project.path("out"), &["checkout", "-q", "--detach"]);
    refused("out", "no branch");
    git(&project.path("out"), &["checkout", "-q", "main"]);
    assert_eq!(export("out").code, 0);
    // Another installation's history isn't continued.
    let other = Project::empty();
    other.write("workflows/lab/z.rhai", &source("lab/z", "1"));
    let ran = other.run(&["workflows", "export", "--git", project.path("out").to_str().unwrap()]);
    assert!(ran.stderr.contains("another installation"), "{}", ran.stderr);
}

#[test]
fn a_commit_becomes_versions_here_and_at_a_server() {
    let server = ApiServer::start(&[("lab/old", &source("lab/old", "0"))]);
    let project = Project::empty();
    project.write("workflows/lab/old.rhai", &source("lab/old", "0"));
    let repo = project.path("repo");
    let files = [("wf/lab/y.rhai", USING), ("wf/lib/shared.rhai", &answer(41)), ("wf/README.md", "read me")];
    repository(&repo, &files, "Answer\n\nBecause it was asked.");
    let commit_id = git(&repo, &["rev-parse", "HEAD"]);
    let import = |more: &[&str]| {
        let args = [&["--json", "workflows", "import", "--git", "repo", "--under", "wf"], more].concat();
        let here = project.run(&args);
        let mut command = Command::new(windlass_binary());
        command
            .current_dir(project.root())
            .args(["--server", &server.url])
            .args(&args)
            .env("WINDLASS_TOKEN", &server.token);
        (here, Ran::from(command.output().unwrap()))
    };
    let (here, there) = import(&[]);
    assert_eq!((here.code, there.code), (0, 0), "{}\n{}", here.stderr, there.stderr);
    assert_eq!(here.json(), there.json());
    assert_eq!((&here.json()["commit"], &here.json()["others"]), (&json!(commit_id), &json!(["lab/old"])));
    let run = server.launch("lab/y", &json!({}));
    assert_eq!(server.ended(&run)["output"], 41);
    let newest: Value = server.get("/api/v1/workflows/lab/y/history").expect(200).json()["items"][0].clone();
    assert!(newest["by"].as_str().unwrap().starts_with("Ann O. <ann@example.net> via "), "{newest}");
    let why = newest["why"].as_str().unwrap();
    assert!(why.starts_with("Answer\n\nBecause it was asked.") && why.ends_with(&commit_id), "{why}");

    // The same again changes nothing; a commit that breaks something changes nothing at all.
    let (_, there) = import(&[]);
    assert_eq!(there.json()["changed"], json!([]));
    let broken = USING.replace("answer()", "nothing()");
    commit(
        &repo,
        &[
            ("wf/lib/shared.rhai", &answer(42)),
            ("wf/lab/y.rhai", &broken),
            ("wf/lab/new.rhai", &source("lab/new", "1")),
        ],
        "Broken",
    );
    let (here, there) = import(&[]);
    for ran in [&here, &there] {
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("workflow_invalid") && ran.stderr.contains("lab/y.rhai:6:"), "{}", ran.stderr);
    }
    assert!(!project.path("workflows/lab/new.rhai").exists() && !server.workflows().join("lab/new.rhai").exists());
    assert_eq!(std::fs::read_to_string(server.workflows().join("lib/shared.rhai")).unwrap(), answer(41));
    // Nor one that breaks what it doesn't have.
    git(&repo, &["rm", "-q", "wf/lab/y.rhai"]);
    commit(&repo, &[("wf/lib/shared.rhai", "fn other() {\n    1\n}\n")], "Breaks others");
    let (_, there) = import(&[]);
    assert!(there.stderr.contains("lab/y.rhai:6:"), "{}", there.stderr);
    // An earlier commit by its name.
    let (_, there) = import(&["--ref", &commit_id]);
    assert_eq!(there.code, 0, "{}", there.stderr);
    let (here, _) = import(&["--ref=--upload-pack=touch evil"]);
    assert!(here.stderr.contains("has no commit") && !project.path("evil").exists(), "{}", here.stderr);
}

#[test]
fn paths_that_could_be_tricks_are_refused() {
    let project = Project::empty();
    project.write("workflows/lab/x.rhai", &source("lab/x", "1"));
    let good = source("lab/y", "1");
    let refused = |name: &str, make: &dyn Fn(&Path)| {
        let repo = project.path(name);
        repository(&repo, &[("lab/y.rhai", &good)], "Good");
        make(&repo);
        let ran = project.run(&["workflows", "import", "--git", name]);
        assert_eq!(ran.code, 2, "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error[invalid_input]"), "{name}: {}", ran.stderr);
        assert!(!project.path("workflows/lab/y.rhai").exists(), "{name}");
    };
    refused("link", &|repo| {
        std::os::unix::fs::symlink("/etc/passwd", repo.join("lab/z.rhai")).unwrap();
        commit(repo, &[], "A link");
    });
    refused("folder-link", &|repo| {
        std::os::unix::fs::symlink("/tmp", repo.join("away")).unwrap();
        commit(repo, &[], "A link");
    });
    refused("odd", &|repo| commit(repo, &[("lab/a b.rhai", &good)], "A space"));
    refused("top", &|repo| commit(repo, &[("top.rhai", &good)], "Without an area"));
    refused("module", &|repo| {
        let head = git(repo, &["rev-parse", "HEAD"]);
        git(repo, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},lab/sub")]);
        git(repo, &["commit", "-q", "-m", "Another repository"]);
    });
    // Git itself doesn't write such trees; who means harm does.
    refused("up", &|repo| {
        let blob = git(repo, &["rev-parse", "HEAD:lab/y.rhai"]);
        let raw: Vec<u8> =
            (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()).collect();
        let inner = [b"100644 evil.rhai\0".as_slice(), &raw].concat();
        let tree = |bytes: &[u8]| {
            std::fs::write(repo.join(".git/tree"), bytes).unwrap();
            git(repo, &["hash-object", "--literally", "-t", "tree", "-w", ".git/tree"])
        };
        let inner = tree(&inner);
        let raw: Vec<u8> =
            (0..inner.len()).step_by(2).map(|at| u8::from_str_radix(&inner[at..at + 2], 16).unwrap()).collect();
        let outer = tree(&[b"40000 ..\0".as_slice(), &raw].concat());
        let evil = git(repo, &["commit-tree", &outer, "-m", "Up"]);
        git(repo, &["update-ref", "refs/heads/main", &evil]);
    });
    let ran = project.run(&["workflows", "import", "--git", "nowhere"]);
    assert!(ran.stderr.contains("error[not_found]"), "{}", ran.stderr);
    std::fs::create_dir(project.path("empty")).unwrap();
    let ran = project.run(&["workflows", "import", "--git", "empty"]);
    assert!(ran.stderr.contains("isn't a Git repository"), "{}", ran.stderr);
}

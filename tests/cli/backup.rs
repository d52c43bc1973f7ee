//! Backup while runs begin and end, restore, check and copy, with the real program: what was open goes on, and what may have
//! happened after the backup isn't simply done again.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, Process, postgres, skip, wait_for, wait_until};

use super::support::{Project, SOON, assert_gapless};

/// Steps, branches, a wait: what is open at any moment.
const LOAD: &str = r#"const WORKFLOW = #{ name: "lab/load", title: "t" };
fn run(input) {
    let all = parallel([|| { random(); now() }, || { uuid(); sleep(50); now() }]);
    lock("one"); log("held"); unlock("one");
    all.len()
}"#;

const SETTINGS: &str = "[policy]\n\"lab/*\" = [\"exec.run:*\"]\n[hosts.exec]\nprograms = [\"sh\"]\n";

/// The same on this database.
fn settings(url: &str) -> String {
    format!("database = \"{url}\"\n{SETTINGS}[engine]\nlease_ms = 5000\npoll_ms = 50\n")
}

fn project() -> Project {
    let project = Project::new();
    // A line per effect: what really happened, whatever databases say.
    let file = project.path("effects");
    let effect = |word: &str| format!(r#"exec::run(["sh", "-c", "echo {word} >> {}"]);"#, file.display());
    let body = format!(r#"wait_signal("go"); {} {} "done""#, effect("first"), effect("second"));
    project.workflow("lab/effects", "\"exec.run:sh\"", &body);
    project.write("windlass.toml", SETTINGS);
    project
}

fn on_postgres(project: &Project) -> Option<String> {
    let Some(url) = postgres::database() else {
        skip("no PostgreSQL is installed");
        return None;
    };
    project.write("windlass.toml", &settings(&url));
    assert_eq!(project.run(&["migrate"]).code, 0);
    Some(url)
}

fn ok(project: &Project, args: &[&str]) -> String {
    let ran = project.run(args);
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

fn effects(project: &Project) -> String {
    std::fs::read_to_string(project.path("effects")).unwrap_or_default()
}

fn launch(project: &Project, name: &str) -> String {
    ok(project, &["run", name, "--detach"]);
    wait_for("the run to wait", SOON, || {
        let run = project.newest();
        (run["state"] == "waiting").then(|| run["id"].as_str().unwrap().to_owned())
    })
}

/// Executes open runs until this is dropped.
fn execute(project: &Project) -> Process {
    let mut process = project.start(&["dev", "--bare", "--listen", "127.0.0.1:0", "--json"]);
    process.wait_for_line("\"address\"", SOON);
    process
}

fn state(project: &Project, run: &str) -> Value {
    project.runs().into_iter().find(|known| known["id"] == run).unwrap_or(Value::Null)
}

/// Ends whatever executes runs in the background, without warning.
fn kill_executor(project: &Project) {
    let lock = project.path(".windlass/windlass.db.lock");
    let pid: i32 = std::fs::read_to_string(lock).unwrap().trim().parse().unwrap();
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    wait_until("the process to be gone", SOON, || {
        project.run(&["restore", "nothing-there"]).code != 0 && !Path::new(&format!("/proc/{pid}/exe")).exists()
    });
}

#[test]
fn a_restore_that_is_older_than_the_world_doubts_what_may_have_happened() {
    let project = project();
    let run = launch(&project, "lab/effects");
    ok(&project, &["backup", "all.backup"]);
    let refused = project.run(&["backup", "all.backup"]);
    assert!(refused.code != 0 && refused.stderr.contains("--force"), "{}", refused.stderr);
    ok(&project, &["backup", "all.backup", "--force"]);

    ok(&project, &["runs", "signal", &run, "go"]);
    wait_until("the run to end", SOON, || state(&project, &run)["state"] == "succeeded");
    assert_eq!(effects(&project), "first\nsecond\n");
    let later = ok(&project, &["run", "lab/count", "--json"]);
    assert!(!later.is_empty());

    let refused = project.run(&["restore", "all.backup"]);
    assert!(refused.code != 0 && refused.stderr.contains("--replace"), "{}", refused.stderr);
    let restored = project.run(&["restore", "all.backup", "--replace", "--json"]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(restored.json()["open_runs"], 1);
    assert!(Path::new(restored.json()["kept"].as_str().unwrap()).is_file());
    assert_eq!(project.runs().len(), 1, "what came after the backup is gone");

    let mut process = execute(&project);
    ok(&project, &["runs", "signal", &run, "go"]);
    let happened: &[&str] = &["--happened", r#"{"stdout": "", "code": 0}"#];
    // A person says that the second one has to be done: then it is, once.
    for (step, word) in [("1", happened), ("2", &["--perform"])] {
        // There is nothing to say about it before it is in doubt.
        let words: Vec<&str> = ["runs", "resolve", &run, step].into_iter().chain(word.iter().copied()).collect();
        assert_eq!(effects(&project), "first\nsecond\n", "nothing is done twice");
        wait_until("the step to be in doubt", SOON, || project.run(&words).code == 0);
    }
    wait_until("the run to end", SOON, || state(&project, &run)["state"] == "succeeded");
    assert_eq!(effects(&project), "first\nsecond\nsecond\n");
    assert_gapless(&project.run(&["runs", "events", &run, "--json"]).events());
    process.terminate(SOON);
    ok(&project, &["store", "verify"]);
    assert!(ok(&project, &["audit", "ls"]).contains("store.restore"));
}

#[test]
fn where_nothing_ran_since_runs_simply_go_on() {
    let project = project();
    let run = launch(&project, "lab/effects");
    kill_executor(&project);
    ok(&project, &["backup", "all.backup"]);
    let elsewhere = ["restore", "all.backup", "--nothing-ran-since", "--data", "elsewhere"];
    ok(&project, &elsewhere);
    ok(&project, &["runs", "signal", &run, "go", "--data", "elsewhere"]);
    let mut process = project.start(&["dev", "--bare", "--listen", "127.0.0.1:0", "--data", "elsewhere"]);
    wait_until("both effects", SOON, || effects(&project) == "first\nsecond\n");
    process.terminate(SOON);
}

#[test]
fn a_restore_is_refused_while_a_process_executes_and_leaves_all_as_it_was_when_it_fails() {
    let project = project();
    let run = launch(&project, "lab/effects");
    ok(&project, &["backup", "all.backup"]);
    let refused = project.run(&["restore", "all.backup", "--replace", "--json"]);
    assert!(refused.stderr.contains("data_folder_busy"), "{}", refused.stderr);
    kill_executor(&project);
    // A damaged file: its second half is overwritten. What a single page holds may be of no use to anybody.
    let mut bytes = std::fs::read(project.path("all.backup")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    std::fs::write(project.path("bad.backup"), bytes).unwrap();
    let refused = project.run(&["restore", "bad.backup", "--replace"]);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    project.write("text.backup", "hello");
    assert!(project.run(&["restore", "text.backup", "--replace"]).stderr.contains("isn't a backup"));
    assert_eq!(state(&project, &run)["state"], "waiting", "everything is as it was");
    let left: Vec<_> = std::fs::read_dir(project.path(".windlass"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(".windlass-restore"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn backups_under_load_are_sound_and_of_one_moment() {
    let server = ApiServer::start(&[("lab/load", LOAD)]);
    let data = server.data();
    let places = |round: u64| {
        let folder = format!("restored{round}");
        (vec!["--data".to_owned(), data.display().to_string()], vec!["--data".to_owned(), folder])
    };
    under_load(&server, places);
}

#[test]
fn backups_of_postgres_under_load_are_too() {
    let Some(url) = postgres::database() else { return skip("no PostgreSQL is installed") };
    let project = Project::empty();
    project.write("windlass.toml", &settings(&url));
    ok(&project, &["migrate"]);
    let server = ApiServer::start_with(&[("lab/load", LOAD)], &[], &settings(&url));
    let configuration = |name: &str, url: &str| {
        project.write(name, &settings(url));
        vec!["--config".to_owned(), project.path(name).display().to_string()]
    };
    let from = configuration("from.toml", &url);
    under_load(&server, |round| {
        let target = postgres::database().unwrap();
        (from.clone(), configuration(&format!("to{round}.toml"), &target))
    });
}

/// Backs up and restores while runs are launched: `places` says with which flags.
fn under_load(server: &ApiServer, places: impl Fn(u64) -> (Vec<String>, Vec<String>)) {
    let project = Project::empty();
    let run = |flags: &[String], args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(flags.iter().map(String::as_str)).collect();
        project.run(&args)
    };
    let stop = AtomicBool::new(false);
    let launched = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    server.launch("lab/load", &json!({}));
                    launched.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 0..3_u64 {
            wait_until("more runs", SOON, || launched.load(Ordering::SeqCst) as u64 > 40 * (round + 1));
            let at_least = launched.load(Ordering::SeqCst) as u64;
            let file = format!("load{round}.backup");
            let (from, to) = places(round);
            let backed = run(&from, &["backup", &file]);
            let restored = run(&to, &["restore", &file, "--json"]);
            let verified = run(&to, &["store", "verify", "--json"]);
            let live = run(&from, &["store", "verify"]);
            if round == 2 || backed.code + restored.code + verified.code + live.code != 0 {
                stop.store(true, Ordering::SeqCst);
            }
            assert_eq!(backed.code, 0, "{}", backed.stderr);
            assert_eq!(restored.code, 0, "{}{}", restored.stdout, restored.stderr);
            assert_eq!(verified.code, 0, "{}", verified.stdout);
            assert_eq!(live.code, 0, "{}", live.stdout);
            assert!(verified.json()["checked"]["runs"].as_u64().unwrap() >= at_least, "what was answered is in it");
        }
    });
}

#[test]
fn a_server_goes_on_where_everything_was_copied_to_and_tokens_work() {
    let Some(url) = postgres::database() else { return skip("no PostgreSQL is installed") };
    let source = r#"const WORKFLOW = #{ name: "lab/wait", title: "t" }; fn run(input) { wait_signal("go"); 7 }"#;
    let mut server = ApiServer::start(&[("lab/wait", source)]);
    let run = server.launch("lab/wait", &json!({}));
    let path = format!("/api/v1/runs/{run}");
    wait_until("the run to wait", SOON, || server.get(&path).json()["state"] == "waiting");
    let token = server.token.clone();
    server.kill();
    let (project, data) = (Project::empty(), server.data());
    ok(&project, &["store", "copy", "--to", &url, "--data", data.to_str().unwrap()]);
    std::fs::write(data.parent().unwrap().join("windlass.toml"), settings(&url)).unwrap();
    server.restart();
    assert_eq!(server.send_as(&token, "GET", &path, None).expect(200).json()["state"], "waiting");
    server.send_as(&token, "POST", &format!("{path}/signal"), Some(&json!({ "name": "go", "payload": {} })));
    wait_until("the run to end", SOON, || {
        let run = server.send_as(&token, "GET", &path, None).json();
        run["state"] == "succeeded" && run["output"] == 7
    });
    let there = postgres::sql(&url, &format!("SELECT state FROM runs WHERE id = '{run}'"));
    assert_eq!(there, "succeeded");
}

#[test]
fn postgres_is_backed_up_and_restored_by_its_own_tools() {
    let project = project();
    let Some(url) = on_postgres(&project) else { return };
    let mut process = execute(&project);
    let run = launch(&project, "lab/effects");
    ok(&project, &["backup", "all.backup"]);
    ok(&project, &["runs", "signal", &run, "go"]);
    wait_until("the run to end", SOON, || state(&project, &run)["state"] == "succeeded");
    let refused = project.run(&["restore", "all.backup", "--replace", "--json"]);
    assert!(refused.stderr.contains("data_folder_busy"), "{}", refused.stderr);
    process.terminate(SOON);
    wait_until("the nodes to be gone", SOON, || {
        let now = "(extract(epoch from now()) * 1000)::bigint";
        postgres::sql(&url, &format!("SELECT count(*) FROM nodes WHERE seen_at_ms >= {now} - 1000")) == "0"
    });
    assert!(project.run(&["restore", "all.backup"]).stderr.contains("--replace"));
    // What fails in the middle leaves everything as it was.
    let whole = std::fs::read(project.path("all.backup")).unwrap();
    std::fs::write(project.path("cut.backup"), &whole[..whole.len() * 2 / 3]).unwrap();
    let refused = project.run(&["restore", "cut.backup", "--replace"]);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert_eq!(state(&project, &run)["state"], "succeeded", "{}", refused.stderr);
    let restored = project.run(&["restore", "all.backup", "--replace", "--json"]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(restored.json()["open_runs"], 1);
    assert_eq!(state(&project, &run)["state"], "waiting");
    let _process = execute(&project);
    ok(&project, &["runs", "signal", &run, "go"]);
    wait_until("the step to be in doubt", SOON, || state(&project, &run)["waiting_on"] == json!(["in_doubt"]));
    assert_eq!(effects(&project), "first\nsecond\n");
    // A program that isn't there is named.
    let output = project.command(&["backup", "other.backup"]).env("PATH", "/nonexistent").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("`pg_dump` can't be started"), "{text}");
    assert!(!project.path("other.backup").exists());
}

#[test]
fn a_run_that_waits_goes_on_where_everything_was_copied_to() {
    let project = project();
    let Some(url) = postgres::database() else { return skip("no PostgreSQL is installed") };
    let run = launch(&project, "lab/effects");
    ok(&project, &["run", "lab/count"]);
    let before = project.run(&["runs", "events", &run, "--json"]).events();
    let refused = project.run(&["store", "copy", "--to", &url, "--json"]);
    assert!(refused.stderr.contains("data_folder_busy"), "{}", refused.stderr);
    kill_executor(&project);
    ok(&project, &["store", "copy", "--to", &url]);
    let refused = project.run(&["store", "copy", "--to", &url]);
    assert!(refused.code != 0 && refused.stderr.contains("isn't empty"), "{}", refused.stderr);

    project.write("windlass.toml", &settings(&url));
    ok(&project, &["store", "verify"]);
    let mut process = execute(&project);
    ok(&project, &["runs", "signal", &run, "go"]);
    wait_until("the run to end", SOON, || state(&project, &run)["state"] == "succeeded");
    assert_eq!(effects(&project), "first\nsecond\n");
    let events = project.run(&["runs", "events", &run, "--json"]).events();
    assert_gapless(&events);
    assert_eq!(events[..before.len()], before[..], "what was told before is told as it was");
    ok(&project, &["run", "lab/count"]);
    process.terminate(SOON);
    // And back again.
    wait_until("the nodes to be gone", SOON, || {
        let back = format!("sqlite:{}", project.path("back.db").display());
        project.run(&["store", "copy", "--to", &back]).code == 0
    });
    project.write("windlass.toml", &settings(&format!("sqlite:{}", project.path("back.db").display())));
    ok(&project, &["store", "verify"]);
    assert_eq!(project.run(&["runs", "events", &run, "--json"]).events(), events);
    ok(&project, &["run", "lab/count"]);
    assert_eq!(project.runs().len(), 4);
}

/// What a newer program has made goes with a restore: its migration can come again.
#[test]
fn a_restore_on_postgres_leaves_nothing_of_a_newer_schema() {
    let project = Project::new();
    let Some(url) = on_postgres(&project) else { return };
    ok(&project, &["run", "lab/count"]);
    ok(&project, &["backup", "all.backup"]);
    let newer = "CREATE TYPE newer_kind AS ENUM ('a');
        CREATE TABLE newer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind newer_kind, run text REFERENCES runs (id));
        CREATE TABLE \"Quoted 'name\" (of newer) PARTITION BY LIST ((of IS NULL));
        CREATE VIEW newer_view AS SELECT * FROM newer; CREATE SEQUENCE newer_sequence;
        CREATE FUNCTION newer_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER newer BEFORE INSERT ON newer FOR EACH ROW EXECUTE FUNCTION newer_trigger();
        CREATE FUNCTION newer_of(newer, text[]) RETURNS bigint LANGUAGE sql AS 'SELECT $1.id';
        CREATE PROCEDURE newer_work() LANGUAGE sql AS 'SELECT 1';
        INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    let theirs = "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.theirs (id int); CREATE ROLE somebody_else_here;
        CREATE TABLE foreign_owner (id int); ALTER TABLE foreign_owner OWNER TO somebody_else_here";
    for statements in [newer, theirs] {
        postgres::sql(&url, statements);
    }
    assert!(project.run(&["run", "lab/count"]).stderr.contains("schema_mismatch"));
    ok(&project, &["restore", "all.backup", "--replace", "--nothing-ran-since"]);
    ok(&project, &["migrate", "--status"]);
    ok(&project, &["store", "verify"]);
    assert_eq!(project.runs().len(), 1);
    // Nothing of it stands in the way of its next coming.
    postgres::sql(&url, newer);
    assert_eq!(postgres::sql(&url, "SELECT count(*) FROM elsewhere.theirs, foreign_owner"), "0", "others' things stay");
}

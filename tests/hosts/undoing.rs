//! Undo through the engine: several runs in one lab and one folder, and each takes back what it has made itself.

use std::{fs, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use windlass_engine::{Engine, EngineConfig, Launch};
use windlass_hosts::{HostConfig, rehearsal_modules};
use windlass_model::{Bounds, Code, RunId, RunState, query::RunRecord};
use windlass_script::{Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig};

/// An engine with the real `file` and the twin of `net`, which all its runs share.
struct Machine {
    folder: TempDir,
    engine: Engine,
    // Ops of its sandbox use it.
    _runtime: tokio::runtime::Runtime,
}

impl Machine {
    /// With these workflows; `@` stands for the declared folder.
    fn new(scripts: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = folder.path().join("site");
        fs::create_dir_all(folder.path().join("workflows/t")).expect("a folder");
        fs::create_dir(&site).expect("a folder");
        for (name, body) in scripts {
            let body = body.replace('@', &site.display().to_string());
            let header = format!(
                "const WORKFLOW = #{{ name: \"t/{name}\", title: \"a test\", permissions: [\"file.*:*\", \"net.*:*\"] }};\n"
            );
            let path = folder.path().join(format!("workflows/t/{name}.rhai"));
            fs::write(path, format!("{header}fn run(input) {{{body}}}")).expect("a workflow");
        }
        let config: HostConfig = serde_json::from_value(json!({ "file": { "folders": [site] } })).expect("it fits");
        let mut modules = windlass_hosts::modules(&config).expect("it fits this machine");
        modules.retain(|module| module.name != "net");
        modules.extend(rehearsal_modules(&config).into_iter().filter(|module| module.name == "net"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let sandbox = Sandbox::new(SandboxConfig {
            bounds: Bounds::default(),
            modules,
            secrets: Arc::new(NoSecrets),
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "test".into(),
            rehearsal: false,
            interceptor: None,
        });
        let library = Arc::new(Library::new(vec![folder.path().join("workflows")], sandbox.clone()));
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        windlass_engine::migrate(&url).expect("a database");
        let mut config = EngineConfig::new(url, Arc::new(sandbox), library);
        config.stack_bytes = STACK_BYTES;
        config.poll_ms = 20;
        Self { folder, engine: Engine::start(config).expect("the engine starts"), _runtime: runtime }
    }

    fn launch(&self, name: &str) -> RunId {
        let launch = Launch { workflow: format!("t/{name}"), input: json!({}), by: "test".into(), ..Launch::default() };
        self.engine.launch(launch).expect("it can be launched").run
    }

    fn reaches(&self, run: &RunId, state: RunState) -> RunRecord {
        let record = || self.engine.run(run).expect("the store answers").expect("the run is there");
        windlass_tests::wait_until(&format!("{run} is {state}"), std::time::Duration::from_secs(60), || {
            record().state == state
        });
        record()
    }

    fn succeeds(&self, name: &str) -> serde_json::Value {
        let run = self.launch(name);
        self.reaches(&run, RunState::Succeeded).output.unwrap_or_default()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("site")).expect("the folder is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.engine.shutdown(std::time::Duration::from_secs(5));
    }
}

#[test]
fn a_failing_run_leaves_a_lab_that_another_run_has_made_anew() {
    let lab = r#"net::build("t", #{ namespaces: ["r1"], bridges: ["lan1"], links: [#{ a: "r1:eth0", b: "lan1" }] });"#;
    let machine = Machine::new(&[
        ("first", &format!("{lab} wait_signal(\"go\"); fail(\"no\")")),
        ("destroyer", r#"net::destroy("t")"#),
        ("second", lab),
        ("look", r#"net::links("t").len()"#),
    ]);
    let first = machine.launch("first");
    machine.reaches(&first, RunState::Waiting);
    machine.succeeds("destroyer");
    machine.succeeds("second");
    machine.engine.signal(&first, "go", json!(null), "test", None).expect("the run waits for it");
    machine.reaches(&first, RunState::RolledBack);
    assert_eq!(machine.succeeds("look"), 3, "the bridge and both ends of the link");
}

#[test]
fn a_run_that_continues_another_undoes_the_others_steps() {
    let machine = Machine::new(&[
        (
            "chain",
            r#"if input.len() == 0 {
                file::write("@/new", "x"); file::write("@/old", "new"); net::create_bridge("t", "lan1");
                continue_as_new(#{ again: true })
            }
            wait_signal("go"); fail("no")"#,
        ),
        ("look", r#"net::links("t").len()"#),
    ]);
    let old = machine.folder.path().join("site/old");
    fs::write(&old, "old").expect("a file");
    let first = machine.launch("chain");
    let output = machine.reaches(&first, RunState::Succeeded).output.expect("it says what continues it");
    let second: RunId = output["continued_as"].as_str().expect("a run").into();
    machine.reaches(&second, RunState::Waiting);
    assert_eq!((fs::read_to_string(&old).expect("a file").as_str(), machine.succeeds("look")), ("new", json!(1)));
    machine.engine.signal(&second, "go", json!(null), "test", None).expect("the run waits for it");
    machine.reaches(&second, RunState::RolledBack);
    assert_eq!(machine.names(), ["old"]);
    assert_eq!((fs::read_to_string(&old).expect("a file").as_str(), machine.succeeds("look")), ("old", json!(0)));
}

#[test]
fn a_file_that_another_run_has_written_stops_the_undo() {
    let machine = Machine::new(&[
        ("first", r#"file::write("@/shared.txt", "one"); wait_signal("go"); fail("no")"#),
        ("second", r#"file::write("@/shared.txt", "two")"#),
    ]);
    let first = machine.launch("first");
    machine.reaches(&first, RunState::Waiting);
    machine.succeeds("second");
    machine.engine.signal(&first, "go", json!(null), "test", None).expect("the run waits for it");
    machine.reaches(&first, RunState::RollbackStuck);
    let shared = machine.folder.path().join("site/shared.txt");
    assert_eq!(fs::read_to_string(shared).expect("it is there"), "two");
    let undo = machine.engine.undo_list(&first).expect("the store answers");
    let problem = undo.last().and_then(|entry| entry.error.clone()).expect("why it is stuck");
    assert!(problem.code == Code::Conflict && problem.message.contains("shared.txt"), "{problem:?}");
}

#[test]
fn a_closure_removes_what_carries_the_labs_mark() {
    let machine = Machine::new(&[
        ("made", r#"net::create_bridge("t", "lan1")"#),
        ("closure", r#"on_rollback("remove it", || net::delete_bridge("t", "lan1")); fail("no")"#),
        ("look", r#"net::links("t").len()"#),
    ]);
    machine.succeeds("made");
    let run = machine.launch("closure");
    machine.reaches(&run, RunState::RolledBack);
    assert_eq!(machine.succeeds("look"), 0, "a call of the script's own isn't the undo of a step");
}

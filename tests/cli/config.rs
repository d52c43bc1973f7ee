//! Configuration from the outside: mistakes, origins, precedence.

use super::support::Project;

#[test]
fn mistakes_are_shown_with_file_line_and_key() {
    let project = Project::new();
    for (text, needles) in [
        ("[engine]\nworkers = \"many\"\n", &["windlass.toml:2", "engine.workers", "workers = \"many\""][..]),
        ("\n\n[engine]\nwrokers = 3\n", &["windlass.toml:4", "wrokers", "expected one of"]),
        ("[engine]\nretention = \"soon\"\n", &["windlass.toml:2", "engine.retention", "isn't a duration"]),
        ("[policy]\n\"lab/*\" = [\"nonsense\"]\n", &["windlass.toml:2", "isn't a grant"]),
        ("[hosts.exec]\nprograms = 3\n", &["windlass.toml:2", "hosts.exec.programs"]),
        ("= 3\n", &["windlass.toml:1"]),
    ] {
        project.write("windlass.toml", text);
        let ran = project.run(&["run", "lab/count"]);
        assert_eq!(ran.code, 2, "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains("error[configuration]"), "{}", ran.stderr);
        for needle in needles {
            assert!(ran.stderr.contains(needle), "{text}: `{needle}` in {}", ran.stderr);
        }
    }
    assert!(!project.path(".windlass").exists());
}

#[test]
fn values_are_shown_with_their_origin_and_without_passwords() {
    let project = Project::new();
    project.write("windlass.toml", "[engine]\nworkers = 2\npoll_ms = 50\n");
    let mut command = project.command(&["config", "show", "--json", "--data", "elsewhere"]);
    command.env("WINDLASS_ENGINE_WORKERS", "9").env("WINDLASS_DATABASE", "postgres://me:hunter2@db/x");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (shown["engine.workers"]["value"].as_i64(), shown["engine.workers"]["origin"].as_str()),
        (Some(9), Some("WINDLASS_ENGINE_WORKERS"))
    );
    assert!(shown["engine.poll_ms"]["origin"].as_str().unwrap().ends_with("windlass.toml:3"));
    assert_eq!(shown["data"]["origin"], "--data");
    assert_eq!(shown["bounds.branches"]["origin"], "default");
    assert!(shown["bounds.branches"]["doc"].as_str().unwrap().contains("parallel"));
}

#[test]
fn the_policy_caps_what_workflows_declare() {
    let project = Project::new();
    project.workflow("lab/cat", "\"exec.run:cat\"", r#"exec::probe(["cat", "/dev/null"]).code"#);
    assert_eq!(project.run(&["run", "lab/cat"]).code, 0);
    project.write("windlass.toml", "[policy]\n\"lab/*\" = []\n");
    let ran = project.run(&["run", "lab/cat"]);
    assert!(matches!(ran.code, 2 | 5), "{}: {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("exec.run:cat"), "{}", ran.stderr);
}

#[test]
fn a_relative_project_is_found_from_inside() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("deep/inside")).unwrap();
    let mut command = project.command(&["run", "lab/count"]);
    let output = command.current_dir(project.path("deep/inside")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(project.path(".windlass/windlass.db").exists());
}

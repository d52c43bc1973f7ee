//! Secrets: never on the command line, never in the clear, never in what is printed or kept.

use std::os::unix::fs::PermissionsExt as _;

use super::support::Project;

const VALUE: &str = "hunter2-value-of-the-secret";

fn files_of(project: &Project) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(project.path(".windlass")).unwrap().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

fn assert_not_kept(project: &Project, value: &str) {
    for (name, content) in files_of(project) {
        let found = content.windows(value.len()).any(|window| window == value.as_bytes());
        assert!(!found, "{name} holds the value");
    }
}

#[test]
fn a_value_is_used_and_never_shown() {
    let project = Project::new();
    // `cat` prints what it gets: the value comes back in the step's result, and has to be taken out there.
    project.workflow(
        "lab/leak",
        r#""exec.run:cat", "secret.use:*""#,
        r#"let r = exec::probe(["cat"], #{ stdin: secret("token") }); log(r.stdout); r.stdout"#,
    );
    project.write("windlass.toml", "[policy]\n\"lab/*\" = [\"exec.run:cat\", \"secret.use:*\"]\n");
    let set = project.run_with_input(&["secrets", "set", "token", "--to", "exec:*"], &format!("{VALUE}\n"));
    assert_eq!(set.code, 0, "{}", set.stderr);
    let ran = project.run(&["run", "lab/leak", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("[secret token]"), "{}", ran.stdout);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    let listed = project.run(&["secrets", "ls", "--json"]);
    let exported = project.run(&["runs", "export", &run]);
    for shown in
        [&set, &ran, &listed, &exported, &project.run(&["runs", "show", &run]), &project.run(&["config", "show"])]
    {
        assert!(!shown.stdout.contains(VALUE) && !shown.stderr.contains(VALUE), "{shown:?}");
    }
    assert_not_kept(&project, VALUE);
}

#[test]
fn rotation_keeps_values_and_changes_the_key() {
    let project = Project::new();
    project.write("windlass.toml", "[policy]\n\"lab/*\" = [\"exec.run:*\", \"secret.use:*\"]\n");
    project.workflow(
        "lab/use",
        r#""exec.run:cat", "secret.use:*""#,
        r#"exec::probe(["cat"], #{ stdin: secret(input.name) }).stdout"#,
    );
    for name in ["one", "two"] {
        let set = project.run_with_input(&["secrets", "set", name, "--to", "*"], &format!("value-of-{name}"));
        assert_eq!(set.code, 0, "{}", set.stderr);
    }
    let key = || std::fs::read(project.path(".windlass/secrets.key")).unwrap();
    let before = key();
    assert_eq!(project.run(&["secrets", "rotate", "--json"]).json()["rotated"], 2);
    assert_ne!(key(), before);
    for name in ["one", "two"] {
        let ran = project.run(&["run", "lab/use", "--set", &format!("name={name}")]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains(&format!("[secret {name}]")), "{}", ran.stdout);
    }
    assert_eq!(project.run(&["secrets", "rm", "one"]).code, 0);
    assert_eq!(project.run(&["secrets", "rm", "one"]).code, 1);
    assert_eq!(project.run(&["run", "lab/use", "--set", "name=one"]).code, 1);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let project = Project::new();
    assert_eq!(project.run_with_input(&["secrets", "set", "a", "--to", "*"], VALUE).code, 0);
    let key = project.path(".windlass/secrets.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = project.run_with_input(&["secrets", "set", "b", "--to", "*"], VALUE);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("others can read it"), "{}", refused.stderr);
}

#[test]
fn a_secret_goes_only_where_its_policy_says() {
    let project = Project::new();
    project.write("windlass.toml", "[policy]\n\"lab/*\" = [\"exec.run:*\", \"secret.use:*\"]\n");
    project.workflow(
        "lab/use",
        r#""exec.run:cat", "secret.use:*""#,
        r#"exec::probe(["cat"], #{ stdin: secret("token") })"#,
    );
    let set = project.run_with_input(&["secrets", "set", "token", "--to", "https://api.example.net/*"], VALUE);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let ran = project.run(&["run", "lab/use"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("secret_misuse"), "{}", ran.stderr);
}

#[test]
fn a_later_process_does_not_show_what_an_earlier_one_wrote() {
    let project = Project::new();
    project.write("held", "held-elsewhere-value\n");
    std::fs::set_permissions(project.path("held"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let files = project.path(".windlass/files");
    project.write(
        "windlass.toml",
        &format!(
            "[policy]\n\"lab/*\" = [\"file.read:*\", \"file.write:*\", \"secret.use:*\"]\n[secrets.far]\nfrom = \"file:{}\"\nto = [\"*\"]\n",
            project.path("held").display()
        ),
    );
    let path = |name: &str| files.join(name).display().to_string();
    let grants = "\"file.read:*\", \"file.write:*\", \"secret.use:*\"";
    let (near, far) = (path("near"), path("far"));
    let write = format!(r#"file::write("{near}", secret("near")); file::write("{far}", secret("far"));"#);
    let read =
        format!(r#"let all = file::read("{near}") + " " + file::read("{far}"); log(all); annotate("all", all); all"#);
    project.workflow("lab/write", grants, &write);
    project.workflow("lab/read", grants, &read);
    let set = project.run_with_input(&["secrets", "set", "near", "--to", "*"], VALUE);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let wrote = project.run(&["run", "lab/write"]);
    assert_eq!(wrote.code, 0, "{}{}", wrote.stdout, wrote.stderr);
    assert_eq!(std::fs::read_to_string(&near).unwrap(), VALUE, "the file has the value itself");
    let ran = project.run(&["run", "lab/read", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("[secret"), "{}", ran.stdout);
    let run = project.newest()["id"].as_str().unwrap().to_owned();
    let shown = ["show", "logs", "events", "export"].map(|command| project.run(&["runs", command, &run]));
    for shown in shown.iter().chain([&wrote, &ran]) {
        for value in [VALUE, "held-elsewhere-value"] {
            assert!(!shown.stdout.contains(value) && !shown.stderr.contains(value), "{shown:?}");
        }
    }
    assert_not_kept(&project, VALUE);
    assert_not_kept(&project, "held-elsewhere-value");
}

#[test]
fn a_value_too_short_to_be_hidden_is_refused() {
    let project = Project::new();
    let set = project.run_with_input(&["secrets", "set", "pin", "--to", "*"], "123\n");
    assert_eq!(set.code, 2, "{}", set.stderr);
    assert!(set.stderr.contains("fewer than 4 characters") && set.stderr.contains("logs"), "{}", set.stderr);
    assert_eq!(project.run_with_input(&["secrets", "set", "pin", "--to", "*"], "1234\n").code, 0);
}

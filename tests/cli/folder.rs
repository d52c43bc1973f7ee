//! The data folder: made closed, refused when it can't be used, never migrated behind anybody's back.

use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};

use nix::sys::signal::Signal;
use windlass_tests::is_root;

use super::support::{Project, Ran, SOON};

#[test]
fn the_folder_is_made_and_closed_to_others() {
    let project = Project::new();
    assert_eq!(project.run(&["run", "lab/count", "--data", "own/data"]).code, 0);
    let mode = |name: &str| std::fs::metadata(project.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("own/data"), 0o700);
    assert_eq!(mode("own/data/instance_id"), 0o600);
    let id = std::fs::read_to_string(project.path("own/data/instance_id")).unwrap();
    assert_eq!(project.run(&["run", "lab/count", "--data", "own/data"]).code, 0);
    assert_eq!(std::fs::read_to_string(project.path("own/data/instance_id")).unwrap(), id, "written once");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_so() {
    let project = Project::new();
    std::fs::create_dir(project.path("sealed")).unwrap();
    std::fs::set_permissions(project.path("sealed"), std::fs::Permissions::from_mode(0o555)).unwrap();
    std::fs::set_permissions(project.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = project.command(&["run", "lab/count", "--data", "sealed"]);
    if is_root() {
        // Root may write anywhere: somebody else tries.
        command.uid(65_534).gid(65_534);
    }
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("data folder") && ran.stderr.contains("--data"), "{}", ran.stderr);
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let project = Project::new();
    let ran = project.run(&["run", "lab/count", "--data", "workflows"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("isn't a data folder"), "{}", ran.stderr);
}

#[test]
fn an_old_database_is_refused_until_it_is_migrated() {
    let project = Project::new();
    assert_eq!(project.run(&["run", "lab/count"]).code, 0);
    // An empty file is a database from before the first migration.
    for name in ["windlass.db", "windlass.db-wal", "windlass.db-shm"] {
        let _ = std::fs::remove_file(project.path(".windlass").join(name));
    }
    project.write(".windlass/windlass.db", "");
    let refused = project.run(&["runs", "ls"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("windlass migrate"), "{}", refused.stderr);
    assert_eq!(project.run(&["migrate", "--status"]).code, 1);
    let migrated = project.run(&["migrate"]);
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    assert_eq!(project.run(&["migrate", "--status"]).code, 0);
    assert_eq!(project.run(&["migrate"]).code, 0, "safe to run again");
    assert_eq!(project.run(&["runs", "ls"]).code, 0);
}

#[test]
fn an_instance_id_can_be_overridden_only_in_so_many_words() {
    if std::path::Path::new("/etc/windlass/instance_id").exists()
        || std::path::Path::new("/etc/nova-ve/instance_id").exists()
    {
        windlass_tests::skip("this machine has an instance id of its own");
        return;
    }
    let project = Project::new();
    let mut command = project.command(&["run", "lab/count"]);
    command
        .env("WINDLASS_INSTANCE_ID", "6f1c1f8e-0b0a-4f6e-9d57-3e6f7f6f0001")
        .env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("never give two machines the same one"), "{}", ran.stderr);
    command.env("WINDLASS_INSTANCE_ID", "nonsense");
    assert_eq!(Ran::from(command.output().unwrap()).code, 1);
}

#[test]
fn a_schema_is_not_changed_under_a_process_that_executes() {
    let project = Project::new();
    let mut process = project.start(&["run", "lab/wait", "--json"]);
    process.wait_for_line("output.log", SOON);
    // It executes, and mustn't find out that its database is gone: it would end, and nobody would execute.
    process.signal(Signal::SIGSTOP);
    for name in ["windlass.db", "windlass.db-wal", "windlass.db-shm"] {
        let _ = std::fs::remove_file(project.path(".windlass").join(name));
    }
    project.write(".windlass/windlass.db", "");
    let refused = project.run(&["migrate"]);
    assert!(process.is_running(), "{}", process.output());
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("error[data_folder_busy]"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("process {}", process.id())), "{}", refused.stderr);
    process.kill();
    assert_eq!(project.run(&["migrate"]).code, 0);
}

#[test]
fn a_lock_that_cannot_be_had_is_said_so() {
    let project = Project::new();
    assert_eq!(project.run(&["run", "lab/count"]).code, 0);
    let lock = project.path(".windlass/windlass.db.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let ran = project.run(&["run", "lab/count"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("windlass.db.lock can't be used") && ran.stderr.contains("help:"), "{}", ran.stderr);
}

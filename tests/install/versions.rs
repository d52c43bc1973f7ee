//! Another version comes, works or doesn't, and goes again; the database's schema has its word.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

use windlass_tests::{Machine, machine::Said};

use super::{install, journal, smoke, sql, told};

/// A program that does everything but serve.
const BROKEN: &str = "\
#!/bin/sh
case \" $* \" in *\" serve \"*) echo 'this build is broken' >&2; exit 1 ;; esac
exec /opt/windlass/windlass \"$@\"
";

/// A program with a migration of its own, which fails when the half of it is done.
const HALF: &str = "\
#!/bin/sh
case \" $* \" in
*' migrate --status '*) echo '{\"pending\":[\"29990101000000_half\"],\"unknown\":[]}'; exit 1 ;;
*' migrate '*)
    psql -XqAt -h /run/postgresql -d windlass -c \"CREATE TABLE half (); DROP TABLE documents CASCADE; \
        INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')\" || exit 9
    echo 'the migration failed' >&2; exit 1 ;;
esac
exec /opt/windlass/windlass \"$@\"
";

fn upgrade(machine: &Machine, file: &str) -> Said {
    machine.shell(&format!("windlass --json upgrade --binary /opt/windlass/{file}"))
}

fn executable(file: &Path, content: &[u8]) {
    fs::write(file, content).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The same program, which isn't the same file.
fn another(machine: &Machine, name: &str) {
    let (from, to) = (machine.sources().join("windlass"), machine.sources().join(name));
    fs::copy(from, &to).unwrap();
    fs::OpenOptions::new().append(true).open(&to).unwrap().write_all(name.as_bytes()).unwrap();
}

fn in_use(machine: &Machine) -> String {
    machine.run(&["readlink", "/usr/lib/windlass/current"]).good().trim().to_owned()
}

#[test]
fn another_version_is_used_and_one_that_does_not_serve_is_taken_back() {
    let Some(machine) = Machine::start() else { return };
    install(&machine, "");
    smoke(&machine, "");
    let first = in_use(&machine);

    another(&machine, "next");
    let dry = machine.shell("windlass upgrade --binary /opt/windlass/next --dry-run").good();
    assert!(dry.contains("nothing was changed") && in_use(&machine) == first, "{dry}");
    let done: serde_json::Value = serde_json::from_str(&upgrade(&machine, "next").good()).unwrap();
    let second = in_use(&machine);
    assert_eq!((&done["upgrade"]["from"], &done["upgrade"]["to"]), (&first.clone().into(), &second.clone().into()));
    assert_eq!(done["upgrade"]["smoke"]["ok"], true);
    assert_ne!(first, second);
    let same: serde_json::Value = serde_json::from_str(&upgrade(&machine, "next").good()).unwrap();
    assert_eq!(same["upgrade"]["from"], same["upgrade"]["to"]);

    machine.shell("windlass rollback").good();
    assert_eq!(in_use(&machine), first);

    executable(&machine.sources().join("broken"), BROKEN.as_bytes());
    let said = upgrade(&machine, "broken");
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    let problem: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(problem["error"]["data"]["rolled_back"], true, "{problem:#}");
    assert!(problem["error"]["message"].as_str().unwrap().contains("is in use again, and serves"), "{problem:#}");
    assert_eq!(in_use(&machine), first);
    let previous = machine.run(&["readlink", "/usr/lib/windlass/previous"]).good();
    assert_eq!(previous.trim(), second, "nobody goes back to one that doesn't serve");
    smoke(&machine, "");

    // What isn't a program of ours isn't even tried.
    for (name, content) in [("text", "hello"), ("other", "#!/bin/sh\necho '{}'\n"), ("silent", "#!/bin/sh\nexit 3\n")] {
        executable(&machine.sources().join(name), content.as_bytes());
        let said = upgrade(&machine, name);
        assert!(said.code != 0 && said.err.contains("invalid_input"), "{name}: {}", said.err);
    }
    assert_eq!(in_use(&machine), first);
}

#[test]
fn a_schema_is_migrated_behind_a_backup_and_never_guessed_at() {
    let Some(machine) = Machine::start() else { return };
    install(&machine, "");
    smoke(&machine, "");
    let first = in_use(&machine);
    another(&machine, "next");

    // A newer program has been here: this one keeps off, and what runs goes on.
    let pid = || machine.shell("systemctl show --value -p MainPID windlass").good();
    let before = pid();
    sql(&machine, "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')");
    let said = upgrade(&machine, "next");
    assert!(
        said.code != 0 && said.err.contains("schema_mismatch") && said.err.contains("20990101000000"),
        "{}",
        said.err
    );
    assert_eq!((in_use(&machine), pid()), (first.clone(), before));
    let status = told(&machine, "migrate --status");
    assert_eq!(status["unknown"][0], "20990101000000", "{status}");
    sql(&machine, "DELETE FROM __diesel_schema_migrations WHERE version = '20990101000000'");

    // The last migration is yet to come, as for a version that brings one.
    let last = sql(&machine, "SELECT max(version) FROM __diesel_schema_migrations");
    let down = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/postgres")).unwrap().flatten();
    let down = down.map(|entry| entry.path()).max().unwrap();
    assert!(down.to_string_lossy().contains(&last), "{last} {}", down.display());
    sql(&machine, &fs::read_to_string(down.join("down.sql")).unwrap());
    sql(&machine, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{last}'"));
    let done: serde_json::Value = serde_json::from_str(&upgrade(&machine, "next").good()).unwrap();
    assert_eq!(done["upgrade"]["migrated"].as_array().map(Vec::len), Some(1), "{done:#}");
    let backup = done["upgrade"]["backup"].as_str().unwrap().to_owned();
    assert_eq!(machine.run(&["stat", "-c", "%a %U", &backup]).good().trim(), "600 windlass");
    assert_eq!(told(&machine, "migrate --status")["pending"].as_array().map(Vec::len), Some(0));

    // A version that migrated and doesn't serve isn't taken back behind anybody's back.
    machine.shell("windlass rollback").good();
    sql(&machine, &fs::read_to_string(down.join("down.sql")).unwrap());
    sql(&machine, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{last}'"));
    executable(&machine.sources().join("broken"), BROKEN.as_bytes());
    let said = upgrade(&machine, "broken");
    assert!(said.code == 1 && said.err.contains("rollback --restore"), "{}", said.err);
    assert_ne!(in_use(&machine), first);
    // What stands before it in the way back is the backup of a schema that the version before has to migrate as well: it says so.
    machine.shell("windlass rollback").good();
    assert_eq!(in_use(&machine), first);
    smoke(&machine, "");
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_serving_with_its_data() {
    let Some(machine) = Machine::start() else { return };
    install(&machine, "");
    let first = in_use(&machine);
    let kept = || {
        sql(
            &machine,
            "SELECT string_agg(kind || id, ',' ORDER BY id) FROM documents WHERE kind IN ('user', 'login_link')",
        )
    };
    let documents = kept();
    assert!(documents.contains("useradmin"), "{documents}");
    executable(&machine.sources().join("half"), HALF.as_bytes());
    let said = upgrade(&machine, "half");
    assert!(said.code == 1 && said.err.contains("the migration failed"), "{}\n{}", said.out, said.err);
    let goes_on = format!("{first} goes on; the database is as it was");
    assert!(said.err.contains(&goes_on), "{}\n{}", said.err, journal(&machine));
    smoke(&machine, "");
    assert_eq!((in_use(&machine), kept()), (first.clone(), documents.clone()));
    assert_eq!(sql(&machine, "SELECT to_regclass('half') IS NULL"), "t");

    // The way back with a backup that is none, or that the service's user can't read, ends nothing.
    another(&machine, "next");
    upgrade(&machine, "next").good();
    let second = in_use(&machine);
    let pid = || machine.shell("systemctl show --value -p MainPID windlass").good();
    let before = pid();
    machine
        .shell("install -d -m 700 /var/closed && echo no backup >/var/closed/none && cp /var/closed/none /var/tmp/none")
        .good();
    let said = machine.shell("windlass rollback --restore /var/closed/none");
    assert!(said.code != 0 && said.err.contains("can't read /var/closed/none"), "{}\n{}", said.out, said.err);
    assert_eq!(pid(), before, "it wasn't even stopped");
    let said = machine.shell("windlass rollback --restore /var/tmp/none");
    assert!(said.code != 0 && said.err.contains("isn't a backup"), "{}\n{}", said.out, said.err);
    assert!(said.err.contains(&format!("{second} goes on; the database is as it was")), "{}", said.err);
    smoke(&machine, "");
    // With a good one, it goes back.
    let backup = machine.shell("ls /var/lib/windlass/backups/*.backup").good();
    machine.shell(&format!("windlass rollback --restore {}", backup.trim())).good();
    assert_eq!((in_use(&machine), kept()), (first, documents));
    smoke(&machine, "");
}

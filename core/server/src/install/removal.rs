//! Taking the service away. What it has kept stays, unless that is to go, too.

use std::{fs, path::Path};

use windlass_model::Problem;

use super::{
    caddy,
    hand::{self, File, Hand, Mark},
    layout::{CADDY, CADDYFILE, COMMAND, NAME, PAGE, RELEASES, SERVICE, STATE, SYSUSERS, TMPFILES, UNIT},
    record::Made,
};

/// Where the configuration is.
const SETTINGS: &str = "/etc/windlass";
/// What Debian's Caddy is left with: something that it starts with, and that serves nothing.
pub const NOTHING: &str = "# Windlass was here, and is uninstalled.\n:80 {\n\trespond 404\n}\n";

/// Why something stays.
const BEFORE: &str = "was there before Windlass was installed";

/// What a `Caddyfile` of somebody else goes on importing: without the file Caddy wouldn't start.
const STUB: &str = "# Windlass is uninstalled.\n(windlass_uninstalled) {\n\trespond 404\n}\n";

/// Removes the service, its programs and its page.
pub fn uninstall(hand: &mut Hand, purge: bool) -> Result<(), Problem> {
    if hand.layout.at(UNIT).exists() {
        hand.run(&["systemctl", "disable", "--now", "--quiet", SERVICE], "ends; open runs go on when it is back")?;
    }
    front_door(hand, purge)?;
    if hand.leads(COMMAND, RELEASES) {
        remove(hand, COMMAND)?;
    } else if fs::symlink_metadata(hand.layout.at(COMMAND)).is_ok() {
        hand.note(Mark::Left, COMMAND, "somebody else has put it there");
    }
    for path in [UNIT, SYSUSERS, TMPFILES, PAGE, RELEASES] {
        remove(hand, path)?;
    }
    hand.run(&["systemctl", "daemon-reload"], "the unit is gone")?;
    if !purge {
        return super::plan::save(hand);
    }
    if hand.record.is_database_here() {
        let sql = |hand: &mut Hand, statement: &str| {
            hand.run(&["runuser", "-u", "postgres", "--", "psql", "-X", "-q", "-c", statement], "with everything in it")
        };
        match hand.record.made.contains(&Made::Database) {
            true => sql(hand, "DROP DATABASE IF EXISTS windlass WITH (FORCE)")?,
            false => hand.note(Mark::Left, "the database windlass", BEFORE),
        }
        if !hand.record.made.contains(&Made::Role) {
            hand.note(Mark::Left, "the role windlass", BEFORE);
        } else if let Err(problem) = sql(hand, "DROP ROLE IF EXISTS windlass") {
            // It owns something elsewhere, as in a database that was there before.
            hand.note(Mark::Left, "the role windlass", problem.message);
        }
    } else {
        hand.note(Mark::Left, "the database", "somebody else keeps it");
    }
    remove(hand, STATE)?;
    remove(hand, SETTINGS)?;
    if hand.layout.id("passwd", NAME).is_some() {
        match hand.record.made.contains(&Made::User) {
            true => hand.run(&["userdel", NAME], "the service's user")?,
            false => hand.note(Mark::Left, "the user windlass", BEFORE),
        }
    }
    Ok(())
}

/// Leaves Caddy with something that it starts with: nothing, or what somebody else has it serve.
fn front_door(hand: &mut Hand, purge: bool) -> Result<(), Problem> {
    let present = hand::read(&hand.layout.at(CADDY))?.unwrap_or_default();
    let present = String::from_utf8_lossy(&present).into_owned();
    let line = format!("import {CADDYFILE}");
    let imports = present.lines().any(|found| found.trim() == line);
    let is_ours = present == caddy::import();
    let root = ("root", "root");
    if is_ours {
        hand.file(&File { path: CADDY, content: NOTHING.as_bytes(), mode: 0o644, owner: root, theirs: false })?;
        hand.record.written.insert(CADDY.to_owned(), hand::digest(NOTHING.as_bytes()));
    } else if imports && purge {
        let rest: String =
            present.lines().filter(|found| found.trim() != line).map(|line| format!("{line}\n")).collect();
        hand.file(&File { path: CADDY, content: rest.as_bytes(), mode: 0o644, owner: root, theirs: false })?;
    } else if imports {
        hand.file(&File { path: CADDYFILE, content: STUB.as_bytes(), mode: 0o644, owner: root, theirs: false })?;
        hand.record.written.insert(CADDYFILE.to_owned(), hand::digest(STUB.as_bytes()));
    } else {
        return Ok(());
    }
    if is_ours || purge {
        remove(hand, CADDYFILE)?;
    }
    hand.run(&["systemctl", "reload-or-restart", "caddy"], "without Windlass")
}

/// Removes a file, a link, or a folder with everything in it.
fn remove(hand: &mut Hand, path: &str) -> Result<(), Problem> {
    let place = hand.layout.at(path);
    let Ok(found) = fs::symlink_metadata(&place) else { return Ok(()) };
    if !hand.is_dry() {
        let removed = if found.is_dir() { fs::remove_dir_all(&place) } else { fs::remove_file(&place) };
        removed.map_err(|error| hand::unwritable(Path::new(path), &error))?;
    }
    hand.note(Mark::Changed, path, "removed");
    Ok(())
}

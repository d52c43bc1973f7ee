//! Taking the service away. What it has kept stays, unless that is to go, too.

use std::{fs, path::Path};

use windlass_model::Problem;

use super::{
    caddy,
    hand::{self, Hand, Mark},
    layout::{CADDY, CADDYFILE, COMMAND, NAME, PAGE, RELEASES, SERVICE, STATE, SYSUSERS, TMPFILES, UNIT},
};

/// Where the configuration is.
const SETTINGS: &str = "/etc/windlass";
/// What Debian's Caddy is left with: something that it starts with, and that serves nothing.
const NOTHING: &str = "# Windlass was here, and is uninstalled.\n:80 {\n\trespond 404\n}\n";

/// Removes the service, its programs and its page.
pub fn uninstall(hand: &mut Hand, purge: bool) -> Result<(), Problem> {
    if hand.layout.at(UNIT).exists() {
        hand.run(&["systemctl", "disable", "--now", "--quiet", SERVICE], "ends; open runs go on when it is back")?;
    }
    let present = hand::read(&hand.layout.at(CADDY))?;
    let ours = present.is_some_and(|present| present == caddy::import().as_bytes());
    if ours {
        let file = hand::File {
            path: CADDY,
            content: NOTHING.as_bytes(),
            mode: 0o644,
            owner: ("root", "root"),
            theirs: false,
        };
        hand.file(&file)?;
        hand.record.written.insert(CADDY.to_owned(), hand::digest(NOTHING.as_bytes()));
        hand.run(&["systemctl", "reload-or-restart", "caddy"], "serves nothing any more")?;
    } else {
        hand.note(Mark::Left, CADDY, format!("somebody has changed it: take out `import {CADDYFILE}`"));
    }
    for path in [UNIT, CADDYFILE, SYSUSERS, TMPFILES, COMMAND, PAGE, RELEASES] {
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
        sql(hand, "DROP DATABASE IF EXISTS windlass WITH (FORCE)")?;
        sql(hand, "DROP ROLE IF EXISTS windlass")?;
    } else {
        hand.note(Mark::Left, "the database", "somebody else keeps it");
    }
    remove(hand, STATE)?;
    remove(hand, SETTINGS)?;
    if hand.layout.id("passwd", NAME).is_some() {
        hand.run(&["userdel", NAME], "the service's user")?;
    }
    Ok(())
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

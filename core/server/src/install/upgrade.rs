//! Another version of the program, and the way back. The database's schema decides: a version works on its own schema only, so one that
//! brought migrations is taken back by the backup that was made before them, and never by itself.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    hand::{self, Hand, Mark, words_of},
    layout::{BACKUPS, CONFIG, RELEASES, SERVICE},
    release::Release,
    service::as_service,
};

/// How long a version gets until everything that is checked is well.
const PATIENCE: &str = "30s";
/// How long the lease of a server that was killed may hold a restore up.
const LEASES: Duration = Duration::from_secs(60);
/// Three starts, as the unit spaces them.
const TRIES: Duration = Duration::from_secs(15);

/// What became of an upgrade, or of a way back.
#[derive(Clone, Debug, Serialize)]
pub struct Upgrade {
    /// The version that was in use.
    pub from: String,
    /// The one that is.
    pub to: String,
    /// Migrations that were run.
    pub migrated: Vec<String>,
    /// The backup that was made before.
    pub backup: Option<String>,
    /// What the checks said.
    pub smoke: Value,
}

/// How a version's schema and the database's differ.
struct Schema {
    pending: Vec<String>,
    unknown: Vec<String>,
}

/// Brings this program into use. One that doesn't serve is taken back at once, if it changed no schema.
pub fn upgrade(hand: &mut Hand, file: &std::path::Path) -> Result<Upgrade, Problem> {
    let from = current(hand)?;
    let before = Release::previous(hand.layout);
    let to = Release::of(file)?;
    if to == from {
        hand.note(Mark::Same, to.program(), "is in use already");
        return Ok(Upgrade { from: from.name, to: to.name, migrated: Vec::new(), backup: None, smoke: Value::Null });
    }
    to.put(hand, file)?;
    let program = if hand.is_dry() { file.display().to_string() } else { to.program() };
    let schema = schema(hand, &program)?;
    if let Some(unknown) = schema.unknown.first() {
        return Err(Problem::new(
            Code::SchemaMismatch,
            format!("the database was written by a newer program than {} (it has migration {unknown})", to.name),
        )
        .help("nothing was changed; a version that knows that migration is needed"));
    }
    let migrates = !schema.pending.is_empty();
    let backup = if migrates { Some(migrate(hand, &from, &to, &schema.pending)?) } else { None };
    let put = use_version(hand, &to);
    let smoke = match put {
        Ok(()) => smoke(hand)?,
        Err(problem) => serde_json::json!({ "ok": false, "problem": problem }),
    };
    let done = Upgrade { from: from.name.clone(), to: to.name.clone(), migrated: schema.pending, backup, smoke };
    if hand.is_dry() || done.smoke["ok"] == true {
        if !hand.is_dry() {
            Release::prune(hand.layout);
        }
        return Ok(done);
    }
    let why = format!("{} doesn't serve: {}", to.name, failures(&done.smoke));
    if let Some(backup) = &done.backup {
        return Err(Problem::new(Code::Unavailable, why)
            .help(format!(
                "it has migrated the database, so {} can't be taken back by itself: `windlass rollback --restore {backup}` puts \
                 back what was before; `journalctl -u windlass` says more",
                from.name
            ))
            .data(serde_json::json!({ "upgrade": done, "rolled_back": false })));
    }
    let back = use_version(hand, &from).and_then(|()| {
        // Nobody is to go back to one that doesn't serve.
        before.as_ref().map_or(Ok(()), |before| hand.link(&format!("{RELEASES}/previous"), &before.name))?;
        self::smoke(hand)
    });
    let (rolled_back, how) = match &back {
        Ok(smoke) if smoke["ok"] == true => (true, format!("{} is in use again, and serves", from.name)),
        Ok(smoke) => (false, format!("{} is in use again, and doesn't serve either: {}", from.name, failures(smoke))),
        Err(problem) => (false, format!("the way back to {} failed: {}", from.name, problem.message)),
    };
    Err(Problem::new(Code::Unavailable, format!("{why}; {how}"))
        .help("`journalctl -u windlass` says what the new version complained about")
        .data(serde_json::json!({ "upgrade": done, "rolled_back": rolled_back, "smoke": back.unwrap_or_default() })))
}

/// Puts the version before into use again; with the backup that was made before its schema was changed, if it was.
pub fn rollback(hand: &mut Hand, restore: Option<&std::path::Path>) -> Result<Upgrade, Problem> {
    let from = current(hand)?;
    let to = Release::previous(hand.layout).ok_or_else(|| {
        Problem::new(Code::NotFound, "there is no version before this one")
            .help(format!("{RELEASES} has none in `previous`"))
    })?;
    let schema = schema(hand, &to.program())?;
    if let (Some(unknown), None) = (schema.unknown.first(), restore) {
        return Err(Problem::new(
            Code::SchemaMismatch,
            format!("{} can't work with this database: it has migration {unknown} of a newer program", to.name),
        )
        .help(format!(
            "`windlass rollback --restore FILE` with a backup from before it; upgrades put theirs into {BACKUPS}"
        )));
    }
    if !schema.pending.is_empty() && restore.is_none() {
        return Err(Problem::new(Code::SchemaMismatch, format!("{} is newer than the database", to.name))
            .help(format!("`windlass upgrade --binary {}` migrates it, with a backup before", to.program())));
    }
    if let Some(file) = restore {
        let file = file.display().to_string();
        may_read(hand, &file)?;
        hand.run(&["systemctl", "stop", SERVICE], "nobody works on the database")?;
        if let Err(problem) = self::restore(hand, &to, &file, false) {
            if fits(hand, &from) {
                return Err(goes_on(hand, &from, problem, "the database is as it was"));
            }
            return Err(problem.help(format!(
                "the service is stopped: the database isn't {}'s any more. `windlass rollback` puts {} into use as it is now",
                from.name, to.name
            )));
        }
    }
    use_version(hand, &to)?;
    let smoke = smoke(hand)?;
    if hand.is_dry() || smoke["ok"] == true {
        return Ok(Upgrade { from: from.name, to: to.name, migrated: Vec::new(), backup: None, smoke });
    }
    Err(Problem::new(Code::Unavailable, format!("{} is in use, and doesn't serve: {}", to.name, failures(&smoke)))
        .help("`windlass doctor --smoke` and `journalctl -u windlass` say more"))
}

fn current(hand: &Hand) -> Result<Release, Problem> {
    Release::current(hand.layout).ok_or_else(|| {
        Problem::new(Code::NotFound, "no version is in use here").help("`windlass install` brings the first one")
    })
}

/// Asks a version, which alone knows its schema, how it stands with the database.
fn schema(hand: &Hand, program: &str) -> Result<Schema, Problem> {
    let words = [program, "--config", CONFIG, "--json", "migrate", "--status"];
    // A file that only root can read becomes the service's user by itself.
    let words = if hand.is_dry() { words.map(str::to_owned).to_vec() } else { as_service(&hand.record, &words) };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = hand::call(&words, None)?;
    let told: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        hand::failed(&words, &output)
            .help("nothing was changed: this version can't tell how it stands with the database")
    })?;
    let names = |key: &str| -> Vec<String> {
        told[key].as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    Ok(Schema { pending: names("pending"), unknown: names("unknown") })
}

/// Ends the service, makes a backup with the version whose schema it is, and migrates with the new one. Where that goes wrong, the version
/// before goes on with what it had.
fn migrate(hand: &mut Hand, from: &Release, to: &Release, pending: &[String]) -> Result<String, Problem> {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis())).unwrap_or(i64::MAX);
    let file = format!("{BACKUPS}/{}-{now}.backup", from.name);
    let line = |hand: &Hand, words: &[&str]| as_service(&hand.record, words);
    let backup = line(hand, &[&from.program(), "--config", CONFIG, "backup", &file]);
    let migrate = line(hand, &[&to.program(), "--config", CONFIG, "migrate"]);
    hand.run(&["systemctl", "stop", SERVICE], "nobody works on the database")?;
    if let Err(problem) = hand.run(&words_of(&backup), "before the schema changes") {
        return Err(goes_on(hand, from, problem, "nothing was migrated"));
    }
    let Err(problem) = hand.run(&words_of(&migrate), &pending.join(", ")) else { return Ok(file) };
    // A part of it may have been done, and only the version before knows what was there before.
    match restore(hand, from, &file, true) {
        Ok(()) => Err(goes_on(hand, from, problem, "the database is as it was")),
        Err(_) if fits(hand, from) => Err(goes_on(hand, from, problem, "the database has the schema that it had")),
        Err(failed) => {
            let again = restoring(hand, from, &file, true).join(" ");
            let why = format!("the backup {file} couldn't be put back ({})", failed.message);
            Err(problem
                .help(format!("the service is stopped: {why}; `{again}` does that, then `systemctl start {SERVICE}`")))
        }
    }
}

/// The command with which a version puts a backup back; `unused` says that nobody has worked on the database since.
fn restoring(hand: &Hand, version: &Release, file: &str, unused: bool) -> Vec<String> {
    let program = version.program();
    let words = [program.as_str(), "--config", CONFIG, "restore", file, "--replace", "--nothing-ran-since"];
    as_service(&hand.record, if unused { &words } else { &words[..words.len() - 1] })
}

/// Puts a backup back. A server that was killed counts as one that works on the database until its lease is over.
fn restore(hand: &mut Hand, version: &Release, file: &str, unused: bool) -> Result<(), Problem> {
    let (words, began) = (restoring(hand, version, file, unused), Instant::now());
    loop {
        match hand.run(&words_of(&words), "what was there before the upgrade") {
            Err(problem) if is_busy(&problem) && began.elapsed() < LEASES => std::thread::sleep(Duration::from_secs(1)),
            ended => return ended,
        }
    }
}

fn is_busy(problem: &Problem) -> bool {
    problem.message.contains(Code::DataFolderBusy.as_str())
}

/// Refuses a backup that the service's user can't read, before anything is stopped for it.
fn may_read(hand: &Hand, file: &str) -> Result<(), Problem> {
    let user = hand.record.user();
    if hand.is_dry() || hand.holds(&words_of(&as_service(&hand.record, &["test", "-r", file]))) {
        return Ok(());
    }
    Err(Problem::new(Code::PermissionDenied, format!("{user}, as whom the service runs, can't read {file}"))
        .help(format!("nothing was changed; `install -m 600 -o {user} {file} {BACKUPS}/` puts it where that can")))
}

/// Whether the database's schema is a version's own.
fn fits(hand: &Hand, version: &Release) -> bool {
    schema(hand, &version.program()).is_ok_and(|schema| schema.pending.is_empty() && schema.unknown.is_empty())
}

/// Starts what was in use again, after something else has failed.
fn goes_on(hand: &mut Hand, version: &Release, problem: Problem, state: &str) -> Problem {
    match hand
        .run(&["systemctl", "start", SERVICE], "the version in use goes on")
        .or_else(|start| comes_up(hand, start))
    {
        Ok(()) => problem.help(format!("{} goes on; {state}", version.name)),
        Err(start) => problem.help(format!(
            "{state}, and {} doesn't start: {}; `journalctl -u windlass` says more",
            version.name, start.message
        )),
    }
}

/// Whether the service comes up by itself after a start that failed: its unit says that it is tried again.
fn comes_up(hand: &Hand, start: Problem) -> Result<(), Problem> {
    let began = Instant::now();
    while !hand.holds(&["systemctl", "--quiet", "is-active", SERVICE]) {
        if hand.is_dry() || began.elapsed() > TRIES {
            return Err(start);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Puts a version into use: the link, what it brings along, a start.
fn use_version(hand: &mut Hand, version: &Release) -> Result<(), Problem> {
    version.activate(hand)?;
    // By that version itself: it alone has its page and knows its unit.
    hand.run(&[&version.program(), "--config", CONFIG, "install", "--adopt"], "its unit, front door and page")?;
    if !hand.is_dry() && !hand.holds(&["systemctl", "reset-failed", SERVICE]) {
        hand.note(Mark::Same, SERVICE, "hadn't failed");
    }
    hand.run(&["systemctl", "restart", SERVICE], "with the version in use")?;
    hand.run(&["systemctl", "reload-or-restart", "caddy"], "with its page")
}

/// The checks, by this program, whichever version is in use.
fn smoke(hand: &Hand) -> Result<Value, Problem> {
    if hand.is_dry() {
        return Ok(Value::Null);
    }
    let program = std::env::current_exe().map_err(|error| Problem::new(Code::System, error.to_string()))?;
    let program = program.display().to_string();
    let words = [program.as_str(), "--config", CONFIG, "--json", "doctor", "--smoke", "--wait", PATIENCE];
    let output = hand::call(&words, None)?;
    serde_json::from_slice(&output.stdout).map_err(|_| hand::failed(&words, &output))
}

/// The checks that don't hold, in one line.
fn failures(smoke: &Value) -> String {
    if let Some(message) = smoke["problem"]["message"].as_str() {
        return message.to_owned();
    }
    let bad = smoke["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] != true);
    let bad: Vec<String> = bad
        .map(|check| format!("{}: {}", check["name"].as_str().unwrap_or("?"), check["found"].as_str().unwrap_or("?")))
        .collect();
    bad.join("; ")
}

//! Another version of the program, and the way back. The database's schema decides: a version works on its own schema only, so one that
//! brought migrations is taken back by the backup that was made before them, and never by itself.

use serde::Serialize;
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    hand::{self, Hand, Mark},
    layout::{BACKUPS, CONFIG, RELEASES, SERVICE},
    release::Release,
    service::as_service,
};

/// How long a version gets until everything that is checked is well.
const PATIENCE: &str = "30s";

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
        hand.run(&["systemctl", "stop", SERVICE], "nobody works on the database")?;
        let words = as_service(&hand.record, &[&to.program(), "--config", CONFIG, "restore", &file, "--replace"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        hand.run(&words, "what was there before the upgrade")?;
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

/// Ends the service, makes a backup with the version whose schema it is, and migrates with the new one. What goes wrong before the
/// migration leaves everything as it was.
fn migrate(hand: &mut Hand, from: &Release, to: &Release, pending: &[String]) -> Result<String, Problem> {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis())).unwrap_or(i64::MAX);
    let file = format!("{BACKUPS}/{}-{now}.backup", from.name);
    let line = |hand: &Hand, words: &[&str]| as_service(&hand.record, words);
    let backup = line(hand, &[&from.program(), "--config", CONFIG, "backup", &file]);
    let migrate = line(hand, &[&to.program(), "--config", CONFIG, "migrate"]);
    hand.run(&["systemctl", "stop", SERVICE], "nobody works on the database")?;
    let steps = [(backup, "before the schema changes".to_owned()), (migrate, pending.join(", "))];
    for (words, why) in steps {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(problem) = hand.run(&words, &why) {
            let started = hand.run(&["systemctl", "start", SERVICE], "the version before goes on");
            let help = match started {
                Ok(()) => format!(
                    "{} goes on; what was migrated by then is undone by `windlass rollback --restore {file}`",
                    from.name
                ),
                Err(_) => format!("{} doesn't start either: `windlass rollback --restore {file}`", from.name),
            };
            return Err(problem.help(help));
        }
    }
    Ok(file)
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

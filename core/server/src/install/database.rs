//! The role and the database in this machine's PostgreSQL.

use std::time::{Duration, Instant};

use windlass_model::{Code, Problem};

use super::{
    hand::{self, File, Hand, Mark},
    layout::{NAME, PASSFILE},
    plan::save,
    record::Made,
    service::as_service,
};

/// How long PostgreSQL gets to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// PostgreSQL's own user at its own door, whom Debian lets in.
const SUPERUSER: [&str; 12] =
    ["runuser", "-u", "postgres", "--", "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f"];

/// Makes the role and the database where they aren't there yet.
pub fn prepare(hand: &mut Hand) -> Result<(), Problem> {
    if !hand.holds(&["systemctl", "is-active", "--quiet", "postgresql"]) {
        hand.run(&["systemctl", "enable", "--now", "postgresql"], "the database's service")?;
    }
    if hand.is_dry() && !answers() {
        hand.note(Mark::Changed, "psql", "the role and the database `windlass` are made");
        return Ok(());
    }
    let began = Instant::now();
    while !answers() {
        if began.elapsed() > PATIENCE {
            return Err(Problem::new(Code::Unavailable, "PostgreSQL doesn't answer")
                .help("`journalctl -u 'postgresql@*'` says why; `--database URL` names another one"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    ensure(
        hand,
        Made::Role,
        "SELECT 1 FROM pg_roles WHERE rolname = 'windlass'",
        "CREATE ROLE windlass LOGIN",
        "the role of the service",
    )?;
    ensure(
        hand,
        Made::Database,
        "SELECT 1 FROM pg_database WHERE datname = 'windlass'",
        "CREATE DATABASE windlass OWNER windlass ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0",
        "its database",
    )?;
    if hand.record.labs {
        password(hand)?;
    }
    let url = hand.record.database_url();
    let ask = as_service(&hand.record, &["psql", "-X", "-q", "-A", "-t", "-c", "SELECT 1", &url]);
    let ask: Vec<&str> = ask.iter().map(String::as_str).collect();
    if hand.is_dry() || hand.holds(&ask) {
        return Ok(());
    }
    let output = hand::call(&ask, None)?;
    Err(hand::failed(&ask, &output).help(
        "the service's user isn't let in: Debian's pg_hba.conf has `local all all peer` and `host all all 127.0.0.1/32 \
         scram-sha-256`; put lines for the role windlass before those that were changed",
    ))
}

/// Whether PostgreSQL takes commands.
fn answers() -> bool {
    asked("SELECT 1").is_ok_and(|answer| answer == "1")
}

/// Asks PostgreSQL as its own user. The statement goes by the pipe: others can read command lines.
fn asked(statement: &str) -> Result<String, Problem> {
    let words: Vec<&str> = SUPERUSER.into_iter().chain(["-"]).collect();
    let output = hand::call(&words, Some(statement))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(hand::failed(&words, &output)),
    }
}

fn ensure(hand: &mut Hand, made: Made, there: &str, make: &str, what: &str) -> Result<(), Problem> {
    if !asked(there)?.is_empty() {
        hand.note(Mark::Same, make, what);
        return Ok(());
    }
    hand.note(Mark::Changed, make, what);
    if hand.is_dry() {
        return Ok(());
    }
    asked(make)?;
    // At once: whatever comes next, it is known whose it is.
    hand.record.made.insert(made);
    save(hand)
}

/// A password for a service that isn't the role's user: made once, kept where only the service reads it.
fn password(hand: &mut Hand) -> Result<(), Problem> {
    let file = hand.layout.at(PASSFILE);
    let kept = hand::read(&file)?.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let known = kept.as_deref().and_then(|line| line.rsplit(':').next()).filter(|word| !word.is_empty());
    let word = known.map_or_else(|| hex::encode(rand::random::<[u8; 32]>()), str::to_owned);
    let sound = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !sound {
        return Err(Problem::new(Code::Configuration, format!("{PASSFILE} isn't one that was written here"))
            .help("move it away: a new password is made"));
    }
    let user = hand.record.user();
    let content = format!("127.0.0.1:*:{NAME}:{NAME}:{word}\n");
    if known.is_none() {
        if !hand.is_dry() {
            asked(&format!("ALTER ROLE {NAME} PASSWORD '{word}'"))?;
        }
        hand.note(Mark::Changed, format!("ALTER ROLE {NAME} PASSWORD …"), "a random one, in the file below");
    }
    // A dry run doesn't show what would be another one anyway.
    if hand.is_dry() {
        hand.note(Mark::Changed, PASSFILE, "0600");
        return Ok(());
    }
    hand.file(&File { path: PASSFILE, content: content.as_bytes(), mode: 0o600, owner: (user, user), theirs: false })
}

//! The installation, in its order. Each part looks at what is there first, so that the same again changes nothing.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use windlass_model::{Code, Problem};

use super::{
    caddy, database,
    hand::{self, File, Hand, Mark, words_of},
    layout::{
        AUTHORITY, BACKUPS, CADDY, CADDY_AUTHORITY, CADDYFILE, COMMAND, CONFIG, DATA, INSTANCE, NAME, PLUGINS, RECORD,
        RELEASES, SECRETS, SERVICE, SYSUSERS, TMPFILES, UNIT, WORKFLOWS,
    },
    page,
    record::{Address, Made},
    release::Release,
    removal,
    service::as_service,
    texts, unit,
};
use crate::instance::{self, Places};

const ROOT: (&str, &str) = ("root", "root");

/// What an installation is made of.
pub struct Sources<'a> {
    /// The program.
    pub program: &'a Path,
    /// Workflows to begin with.
    pub workflows: Option<&'a Path>,
    /// Plugins to begin with.
    pub plugins: Option<&'a Path>,
    /// The first admin's name.
    pub admin: &'a str,
}

/// Installs; what the first admin is told, if they were made just now.
pub fn install(hand: &mut Hand, sources: &Sources) -> Result<Option<String>, Problem> {
    require_programs(hand)?;
    command_is_ours(hand)?;
    let release = Release::of(sources.program)?;
    if let Some(current) = Release::current(hand.layout).filter(|current| *current != release) {
        return Err(Problem::new(
            Code::Conflict,
            format!("{} is installed here, and this is {}", current.name, release.name),
        )
        .help("`windlass upgrade --binary FILE` brings another version, with a way back"));
    }
    release.put(hand, sources.program)?;
    release.activate(hand)?;
    hand.link(COMMAND, &format!("{RELEASES}/current/windlass"))?;
    folders(hand)?;
    let config = texts::config(&hand.record);
    hand.file(&File { path: CONFIG, content: config.as_bytes(), mode: 0o640, owner: ("root", NAME), theirs: true })?;
    for (folder, source) in [(WORKFLOWS, sources.workflows), (PLUGINS, sources.plugins)] {
        begin_with(hand, folder, source)?;
    }
    adopt(hand)?;
    save(hand)?;
    if !hand.layout.is_booted() {
        let left = "when the machine has started, the same command there makes its id, the database and the first admin, and starts it";
        hand.note(Mark::Left, "windlass install", left);
        let root = format!("--root={}", hand.layout.root().display());
        if !hand.layout.is_here() {
            hand.run(
                &["systemctl", &root, "enable", SERVICE, "caddy.service", "postgresql.service"],
                "started at boot",
            )?;
        }
        return Ok(None);
    }
    instance(hand)?;
    if hand.record.is_database_here() {
        database::prepare(hand)?;
    }
    let link = migrate_and_seed(hand, sources.admin)?;
    start(hand)?;
    Ok(link)
}

/// What a version brings along beside its program: the unit, the front door, the page.
pub fn adopt(hand: &mut Hand) -> Result<(), Problem> {
    let unit = unit::unit(&hand.record);
    hand.file(&File { path: UNIT, content: unit.as_bytes(), mode: 0o644, owner: ROOT, theirs: true })?;
    page::write(hand)?;
    let front = caddy::caddyfile(&hand.record);
    hand.file(&File { path: CADDYFILE, content: front.as_bytes(), mode: 0o644, owner: ROOT, theirs: true })?;
    let present = hand::read(&hand.layout.at(CADDY))?.unwrap_or_default();
    if String::from_utf8_lossy(&present).lines().any(|line| line.trim() == format!("import {CADDYFILE}")) {
        hand.note(Mark::Same, CADDY, format!("imports {CADDYFILE}"));
    } else {
        // The one that came with the package is nobody's work, and what we left behind isn't either.
        if is_of_package(hand, &present) || present == removal::NOTHING.as_bytes() {
            hand.record.written.insert(CADDY.to_owned(), hand::digest(&present));
        }
        let import = caddy::import();
        hand.file(&File { path: CADDY, content: import.as_bytes(), mode: 0o644, owner: ROOT, theirs: true })?;
    }
    if hand.layout.is_booted() && hand.has_changed(&[UNIT]) {
        hand.run(&["systemctl", "daemon-reload"], "the unit is another one")?;
    }
    Ok(())
}

/// Keeps the record.
pub fn save(hand: &mut Hand) -> Result<(), Problem> {
    let text = serde_json::to_string_pretty(&hand.record)
        .map_err(|error| Problem::new(Code::Internal, format!("the record can't be written: {error}")))?;
    hand.file(&File {
        path: RECORD,
        content: (text + "\n").as_bytes(),
        mode: 0o640,
        owner: ("root", NAME),
        theirs: false,
    })
}

fn require_programs(hand: &Hand) -> Result<(), Problem> {
    let mut wanted = vec!["systemctl", "systemd-sysusers", "systemd-tmpfiles", "caddy", "runuser"];
    if hand.record.is_database_here() {
        wanted.push("psql");
    }
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"];
    let is_there = |name: &&str| folders.iter().any(|folder| hand.layout.at(folder).join(name).exists());
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::Unsupported, format!("not there: {}", missing.join(", "))).help(
        "apt-get install --no-install-recommends systemd postgresql caddy; `--database URL` needs no PostgreSQL here",
    ))
}

/// Refuses to take the place of a command of the same name that somebody else has put there.
fn command_is_ours(hand: &Hand) -> Result<(), Problem> {
    let place = hand.layout.at(COMMAND);
    if fs::symlink_metadata(&place).is_err() || hand.leads(COMMAND, RELEASES) {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict, format!("{} is there, and no link of an installation", place.display()))
        .help("nothing was changed; somebody else has put it there: move it away"))
}

fn folders(hand: &mut Hand) -> Result<(), Problem> {
    let (users, files) = (texts::sysusers(), texts::tmpfiles(&hand.record));
    let root = format!("--root={}", hand.layout.root().display());
    hand.file(&File { path: SYSUSERS, content: users.as_bytes(), mode: 0o644, owner: ROOT, theirs: false })?;
    if hand.layout.id("passwd", NAME).is_none() {
        // By its name: a path would be looked for outside of another root.
        hand.run(&["systemd-sysusers", &root, "windlass.conf"], "the service's user")?;
        hand.record.made.insert(Made::User);
    }
    hand.file(&File { path: TMPFILES, content: files.as_bytes(), mode: 0o644, owner: ROOT, theirs: false })?;
    let missing = [SECRETS, DATA, WORKFLOWS, PLUGINS].iter().any(|folder| !hand.layout.at(folder).is_dir());
    if missing || hand.has_changed(&[TMPFILES]) {
        hand.run(&["systemd-tmpfiles", &root, "--create", "windlass.conf"], "the service's folders")?;
    }
    owned(hand, hand.record.user())
}

/// What the service keeps belongs to whom it runs as; that changes when labs come or go.
fn owned(hand: &mut Hand, user: &str) -> Result<(), Problem> {
    use std::os::unix::fs::MetadataExt as _;
    let (Some(uid), Some(gid)) = (hand.layout.id("passwd", user), hand.layout.id("group", user)) else { return Ok(()) };
    for folder in [DATA, WORKFLOWS, PLUGINS, SECRETS, BACKUPS] {
        let place = hand.layout.at(folder);
        let inside = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut all = inside.chain([place.clone()]);
        if all.any(|path| fs::symlink_metadata(path).is_ok_and(|found| found.uid() != uid)) {
            let (owner, shown) = (format!("{uid}:{gid}"), place.display().to_string());
            hand.run(&["chown", "-R", "-h", &owner, &shown], "to whom the service runs as")?;
        }
    }
    Ok(())
}

/// Copies what an installation begins with. What is there already belongs to the server and its people.
fn begin_with(hand: &mut Hand, folder: &str, source: Option<&Path>) -> Result<(), Problem> {
    let target = hand.layout.at(folder);
    if fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) {
        hand.note(Mark::Same, folder, "has files already: they stay");
        return Ok(());
    }
    let Some(source) = source.filter(|source| source.is_dir()) else { return Ok(()) };
    let (from, to) = (source.display().to_string(), target.display().to_string());
    hand.run(&["cp", "-R", "--no-preserve=all", "-T", &from, &to], "to begin with")?;
    let user = hand.record.user();
    owned(hand, user)
}

/// The machine's id: made once, here, and never in an image that becomes several machines.
fn instance(hand: &mut Hand) -> Result<(), Problem> {
    let places = Places::default();
    let there = places.files.iter().any(|file| file.exists());
    if hand.is_dry() && !there {
        hand.note(Mark::Changed, INSTANCE, "0644 root:root, a new UUID");
        return Ok(());
    }
    let made = instance::made(&places)?;
    instance::require_local(Path::new(&made.origin))?;
    hand.note(if there { Mark::Same } else { Mark::Changed }, made.origin, made.id.to_string());
    Ok(())
}

fn migrate_and_seed(hand: &mut Hand, admin: &str) -> Result<Option<String>, Problem> {
    let program = format!("{RELEASES}/current/windlass");
    let words = |rest: &[&str]| as_service(&hand.record, &[&[program.as_str(), "--config", CONFIG], rest].concat());
    let (status, migrate, seed) = (
        words(&["migrate", "--status"]),
        words(&["migrate"]),
        words(&["--json", "--as", "install", "seed", "--admin", admin]),
    );
    let at_head = !hand.is_dry() && hand.holds(&words_of(&status));
    match at_head {
        true => hand.note(Mark::Same, migrate.join(" "), "the schema is this program's"),
        false => hand.run(&words_of(&migrate), "the database's schema")?,
    }
    let seed = words_of(&seed);
    if hand.is_dry() {
        hand.note(Mark::Changed, seed.join(" "), "the first admin");
        return Ok(None);
    }
    let output = hand::call(&seed, None)?;
    if !output.status.success() {
        return Err(hand::failed(&seed, &output));
    }
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let link = told["link"].as_str().map(str::to_owned);
    hand.note(if link.is_some() { Mark::Changed } else { Mark::Same }, seed.join(" "), "the first admin");
    Ok(link)
}

/// Starts everything, or has it take up what has changed.
pub fn start(hand: &mut Hand) -> Result<(), Problem> {
    let caddy = ["caddy", "validate", "--adapter", "caddyfile", "--config", CADDY];
    if !hand.is_dry() && !hand.holds(&caddy) {
        let output = hand::call(&caddy, None)?;
        return Err(
            hand::failed(&caddy, &output).help("Caddy goes on with what it has; correct the file, and do it again")
        );
    }
    // Asked for both at once, systemd says yes for one of them.
    for service in [SERVICE, "caddy.service"] {
        if !hand.holds(&["systemctl", "is-enabled", "--quiet", service]) {
            hand.run(&["systemctl", "enable", "--quiet", service], "started at boot")?;
        }
    }
    let program = format!("{RELEASES}/current");
    if hand.has_changed(&[UNIT, CONFIG, &program]) || !hand.holds(&["systemctl", "is-active", "--quiet", SERVICE]) {
        hand.run(&["systemctl", "reset-failed", SERVICE], "what failed before doesn't count").ok();
        hand.run(&["systemctl", "restart", SERVICE], "with what has changed")?;
    }
    front(hand)
}

/// Has the front door take up what has changed.
pub fn front(hand: &mut Hand) -> Result<(), Problem> {
    if hand.has_changed(&[CADDY, CADDYFILE]) || !hand.holds(&["systemctl", "is-active", "--quiet", "caddy"]) {
        hand.run(&["systemctl", "reload-or-restart", "caddy"], "with what has changed")?;
    }
    if matches!(hand.record.address, Address::Internal(_)) && !hand.is_dry() {
        authority(hand)?;
    }
    Ok(())
}

/// Hands out the certificate that browsers have to trust.
fn authority(hand: &mut Hand) -> Result<(), Problem> {
    let began = Instant::now();
    let content = loop {
        match of_caddy()? {
            Some(content) => break content,
            None if began.elapsed() > Duration::from_secs(20) => {
                hand.note(Mark::Left, AUTHORITY, format!("Caddy has made no {CADDY_AUTHORITY} yet"));
                return Ok(());
            }
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    };
    if !caddy::is_certificate(&content) {
        hand.note(Mark::Left, AUTHORITY, format!("{CADDY_AUTHORITY} isn't one certificate, and isn't handed out"));
        return Ok(());
    }
    hand.file(&File { path: AUTHORITY, content: &content, mode: 0o644, owner: ROOT, theirs: false })
}

/// What Caddy keeps as its authority's certificate. It is read as Caddy itself, which may have put a link there to what only root reads, or
/// something that never ends.
fn of_caddy() -> Result<Option<Vec<u8>>, Problem> {
    let words = ["runuser", "-u", "caddy", "--", "timeout", "5", "head", "-c", "65536", CADDY_AUTHORITY];
    let output = hand::call(&words, None)?;
    Ok(output.status.success().then_some(output.stdout))
}

/// Whether a content is the one that Debian's package brought.
fn is_of_package(hand: &Hand, content: &[u8]) -> bool {
    let status = fs::read_to_string(hand.layout.at("/var/lib/dpkg/status")).unwrap_or_default();
    let sum = hand.says(&["md5sum", &hand.layout.at(CADDY).display().to_string()]).unwrap_or_default();
    let sum = sum.split_whitespace().next().unwrap_or_default();
    let known = status.lines().any(|line| line.trim() == format!("{CADDY} {sum}"));
    !content.is_empty() && !sum.is_empty() && known
}

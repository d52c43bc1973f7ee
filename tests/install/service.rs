//! From nothing to a service that people use, through changes and a start of the machine, to nothing again.

use std::time::{Duration, Instant};

use serde_json::Value;
use windlass_tests::{Machine, wait_until};

use super::{come_in, install, post, smoke, sql, told};

/// What systemd says of the service's exposure at most, from 0 to 10.
const EXPOSURE: f64 = 1.5;
const PASSWORD: &str = "correct horse battery staple";

#[test]
#[allow(clippy::print_stdout)]
fn a_server_is_installed_used_started_anew_and_uninstalled() {
    let Some(machine) = Machine::start() else { return };
    nothing_is_changed_by_a_dry_run(&machine);

    let began = Instant::now();
    let first = install(&machine, "");
    println!("installed in {:?}", began.elapsed());
    println!("{}", smoke(&machine, ""));
    everything_is_where_and_whose_it_should_be(&machine);
    it_may_do_little(&machine);

    let again = install(&machine, "");
    assert_eq!((&again["changed"], &again["link"]), (&0.into(), &Value::Null), "{again:#}");
    assert_eq!(told(&machine, "seed")["made"], false);

    the_link_lets_in_once(&machine, first["link"].as_str().unwrap());
    the_front_door_keeps_its_word(&machine);
    what_people_change_stays(&machine);

    let (run, id) = (a_run(&machine), machine.run(&["cat", "/etc/windlass/instance_id"]).good());
    println!("{}", smoke(&machine, "--restart"));
    machine.reboot();
    println!("after the machine's start\n{}", smoke(&machine, ""));
    it_keeps_what_it_has_when_uninstalled(&machine, &run, &id);
    purged_it_leaves_nothing(&machine, id.trim());
}

fn nothing_is_changed_by_a_dry_run(machine: &Machine) {
    let text = machine.shell("cd /opt/windlass && ./windlass install --dry-run").good();
    for part in [
        "ExecStart=/usr/lib/windlass/current/windlass",
        "reverse_proxy 127.0.0.1:7070",
        "systemd-sysusers",
        "nothing was changed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    machine.shell("! test -e /etc/windlass && ! test -e /var/lib/windlass && ! id windlass 2>/dev/null").good();
}

/// Mode, owner and group of everything that matters.
fn everything_is_where_and_whose_it_should_be(machine: &Machine) {
    for (path, wanted) in [
        ("/etc/windlass", "755 root root"),
        ("/etc/windlass/windlass.toml", "640 root windlass"),
        ("/etc/windlass/install.json", "640 root windlass"),
        ("/etc/windlass/instance_id", "644 root root"),
        ("/etc/windlass/secrets", "700 windlass windlass"),
        ("/var/lib/windlass", "755 root root"),
        ("/var/lib/windlass/data", "700 windlass windlass"),
        ("/var/lib/windlass/workflows", "750 windlass windlass"),
        ("/var/lib/windlass/workflows/lab/tour.rhai", "644 windlass windlass"),
        ("/var/lib/windlass/backups", "700 windlass windlass"),
        ("/var/lib/windlass/www/index.html", "644 root root"),
        ("/etc/systemd/system/windlass.service", "644 root root"),
        ("/usr/lib/windlass/current/windlass", "755 root root"),
    ] {
        assert_eq!(machine.run(&["stat", "-c", "%a %U %G", path]).good().trim(), wanted, "{path}");
    }
    // Root's commands leave nothing of root's in the service's folder.
    machine.shell("windlass users ls >/dev/null && windlass config show >/dev/null").good();
    let foreign = machine.shell("find /var/lib/windlass/data ! -user windlass").good();
    assert_eq!(foreign, "");
}

#[allow(clippy::print_stdout)]
fn it_may_do_little(machine: &Machine) {
    let status = machine.shell("cat /proc/$(systemctl show --value -p MainPID windlass)/status").good();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for name in ["CapEff", "CapPrm", "CapBnd", "CapAmb"] {
        assert!(line(name).ends_with("0000000000000000"), "{}", line(name));
    }
    assert!(line("NoNewPrivs").ends_with('1') && line("Seccomp:").ends_with('2'));
    println!("exposure {}", exposure_at_most(machine, EXPOSURE));
}

/// The score that systemd gives the unit, which is held below a bound.
pub(super) fn exposure_at_most(machine: &Machine, bound: f64) -> f64 {
    let text = machine.shell("systemd-analyze security --offline=true --no-pager windlass.service").good();
    let words =
        text.lines().rev().find_map(|line| line.split_once("windlass.service: ")).expect("systemd says a score").1;
    let score: f64 = words.split(' ').next().unwrap().parse().unwrap();
    assert!(score <= bound, "{score} is over {bound}\n{text}");
    score
}

fn the_link_lets_in_once(machine: &Machine, link: &str) {
    let word = link.rsplit(':').next().unwrap();
    assert_eq!(word.len(), 64, "{link}");
    let kept = sql(machine, "SELECT count(*) FROM documents WHERE kind = 'login_link'");
    assert_eq!(kept, "1");
    let leaks = machine.shell(&format!("runuser -u postgres -- pg_dump windlass | grep -c {word}; true")).good();
    assert_eq!(leaks.trim(), "0", "the database has the word itself");

    let token = link.split("#link=").nth(1).unwrap();
    let with = |token: &str, password: &str| {
        post(machine, "session/link", &format!(r#"{{"token":"{token}","password":"{password}"}}"#))
    };
    assert!(with(&token.replace(word, &"0".repeat(64)), PASSWORD).starts_with("401 "));
    // A password that is no good doesn't spend the link.
    assert!(
        with(token, "short").starts_with("422 ") || with(token, "short").starts_with("400 "),
        "{}",
        with(token, "short")
    );
    come_in(machine, link, PASSWORD);
    assert!(with(token, PASSWORD).starts_with("401 "), "the link was used");
    let log_in = |password: &str| post(machine, "session", &format!(r#"{{"name":"admin","password":"{password}"}}"#));
    assert!(log_in(PASSWORD).starts_with("200 "));

    // A newer link ends the one before, and sessions.
    let older = told(machine, "seed --link")["link"].as_str().unwrap().to_owned();
    let newer = told(machine, "seed --link --holds 1s")["link"].as_str().unwrap().to_owned();
    let token_of = |link: &str| link.split("#link=").nth(1).unwrap().to_owned();
    assert!(with(&token_of(&older), PASSWORD).starts_with("401 "), "a newer one was made");
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(with(&token_of(&newer), PASSWORD).starts_with("401 "), "it has ended");
    assert!(log_in(PASSWORD).starts_with("200 "), "the password goes on");
}

fn the_front_door_keeps_its_word(machine: &Machine) {
    let curl = |words: &str| machine.shell(&format!("curl -s {words}")).good();
    // What a client says of itself isn't believed: Caddy tells where it comes from.
    let wrong = r#"-H 'Content-Type: application/json' -d '{"name":"admin","password":"wrong"}'"#;
    curl(&format!("-H 'X-Forwarded-For: 6.6.6.6' -H 'Forwarded: for=6.6.6.6' {wrong} http://127.0.0.1/api/v1/session"));
    wait_until("the refusal to be in the audit log", Duration::from_secs(60), || {
        told(machine, "audit ls").to_string().contains("session.refused")
    });
    assert!(!told(machine, "audit ls").to_string().contains("6.6.6.6"));

    let head =
        |path: &str| curl(&format!("-o /dev/null -D - -H 'Accept: text/html' http://127.0.0.1{path}")).to_lowercase();
    let page = head("/runs/some");
    for name in
        ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "cache-control: no-cache"]
    {
        assert!(page.contains(name), "{name}: {page}");
    }
    assert!(head("/assets/gone.js").starts_with("http/1.1 404"));
    assert!(!head("/metrics").contains("text/plain"), "metrics aren't for the world");
    let api = head("/api/v1/nothing");
    assert!(api.starts_with("http/1.1 404") && api.contains("application/problem+json"), "{api}");
    assert_eq!(api.matches("x-content-type-options").count(), 1, "each header once: {api}");
    // The packed form of a file is the one that the build has packed.
    let packed = curl("-o /dev/null -D - -H 'Accept-Encoding: br' http://127.0.0.1/index.html").to_lowercase();
    assert!(packed.contains("content-encoding: br"), "{packed}");

    // Events arrive when they happen, and not when there are enough of them.
    let token = told(machine, "tokens issue ci --user admin")["token"].as_str().unwrap().to_owned();
    let bearer = format!("Authorization: Bearer {token}");
    let mut stream = machine.spawn(&["curl", "-sN", "-H", &bearer, "http://127.0.0.1/api/v1/events"]);
    wait_until("the stream to be followed", Duration::from_secs(60), || {
        machine.shell("curl -s http://127.0.0.1:7070/metrics | grep -q '^windlass_event_streams.* 1$'").code == 0
    });
    launch(machine, &bearer);
    stream.wait_for_line("run.succeeded", Duration::from_secs(60));
    // A console's address takes WebSockets through the front door: the API itself answers that nobody is logged in.
    let upgrade = "-i -m 5 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
                   -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='";
    let answer = curl(&format!("{upgrade} http://127.0.0.1/api/v1/labs/demo/nodes/r1/console"));
    assert!(answer.contains("application/problem+json"), "{answer}");
}

fn launch(machine: &Machine, bearer: &str) -> String {
    let body = r#"{"workflow":"lab/tour","input":{}}"#;
    let words = [
        "curl",
        "-s",
        "-H",
        bearer,
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
        "http://127.0.0.1/api/v1/runs",
    ];
    let answer: Value = serde_json::from_str(&machine.run(&words).good()).unwrap();
    answer["id"].as_str().or_else(|| answer["run"]["id"].as_str()).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn a_run(machine: &Machine) -> String {
    let token = told(machine, "tokens issue runs --user admin")["token"].as_str().unwrap().to_owned();
    launch(machine, &format!("Authorization: Bearer {token}"))
}

/// A page behind the path, as Guacamole's has it: a service of its own, which is there after a restart, too.
const GUACAMOLE: &str = "\
[Service]
ExecStart=caddy respond --listen 127.0.0.1:8081 --header 'Content-Type: text/html' --body '<title>Apache Guacamole</title>'
[Install]
WantedBy=multi-user.target
";

fn what_people_change_stays(machine: &Machine) {
    machine.shell("echo '# mine' >>/etc/windlass/windlass.toml").good();
    machine.shell("mkdir /etc/caddy/mine && echo ':8085' >/etc/caddy/mine/site && echo 'import /etc/caddy/mine/*' >>/etc/caddy/Caddyfile").good();
    std::fs::write(machine.sources().join("guacamole.service"), GUACAMOLE).unwrap();
    machine
        .shell("cp /opt/windlass/guacamole.service /etc/systemd/system && systemctl -q enable --now guacamole")
        .good();
    let before = told(machine, "doctor --smoke")["checks"].as_array().unwrap().len();
    let changed = install(machine, "--guacamole 127.0.0.1:8081");
    let done = changed["done"].as_array().unwrap();
    let of = |path: &str| done.iter().find(|done| done["what"] == path).unwrap()["mark"].clone();
    assert_eq!(of("/etc/windlass/windlass.toml"), "kept", "{changed:#}");
    assert_eq!(of("/etc/windlass/Caddyfile"), "changed");
    assert_eq!(of("/etc/caddy/Caddyfile"), "same");
    let toml = machine.run(&["cat", "/etc/windlass/windlass.toml"]).good();
    assert!(toml.ends_with("# mine\n") && !toml.contains("guacamole"), "{toml}");
    assert!(machine.run(&["cat", "/etc/windlass/windlass.toml.new"]).good().contains("hosts.guacamole"));
    let checks = smoke(machine, "");
    assert!(checks.contains("Guacamole"), "{checks}");
    // One that is gone is noticed, and nothing else is blamed.
    machine.shell("systemctl stop guacamole").good();
    let said = told(machine, "doctor --smoke --wait 0s");
    let checks = said["checks"].as_array().unwrap();
    let bad: Vec<_> = checks.iter().filter(|check| check["ok"] != true).map(|check| &check["name"]).collect();
    assert_eq!((checks.len(), &bad[..]), (before + 1, &[&Value::from("Guacamole")][..]), "{said:#}");
    machine.shell("systemctl start guacamole").good();
}

fn it_keeps_what_it_has_when_uninstalled(machine: &Machine, run: &str, id: &str) {
    machine.shell("windlass uninstall").good();
    machine.shell("! systemctl is-active -q windlass && ! test -e /usr/bin/windlass").good();
    machine.shell("! test -e /usr/lib/windlass && ! test -e /var/lib/windlass/www").good();
    machine.shell("! curl -sf http://127.0.0.1/ && ! curl -sf http://127.0.0.1:7070/livez").good();
    // What somebody else has Caddy serve is served, now and after the next start.
    machine.shell("systemctl restart caddy && sleep 1 && curl -s -o /dev/null http://127.0.0.1:8085/").good();
    assert_eq!(sql(machine, &format!("SELECT count(*) FROM runs WHERE id = '{run}'")), "1");
    let again = install(machine, "");
    assert_eq!(again["link"], Value::Null, "the admin is there already");
    smoke(machine, "");
    assert_eq!(machine.run(&["cat", "/etc/windlass/instance_id"]).good(), id);
    assert_eq!(told(machine, &format!("runs show {run}"))["run"]["id"], run);
    assert!(post(machine, "session", &format!(r#"{{"name":"admin","password":"{PASSWORD}"}}"#)).starts_with("200 "));
}

fn purged_it_leaves_nothing(machine: &Machine, id: &str) {
    let refused = machine.shell("windlass uninstall --purge --confirm yes");
    assert_eq!((refused.code, refused.err.contains("nothing was changed")), (2, true), "{}", refused.err);
    smoke(machine, "");
    machine.shell(&format!("windlass uninstall --purge --confirm {id}")).good();
    machine.shell("! test -e /etc/windlass && ! test -e /var/lib/windlass && ! id windlass 2>/dev/null").good();
    machine.shell("systemctl restart caddy && sleep 1 && curl -s -o /dev/null http://127.0.0.1:8085/").good();
    let count = "SELECT count(*) FROM pg_database WHERE datname = 'windlass'";
    let left = machine.run(&["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-c", count]);
    assert_eq!(left.good().trim(), "0");
}

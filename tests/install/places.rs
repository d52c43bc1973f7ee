//! Other places: a name with a certificate of Caddy's own, and a root that isn't the machine's.

use windlass_tests::Machine;

use super::{install, smoke};

#[test]
fn people_come_by_https_to_a_name() {
    let Some(machine) = Machine::start() else { return };
    // Whoever keeps new files to themselves gets a page that Caddy can read all the same.
    let said =
        machine.shell("umask 077 && cd /opt/windlass && ./windlass --json install --host lab.internal --tls-internal");
    assert!(said.good().contains("https://lab.internal/#link=admin:"));
    let checks = smoke(&machine, "");
    assert!(checks.contains("https://lab.internal/api/v1/version"), "{checks}");
    let curl = |url: &str| {
        let at = "--resolve lab.internal:443:127.0.0.1 --resolve lab.internal:80:127.0.0.1 --cacert /etc/windlass/caddy-authority.crt";
        machine.shell(&format!("curl -s -o /dev/null -D - {at} {url}")).good().to_lowercase()
    };
    let to = curl("http://lab.internal/runs");
    assert!(to.contains("location: https://lab.internal/runs"), "{to}");
    for path in ["/", "/api/v1/version"] {
        let head = curl(&format!("https://lab.internal{path}"));
        assert_eq!(head.matches("strict-transport-security").count(), 1, "{path}: {head}");
    }
    // The address is kept when it isn't said again.
    assert_eq!(install(&machine, "")["changed"], 0);
    // Somebody else's front door at a told address isn't ours.
    let said = machine.shell("windlass doctor --smoke --wait 0s --url http://127.0.0.1:7070");
    assert_eq!(said.code, 0, "the server serves the page itself: {}", said.out);
    let said = machine.shell("windlass doctor --smoke --wait 0s --url http://127.0.0.1:2019");
    assert_eq!(said.code, 1, "{}", said.out);
    only_a_certificate_is_handed_out(&machine);
    what_was_there_before_stays(&machine);
}

/// Where Caddy's user has put something else, nothing of it gets out.
fn only_a_certificate_is_handed_out(machine: &Machine) {
    let root = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt";
    let before = machine.run(&["cat", "/etc/windlass/caddy-authority.crt"]).good();
    machine
        .shell(&format!("install -d -m 700 /var/closed && echo secret >/var/closed/secret && chmod 600 /var/closed/secret && cp -a {root} /var/closed/root.crt"))
        .good();
    for (target, wait) in [("/etc/passwd", "isn't one certificate"), ("/dev/zero", "isn't one certificate")] {
        machine.shell(&format!("rm {root} && runuser -u caddy -- ln -s {target} {root}")).good();
        let said = machine.shell("/opt/windlass/windlass install").good();
        assert!(said.contains(wait), "{target}: {said}");
        assert_eq!(machine.run(&["cat", "/etc/windlass/caddy-authority.crt"]).good(), before, "{target}");
    }
    // What only root reads isn't read at all.
    machine.shell(&format!("rm {root} && runuser -u caddy -- ln -s /var/closed/secret {root}")).good();
    let said = machine.shell("/opt/windlass/windlass install").good();
    assert!(said.contains("Caddy has made no") && !said.contains("secret"), "{said}");
    machine.shell(&format!("rm {root} && cp -a /var/closed/root.crt {root}")).good();
}

/// Purged, it takes along what it made and no more; and it can come again.
fn what_was_there_before_stays(machine: &Machine) {
    let purge = "windlass uninstall --purge --confirm $(cat /etc/windlass/instance_id)";
    let psql = |statement: &str| {
        let words = ["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-c", statement];
        machine.run(&words).good().trim().to_owned()
    };
    machine.shell(purge).good();
    for statement in ["CREATE ROLE windlass LOGIN", "CREATE DATABASE windlass OWNER windlass"] {
        psql(statement);
    }
    machine.shell("ln -s /bin/true /usr/bin/windlass").good();
    let said = machine.shell("/opt/windlass/windlass install");
    assert!(said.code == 1 && said.err.contains("no link of an installation"), "{}\n{}", said.out, said.err);
    assert_eq!(machine.run(&["readlink", "/usr/bin/windlass"]).good().trim(), "/bin/true");
    machine.shell("! test -e /usr/lib/windlass && rm /usr/bin/windlass").good();
    // The front door that was left behind by the purge is nobody's work.
    install(machine, "");
    smoke(machine, "");
    machine.shell(purge).good();
    assert_eq!(psql("SELECT count(*) FROM pg_database WHERE datname = 'windlass'"), "1");
    assert_eq!(psql("SELECT count(*) FROM pg_roles WHERE rolname = 'windlass'"), "1");
    machine.shell("! id windlass 2>/dev/null").good();
}

#[test]
fn another_root_is_furnished_and_left_to_its_first_start() {
    let Some(machine) = Machine::start() else { return };
    machine
        .shell(
            "mkdir /run/upper /run/work /run/image && \
                mount -t overlay overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work /run/image",
        )
        .good();
    let done = install(&machine, "--root /run/image --host windlass.example.net");
    assert!(done["done"].to_string().contains("when the machine has started"), "{done:#}");
    machine.shell("! test -e /etc/windlass && ! test -e /usr/bin/windlass && ! id windlass 2>/dev/null").good();
    for path in
        ["etc/windlass/windlass.toml", "var/lib/windlass/www/index.html", "var/lib/windlass/workflows/lab/tour.rhai"]
    {
        machine.run(&["test", "-e", &format!("/run/image/{path}")]).good();
    }
    machine.shell("test -L /run/image/etc/systemd/system/multi-user.target.wants/windlass.service").good();
    machine.shell("grep -q ^windlass: /run/image/etc/passwd").good();
    // Each machine that is made of it has to get an id of its own.
    machine.shell("! test -e /run/image/etc/windlass/instance_id").good();
}

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

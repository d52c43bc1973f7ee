//! An installation that makes labs: as root, with what labs take and no more; what it made outlives its own end.

use serde_json::Value;
use windlass_tests::Machine;

use super::{install, service::exposure_at_most, smoke, told};

/// Root with some capabilities is what labs are; it doesn't get worse by accident.
const EXPOSURE: f64 = 6.9;

#[test]
#[allow(clippy::print_stdout)]
fn labs_are_made_and_outlive_the_service() {
    let Some(machine) = Machine::start() else { return };
    // From a service without rights to one with labs, and back: whose files they are goes along.
    install(&machine, "");
    smoke(&machine, "");
    install(&machine, "--labs");
    println!("{}", smoke(&machine, ""));
    println!("exposure with labs {}", exposure_at_most(&machine, EXPOSURE));
    assert_eq!(machine.run(&["stat", "-c", "%a %U", "/etc/windlass/secrets/pgpass"]).good().trim(), "600 root");
    let status = machine.shell("cat /proc/$(systemctl show --value -p MainPID windlass)/status").good();
    let bound = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
    let bound = u64::from_str_radix(bound, 16).unwrap();
    for (bit, name) in
        [(16, "CAP_SYS_MODULE"), (17, "CAP_SYS_RAWIO"), (22, "CAP_SYS_BOOT"), (25, "CAP_SYS_TIME"), (38, "CAP_PERFMON")]
    {
        assert_eq!(bound & (1 << bit), 0, "{name}");
    }

    let token = told(&machine, "tokens issue ci --user admin")["token"].as_str().unwrap().to_owned();
    let at = format!("WINDLASS_TOKEN={token} windlass --json --server http://127.0.0.1:7070");
    let said = machine.shell(&format!("{at} run lab/two-routers --set lab=demo"));
    let log = if said.code == 0 { String::new() } else { machine.shell("journalctl -n 40 --no-pager -u windlass").out };
    assert_eq!(said.code, 0, "{}\n{}\n{log}", said.out, said.err);
    let deaf = machine.shell("journalctl --no-pager -u windlass -b | grep -c \"labs aren't watched\" || true").good();
    // The service without labs says so, the one with them doesn't.
    assert_eq!(deaf.trim(), "1");
    let namespaces = || machine.shell("ip netns | wc -l").good().trim().parse::<usize>().unwrap();
    let made = namespaces();
    assert!(made >= 2, "{made}");
    machine.shell("systemctl restart windlass").good();
    smoke(&machine, "");
    assert_eq!(namespaces(), made, "the lab is there after the service was started anew");

    let back: Value = install(&machine, "--labs false");
    assert_ne!(back["changed"], 0);
    smoke(&machine, "");
    assert_eq!(machine.shell("find /var/lib/windlass/data ! -user windlass").good(), "");
}

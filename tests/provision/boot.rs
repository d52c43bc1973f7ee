//! What machines are booted with: cloud-init takes it, and the script in it does on a machine what it should, with the real
//! calls to a real server. Only what would be fetched from the internet, and Kubernetes itself, stand in as small programs that
//! refuse what the real ones refuse.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{clients::cloud_init_schema, wait_for};

use super::{
    World,
    sovereign::{input, small},
};

/// What goes to loopback is real; of the internet there is what the script may fetch, and nothing else.
const CURL: &str = r#"
out=/dev/stdout
for last; do :; done
case "$last" in http://127.0.0.1*) exec REAL_curl "$@" ;; esac
while [ $# -gt 0 ]; do if [ "$1" = -o ]; then out=$2; shift; fi; shift; done
case "$last" in
  https://get.k3s.io) cat ROOT/k3s-installer > "$out" ;;
  https://raw.githubusercontent.com/helm/helm/v3.*/scripts/get-helm-3) cat ROOT/helm-installer > "$out" ;;
  *) echo "curl: (6) Could not resolve host: $last" >&2; exit 6 ;;
esac
"#;
const K3S_INSTALLER: &str = r#"#!/bin/sh
set -e
echo "k3s $INSTALL_K3S_VERSION $1" >> ROOT/done
if [ "$1" = server ]; then echo "server: https://127.0.0.1:6443" > ROOT/etc/rancher/k3s/k3s.yaml; fi
"#;
/// Bash only, as the real one; without a version it would take whatever is the newest.
const HELM_INSTALLER: &str = r#"#!/usr/bin/env bash
given=("$@")
if [[ ! "${DESIRED_VERSION:-}" =~ ^v3\.[0-9]+\.[0-9]+$ ]]; then echo "no version: ${given[*]}" >&2; exit 1; fi
mv ROOT/helm ROOT/bin/helm; echo "helm $DESIRED_VERSION" >> ROOT/done
"#;
const HELM: &str = r#"
[ -s "$KUBECONFIG" ] || { echo "Error: Kubernetes cluster unreachable" >&2; exit 1; }
echo "helm $*" >> ROOT/done
[ ! -e "ROOT/fails-$3" ]
"#;
/// Knows a release from the second time on that somebody asks for it: Flux has to read the source first.
const KUBECTL: &str = r#"
[ -s "$KUBECONFIG" ] || { echo "The connection to the server localhost:8080 was refused" >&2; exit 1; }
echo "kubectl $*" >> ROOT/done
name=${*##*/}
known() { echo x >> "ROOT/asked-$1"; grep -q kind: ROOT/source 2>/dev/null && [ ! -e "ROOT/absent-$1" ] && [ "$(wc -l < "ROOT/asked-$1")" -gt 2 ]; }
case "$*" in
  "apply -f "*)
    [ "$3" != - ] || set -- apply -f /dev/stdin
    cat "$3" > ROOT/source
    grep -q '[^[:space:]]' ROOT/source || { echo "error: no objects passed to apply" >&2; exit 1; } ;;
  *" get "*|*" wait "*)
    known "$name" || { echo "Error from server (NotFound): helmreleases.helm.toolkit.fluxcd.io \"$name\" not found" >&2; exit 1; } ;;
  *) echo "error: unknown command" >&2; exit 1 ;;
esac
"#;
/// The private interface is plugged in a moment later.
const IP: &str = r#"
[ "$*" = "-j -4 address show" ] || { echo "$*: not asked here" >&2; exit 1; }
lo='{"ifname":"lo","mtu":65536,"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]}'
public='{"ifname":"eth0","mtu":1500,"addr_info":[{"family":"inet","local":"198.18.0.9","prefixlen":32}]}'
private='{"ifname":"enp7s0","mtu":1450,"addr_info":[{"family":"inet","local":"ADDRESS","prefixlen":32}]}'
if [ -e ROOT/plugged ]; then echo "[{},$lo,$public,$private]"; else touch ROOT/plugged; echo "[{},$lo,$public]"; fi
"#;

/// What `k3s server --help` and `k3s agent --help` list, as far as it may stand in a file of ours. k3s skips others silently.
const SERVER_OPTIONS: [&str; 11] = [
    "advertise-address",
    "cluster-cidr",
    "cluster-init",
    "disable",
    "disable-network-policy",
    "flannel-backend",
    "node-ip",
    "server",
    "service-cidr",
    "tls-san",
    "token",
];
const AGENT_OPTIONS: [&str; 4] = ["node-ip", "server", "token", "with-node-id"];

/// A machine of the provider, which does nothing by itself.
struct Machine {
    folder: tempfile::TempDir,
    address: String,
    data: String,
    config: Value,
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl World {
    /// The machine of this name, once it runs.
    fn machine(&self, name: &str) -> Machine {
        wait_for(name, Duration::from_secs(60), || {
            let servers = self.project.objects("servers");
            let server = servers.into_iter().find(|server| server["name"] == name && server["status"] == "running")?;
            let data = self.project.user_data(server["id"].as_i64()?)?;
            let config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n")?).ok()?;
            let address = server["private_net"][0]["ip"].as_str()?.to_owned();
            Some(Machine { folder: tempfile::tempdir().unwrap(), address, data, config })
        })
    }

    fn failure(&self, run: &str) -> String {
        let ended = self.ended(run);
        assert_eq!(ended["state"], "rolled_back", "{ended:#}");
        self.demand_nothing_left();
        ended["problem"]["message"].as_str().unwrap().to_owned()
    }
}

impl Machine {
    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Writes the config's files, and runs its script as cloud-init would: without a home, by Debian's shell.
    fn boot(&self) -> (bool, String) {
        let root = self.folder.path().display().to_string();
        for file in self.config["write_files"].as_array().unwrap() {
            let path = self.path(file["path"].as_str().unwrap().trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let places = ["/etc/windlass", "/etc/rancher", "/run/windlass"];
            let text = file["content"].as_str().unwrap().to_owned();
            fs::write(&path, places.iter().fold(text, |text, place| text.replace(place, &format!("{root}{place}"))))
                .unwrap();
        }
        self.run()
    }

    /// Runs what is there.
    fn run(&self) -> (bool, String) {
        let root = self.folder.path().display().to_string();
        let bin = self.path("bin");
        fs::create_dir_all(&bin).unwrap();
        let real =
            |name: &str| ["/usr/bin", "/bin"].iter().map(|at| format!("{at}/{name}")).find(|at| Path::new(at).exists());
        let placed = |text: &str| {
            let text = text.replace("ROOT", &root).replace("ADDRESS", &self.address);
            ["curl", "sleep"]
                .iter()
                .fold(text, |text, name| text.replace(&format!("REAL_{name}"), &real(name).unwrap()))
        };
        let sleep = "exec REAL_sleep 0.01";
        for (name, text) in [("curl", CURL), ("kubectl", KUBECTL), ("ip", IP), ("sleep", sleep)] {
            program(&bin.join(name), &placed(&format!("#!/bin/sh\n{text}")));
        }
        program(&self.path("helm"), &placed(&format!("#!/bin/sh\n{HELM}")));
        for (name, text) in [("k3s-installer", K3S_INSTALLER), ("helm-installer", HELM_INSTALLER)] {
            fs::write(self.path(name), placed(text)).unwrap();
        }
        // What Debian calls `sh`.
        let shell = real("dash").expect("dash");
        std::os::unix::fs::symlink(&shell, bin.join("sh")).ok();
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        let script = self.path("usr/local/sbin/windlass-bootstrap");
        let output = Command::new(shell).arg(script).env("PATH", path).env_remove("HOME").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    /// What the script has written for k3s, each name with its values; every one is known to k3s in this mode.
    fn settings(&self, known: &[&str]) -> BTreeMap<String, Vec<String>> {
        let text = self.read("etc/rancher/k3s/config.yaml");
        let mut found = BTreeMap::<String, Vec<String>>::new();
        let mut last = String::new();
        for line in text.lines() {
            let plain = |value: &str| value.trim().trim_matches('"').to_owned();
            if let Some(item) = line.strip_prefix("  - ") {
                found.get_mut(&last).unwrap_or_else(|| panic!("{line} in {text}")).push(plain(item));
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line} in {text}"));
            assert!(known.contains(&name), "k3s knows no {name}: {text}");
            let values = if value.trim().is_empty() { Vec::new() } else { vec![plain(value)] };
            assert!(found.insert(name.to_owned(), values).is_none(), "{name} stands twice in {text}");
            last = name.to_owned();
        }
        found
    }
}

#[test]
fn cloud_init_takes_what_machines_are_booted_with_and_its_script_makes_the_cluster() {
    // Machines that don't live: this test is one.
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let machine = world.machine("acme-cp-1");
    let file = machine.path("user-data");
    fs::write(&file, &machine.data).unwrap();
    if let Some((valid, said)) = cloud_init_schema(&file) {
        assert!(valid, "{said}");
        fs::write(&file, machine.data.replace("\"runcmd\":[", "\"runcmd\":[{\"a\":1},")).unwrap();
        let (valid, said) = cloud_init_schema(&file).unwrap();
        assert!(!valid && said.contains("runcmd"), "{said}");
    }
    let (well, said) = machine.boot();
    assert!(well, "{said}");
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{said}\n{ended:#}");

    let done = machine.read("done");
    assert!(done.starts_with("k3s v1.34.1+k3s1 server\nhelm v3."), "{done}");
    let cilium = done.lines().find(|line| line.starts_with("helm upgrade --install cilium ")).unwrap();
    for option in ["ipam.mode=kubernetes", "MTU=1450", "operator.replicas=1", "--wait"] {
        assert!(cilium.split(' ').any(|word| word == option), "{option}: {cilium}");
    }
    assert_eq!(machine.read("source").trim(), small()["source"].as_str().unwrap().trim());
    assert!(done.contains("wait --for=condition=Ready --timeout=30m helmrelease/catalyst-platform"), "{done}");

    let settings = machine.settings(&SERVER_OPTIONS);
    let own = [machine.address.clone()];
    assert!(machine.address.starts_with("10.20."), "{}", machine.address);
    assert_eq!((&settings["node-ip"][..], &settings["advertise-address"][..]), (&own[..], &own[..]));
    let balancer = ended["output"]["address"].as_str().unwrap();
    assert_eq!(settings["tls-san"], [&machine.address, balancer, "api.acme.pool.test"]);
    assert_eq!((&settings["cluster-init"][..], settings.get("server")), (&["true".to_owned()][..], None));
    assert_eq!(settings["disable"], ["traefik", "servicelb"]);
    assert_eq!(
        (&settings["flannel-backend"][0], &settings["disable-network-policy"][0]),
        (&"none".into(), &"true".into())
    );
    // The cluster's own ranges, and the network that the machines are in, don't touch.
    let ranges = ["cluster-cidr", "service-cidr"].map(|name| settings[name][0].clone());
    assert_eq!(ranges, ["10.42.0.0/16", "10.43.0.0/16"]);
    assert_eq!(world.project.objects("networks")[0]["ip_range"], "10.20.0.0/16");

    // The word is gone from the machine's disk, too.
    assert!(!machine.path("etc/windlass/claim.json").exists());
    // Booted again, the machine doesn't fetch a second time, and says so to nobody.
    let (_, said) = machine.run();
    assert!(!said.contains("410"), "{said}");
}

#[test]
fn control_planes_and_workers_join_the_first_over_the_private_network() {
    let Some(world) = World::with_machines(false) else { return };
    let mut wanted = input();
    wanted["regions"][0]["workers"] = json!(1);
    wanted["regions"][1]["workers"] = json!(0);
    let run = world.launch("provision/sovereign", &wanted);
    let first = world.machine("acme-cp-1");
    let (well, said) = first.boot();
    assert!(well, "{said}");
    let join = format!("https://{}:6443", first.address);
    let token = &first.settings(&SERVER_OPTIONS)["token"];
    for (name, known, mode) in [
        ("acme-cp-2", &SERVER_OPTIONS[..], "server"),
        ("acme-cp-3", &SERVER_OPTIONS[..], "server"),
        ("acme-w-1-1", &AGENT_OPTIONS[..], "agent"),
    ] {
        let machine = world.machine(name);
        let (well, said) = machine.boot();
        assert!(well, "{name}: {said}");
        let settings = machine.settings(known);
        assert_eq!((&settings["server"], &settings["token"]), (&vec![join.clone()], token), "{name}");
        assert_eq!(settings["node-ip"], [machine.address.as_str()], "{name}");
        assert!(!settings.contains_key("cluster-init"), "{name} would begin a cluster of its own");
        // Of a worker's name there may have been one before: k3s remembers what it has seen of each.
        assert_eq!(settings.contains_key("with-node-id"), mode == "agent", "{name}");
        if mode == "server" {
            assert!(settings["tls-san"].contains(&machine.address), "{name}: {settings:?}");
        }
        assert_eq!(machine.read("done"), format!("k3s v1.34.1+k3s1 {mode}\n"), "{name}");
    }
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
}

#[test]
fn a_machine_whose_setup_breaks_says_so_and_everything_is_taken_back() {
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let mut machine = world.machine("acme-cp-1");
    let script = machine.config["write_files"][1]["content"].as_str().unwrap();
    let broken = script.replace("https://get.k3s.io", "https://nowhere.test");
    machine.config["write_files"][1]["content"] = broken.into();
    assert!(!machine.boot().0);
    let why = world.failure(&run);
    assert!(why.contains("k3s failed on acme/acme-cp-1: the set-up ended with 6"), "{why}");
}

#[test]
fn a_component_that_breaks_is_named() {
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let machine = world.machine("acme-cp-1");
    fs::write(machine.path("fails-cert-manager"), "").unwrap();
    let most = 32 << 10;
    assert!(machine.data.len() < most, "the provider keeps {most} bytes, and these are {}", machine.data.len());
    assert!(!machine.boot().0);
    let why = world.failure(&run);
    assert!(why.contains("cert-manager failed on acme/acme-cp-1: the set-up ended with 1"), "{why}");
}

#[test]
fn a_source_that_lacks_a_component_is_waited_for_and_said() {
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let machine = world.machine("acme-cp-1");
    fs::write(machine.path("absent-spire"), "").unwrap();
    assert!(!machine.boot().0);
    let why = world.failure(&run);
    let words = "spire failed on acme/acme-cp-1: the source has brought no HelmRelease spire in flux-system";
    assert!(why.contains(words), "{why}");
    assert!(machine.read("asked-spire").lines().count() > 100);
}

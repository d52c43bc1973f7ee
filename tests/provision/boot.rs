//! What machines are booted with: cloud-init takes it, and the script in it does on a machine what it should, with the real
//! calls to a real server. Only what would be fetched from the internet, and Kubernetes itself, stand in as small programs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{clients::cloud_init_schema, wait_for};

use super::{World, sovereign::small};

/// Stands in for the internet: what goes to loopback is real.
const CURL: &str = r#"#!/bin/sh
for last; do :; done
case "$last" in
  http://127.0.0.1*) exec REAL "$@" ;;
  https://get.k3s.io) echo 'mkdir -p ROOT/etc/rancher/k3s; echo "server: https://127.0.0.1:6443 for $1" > ROOT/etc/rancher/k3s/k3s.yaml; echo "$INSTALL_K3S_VERSION $1" >> ROOT/installed' ;;
  *) echo 'exit 0' ;;
esac
"#;

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes the config's files below `root`, and runs its script there.
fn boot(root: &Path, config: &Value) -> (bool, String) {
    let real = String::from_utf8(Command::new("sh").args(["-c", "command -v curl"]).output().unwrap().stdout).unwrap();
    let root_text = root.display().to_string();
    for file in config["write_files"].as_array().unwrap() {
        let path = root.join(file["path"].as_str().unwrap().trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = file["content"].as_str().unwrap();
        let moved = ["/etc/windlass", "/etc/rancher", "/run/windlass"]
            .iter()
            .fold(content.to_owned(), |text, place| text.replace(place, &format!("{root_text}{place}")));
        fs::write(&path, moved).unwrap();
    }
    let bin = root.join("bin");
    fs::create_dir_all(&bin).unwrap();
    program(&bin, "curl", &CURL.replace("REAL", real.trim()).replace("ROOT", &root_text));
    program(&bin, "helm", &format!("#!/bin/sh\necho helm \"$3\" >> {root_text}/installed\n"));
    program(
        &bin,
        "kubectl",
        &format!("#!/bin/sh\ncat > /dev/null < /dev/null; echo kubectl >> {root_text}/installed\n"),
    );
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
    let script = root.join("usr/local/sbin/windlass-bootstrap");
    let output = Command::new("sh").arg(script).env("PATH", path).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[test]
fn cloud_init_takes_what_machines_are_booted_with_and_its_script_makes_the_cluster() {
    // Machines that don't live: this test is one.
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let data = wait_for("the machine", Duration::from_secs(60), || {
        let server = world.project.objects("servers").into_iter().find(|server| server["status"] == "running")?;
        world.project.user_data(server["id"].as_i64()?)
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user-data");
    fs::write(&file, &data).unwrap();
    if let Some((valid, said)) = cloud_init_schema(&file) {
        assert!(valid, "{said}");
        fs::write(&file, data.replace("\"runcmd\":[", "\"runcmd\":[{\"a\":1},")).unwrap();
        let (valid, said) = cloud_init_schema(&file).unwrap();
        assert!(!valid && said.contains("runcmd"), "{said}");
    }
    let config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    let (well, said) = boot(folder.path(), &config);
    assert!(well, "{said}");
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{said}\n{ended:#}");
    let installed = fs::read_to_string(folder.path().join("installed")).unwrap();
    assert!(installed.starts_with("v1.34.1+k3s1 server\nhelm cilium\n"), "{installed}");
    let settings = fs::read_to_string(folder.path().join("etc/rancher/k3s/config.yaml")).unwrap();
    for line in
        ["flannel-backend: none", "disable-network-policy: true", "  - traefik", "  - servicelb", "cluster-init: true"]
    {
        assert!(settings.contains(line), "{line} in {settings}");
    }
    assert!(settings.contains("\"api.acme.pool.test\""), "{settings}");
    // The word is gone from the machine's disk, too.
    assert!(!folder.path().join("etc/windlass/claim.json").exists());
    // Booted again, the machine doesn't fetch a second time, and says so to nobody.
    let (_, said) = boot(folder.path(), &json!({ "write_files": [] }));
    assert!(!said.contains("410"), "{said}");
}

#[test]
fn a_machine_whose_setup_breaks_says_so_and_everything_is_taken_back() {
    let Some(world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let data = wait_for("the machine", Duration::from_secs(60), || {
        let server = world.project.objects("servers").into_iter().find(|server| server["status"] == "running")?;
        world.project.user_data(server["id"].as_i64()?)
    });
    let folder = tempfile::tempdir().unwrap();
    let mut config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    let script = config["write_files"][1]["content"]
        .as_str()
        .unwrap()
        .replace("https://get.k3s.io", "https://nowhere.test; false");
    config["write_files"][1]["content"] = script.into();
    let (well, _) = boot(folder.path(), &config);
    assert!(!well);
    let ended = world.ended(&run);
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("k3s failed on acme/acme-cp-1: the set-up ended with"), "{why}");
    world.demand_nothing_left();
}

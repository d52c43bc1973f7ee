//! What a lab has in the kernel, removed without the server: for tests that panic, whose server may be the reason.

use std::{fs, process::Command};

use windlass_hosts::{lab_id::LabId, lab_names::LabNames};

use crate::ApiServer;

/// Removes the namespaces of a server's lab, with what is in them, and its links of the host.
pub fn sweep(server: &ApiServer, organisation: &str, lab: &str) {
    let instance = fs::read_to_string("/etc/windlass/instance_id")
        .or_else(|_| fs::read_to_string(server.data().join("instance_id")))
        .unwrap_or_default();
    let names = LabNames::new(instance.trim(), &LabId::new(organisation, lab).key);
    let prefixes = [names.node_prefix(), names.bridge_prefix(), names.vxlan_prefix()];
    let ours = |folder: &str| -> Vec<String> {
        let all = fs::read_dir(folder).into_iter().flatten().flatten();
        let all = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
        all.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
    };
    let ip = |arguments: &[&str]| Command::new("ip").args(arguments).status();
    for name in ours("/run/netns") {
        let _ = ip(&["netns", "delete", &name]);
    }
    // The other halves of links went with the namespaces.
    for name in ours("/sys/class/net") {
        let _ = ip(&["link", "delete", &name]);
    }
}

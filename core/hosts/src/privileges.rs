//! What this process may do on its machine, for problems that say what is missing and where to give it.

use std::fs;

/// What labs need, by their numbers in `capabilities(7)`.
const NEEDED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

/// The capabilities that network namespaces need, and that whoever calls doesn't have.
pub fn missing() -> Vec<&'static str> {
    // Without /proc nothing is known, and nothing is claimed.
    fs::read_to_string("/proc/thread-self/status").map(|status| missing_in(&status)).unwrap_or_default()
}

/// What to do about it, where something is missing.
pub fn help() -> Option<String> {
    help_for(&missing())
}

fn missing_in(status: &str) -> Vec<&'static str> {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(mask) = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) else { return Vec::new() };
    NEEDED.into_iter().filter(|(bit, _)| mask & (1 << bit) == 0).map(|(_, name)| name).collect()
}

fn help_for(missing: &[&str]) -> Option<String> {
    (!missing.is_empty()).then(|| {
        format!(
            "network labs need {}, which this process doesn't have: run it as root, or name it in `CapabilityBoundingSet=` and \
             `AmbientCapabilities=` of its systemd unit; a container needs `--privileged`. `windlass doctor` tells what it has",
            missing.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for (effective, missing) in [
            ("CapEff:\t000001ffffffffff", vec![]),
            ("CapEff:\t0000000000000000", vec!["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
            ("CapEff:\t0000000000001000", vec!["CAP_SYS_ADMIN"]),
            ("CapEff:\t0000000000200000", vec!["CAP_NET_ADMIN"]),
            ("CapEff:\tnonsense", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(missing_in(&format!("Name:\twindlass\n{effective}\nCapBnd:\t0\n")), missing, "{effective}");
        }
        assert_eq!(help_for(&[]), None);
        assert!(help_for(&["CAP_SYS_ADMIN"]).unwrap().starts_with("network labs need CAP_SYS_ADMIN, which"));
    }
}

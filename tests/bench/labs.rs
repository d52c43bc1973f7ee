//! What cases about labs share: `ip`, and whether labs can be made here.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::world::{Outcome, words};

static SETTLE_MS: AtomicU64 = AtomicU64::new(1_500);

/// The kernel takes namespaces apart after their removal was answered; the next measurement waits for that.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(SETTLE_MS.load(Ordering::Relaxed)));
}

/// Nothing is waited for: a smoke test's measurements say nothing.
pub fn settle_at_once() {
    SETTLE_MS.store(0, Ordering::Relaxed);
}

/// What `ip` calls its things here.
pub fn prefix() -> String {
    format!("wb{}", std::process::id() % 100_000)
}

/// Runs `ip` once.
pub fn ip(arguments: &[&str]) -> Outcome<()> {
    let output = Command::new("ip").args(arguments).output().map_err(words)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("`ip {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Feeds commands to one `ip`; with `force`, it goes on after those that fail.
pub fn batch(commands: &str, force: bool) -> Outcome<()> {
    let mut ip = Command::new("ip");
    if force {
        ip.arg("-force");
    }
    ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = ip.spawn().map_err(words)?;
    let written = child.stdin.take().map(|mut input| input.write_all(commands.as_bytes()));
    let output = child.wait_with_output().map_err(words)?;
    match (written, output.status.success() || force) {
        (Some(Ok(())), true) => Ok(()),
        _ => Err(format!("`ip -batch` failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Why labs can't be measured here.
pub fn impossible() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("it takes root to make network namespaces".to_owned());
    }
    let space = format!("{}probe", prefix());
    batch(&format!("netns add {space}\nnetns del {space}\n"), false).err()
}

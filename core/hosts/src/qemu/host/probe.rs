//! Whether this machine's processor runs guests. That /dev/kvm is there and opens says little: here a guest is really started, and
//! has to come through its firmware to a program of ours.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{folder, tool::Tools};

const DEVICE: &str = "/dev/kvm";
/// A guest that works is through in a fraction of a second.
const LIMIT: Duration = Duration::from_secs(3);
const KEPT: &str = "kvm.json";
/// The boot sector: writes 0x20 to the port of the device below, which ends QEMU with (0x20 << 1) | 1.
const PROGRAM: [u8; 6] = [0xb0, 0x20, 0xe6, 0xf4, 0xf4, 0xf4];
const SAYS: i32 = 65;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kvm {
    /// Whether guests run.
    pub works: bool,
    /// Why, or why not.
    pub why: String,
    /// For what it was found out: this start of the machine, and this QEMU.
    circumstances: String,
}

/// Finds out, once for each start of the machine and each version of QEMU; kept in `folder`.
pub fn kvm(tools: &Tools, folder: &Path) -> Kvm {
    let circumstances = circumstances(tools);
    let kept = folder.join(KEPT);
    let known = fs::read(&kept).ok().and_then(|text| serde_json::from_slice::<Kvm>(&text).ok());
    if let Some(known) = known.filter(|known| known.circumstances == circumstances) {
        return known;
    }
    let (works, why) = look(tools);
    let found = Kvm { works, why, circumstances };
    if let Ok(text) = serde_json::to_vec(&found) {
        let _ = folder::put(&kept, &text);
    }
    found
}

fn circumstances(tools: &Tools) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let metadata = fs::metadata(&tools.qemu).ok();
    let size = metadata.map_or(0, |metadata| metadata.len());
    let user = tools.user.as_ref().map_or(-1, |user| i64::from(user.uid));
    format!("{} {} {size} {user} {}", boot.trim(), tools.qemu.display(), Path::new(DEVICE).exists())
}

fn look(tools: &Tools) -> (bool, String) {
    if !Path::new(DEVICE).exists() {
        return (false, format!("{DEVICE} isn't there: guests are emulated"));
    }
    match boot(tools) {
        Ok(()) => (true, "a guest was started and ran".into()),
        Err(why) => (false, format!("{DEVICE} is there, but {why}: guests are emulated")),
    }
}

fn boot(tools: &Tools) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut disk = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut sector = [0; 512];
    sector[..PROGRAM.len()].copy_from_slice(&PROGRAM);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    disk.write_all(&sector).map_err(failed)?;
    // It says nothing that anybody mustn't know, and QEMU may run as somebody else.
    let readable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    fs::set_permissions(disk.path(), readable).map_err(failed)?;
    let file = serde_json::json!({ "driver": "raw", "node-name": "disk", "read-only": true,
        "file": { "driver": "file", "filename": disk.path(), "read-only": true } });
    let mut command = Command::new(&tools.qemu);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "16", "-cpu", "host"]);
    command.args(["-machine", "pc,accel=kvm", "-sandbox", super::command::SANDBOX]);
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-blockdev", &file.to_string()]);
    command.args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
    let log = tempfile::tempfile().map_err(failed)?;
    command.env_clear().env("LANG", "C").stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(log.try_clone().map_err(failed)?);
    if let Some(user) = &tools.user {
        super::user::become_user(&mut command, user);
    }
    let mut child = command.spawn().map_err(failed)?;
    let begin = Instant::now();
    let code = loop {
        match child.try_wait() {
            Ok(None) if begin.elapsed() < LIMIT => thread::sleep(Duration::from_millis(10)),
            Ok(Some(status)) => break status.code(),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("a guest doesn't come through its firmware within {} s", LIMIT.as_secs()));
            }
        }
    };
    match code {
        Some(SAYS) => Ok(()),
        _ => Err(format!("QEMU can't use it ({})", last_line(log))),
    }
}

fn last_line(mut log: fs::File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    let _ = log.rewind();
    let _ = log.take(64 << 10).read_to_string(&mut text);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it doesn't say why").to_owned()
}

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
    end_with_this_thread(&mut command);
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

/// A server that is killed meanwhile leaves no guest behind that never ends. Another user would undo this: so it comes last.
fn end_with_this_thread(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: plain system calls, allowed between fork and exec.
        let done = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 };
        if !done {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: as above. One that ended before sends no signal any more.
        let is_there = u32::try_from(unsafe { libc::getppid() }) == Ok(parent);
        if is_there { Ok(()) } else { Err(std::io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: `prepare` allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
}

fn last_line(mut log: fs::File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    let _ = log.rewind();
    let _ = log.take(64 << 10).read_to_string(&mut text);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it doesn't say why").to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HERE: &str = "WINDLASS_TEST_PROBE";

    fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            match probe() {
                Some(found) => return found,
                None => assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain for {what}"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_guest_that_is_tried_ends_with_who_tries() {
        if let Some(folder) = std::env::var_os(HERE) {
            let program = Path::new(&folder).join("qemu");
            let _ = boot(&Tools::find(&program.display().to_string(), "").unwrap());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        for program in ["qemu", "qemu-img"] {
            let path = folder.path().join(program);
            fs::write(&path, format!("#!/bin/sh\necho $$ >{0}.new\nmv {0}.new {0}\nexec sleep 600\n", pid.display()))
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // A process of its own, which can be killed: this test once more, which tries the guest.
        let mut tries = Command::new(std::env::current_exe().unwrap());
        tries.args(["--exact", "qemu::host::probe::tests::a_guest_that_is_tried_ends_with_who_tries"]);
        let mut tries = tries.env(HERE, folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let guest = wait_for("the guest", || fs::read_to_string(&pid).ok());
        let there = format!("/proc/{}", guest.trim());
        assert!(Path::new(&there).exists());
        tries.kill().unwrap();
        tries.wait().unwrap();
        // Whoever takes orphans in may look for it a moment later.
        let ended = |stat: String| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
        wait_for("the guest to end", || match fs::read_to_string(format!("{there}/stat")) {
            Ok(stat) => ended(stat).then_some(()),
            Err(_) => Some(()),
        });
    }
}

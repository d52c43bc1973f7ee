//! The small guest that tests boot with QEMU, made once for a target folder by tests/tools/guest/build.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::skip::has_program;

/// Folder of a guest: `vmlinuz` and `initrd.gz`. It boots to `guest# ` on the serial line with `append: "console=ttyS0 quiet"`;
/// `address=10.0.0.2/24` in there sets up its first interface. Its power button works.
pub struct Guest {
    /// Where it is.
    pub folder: PathBuf,
}

/// What a guest is booted with.
pub const APPEND: &str = "console=ttyS0 quiet";
/// What it says when it takes commands.
pub const PROMPT: &str = "guest# ";

impl Guest {
    /// The guest, made if need be; why there is none.
    pub fn get() -> Result<Self, String> {
        for program in ["qemu-system-x86_64", "qemu-img", "busybox", "cpio", "apt-get"] {
            if !has_program(program) {
                return Err(format!("no {program} here: .ci/setup installs what tests with virtual machines need"));
            }
        }
        let folder = target().join("tools/guest");
        let made = fs::create_dir_all(&folder).map_err(|error| error.to_string());
        let lock = made.and_then(|()| File::create(folder.join(".lock")).map_err(|error| error.to_string()))?;
        // Tests run side by side, and it is made once.
        lock.lock().map_err(|error| error.to_string())?;
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/guest/build");
        let output = Command::new(build).arg(&folder).output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self { folder }),
            false => Err(format!("the guest can't be made: {}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    }
}

/// What builds leave behind.
pub(crate) fn target() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(here, PathBuf::from)
}

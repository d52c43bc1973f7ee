//! `qemu-img`: makes overlays, and tells what is in an image.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::user::User;
use crate::support::system;

const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"];
const OUTPUT_BYTES: u64 = 1 << 20;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The programs, and whom they run as.
pub struct Tools {
    /// The emulator.
    pub qemu: PathBuf,
    qemu_img: PathBuf,
    pub user: Option<User>,
}

impl Tools {
    /// Looks for the programs.
    pub fn find(program: &str, user: &str) -> Result<Self, Problem> {
        let user = User::configured(user)?;
        let missing = |program: &str| {
            Problem::new(Code::Unsupported, format!("`{program}` isn't installed on this machine"))
                .help("apt-get install qemu-system-x86 qemu-utils, or name it with `hosts.qemu.program`")
                .no_effect()
        };
        let found = |name: &Path| match name.is_absolute() {
            true => Some(name.to_owned()).filter(|path| path.is_file()),
            false => FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file()),
        };
        let qemu = found(Path::new(program)).ok_or_else(|| missing(program))?;
        let beside = qemu.with_file_name("qemu-img");
        let qemu_img = found(&beside).or_else(|| found(Path::new("qemu-img"))).ok_or_else(|| missing("qemu-img"))?;
        Ok(Self { qemu, qemu_img, user })
    }

    /// The emulator's version.
    pub fn version(&self) -> Result<String, Problem> {
        let output = Command::new(&self.qemu).arg("--version").env_clear().stdin(Stdio::null()).output();
        let output = output.map_err(|error| system(format!("`{}`", self.qemu.display()), &error).no_effect())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let word = text.split_whitespace().skip_while(|word| *word != "version").nth(1);
        Ok(word.unwrap_or_default().to_owned())
    }

    /// What is in an image.
    pub fn info(&self, cx: &OpCx, image: &Path, format: &str) -> Result<Value, Problem> {
        let args = ["info", "-U", "--output=json", "-f", format].map(OsStr::new);
        let text = self.image(cx, Path::new("/"), args.into_iter().chain([image.as_os_str()]))?;
        serde_json::from_str(&text).map_err(|error| Problem::new(Code::System, format!("what qemu-img says: {error}")))
    }

    /// Runs `qemu-img` in a folder, within the step's time.
    pub fn image<'a>(
        &self,
        cx: &OpCx,
        folder: &Path,
        args: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<String, Problem> {
        let failed = |error: std::io::Error| system("`qemu-img`", &error);
        // Files and not pipes: they never fill up.
        let (mut out, mut err) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
        let mut command = Command::new(&self.qemu_img);
        command.args(args).env_clear().env("LANG", "C").stdin(Stdio::null()).current_dir(folder);
        command.stdout(out.try_clone().map_err(failed)?).stderr(err.try_clone().map_err(failed)?);
        if let Some(user) = &self.user {
            super::user::become_user(&mut command, user);
        }
        let mut child = command.spawn().map_err(failed)?;
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if begin.elapsed() > cx.timeout() || cx.stopped() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Problem::new(Code::StepTimeout, "`qemu-img` takes longer than the step may"));
            }
            thread::sleep(LOOK_AGAIN);
        };
        match status.success() {
            true => Ok(read(&mut out)),
            false => Err(Problem::new(Code::CommandFailed, format!("`qemu-img`: {}", read(&mut err).trim()))),
        }
    }
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.seek(SeekFrom::Start(0));
    let _ = file.take(OUTPUT_BYTES).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

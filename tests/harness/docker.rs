//! A real Docker daemon with a socket, a data folder and containers of its own, for as long as the tests of this process run; and the
//! images that tests use.

use std::{
    collections::HashSet,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    process::{Process, wait_until},
    skip::{can_make_namespaces, has_program, is_root, skip},
    warden::Watched,
};

/// An image with busybox, whose program is named by each container.
pub const IMAGE: &str = "windlass-test/busybox:1";
/// The image that `workflows/lab/images/frr.sh` makes.
pub const ROUTER: &str = "frr:local";
const APPLETS: &[&str] = &[
    "sh", "sleep", "ping", "ip", "cat", "echo", "ls", "ps", "true", "false", "head", "yes", "env", "id", "test",
    "touch", "nc", "kill",
];
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

static SHARED: Mutex<Weak<Docker>> = Mutex::new(Weak::new());

/// A daemon.
pub struct Docker {
    process: Mutex<Option<Process>>,
    _watched: Watched,
    folder: TempDir,
}

impl Docker {
    /// The daemon that tests share, which is stopped after the last of them; `None`, said out loud, where there can't be one.
    pub fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(docker) = shared.upgrade() {
            return Some(docker);
        }
        let docker = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&docker);
        Some(docker)
    }

    /// A daemon of this test's own, which it may stop and start.
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// The same, with a disk of so many MiB for all that it keeps.
    pub fn start_on_small_disk(mib: u32) -> Option<Self> {
        Self::start_with(Some(mib))
    }

    fn start_with(disk_mib: Option<u32>) -> Option<Self> {
        if let Some(reason) = why_not() {
            skip(&reason);
            return None;
        }
        let folder = tempfile::Builder::new().prefix("wldk").tempdir().expect("a temporary folder");
        // What the machine's own daemon is told isn't for this one.
        fs::write(folder.path().join("daemon.json"), "{}").expect("the folder can be written");
        let docker = Self { process: Mutex::new(None), _watched: Watched::new(folder.path()), folder };
        if let Some(mib) = disk_mib {
            small_disk(&docker.data(), mib);
        }
        docker.resume();
        docker.make_image();
        Some(docker)
    }

    /// Starts it again where it was stopped.
    pub fn resume(&self) {
        // Overlays can't be laid over overlays, which is what a container's root often is.
        for driver in ["overlay2", "vfs"] {
            if self.try_start(driver) {
                return;
            }
        }
        panic!("dockerd doesn't start: {}", self.log());
    }

    fn try_start(&self, driver: &str) -> bool {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new("dockerd");
        command
            .args(["--config-file", &path("daemon.json"), "--host", &format!("unix://{}", path("docker.sock"))])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            // Neither the machine's firewall nor its links are touched.
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"])
            .args(["--storage-driver", driver])
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let started = process.insert(Process::start(&mut command).expect("dockerd can be executed"));
        wait_until("dockerd", START, || !started.is_running() || self.answers());
        started.is_running()
    }

    fn answers(&self) -> bool {
        self.client(&["version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Stops it as a service manager does; its containers end.
    pub fn stop(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            process.terminate(STOP);
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Where it keeps images and containers.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for archives.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written.
    pub fn log(&self) -> String {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map(Process::output).unwrap_or_default()
    }

    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.socket().display())).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `docker` without Windlass; what it has written, or why it failed.
    pub fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.client(arguments).output().expect("docker can be executed");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }

    /// The same, where it has to succeed.
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments).unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
    }

    /// The archive of the root folder of `IMAGE`.
    pub fn rootfs(&self) -> PathBuf {
        let (root, archive) = (self.folder.path().join("rootfs"), self.folder.path().join("rootfs.tar"));
        if !archive.exists() {
            fs::create_dir_all(root.join("bin")).expect("the folder can be written");
            fs::copy(busybox().expect("it was looked for"), root.join("bin/busybox")).expect("busybox can be copied");
            for applet in APPLETS {
                symlink("busybox", root.join("bin").join(applet)).expect("the folder can be written");
            }
            fs::create_dir_all(root.join("tmp")).expect("the folder can be written");
            let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
            assert!(packed.is_ok_and(|status| status.success()), "tar can't pack the root folder");
        }
        archive
    }

    /// The image of a router, `frr:local`, made once for a target folder; why there is none.
    pub fn make_router_image(&self) -> Result<(), String> {
        let archive = router()?;
        let entrypoint = r#"ENTRYPOINT ["/usr/local/bin/router"]"#;
        self.try_docker(&["import", "--change", entrypoint, &archive.display().to_string(), ROUTER]).map(|_| ())
    }

    /// Names that Windlass has given to the network namespaces of these containers go, or they would stay for ever: a test that panics
    /// destroys no lab, and containers that it has not made by itself are in none that it knows.
    fn unpin(&self, containers: &[&str]) {
        let pids = [&["inspect", "--format", "{{.State.Pid}}"], containers].concat();
        let pids = if containers.is_empty() { String::new() } else { self.try_docker(&pids).unwrap_or_default() };
        let network = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        let theirs: HashSet<_> =
            pids.split_whitespace().filter_map(|pid| network(&Path::new("/proc").join(pid).join("ns/net"))).collect();
        for name in fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|entry| entry.path()) {
            let is_windlass = name.file_name().is_some_and(|name| name.as_bytes().starts_with(b"nve"));
            if is_windlass && network(&name).is_some_and(|it| theirs.contains(&it)) {
                let _ = Command::new("ip").args(["netns", "delete"]).arg(name.file_name().unwrap_or_default()).status();
            }
        }
    }

    fn make_image(&self) {
        self.docker(&["import", &self.rootfs().display().to_string(), IMAGE]);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let all = self.try_docker(&["ps", "--all", "--quiet"]).unwrap_or_default();
        let all: Vec<&str> = all.split_whitespace().collect();
        self.unpin(&all);
        if !all.is_empty() {
            let _ = self.try_docker(&[&["rm", "--force", "--volumes"], &all[..]].concat());
        }
        self.stop();
        // A daemon leaves its mounts where it was killed.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let ours = self.folder.path().display().to_string();
        for path in mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| path.starts_with(&ours)) {
            let _ = nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

/// Makes a folder that has only so much room. Whoever made it unmounts it.
pub fn small_disk(folder: &Path, mib: u32) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let options = format!("size={mib}m");
    let none = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("tmpfs"), folder, Some("tmpfs"), none, Some(options.as_str())).expect("root can mount");
}

/// Fills the disk that a folder is on, but for so many KiB; the file to remove.
pub fn fill(folder: &Path, but_kib: u64) -> PathBuf {
    use std::io::Write as _;
    let path = folder.join("filler");
    let mut file = fs::File::create(&path).expect("the folder can be written");
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().expect("it is there").len();
    file.set_len(length.saturating_sub(but_kib << 10)).expect("a file can be cut");
    path
}

fn why_not() -> Option<String> {
    if !is_root() {
        return Some("a Docker daemon needs root".into());
    }
    if let Some(program) = ["dockerd", "docker", "tar"].into_iter().find(|program| !has_program(program)) {
        return Some(format!("no `{program}` (Debian: docker.io)"));
    }
    if busybox().is_none() {
        return Some("no static busybox (Debian: busybox-static)".into());
    }
    if fs::read_dir("/sys/fs/cgroup").map_or(0, Iterator::count) == 0 {
        return Some("no control groups are mounted".into());
    }
    can_make_namespaces().err()
}

/// The archive of a router's root folder.
fn router() -> Result<PathBuf, String> {
    let said = |error: std::io::Error| error.to_string();
    let folder = crate::guest::target().join("tools/router");
    fs::create_dir_all(&folder).map_err(said)?;
    let lock = fs::File::create(folder.join(".lock")).map_err(said)?;
    lock.lock().map_err(said)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/lab/images/frr.sh");
    // Another recipe makes another archive.
    let recipe = fs::read_to_string(&script).map_err(said)?;
    let (archive, made_by) = (folder.join("frr.tar"), folder.join("recipe"));
    if !archive.is_file() || fs::read_to_string(&made_by).ok().as_ref() != Some(&recipe) {
        let output = Command::new("sh").arg(&script).arg(&archive).output().map_err(said)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        fs::write(&made_by, recipe).map_err(said)?;
    }
    Ok(archive)
}

/// A busybox that needs no libraries: no header of its program names an interpreter.
fn busybox() -> Option<PathBuf> {
    const INTERPRETER: &[u8] = &[3, 0, 0, 0];
    let is_static = |path: &PathBuf| {
        let Ok(bytes) = fs::read(path) else { return false };
        let number = |at: usize, length: usize| {
            bytes
                .get(at..at + length)
                .map_or(0, |part| part.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
        };
        let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        count > 0
            && (0..count)
                .all(|index| bytes.get(table + index * size..).is_some_and(|header| !header.starts_with(INTERPRETER)))
    };
    // Where `.ci/setup` unpacks one, beside what cargo builds.
    let test = std::env::current_exe().unwrap_or_default();
    let unpacked =
        test.ancestors().map(|folder| folder.join("tools/busybox-static/package")).find(|folder| folder.is_dir());
    let unpacked =
        unpacked.into_iter().flat_map(|folder| ["bin/busybox", "usr/bin/busybox"].map(|path| folder.join(path)));
    unpacked.chain(["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from)).find(is_static)
}

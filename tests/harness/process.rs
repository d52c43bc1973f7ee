//! Child processes that end with their test, free loopback ports, and waiting for a condition instead of sleeping.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read},
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{sys::signal, unistd::Pid};
use parking_lot::Mutex;

/// A loopback port that is free, for TCP and UDP, and that nobody else in this process gets. It is none of those that the kernel hands out:
/// nobody takes it by chance before it is used, or while its server is stopped for a while.
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests of another process begin elsewhere.
    let begin = std::process::id().wrapping_mul(211) % COUNT;
    let next = || {
        let port = FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        u16::try_from(port).expect("ports below 32,000 fit")
    };
    let is_free =
        |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok();
    (0..COUNT).map(|_| next()).find(is_free).expect("loopback has a free port")
}

/// Asks `probe` again and again until it answers; panics with `what` when `within` is over.
pub fn wait_for<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(started.elapsed() < within, "waited {within:?} in vain for {what}");
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Waits until `condition` holds; panics with `what` when `within` is over.
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, within, || condition().then_some(()));
}

/// The `windlass` binary under test: `WINDLASS_BIN` or `CARGO_BIN` if set, else the one that cargo builds beside this
/// test, which is built if it isn't there.
pub fn windlass_binary() -> PathBuf {
    let given = ["WINDLASS_BIN", "CARGO_BIN"].into_iter().filter_map(env::var_os).next();
    if let Some(path) = given {
        return PathBuf::from(path);
    }
    let test = env::current_exe().expect("this test has a file");
    // target/<profile>/deps/<test>: the binary stands two folders up.
    let profile = test.parent().and_then(Path::parent).expect("cargo puts tests into target/<profile>/deps").to_owned();
    // A program of ours stands beside it.
    let profile = if test.with_file_name("windlass").is_file() { test.with_file_name("") } else { profile };
    let binary = profile.join("windlass");
    if !binary.is_file() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = profile.parent().expect("target/<profile> has a parent");
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "windlass-server"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()) && binary.is_file(),
            "cargo can't build {}",
            binary.display()
        );
    }
    binary
}

/// A child process. Its output is collected; it is killed when this value is dropped.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts a program with its output collected and no input.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let name =
            Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| collect(pipe, Arc::clone(&output))));
        readers.extend(child.stderr.take().map(|pipe| collect(pipe, Arc::clone(&output))));
        Ok(Self { name, child, output, readers })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far, standard output and standard error by line.
    pub fn output(&self) -> String {
        self.output.lock().clone()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for a line of its output that contains `text`, and gives that line.
    pub fn wait_for_line(&mut self, text: &str, within: Duration) -> String {
        let started = Instant::now();
        loop {
            let running = self.is_running();
            if !running {
                self.join_readers();
            }
            if let Some(line) = self.output.lock().lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(running, "{} ended before it wrote `{text}`:\n{}", self.name, self.output());
            assert!(
                started.elapsed() < within,
                "{} didn't write `{text}` within {within:?}:\n{}",
                self.name,
                self.output()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.join_readers();
                return status;
            }
            assert!(started.elapsed() < within, "{} didn't end within {within:?}:\n{}", self.name, self.output());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal; does nothing when it has ended.
    pub fn signal(&mut self, signal: signal::Signal) {
        // Until `try_wait` has reaped it, the id can't be anybody else's.
        if self.is_running() {
            let id = i32::try_from(self.child.id()).expect("process ids fit");
            signal::kill(Pid::from_raw(id), signal).expect("a child can be signalled");
        }
    }

    /// Asks it to end, and waits for that.
    pub fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal(signal::Signal::SIGTERM);
        self.wait(within)
    }

    /// Kills it on the spot, as a crash would (`kill -9`).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join_readers();
    }

    fn join_readers(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A grandchild may hold the pipes open: the readers aren't waited for here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            output.lock().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn output_and_status_arrive() {
        let mut process = shell("echo one; echo two >&2; exit 3");
        assert_eq!(process.wait(SOON).code(), Some(3));
        let output = process.output();
        assert!(output.contains("one\n") && output.contains("two\n"), "{output}");
    }

    #[test]
    fn a_line_is_waited_for() {
        let mut process = shell("echo ready on 4711; exec sleep 60");
        assert_eq!(process.wait_for_line("ready", SOON), "ready on 4711");
        assert!(process.is_running());
        process.kill();
        assert!(!process.is_running());
    }

    #[test]
    #[should_panic(expected = "ended before it wrote")]
    fn a_line_that_never_comes_is_told() {
        shell("echo something else").wait_for_line("ready", SOON);
    }

    #[test]
    #[should_panic(expected = "in vain for the impossible")]
    fn a_condition_that_never_holds_is_told() {
        wait_until("the impossible", Duration::from_millis(20), || false);
    }

    #[test]
    fn a_process_is_asked_to_end() {
        let mut process = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
        process.wait_for_line("ready", SOON);
        assert_eq!(process.terminate(SOON).code(), Some(7));
    }

    #[test]
    fn free_ports_can_be_bound() {
        assert!(TcpListener::bind(("127.0.0.1", free_port())).is_ok());
    }
}

//! QEMU's own language over its socket: one question at a time, each with an answer in time.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

/// An answer or event is shorter.
const LINE_BYTES: u64 = 1 << 20;
const SLICE: Duration = Duration::from_millis(100);

/// A conversation with a QEMU.
pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    until: Instant,
}

/// Connects to a socket in a folder, however long the folder's path is: a socket's own may have 107 bytes.
pub fn connect(folder: &Path, socket: &str) -> std::io::Result<UnixStream> {
    let folder = File::open(folder)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{socket}", folder.as_raw_fd()))
}

impl Qmp {
    /// Says hello. All of the conversation has this long.
    pub fn open(run: &Path, within: Duration) -> Result<Self, Problem> {
        let stream = connect(run, "qmp").map_err(|error| lost(format!("its control socket: {error}")))?;
        let writer = stream.try_clone().map_err(|error| lost(error.to_string()))?;
        let mut qmp = Self { reader: BufReader::new(stream), writer, until: Instant::now() + within };
        qmp.line()?;
        qmp.ask("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Asks, and waits for the answer. Events in between are passed over.
    pub fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, Problem> {
        let mut text = json!({ "execute": command, "arguments": arguments }).to_string();
        text.push('\n');
        let _ = self.writer.set_write_timeout(Some(Duration::from_secs(5)));
        self.writer.write_all(text.as_bytes()).map_err(|error| lost(format!("`{command}`: {error}")))?;
        loop {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                let words = error["desc"].as_str().unwrap_or("it doesn't say why");
                return Err(Problem::new(Code::Unsupported, format!("QEMU refused `{command}`: {words}")));
            }
            if answer.get("return").is_some() {
                return Ok(answer["return"].take());
            }
        }
    }

    /// Starts a job and waits for its end.
    pub fn job(&mut self, command: &str, mut arguments: Value, going: impl Fn() -> bool) -> Result<(), Problem> {
        let id = format!("w{}", ulid::Ulid::new());
        arguments["job-id"] = id.clone().into();
        self.ask(command, arguments)?;
        loop {
            let jobs = self.ask("query-jobs", json!({}))?;
            let job = jobs.as_array().and_then(|jobs| jobs.iter().find(|job| job["id"] == *id));
            let Some(job) = job else { return Ok(()) };
            if job["status"] == "concluded" {
                let error = job["error"].as_str().map(str::to_owned);
                self.ask("job-dismiss", json!({ "id": id }))?;
                return match error {
                    None => Ok(()),
                    Some(error) => Err(Problem::new(Code::Unsupported, format!("QEMU's `{command}` failed: {error}"))),
                };
            }
            if !going() {
                let _ = self.ask("job-cancel", json!({ "id": id }));
                return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
            }
            if Instant::now() >= self.until {
                return Err(Problem::new(
                    Code::StepTimeout,
                    format!("QEMU's `{command}` takes longer than the step may"),
                ));
            }
            thread::sleep(SLICE);
        }
    }

    fn line(&mut self) -> Result<Value, Problem> {
        let left = self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.reader.get_ref().set_read_timeout(Some(left)).map_err(|error| lost(error.to_string()))?;
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LINE_BYTES).read_until(b'\n', &mut line);
        match read {
            Ok(0) => Err(lost("it closed the conversation".into())),
            Ok(_) => serde_json::from_slice(&line).map_err(|error| lost(format!("what it says is no JSON: {error}"))),
            Err(error) => Err(lost(error.to_string())),
        }
    }
}

fn lost(why: String) -> Problem {
    Problem::new(Code::Unavailable, format!("QEMU doesn't answer: {why}"))
        .help("the machine may just have ended, or another program talks to its control socket")
}

//! Recordings of consoles: asciicast v2 in the data folder, one file each, bounded one by one and together. What is typed isn't
//! in them: it may be a password; what is shown of it is.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{Code, Problem};

use crate::services::{ConsoleKind, LabNode, Size};

/// Pieces that wait to be written.
const WAITING: usize = 256;
/// Recordings that are kept, at most.
const FILES: usize = 10_000;
/// Longest first line of one.
const HEAD_BYTES: u64 = 8 << 10;

/// How consoles are recorded.
#[derive(Clone, Debug)]
pub struct RecordingConfig {
    /// Where recordings are kept; none: there are none.
    pub folder: Option<PathBuf>,
    /// Whether every console is recorded.
    pub always: bool,
    /// Bytes of one recording.
    pub bytes: u64,
    /// Milliseconds of one recording.
    pub length_ms: u64,
    /// Bytes of all recordings; the oldest go first.
    pub all_bytes: u64,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { folder: None, always: false, bytes: 16 << 20, length_ms: 8 * 3_600_000, all_bytes: 1 << 30 }
    }
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub organisation: String,
    pub lab: String,
    pub node: String,
    pub kind: ConsoleKind,
    /// Who opened it.
    pub by: String,
}

impl About {
    pub(super) fn new(node: &LabNode, kind: ConsoleKind, by: &str) -> Self {
        let LabNode { organisation, lab, node } = node.clone();
        Self { organisation, lab, node, kind, by: by.to_owned() }
    }
}

/// A recording that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub id: String,
    pub about: About,
    pub began_at_ms: i64,
    pub bytes: u64,
    /// Whether it is still being made.
    pub open: bool,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u8,
    width: u16,
    height: u16,
    timestamp: i64,
    title: String,
    env: HashMap<String, String>,
    windlass: About,
}

/// All recordings.
pub(super) struct Recordings {
    config: RecordingConfig,
    folder: PathBuf,
    open: Arc<Mutex<HashSet<String>>>,
}

/// A recording that is being made. When it is dropped, its file is finished.
pub(super) struct Recording {
    pub id: String,
    began: Instant,
    events: SyncSender<Event>,
    /// The beginning of a character whose end hasn't come.
    partial: Vec<u8>,
    lost: usize,
}

struct Event {
    at: Duration,
    kind: char,
    data: String,
}

fn unusable(folder: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::Storage, format!("recordings can't be kept in {}: {error}", folder.display()))
}

impl Recordings {
    /// In a folder, which is made when it is needed.
    pub(super) fn new(config: &RecordingConfig) -> Option<Self> {
        let folder = config.folder.clone()?;
        Some(Self { config: config.clone(), folder, open: Arc::default() })
    }

    /// Begins one. It blocks.
    pub(super) fn begin(&self, about: About, size: Size) -> Result<Recording, Problem> {
        let failed = |error| unusable(&self.folder, &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        self.make_room()?;
        let id = ulid::Ulid::new().to_string().to_lowercase();
        let mut file = OpenOptions::new();
        let mut file = file.write(true).create_new(true).mode(0o600).open(self.path(&id)).map_err(failed)?;
        let timestamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let head = Head {
            version: 2,
            width: size.cols,
            height: size.rows,
            timestamp: i64::try_from(timestamp.as_secs()).unwrap_or(0),
            title: format!("{} of {} in {}", about.kind.as_str(), about.node, about.lab),
            env: HashMap::from([("TERM".to_owned(), "xterm-256color".to_owned())]),
            windlass: about,
        };
        let line = format!("{}\n", json!(head));
        file.write_all(line.as_bytes()).map_err(failed)?;
        let (events, written) = sync_channel(WAITING);
        self.open.lock().insert(id.clone());
        let writer = Writer {
            file,
            bytes: line.len() as u64,
            most: self.config.bytes,
            length: Duration::from_millis(self.config.length_ms),
        };
        let (open, own) = (self.open.clone(), id.clone());
        let started = std::thread::Builder::new().name("recording".into()).spawn(move || {
            writer.write(&written);
            open.lock().remove(&own);
        });
        started.map_err(failed)?;
        Ok(Recording { id, began: Instant::now(), events, partial: Vec::new(), lost: 0 })
    }

    /// Those of a lab, newest first.
    pub(super) fn list(&self, organisation: &str, lab: &str) -> Result<Vec<Kept>, Problem> {
        let mut found: Vec<Kept> = self.ids()?.into_iter().filter_map(|(id, _)| self.look(&id)).collect();
        found.retain(|kept| kept.about.organisation == organisation && kept.about.lab == lab);
        found.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(found)
    }

    /// One of them, with its whole lines.
    pub(super) fn read(&self, organisation: &str, lab: &str, id: &str) -> Result<Option<Vec<u8>>, Problem> {
        let is_id = id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let Some(kept) = is_id.then(|| self.look(id)).flatten() else { return Ok(None) };
        if kept.about.organisation != organisation || kept.about.lab != lab {
            return Ok(None);
        }
        let mut bytes = fs::read(self.path(id)).map_err(|error| unusable(&self.folder, &error))?;
        // A crash, or a look in the middle of a write, leaves a piece of a line.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(whole);
        Ok(Some(bytes))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.cast"))
    }

    /// Ids and sizes, oldest first.
    fn ids(&self) -> Result<Vec<(String, u64)>, Problem> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unusable(&self.folder, &error)),
        };
        let mut ids: Vec<(String, u64)> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some((name.strip_suffix(".cast")?.to_owned(), entry.metadata().ok()?.len()))
            })
            .collect();
        ids.sort();
        Ok(ids)
    }

    fn look(&self, id: &str) -> Option<Kept> {
        let file = File::open(self.path(id)).ok()?;
        let bytes = file.metadata().ok()?.len();
        let mut line = String::new();
        BufReader::new(file.take(HEAD_BYTES)).read_line(&mut line).ok()?;
        let head: Head = serde_json::from_str(&line).ok()?;
        let open = self.open.lock().contains(id);
        Some(Kept { id: id.to_owned(), about: head.windlass, began_at_ms: head.timestamp * 1_000, bytes, open })
    }

    /// Removes the oldest until one more has room.
    fn make_room(&self) -> Result<(), Problem> {
        let ids = self.ids()?;
        let mut all: u64 = ids.iter().map(|(_, bytes)| bytes).sum();
        let mut count = ids.len();
        for (id, bytes) in ids {
            if all + self.config.bytes <= self.config.all_bytes && count < FILES {
                break;
            }
            if !self.open.lock().contains(&id) && fs::remove_file(self.path(&id)).is_ok() {
                all -= bytes;
                count -= 1;
            }
        }
        Ok(())
    }
}

impl Recording {
    /// Something is shown.
    pub(super) fn shown(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let text = whole_characters(&mut self.partial);
        if !text.is_empty() {
            self.put('o', text);
        }
    }

    /// The terminal has another size.
    pub(super) fn resized(&mut self, size: Size) {
        self.put('r', format!("{}x{}", size.cols, size.rows));
    }

    fn put(&mut self, kind: char, data: String) {
        let at = self.began.elapsed();
        if self.lost > 0 {
            let data = format!("{} bytes are missing here: the disk was too slow", self.lost);
            if self.events.try_send(Event { at, kind: 'm', data }).is_ok() {
                self.lost = 0;
            }
        }
        // One that is full takes no more, and that is no loss.
        if let Err(TrySendError::Full(event)) = self.events.try_send(Event { at, kind, data }) {
            self.lost += event.data.len();
        }
    }
}

/// Takes whole characters out; what isn't UTF-8 is replaced. At most three bytes stay.
fn whole_characters(bytes: &mut Vec<u8>) -> String {
    let end = match bytes.utf8_chunks().last() {
        // Bytes at the very end that may become a character.
        Some(last) if (1..4).contains(&last.invalid().len()) => {
            let start = bytes.len() - last.invalid().len();
            let unfinished = std::str::from_utf8(&bytes[start..]).is_err_and(|error| error.error_len().is_none());
            if unfinished { start } else { bytes.len() }
        }
        _ => bytes.len(),
    };
    let rest = bytes.split_off(end);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}

struct Writer {
    file: File,
    bytes: u64,
    most: u64,
    length: Duration,
}

impl Writer {
    /// Writes what comes until nobody sends any more, a bound is met, or the disk refuses.
    fn write(mut self, events: &Receiver<Event>) {
        while let Ok(event) = events.recv() {
            let line = line(&event);
            let full = self.bytes + line.len() as u64 > self.most.saturating_sub(128);
            let (line, last) = match full || event.at > self.length {
                true => {
                    let bound = if full { "labs.record_bytes" } else { "labs.record_length" };
                    let data = format!("the recording ends here: {bound}");
                    (self::line(&Event { kind: 'm', data, ..event }), true)
                }
                false => (line, false),
            };
            if let Err(error) = self.file.write_all(line.as_bytes()) {
                tracing::warn!(%error, "a recording broke off");
                return;
            }
            self.bytes += line.len() as u64;
            if last {
                return;
            }
        }
    }
}

fn line(event: &Event) -> String {
    let at = (event.at.as_secs_f64() * 1e6).round() / 1e6;
    format!("{}\n", json!([at, event.kind.to_string(), event.data]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(lab: &str) -> About {
        let node = LabNode { organisation: "acme".into(), lab: lab.into(), node: "r1".into() };
        About::new(&node, ConsoleKind::Shell, "ann")
    }

    fn recordings(folder: &Path, change: impl FnOnce(&mut RecordingConfig)) -> Recordings {
        let mut config = RecordingConfig { folder: Some(folder.join("made")), ..RecordingConfig::default() };
        change(&mut config);
        Recordings::new(&config).unwrap()
    }

    fn finished(recordings: &Recordings, lab: &str, id: &str) -> Vec<serde_json::Value> {
        let begun = Instant::now();
        while recordings.open.lock().contains(id) {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(1));
        }
        let bytes = recordings.read("acme", lab, id).unwrap().unwrap();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    const SIZE: Size = Size { cols: 80, rows: 24 };

    #[test]
    fn characters_that_come_in_pieces_are_whole_and_what_is_typed_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = recordings(folder.path(), |_| ());
        let mut recording = recordings.begin(about("demo"), SIZE).unwrap();
        let id = recording.id.clone();
        for piece in ["\u{1b}[1mé€😀".as_bytes(), b"\xff\xe2\x82"].iter().flat_map(|bytes| bytes.chunks(1)) {
            recording.shown(piece);
        }
        recording.shown(b"\xac!");
        recording.resized(Size { cols: 100, rows: 30 });
        drop(recording);
        let lines = finished(&recordings, "demo", &id);
        assert_eq!((&lines[0]["version"], &lines[0]["width"]), (&json!(2), &json!(80)));
        let text: String =
            lines[1..].iter().filter(|line| line[1] == "o").filter_map(|line| line[2].as_str()).collect();
        assert_eq!(text, "\u{1b}[1mé€😀\u{fffd}€!");
        assert_eq!(lines.last().unwrap()[2], "100x30");
        let kept = recordings.list("acme", "demo").unwrap();
        assert_eq!((kept.len(), &kept[0].about, kept[0].open), (1, &about("demo"), false));
        assert!(recordings.list("zeta", "demo").unwrap().is_empty());
        assert!(recordings.read("zeta", "demo", &id).unwrap().is_none());
        assert!(recordings.read("acme", "demo", "../../etc/passwd").unwrap().is_none());
    }

    #[test]
    fn each_is_bounded_and_all_of_them_are() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = recordings(folder.path(), |config| (config.bytes, config.all_bytes) = (2_000, 5_000));
        let mut ids = Vec::new();
        for _ in 0..4 {
            let mut recording = recordings.begin(about("demo"), SIZE).unwrap();
            (0..100).for_each(|_| recording.shown(&[b'x'; 100]));
            ids.push(recording.id.clone());
            drop(recording);
            let lines = finished(&recordings, "demo", ids.last().unwrap());
            assert_eq!(lines.last().unwrap()[2], "the recording ends here: labs.record_bytes");
            // Two of the same millisecond may stand in any order.
            std::thread::sleep(Duration::from_millis(2));
        }
        let kept: Vec<String> = recordings.list("acme", "demo").unwrap().into_iter().map(|kept| kept.id).collect();
        assert!(kept.len() < 4 && !kept.contains(&ids[0]) && kept.contains(&ids[3]), "{kept:?}");
        let all: u64 = recordings.ids().unwrap().iter().map(|(_, bytes)| bytes).sum();
        assert!(all <= 5_000, "{all}");
    }
}

//! The janitor: removes what isn't kept any more, in small commits with pauses between them, on one server at a time. What
//! stands (the inventory), what was paid (ledgers) and who did what (the audit log) it never touches.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use windlass_api::auth::kept::{Kept, Kind, PLATFORM};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    time::{format_duration_ms, parse_duration_ms},
};

use crate::config::RetentionSettings;

/// For how long a server has the turn without saying so again.
const TURN_MS: i64 = 60_000;

/// Whose turn it is, and what came of the last one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnBody {
    /// Who has the turn: a word of the process's own.
    pub holder: String,
    /// Until when.
    pub until_ms: i64,
    /// When the last one began.
    pub began_at_ms: i64,
    /// When it was done.
    pub done_at_ms: Option<i64>,
    /// What it removed.
    pub removed: Removed,
}

impl Kind for TurnBody {
    const KIND: &'static str = "janitor";
}

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Removed {
    /// Runs, with all that is theirs.
    pub runs: u64,
    /// Artifacts.
    pub artifacts: u64,
    /// Documents that had expired.
    pub documents: u64,
    /// Recordings of consoles.
    pub recordings: u64,
    /// The longest commit, in milliseconds.
    pub longest_ms: u64,
}

/// The settings, read.
#[derive(Clone, Debug)]
pub struct Policy {
    artifacts_ms: Option<i64>,
    artifacts_bytes: Option<i64>,
    recordings_ms: Option<i64>,
    every: Duration,
    batch: u32,
    pause: Duration,
    recordings: PathBuf,
}

impl Policy {
    /// Fails when a setting can't be meant.
    pub fn read(settings: &RetentionSettings, recordings: PathBuf) -> Result<Self, Problem> {
        let wrong = |key: &str, why: String| Problem::new(Code::Configuration, format!("`retention.{key}`: {why}"));
        let ms = |key: &str, text: &str| parse_duration_ms(text).map_err(|error| wrong(key, error.to_string()));
        let some = |key: &str, text: &str| (!text.is_empty()).then(|| ms(key, text)).transpose();
        if !(1..=1_000).contains(&settings.batch) {
            return Err(wrong("batch", "1 to 1000".into()));
        }
        let every_ms = ms("every", &settings.every)?.max(1_000);
        Ok(Self {
            artifacts_ms: some("artifacts", &settings.artifacts)?,
            artifacts_bytes: i64::try_from(settings.artifacts_bytes).ok().filter(|bytes| *bytes > 0),
            recordings_ms: some("recordings", &settings.recordings)?,
            every: Duration::from_millis(every_ms.unsigned_abs()),
            batch: settings.batch,
            pause: Duration::from_millis(settings.pause_ms.min(10_000)),
            recordings,
        })
    }

    /// For people, in a line.
    pub fn words(&self) -> String {
        let after = |what: &str, ms: Option<i64>| ms.map(|ms| format!("{what} {}, ", format_duration_ms(ms)));
        let parts = [after("artifacts", self.artifacts_ms), after("recordings", self.recordings_ms)];
        let parts: String = parts.into_iter().flatten().collect();
        format!("{parts}looked at every {}", format_duration_ms(i64::try_from(self.every.as_millis()).unwrap_or(0)))
    }

    /// What would go now, as JSON.
    pub fn plan(&self, engine: &Engine) -> Result<serde_json::Value, Problem> {
        let now_ms = engine.now_ms();
        let counts = engine.retention(self.artifacts_ms.map(|ms| now_ms - ms), self.artifacts_bytes)?;
        let (files, bytes) = self.old_recordings();
        let mut plan = serde_json::json!(counts);
        plan["recordings"] = files.len().into();
        plan["recording_bytes"] = bytes.into();
        Ok(plan)
    }

    /// Recordings that are too old, and their bytes.
    fn old_recordings(&self) -> (Vec<PathBuf>, u64) {
        let Some(ms) = self.recordings_ms else { return Default::default() };
        let before = SystemTime::now().checked_sub(Duration::from_millis(ms.unsigned_abs()));
        let (mut old, mut bytes) = (Vec::new(), 0);
        let Ok(entries) = fs::read_dir(&self.recordings) else { return (old, bytes) };
        for entry in entries.flatten() {
            // One that is being made is written to.
            let Ok(about) = entry.metadata() else { continue };
            let is_old = about.modified().ok().zip(before).is_some_and(|(at, before)| at < before);
            if about.is_file() && is_old && is_recording(&entry.path()) {
                bytes += about.len();
                old.push(entry.path());
            }
        }
        (old, bytes)
    }

    /// Removes what isn't kept any more in the database. `pause` waits between commits; false: go no further.
    pub fn clean(&self, engine: &Engine, pause: &mut dyn FnMut(&Removed) -> bool) -> Result<Removed, Problem> {
        let mut removed = Removed::default();
        let before_ms = self.artifacts_ms.map(|ms| engine.now_ms() - ms);
        type Step<'a> = (&'a dyn Fn() -> Result<Option<u64>, Problem>, fn(&mut Removed) -> &mut u64);
        let documents = || engine.prune_documents(self.batch).map(Some);
        let artifacts = || match (before_ms, self.artifacts_bytes) {
            (None, None) => Ok(Some(0)),
            (before_ms, bytes) => engine.prune_artifacts(before_ms, bytes, self.batch).map(Some),
        };
        // A large run goes in several commits, and others take their turn between them, too.
        let runs = || engine.prune_once(self.batch);
        let steps: [Step<'_>; 3] = [
            (&documents, |removed| &mut removed.documents),
            (&artifacts, |removed| &mut removed.artifacts),
            (&runs, |removed| &mut removed.runs),
        ];
        for (step, counter) in steps {
            loop {
                let began = Instant::now();
                let count = step()?;
                removed.longest_ms = removed.longest_ms.max(u64::try_from(began.elapsed().as_millis()).unwrap_or(0));
                *counter(&mut removed) += count.unwrap_or(0);
                if count == Some(0) {
                    break;
                }
                if !pause(&removed) {
                    return Ok(removed);
                }
            }
        }
        Ok(removed)
    }

    /// Removes recordings that are too old; how many. They are files of this server, so that each cleans its own.
    pub fn clean_recordings(&self) -> u64 {
        let mut removed = 0;
        for file in self.old_recordings().0 {
            match fs::remove_file(&file) {
                Ok(()) => removed += 1,
                Err(error) => tracing::warn!(%error, file = %file.display(), "a recording can't be removed"),
            }
        }
        removed
    }
}

fn is_recording(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cast")
}

/// The thread, until this is dropped.
pub struct Janitor {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Janitor {
    /// Looks from time to time.
    pub fn start(engine: Engine, settings: &RetentionSettings, recordings: PathBuf) -> Result<Self, Problem> {
        let policy = Policy::read(settings, recordings)?;
        let (stop, stopped) = channel::<()>();
        let holder = format!("{:032x}", rand::random::<u128>());
        let thread = std::thread::Builder::new()
            .name("janitor".into())
            .spawn(move || work(&engine, &policy, &holder, &stopped))
            .map_err(|error| Problem::new(Code::System, format!("no thread for the janitor: {error}")))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

fn work(engine: &Engine, policy: &Policy, holder: &str, stopped: &Receiver<()>) {
    let goes_on = |wait| matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
    // Not in the first moment, in which a server has other things to do; and the servers of a database not all at once.
    let mut wait = Duration::from_millis(1_000 + u64::from(rand::random::<u16>() % 1_000)).min(policy.every);
    while goes_on(wait) {
        wait = policy.every;
        let turn = turn(engine, policy, holder, &mut || goes_on(policy.pause));
        if !matches!(turn, Ok(Some(_))) {
            policy.clean_recordings();
        }
        match turn {
            Ok(Some(removed)) if removed != Removed::default() => {
                let Removed { runs, artifacts, documents, recordings, longest_ms } = removed;
                tracing::info!(runs, artifacts, documents, recordings, longest_ms, "removed what isn't kept any more");
            }
            Ok(_) => {}
            // Another server took the turn meanwhile.
            Err(problem) if problem.code == Code::Conflict => {}
            Err(problem) => tracing::warn!(%problem, "what isn't kept any more can't be removed"),
        }
    }
}

/// One turn, if it is anybody's: what it removed.
pub fn turn(
    engine: &Engine,
    policy: &Policy,
    holder: &str,
    pause: &mut dyn FnMut() -> bool,
) -> Result<Option<Removed>, Problem> {
    let now_ms = engine.now_ms();
    let found = Kept::<TurnBody>::find(engine, "retention")?;
    let mut turn = found.unwrap_or_else(|| Kept::new("retention", PLATFORM, TurnBody::default()));
    let every_ms = i64::try_from(policy.every.as_millis()).unwrap_or(i64::MAX);
    let is_due = turn.body.began_at_ms.saturating_add(every_ms / 2) <= now_ms;
    if turn.body.until_ms > now_ms || !is_due {
        return Ok(None);
    }
    let fresh =
        TurnBody { holder: holder.to_owned(), until_ms: now_ms + TURN_MS, began_at_ms: now_ms, ..TurnBody::default() };
    turn.body = fresh;
    keep(engine, &mut turn)?;
    let mut lost = None;
    let mut removed = policy.clean(engine, &mut |_| {
        if turn.body.until_ms - engine.now_ms() < TURN_MS / 2 {
            turn.body.until_ms = engine.now_ms() + TURN_MS;
            lost = keep(engine, &mut turn).err();
        }
        lost.is_none() && pause()
    })?;
    if let Some(problem) = lost {
        return Err(problem);
    }
    removed.recordings = policy.clean_recordings();
    turn.body.until_ms = 0;
    turn.body.done_at_ms = Some(engine.now_ms());
    turn.body.removed = removed;
    keep(engine, &mut turn)?;
    Ok(Some(removed))
}

fn keep(engine: &Engine, turn: &mut Kept<TurnBody>) -> Result<(), Problem> {
    let versions = engine.change(vec![turn.put()?])?;
    turn.version = versions.first().copied().unwrap_or(turn.version + 1);
    Ok(())
}

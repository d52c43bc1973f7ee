//! Watching the folder: whatever an editor does (rename and replace, delete, write in pieces, many at once), the folder is
//! looked at as a whole once it has been quiet for a moment; and now and then in any case.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use windlass_model::{Code, Problem, RunId};

use super::{Author, Versions};

/// How long the folder has to be quiet.
const QUIET: Duration = Duration::from_millis(150);
/// How long an unquiet folder is waited for.
const AT_MOST: Duration = Duration::from_secs(2);
/// How often to look without being told: for folders that were replaced, and file systems that tell nothing.
const ANYWAY: Duration = Duration::from_secs(5);

/// How long to wait for news of other servers before looking whether this one ends.
const NEWS: Duration = Duration::from_millis(250);
/// Pause after news: many commits in a row are looked at together.
const PAUSE: Duration = Duration::from_millis(50);
/// What stands in the place of a run in events of none, and counts them.
const SYSTEM: &str = "system";

enum Told {
    Changed,
    End,
}

/// A folder that is watched, and other servers that are listened to, until this value is dropped.
pub struct Watching {
    tell: mpsc::Sender<Told>,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watching {
    /// Watches a folder from now on.
    pub fn start(folder: &Path, versions: Arc<Versions>) -> Result<Self, Problem> {
        let (tell, told) = mpsc::channel();
        let end = Arc::new(AtomicBool::new(false));
        let mut watching = Self { tell: tell.clone(), end: end.clone(), threads: Vec::new() };
        let (folder, listening) = (folder.to_owned(), versions.clone());
        watching.spawn("workflows", move || {
            let mut watcher = None;
            while changed(&told, &mut watcher, || watch(&folder, tell.clone())) {
                if let Err(problem) = versions.rescan(&Author::file()) {
                    tracing::error!(%problem, "the folder of workflows can't be looked at");
                }
            }
        })?;
        watching.spawn("versions", move || {
            if let Err(problem) = listen(&listening, &end) {
                tracing::error!(%problem, "versions of other servers are learnt of late");
            }
        })?;
        Ok(watching)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Problem> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        let none = |error| Problem::new(Code::System, format!("no thread to watch files: {error}"));
        self.threads.push(thread.map_err(none)?);
        Ok(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // A thread that has ended doesn't listen.
        let _ = self.tell.send(Told::End);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Takes over what other servers put in use, until the end. The rescans do so too, only later.
fn listen(versions: &Versions, end: &AtomicBool) -> Result<(), Problem> {
    let engine = versions.engine()?;
    let mut news = engine.watch(&RunId::from(SYSTEM));
    let mut known = None;
    while !end.load(Ordering::Relaxed) {
        match engine.document("counter", SYSTEM).map(|counter| counter.map(|counter| counter.version)) {
            Ok(count) if count != known => match versions.refresh() {
                Ok(()) => known = count,
                Err(problem) => tracing::warn!(%problem, "versions can't be read"),
            },
            Ok(_) => {}
            Err(problem) => tracing::debug!(%problem, "there is no news of versions"),
        }
        std::thread::sleep(PAUSE);
        while !news.wait(NEWS) && !end.load(Ordering::Relaxed) {}
    }
    Ok(())
}

fn watch(folder: &Path, tell: mpsc::Sender<Told>) -> Option<RecommendedWatcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        // Reading is no change; an error may hide one.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        let _ = tell.send(Told::Changed);
    };
    let watching = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    let said = "changes of workflows aren't told by the system; they are looked for now and then";
    watching.inspect_err(|error| tracing::debug!(%error, "{said}")).ok()
}

/// Waits for a change that is over, or for the time to look anyway; false at the end.
fn changed(
    told: &mpsc::Receiver<Told>,
    watcher: &mut Option<RecommendedWatcher>,
    watch: impl FnOnce() -> Option<RecommendedWatcher>,
) -> bool {
    if watcher.is_none() {
        *watcher = watch();
    }
    match told.recv_timeout(ANYWAY) {
        Ok(Told::End) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            // The folder itself may be another one by now: it is watched anew.
            *watcher = None;
            return true;
        }
        Ok(Told::Changed) => {}
    }
    let began = Instant::now();
    while began.elapsed() < AT_MOST {
        match told.recv_timeout(QUIET) {
            Ok(Told::Changed) => {}
            Ok(Told::End) => return false,
            Err(_) => break,
        }
    }
    true
}

//! Watching the folder: whatever an editor does (rename and replace, delete, write in pieces, many at once), the folder is
//! looked at as a whole once it has been quiet for a moment; and now and then in any case.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use windlass_model::{Code, Problem};

use super::{Author, Versions};

/// How long the folder has to be quiet.
const QUIET: Duration = Duration::from_millis(150);
/// How long an unquiet folder is waited for.
const AT_MOST: Duration = Duration::from_secs(2);
/// How often to look without being told: for folders that were replaced, and file systems that tell nothing.
const ANYWAY: Duration = Duration::from_secs(5);

enum Told {
    Changed,
    End,
}

/// A folder that is watched until this value is dropped.
pub struct Watching {
    tell: mpsc::Sender<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Watches a folder from now on.
    pub fn start(folder: &Path, versions: Arc<Versions>) -> Result<Self, Problem> {
        let (tell, told) = mpsc::channel();
        let (folder, teller) = (folder.to_owned(), tell.clone());
        let thread = std::thread::Builder::new().name("workflows".into()).spawn(move || {
            let mut watcher = None;
            while changed(&told, &mut watcher, || watch(&folder, teller.clone())) {
                if let Err(problem) = versions.rescan(&Author::file()) {
                    tracing::error!(%problem, "the folder of workflows can't be looked at");
                }
            }
        });
        let thread =
            thread.map_err(|error| Problem::new(Code::System, format!("no thread to watch files: {error}")))?;
        Ok(Self { tell, thread: Some(thread) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // A thread that has ended doesn't listen.
        let _ = self.tell.send(Told::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
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

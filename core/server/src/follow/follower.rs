//! Reads a run's events as they come, and shows them until the run ends, waits, or is let go.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    time::{Duration, Instant},
};

use windlass_model::{Event, EventKind, Problem, RunId, RunState, WaitReason, query::RunRecord};

use super::{Picture, live::Live, plain};
use crate::{desk::Desk, interrupt::Interrupt, render};

/// Events read at once.
const PAGE: u32 = 500;
/// A run that goes on sooner needs nobody's help.
const HINT_AFTER: Duration = Duration::from_secs(1);
/// How often to look whether the process that executes the runs is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A tree that redraws itself.
    Live,
    /// One line an event.
    Plain,
    /// One JSON object an event.
    Json,
}

/// How to follow.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// How to show it.
    pub mode: Mode,
    /// Number of the last event that is known already.
    pub after: i64,
    /// Stop as soon as the run waits for a person or a timer.
    pub no_wait: bool,
}

/// Why following ended.
pub enum Followed {
    /// The run is over, or stuck in its undo.
    Ended(RunRecord),
    /// It waits, and nobody waits with it.
    Waits(RunRecord),
    /// The user let go; the number of the signal.
    LetGo(i32),
}

/// Shows a run until it ends, waits (`no_wait`), or is let go.
pub fn follow(
    desk: &mut dyn Desk,
    run: &RunId,
    following: Following,
    interrupt: &Interrupt,
) -> Result<Followed, Problem> {
    let mut view = View::new(following.mode);
    let mut after = following.after;
    let mut looked = Instant::now();
    let mut watcher = desk.watch(run, after);
    let ended = loop {
        // The record first: what it tells is then in the events that are read after it.
        let record = desk.require(run)?;
        loop {
            let events = desk.events(run, after, PAGE)?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in &events {
                view.show(event);
            }
        }
        if record.state.is_ended() || record.state == RunState::RollbackStuck {
            break Followed::Ended(record);
        }
        if following.no_wait && waits_for_long(&record) {
            break Followed::Waits(record);
        }
        if let Some(signal) = interrupt.caught() {
            break Followed::LetGo(signal);
        }
        view.draw(desk.now_ms(), &hints(&record));
        watcher.wait(if following.mode == Mode::Live { Duration::from_millis(90) } else { Duration::from_millis(150) });
        if looked.elapsed() >= LOOK_EVERY {
            looked = Instant::now();
            if desk.try_take_over()? {
                watcher = desk.watch(run, after);
                view.tell("the process that executed this run is gone: this one goes on with it");
            }
        }
    };
    view.finish(desk.now_ms());
    Ok(ended)
}

fn waits_for_long(record: &RunRecord) -> bool {
    use WaitReason as Reason;
    let long = [Reason::Timer, Reason::Signal, Reason::Approval, Reason::InDoubt, Reason::Parked];
    record.state == RunState::Waiting && record.waiting_on.iter().any(|reason| long.contains(reason))
}

/// Where the name of a signal stands.
const SIGNAL: &str = "NAME";

/// What a person can do about what the run waits for.
pub fn hints(record: &RunRecord) -> Vec<String> {
    let run = &record.id;
    let hints_of = |reason: &WaitReason| match reason {
        WaitReason::Approval => vec![format!("windlass runs approve {run}"), format!("windlass runs deny {run}")],
        WaitReason::Signal => vec![format!("windlass runs signal {run} {SIGNAL} [--payload JSON]")],
        WaitReason::InDoubt => vec![format!("windlass runs resolve {run} STEP --perform|--fail|--happened")],
        WaitReason::Parked => vec![format!("windlass runs unpark {run}")],
        _ => Vec::new(),
    };
    let hints = match record.state {
        RunState::Waiting => record.waiting_on.iter().flat_map(hints_of).collect(),
        RunState::RollbackStuck => vec![format!("windlass runs unstick {run} --retry|--skip|--adopt")],
        _ => Vec::new(),
    };
    hints.iter().map(|hint| render::as_called(hint)).collect()
}

/// Where events go.
struct View {
    mode: Mode,
    picture: Picture,
    live: Option<Live>,
    /// Steps that wait for a person; for which signal, if it is for one.
    asked: BTreeMap<String, Option<String>>,
    /// What was hinted at last.
    hinted: Vec<String>,
    /// When something last happened.
    happened: Instant,
}

impl View {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            picture: Picture::default(),
            live: (mode == Mode::Live).then(Live::new),
            asked: BTreeMap::new(),
            hinted: Vec::new(),
            happened: Instant::now(),
        }
    }

    // A reader that went away (`| head`) doesn't end the run: what can't be written is dropped.
    fn show(&mut self, event: &Event) {
        self.picture.add(event);
        self.happened = Instant::now();
        if let Some(path) = &event.path {
            let wait = &event.data["wait"];
            match (event.kind, wait["wait"].as_str()) {
                (EventKind::StepWaiting, Some("signal")) => {
                    self.asked.insert(path.clone(), wait["name"].as_str().map(str::to_owned));
                }
                (EventKind::StepWaiting, Some("approval")) => drop(self.asked.insert(path.clone(), None)),
                // The next wait may be for the same again.
                (EventKind::StepSucceeded | EventKind::StepFailed, _) if self.asked.remove(path).is_some() => {
                    self.hinted.clear();
                }
                _ => {}
            }
        }
        let line = match self.mode {
            Mode::Json => serde_json::to_string(event).ok(),
            Mode::Plain => plain::line(event, self.picture.began_at_ms),
            Mode::Live => None,
        };
        if let Some(line) = line {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }

    fn draw(&mut self, now_ms: i64, hints: &[String]) {
        let hints: Vec<String> = hints.iter().flat_map(|hint| self.named(hint)).collect();
        match &mut self.live {
            Some(live) => drop(live.draw(&self.picture, now_ms, &hints)),
            None => self.unsaid(hints).iter().for_each(|hint| self.tell(hint)),
        }
    }

    /// Hints that are to be printed: once, and none about what is over in a moment.
    fn unsaid(&mut self, mut hints: Vec<String>) -> Vec<String> {
        if hints.is_empty() || self.happened.elapsed() < HINT_AFTER {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.hinted, hints.clone());
        hints.retain(|hint| !before.contains(hint));
        hints
    }

    /// A hint for each signal that is waited for, in place of one that leaves its name open.
    fn named(&self, hint: &str) -> Vec<String> {
        let open = format!(" {SIGNAL} [");
        let names: BTreeSet<&String> = self.asked.values().flatten().collect();
        if names.is_empty() || !hint.contains(&open) {
            return vec![hint.to_owned()];
        }
        names.into_iter().map(|name| hint.replace(&open, &format!(" {} [", render::quote(name)))).collect()
    }

    fn tell(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    fn finish(&mut self, now_ms: i64) {
        if let Some(live) = &mut self.live {
            let _ = live.finish(&self.picture, now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: EventKind, path: &str, data: serde_json::Value) -> Event {
        Event { run: "r".into(), seq: 1, at_ms: 0, kind, path: Some(path.to_owned()), data }
    }

    #[test]
    fn what_a_person_may_do_is_printed_once_by_name_and_not_while_the_run_goes_on_by_itself() {
        let mut view = View::new(Mode::Json);
        let hint = "windlass runs signal r NAME [--payload JSON]";
        assert_eq!(view.named(hint), [hint]);
        for (path, name) in [("3/b0/1", "claim/a b"), ("3/b1/1", "go")] {
            let wait = json!({ "op": "wait_signal", "wait": { "wait": "signal", "name": name } });
            view.show(&event(EventKind::StepWaiting, path, wait));
        }
        let both =
            ["windlass runs signal r 'claim/a b' [--payload JSON]", "windlass runs signal r go [--payload JSON]"];
        assert_eq!(view.named(hint), both);
        view.show(&event(EventKind::StepSucceeded, "3/b0/1", json!({ "op": "wait_signal" })));
        assert_eq!(view.named(hint), both[1..]);

        let hints = || vec![both[1].to_owned()];
        assert!(view.unsaid(hints()).is_empty(), "something has just happened");
        view.happened = Instant::now().checked_sub(HINT_AFTER).unwrap();
        assert_eq!(view.unsaid(hints()), hints());
        assert!(view.unsaid(hints()).is_empty(), "it was printed");
        // Nobody is asked for a moment, as where others of its branches go on.
        assert!(view.unsaid(Vec::new()).is_empty());
        assert!(view.unsaid(hints()).is_empty(), "it is the same wait");
        view.show(&event(EventKind::StepSucceeded, "3/b1/1", json!({ "op": "wait_signal" })));
        view.happened = Instant::now().checked_sub(HINT_AFTER).unwrap();
        assert_eq!(view.unsaid(hints()), hints(), "it is waited for once more");
    }
}

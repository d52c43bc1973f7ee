//! Reads a run's events as they come, and shows them until the run ends, waits, or is let go.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use windlass_model::{Problem, RunId, RunState, WaitReason, query::RunRecord};

use super::{Picture, live::Live, plain};
use crate::{desk::Desk, interrupt::Interrupt, render};

/// Events read at once.
const PAGE: u32 = 500;
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

/// What a person can do about what the run waits for.
pub fn hints(record: &RunRecord) -> Vec<String> {
    let run = &record.id;
    let hints_of = |reason: &WaitReason| match reason {
        WaitReason::Approval => vec![format!("windlass runs approve {run}"), format!("windlass runs deny {run}")],
        WaitReason::Signal => vec![format!("windlass runs signal {run} NAME [--payload JSON]")],
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
    hinted: Vec<String>,
}

impl View {
    fn new(mode: Mode) -> Self {
        Self { mode, picture: Picture::default(), live: (mode == Mode::Live).then(Live::new), hinted: Vec::new() }
    }

    // A reader that went away (`| head`) doesn't end the run: what can't be written is dropped.
    fn show(&mut self, event: &windlass_model::Event) {
        self.picture.add(event);
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
        match &mut self.live {
            Some(live) => drop(live.draw(&self.picture, now_ms, hints)),
            None => {
                for hint in hints.iter().filter(|hint| !self.hinted.contains(hint)) {
                    let _ = writeln!(std::io::stderr(), "{hint}");
                }
                self.hinted = hints.to_vec();
            }
        }
    }

    fn tell(&mut self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    fn finish(&mut self, now_ms: i64) {
        if let Some(live) = &mut self.live {
            let _ = live.finish(&self.picture, now_ms);
        }
    }
}

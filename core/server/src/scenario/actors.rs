//! The people of a scenario: they send signals and decide, when their time has come and nothing else can happen.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use windlass_engine::{Engine, Time};
use windlass_model::{Problem, RunId, query::ApprovalRecord, wait::Decision};
use windlass_script::scenario::{PlannedDecision, PlannedSignal, ScenarioPlan};

use super::crash::CrashingRunner;

/// What the people still want to do.
pub struct Actors {
    state: Mutex<State>,
    idle: AtomicBool,
    runner: Arc<CrashingRunner>,
}

struct State {
    engine: Option<Engine>,
    run: Option<(RunId, i64)>,
    signals: Vec<PlannedSignal>,
    decisions: Vec<PlannedDecision>,
    /// What they have done.
    acts: usize,
}

enum Next {
    Signal(usize, i64),
    Decision(usize, i64, Box<ApprovalRecord>),
}

impl Actors {
    /// The people of this plan.
    pub fn new(plan: &ScenarioPlan, runner: Arc<CrashingRunner>) -> Self {
        let (signals, decisions) = (plan.signals.clone(), plan.decisions.clone());
        let state = State { engine: None, run: None, signals, decisions, acts: 0 };
        Self { state: Mutex::new(state), idle: AtomicBool::new(false), runner }
    }

    /// From now on they act through this engine, whenever its clock would jump; `None`: not at all.
    pub fn enter(self: &Arc<Self>, time: &Time, engine: Option<Engine>) {
        {
            let mut state = self.state.lock();
            state.engine = engine;
            self.idle.store(false, Ordering::Release);
        }
        if let Time::Virtual(clock) = time {
            let (actors, clock_of_hook) = (self.clone(), Arc::downgrade(clock));
            clock.on_idle(Arc::new(move |next_due_ms| {
                let advance = |at_ms| {
                    if let Some(clock) = clock_of_hook.upgrade() {
                        clock.advance_to(at_ms);
                    }
                };
                actors.act(next_due_ms, advance).unwrap_or_else(|problem| {
                    tracing::warn!(%problem, "a planned signal or decision was refused");
                    true
                })
            }));
        }
    }

    /// The run that they act on; times count from now.
    pub fn launched(&self, engine: &Engine, run: &RunId) -> Result<(), Problem> {
        let launched_at_ms = engine.require(run)?.launched_at_ms;
        self.state.lock().run = Some((run.clone(), launched_at_ms));
        Ok(())
    }

    /// Whether the run waits for something that the plan doesn't bring.
    pub fn have_nothing_to_do(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }

    /// How much they have done.
    pub fn acts(&self) -> usize {
        self.state.lock().acts
    }

    /// Whether they are about to do something: the clock may not have asked them since the run came to wait for it.
    pub fn are_wanted(&self) -> Result<bool, Problem> {
        let state = self.state.lock();
        let Some(engine) = &state.engine else { return Ok(false) };
        let open = engine.approvals(None, true)?;
        let decides = |decision: &PlannedDecision| open.iter().any(|approval| fits(decision, approval));
        Ok(!state.signals.is_empty() || state.decisions.iter().any(decides))
    }

    /// Does the next thing that is due before `next_due_ms`; whether there was one.
    fn act(&self, next_due_ms: Option<i64>, advance: impl Fn(i64)) -> Result<bool, Problem> {
        let mut state = self.state.lock();
        // An exclusive claim ends at the end of time: a run is being taken up, or was left by a dead process.
        let frozen = self.runner.is_dead() || next_due_ms == Some(i64::MAX);
        let known = state.engine.clone().zip(state.run.clone());
        let Some((engine, (run, launched_at_ms))) = known.filter(|_| !frozen) else {
            // Before the launch and between two lives the clock stands still.
            drop(state);
            std::thread::yield_now();
            return Ok(true);
        };
        let open = engine.approvals(None, true)?;
        let signals = state.signals.iter().enumerate().map(|(index, signal)| Next::Signal(index, signal.at_ms));
        let decisions = state.decisions.iter().enumerate().filter_map(|(index, decision)| {
            let approval = open.iter().find(|approval| fits(decision, approval))?;
            Some(Next::Decision(index, decision.at_ms, Box::new(approval.clone())))
        });
        let Some(next) = signals.chain(decisions).min_by_key(|next| match next {
            Next::Signal(_, at_ms) | Next::Decision(_, at_ms, _) => *at_ms,
        }) else {
            self.idle.store(next_due_ms.is_none(), Ordering::Release);
            return Ok(false);
        };
        let (Next::Signal(_, at_ms) | Next::Decision(_, at_ms, _)) = &next;
        let at_ms = launched_at_ms.saturating_add(*at_ms);
        if next_due_ms.is_some_and(|due_ms| due_ms < at_ms) {
            return Ok(false);
        }
        advance(at_ms);
        state.acts += 1;
        match next {
            Next::Signal(index, _) => {
                let signal = state.signals.remove(index);
                engine.signal(&run, &signal.name, signal.payload, "tester", None)?;
            }
            Next::Decision(index, _, approval) => {
                let planned = state.decisions.remove(index);
                let decision = Decision {
                    by: planned.by,
                    approved: planned.approved,
                    comment: planned.comment,
                    form: planned.form,
                    digest: approval.request.digest.clone(),
                };
                engine.decide(&approval.run, Some(&approval.path), decision)?;
            }
        }
        Ok(true)
    }
}

fn fits(decision: &PlannedDecision, approval: &ApprovalRecord) -> bool {
    let matching = &decision.matching;
    let already = approval.decisions.iter().any(|other| other.by == decision.by);
    !already && (approval.request.title.contains(matching.as_str()) || approval.path.to_string() == *matching)
}

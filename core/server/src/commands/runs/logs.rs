//! `windlass runs logs` and `windlass runs events`

use std::time::Duration;

use windlass_model::{Event, EventKind, Problem, RunState};

use crate::{context::Context, desk::Desk, exit::Exit, follow, interrupt::Interrupt};

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The run, or the beginning of its id
    run: String,
    /// Go on until the run ends
    #[arg(long, short)]
    follow: bool,
    /// Only lines in which this text occurs, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only lines at least as grave as this
    #[arg(long, value_parser = LEVELS)]
    level: Option<String>,
}

/// From the least grave to the gravest.
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub struct EventArgs {
    /// The run, or the beginning of its id
    run: String,
    /// Only events after this number
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// Go on until the run ends
    #[arg(long, short)]
    follow: bool,
}

/// `windlass runs logs`
pub fn logs(args: &LogArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    each(&args.run, 0, args.follow, desk, |event, began_at_ms| {
        if event.kind == EventKind::Log && wanted(args, event) {
            show(context, event, began_at_ms);
        }
    })
}

fn wanted(args: &LogArgs, event: &Event) -> bool {
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    let level = event.data["level"].as_str().unwrap_or("info");
    let grave = args.level.as_deref().is_none_or(|least| rank(level) >= rank(least));
    let Some(search) = args.search.as_deref().map(str::to_lowercase).filter(|_| grave) else { return grave };
    let mut text = event.data["message"].as_str().unwrap_or_default().to_owned();
    for (name, value) in event.data["fields"].as_object().into_iter().flatten() {
        text.push_str(&format!("  {name}={value}"));
    }
    text.to_lowercase().contains(&search)
}

/// `windlass runs events`
pub fn events(args: &EventArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    each(&args.run, args.after, args.follow, desk, |event, began_at_ms| show(context, event, began_at_ms))
}

fn show(context: &Context, event: &Event, began_at_ms: i64) {
    if context.global.json {
        context.line(&serde_json::to_string(event).unwrap_or_default());
    } else if let Some(line) = follow::line(event, began_at_ms) {
        context.line(&line);
    }
}

fn each(
    part: &str,
    mut after: i64,
    to_the_end: bool,
    desk: &dyn Desk,
    mut show: impl FnMut(&Event, i64),
) -> Result<Exit, Problem> {
    let engine = desk;
    let run = engine.find(part)?.id;
    let interrupt = Interrupt::listen(&desk.runtime())?;
    let mut watcher = engine.watch(&run, after);
    loop {
        let record = engine.require(&run)?;
        loop {
            let events = engine.events(&run, after, 1_000)?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            events.iter().for_each(|event| show(event, record.launched_at_ms));
        }
        let ended = record.state.is_ended() || record.state == RunState::RollbackStuck;
        if ended || !to_the_end || interrupt.caught().is_some() {
            return Ok(Exit::Success);
        }
        watcher.wait(Duration::from_millis(200));
    }
}

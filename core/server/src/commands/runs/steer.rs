//! `windlass runs cancel|signal|resolve|retry|stick|unstick|unpark`: one command to the engine each.

use serde_json::Value;
use windlass_model::{Code, Problem, StepPath, undo::StuckAction, wait::Resolution};

use super::written;
use crate::{commands::input, context::Context, desk::Desk, exit::Exit};

/// A run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The run, or the beginning of its id
    run: String,
}

/// Arguments of `cancel` and `stick`.
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The run, or the beginning of its id
    run: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Arguments of `signal`.
#[derive(Debug, clap::Args)]
pub struct SignalArgs {
    /// The run, or the beginning of its id
    run: String,
    /// The signal's name
    name: String,
    /// JSON that the run gets; `-` for standard input
    #[arg(long, default_value = "null")]
    payload: String,
    /// A second delivery with the same id is dropped
    #[arg(long)]
    id: Option<String>,
}

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("word").required(true).args(["happened", "perform", "fail"]))]
pub struct ResolveArgs {
    /// The run, or the beginning of its id
    run: String,
    /// The step: 12, 7/b1/3
    step: String,
    /// It happened, with this result (JSON)
    #[arg(long, value_name = "RESULT", num_args = 0..=1, default_missing_value = "null")]
    happened: Option<String>,
    /// It didn't happen: do it
    #[arg(long)]
    perform: bool,
    /// Fail the step
    #[arg(long)]
    fail: bool,
}

/// Arguments of `unstick`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("action").required(true).args(["retry", "skip", "adopt"]))]
pub struct UnstickArgs {
    /// The run, or the beginning of its id
    run: String,
    /// Try the failed undo again
    #[arg(long)]
    retry: bool,
    /// Leave what it would have removed; it stays in the inventory
    #[arg(long)]
    skip: bool,
    /// Leave it: it is somebody else's from now on
    #[arg(long)]
    adopt: bool,
}

/// `windlass runs cancel`
pub fn cancel(args: &CancelArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    desk.cancel(&run, &context.who(), args.reason.clone())?;
    written(context, desk, &run, "its end is asked for")
}

/// `windlass runs signal`
pub fn signal(args: &SignalArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let text = if args.payload == "-" { input::read_stdin()? } else { args.payload.clone() };
    // A bare word is what people type: it is text.
    let payload: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) if !text.trim_start().starts_with(['{', '[', '"']) => text.into(),
        Err(_) => input::parse("the payload", &text)?,
    };
    desk.signal(&run, &args.name, payload, &context.who(), args.id.clone())?;
    written(context, desk, &run, &format!("the signal `{}` is sent", args.name))
}

/// `windlass runs resolve`
pub fn resolve(args: &ResolveArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let path = step(&args.step)?;
    let resolution = match &args.happened {
        Some(result) => Resolution::Happened { result: input::parse("the result", result)? },
        None if args.perform => Resolution::Perform,
        None => Resolution::Fail,
    };
    desk.resolve(&run, &path, resolution, &context.who())?;
    written(context, desk, &run, &format!("step {path} is resolved"))
}

/// `windlass runs retry`
pub fn retry(args: &RunArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let launched = desk.retry(&run, &context.who())?;
    written(context, desk, &launched.run, "launched")
}

/// `windlass runs stick`
pub fn stick(args: &CancelArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    desk.stick(&run, &context.who(), args.reason.clone())?;
    written(context, desk, &run, "its undo is stopped: say what to do about it with `windlass runs unstick`")
}

/// `windlass runs unstick`
pub fn unstick(args: &UnstickArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let (action, what) = match (args.retry, args.skip) {
        (true, _) => (StuckAction::Retry, "its undo is tried again"),
        (_, true) => (StuckAction::Skip, "the failed undo is skipped"),
        _ => (StuckAction::Adopt, "what is left is adopted"),
    };
    desk.unstick(&run, action, &context.who())?;
    written(context, desk, &run, what)
}

/// `windlass runs unpark`
pub fn unpark(args: &RunArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    desk.unpark(&run, &context.who())?;
    written(context, desk, &run, "it may go on")
}

/// A step's path from the command line.
pub(super) fn step(text: &str) -> Result<StepPath, Problem> {
    text.parse().map_err(|error: windlass_model::id::BadStepPath| Problem::new(Code::Usage, error.to_string()))
}

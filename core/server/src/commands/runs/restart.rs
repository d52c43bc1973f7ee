//! `windlass runs restart` and `windlass runs upgrade`: going on on other terms, with the verdict first.

use windlass_engine::Verdict;
use windlass_model::{Code, Problem, StepPath};

use super::written;
use crate::{context::Context, desk::Desk, exit::Exit};

/// Arguments of `restart`.
#[derive(Debug, clap::Args)]
pub struct RestartArgs {
    /// The run, or the beginning of its id
    run: String,
    /// From this step of the run's own lane instead of the failed one: it and all after it are performed again
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// On the scripts as they are now, instead of those it was launched with
    #[arg(long)]
    current: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `upgrade`.
#[derive(Debug, clap::Args)]
pub struct UpgradeArgs {
    /// The run, or the beginning of its id
    run: String,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// `windlass runs restart`
pub fn restart(args: &RestartArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let from = args.from.as_deref().map(step).transpose()?;
    let restarted = desk.restart(&run, from.as_ref(), args.current, args.dry_run, &context.who())?;
    context.print(&restarted, || {
        let paths: Vec<String> = restarted.dropped.iter().map(ToString::to_string).collect();
        let twice = restarted
            .again
            .iter()
            .map(|one| format!("\n  {} {} has its effect a second time ({})", one.path, one.op, one.class.as_str()));
        format!("performed again: {}{}\n{}", paths.join(", "), twice.collect::<String>(), words(&restarted.verdict))
    });
    match restarted.verdict.is_compatible() {
        true if args.dry_run => Ok(Exit::Success),
        true => written(context, desk, &run, "is restarted"),
        false => Ok(Exit::Failure),
    }
}

fn step(text: &str) -> Result<StepPath, Problem> {
    text.parse().map_err(|_| {
        Problem::new(Code::Usage, format!("`--from {text}` isn't a step"))
            .help("`windlass runs show RUN` lists them by their numbers, such as `7`")
    })
}

/// `windlass runs upgrade`
pub fn upgrade(args: &UpgradeArgs, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    let verdict = desk.upgrade(&run, args.dry_run, &context.who())?;
    context.print(&verdict, || words(&verdict));
    match verdict.is_compatible() {
        true if args.dry_run => Ok(Exit::Success),
        true => written(context, desk, &run, "goes on with the current scripts"),
        false => Ok(Exit::Failure),
    }
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Compatible { replayed, next: Some(next) } => {
            format!("fits: {replayed} steps are answered from the record; next is {} at {}", next.op, next.site)
        }
        Verdict::Compatible { replayed, next: None } => {
            format!("fits: {replayed} steps are answered from the record")
        }
        Verdict::Diverges { divergence } => {
            let now = match &divergence.current {
                Some(call) => format!("{}{} at {}", call.op, call.args, call.site),
                None => "the end of the script".to_owned(),
            };
            let was = &divergence.recorded;
            format!(
                "diverges at step {}\n  recorded: {}{} at {}\n  now:      {now}",
                divergence.path, was.op, was.args, was.site
            )
        }
        Verdict::Fails { problem } => format!("fails before the journal's end: {}: {}", problem.code, problem.message),
    }
}

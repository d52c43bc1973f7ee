//! `windlass run`: launches a workflow (or goes on with open runs) and follows it.

use std::{
    io::IsTerminal as _,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use windlass_engine::Launch;
use windlass_model::{
    Code, Problem, RunId, RunState,
    query::{RunFilter, RunRecord},
};

use super::{input::InputArgs, next};
use crate::{
    context::Context,
    desk::{Desk, Remote},
    exit::Exit,
    follow::{self, Followed, Following, Mode},
    interrupt::Interrupt,
    rehearse,
    session::{Purpose, Session},
};

/// Runs in one of these states have something left to do.
const OPEN: &[RunState] =
    &[RunState::Queued, RunState::Running, RunState::Waiting, RunState::Cancelling, RunState::RollingBack];

/// `windlass run`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The workflow: area/name
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub workflow: Option<String>,
    #[command(flatten)]
    pub input: InputArgs,
    /// Launch only once with this key: again, it follows the run that is there
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Launch only what this plan says, at a server: refused if another version is in use, or the input differs
    #[arg(long, value_name = "ID", conflicts_with_all = ["resume", "rehearse"])]
    pub plan: Option<String>,
    /// Attach a tag to the run
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Show what would happen, and do nothing
    #[arg(long, conflicts_with_all = ["resume", "detach", "no_wait"])]
    pub rehearse: bool,
    /// Return (with exit code 3) as soon as the run waits for a person or a timer
    #[arg(long)]
    pub no_wait: bool,
    /// Launch, leave the run to a process in the background, and return
    #[arg(long, conflicts_with = "no_wait")]
    pub detach: bool,
    /// Go on with the open runs of this data folder, and follow the newest or the given one
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub resume: Option<Option<String>>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    if let Some(remote) = context.remote()? {
        return at_server(remote, args, context);
    }
    if args.workflow.is_some() {
        context.require_workflows()?;
    }
    match (&args.workflow, &args.resume) {
        (Some(workflow), _) if args.rehearse => rehearse::command(workflow, &args.input, false, context),
        (Some(workflow), _) if args.detach => detach(workflow, args, context),
        (Some(workflow), _) => attend(executing(context)?, context, args, |desk| launch(desk, workflow, args, context)),
        (None, resume) => {
            let given = resume.clone().flatten();
            attend(executing(context)?, context, args, |desk| to_resume(desk, given.as_deref()))
        }
    }
}

fn launch(desk: &dyn Desk, workflow: &str, args: &Args, context: &Context) -> Result<RunId, Problem> {
    let header = desk.workflow(workflow)?;
    let launch = Launch {
        priority: None,
        workflow: workflow.to_owned(),
        input: args.input.read(&header, &context.loaded.config.workflows)?,
        by: context.who(),
        idempotency_key: args.idempotency_key.clone(),
        tags: args.tags.clone(),
        organisation: String::new(),
    };
    let launched = desk.launch(launch, args.plan.as_deref())?;
    if launched.existing {
        context.hint(&format!("run {} was launched with this key before", launched.run));
    }
    Ok(launched.run)
}

/// The data folder, whose runs this process executes if no other does.
fn executing(context: &Context) -> Result<Box<dyn Desk>, Problem> {
    let session = context.open(Purpose::Execute)?;
    if !session.executes() {
        let holder = session.holder().map(|id| format!(" (process {id})")).unwrap_or_default();
        context.hint(&format!("another process{holder} executes the runs of this data folder; this one follows"));
    }
    Ok(Box::new(session))
}

/// The same on a server: there the runs are executed by it, and nothing has to stay behind here.
fn at_server(remote: Remote, args: &Args, context: &Context) -> Result<Exit, Problem> {
    match (&args.workflow, &args.resume) {
        (Some(workflow), _) if args.rehearse => rehearse::at_server(&remote, workflow, &args.input, false, context),
        (Some(workflow), _) if args.detach => {
            let run = launch(&remote, workflow, args, context)?;
            context.print(&serde_json::json!({ "run": run }), || run.to_string());
            Ok(Exit::Success)
        }
        (Some(workflow), _) => attend(Box::new(remote), context, args, |desk| launch(desk, workflow, args, context)),
        (None, resume) => {
            let given = resume.clone().flatten();
            attend(Box::new(remote), context, args, |desk| to_resume(desk, given.as_deref()))
        }
    }
}

/// The run to follow: the given one, else the newest that is open.
fn to_resume(desk: &dyn Desk, given: Option<&str>) -> Result<RunId, Problem> {
    if let Some(part) = given {
        return desk.find(part).map(|record| record.id);
    }
    let newest = open_runs(desk)?.into_iter().next();
    newest.map(|record| record.id).ok_or_else(|| {
        Problem::new(Code::NotFound, "no run is open in this data folder").help("`windlass runs ls` lists all runs")
    })
}

fn open_runs(desk: &dyn Desk) -> Result<Vec<RunRecord>, Problem> {
    desk.runs(&RunFilter { states: OPEN.to_vec(), limit: 1_000, ..RunFilter::default() })
}

/// Follows the run that `choose` gives, and closes the session whatever happens.
fn attend(
    mut desk: Box<dyn Desk>,
    context: &Context,
    args: &Args,
    choose: impl FnOnce(&dyn Desk) -> Result<RunId, Problem>,
) -> Result<Exit, Problem> {
    let result = choose(desk.as_ref()).and_then(|run| follow_to_the_end(desk.as_mut(), context, args, &run));
    desk.close();
    result
}

fn follow_to_the_end(desk: &mut dyn Desk, context: &Context, args: &Args, run: &RunId) -> Result<Exit, Problem> {
    let interrupt = Interrupt::listen(&desk.runtime())?;
    let mode = match (
        context.global.json,
        std::io::stdout().is_terminal() && console::Term::stdout().features().is_attended(),
    ) {
        (true, _) => Mode::Json,
        (false, true) => Mode::Live,
        (false, false) => Mode::Plain,
    };
    let following = Following { mode, after: 0, no_wait: args.no_wait };
    let mut run = run.clone();
    let followed = loop {
        let followed = follow::follow(desk, &run, following, &interrupt)?;
        match &followed {
            Followed::Ended(record) if let Some(next) = continuation(desk, record)? => run = next,
            _ => break followed,
        }
    };
    match followed {
        Followed::Ended(record) | Followed::Waits(record) => {
            next::tell(context, desk, &record)?;
            let others = open_runs(desk)?.iter().filter(|other| other.id != record.id).count();
            if others > 0 && desk.executes() {
                context.hint(&format!("{others} other runs are open: `windlass run --resume` goes on with them"));
            }
            Ok(Exit::of_run(&record))
        }
        Followed::LetGo(signal) => {
            let verb = if desk.executes() { "pauses here" } else { "goes on without you" };
            context.hint(&format!("\nrun {run} {verb}; come back with: windlass run --resume {run}"));
            Ok(if signal == libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted })
        }
    }
}

/// The run that goes on for this one (`continue_as_new`).
fn continuation(desk: &dyn Desk, record: &RunRecord) -> Result<Option<RunId>, Problem> {
    let named = record.output.as_ref().and_then(|output| output["continued_as"].as_str()).map(RunId::from);
    let Some(named) = named.filter(|_| record.state == RunState::Succeeded) else { return Ok(None) };
    // A script may give anything as its output: the other run's own record decides.
    let next = desk.run(&named)?.filter(|next| next.continues.as_ref() == Some(&record.id));
    Ok(next.map(|next| next.id))
}

/// Launches, and leaves the run to a process in the background. That joins whoever executes runs here now, which may be
/// a `windlass run` that ends with its own run, and takes over then.
fn detach(workflow: &str, args: &Args, context: &Context) -> Result<Exit, Problem> {
    let session = context.open(Purpose::Command)?;
    let launched =
        launch(&session, workflow, args, context).and_then(|run| in_background(&session, &run, context).map(|()| run));
    session.close();
    let run = launched?;
    context.print(&serde_json::json!({ "run": run }), || run.to_string());
    if !context.global.json {
        context.hint(&format!("follow it with: windlass run --resume {run}"));
    }
    Ok(Exit::Success)
}

fn in_background(session: &Session, run: &RunId, context: &Context) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::new(Code::System, format!("no process in the background: {error}"));
    let path = session.folder().detached_log();
    let log = std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    let config = &context.loaded.config;
    command.args(["run", "--resume", run.as_str(), "--data"]).arg(&config.data);
    command.arg("--workflows").arg(&config.workflows);
    if let Some(file) = &context.global.config {
        command.arg("--config").arg(file);
    }
    let errors = log.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    // It is meant to outlive this process, which ends next: nobody waits for it.
    command.spawn().map(drop).map_err(failed)
}

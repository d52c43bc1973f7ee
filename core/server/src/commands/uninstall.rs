//! `windlass uninstall`: takes the service away, and keeps what it has kept. With `--purge` that goes, too.

use std::{io::BufRead as _, path::Path};

use serde_json::json;
use windlass_model::{Code, Problem};

use super::install::report;
use crate::{
    context::Context,
    exit::Exit,
    install::{self, Hand, Layout, Mark, Record},
};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Remove the data as well: database, runs, secrets, workflows, configuration. It can't be had back
    #[arg(long)]
    purge: bool,
    /// This machine's instance id, for --purge without a question
    #[arg(long, value_name = "ID", requires = "purge")]
    confirm: Option<String>,
    /// Change nothing; print every file and command
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let layout = Layout::new(Path::new("/"));
    let record = Record::require(&layout)?;
    if !args.dry_run && !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(Code::PermissionDenied, "this takes root").help("`sudo windlass …`"));
    }
    let _alone = if args.dry_run { None } else { Some(install::alone()?) };
    if args.purge && !args.dry_run {
        confirm(args, context)?;
    }
    let mut hand = Hand::new(&layout, record, args.dry_run);
    install::uninstall(&mut hand, args.purge)?;
    let changed = hand.done.iter().filter(|done| done.mark == Mark::Changed).count();
    context.print(&json!({ "dry_run": args.dry_run, "changed": changed, "done": hand.done }), || {
        let kept = match args.purge {
            true => "nothing is left",
            false => "kept: /etc/windlass, /var/lib/windlass, the database and the user windlass; `windlass install` takes them up again",
        };
        format!("{}\n\n{kept}", report(&hand, false))
    });
    Ok(Exit::Success)
}

/// Asks for something that nobody types by mistake.
fn confirm(args: &Args, context: &Context) -> Result<(), Problem> {
    let id = std::fs::read_to_string(install::INSTANCE).unwrap_or_default();
    let wanted = Some(id.trim()).filter(|id| !id.is_empty()).unwrap_or("purge");
    let typed = match &args.confirm {
        Some(typed) => typed.clone(),
        None => {
            context.hint(&format!("everything that Windlass keeps on this machine goes. Type {wanted} to go on:"));
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| Problem::new(Code::System, format!("nothing can be read: {error}")))?;
            line
        }
    };
    if typed.trim() == wanted {
        return Ok(());
    }
    Err(Problem::new(Code::Usage, "that isn't this machine's instance id: nothing was changed")
        .help(format!("it is in {}", install::INSTANCE)))
}

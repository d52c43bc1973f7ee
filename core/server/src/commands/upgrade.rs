//! `windlass upgrade` and `windlass rollback`: another version of the program, and the way back.

use std::path::{Path, PathBuf};

use serde_json::json;
use windlass_model::{Code, Problem};

use super::{doctor::told_table, install::report};
use crate::{
    context::Context,
    exit::Exit,
    install::{self, Hand, Layout, Record, Upgrade},
};

/// Arguments of `upgrade`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program of the other version
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Change nothing; print what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// Put this backup back, too: the database as it was before the upgrade; what happened since is lost
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
    /// Change nothing; print what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs `upgrade`.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let file = absolute(&args.binary)?;
    with_hand(args.dry_run, context, |hand| install::upgrade(hand, &file))
}

/// Runs `rollback`.
pub fn back(args: &RollbackArgs, context: &Context) -> Result<Exit, Problem> {
    let restore = args.restore.as_deref().map(absolute).transpose()?;
    with_hand(args.dry_run, context, |hand| install::rollback(hand, restore.as_deref()))
}

fn absolute(file: &Path) -> Result<PathBuf, Problem> {
    std::fs::canonicalize(file)
        .map_err(|error| Problem::new(Code::NotFound, format!("{} can't be read: {error}", file.display())))
}

fn with_hand(
    dry: bool,
    context: &Context,
    work: impl FnOnce(&mut Hand) -> Result<Upgrade, Problem>,
) -> Result<Exit, Problem> {
    let layout = Layout::new(Path::new("/"));
    let record = Record::require(&layout)?;
    if !dry && !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(Code::PermissionDenied, "this takes root").help("`sudo windlass …`"));
    }
    let _alone = if dry { None } else { Some(install::alone()?) };
    let mut hand = Hand::new(&layout, record, dry);
    let outcome = work(&mut hand);
    if outcome.is_err() && !context.global.json {
        context.line(&report(&hand, false));
    }
    let done = outcome?;
    context.print(&json!({ "dry_run": dry, "upgrade": done, "done": hand.done }), || {
        let checks = if done.smoke.is_null() { String::new() } else { format!("\n\n{}", told_table(&done.smoke)) };
        let what = match (dry, done.from == done.to) {
            (true, _) => "nothing was changed".to_owned(),
            (false, true) => format!("{} is in use already", done.to),
            (false, false) => format!("{} is in use; `windlass rollback` goes back to {}", done.to, done.from),
        };
        format!("{}{checks}\n\n{what}", report(&hand, false))
    });
    Ok(Exit::Success)
}

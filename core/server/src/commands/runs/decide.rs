//! `windlass runs approve` and `windlass runs deny`

use serde_json::Value;
use windlass_model::{Problem, wait::Decision};

use super::{steer::step, written};
use crate::{commands::input, context::Context, exit::Exit, session::Session, values};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id
    run: String,
    /// The step, when the run asks several things at once
    #[arg(long)]
    step: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    comment: Option<String>,
    /// Fill in one field of the form: key=value
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// JSON file with the form; `-` for standard input
    #[arg(long, value_name = "FILE")]
    form: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, approved: bool, context: &Context, session: &Session) -> Result<Exit, Problem> {
    let engine = session.engine();
    let run = engine.find(&args.run)?.id;
    let path = args.step.as_deref().map(step).transpose()?;
    let approval = engine.open_approval(&run, path.as_ref())?;
    let schema = approval.request.form.clone().unwrap_or(Value::Null);
    let mut form = input::from_file(args.form.as_deref())?;
    values::apply(&mut form, &args.set, &schema)?;
    values::fill_defaults(&mut form, &schema);
    let decision = Decision {
        by: context.who(),
        approved,
        comment: args.comment.clone(),
        form,
        digest: approval.request.digest.clone(),
    };
    engine.decide(&run, Some(&approval.path), decision)?;
    written(context, session, &run, if approved { "approved" } else { "denied" })
}

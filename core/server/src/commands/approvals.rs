//! `windlass approvals ls`: what runs ask of people.

use windlass_model::Problem;

use crate::{context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what waits for a decision, oldest first: at a server, what you may decide on
    Ls {
        /// All that you may see, and not only what you may decide on
        #[arg(long)]
        all: bool,
        /// Of runs of this organisation
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let Command::Ls { all, organisation } = command;
    context.at_desk(|desk| {
        let asked = desk.inbox(*all, organisation.as_deref())?;
        let now_ms = desk.now_ms();
        context.print(&asked, || {
            if asked.is_empty() {
                return "nothing is asked".to_owned();
            }
            let rows = asked.iter().map(|one| {
                let request = &one.approval.request;
                let may = if one.may_decide { "" } else { one.why_not.as_deref().unwrap_or("not by you") };
                vec![
                    one.approval.run.to_string(),
                    one.approval.path.to_string(),
                    one.workflow.clone(),
                    one.launched_by.clone(),
                    render::ago(one.approval.asked_at_ms, now_ms),
                    request.role.clone().unwrap_or_default(),
                    request.title.clone(),
                    may.to_owned(),
                ]
            });
            let heads = ["run", "step", "workflow", "launched by", "asked", "role", "what", ""];
            render::table(&heads, rows.collect()) + "\ndecide: windlass runs approve RUN --step STEP, or deny"
        });
        Ok(Exit::Success)
    })
}

//! The commands, one file each.

pub mod audit;
pub mod completions;
pub mod config;
pub mod definitions;
pub mod dev;
pub mod doctor;
pub mod exchange;
pub mod hosts;
pub mod migrate;
pub mod resources;
pub mod run;
pub mod runs;
pub mod schedules;
pub mod secrets;
pub mod serve;
pub mod tokens;
pub mod users;
pub mod version;
pub mod versions;
pub mod workflows;

mod input;
pub use input::InputArgs;
mod next;

use windlass_model::Problem;

use crate::{cli::Command, context::Context, exit::Exit};

/// Runs a command.
pub fn dispatch(command: Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::Runs(command) => runs::run(command, context),
        Command::Workflows(command) => workflows::run(&command, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Dev(args) => dev::run(&args, context),
        Command::Migrate(args) => migrate::run(&args, context),
        Command::Doctor => doctor::run(context),
        Command::Config(command) => config::run(&command, context),
        Command::Hosts(args) => hosts::run(&args, context),
        Command::Definitions(args) => definitions::run(&args, context),
        Command::Schedules(command) => schedules::run(&command, context),
        Command::Secrets(command) => secrets::run(&command, context),
        Command::Resources(command) => resources::run(&command, context),
        Command::Users(command) => users::run(&command, context),
        Command::Tokens(command) => tokens::run(&command, context),
        Command::Audit(command) => audit::run(&command, context),
        Command::Completions(args) => completions::run(&args),
        Command::Version => version::run(context),
    }
}

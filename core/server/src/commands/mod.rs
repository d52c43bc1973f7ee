//! The commands, one file each.

pub mod approvals;
pub mod audit;
pub mod backup;
pub mod capture;
pub mod completions;
pub mod config;
pub mod console;
pub mod definitions;
pub mod dev;
pub mod doctor;
pub mod exchange;
pub mod hosts;
pub mod install;
pub mod invitations;
pub mod lab;
pub mod ledger;
pub mod migrate;
pub mod nodes;
pub mod notify;
pub mod organisations;
pub mod plugin;
pub mod resources;
pub mod restore;
pub mod retention;
pub mod run;
pub mod runs;
pub mod schedules;
pub mod secrets;
pub mod seed;
pub mod serve;
pub mod sim;
pub mod sovereigns;
pub mod store;
pub mod tokens;
pub mod uninstall;
pub mod upgrade;
pub mod users;
pub mod version;
pub mod versions;
pub mod vouchers;
pub mod workflows;

mod input;
pub use input::InputArgs;
mod next;

use windlass_model::{Code, Problem};

use crate::{cli::Command, context::Context, exit::Exit};

/// What a command makes of `--server`.
enum Server {
    /// It works there.
    Asks,
    /// It can't be done there, and nothing is done here instead.
    Refuses(&'static str),
    /// It is about this program, and looks at no data folder either.
    Ignores,
}

/// A new command has to say it, too: what is meant for a server must never change the data folder that happens to be here.
fn server(command: &Command) -> Server {
    match command {
        Command::Run(_)
        | Command::Runs(_)
        | Command::Approvals(_)
        | Command::Workflows(_)
        | Command::Nodes(_)
        | Command::Schedules(_)
        | Command::Notify(_)
        | Command::Secrets(_)
        | Command::Plugin(_)
        | Command::Resources(_)
        | Command::Users(_)
        | Command::Organisations(_)
        | Command::Invitations(_)
        | Command::Tokens(_)
        | Command::Audit(_)
        | Command::Vouchers(_)
        | Command::Ledger(_)
        | Command::Sovereigns(_)
        | Command::Console(_)
        | Command::Capture(_) => Server::Asks,
        Command::Serve(_) | Command::Dev(_) | Command::Sim(_) => Server::Refuses("this starts a server here"),
        Command::Retention(_) => Server::Refuses("a server removes by itself what isn't kept any more"),
        Command::Install(_) | Command::Upgrade(_) | Command::Rollback(_) | Command::Uninstall(_) => {
            Server::Refuses("this changes the machine that it runs on")
        }
        Command::Seed(_) => Server::Refuses("this works on the database itself; do it where the server runs"),
        Command::Migrate(_) => Server::Refuses("a database is migrated by whoever serves it"),
        Command::Backup(_) | Command::Restore(_) | Command::Store(_) => {
            Server::Refuses("this works on the database itself; do it where the server runs")
        }
        Command::Doctor(_) => Server::Refuses("this looks at the machine that it runs on"),
        Command::Config(_) => Server::Refuses("this shows the configuration of this machine"),
        Command::Hosts(_) => {
            Server::Refuses("this describes what scripts can call here; a server may have other modules")
        }
        Command::Definitions(_) => {
            Server::Refuses("this describes what scripts can call here; GET /api/v1/definitions asks a server")
        }
        Command::Lab(_) | Command::Completions(_) | Command::Version => Server::Ignores,
    }
}

/// Whether a command works on the machine itself, as root; every other one works as whoever owns what it works on.
fn changes_the_machine(command: &Command) -> bool {
    match command {
        Command::Install(_) | Command::Upgrade(_) | Command::Rollback(_) | Command::Uninstall(_) => true,
        Command::Doctor(args) => args.restart,
        _ => false,
    }
}

/// Runs a command.
pub fn dispatch(command: Command, context: &Context) -> Result<Exit, Problem> {
    if let (Some(address), Server::Refuses(why)) = (&context.global.server, server(&command)) {
        return Err(Problem::new(Code::Usage, format!("this can't be done at a server ({address}): {why}"))
            .help("leave --server out; `env -u WINDLASS_SERVER windlass …` does where the variable is set"));
    }
    if !changes_the_machine(&command) {
        crate::install::become_owner(&context.loaded.config.data)?;
    }
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::Runs(command) => runs::run(command, context),
        Command::Approvals(command) => approvals::run(&command, context),
        Command::Workflows(command) => workflows::run(&command, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Dev(args) => dev::run(&args, context),
        Command::Install(args) => install::run(&args, context),
        Command::Upgrade(args) => upgrade::run(&args, context),
        Command::Rollback(args) => upgrade::back(&args, context),
        Command::Uninstall(args) => uninstall::run(&args, context),
        Command::Seed(args) => seed::run(&args, context),
        Command::Migrate(args) => migrate::run(&args, context),
        Command::Backup(args) => backup::run(&args, context),
        Command::Restore(args) => restore::run(&args, context),
        Command::Store(command) => store::run(&command, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Config(command) => config::run(&command, context),
        Command::Hosts(args) => hosts::run(&args, context),
        Command::Definitions(args) => definitions::run(&args, context),
        Command::Lab(command) => lab::run(&command, context),
        Command::Nodes(command) => nodes::run(&command, context),
        Command::Schedules(command) => schedules::run(&command, context),
        Command::Retention(command) => retention::run(&command, context),
        Command::Notify(command) => notify::run(&command, context),
        Command::Secrets(command) => secrets::run(&command, context),
        Command::Plugin(command) => plugin::run(&command, context),
        Command::Resources(command) => resources::run(&command, context),
        Command::Users(command) => users::run(&command, context),
        Command::Organisations(command) => organisations::run(&command, context),
        Command::Invitations(command) => invitations::run(&command, context),
        Command::Tokens(command) => tokens::run(&command, context),
        Command::Audit(command) => audit::run(&command, context),
        Command::Vouchers(command) => vouchers::run(&command, context),
        Command::Ledger(command) => ledger::run(&command, context),
        Command::Sovereigns(command) => sovereigns::run(&command, context),
        Command::Console(args) => console::run(&args, context),
        Command::Capture(args) => capture::run(&args, context),
        Command::Sim(args) => sim::run(&args, context),
        Command::Completions(args) => completions::run(&args),
        Command::Version => version::run(context),
    }
}

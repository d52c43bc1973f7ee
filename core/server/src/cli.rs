//! The command line: what can be typed. Each command's own arguments stand with the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands;

/// Runs infrastructure procedures durably: they survive crashes, wait for people, and undo what they did.
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Exit codes: 0 succeeded · 1 failed · 2 bad usage or input · 3 waits for a person or a timer (--no-wait) · \
                  4 undo stuck · 5 refused by permission · 130 let go with Ctrl-C"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Configuration file [default: windlass.toml in this folder or one above]
    #[arg(long, global = true, value_name = "FILE", env = "WINDLASS_CONFIG", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Data folder [default: .windlass in the project]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub data: Option<PathBuf>,
    /// Folder of workflows [default: workflows in the project]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub workflows: Option<PathBuf>,
    /// Work at this server instead of the data folder: https://windlass.example.net
    #[arg(long, global = true, value_name = "URL", env = "WINDLASS_SERVER", help_heading = "Global options")]
    pub server: Option<String>,
    /// Token for the server; better given as WINDLASS_TOKEN: others can read command lines
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "WINDLASS_TOKEN",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub token: Option<String>,
    /// Print JSON: one document, or one event a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, help_heading = "Global options")]
    pub color: Colour,
    /// Who acts on the data folder, in records and events [default: the user]; a server knows it from the token
    #[arg(long = "as", global = true, value_name = "NAME", help_heading = "Global options")]
    pub who: Option<String>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On terminals.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workflow and follow it to its end
    Run(commands::run::Args),
    /// List, show and steer runs
    #[command(subcommand)]
    Runs(commands::runs::Command),
    /// What runs ask of people
    #[command(subcommand)]
    Approvals(commands::approvals::Command),
    /// List, check, test and rehearse workflows
    #[command(subcommand)]
    Workflows(commands::workflows::Command),
    /// Serve the API on a database that is there
    Serve(commands::serve::Args),
    /// Serve with embedded defaults: makes a data folder and an admin, and says what to type next
    Dev(commands::dev::Args),
    /// Install Windlass as a service of this machine: user, folders, database, unit, front door; safe to run again
    Install(commands::install::Args),
    /// Bring another version of the program into use; one that doesn't serve is taken back
    Upgrade(commands::upgrade::Args),
    /// Put the version before into use again
    Rollback(commands::upgrade::RollbackArgs),
    /// Take the service away; what it has kept stays
    Uninstall(commands::uninstall::Args),
    /// Make the first admin, and a link with which they come in; safe to run again
    Seed(commands::seed::Args),
    /// Bring the database to this program's schema
    Migrate(commands::migrate::Args),
    /// Copy the database into a file, as it is at one moment; servers go on meanwhile
    Backup(commands::backup::Args),
    /// Put a backup in the place of the database
    Restore(commands::restore::Args),
    /// Check the database, or move everything to another one
    #[command(subcommand)]
    Store(commands::store::Command),
    /// Say what this machine can do, and how to get what is missing; with --smoke, whether the installation serves
    Doctor(commands::doctor::Args),
    /// Show the configuration
    #[command(subcommand)]
    Config(commands::config::Command),
    /// The reference of everything that scripts can do
    Hosts(commands::hosts::Args),
    /// Definitions of what scripts can call, for editors
    Definitions(commands::definitions::Args),
    /// Check documents of labs, and make them of other tools' topologies
    #[command(subcommand)]
    Lab(commands::lab::Command),
    /// Keep, list and remove secrets
    #[command(subcommand)]
    Secrets(commands::secrets::Command),
    /// The processes that execute runs on this database: list them, have one hand over its runs
    #[command(subcommand)]
    Nodes(commands::nodes::Command),
    /// Launch workflows by the clock
    #[command(subcommand)]
    Schedules(commands::schedules::Command),
    /// What isn't kept any more: what would go, and have it go now
    #[command(subcommand)]
    Retention(commands::retention::Command),
    /// Tell people what happens: targets, rules, deliveries
    #[command(subcommand)]
    Notify(commands::notify::Command),
    /// Make, test and approve plugins
    #[command(subcommand)]
    Plugin(commands::plugin::Command),
    /// The inventory of what runs have made
    #[command(subcommand)]
    Resources(commands::resources::Command),
    /// Make users and give them roles: at a server, or straight on the database
    #[command(subcommand)]
    Users(commands::users::Command),
    /// Make, suspend and remove organisations, and see how much they use
    #[command(subcommand)]
    Organisations(commands::organisations::Command),
    /// Invite people into organisations by e-mail
    #[command(subcommand)]
    Invitations(commands::invitations::Command),
    /// Issue and revoke API tokens: at a server, or straight on the database
    #[command(subcommand)]
    Tokens(commands::tokens::Command),
    /// Look at the audit log, and check it
    #[command(subcommand)]
    Audit(commands::audit::Command),
    /// Issue vouchers, look at them and redeem them: at a server, or straight on the database
    #[command(subcommand)]
    Vouchers(commands::vouchers::Command),
    /// Look at the ledger, and check it
    #[command(subcommand)]
    Ledger(commands::ledger::Command),
    /// Trust other Sovereigns, look at their claims, and book what was paid: at a server
    #[command(subcommand)]
    Sovereigns(commands::sovereigns::Command),
    /// Open a console of a lab's node in this terminal; Ctrl-] leaves
    Console(commands::console::Args),
    /// Listen at a link of a lab: packets as pcapng, for `| wireshark -k -i -`
    Capture(commands::capture::Args),
    /// Play a provider: its protocol on a loopback address, with faults on demand
    Sim(commands::sim::Args),
    /// Completions for a shell
    Completions(commands::completions::Args),
    /// Version, and what was built in
    Version,
}

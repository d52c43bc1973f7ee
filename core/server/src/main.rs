//! The `windlass` binary: reads the command line, wires the parts, and ends with an exit code that scripts can rely on.

mod captures;
mod claims;
mod cli;
mod commands;
mod config;
mod consoles;
mod context;
mod data;
mod desk;
mod doctor;
mod exit;
mod follow;
mod git;
mod house;
mod install;
mod instance;
mod interrupt;
mod janitor;
mod lab_desk;
mod labs;
mod lock;
mod mail;
mod names;
mod plan;
mod playground;
mod plugins;
mod providers;
mod rehearse;
mod reload;
mod render;
mod scenario;
mod services;
mod session;
mod site;
mod telemetry;
mod telling;
mod things;
mod values;
mod vault;
mod versions;
mod vouchers;
mod wiring;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use windlass_model::Problem;

use crate::{
    cli::{Cli, Colour},
    context::Context,
    exit::Exit,
};

/// Counts what scripts hold on the heap, so that one that grows without end is stopped before the process is.
#[global_allocator]
static ALLOCATOR: windlass_script::CountingAllocator = windlass_script::CountingAllocator;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.global.color {
        Colour::Auto => {}
        choice => {
            console::set_colors_enabled(choice == Colour::Always);
            console::set_colors_enabled_stderr(choice == Colour::Always);
        }
    }
    render::remember(&cli.global);
    let json = cli.global.json;
    run(cli).unwrap_or_else(|problem| report(&problem, json)).into()
}

fn run(cli: Cli) -> Result<Exit, Problem> {
    // A provider that is installed already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let context = Context::new(cli.global)?;
    // Sends what is left when it is dropped.
    let _telemetry = telemetry::start(&context.loaded.config)?;
    for name in &context.loaded.unknown_variables {
        tracing::warn!("the environment variable {name} isn't a setting; `windlass config show` lists them");
    }
    let exit = commands::dispatch(cli.command, &context)?;
    context.printed()?;
    Ok(exit)
}

fn report(problem: &Problem, json: bool) -> Exit {
    let text = match json {
        true => serde_json::json!({ "error": problem }).to_string() + "\n",
        false => render::problem(problem, None),
    };
    let _ = write!(std::io::stderr(), "{text}");
    Exit::of_problem(problem)
}

//! `windlass install`: Windlass as a service of this machine, or in a root that becomes one. Safe to run again.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::json;
use windlass_model::{Code, Problem};

use crate::{
    context::Context,
    exit::Exit,
    install::{self, Address, Hand, Layout, Mark, Record, Sources},
    render,
};

/// Arguments. What isn't said is as it was said the last time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write into this root instead of the machine's own; what needs the machine running is left for its first start
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Change nothing; print every file and command
    #[arg(long)]
    dry_run: bool,
    /// The name that people reach it at, by https with a certificate that Caddy gets [default: this machine only, by http]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Have Caddy make the certificate itself: for a name that only your network knows
    #[arg(long, requires = "host")]
    tls_internal: bool,
    /// Whether it makes labs: then it runs as root, with the capabilities that they take
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    labs: Option<bool>,
    /// Where Guacamole's web application listens, to be reached at /html5/
    #[arg(long, value_name = "ADDRESS")]
    guacamole: Option<SocketAddr>,
    /// A database that somebody else keeps [default: this machine's PostgreSQL, with a role and a database of its own]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The first admin
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: String,
    /// Only what a version brings along: the unit, the front door, the page
    #[arg(long, hide = true)]
    adopt: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let root = std::fs::canonicalize(&args.root).map_err(|error| {
        Problem::new(Code::Usage, format!("`--root {}` can't be used: {error}", args.root.display()))
    })?;
    if !args.dry_run && !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(Code::PermissionDenied, "this takes root")
            .help("`sudo windlass …`; --dry-run shows what it would do"));
    }
    // The version that an upgrade brings adopts the machine while the upgrade goes on.
    let _alone = if args.dry_run || args.adopt { None } else { Some(install::alone()?) };
    let layout = Layout::new(&root);
    let record = asked(args, Record::read(&layout)?.unwrap_or_default())?;
    let mut hand = Hand::new(&layout, record, args.dry_run);
    if args.adopt {
        Record::require(&layout)?;
        install::adopt(&mut hand)?;
        install::save(&mut hand)?;
    } else {
        let program = std::env::current_exe().map_err(|error| Problem::new(Code::System, error.to_string()))?;
        let config = &context.loaded.config;
        let from = |folder: &'_ Path| Some(folder.to_owned()).filter(|folder| folder.is_dir());
        let (workflows, plugins) = (from(&config.workflows), from(&config.plugins));
        let sources = Sources {
            program: &program,
            workflows: workflows.as_deref(),
            plugins: plugins.as_deref(),
            admin: &args.admin,
        };
        let outcome = install::install(&mut hand, &sources);
        // What was done before it failed is told as well.
        if let Err(problem) = outcome {
            if !context.global.json {
                context.line(&report(&hand, false));
            }
            return Err(problem);
        }
        if let Ok(link) = outcome {
            tell(context, &hand, link.as_deref());
        }
        return Ok(Exit::Success);
    }
    tell(context, &hand, None);
    Ok(Exit::Success)
}

/// What is asked for now, over what was asked for before.
fn asked(args: &Args, mut record: Record) -> Result<Record, Problem> {
    if let Some(host) = &args.host {
        let host = Address::checked(host)?.to_owned();
        record.address = if args.tls_internal { Address::Internal(host) } else { Address::Public(host) };
    }
    record.labs = args.labs.unwrap_or(record.labs);
    record.guacamole = args.guacamole.or(record.guacamole);
    if let Some(url) = &args.database {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Problem::new(Code::Usage, "`--database` takes the URL of a PostgreSQL database")
                .help("postgres://windlass@db.example.net/windlass"));
        }
        record.database = Some(url.clone());
    }
    Ok(record)
}

fn tell(context: &Context, hand: &Hand, link: Option<&str>) {
    let changed = hand.done.iter().filter(|done| done.mark == Mark::Changed).count();
    let told = json!({ "dry_run": hand.is_dry(), "changed": changed, "url": hand.record.address.url(),
                       "link": link, "done": hand.done });
    context.print(&told, || {
        let mut text = report(hand, hand.is_dry());
        text += &match (hand.is_dry(), changed) {
            (true, _) => "\n\nnothing was changed".to_owned(),
            (false, 0) => "\n\nnothing to do".to_owned(),
            (false, count) => format!("\n\n{count} changes; `windlass doctor --smoke` checks what is served"),
        };
        if let Some(link) = link {
            text += &format!("\n\nchoose the admin's password (once, within an hour):\n  {link}");
        }
        text
    });
}

/// What was done, one line each; with what files would hold.
pub fn report(hand: &Hand, with_content: bool) -> String {
    let mark = |mark| match mark {
        Mark::Same => "=",
        Mark::Changed => "+",
        Mark::Kept => "!",
        Mark::Left => "…",
    };
    if with_content {
        let mut text = String::new();
        for done in &hand.done {
            text += &format!("{} {}  {}\n", mark(done.mark), done.what, done.note);
            for line in done.content.iter().flat_map(|content| content.lines()) {
                text += &format!("    {line}\n");
            }
        }
        return text;
    }
    let rows = hand.done.iter().map(|done| vec![mark(done.mark).to_owned(), done.what.clone(), done.note.clone()]);
    render::table(&["", "what", "how"], rows.collect())
}

//! `windlass sim`: a provider that isn't there, for trying out and for tests.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use clap::builder::PossibleValuesParser;
use serde_json::json;
use windlass_model::{Code, Problem, time::parse_duration_ms};
use windlass_sim::{Clock, Control, Server, agent::Machines, guacamole, guacd, hetzner, registrars};

use crate::{context::Context, exit::Exit, interrupt::Interrupt};

/// How often to look whether the process is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A provider that can be simulated.
struct Provider {
    /// What is typed.
    name: &'static str,
    /// What stands behind the address, in the base URL that clients are given.
    base: &'static str,
    /// What clients identify themselves with, as it is shown.
    credentials: &'static [(&'static str, &'static str)],
    /// Starts it.
    start: fn(&Args, &Control) -> io::Result<Started>,
}

/// A provider that was started.
struct Started {
    server: Server,
    /// guacd, beside the web application that asks it.
    guacd: Option<guacd::Guacd>,
}

impl From<Server> for Started {
    fn from(server: Server) -> Self {
        Self { server, guacd: None }
    }
}

const PROVIDERS: &[Provider] = &[
    Provider {
        name: "guacamole",
        base: guacamole::BASE,
        credentials: &[("user", guacamole::USER), ("password", guacamole::PASSWORD)],
        start: |args, control| {
            let web = guacamole::Guacamole::new(guacamole::Config::default(), control.clock.clone());
            let beside = SocketAddr::new(args.listen.ip(), 0);
            let guacd = guacd::Guacd::start(beside, guacd::Config::default(), control.faults.clone())?;
            Ok(Started { server: windlass_sim::serve(args.listen, Arc::new(web), control)?, guacd: Some(guacd) })
        },
    },
    Provider {
        name: "hetzner",
        base: "/v1",
        credentials: &[("token", hetzner::TOKEN), ("read-only token", hetzner::READ_ONLY_TOKEN)],
        start: |args, control| {
            let machines = Machines::new(args.pace, control.faults.clone());
            let booted: hetzner::Booted = Arc::new(move |boot| machines.boot(boot));
            let config = hetzner::Config { pace: args.pace, booted: Some(booted), ..hetzner::Config::default() };
            let project = Arc::new(hetzner::Hetzner::new(config, control.clock.clone()));
            windlass_sim::serve(args.listen, project, control).map(Started::from)
        },
    },
    registrar(0),
    registrar(1),
    registrar(2),
    registrar(3),
    registrar(4),
    registrar(5),
    registrar(6),
];

/// A registrar, by its place in the table of those that are simulated.
const fn registrar(place: usize) -> Provider {
    let kind = &registrars::KINDS[place];
    let start: fn(&Args, &Control) -> io::Result<Started> =
        |args, control| registrars::serve_named(&args.provider, args.listen, control).map(Started::from);
    Provider { name: kind.name, base: kind.base, credentials: kind.credentials, start }
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which one
    #[arg(value_name = "PROVIDER", value_parser = PossibleValuesParser::new(PROVIDERS.iter().map(|provider| provider.name)))]
    provider: String,
    /// Address and port to listen on; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long things take: 1 as long as with the provider, 0.1 a tenth
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pace: f64,
    /// How much later everything is answered: 50ms
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    latency: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = parse_duration_ms(text).map_err(|error| error.to_string())?;
    u64::try_from(ms).map(Duration::from_millis).map_err(|error| error.to_string())
}

/// Runs the command: until the process is told to stop.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    if !(0.0..=1_000.0).contains(&args.pace) {
        return Err(Problem::new(Code::Usage, "--pace has to be between 0 and 1000"));
    }
    let provider = PROVIDERS.iter().find(|provider| provider.name == args.provider);
    let provider = provider.ok_or_else(|| Problem::new(Code::Usage, format!("nobody simulates {}", args.provider)))?;
    let failed =
        |error: io::Error| Problem::new(Code::System, format!("{} can't be listened on: {error}", args.listen));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
    let interrupt = Interrupt::listen(runtime.handle())?;
    let control = Control::new(Clock::system());
    control.set_latency(args.latency.unwrap_or_default());
    let Started { server, guacd } = (provider.start)(args, &control).map_err(failed)?;
    let guacd_at = guacd.as_ref().map(|guacd| guacd.address().to_string());
    let url = format!("{}{}", server.url(), provider.base);
    let mut shown = json!({ "provider": provider.name, "url": url, "control": format!("{}/_sim", server.url()),
                        "credentials": provider.credentials.iter().copied().collect::<std::collections::BTreeMap<_, _>>() });
    if let Some(address) = &guacd_at {
        shown["guacd"] = address.as_str().into();
    }
    context.print(&shown, || {
        let secrets = provider.credentials.iter().map(|(name, value)| format!("\n{name:<16} {value}"));
        let faults = format!("\n{:<16} {}/_sim/faults", "faults", server.url());
        let guacd = guacd_at.iter().map(|address| format!("\n{:<16} {address}", "guacd"));
        format!("{:<16} {url}{}{}{faults}", provider.name, guacd.collect::<String>(), secrets.collect::<String>())
    });
    while interrupt.caught().is_none() {
        std::thread::sleep(LOOK_EVERY);
    }
    server.stop();
    drop(guacd);
    Ok(Exit::Success)
}

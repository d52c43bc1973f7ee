//! `windlass serve`: the API on a database that is there, until the process is told to stop.

use std::{
    cell::Cell,
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use tokio::sync::watch;
use windlass_api::{
    Api, ApiConfig, EventsConfig, Forwarding, Tls,
    auth::{Auth, AuthConfig},
    consoles::{ConsoleConfig, RecordingConfig},
    notifications::{Sending, Settings},
    server::{Server, ServerConfig},
    triggers::Runner,
    vouchers::RedeemBounds,
};
use windlass_model::{Code, Problem, time::parse_duration_ms};

use crate::{
    captures::LabCaptures,
    config::{Config, ForwardedHeader, Told},
    consoles::LabConsoles,
    context::Context,
    doctor::Doctor,
    exit::Exit,
    interrupt::{Hangup, Interrupt},
    janitor::Janitor,
    lab_desk::LabDesk,
    labs,
    names::Sweeper,
    plugins::Desk as PluginDesk,
    reload,
    services::{Scripts, Secrets},
    session::{Purpose, Session, is_shared},
    telling::Post,
    versions::{Versions, Watching},
};

/// How often to look whether the process is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address and port to listen on [default: `server.listen`]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    context.require_workflows()?;
    let session = context.open(Purpose::Serve)?;
    serve(session, args, context, |running| {
        context.print(&serde_json::json!({ "url": running.url, "address": running.address.to_string() }), || {
            format!("serving at {}", running.url)
        });
        Ok(())
    })
}

/// A server that listens.
pub struct Running {
    /// The address that people reach it at.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Serves until the process is told to stop; `ready` is called once connections are accepted.
pub fn serve(
    session: Session,
    args: &Args,
    context: &Context,
    ready: impl FnOnce(&Running) -> Result<(), Problem>,
) -> Result<Exit, Problem> {
    let stopping = Cell::new(None);
    let result = match session.executes() {
        true => until_told(&session, args, context, &stopping, ready),
        false => Err(busy(&session)),
    };
    // Requests and steps end side by side: neither waits for the other's time first.
    let grace = Duration::from_millis(context.loaded.config.server.grace_ms);
    let spent = stopping.get().map_or(Duration::ZERO, |since: Instant| since.elapsed());
    session.close_within(grace.saturating_sub(spent));
    result
}

fn busy(session: &Session) -> Problem {
    let holder = session.holder().map_or("another process".to_owned(), |id| format!("process {id}"));
    Problem::new(Code::DataFolderBusy, format!("{holder} executes the runs of this data folder"))
        .help("end it first, or give this server a folder of its own with --data")
}

fn until_told(
    session: &Session,
    args: &Args,
    context: &Context,
    stopping: &Cell<Option<Instant>>,
    ready: impl FnOnce(&Running) -> Result<(), Problem>,
) -> Result<Exit, Problem> {
    let config = &context.loaded.config;
    let interrupt = Interrupt::listen(session.runtime())?;
    // At a terminal, it says that the terminal is gone: that ends the process.
    let hangup = match std::io::stdin().is_terminal() {
        true => None,
        false => Some(Hangup::listen(session.runtime())?),
    };
    let listener = listener(config, args)?;
    let secure = listener.tls.is_some();
    // Handlers wait for the database: they have threads of their own, and this runtime is the network's.
    let network = tokio::runtime::Builder::new_multi_thread()
        .thread_name("http")
        .enable_all()
        .max_blocking_threads(config.server.concurrency + 16)
        .build()
        .map_err(|error| Problem::new(Code::System, format!("no threads for the network: {error}")))?;
    // The port decides the address that people are told, and the address decides cookies: so it is bound twice at most.
    let bound = network.block_on(tokio::net::TcpListener::bind(listener.listen)).and_then(|socket| socket.local_addr());
    let address = bound.map_err(|error| {
        Problem::new(Code::System, format!("{} can't be listened on: {error}", listener.listen))
            .help("another program may listen there; `--listen` or `server.listen` names another address")
    })?;
    let url = match config.server.public_url.trim_end_matches('/') {
        "" => format!("{}://{address}", if secure { "https" } else { "http" }),
        url => url.to_owned(),
    };
    session.serves_at(&url);
    let machine = Arc::new(Doctor::new(config, &context.environment));
    let pool = Arc::new(session.pool());
    let in_effect = Arc::new(RwLock::new(context.loaded.values.clone()));
    let again = context.sources();
    let told = Told::new(context.loaded.clone(), in_effect.clone(), Box::new(move || again.read()), reload::LIVE);
    let api = api(session, config, url.clone())?.on(machine).configured(Arc::new(told));
    let api = Arc::new(if config.hosts.pool.domains.is_empty() { api } else { api.giving(pool.clone()) });
    let routes = Arc::new(windlass_api::routes());
    let listener = ServerConfig { listen: address, ..listener };
    let server = network.block_on(Server::bind(listener, api.clone(), routes))?;
    let _watching = [
        Watching::start(&config.workflows, versions(session)?.clone())?,
        Watching::start(&config.plugins, plugins(session)?.clone())?,
    ];
    let triggers = Runner::start(session.engine().clone(), api.triggers.clone())?;
    let sweeper = Sweeper::start(pool)?;
    let telling = telling(session, &api)?;
    let janitor = Janitor::start(session.engine().clone(), &config.retention, session.folder().recordings())?;
    let every = reload::discovery_every(config);
    let labs =
        labs::Watch::start(session.engine().clone(), session.instance().clone(), every, is_shared(&context.loaded))?;
    let (stop, stopped) = watch::channel(false);
    let serving = network.spawn(server.serve(stopped));
    ready(&Running { url, address })?;
    let _ = std::io::stdout().flush();
    while interrupt.caught().is_none() && !serving.is_finished() {
        if hangup.as_ref().is_some_and(Hangup::caught) {
            reload::reload(context, &in_effect, &labs);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let told = interrupt.caught();
    tracing::info!("stopping: requests and steps get {} ms to end", config.server.grace_ms);
    stopping.set(Some(Instant::now()));
    // Whoever takes the runs over can begin at once.
    session.engine().let_go();
    drop((triggers, sweeper, labs, telling, janitor));
    // Nobody is left to hear it if the listener has ended by itself.
    let _ = stop.send(true);
    let ended = network.block_on(serving);
    network.shutdown_background();
    match (told, ended) {
        (_, Err(error)) => Err(Problem::new(Code::Internal, format!("the listener broke down: {error}"))),
        (None, Ok(())) => Err(Problem::new(Code::Internal, "the listener ended by itself")),
        (Some(_), Ok(())) => Ok(Exit::Success),
    }
}

/// The threads of notifications.
fn telling(session: &Session, api: &Api) -> Result<Option<Sending>, Problem> {
    let Some(courier) = api.courier.clone() else { return Ok(None) };
    let kept_ms = parse_duration_ms(&session.config().retention.notifications)
        .map_err(|error| Problem::new(Code::Configuration, format!("`retention.notifications`: {error}")))?;
    let (secrets, public_url) = (api.secrets.clone(), api.config.public_url.clone());
    Sending::start(&Settings { engine: session.engine().clone(), secrets, courier, public_url, kept_ms }).map(Some)
}

fn networks(key: &str, list: &[String]) -> Result<Vec<ipnet::IpNet>, Problem> {
    let parsed: Result<_, _> = list.iter().map(|network| network.parse()).collect();
    parsed.map_err(|_| Problem::new(Code::Configuration, format!("`{key}` can't be used")))
}

fn listener(config: &Config, args: &Args) -> Result<ServerConfig, Problem> {
    let server = &config.server;
    let wrong = |what: &str| Problem::new(Code::Configuration, format!("`{what}` can't be used"));
    let listen = match args.listen {
        Some(address) => address,
        None => server.listen.parse().map_err(|_| wrong("server.listen"))?,
    };
    let tls = match server.tls_cert.is_empty() {
        true => None,
        false => Some(Arc::new(Tls::load(server.tls_cert.as_ref(), server.tls_key.as_ref())?)),
    };
    Ok(ServerConfig {
        listen,
        tls,
        trusted_proxies: networks("server.trusted_proxies", &server.trusted_proxies)?,
        forwarding: match server.forwarded_header {
            ForwardedHeader::XForwardedFor => Forwarding::XForwarded,
            ForwardedHeader::Forwarded => Forwarding::Forwarded,
        },
        proxy_protocol: server.proxy_protocol,
        connections: server.connections,
        head_timeout: Duration::from_millis(server.head_timeout_ms),
        head_bytes: server.head_bytes,
        grace: Duration::from_millis(server.grace_ms),
        stall: Duration::from_millis(server.stall_ms),
    })
}

fn versions(session: &Session) -> Result<&Arc<Versions>, Problem> {
    session.versions().ok_or_else(|| Problem::new(Code::Internal, "this session has no versions of workflows"))
}

fn plugins(session: &Session) -> Result<&Arc<Versions>, Problem> {
    session.plugins().ok_or_else(|| Problem::new(Code::Internal, "this session has no versions of plugins"))
}

fn api(session: &Session, config: &Config, public_url: String) -> Result<Api, Problem> {
    let duration = |key: &str, text: &str| {
        parse_duration_ms(text).map_err(|error| Problem::new(Code::Configuration, format!("`{key}`: {error}")))
    };
    let scripts = session.scripts();
    let secrets = Arc::new(Secrets::new(session.shared_vault(), scripts.sandbox.clone()));
    let auth = AuthConfig {
        session_idle_ms: duration("auth.session_idle", &config.auth.session_idle)?,
        session_max_ms: duration("auth.session_max", &config.auth.session_max)?,
        oidc: crate::providers::configured(config)?,
    };
    let settings = ApiConfig {
        body_bytes: config.server.body_bytes,
        bodies_bytes: config.server.bodies_bytes,
        request_ms: config.server.request_timeout_ms,
        concurrency: config.server.concurrency,
        public_url,
        metrics_from: networks("server.metrics_from", &config.server.metrics_from)?,
        events: EventsConfig {
            heartbeat_ms: config.server.heartbeat_ms,
            recheck_ms: config.server.recheck_ms,
            streams: config.server.streams,
            streams_each: config.server.streams_each,
            ..EventsConfig::default()
        },
        consoles: consoles(session, config)?,
        redeeming: RedeemBounds { each: config.vouchers.each_per_minute, all: config.vouchers.all_per_minute },
        issue_limit: config.vouchers.issue_limit,
        redeem_offer: config.vouchers.offer.clone().into_iter().collect(),
        uids: config.hosts.exec.uid_count,
        simulated: config.simulated.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        site: crate::site::SITE,
        join_trace: Some(crate::telemetry::join),
    };
    let service = Arc::new(Scripts::new(
        versions(session)?.clone(),
        (plugins(session)?.clone(), session.approvals().clone()),
        scripts.library.clone(),
        scripts.sandbox.clone(),
        config.clone(),
    ));
    let auth = Auth::new(auth, secrets.clone());
    let api = Api::new(session.engine().clone(), settings, service, secrets, auth);
    let (instance, vault) = (session.instance().clone(), session.shared_vault());
    let post = Post::new(&config.hosts, vault.clone(), session.runtime().clone())?;
    let api = api.telling(Arc::new(post));
    let captures = Arc::new(LabCaptures(instance.clone()));
    let labs = Arc::new(LabDesk::new(instance.clone(), &config.hosts));
    let consoles = LabConsoles::new(
        &config.labs,
        &config.hosts,
        instance,
        (session.engine().clone(), vault),
        session.folder().node_keys(),
    );
    Ok(api
        .knowing(Arc::new(crate::things::Inventory))
        .writing(Arc::new(PluginDesk::new(
            plugins(session)?.clone(),
            session.approvals().clone(),
            config.bounds.source_bytes,
        )))
        .with_consoles(Arc::new(consoles))
        .with_captures(captures)
        .with_labs(labs)
        .mailing(session.mail()))
}

fn consoles(session: &Session, config: &Config) -> Result<ConsoleConfig, Problem> {
    let labs = &config.labs;
    let ms = |key: &str, text: &str| {
        let ms = parse_duration_ms(text).ok().and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
        ms.ok_or_else(|| Problem::new(Code::Configuration, format!("`{key}`: `{text}` isn't a duration")))
    };
    Ok(ConsoleConfig {
        all: labs.consoles,
        each: labs.consoles_each,
        node: labs.consoles_node,
        idle_ms: ms("labs.console_idle", &labs.console_idle)?,
        recordings: RecordingConfig {
            folder: Some(session.folder().recordings()),
            always: labs.record,
            bytes: labs.record_bytes,
            length_ms: ms("labs.record_length", &labs.record_length)?,
            all_bytes: labs.recordings_bytes,
        },
        ..ConsoleConfig::default()
    })
}

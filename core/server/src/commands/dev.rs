//! `windlass dev`: everything in one command, with embedded defaults. Makes the data folder and an admin, starts what stands in
//! for providers, serves, and prints what to type next.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use windlass_api::{
    auth::{tokens, users},
    services::Pool as _,
};
use windlass_model::{Code, Problem, journal::Workflows as _};

use super::serve::{self, Running};
use crate::{
    context::Context,
    exit::Exit,
    playground::{POOL, Playground},
    session::{Purpose, Session},
};

/// The admin's name.
const ADMIN: &str = "admin";
/// The workflow that is launched as an example.
const LAB: &str = "lab/two-routers";
/// The one where no network namespaces can be made: it needs no rights.
const TOUR: &str = "lab/tour";
/// The one that comes first where all that it needs is there, and its input beside it.
const SOVEREIGN: &str = "provision/sovereign";
const SOVEREIGN_INPUT: &str = "provision/examples/pool.json";
/// How long a token of a development server is good for.
const TOKEN_MS: i64 = 30 * 24 * 3_600_000;

/// Arguments.
#[derive(Debug, clap::Args)]
#[group(id = "development")]
pub struct Args {
    #[command(flatten)]
    serve: serve::Args,
    /// Start nothing beside the server: neither simulated providers nor a name server
    #[arg(long)]
    bare: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    context.require_workflows()?;
    windlass_engine_is_at_head(context)?;
    let (mut loaded, environment) = (context.loaded.clone(), context.environment.clone());
    // Ends after the server, whose runs may need it until then.
    let playground = if args.bare { None } else { Playground::start(&mut loaded.config)? };
    let context = &Context::of(loaded, environment, context.global.clone());
    let session = context.open(Purpose::Develop)?;
    let access = match session.executes() {
        true => Some(access(&session)?),
        false => None,
    };
    if let (Some(playground), true) = (&playground, session.executes()) {
        playground.furnish(&session)?;
    }
    let examples = Examples::of(&session, playground.as_ref(), context)?;
    let ended = serve::serve(session, &args.serve, context, |running| {
        // Without one, another process executes the runs here: `serve` says so and ends before it comes to this.
        let Some(access) = &access else { return Ok(()) };
        context.print(
            &json!({ "url": running.url, "address": running.address.to_string(), "user": ADMIN,
                     "password": access.password, "token": access.token,
                     "playground": playground.as_ref().map(Playground::json) }),
            || welcome(running, access, &examples, playground.as_ref()),
        );
        Ok(())
    })?;
    drop(playground);
    if !context.global.json {
        let _ = writeln!(std::io::stderr(), "stopped; the same command starts it again, and open runs go on");
    }
    Ok(ended)
}

/// A folder that an older program made is brought up to date: here nobody else uses it.
fn windlass_engine_is_at_head(context: &Context) -> Result<(), Problem> {
    let folder = crate::data::DataFolder::open(&context.loaded.config.data)?;
    let url = crate::wiring::database_url(&context.loaded.config, &folder);
    let exists = crate::wiring::database_file(&url).is_none_or(|file| file.exists());
    if exists && !windlass_engine::pending_migrations(&url)?.is_empty() {
        let _building = crate::lock::Lock::take(&crate::wiring::setup_lock(&url, &folder))?;
        for version in windlass_engine::migrate(&url)? {
            tracing::info!("the database's schema was brought to {version}");
        }
    }
    Ok(())
}

/// How to come in.
struct Access {
    password: String,
    token: String,
}

/// The admin's password and token: made once, kept beside the database for nobody but this user.
fn access(session: &Session) -> Result<Access, Problem> {
    let folder = session.folder().path();
    let (password_file, token_file) = (folder.join("dev-password"), folder.join("dev-token"));
    let engine = session.engine();
    let kept = read(&password_file)?;
    let seeded = users::ensure_admin(engine, ADMIN, kept.as_deref())?;
    if let Some(password) = &seeded.password {
        write(&password_file, password)?;
    }
    let token = match read(&token_file)? {
        Some(token) if tokens::verify(engine, &token)?.is_some() => token,
        _ => {
            let expires_at_ms = Some(engine.now_ms() + TOKEN_MS);
            let new = tokens::NewToken { name: "dev".into(), user: ADMIN.into(), bindings: Vec::new(), expires_at_ms };
            let issued = tokens::issue(engine, new)?;
            write(&token_file, &issued.token)?;
            issued.token
        }
    };
    let password = seeded.password.or(kept).unwrap_or_else(|| "(as you set it)".into());
    Ok(Access { password, token })
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::Storage, format!("{} can't be used: {error}", path.display()))
}

fn read(path: &Path) -> Result<Option<String>, Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let open = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut file| writeln!(file, "{text}")).map_err(|error| unusable(path, &error))
}

/// What to try: launches one after the other, and from where on to follow them.
struct Examples {
    launches: Vec<Launch>,
    cursor: String,
}

/// A launch, what is typed to see its plan before, and what there is to say of it.
struct Launch {
    body: Option<String>,
    plan: Option<String>,
    note: Option<&'static str>,
}

impl Examples {
    fn of(session: &Session, playground: Option<&Playground>, context: &Context) -> Result<Self, Problem> {
        let launches = sovereign(session, playground, context)?.into_iter().chain([lab(session)?]).collect();
        // From here on: who follows after the launch misses nothing of it.
        Ok(Self { launches, cursor: session.engine().feed_end()? })
    }
}

/// The Sovereign, where its workflow, its input and all that it needs are there.
fn sovereign(session: &Session, playground: Option<&Playground>, context: &Context) -> Result<Option<Launch>, Problem> {
    if !playground.is_some_and(Playground::is_whole) {
        return Ok(None);
    }
    let file = context.loaded.config.workflows.join(SOVEREIGN_INPUT);
    let known = session.versions().is_some_and(|versions| versions.pin(SOVEREIGN).is_ok());
    let Some(mut input) = read(&file)?.filter(|_| known).and_then(|text| serde_json::from_str::<Value>(&text).ok())
    else {
        return Ok(None);
    };
    let taken = session.pool().list(Some(POOL), None, 1_000)?;
    let wished = input["label"].as_str().unwrap_or("acme").to_owned();
    let is_free = |label: &String| !taken.iter().any(|name| name.label == *label);
    let label = numbered(&wished).find(is_free).unwrap_or_else(|| wished.clone());
    let mut plan = format!("run {SOVEREIGN} --input {}", from_here(&file));
    if label != wished {
        // A project has no two of the same key.
        let key = key();
        plan += &format!(" --set name={label} --set label={label} --set 'ssh_public_key={key}'");
        (input["name"], input["label"], input["ssh_public_key"]) = (json!(label), json!(label), json!(key));
    }
    let body = json!({ "workflow": SOVEREIGN, "input": input }).to_string();
    Ok(Some(Launch { body: Some(body), plan: Some(plan), note: None }))
}

/// A name, and the same with numbers behind it.
fn numbered(name: &str) -> impl Iterator<Item = String> {
    (1..).map(move |n| if n == 1 { name.to_owned() } else { format!("{name}{n}") })
}

/// The public half of an SSH key that nobody has the private half of.
fn key() -> String {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend(rand::random::<[u8; 32]>());
    format!("ssh-ed25519 {}", BASE64_STANDARD.encode(blob))
}

/// A path as it is typed in this folder.
fn from_here(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// The lab; where it can't be made, something that needs no rights.
fn lab(session: &Session) -> Result<Launch, Problem> {
    let names = session.versions().map(|versions| versions.names()).unwrap_or_default();
    let usable = |name: &str| session.versions().and_then(|versions| versions.pin(name).ok());
    let refused = crate::doctor::may_make_namespaces().is_err();
    let (workflow, input) = if !refused && usable(LAB).is_some() {
        let taken = session.engine().resources(None, true)?;
        let taken: Vec<_> = taken.into_iter().map(|record| record.resource.id).collect();
        let is_free = |lab: &String| !taken.iter().any(|id| id.split('/').next() == Some(lab.as_str()));
        (Some(LAB.to_owned()), json!({ "lab": numbered("demo").find(is_free) }))
    } else {
        // In another project: any that asks for nothing, neither rights nor input.
        let harmless = |name: &String| {
            usable(name).is_some_and(|pinned| {
                let required = pinned.workflow.inputs["required"].as_array().is_some_and(|all| !all.is_empty());
                pinned.workflow.permissions.is_empty() && !required
            })
        };
        let tour = usable(TOUR).map(|_| TOUR.to_owned());
        (tour.or_else(|| names.into_iter().find(harmless)), json!({}))
    };
    let note = match &workflow {
        None => Some("(no workflow here can be launched without input and rights: `windlass workflows ls` lists them)"),
        Some(name) if refused && name == TOUR => {
            Some("(this user may make no network namespaces, which the lab needs: `windlass doctor`)")
        }
        Some(_) => None,
    };
    let body = workflow.map(|workflow| json!({ "workflow": workflow, "input": input }).to_string());
    Ok(Launch { body, plan: None, note })
}

fn welcome(running: &Running, access: &Access, examples: &Examples, playground: Option<&Playground>) -> String {
    let Running { url, .. } = running;
    let Access { password, token } = access;
    let Examples { launches, cursor } = examples;
    let mut tries = String::new();
    let program = std::env::current_exe().map_or_else(|_| "windlass".to_owned(), |path| from_here(&path));
    for (launch, word) in launches.iter().zip(["launch    ", "then      "]) {
        if let Some(plan) = &launch.plan {
            tries += &format!("plan       WINDLASS_TOKEN={token} {program} {plan} --server {url} --rehearse\n");
        }
        if let Some(body) = &launch.body {
            tries += &format!(
                "{word} curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{body}' '{url}/api/v1/runs'\n"
            );
        }
        tries += &launch.note.map_or_else(String::new, |note| format!("           {note}\n"));
    }
    let open = match crate::site::SITE.files.is_empty() {
        false => format!("{url}/ in a browser"),
        true => "(this was built without the interface: `make build`, with Node.js and npm)".to_owned(),
    };
    let beside: String =
        playground.map(Playground::lines).unwrap_or_default().iter().map(|line| format!("{line}\n")).collect();
    format!(
        "\
windlass is serving at {url}

open       {open}
log in     user {ADMIN}, password {password}
           curl -c cookies -H 'Content-Type: application/json' -d '{{\"name\":\"{ADMIN}\",\"password\":\"{password}\"}}' '{url}/api/v1/session'
{beside}{tries}follow     curl -N -H 'Authorization: Bearer {token}' '{url}/api/v1/events?after={cursor}'
reference  {url}/api/docs
stop       Ctrl-C; open runs go on at the next start
"
    )
}

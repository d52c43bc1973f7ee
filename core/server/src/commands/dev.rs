//! `windlass dev`: everything in one command, with embedded defaults. Makes the data folder and an admin, serves, and
//! prints what to type next.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use serde_json::json;
use windlass_api::auth::{tokens, users};
use windlass_model::{Code, Problem, journal::Workflows as _};

use super::serve::{self, Running};
use crate::{
    context::Context,
    exit::Exit,
    session::{Purpose, Session},
};

/// The admin's name.
const ADMIN: &str = "admin";
/// The workflow that is launched as an example.
const LAB: &str = "lab/two-routers";
/// The one where no network namespaces can be made: it needs no rights.
const TOUR: &str = "lab/tour";
/// How long a token of a development server is good for.
const TOKEN_MS: i64 = 30 * 24 * 3_600_000;

/// Runs the command.
pub fn run(args: &serve::Args, context: &Context) -> Result<Exit, Problem> {
    context.require_workflows()?;
    windlass_engine_is_at_head(context)?;
    let session = context.open(Purpose::Develop)?;
    let access = match session.executes() {
        true => Some(access(&session)?),
        false => None,
    };
    let example = example(&session)?;
    let ended = serve::serve(session, args, context, |running| {
        // Without one, another process executes the runs here: `serve` says so and ends before it comes to this.
        let Some(access) = &access else { return Ok(()) };
        context.print(
            &json!({ "url": running.url, "address": running.address.to_string(), "user": ADMIN,
                     "password": access.password, "token": access.token }),
            || welcome(running, access, &example),
        );
        Ok(())
    })?;
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

/// What to try: a launch, from where on to follow it, and why it isn't the lab.
struct Example {
    launch: Option<String>,
    cursor: String,
    note: Option<&'static str>,
}

fn example(session: &Session) -> Result<Example, Problem> {
    let engine = session.engine();
    let names = session.versions().map(|versions| versions.names()).unwrap_or_default();
    let usable = |name: &str| session.versions().and_then(|versions| versions.pin(name).ok());
    let refused = crate::doctor::may_make_namespaces().is_err();
    let (workflow, input) = if !refused && usable(LAB).is_some() {
        let taken: Vec<_> = engine.resources(None, true)?.into_iter().map(|record| record.resource.id).collect();
        let is_free = |lab: &String| !taken.iter().any(|id| id.split('/').next() == Some(lab.as_str()));
        let lab = (1..).map(|n| if n == 1 { "demo".to_owned() } else { format!("demo{n}") }).find(is_free);
        (Some(LAB.to_owned()), json!({ "lab": lab }))
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
    let launch = workflow.map(|workflow| json!({ "workflow": workflow, "input": input }).to_string());
    // From here on: who follows after the launch misses nothing of it.
    Ok(Example { launch, cursor: engine.feed_end()?, note })
}

fn welcome(running: &Running, access: &Access, example: &Example) -> String {
    let Running { url, .. } = running;
    let Access { password, token } = access;
    let Example { launch, cursor, note } = example;
    let launch = launch.as_ref().map_or_else(String::new, |body| {
        format!(
            "launch     curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{body}' '{url}/api/v1/runs'\n"
        )
    });
    let open = match crate::site::SITE.files.is_empty() {
        false => format!("{url}/ in a browser"),
        true => "(this was built without the interface: `make build`, with Node.js and npm)".to_owned(),
    };
    let note = note.map_or_else(String::new, |note| format!("           {note}\n"));
    format!(
        "\
windlass is serving at {url}

open       {open}
log in     user {ADMIN}, password {password}
           curl -c cookies -H 'Content-Type: application/json' -d '{{\"name\":\"{ADMIN}\",\"password\":\"{password}\"}}' '{url}/api/v1/session'
{launch}{note}follow     curl -N -H 'Authorization: Bearer {token}' '{url}/api/v1/events?after={cursor}'
reference  {url}/api/docs
stop       Ctrl-C; open runs go on at the next start
"
    )
}

//! `windlass seed`: the first admin, and a link with which they come in once. Safe to run again.

use serde_json::json;
use windlass_api::auth::{
    kept::{User, now_ms},
    links, users,
};
use windlass_model::{Code, Problem, time::parse_duration_ms};

use crate::{context::Context, exit::Exit, render};

/// How long a link may hold at most.
const LONGEST_MS: i64 = 24 * 3_600_000;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The admin's name
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: String,
    /// Print a new link though they are there already; one that was printed before holds no more
    #[arg(long)]
    link: bool,
    /// How long the link holds, a day at most
    #[arg(long, value_name = "TIME", default_value = "1h")]
    holds: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let length = parse_duration_ms(&args.holds).ok().filter(|ms| (1..=LONGEST_MS).contains(ms)).ok_or_else(|| {
        Problem::new(Code::Usage, format!("`--holds {}` isn't a duration of a day at most", args.holds))
            .help("for example: 1h")
    })?;
    let url = public_url(context);
    context.with(|session| {
        let engine = session.engine();
        // Nobody learns this password: the link lets them choose one.
        let seeded = users::ensure_admin(engine, &args.admin, None)?;
        let is_new = seeded.password.is_some();
        if !is_new && !args.link {
            context.print(&json!({ "admin": seeded.name, "made": false }), || {
                format!("{} is there already; `windlass seed --link` prints a link for them to come in", seeded.name)
            });
            return Ok(Exit::Success);
        }
        let user = User::require(engine, &seeded.name)?;
        if !users::is_platform_admin(&user.body) {
            return Err(Problem::new(Code::Conflict, format!("`{}` is there, and no admin of the platform", user.id))
                .help("name another one with --admin, or `windlass users grant NAME 'admin@*'`"));
        }
        let issued = links::issue(engine, &super::users::by(context), &user, length)?;
        let link = format!("{url}/#link={}", issued.token);
        let ends = render::clock(now_ms() + length);
        let told = json!({ "admin": user.id, "made": is_new, "link": link, "expires_at_ms": issued.expires_at_ms });
        context.print(&told, || {
            let what = if is_new { "is made" } else { "was there already" };
            format!("{} {what}. Choose a password at (once, until {ends}):\n  {link}", user.id)
        });
        Ok(Exit::Success)
    })
}

fn public_url(context: &Context) -> String {
    let server = &context.loaded.config.server;
    match server.public_url.trim_end_matches('/') {
        "" => format!("{}://{}", if server.tls_cert.is_empty() { "http" } else { "https" }, server.listen),
        url => url.to_owned(),
    }
}

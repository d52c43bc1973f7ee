//! `notify::email`: a message by the configured mail server.

mod address;
mod config;
mod message;
mod smtp;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use windlass_model::{EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    delivery::{self, Failure, Handed, Refused, Turnstile},
    note::Note,
};
use config::Sender;
use smtp::Smtp;

pub use config::{Config, Tls};
pub(super) use message::refuse_secrets;
pub use smtp::Reveal;

const WAY: &str = "email";
/// Why no mail is sent where none can be.
pub(super) const NO_SERVER: &str = "no mail server is configured: `host` under [hosts.notify.email]";

const PARAMS: &[Param] = &[Param::required(
    "message",
    Kind::Map,
    "`to` (an address, `Ann <ann@acme.test>` too, or an array of them), `subject` (one line of at most 200 characters), `text`; \
     `html` (the same for those who see it; what is put into it has to be escaped by the script), `reply_to`. With `values` the \
     subject and both texts are templates (`{{ name }}`, `{% for … %}`, `{% if … %}`), and what is placed in `html` is escaped.",
)];

/// What sends, where a mail server is configured.
pub(super) struct Post {
    config: Config,
    sender: Sender,
    smtp: Smtp,
    turnstile: Turnstile,
}

/// The mail server, if one is configured. Fails when the configuration can't be meant.
pub(super) fn post(config: &Config) -> Result<Option<Arc<Post>>, Problem> {
    if config.host.is_empty() {
        return Ok(None);
    }
    let sender = config.check()?;
    let turnstile = Turnstile::new(config.per_minute);
    Ok(Some(Arc::new(Post { smtp: Smtp::new(config)?, config: config.clone(), sender, turnstile })))
}

/// Whether an address can be read, or why not.
pub(super) fn readable(address: &str) -> Result<(), String> {
    address::read(address).map(drop)
}

/// The op.
pub(super) fn op(post: Option<Arc<Post>>) -> Op {
    described(post)
}

/// The op for rehearsals.
pub(super) fn rehearsal() -> Op {
    described(None)
}

fn described(post: Option<Arc<Post>>) -> Op {
    Op {
        name: WAY,
        doc: "Sends an e-mail. `delivered` says that the mail server has taken it over for everybody; else `reason` says why not, \
              and `refused` lists the recipients that the server didn't accept while others have it; whom it refuses for now is tried \
              again by themselves, at most three times. If one address can't be \
              read, nothing is sent to anybody. A server that is away or busy is tried again until ten seconds are over. Each \
              recipient's domain needs its grant: `notify.email:acme.test`.",
        params: PARAMS,
        returns: delivery::RETURNS,
        permission: Permission::Needs {
            verb: "notify.email",
            scope: message::domains,
            words: "send e-mail to addresses at",
        },
        // At most once would leave a run in doubt until somebody decides: too much for a message. So it is keyed, and what
        // `lookup` finds after a crash is that nobody can know: the step has its answer, and nothing is sent twice.
        class: EffectClass::Keyed,
        undo: Undo::None("what was read can't be unread"),
        resources: no_resources,
        timeout_ms: delivery::OP_TIMEOUT_MS,
        // It tries again by itself, within its ten seconds.
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Assume(|args| delivery::assumed(mistake(args).as_deref())),
        example: r#"notify::email(#{ to: "ann@acme.test", subject: "acme is there", text: "https://console.acme.test" }).delivered"#,
        run: Box::new(move |cx, args| {
            message::refuse_secrets(args)?;
            match &post {
                Some(post) => post.send(cx, args),
                None => Ok(delivery::undelivered(cx, WAY, NO_SERVER)),
            }
        }),
        lookup: Some(Box::new(|cx, _| Ok(Some(delivery::interrupted(cx, WAY))))),
    }
}

/// What is wrong with a message whatever the configuration.
fn mistake(args: &Args) -> Option<String> {
    let secret = message::refuse_secrets(args).err().map(|problem| problem.message);
    secret.or_else(|| message::read(args, &Config::default()).err())
}

impl Post {
    fn send(&self, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
        let prepared = message::read(args, &self.config).and_then(|letter| {
            let message = letter.message(&cx.key, Some(cx.run.as_str()), &self.sender)?;
            let reveal = |name: &str, to: &str| cx.reveal(&serde_json::json!({ "$secret": name }), to);
            let password = self.smtp.password(&reveal)?;
            self.turnstile.pass(Instant::now())?;
            Ok((message, password))
        });
        let (message, password) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return Ok(delivery::undelivered(cx, WAY, &why)),
        };
        let holds = cx.holder();
        let password = password.as_ref().map(|password| password.as_str());
        delivery::deliver(cx, WAY, Duration::from_millis(self.config.timeout_ms), async |handed, only| {
            self.smtp.send((&message, only), password, handed, &holds).await
        })
    }

    /// One attempt at a message that isn't a script's; with `only`, to these of its recipients.
    pub(super) async fn attempt(
        &self,
        (to, note, id): (&[String], &Note, &str),
        only: &[String],
        reveal: Reveal<'_>,
        handed: &Handed,
        holds: &(impl Fn() -> bool + Sync),
    ) -> Result<Refused, Failure> {
        let letter = message::plain(to, note, &self.config).map_err(Failure::Final)?;
        let message = letter.message(id, note.data["run"].as_str(), &self.sender).map_err(Failure::Final)?;
        let password = self.smtp.password(reveal).map_err(Failure::Again)?;
        self.turnstile.pass(Instant::now()).map_err(Failure::Again)?;
        self.smtp.send((&message, only), password.as_ref().map(|password| password.as_str()), handed, holds).await
    }
}

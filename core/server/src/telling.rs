//! Messages to people: what the API and scripts ask of the host module's courier, with targets of the database and of the
//! configuration.

use std::sync::Arc;

use windlass_api::{
    auth::kept::Kept,
    notifications::{
        kept::{Sealed, Severity, TargetBody, Way, key},
        targets::context,
    },
    services::{self, NotDelivered, NotifyTarget, ToTarget, Told},
};
use windlass_hosts::{
    HostConfig,
    notify::{self, Courier, Note, Target},
    owner::Organisations as _,
};
use windlass_model::{Code, Problem, RunId};
use windlass_script::SecretSource as _;
use zeroize::Zeroizing;

use crate::vault::Vault;

/// Hands messages of the API over.
pub struct Post {
    courier: Courier,
    vault: Arc<Vault>,
    runtime: tokio::runtime::Handle,
}

impl Post {
    /// By the configured mail server, and to configured targets.
    pub fn new(config: &HostConfig, vault: Arc<Vault>, runtime: tokio::runtime::Handle) -> Result<Self, Problem> {
        Ok(Self { courier: Courier::new(&config.notify, &config.http)?, vault, runtime })
    }

    /// A secret of the installation, for a destination that its policy allows.
    fn reveal(&self, name: &str, destination: &str) -> Result<Zeroizing<String>, Problem> {
        if !self.vault.policy(name)?.allows(destination) {
            let message = format!("the secret `{name}` may not go to {destination}");
            return Err(Problem::new(Code::SecretMisuse, message));
        }
        self.vault.get(name)
    }

    fn target(&self, organisation: &str, to: &ToTarget) -> Result<Target, String> {
        match to {
            ToTarget::This(target) => Ok(plain(target)),
            ToTarget::Configured(name) => {
                self.courier.named(organisation, name).ok_or_else(|| format!("there is no target `{name}`"))?
            }
        }
    }
}

/// The target as the host module has it.
fn plain(target: &NotifyTarget) -> Target {
    Target {
        name: target.name.clone(),
        way: match target.way {
            Way::Email => notify::Way::Email,
            Way::Ntfy => notify::Way::Ntfy,
            Way::Discord => notify::Way::Discord,
            Way::Slack => notify::Way::Slack,
            Way::Mattermost => notify::Way::Mattermost,
            Way::Webhook => notify::Way::Webhook,
        },
        url: target.url.clone().into(),
        secret: target.secret.clone().into(),
        to: target.to.clone(),
        // Only who looks after the installation can say so.
        private: false,
    }
}

fn note(told: &Told<'_>) -> Note {
    let cause = told.cause;
    Note {
        title: told.message.title.clone(),
        text: told.message.text.clone(),
        html: Some(told.message.html.clone()),
        severity: match told.severity {
            Severity::Info => notify::Severity::Info,
            Severity::Warning => notify::Severity::Warning,
            Severity::Error => notify::Severity::Error,
            Severity::Critical => notify::Severity::Critical,
        },
        link: told.message.link.clone(),
        kind: cause.kind.clone(),
        data: serde_json::json!({
            "run": cause.run, "workflow": cause.workflow, "organisation": cause.organisation, "event": told.data,
        }),
        at_ms: cause.at_ms,
    }
}

impl services::Courier for Post {
    fn check(&self, target: &NotifyTarget) -> Result<(), String> {
        self.courier.check(&plain(target))
    }

    fn configured(&self, organisation: &str) -> Vec<(String, String)> {
        let all = self.courier.configured(organisation);
        all.map(|(name, way)| (name.to_owned(), way.as_str().to_owned())).collect()
    }

    fn send(&self, organisation: &str, to: &ToTarget, told: &Told<'_>, id: &str) -> Result<String, NotDelivered> {
        let target = self.target(organisation, to);
        // A target that isn't there, or can't be read, may be put right.
        let target = target.map_err(|reason| NotDelivered::new(reason, true))?;
        let reveal = |name: &str, destination: &str| self.reveal(name, destination);
        let sent = self.runtime.block_on(self.courier.send((&target, told.only), &note(told), id, &reveal));
        sent.map_err(|failed| NotDelivered {
            reason: failed.reason,
            again: failed.again,
            after_ms: failed.after_ms,
            unknown: failed.unknown,
            left: failed.left,
            remark: failed.remark,
        })
    }
}

/// Targets that were made by people, for scripts.
pub struct Targets(pub Arc<Vault>);

impl notify::Targets for Targets {
    fn find(&self, run: &RunId, name: &str) -> Result<Option<Target>, Problem> {
        let key = key(&self.organisation(run)?, name);
        let Some(target) = Kept::<TargetBody>::find_by_key(&self.0.attached()?, &key)? else { return Ok(None) };
        // A configured one of the same name is another one.
        if target.body.about.paused {
            return Err(Problem::new(Code::Conflict, format!("the target `{name}` is at rest")));
        }
        let sealed = match target.body.sealed.as_str() {
            "" => Sealed::default(),
            text => serde_json::from_str(&self.0.open_text(&context(&target.id), text)?)
                .map_err(|_| Problem::new(Code::Storage, "what is sealed of a target is damaged"))?,
        };
        let (way, to) = (target.body.way, target.body.to);
        Ok(Some(plain(&NotifyTarget { name: name.to_owned(), way, url: sealed.url, secret: sealed.secret, to })))
    }

    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        self.0.of(run)
    }
}

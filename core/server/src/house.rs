//! Organisations, as scripts make and change them: what a run may do follows from the organisation that it is of.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use windlass_api::{
    Role,
    auth::kept::{By, Organisation, OrganisationKind, PLATFORM, Quotas},
    invitations::{
        kept::Invitation,
        rules::{self as invitations, NewInvitation},
    },
    organisations::{
        brand::{self, NewBrand},
        environments::{self, NewEnvironment},
        rules, tree,
    },
    services::Mail,
    vouchers::revoke_all,
};
use windlass_engine::Engine;
use windlass_hosts::{
    org::{self, NewOrganisation, Step},
    owner::Organisations as _,
};
use windlass_model::{Code, Problem};

use crate::{config::Config, vault::Vault};

/// The organisations of one database.
pub struct House {
    vault: Arc<Vault>,
    mail: Option<Arc<dyn Mail>>,
    /// The address that people reach the server at, if the configuration names it.
    public_url: String,
    /// Users of a machine that there are for organisations' programs.
    uids: u32,
    /// Where the API of this process is, once it is served.
    url: Arc<OnceLock<String>>,
}

/// Who acts, and where.
struct Acts {
    engine: Engine,
    by: By,
    of: String,
}

impl House {
    /// Of this database.
    pub fn new(vault: Arc<Vault>, mail: Option<Arc<dyn Mail>>, config: &Config, url: Arc<OnceLock<String>>) -> Self {
        let (public_url, uids) = (config.server.public_url.clone(), config.hosts.exec.uid_count);
        Self { vault, mail, public_url, uids, url }
    }

    fn acts(&self, step: &Step<'_>) -> Result<Acts, Problem> {
        let of = self.vault.of(step.run)?;
        let by = By { actor: format!("run:{}", step.run), source: "run".into() };
        Ok(Acts { engine: self.vault.attached()?, by, of })
    }

    fn address(&self) -> Option<&str> {
        match self.public_url.as_str() {
            "" => self.url.get().map(String::as_str),
            url => Some(url),
        }
    }

    fn sent(&self, acts: &Acts, invited: &invitations::Invited) -> Result<Value, Problem> {
        let body = &invited.invitation.body;
        let sent = match self.address() {
            Some(url) => invitations::send(&acts.engine, self.mail.as_deref(), url, invited)?,
            None => {
                let reason = "this process serves no API, so that no link could be sent".to_owned();
                invitations::Sent { sent: false, reason }
            }
        };
        Ok(
            json!({ "id": invited.invitation.id, "email": body.email, "role": body.role, "sent": sent.sent, "reason": sent.reason }),
        )
    }
}

impl Acts {
    fn is_above(&self, name: &str) -> Result<bool, Problem> {
        tree::is_above(&self.engine, &self.of, name)
    }

    /// One that the run has nothing to do with is as if it weren't there.
    fn find(&self, name: &str) -> Result<Option<Organisation>, Problem> {
        let found = Organisation::find(&self.engine, name)?;
        Ok(if self.of == name || self.is_above(name)? { found } else { None })
    }

    fn require(&self, name: &str) -> Result<Organisation, Problem> {
        let none = || {
            Problem::new(
                Code::NotFound,
                format!("there is no organisation `{name}` that a run of `{}` has to do with", self.of),
            )
            .no_effect()
        };
        self.find(name)?.ok_or_else(none)
    }

    /// For what only those above it may do.
    fn require_above(&self, name: &str) -> Result<Organisation, Problem> {
        let found = self.require(name)?;
        if self.is_above(name)? {
            return Ok(found);
        }
        let message =
            format!("a run of the organisation `{name}` can't do this to it: one of the organisation above can");
        Err(Problem::new(Code::PermissionDenied, message).data(json!({ "reason": "organisation" })).no_effect())
    }
}

fn view(organisation: &Organisation) -> Value {
    json!({
        "name": organisation.id,
        "title": organisation.body.title,
        "kind": tree::kind(organisation),
        "parent": tree::parent(organisation),
        "suspended": organisation.body.suspended,
    })
}

fn typed<T: serde::de::DeserializeOwned + Default>(value: &Value, what: &str) -> Result<T, Problem> {
    if value.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(value.clone())
        .map_err(|error| Problem::new(Code::InvalidArgument, format!("`{what}`: {error}")).no_effect())
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BrandOptions {
    title: String,
    logo: Option<String>,
    colours: windlass_api::organisations::kept::Colours,
}

impl org::House for House {
    fn create(&self, step: &Step<'_>, new: &NewOrganisation) -> Result<Value, Problem> {
        let acts = self.acts(step)?;
        let parent = new.parent.clone().unwrap_or_else(|| acts.of.clone());
        if acts.of != PLATFORM && acts.of != parent {
            let message = format!("a run of the organisation `{}` makes organisations under that one only", acts.of);
            return Err(Problem::new(Code::PermissionDenied, message)
                .data(json!({ "reason": "organisation" }))
                .no_effect());
        }
        let kind = match new.kind.as_str() {
            "franchisee" => OrganisationKind::Franchisee,
            _ => OrganisationKind::Customer,
        };
        let quotas: Quotas = typed(&new.quotas, "quotas")?;
        let made = rules::create(
            &acts.engine,
            &acts.by,
            &rules::NewOrganisation {
                name: new.name.clone(),
                title: new.title.clone(),
                kind,
                parent: Some(parent),
                quotas,
                made_by: Some(step.key.to_owned()),
            },
            self.uids,
        )?;
        let mut answer = view(&made);
        if let Some(email) = &new.owner_email {
            let owner = self.invited(&acts, step, &made.id, email, Role::Franchisee)?;
            answer["invitation"] = owner;
        }
        Ok(answer)
    }

    fn remove(&self, step: &Step<'_>, name: &str, by: Option<&str>) -> Result<bool, Problem> {
        let acts = self.acts(step)?;
        let Some(found) = Organisation::find(&acts.engine, name)? else { return Ok(false) };
        let removing = |work: &mut dyn FnMut() -> Result<(), Problem>| self.vault.removing(work);
        if let Some(by) = by {
            if found.body.made_by.as_deref() != Some(by) {
                return Ok(false);
            }
            for invitation in invitations::list(&acts.engine, name)? {
                if invitation.body.made_by.as_deref() == Some(by) {
                    invitations::withdraw(&acts.engine, &acts.by, &invitation)?;
                }
            }
            return match rules::remove(&acts.engine, &acts.by, &found, false, &removing) {
                // Somebody lives in it by now: it stays.
                Err(problem) if problem.code == Code::Conflict && !problem.data["contents"].is_null() => Ok(false),
                other => other.map(|()| true),
            };
        }
        let found = acts.require_above(name)?;
        rules::remove(&acts.engine, &acts.by, &found, found.body.suspended, &removing)?;
        revoke_all(&acts.engine, name, (&acts.by.actor, &acts.by.source))?;
        Ok(true)
    }

    fn invite(&self, step: &Step<'_>, name: &str, email: &str, role: &str) -> Result<Value, Problem> {
        let acts = self.acts(step)?;
        let role: Role = typed_role(role)?;
        acts.require(name)?;
        let address = windlass_api::auth::users::checked_email(email)?;
        let mine = Invitation::find_by_key(&acts.engine, &format!("{name}|{address}"))?
            .is_some_and(|found| found.body.made_by.as_deref() == Some(step.key));
        if !mine && acts.of != PLATFORM {
            if acts.of == name {
                if role == Role::Franchisee {
                    let message = format!("a run of `{name}` invites viewers and operators into it");
                    return Err(Problem::new(Code::PermissionDenied, message)
                        .help("who is to manage it is invited by somebody who does, or by a run of the organisation above")
                        .no_effect());
                }
            } else {
                invitations::require_first(&acts.engine, name, role)?;
            }
        }
        self.invited(&acts, step, name, email, role)
    }

    fn withdraw(&self, step: &Step<'_>, name: &str, email: &str, by: Option<&str>) -> Result<bool, Problem> {
        let acts = self.acts(step)?;
        let address = windlass_api::auth::users::checked_email(email)?;
        let Some(found) = Invitation::find_by_key(&acts.engine, &format!("{name}|{address}"))? else {
            return Ok(false);
        };
        match by {
            Some(by) if found.body.made_by.as_deref() != Some(by) => return Ok(false),
            Some(_) => {}
            None => drop(acts.require(name)?),
        }
        invitations::withdraw(&acts.engine, &acts.by, &found)?;
        Ok(true)
    }

    fn suspend(&self, step: &Step<'_>, name: &str, reason: Option<&str>) -> Result<Value, Problem> {
        let acts = self.acts(step)?;
        let found = acts.require_above(name)?;
        let now = match reason {
            Some(reason) => rules::suspend(&acts.engine, &acts.by, &found.id, reason)?,
            None => rules::resume(&acts.engine, &acts.by, &found.id)?,
        };
        Ok(json!({ "name": now.id, "suspended": now.body.suspended }))
    }

    fn environment(&self, step: &Step<'_>, name: &str, environment: &str, options: &Value) -> Result<Value, Problem> {
        let acts = self.acts(step)?;
        acts.require(name)?;
        let mut facts = options.clone();
        let domain = facts.as_object_mut().and_then(|facts| facts.remove("domain"));
        let domain: Option<String> = typed(&domain.unwrap_or_default(), "domain")?;
        let new = NewEnvironment { name: environment.to_owned(), domain, facts };
        let kept = environments::put(&acts.engine, &acts.by, name, &new, (step.run.as_str(), step.key))?;
        Ok(json!({ "name": kept.body.name, "organisation": name, "domain": kept.body.domain }))
    }

    fn forget(&self, step: &Step<'_>, name: &str, environment: &str, by: Option<&str>) -> Result<bool, Problem> {
        let acts = self.acts(step)?;
        if by.is_none() {
            acts.require(name)?;
        }
        environments::remove(&acts.engine, &acts.by, name, environment, by)
    }

    fn brand(&self, step: &Step<'_>, name: &str, options: &Value) -> Result<Value, Problem> {
        let acts = self.acts(step)?;
        acts.require(name)?;
        let BrandOptions { title, logo, colours } = typed(options, "brand")?;
        let kept = brand::put(&acts.engine, &acts.by, name, &NewBrand { title, logo, colours }, Some(step.key))?;
        Ok(json!({ "organisation": name, "title": kept.body.title }))
    }

    fn unbrand(&self, step: &Step<'_>, name: &str, by: &str) -> Result<(), Problem> {
        let acts = self.acts(step)?;
        brand::take_back(&acts.engine, &acts.by, name, by)
    }

    fn get(&self, step: &Step<'_>, name: &str) -> Result<Option<Value>, Problem> {
        Ok(self.acts(step)?.find(name)?.as_ref().map(view))
    }
}

fn typed_role(role: &str) -> Result<Role, Problem> {
    serde_json::from_value(role.into())
        .map_err(|_| Problem::new(Code::InvalidArgument, format!("`{role}` is no role")).no_effect())
}

impl House {
    fn invited(&self, acts: &Acts, step: &Step<'_>, name: &str, email: &str, role: Role) -> Result<Value, Problem> {
        let made_by = Some(step.key.to_owned());
        let new =
            NewInvitation { organisation: name.to_owned(), email: email.to_owned(), role, vouched: false, made_by };
        let mut invited = invitations::create(&acts.engine, &acts.by, &new)?;
        // The process ended between the making and the sending: nobody has the link.
        if invited.word.is_none() && invited.invitation.body.sent_at_ms.is_none() && self.mail.is_some() {
            match invitations::renew(&acts.engine, &acts.by, &invited.invitation, false) {
                Err(problem) if matches!(problem.code, Code::TooManyRequests | Code::LimitExceeded) => {}
                other => invited = other?,
            }
        }
        self.sent(acts, &invited)
    }
}

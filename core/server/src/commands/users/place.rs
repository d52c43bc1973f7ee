//! Where users are kept: in this data folder, or at a server. Both tell of them in the same words.

use serde_json::{Value, json};
use windlass_api::auth::{
    binding::Binding,
    kept::{User, UserBody},
    users,
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::{by, text};
use crate::{
    context::Context,
    desk::{Remote, encoded},
};

/// Where users are kept.
pub enum Place<'a> {
    /// In this data folder.
    Here(&'a Engine, &'a Context),
    /// At a server.
    There(&'a Remote),
}

/// A user to be.
pub struct NewUser<'a> {
    pub name: &'a str,
    pub organisation: &'a str,
    pub title: &'a str,
    pub email: Option<&'a str>,
    pub bindings: Vec<Binding>,
}

impl Place<'_> {
    pub fn all(&self) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(engine, _) => {
                Ok(User::all(engine, &DocumentFilter::default(), |_| true)?.iter().map(users::view).collect())
            }
            Self::There(remote) => {
                Ok(remote.list("/users", &[], usize::MAX)?.into_iter().map(|user| told(user).0).collect())
            }
        }
    }

    pub fn find(&self, name: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(engine, _) => kept(engine, name).map(|user| users::view(&user)),
            Self::There(remote) => shown(remote, name).map(|(user, _)| user),
        }
    }

    pub fn create(&self, new: NewUser<'_>, password: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(engine, context) => {
                let name = users::checked_name(new.name)?;
                let body = UserBody {
                    title: new.title.to_owned(),
                    email: new.email.map(str::to_owned),
                    bindings: new.bindings,
                    password: Some(users::hashed(password, &name)?),
                    ..UserBody::default()
                };
                users::create(engine, &by(context), &name, new.organisation, body).map(|user| users::view(&user))
            }
            Self::There(remote) => {
                let body = json!({ "name": new.name, "organisation": new.organisation, "title": new.title,
                                   "email": new.email, "bindings": new.bindings, "password": password });
                remote.post("/users", &body).map(|user| told(user).0)
            }
        }
    }

    /// What they may do from now on, and whether they are kept out. Refused if somebody else was faster.
    pub fn change(&self, user: &Value, action: &str, bindings: Vec<Binding>, disabled: bool) -> Result<Value, Problem> {
        let name = text(user, "name");
        match self {
            Self::Here(engine, context) => {
                let before = unchanged(kept(engine, name)?, user)?;
                let body = UserBody { bindings, disabled, ..before.body.clone() };
                users::update(engine, &by(context), action, &before, body).map(|user| users::view(&user))
            }
            Self::There(remote) => {
                let (now, version) = shown(remote, name)?;
                if now != *user {
                    return Err(overtaken(name));
                }
                // Only what changes is sent: who may let somebody in again needn't be able to give what they hold.
                let mut body = json!({ "disabled": disabled });
                if user["bindings"] != json!(bindings) {
                    body["bindings"] = json!(bindings);
                }
                remote.patch_if(&path(name), &body, version).map(|user| told(user).0)
            }
        }
    }

    /// Gives them a password; their sessions end.
    pub fn reset(&self, user: &Value, password: &str, remove_totp: bool) -> Result<Value, Problem> {
        let name = text(user, "name");
        match self {
            Self::Here(engine, context) => {
                users::set_password(engine, &by(context), &kept(engine, name)?, password, None)?;
                if remove_totp {
                    let user = kept(engine, name)?;
                    let body = UserBody { totp: None, ..user.body.clone() };
                    users::update(engine, &by(context), "user.totp_disable", &user, body)?;
                }
            }
            Self::There(remote) => {
                let _: Value = remote.put(&format!("{}/password", path(name)), &json!({ "password": password }))?;
                if remove_totp {
                    remote.delete(&format!("{}/totp", path(name)))?;
                }
            }
        }
        self.find(name)
    }
}

fn path(name: &str) -> String {
    format!("/users/{}", encoded(name))
}

fn none(name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no user `{name}`")).help("`windlass users ls` lists them")
}

fn overtaken(name: &str) -> Problem {
    Problem::new(Code::PreconditionFailed, format!("somebody else changes {name} at this moment"))
        .help("look at what they hold now, and try again")
}

fn kept(engine: &Engine, name: &str) -> Result<User, Problem> {
    User::find(engine, &name.to_ascii_lowercase())?.ok_or_else(|| none(name))
}

fn unchanged(user: User, seen: &Value) -> Result<User, Problem> {
    if users::view(&user) == *seen { Ok(user) } else { Err(overtaken(&user.id)) }
}

/// As a server shows them, with the version.
fn shown(remote: &Remote, name: &str) -> Result<(Value, i64), Problem> {
    match remote.get(&path(name)) {
        Err(problem) if problem.code == Code::NotFound => Err(none(name)),
        user => user.map(told),
    }
}

/// What a server tells, in the words of the data folder; and the version.
fn told(mut user: Value) -> (Value, i64) {
    let version = user["version"].as_i64().unwrap_or_default();
    if let Some(map) = user.as_object_mut() {
        map.remove("version");
        map.remove("created_at_ms");
    }
    (user, version)
}

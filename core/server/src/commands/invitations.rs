//! `windlass invitations …`: who is invited into an organisation, in this data folder or at a server.

use serde_json::{Value, json};
use windlass_api::{
    Role,
    invitations::{
        kept::Invitation,
        rules::{self, Invited, NewInvitation},
    },
};
use windlass_model::{Code, Problem};

use super::users::by;
use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
    session::Session,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List an organisation's open invitations
    Ls {
        /// The organisation
        organisation: String,
    },
    /// Invite somebody; prints the link, once, if no mail server takes the letter
    Create {
        /// The organisation
        organisation: String,
        /// Their e-mail address
        email: String,
        /// What they will hold there
        #[arg(long, value_parser = ["viewer", "operator", "franchisee"], default_value = "viewer")]
        role: String,
    },
    /// Send an invitation again, with a new link
    Send {
        /// Its id, as `ls` shows it
        invitation: String,
    },
    /// Withdraw an invitation
    Rm {
        /// Its id, as `ls` shows it
        invitation: String,
    },
}

enum Place<'a> {
    Here(&'a Session, &'a Context),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session, context), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Ls { organisation } => list(&place.all(organisation)?, context),
        Command::Create { organisation, email, role } => tell(&place.create(organisation, email, role)?, context),
        Command::Send { invitation } => tell(&place.send(invitation)?, context),
        Command::Rm { invitation } => {
            place.withdraw(invitation)?;
            context.print(&json!({ "id": invitation, "withdrawn": true }), || "it is withdrawn".to_owned());
        }
    }
    Ok(Exit::Success)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn kept(session: &Session, id: &str) -> Result<Invitation, Problem> {
    Invitation::find(session.engine(), id)?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("there is no invitation `{id}`"))
            .help("`windlass invitations ls ORGANISATION` lists them")
    })
}

fn view(invitation: &Invitation) -> Value {
    let mut view = rules::view(invitation);
    view["created_at_ms"] = invitation.created_at_ms.into();
    view["sent_at_ms"] = json!(invitation.body.sent_at_ms);
    view["expires_at_ms"] = json!(invitation.expires_at_ms);
    view
}

/// As the API tells it.
fn sent(session: &Session, invited: &Invited) -> Result<Value, Problem> {
    let server = &session.config().server;
    let url = match server.public_url.as_str() {
        "" => format!("http://{}", server.listen),
        url => url.to_owned(),
    };
    let outcome = rules::send(session.engine(), session.mail().as_deref(), &url, invited)?;
    let now = Invitation::find(session.engine(), &invited.invitation.id)?;
    let mut view = view(now.as_ref().unwrap_or(&invited.invitation));
    view["sent"] = outcome.sent.into();
    if let Some(word) = invited.word.as_ref().filter(|_| !outcome.sent) {
        view["reason"] = outcome.reason.into();
        view["link"] = rules::link(&url, word).into();
    }
    Ok(view)
}

impl Place<'_> {
    fn all(&self, organisation: &str) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(session, _) => Ok(rules::list(session.engine(), organisation)?.iter().map(view).collect()),
            Self::There(remote) => remote.get(&format!("/organisations/{}/invitations", encoded(organisation))),
        }
    }

    fn create(&self, organisation: &str, email: &str, role: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let role: Role = serde_json::from_value(role.into())
                    .map_err(|_| Problem::new(Code::Usage, format!("there is no role `{role}`")))?;
                let (organisation, email) = (organisation.to_owned(), email.to_owned());
                let new = NewInvitation { organisation, email, role, vouched: true, made_by: None };
                sent(session, &rules::create(session.engine(), &by(context), &new)?)
            }
            Self::There(remote) => {
                let path = format!("/organisations/{}/invitations", encoded(organisation));
                remote.post(&path, &json!({ "email": email, "role": role }))
            }
        }
    }

    fn send(&self, id: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let invitation = kept(session, id)?;
                sent(session, &rules::renew(session.engine(), &by(context), &invitation, true)?)
            }
            Self::There(remote) => remote.post(&format!("/invitations/{}/send", encoded(id)), &json!({})),
        }
    }

    fn withdraw(&self, id: &str) -> Result<(), Problem> {
        match self {
            Self::Here(session, context) => rules::withdraw(session.engine(), &by(context), &kept(session, id)?),
            Self::There(remote) => remote.delete(&format!("/invitations/{}", encoded(id))),
        }
    }
}

fn tell(invitation: &Value, context: &Context) {
    context.print(invitation, || {
        let (email, organisation) = (text(invitation, "email"), text(invitation, "organisation"));
        match (text(invitation, "link"), text(invitation, "reason")) {
            ("", _) => format!("{email} is invited into {organisation}, and the letter is on its way"),
            (link, reason) => {
                format!(
                    "{email} is invited into {organisation}; no letter was sent ({reason}).\n\
                     Hand over this link, which is told only now:\n{link}"
                )
            }
        }
    });
}

fn list(all: &[Value], context: &Context) {
    context.print(&all, || {
        let time = |value: &Value| value.as_i64().map_or("-".to_owned(), render::clock);
        let rows = all.iter().map(|one| {
            let own = |key| text(one, key).to_owned();
            vec![own("id"), own("email"), own("role"), own("by"), time(&one["sent_at_ms"]), time(&one["expires_at_ms"])]
        });
        render::table(&["id", "for", "role", "by", "sent", "ends"], rows.collect())
    });
}

//! Invitations into organisations: by their managers, to an e-mail address; accepted by whoever reads the mail.

pub mod kept;
mod letter;
pub mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use self::{
    kept::Invitation,
    rules::{Invited, NewInvitation, Newcomer, Sent},
};
use crate::{
    Access, Answer, Permission, Request, Role, Route,
    auth::{
        self,
        access::Proof,
        binding::{Binding, covered},
        kept::{Organisation, User},
        users,
    },
    organisations::{
        self,
        look::{self, Look},
        tree::{self, Standing},
    },
};

/// Bytes of a body with a word and a password: anybody may send one.
const CREDENTIALS: usize = 16 << 10;

/// An invitation that is open.
#[derive(Serialize, JsonSchema)]
struct InvitationView {
    /// Its id, which opens nothing.
    id: String,
    /// The organisation that it is into.
    organisation: String,
    /// Whom it is for.
    email: String,
    /// What they will hold there.
    role: Role,
    /// Who invites.
    by: String,
    /// When it was made.
    created_at_ms: i64,
    /// When a mail server last took it over; absent if none has.
    sent_at_ms: Option<i64>,
    /// When it ends.
    expires_at_ms: Option<i64>,
}

/// An invitation whose link was made just now.
#[derive(Serialize, JsonSchema)]
struct InvitedView {
    /// The invitation.
    #[serde(flatten)]
    view: InvitationView,
    /// Whether a mail server has taken it over.
    sent: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// Where it is accepted, if it couldn't be sent: hand it over. It is told only now.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Whom to invite.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InvitationBody {
    /// Their e-mail address; nobody else can accept it.
    email: String,
    /// What they will hold in the organisation; never more than you do.
    role: Role,
}

/// An invitation's word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WordBody {
    /// What stands behind `#` in the link.
    word: String,
}

/// What somebody who was invited may know.
#[derive(Serialize, JsonSchema)]
struct InvitationShown {
    /// The organisation that it is into.
    organisation: String,
    /// How people call it.
    title: String,
    /// Whom it is for.
    email: String,
    /// What they will hold there.
    role: Role,
    /// Who invites.
    by: String,
    /// When it ends.
    expires_at_ms: Option<i64>,
    /// Whether the address is a user's: then they log in and accept it; else they choose a name and a password.
    known: bool,
    /// How the organisation looks.
    look: Look,
}

/// Who accepts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    /// What stands behind `#` in the link.
    word: String,
    /// The name to log in with, of somebody new: letters, digits and `._-`; never changes.
    name: Option<String>,
    /// How people call them.
    #[serde(default)]
    title: String,
    /// The password of somebody new: at least 10 characters.
    password: Option<String>,
}

/// An invitation that was accepted.
#[derive(Serialize, JsonSchema)]
struct Accepted {
    /// The user who has accepted it, and can log in.
    user: String,
    /// The organisation.
    organisation: String,
    /// What they hold there.
    role: Role,
}

pub(crate) fn routes() -> Vec<Route> {
    let access = Access::Can(Permission::Manage);
    let refused = &[
        Code::InvalidInput,
        Code::NotFound,
        Code::Conflict,
        Code::LimitExceeded,
        Code::TooManyRequests,
        Code::PermissionDenied,
    ];
    vec![
        Route::get("/api/v1/organisations/{name}/invitations", "invitations", "List an organisation's open invitations")
            .access(access)
            .answers::<Vec<InvitationView>>(200)
            .problems(&[Code::NotFound])
            .handle(list),
        Route::post("/api/v1/organisations/{name}/invitations", "invitations", "Invite somebody into an organisation")
            .describe(
                "The link goes to the address by mail. Where that can't be, the answer has it, once. Whoever manages the \
                 organisation above invites one person with the role `franchisee` while nobody manages it, and nobody else.",
            )
            .access(access)
            .body::<InvitationBody>()
            .answers::<InvitedView>(201)
            .problems(refused)
            .handle(create),
        Route::get("/api/v1/invitations/{id}", "invitations", "Show an invitation")
            .access(access)
            .answers::<InvitationView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::post("/api/v1/invitations/{id}/send", "invitations", "Send an invitation again, with a new link")
            .describe("The link before works no more. Once a minute, and ten times at most.")
            .access(access)
            .answers::<InvitedView>(200)
            .problems(refused)
            .handle(send_again),
        Route::delete("/api/v1/invitations/{id}", "invitations", "Withdraw an invitation")
            .access(access)
            .answers_nothing()
            .problems(&[Code::NotFound])
            .handle(withdraw),
        Route::post("/api/v1/invitation", "invitations", "Show the invitation that a link is of")
            .access(Access::Public)
            .body::<WordBody>()
            .body_bytes(CREDENTIALS)
            .answers::<InvitationShown>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::TooManyRequests])
            .handle(preview),
        Route::post("/api/v1/invitation/accept", "invitations", "Accept an invitation")
            .describe(
                "Somebody new chooses a name and a password. Whoever is a user already logs in first, as the one whose address \
                 was invited.",
            )
            .access(Access::Public)
            .body::<AcceptBody>()
            .body_bytes(CREDENTIALS)
            .answers::<Accepted>(200)
            .problems(&[
                Code::InvalidInput,
                Code::Unauthenticated,
                Code::NotFound,
                Code::Conflict,
                Code::TooManyRequests,
            ])
            .handle(accept),
    ]
}

fn view(invitation: &Invitation) -> InvitationView {
    let body = &invitation.body;
    InvitationView {
        id: invitation.id.clone(),
        organisation: invitation.organisation.clone(),
        email: body.email.clone(),
        role: body.role,
        by: body.by.clone(),
        created_at_ms: invitation.created_at_ms,
        sent_at_ms: body.sent_at_ms,
        expires_at_ms: invitation.expires_at_ms,
    }
}

/// The organisation of a path, whose invitations whoever asks may see; and what they are to it.
fn place(request: &Request) -> Result<(Organisation, Standing), Problem> {
    let (organisation, standing) = organisations::found(request)?;
    if standing < Standing::Manager {
        return Err(request.principal.denied(Permission::Manage, &organisation.id, "*"));
    }
    Ok((organisation, standing))
}

/// Refuses what goes beyond what whoever asks may give.
fn admit(request: &Request, organisation: &Organisation, standing: Standing, role: Role) -> Result<(), Problem> {
    let binding = Binding::new(role, &organisation.id);
    if request.may(Permission::Manage, &organisation.id, "*") {
        if covered(&auth::held(&request.principal), &binding) {
            return Ok(());
        }
        let message = format!("the role `{}` is more than you hold yourself", rules::role_word(role));
        return Err(Problem::new(Code::PermissionDenied, message).help("ask somebody who holds it"));
    }
    match standing {
        Standing::Parent => rules::require_first(&request.api.engine, &organisation.id, role),
        _ => Err(request.principal.denied(Permission::Manage, &organisation.id, "*")),
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = place(&request)?;
    let all = rules::list(&request.api.engine, &organisation.id)?;
    Answer::json(&all.iter().map(view).collect::<Vec<_>>())
}

fn create(request: Request) -> Result<Answer, Problem> {
    let (organisation, standing) = place(&request)?;
    let body: InvitationBody = request.json()?;
    admit(&request, &organisation, standing, body.role)?;
    let new = NewInvitation {
        organisation: organisation.id.clone(),
        email: body.email,
        role: body.role,
        vouched: users::vouches(&request.principal),
        made_by: None,
    };
    let invited = rules::create(&request.api.engine, &auth::by(&request), &new)?;
    let answer = sent(&request, &invited)?;
    Answer::created(&format!("/api/v1/invitations/{}", invited.invitation.id), &answer)
}

fn sent(request: &Request, invited: &Invited) -> Result<InvitedView, Problem> {
    let api = &request.api;
    let Sent { sent, reason } = rules::send(&api.engine, api.mail.as_deref(), &api.config.public_url, invited)?;
    let word = invited.word.as_ref().filter(|_| !sent);
    let link = word.map(|word| rules::link(&api.config.public_url, word));
    let now = Invitation::find(&api.engine, &invited.invitation.id)?;
    Ok(InvitedView { view: view(now.as_ref().unwrap_or(&invited.invitation)), sent, reason, link })
}

/// The invitation that the path names; one of an organisation that isn't theirs is as if it weren't there.
fn found(request: &Request) -> Result<(Invitation, Organisation, Standing), Problem> {
    let none = || Problem::new(Code::NotFound, "there is no such invitation");
    let engine = &request.api.engine;
    let invitation = Invitation::find(engine, request.parameter("id"))?.ok_or_else(none)?;
    let organisation = Organisation::find(engine, &invitation.organisation)?.ok_or_else(none)?;
    match tree::standing(&request.principal, &organisation) {
        standing if standing >= Standing::Manager => Ok((invitation, organisation, standing)),
        _ => Err(none()),
    }
}

fn show(request: Request) -> Result<Answer, Problem> {
    Answer::json(&view(&found(&request)?.0))
}

fn send_again(request: Request) -> Result<Answer, Problem> {
    let (invitation, organisation, standing) = found(&request)?;
    admit(&request, &organisation, standing, invitation.body.role)?;
    let invited =
        rules::renew(&request.api.engine, &auth::by(&request), &invitation, users::vouches(&request.principal))?;
    Answer::json(&sent(&request, &invited)?)
}

fn withdraw(request: Request) -> Result<Answer, Problem> {
    let (invitation, ..) = found(&request)?;
    rules::withdraw(&request.api.engine, &auth::by(&request), &invitation)?;
    Ok(Answer::nothing())
}

/// The invitation that the word opens. Each try counts until it has shown that nobody guesses.
fn opened(request: &Request, word: &str) -> Result<Invitation, Problem> {
    let (api, id) = (&request.api, rules::id_of(word));
    api.auth.count_invitation(id, request.address)?;
    let invitation = rules::by_word(&api.engine, word)?;
    api.auth.forgive_invitation(id, request.address);
    Ok(invitation)
}

fn preview(request: Request) -> Result<Answer, Problem> {
    let body: WordBody = request.json()?;
    let invitation = opened(&request, &body.word)?;
    let engine = &request.api.engine;
    Answer::json(&InvitationShown {
        title: Organisation::require(engine, &invitation.organisation)?.body.title,
        known: users::by_login(engine, &invitation.body.email)?.is_some(),
        organisation: invitation.organisation.clone(),
        email: invitation.body.email.clone(),
        role: invitation.body.role,
        by: invitation.body.by.clone(),
        expires_at_ms: invitation.expires_at_ms,
        look: look::of(engine, &invitation.organisation)?,
    })
}

fn accept(request: Request) -> Result<Answer, Problem> {
    let body: AcceptBody = request.json()?;
    let invitation = opened(&request, &body.word)?;
    let engine = &request.api.engine;
    let user = match users::by_login(engine, &invitation.body.email)?
        .map_or_else(|| own_unproved(&request, &invitation), |user| Ok(Some(user)))?
    {
        Some(user) => accept_known(&request, &invitation, &user)?,
        None => {
            let missing = |name: &str| {
                Problem::new(
                    Code::InvalidInput,
                    format!("somebody new chooses a name and a password: `{name}` is missing"),
                )
                .data(serde_json::json!({ "pointer": format!("/{name}") }))
            };
            let name = body.name.as_deref().ok_or_else(|| missing("name"))?;
            let password = body.password.as_deref().ok_or_else(|| missing("password"))?;
            organisations::rules::checked_title(&body.title, "")?;
            let new = Newcomer { name, title: &body.title, password };
            rules::accept_new(engine, &request.address.to_string(), &invitation, &new)?
        }
    };
    request.api.auth.forget();
    Answer::json(&Accepted { user: user.id, organisation: invitation.organisation, role: invitation.body.role })
}

/// The user whose session it is, if they were said to have the invited address: the word that was sent there proves it.
fn own_unproved(request: &Request, invitation: &Invitation) -> Result<Option<User>, Problem> {
    let user = User::find(&request.api.engine, request.principal.person())?;
    Ok(user.filter(|user| user.body.email_unproved && user.body.email.as_ref() == Some(&invitation.body.email)))
}

/// A user who is there has to be the one who asks, in a session: a token or somebody else's session isn't enough.
fn accept_known(request: &Request, invitation: &Invitation, user: &User) -> Result<User, Problem> {
    let own = matches!(request.principal.proof, Proof::Session(_)) && request.principal.person() == user.id;
    if !own {
        return Err(Problem::new(
            Code::Unauthenticated,
            format!("{} is a user already: log in as them first", invitation.body.email),
        )
        .help("POST /api/v1/session, and accept it then; who is somebody else can't accept it"));
    }
    rules::accept(&request.api.engine, &auth::by(request), invitation, user)
}

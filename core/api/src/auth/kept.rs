//! What is kept of users, sessions, tokens and organisations, and how it is read and written: documents with typed bodies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    audit::NewAudit,
    document::{Change, Document, DocumentFilter, Expected},
};

use super::binding::Binding;

/// The organisation of whatever belongs to no other.
pub const PLATFORM: &str = "platform";

/// A user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UserBody {
    /// Stays with them for life: a new user of the same name is somebody else.
    pub uid: String,
    /// How people call them.
    pub title: String,
    /// Where mail reaches them; also a name to log in with, once it is known to be theirs.
    pub email: Option<String>,
    /// Whether somebody who manages an organisation has only said that the address is theirs: they are not found by it, and
    /// keep it from nobody.
    pub email_unproved: bool,
    /// Hash of the password (PHC text); without one only OpenID lets them in.
    pub password: Option<String>,
    /// Rises when all sessions end: one that was opened with an earlier number is none, however late it was written.
    pub generation: u64,
    /// Whether they are kept out.
    pub disabled: bool,
    /// What they may do, and where.
    pub bindings: Vec<Binding>,
    /// The second factor.
    pub totp: Option<TotpBody>,
    /// Who they are at an OpenID provider.
    pub external: Option<External>,
}

/// A second factor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TotpBody {
    /// The seed, sealed.
    pub sealed: String,
    /// Whether a code has shown that the seed arrived.
    pub confirmed: bool,
    /// The last time step that a code was used for: none is taken twice.
    pub last_step: u64,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<String>,
}

/// Who a user is at an OpenID provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// The provider's name in the configuration.
    pub provider: String,
    /// Their id there.
    pub subject: String,
}

/// A session in a browser.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionBody {
    /// Whose.
    pub user: String,
    /// The user's `uid`.
    pub uid: String,
    /// The user's `generation` when whoever logged in was looked at.
    pub generation: u64,
    /// When it was last used, to the minute.
    pub seen_at_ms: i64,
    /// From where it was opened.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// An API token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenBody {
    /// What people call it.
    pub name: String,
    /// Whose.
    pub user: String,
    /// The user's `uid`.
    pub uid: String,
    /// blake3 of its secret part, hex.
    pub hash: String,
    /// What it may do at most.
    pub bindings: Vec<Binding>,
    /// When it was last used, to the minute.
    pub used_at_ms: Option<i64>,
}

/// What an organisation is to the house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationKind {
    /// It looks after the installation; there is one.
    Platform,
    /// It sells what the platform provisions, to customers of its own.
    Franchisee,
    /// It uses what it was sold.
    #[default]
    Customer,
}

impl OrganisationKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Franchisee => "franchisee",
            Self::Customer => "customer",
        }
    }
}

/// An organisation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganisationBody {
    /// How people call it.
    pub title: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// The organisation that it is under; none: the platform. It never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether its members are kept from acting in it.
    pub suspended: bool,
    /// Why it is suspended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How much it may have.
    #[serde(skip_serializing_if = "Quotas::is_empty")]
    pub quotas: Quotas,
    /// The step of a run that has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

impl OrganisationBody {
    /// The platform's.
    pub fn platform() -> Self {
        Self { title: "Platform".into(), kind: OrganisationKind::Platform, ..Self::default() }
    }
}

/// How much an organisation may have, together with those under it. What isn't said isn't limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Runs that haven't ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_open: Option<u64>,
    /// Runs that were launched within the last 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_day: Option<u64>,
    /// Secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<u64>,
    /// Plugins that are approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<u64>,
    /// Members, and invitations that nobody has accepted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// Organisations under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<u64>,
    /// API tokens of its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Schedules, webhooks and triggers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules: Option<u64>,
}

impl Quotas {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a body is kept as.
pub trait Kind: Serialize + DeserializeOwned {
    /// The documents' kind.
    const KIND: &'static str;

    /// Words by which one can be found.
    fn keys(&self, _id: &str) -> Vec<String> {
        Vec::new()
    }
}

impl Kind for UserBody {
    const KIND: &'static str = "user";

    fn keys(&self, id: &str) -> Vec<String> {
        let external = self.external.as_ref().map(|external| format!("{}|{}", external.provider, external.subject));
        let email = self.email.clone().filter(|_| !self.email_unproved);
        [Some(id.to_owned()), email, external].into_iter().flatten().collect()
    }
}

impl Kind for SessionBody {
    const KIND: &'static str = "session";
}

impl Kind for TokenBody {
    const KIND: &'static str = "token";
}

impl Kind for OrganisationBody {
    const KIND: &'static str = "organisation";
}

/// A document with its body typed.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// Its id: a user's or an organisation's name, a token's id.
    pub id: String,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// Its version.
    pub version: i64,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it goes by itself.
    pub expires_at_ms: Option<i64>,
    /// The rest.
    pub body: T,
}

/// A user.
pub type User = Kept<UserBody>;
/// A session.
pub type Session = Kept<SessionBody>;
/// A token.
pub type Token = Kept<TokenBody>;
/// An organisation.
pub type Organisation = Kept<OrganisationBody>;

impl<T: Kind> Kept<T> {
    /// A new one.
    pub fn new(id: &str, organisation: &str, body: T) -> Self {
        let (id, organisation) = (id.to_owned(), organisation.to_owned());
        Self { id, organisation, version: 0, created_at_ms: 0, expires_at_ms: None, body }
    }

    fn typed(document: Document) -> Result<Self, Problem> {
        let body = serde_json::from_value(document.body).map_err(|error| {
            Problem::new(Code::Storage, format!("the {} `{}` can't be read: {error}", T::KIND, document.id))
        })?;
        Ok(Self {
            id: document.id,
            organisation: document.organisation,
            version: document.version,
            created_at_ms: document.created_at_ms,
            expires_at_ms: document.expires_at_ms,
            body,
        })
    }

    /// The one of this id.
    pub fn find(engine: &Engine, id: &str) -> Result<Option<Self>, Problem> {
        // PostgreSQL's texts have no zero bytes: nothing is called so.
        if id.contains('\0') {
            return Ok(None);
        }
        engine.document(T::KIND, id)?.map(Self::typed).transpose()
    }

    /// The one of this id, or that there is none.
    pub fn require(engine: &Engine, id: &str) -> Result<Self, Problem> {
        Self::find(engine, id)?.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no {} `{id}`", T::KIND)))
    }

    /// The one that has this key.
    pub fn find_by_key(engine: &Engine, key: &str) -> Result<Option<Self>, Problem> {
        if key.contains('\0') {
            return Ok(None);
        }
        engine.document_by_key(T::KIND, key)?.map(Self::typed).transpose()
    }

    /// Those that the filter lets through; its kind is set here.
    pub fn list(engine: &Engine, filter: DocumentFilter) -> Result<Vec<Self>, Problem> {
        let filter = DocumentFilter { kind: T::KIND.to_owned(), ..filter };
        let texts = filter.after.iter().chain(filter.organisations.iter().flatten());
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Problem::new(Code::InvalidInput, "a name or a cursor has no zero byte"));
        }
        engine.documents(&filter)?.into_iter().map(Self::typed).collect()
    }

    /// All that the test lets through, however many there are.
    pub fn all(engine: &Engine, filter: &DocumentFilter, fits: impl Fn(&Self) -> bool) -> Result<Vec<Self>, Problem> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = Self::list(engine, DocumentFilter { after: after.take(), limit: 1_000, ..filter.clone() })?;
            after = page.last().map(|last| last.id.clone());
            let full = page.len() == 1_000;
            all.extend(page.into_iter().filter(&fits));
            if !full {
                return Ok(all);
            }
        }
    }

    /// The change that keeps it, if the version is still the one that was read.
    pub fn put(&self) -> Result<Change, Problem> {
        let expected = if self.version == 0 { Expected::Absent } else { Expected::Version(self.version) };
        self.put_expecting(expected)
    }

    /// The change that keeps it if this is there.
    pub fn put_expecting(&self, expected: Expected) -> Result<Change, Problem> {
        let body = serde_json::to_value(&self.body)
            .map_err(|error| Problem::new(Code::Internal, format!("a {} can't be written: {error}", T::KIND)))?;
        Ok(Change::Put {
            kind: T::KIND.to_owned(),
            id: self.id.clone(),
            organisation: self.organisation.clone(),
            keys: self.body.keys(&self.id),
            body,
            expires_at_ms: self.expires_at_ms,
            expected,
        })
    }

    /// The change that removes it, whatever version it has.
    pub fn delete(&self) -> Change {
        Change::Delete { kind: T::KIND.to_owned(), id: self.id.clone(), expected: Expected::Any }
    }
}

/// Who changes something, for the audit log.
#[derive(Clone, Debug)]
pub struct By {
    /// Their name.
    pub actor: String,
    /// From where: an address, `cli`.
    pub source: String,
}

impl By {
    /// The engine that commits an entry of theirs with the next command.
    pub fn audited(
        &self,
        engine: &Engine,
        action: &str,
        (organisation, target): (&str, &str),
        before: Value,
        after: Value,
    ) -> Engine {
        engine.audited(self.entry(action, (organisation, target), before, after))
    }

    /// An entry of theirs in the audit log.
    pub fn entry(&self, action: &str, (organisation, target): (&str, &str), before: Value, after: Value) -> NewAudit {
        NewAudit {
            actor: self.actor.clone(),
            organisation: organisation.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            source: self.source.clone(),
            before,
            after,
        }
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

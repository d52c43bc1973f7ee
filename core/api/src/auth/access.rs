//! Roles, permissions, and whoever holds them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem, query::Scope};

/// What can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See workflows, runs, their events, resources and approvals.
    Read,
    /// Launch and rehearse workflows.
    Launch,
    /// Cancel, retry, restart, signal and resolve runs.
    Operate,
    /// Look at the consoles of labs' nodes, and at their recordings.
    WatchConsoles,
    /// Open the consoles of labs' nodes, and type in them.
    UseConsoles,
    /// Decide on approvals.
    Approve,
    /// Check, save, activate and restore workflows; set up schedules, webhooks and triggers.
    Edit,
    /// Members, bindings and tokens of an organisation; its audit log.
    Manage,
    /// Everything: users, organisations, secrets.
    Administer,
}

/// A set of permissions that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Launches, steers and edits.
    Operator,
    /// An operator who also looks after an organisation's members.
    Franchisee,
    /// Does everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Franchisee, Self::Admin];

    /// What it allows.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission::{
            Administer, Approve, Edit, Launch, Manage, Operate, Read, UseConsoles as Use, WatchConsoles as Watch,
        };
        match self {
            Self::Viewer => &[Read, Watch],
            Self::Operator => &[Read, Launch, Operate, Watch, Use, Approve, Edit],
            Self::Franchisee => &[Read, Launch, Operate, Watch, Use, Approve, Edit, Manage],
            Self::Admin => &[Read, Launch, Operate, Watch, Use, Approve, Edit, Manage, Administer],
        }
    }
}

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: a route that forgot to say.
    Nobody,
    /// Everybody, without a name.
    Public,
    /// Everybody, without a name: what they send is signed, and the handler looks at that first.
    Signed,
    /// Whoever is known.
    Known,
    /// Whoever holds the permission somewhere; the handler then asks for the thing itself.
    Can(Permission),
}

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They didn't.
    None,
    /// A session's cookie; the session's id.
    Session(String),
    /// An API token; its id.
    Token(String),
}

/// Whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Their name: a user's, or a token's.
    pub name: String,
    /// The user whose doing it is: for a token, its owner. By this name people are told apart, so that nobody decides on
    /// what they launched themselves.
    pub user: String,
    /// How they proved it.
    pub proof: Proof,
    /// What they hold, and where.
    pub bindings: Vec<(Role, Scope)>,
}

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { name: "anonymous".into(), user: String::new(), proof: Proof::None, bindings: Vec::new() }
    }

    /// Whether anything is known of them.
    pub fn is_known(&self) -> bool {
        self.proof != Proof::None
    }

    /// As the audit log and runs name them.
    pub fn actor(&self) -> String {
        match self.proof {
            Proof::Token(_) => format!("token:{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// The person whose doing it is, as runs and decisions name them: a token acts for its owner.
    pub fn person(&self) -> &str {
        if self.user.is_empty() { &self.name } else { &self.user }
    }

    /// Whether they hold the permission anywhere.
    pub fn may_somewhere(&self, permission: Permission) -> bool {
        self.bindings.iter().any(|(role, _)| role.permissions().contains(&permission))
    }

    /// Whether they may do this to a workflow (`*`: all of them) of an organisation (`*`: all of them).
    pub fn may(&self, permission: Permission, organisation: &str, workflow: &str) -> bool {
        self.bindings.iter().any(|(role, scope)| {
            role.permissions().contains(&permission)
                && match workflow {
                    "*" => scope.folder == "*" && (scope.organisation == "*" || scope.organisation == organisation),
                    _ => scope.covers(organisation, workflow),
                }
        })
    }

    /// Where they hold the permission; `None`: everywhere.
    pub fn scopes(&self, permission: Permission) -> Option<Vec<Scope>> {
        let held = self.bindings.iter().filter(|(role, _)| role.permissions().contains(&permission));
        let scopes: Vec<Scope> = held.map(|(_, scope)| scope.clone()).collect();
        let everywhere = scopes.iter().any(|scope| scope.organisation == "*" && scope.folder == "*");
        (!everywhere).then_some(scopes)
    }

    /// Organisations of which they may do this to everything; `None`: all.
    pub fn organisations(&self, permission: Permission) -> Option<Vec<String>> {
        let whole = self.scopes(permission)?.into_iter().filter(|scope| scope.folder == "*");
        Some(whole.map(|scope| scope.organisation).collect())
    }

    /// Why it is refused, and what would be needed.
    pub fn denied(&self, permission: Permission, organisation: &str, workflow: &str) -> Problem {
        let word = serde_json::to_value(permission).ok().and_then(|word| word.as_str().map(str::to_owned));
        let word = word.unwrap_or_default();
        let place = if workflow == "*" { String::new() } else { format!(" to `{workflow}`") };
        let message = format!("{} may not do this{place} in the organisation `{organisation}`", self.name);
        Problem::new(Code::PermissionDenied, message)
            .help(format!("ask an admin for a role with the permission `{word}`"))
            .data(serde_json::json!({ "permission": word, "organisation": organisation, "workflow": workflow }))
    }
}

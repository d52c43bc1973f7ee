//! How much an organisation may have. A parent's quota holds for it and those under it together, so that nobody has more than
//! those above them. It is looked at where the thing is made, and a document that both of two makers would change keeps them
//! from both taking the last place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem, RunState,
    document::{Change, DocumentFilter, Expected},
    query::RunFilter,
};

use super::tree;
use crate::{
    auth::kept::{Kept, Kind, Organisation, PLATFORM, Quotas, TokenBody, User},
    invitations::kept::InvitationBody,
    triggers::kept::{ScheduleBody, TriggerBody, WebhookBody},
};

/// The kind of the documents that keep two from taking the last place.
const GUARD: &str = "quota";
/// How often somebody else may be faster.
const TRIES: usize = 30;
/// Runs that are counted, at most.
const COUNTED: u64 = 1_000_000;
/// Secrets that an organisation of which nothing is said may have itself: they are looked for in all that its runs show.
const SECRETS: u64 = 100;
const DAY_MS: i64 = 24 * 3_600_000;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// Runs that haven't ended.
    RunsOpen,
    /// Runs that were launched within the last 24 hours.
    RunsDay,
    /// Secrets.
    Secrets,
    /// Plugins that are approved.
    Plugins,
    /// Members, and invitations that nobody has accepted yet.
    Members,
    /// Organisations under it.
    Customers,
    /// API tokens.
    Tokens,
    /// Schedules, webhooks and triggers.
    Schedules,
}

impl Quota {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RunsOpen,
        Self::RunsDay,
        Self::Secrets,
        Self::Plugins,
        Self::Members,
        Self::Customers,
        Self::Tokens,
        Self::Schedules,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunsOpen => "runs_open",
            Self::RunsDay => "runs_day",
            Self::Secrets => "secrets",
            Self::Plugins => "plugins",
            Self::Members => "members",
            Self::Customers => "customers",
            Self::Tokens => "tokens",
            Self::Schedules => "schedules",
        }
    }

    /// What an organisation's quotas say of it.
    pub const fn of(self, quotas: &Quotas) -> Option<u64> {
        match self {
            Self::RunsOpen => quotas.runs_open,
            Self::RunsDay => quotas.runs_day,
            Self::Secrets => quotas.secrets,
            Self::Plugins => quotas.plugins,
            Self::Members => quotas.members,
            Self::Customers => quotas.customers,
            Self::Tokens => quotas.tokens,
            Self::Schedules => quotas.schedules,
        }
    }

    /// How many an organisation has itself.
    pub fn used(self, engine: &Engine, name: &str) -> Result<u64, Problem> {
        self.used_in(engine, &[name.to_owned()])
    }

    /// How many it and those under it have. Those under a franchisee are customers, of which it alone has any.
    pub fn used_with_below(self, engine: &Engine, name: &str) -> Result<u64, Problem> {
        let mut names = vec![name.to_owned()];
        if self != Self::Customers {
            names.extend(tree::below(engine, name)?.into_iter().map(|one| one.id));
        }
        self.used_in(engine, &names)
    }

    /// How many these organisations have. What belongs to several of them counts once.
    fn used_in(self, engine: &Engine, names: &[String]) -> Result<u64, Problem> {
        let own = DocumentFilter { organisations: Some(names.to_vec()), ..DocumentFilter::default() };
        let among = |name: &str| names.iter().any(|known| known == name);
        let runs = |filter: RunFilter| {
            let of = |name: &String| {
                let filter = RunFilter { organisation: Some(name.clone()), ..filter.clone() };
                engine.count_runs(&filter, COUNTED)
            };
            names.iter().map(of).sum::<Result<u64, Problem>>()
        };
        match self {
            Self::RunsOpen => {
                let open = RunState::ALL.iter().copied().filter(|state| !state.is_ended());
                runs(RunFilter { states: open.collect(), ..RunFilter::default() })
            }
            Self::RunsDay => {
                runs(RunFilter { since_ms: Some(engine.now_ms().saturating_sub(DAY_MS)), ..RunFilter::default() })
            }
            Self::Secrets => Ok(count(engine.secrets()?.iter().filter(|secret| among(secret_owner(&secret.name))))),
            Self::Plugins => {
                let filter = DocumentFilter { kind: "plugin_approval".into(), ..own };
                let approvals = engine.documents(&filter)?;
                Ok(count(approvals.iter().filter(|approval| approval.body["disabled"] != true)))
            }
            Self::Members => {
                let invited = of_kind::<InvitationBody>(engine, &own)?;
                let is_member = |user: &User| {
                    among(&user.organisation) || user.body.bindings.iter().any(|held| among(&held.organisation))
                };
                Ok(count(User::all(engine, &DocumentFilter::default(), is_member)?.iter()) + invited)
            }
            Self::Customers => {
                let under = |one: &Organisation| tree::parent(one).is_some_and(&among);
                Ok(count(Organisation::all(engine, &DocumentFilter::default(), under)?.iter()))
            }
            Self::Tokens => of_kind::<TokenBody>(engine, &own),
            Self::Schedules => Ok(of_kind::<ScheduleBody>(engine, &own)?
                + of_kind::<WebhookBody>(engine, &own)?
                + of_kind::<TriggerBody>(engine, &own)?),
        }
    }
}

fn of_kind<T: Kind>(engine: &Engine, own: &DocumentFilter) -> Result<u64, Problem> {
    Ok(count(Kept::<T>::all(engine, own, |_| true)?.iter()))
}

fn count(items: impl Iterator) -> u64 {
    items.count() as u64
}

/// Whose a secret is, by its name: `orgs/acme/…`, `made/acme/…`, `registrar/acme/…`. The others are the platform's.
pub fn secret_owner(name: &str) -> &str {
    let mut parts = name.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("orgs" | "made" | "registrar"), Some(owner), Some(_)) => owner,
        _ => PLATFORM,
    }
}

/// The users who belong to an organisation, or hold something in it.
pub fn members(engine: &Engine, name: &str) -> Result<Vec<User>, Problem> {
    User::all(engine, &DocumentFilter::default(), |user| {
        user.organisation == name || user.body.bindings.iter().any(|binding| binding.organisation == name)
    })
}

/// One more of this in each of these organisations.
pub fn each(names: &[String], quota: Quota) -> Vec<(&str, Quota)> {
    names.iter().map(|name| (name.as_str(), quota)).collect()
}

/// Makes one more of each of these, if there is room for it; `make` commits the changes that it is given together with what it
/// makes. Whoever was overtaken counts once more.
pub fn within<T>(
    engine: &Engine,
    wanted: &[(&str, Quota)],
    mut make: impl FnMut(Vec<Change>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut tries = 0;
    loop {
        tries += 1;
        match make(room(engine, wanted)?) {
            Err(problem) if tries < TRIES && is_overtaken(&problem) => {}
            other => return other,
        }
    }
}

/// Refuses if there is no room; else what has to be committed with what is made.
fn room(engine: &Engine, wanted: &[(&str, Quota)]) -> Result<Vec<Change>, Problem> {
    let mut guards = Vec::new();
    for (name, quota) in wanted {
        // What is made in an organisation and what is removed with it can't both happen.
        if *name != PLATFORM && !matches!(quota, Quota::RunsOpen | Quota::RunsDay) {
            let guard = guard(engine, &format!("{name}/below"))?;
            // One that isn't there is for whoever makes the thing to complain of.
            if Organisation::find(engine, name)?.is_some() && !guards.contains(&guard) {
                guards.push(guard);
            }
        }
        for above in tree::chain(engine, name)? {
            let said = quota.of(&above.body.quotas);
            let own = said.is_none() && *quota == Quota::Secrets && above.id == *name && above.id != PLATFORM;
            let Some(limit) = said.or(own.then_some(SECRETS)) else { continue };
            // Before it is counted: who makes one meanwhile has changed this.
            let guard = guard(engine, &format!("{}/{}", above.id, quota.as_str()))?;
            if !guards.contains(&guard) {
                guards.push(guard);
            }
            let used = if own { quota.used(engine, &above.id) } else { quota.used_with_below(engine, &above.id) }?;
            if used >= limit {
                return Err(exceeded(*quota, name, &above, limit, used));
            }
        }
    }
    Ok(guards)
}

fn exceeded(quota: Quota, name: &str, above: &Organisation, limit: u64, used: u64) -> Problem {
    let word = quota.as_str();
    // How much others under the same franchisee have is none of this one's business.
    let (message, data) = match above.id == name {
        true => (
            format!("the quota `{word}` of the organisation `{name}` is {limit}, and {used} are used"),
            json!({ "quota": word, "limit": limit, "used": used, "asked": 1, "organisation": name }),
        ),
        false => (
            format!("the quota `{word}` of the organisation that `{name}` is under is used up"),
            json!({ "quota": word, "asked": 1, "organisation": name }),
        ),
    };
    Problem::new(Code::LimitExceeded, message)
        .help("remove what nobody needs, or ask whoever manages the organisation above for a larger quota")
        .data(data)
        .no_effect()
}

/// The document that both of two who make something would change.
pub fn guard(engine: &Engine, id: &str) -> Result<Change, Problem> {
    let expected = engine.document(GUARD, id)?.map_or(Expected::Absent, |guard| Expected::Version(guard.version));
    Ok(Change::Put {
        kind: GUARD.into(),
        id: id.to_owned(),
        organisation: PLATFORM.into(),
        body: json!({}),
        keys: Vec::new(),
        expires_at_ms: None,
        expected,
    })
}

/// Whether somebody else has changed a guard meanwhile.
pub fn is_overtaken(problem: &Problem) -> bool {
    matches!(problem.code, Code::Conflict | Code::NotFound) && problem.message.contains("quota `")
}

/// Refuses quotas that go beyond those of the organisation above.
pub fn check(engine: &Engine, organisation: &Organisation, quotas: &Quotas) -> Result<(), Problem> {
    let chain = tree::chain(engine, &organisation.id)?;
    check_under(chain.get(1..).unwrap_or_default(), quotas)
}

/// The same for an organisation under these.
pub fn check_under(above: &[Organisation], quotas: &Quotas) -> Result<(), Problem> {
    for above in above {
        for quota in Quota::ALL {
            if let (Some(asked), Some(limit)) = (quota.of(quotas), quota.of(&above.body.quotas))
                && asked > limit
            {
                let word = quota.as_str();
                let message = format!("`{word}` would be {asked}, and that of `{}` is {limit}", above.id);
                return Err(Problem::new(Code::LimitExceeded, message)
                    .help("nobody has more than the organisation above")
                    .data(json!({ "pointer": format!("/{word}"), "quota": word, "limit": limit, "asked": asked })));
            }
        }
    }
    Ok(())
}

/// Launches something in an organisation that isn't suspended and has room for a run.
pub fn launching<T>(
    engine: &Engine,
    organisation: &str,
    launch: impl FnMut(Vec<Change>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    beginning(engine, organisation, &[Quota::RunsOpen, Quota::RunsDay], launch)
}

/// The same for a run that has ended and goes on: it is open once more, and is no launch of the day.
pub fn restarting<T>(
    engine: &Engine,
    organisation: &str,
    restart: impl FnMut(Vec<Change>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    beginning(engine, organisation, &[Quota::RunsOpen], restart)
}

fn beginning<T>(
    engine: &Engine,
    organisation: &str,
    quotas: &[Quota],
    mut begin: impl FnMut(Vec<Change>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    if organisation.is_empty() || organisation == PLATFORM {
        return begin(Vec::new());
    }
    tree::require_active(engine, organisation)?;
    let wanted: Vec<_> = quotas.iter().map(|quota| (organisation, *quota)).collect();
    within(engine, &wanted, begin)
}

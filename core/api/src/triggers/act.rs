//! What schedules, webhooks and triggers do, they do for the user who changed them last, and only while that user may.

use serde_json::{Value, json};
use windlass_engine::{Engine, Launch, Launched};
use windlass_model::{
    Code, Problem, RunId,
    audit::NewAudit,
    document::Change,
    query::{RunFilter, RunRecord},
};

use super::kept::{About, Failure, Rule};
use crate::{
    Permission, Principal,
    auth::{
        self,
        binding::{Binding, shared},
        kept::{Kept, now_ms},
    },
    organisations::{quota, tree},
    plans::PLAN_TAG,
    runs::launch,
};

/// Keys and tags that begin so are made by the API, and by nobody who asks it.
const RESERVED: [&str; 5] = ["schedule:", "webhook:", "trigger:", "depth:", PLAN_TAG];

/// Whether a key or tag can't be given by callers.
pub fn is_reserved(text: &str) -> bool {
    RESERVED.iter().any(|prefix| text.starts_with(prefix))
}

/// Something that acts by itself.
pub struct Actor<'a> {
    engine: &'a Engine,
    word: &'static str,
    id: &'a str,
    about: &'a About,
    owner: Principal,
    /// What is committed together with what it does.
    note: Option<Change>,
}

impl<'a> Actor<'a> {
    /// Acts for the owner, as they are now, and within what the token allowed that it was set up with.
    pub fn of<T: Rule>(engine: &'a Engine, rule: &'a Kept<T>) -> Result<Self, Problem> {
        let about = rule.body.about();
        tree::require_active(engine, &about.organisation)?;
        let mut owner = auth::stands_in(engine, &about.owner, &about.owner_uid)?.ok_or_else(|| {
            Problem::new(
                Code::PermissionDenied,
                format!("its owner `{}` isn't there any more, or is kept out", about.owner),
            )
            .help("whoever changes it becomes its owner")
        })?;
        if let Some(grant) = &about.grant {
            if grant.expires_at_ms.is_some_and(|end| end <= now_ms()) {
                return Err(Problem::new(Code::PermissionDenied, "the token that it was set up with has expired")
                    .help("it acts for whoever changes it, with another token or in a session"));
            }
            owner.bindings = shared(&grant.bindings, &auth::held(&owner)).iter().map(Binding::held).collect();
        }
        Ok(Self { engine, word: T::WORD, id: &rule.id, about, owner, note: None })
    }

    /// Commits this together with what it does: both or neither.
    pub fn noting(self, note: Change) -> Self {
        Self { note: Some(note), ..self }
    }

    fn through(&self, entry: NewAudit, mut changes: Vec<Change>) -> Engine {
        changes.extend(self.note.clone());
        launch::with(&self.engine.audited(entry), changes)
    }

    /// Refuses unless the owner may do this to the workflow.
    pub fn require(&self, permission: Permission, workflow: &str) -> Result<(), Problem> {
        match self.owner.may(permission, &self.about.organisation, workflow) {
            true => Ok(()),
            false => Err(self.owner.denied(permission, &self.about.organisation, workflow)),
        }
    }

    /// What the audit log says about what it does.
    pub fn entry(&self, action: &str, target: &str, after: Value) -> NewAudit {
        NewAudit {
            actor: format!("{}:{}", self.word, self.about.name),
            organisation: self.about.organisation.clone(),
            action: action.to_owned(),
            target: target.to_owned(),
            source: self.word.to_owned(),
            before: Value::Null,
            after,
        }
    }

    /// Launches a workflow, once for each `occasion`. `None`: it was launched before, with another input.
    pub fn launch(
        &self,
        occasion: &str,
        workflow: &str,
        input: Value,
        mut tags: Vec<String>,
    ) -> Result<Option<Launched>, Problem> {
        self.require(Permission::Launch, workflow)?;
        tags.push(format!("{}:{}", self.word, self.about.name));
        let by = self.owner.person().to_owned();
        let after = json!({ "workflow": workflow, "tags": tags, "by": by, self.word: self.id });
        let launch = Launch {
            priority: None,
            workflow: workflow.to_owned(),
            input,
            by,
            idempotency_key: Some(format!("{}:{}:{occasion}", self.word, self.id)),
            tags,
            organisation: self.about.organisation.clone(),
        };
        let entry = self.entry("run.launch", "", after);
        let launched = quota::launching(self.engine, &self.about.organisation, |guards| {
            self.through(entry.clone(), guards).launch_if(launch.clone(), |pinned, _| {
                launch::require_managing(&self.owner, &self.about.organisation, &pinned.workflow)
            })
        });
        match launched {
            // It was changed between the launch and the note that it was launched.
            Err(problem) if problem.code == Code::IdempotencyConflict => Ok(None),
            other => other.map(Some),
        }
    }

    /// Asks for a run's end.
    pub fn cancel(&self, run: &RunRecord) -> Result<(), Problem> {
        self.require(Permission::Operate, &run.workflow)?;
        let reason = format!("the next launch of {} `{}`", self.word, self.about.name);
        let entry = self.entry("run.cancel", run.id.as_str(), json!({ "reason": reason }));
        self.engine.audited(entry).cancel(&run.id, self.owner.person(), Some(reason))
    }

    /// Signals a run of its organisation.
    pub fn signal(&self, run: &RunRecord, name: &str, payload: Value, delivery: &str) -> Result<(), Problem> {
        self.require(Permission::Operate, &run.workflow)?;
        let entry = self.entry("run.signal", run.id.as_str(), json!({ "name": name, self.word: self.id }));
        let id = format!("{}:{}:{delivery}", self.word, self.id);
        self.through(entry, Vec::new()).signal(&run.id, name, payload, self.owner.person(), Some(id))
    }

    /// The run of this id and workflow, if it is its organisation's.
    pub fn run(&self, id: &str, workflow: &str) -> Result<RunRecord, Problem> {
        let found = if id.contains('\0') { None } else { self.engine.run(&RunId::from(id))? };
        let fits = |run: &RunRecord| run.organisation == self.about.organisation && run.workflow == workflow;
        found.filter(fits).ok_or_else(|| Problem::new(Code::RunNotFound, format!("`{workflow}` has no run `{id}`")))
    }

    /// The only open run of this workflow that has this tag.
    pub fn tagged(&self, tag: &str, workflow: &str) -> Result<RunRecord, Problem> {
        let filter = RunFilter {
            states: windlass_model::RunState::ALL.iter().copied().filter(|state| !state.is_ended()).collect(),
            workflow: Some(workflow.to_owned()),
            organisation: Some(self.about.organisation.clone()),
            tag: Some(tag.to_owned()),
            limit: 2,
            ..RunFilter::default()
        };
        let mut found = if tag.contains('\0') { Vec::new() } else { self.engine.runs(&filter)? };
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(run),
            (None, _) => {
                Err(Problem::new(Code::RunNotFound, format!("no open run of `{workflow}` has the tag `{tag}`")))
            }
            (Some(_), _) => {
                Err(Problem::new(Code::Conflict, format!("several open runs of `{workflow}` have the tag `{tag}`"))
                    .help("a signal goes to one run: use a tag that only one has, or the run's id"))
            }
        }
    }
}

/// Whether it may work a moment later: the database, and not the rule, is why it didn't.
pub fn is_passing(problem: &Problem) -> bool {
    matches!(problem.code, Code::Storage | Code::Unavailable)
}

/// A failure as it is kept.
pub fn failure(problem: &Problem) -> Failure {
    let message = problem.message.chars().take(1_000).collect();
    Failure { at_ms: now_ms(), code: problem.code.as_str().to_owned(), message }
}

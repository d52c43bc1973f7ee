//! Looking at files: what is new and sound is put in use, what asks for more may have to wait, what is gone is removed.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use windlass_model::{Code, Problem, Workflow, audit::NewAudit, document::Change, journal::Pinned};
use windlass_script::permission;

use super::{Author, Rejected, Versions, Widening, kept, kept::Version};

impl Author {
    fn entry(&self, action: &str, target: &str, before: Value, after: Value) -> NewAudit {
        NewAudit {
            actor: self.by.clone(),
            organisation: "platform".into(),
            action: action.into(),
            target: target.to_owned(),
            source: self.source.clone(),
            before,
            after,
        }
    }
}

impl Versions {
    /// Why a version isn't in use that asks for more than the one that is.
    fn waiting(&self, version: &Version, added: &[String]) -> Problem {
        let (word, name, number) = (self.kind.word, &version.workflow, version.version);
        let message = match added {
            [] => format!("version {number} was made for an admin to look at"),
            added => format!("version {number} asks for more than the one in use: {}", added.join(", ")),
        };
        Problem::new(Code::PermissionDenied, message)
            .help(format!("an admin can activate it: POST /api/v1/{word}s/{name}/activate with version {number}"))
            .data(json!({ "version": number, "added": added }))
    }

    fn action(&self, what: &str) -> String {
        format!("{}.{what}", self.kind.word)
    }

    /// Looks at all files. What is new and sound is in use from now on. One that can't be looked at keeps nobody from the
    /// others, and is looked at again the next time.
    pub fn rescan(&self, author: &Author) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        self.reload()?;
        if !self.origin.is_there() {
            // Unmounted, or about to be replaced: that isn't somebody who removes all of them.
            if !self.seen.names().is_empty() {
                tracing::warn!("the folder of {}s is gone; what is in use stays in use", self.kind.word);
            }
            return Ok(());
        }
        let names = self.origin.list();
        let unseen = |name: &str, problem: Problem| tracing::error!(name, %problem, "it isn't looked at");
        for name in &names {
            self.look(name, author).unwrap_or_else(|problem| unseen(name, problem));
        }
        // Only a file that was here can be gone: other machines may have workflows in folders of their own.
        for name in self.seen.names().iter().filter(|name| !names.contains(name)) {
            match self.forget(name, author) {
                Ok(()) => self.seen.remove(name),
                Err(problem) => unseen(name, problem),
            }
        }
        self.rejected.write().retain(|name, _| names.contains(name));
        self.seen.keep();
        Ok(())
    }

    /// Looks at one file that somebody has just written whose name is known.
    pub fn look_at(&self, name: &str, author: &Author) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        self.reload()?;
        let looked = self.look(name, author);
        self.seen.keep();
        looked
    }

    /// Looks at one file. The caller holds `changing`.
    pub(super) fn look(&self, name: &str, author: &Author) -> Result<(), Problem> {
        match self.look_once(name, author) {
            // Somebody else made a version of that number: of the same file perhaps.
            Err(problem) if matches!(problem.code, Code::Conflict | Code::PreconditionFailed) => {
                self.reload()?;
                self.look_once(name, author)
            }
            other => other,
        }
    }

    fn look_once(&self, name: &str, author: &Author) -> Result<(), Problem> {
        let pinned = match self.origin.pin(name) {
            Ok(pinned) => pinned,
            Err(problem) => return self.reject(name, problem),
        };
        let digest = pinned.digest.as_str();
        if self.in_use(name).is_some_and(|active| active.digest == digest) {
            self.settle(name, digest);
            return Ok(());
        }
        let known = match self.seen.get(name) {
            Some(seen) => seen == digest,
            None => self.seen.is_first() && kept::knows(self.kind, self.engine()?, name, digest)?,
        };
        if !known {
            return self.propose(name, pinned, author);
        }
        if self.rejected.read().get(name).is_some_and(|rejected| rejected.seen == digest) {
            return Ok(());
        }
        // It was decided on: something else is in use since, or it waits.
        let newest = kept::newest(self.kind, self.engine()?, name)?;
        self.settle(name, digest);
        if let Some(newest) = newest.filter(|newest| newest.waits && newest.digest == digest) {
            let problem = self.waiting(&newest, &self.widens(name, &pinned.workflow)?);
            self.rejected.write().insert(name.to_owned(), Rejected { seen: digest.to_owned(), problem });
        }
        Ok(())
    }

    /// The file was looked at, and nothing is wrong with it.
    fn settle(&self, name: &str, digest: &str) {
        self.seen.put(name, digest);
        self.rejected.write().remove(name);
    }

    fn propose(&self, name: &str, pinned: Pinned, author: &Author) -> Result<(), Problem> {
        let newest = kept::newest(self.kind, self.engine()?, name)?;
        let added = self.widens(name, &pinned.workflow)?;
        if !added.is_empty() && !self.may_widen(name, &pinned, newest.as_ref(), author) {
            return self.keep_waiting(name, &pinned, &added, author);
        }
        self.engine()?.keep_bundle(&pinned)?;
        let digest = pinned.digest.to_string();
        match newest {
            // It was made already: by another server that sees the same folder, or before another one was activated. Of what a
            // person puts in use again, it is kept who did and why.
            Some(newest) if newest.digest == digest && matches!(author.widening, Widening::AsConfigured) => {
                self.put_in_use(None, &newest, pinned, author)?
            }
            newest => {
                let version = self.next(name, &pinned, newest.as_ref(), author)?;
                self.put_in_use(Some(version.put(self.kind)?), &version, pinned, author)?;
            }
        }
        self.settle(name, &digest);
        Ok(())
    }

    fn may_widen(&self, name: &str, pinned: &Pinned, newest: Option<&Version>, author: &Author) -> bool {
        match &author.widening {
            Widening::Of(names) => names.iter().any(|one| one == name),
            Widening::AsConfigured => {
                // What waits goes on waiting when only a module that it imports has changed.
                let waits = newest.is_some_and(|newest| {
                    newest.waits && pinned.bundle.files.get(name).is_some_and(|source| *source == newest.source)
                });
                !waits && (!self.review || self.beginning.load(Ordering::Relaxed))
            }
        }
    }

    /// Keeps sources that ask for more, if somebody proposes them who may not put that in use. Whether it is so.
    pub(super) fn wait_if_wider(&self, name: &str, pinned: &Pinned, author: &Author) -> Result<bool, Problem> {
        let added = self.widens(name, &pinned.workflow)?;
        let newest = kept::newest(self.kind, self.engine()?, name)?;
        let waits = !added.is_empty() && !self.may_widen(name, pinned, newest.as_ref(), author);
        if waits {
            self.make_waiting(name, pinned, &added, author)?;
        }
        Ok(waits)
    }

    fn keep_waiting(&self, name: &str, pinned: &Pinned, added: &[String], author: &Author) -> Result<(), Problem> {
        let version = self.make_waiting(name, pinned, added, author)?;
        let (seen, problem) = (pinned.digest.to_string(), self.waiting(&version, added));
        self.seen.put(name, &seen);
        self.rejected.write().insert(name.to_owned(), Rejected { seen, problem });
        Ok(())
    }

    /// A version that waits for an admin: the newest one, if it is that already.
    fn make_waiting(&self, name: &str, pinned: &Pinned, added: &[String], by: &Author) -> Result<Version, Problem> {
        let newest = kept::newest(self.kind, self.engine()?, name)?;
        if let Some(same) = newest.clone().filter(|newest| newest.waits && newest.digest == pinned.digest.as_str()) {
            return Ok(same);
        }
        let version = Version { waits: true, ..self.next(name, pinned, newest.as_ref(), by)? };
        self.engine()?.keep_bundle(pinned)?;
        let after = json!({ "version": version.version, "digest": version.digest, "added": added, "by": by.told(), "why": by.why });
        let entry = by.entry(&self.action("propose"), name, json!(self.version(name)), after);
        let data = json!({ self.kind.word: name, "digest": version.digest, "error": self.waiting(&version, added) });
        self.engine()?.audited(entry).announced(self.kind.rejected, data).change(vec![version.put(self.kind)?])?;
        Ok(version)
    }

    fn next(&self, name: &str, pinned: &Pinned, newest: Option<&Version>, by: &Author) -> Result<Version, Problem> {
        Ok(Version {
            workflow: name.to_owned(),
            version: newest.map_or(0, |newest| newest.version) + 1,
            digest: pinned.digest.to_string(),
            source: pinned.bundle.files.get(name).cloned().unwrap_or_default(),
            permissions: pinned.workflow.permissions.clone(),
            by: by.told(),
            why: by.why.clone(),
            at_ms: self.engine()?.now_ms(),
            waits: false,
        })
    }

    /// Grants that a version asks for and the one in use doesn't: the last one that was, if the workflow was removed.
    pub fn widens(&self, name: &str, workflow: &Workflow) -> Result<Vec<String>, Problem> {
        let in_use = self.active.read().get(name).map(|(_, pinned)| pinned.workflow.permissions.clone());
        let held = match in_use {
            Some(permissions) => permissions,
            None => match kept::removed(self.kind, self.engine()?, name)? {
                Some(removed) => kept::version(self.kind, self.engine()?, name, removed.version)?.permissions,
                None => Vec::new(),
            },
        };
        Ok(permission::difference(&held, &workflow.permissions).0)
    }

    /// Puts a version in use, with the change that makes it if it is new.
    pub(super) fn put_in_use(
        &self,
        made: Option<Change>,
        version: &Version,
        pinned: Pinned,
        author: &Author,
    ) -> Result<(), Problem> {
        let (name, digest) = (&version.workflow, version.digest.clone());
        let before = self.version(name);
        let active = kept::Active { workflow: name.clone(), version: version.version, digest };
        let after =
            json!({ "version": version.version, "digest": version.digest, "by": author.told(), "why": author.why });
        let entry = author.entry(&self.action("activate"), name, json!(before), after);
        let data =
            json!({ self.kind.word: name, "version": version.version, "digest": version.digest, "by": author.by });
        let together = self.engine()?.audited(entry).announced(self.kind.activated, data);
        together.change(made.into_iter().chain([active.put(self.kind)?]).collect())?;
        self.active.write().insert(name.clone(), (active, pinned));
        self.rejected.write().remove(name);
        Ok(())
    }

    fn reject(&self, name: &str, problem: Problem) -> Result<(), Problem> {
        // The same mistake is told once.
        let text = self.origin.source(name).ok().flatten().unwrap_or_default();
        let seen = blake3::hash(format!("{text}\n{}", problem.message).as_bytes()).to_hex().to_string();
        if self.rejected.read().get(name).is_some_and(|rejected| rejected.seen == seen) {
            return Ok(());
        }
        let data = json!({ self.kind.word: name, "digest": seen, "error": problem });
        tracing::warn!(name, %problem, "a changed file has mistakes; the version before it stays in use");
        self.rejected.write().insert(name.to_owned(), Rejected { seen, problem });
        self.engine()?.announce(self.kind.rejected, data)
    }

    /// Takes a workflow out of use. That another server has done so already is as good.
    pub(super) fn forget(&self, name: &str, author: &Author) -> Result<(), Problem> {
        let engine = self.engine()?;
        let Some(active) = self.in_use(name) else { return Ok(()) };
        let before = json!({ "version": active.version, "digest": active.digest });
        let entry = author.entry(&self.action("remove"), name, before, Value::Null);
        let together = engine.audited(entry.clone()).announced(self.kind.gone, json!({ self.kind.word: name }));
        match together.change(active.remove(self.kind)?) {
            Err(problem) if problem.code == Code::NotFound => match author.widening {
                Widening::AsConfigured => {}
                // A server that sees the same folder was faster; who did it is told all the same.
                Widening::Of(_) => engine.audit(entry)?,
            },
            other => drop(other?),
        }
        self.active.write().remove(name);
        Ok(())
    }
}

//! Organisations in a rehearsal: those that it makes are remembered; of others it is taken that they are there.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::Problem;

use super::{House, NewOrganisation, Step};

/// What a rehearsal has made and removed.
#[derive(Default)]
pub(super) struct Played(Mutex<BTreeMap<String, Option<Value>>>);

fn stands(name: &str) -> Value {
    json!({ "name": name, "title": name, "kind": "customer", "parent": "platform", "suspended": false })
}

impl Played {
    fn known(&self, name: &str) -> Option<Value> {
        self.0.lock().get(name).cloned().unwrap_or_else(|| Some(stands(name)))
    }

    fn change(&self, name: &str, key: &str, value: Value) -> Value {
        let mut known = self.known(name).unwrap_or_else(|| stands(name));
        known[key] = value;
        self.0.lock().insert(name.to_owned(), Some(known.clone()));
        known
    }
}

impl House for Played {
    fn create(&self, _: &Step<'_>, new: &NewOrganisation) -> Result<Value, Problem> {
        let title = if new.title.is_empty() { &new.name } else { &new.title };
        let mut made = stands(&new.name);
        made["title"] = title.as_str().into();
        made["kind"] = new.kind.as_str().into();
        made["parent"] = new.parent.as_deref().unwrap_or("platform").into();
        self.0.lock().insert(new.name.clone(), Some(made.clone()));
        if let Some(email) = &new.owner_email {
            made["invitation"] = json!({ "email": email, "sent": true, "reason": "" });
        }
        Ok(made)
    }

    fn remove(&self, _: &Step<'_>, name: &str, _: Option<&str>) -> Result<bool, Problem> {
        Ok(!matches!(self.0.lock().insert(name.to_owned(), None), Some(None)))
    }

    fn invite(&self, _: &Step<'_>, _: &str, email: &str, role: &str) -> Result<Value, Problem> {
        Ok(json!({ "id": "rehearsed", "email": email, "role": role, "sent": true, "reason": "" }))
    }

    fn withdraw(&self, _: &Step<'_>, _: &str, _: &str, _: Option<&str>) -> Result<bool, Problem> {
        Ok(true)
    }

    fn suspend(&self, _: &Step<'_>, name: &str, reason: Option<&str>) -> Result<Value, Problem> {
        Ok(self.change(name, "suspended", reason.is_some().into()))
    }

    fn environment(&self, _: &Step<'_>, name: &str, environment: &str, options: &Value) -> Result<Value, Problem> {
        Ok(json!({ "name": environment, "organisation": name, "domain": options["domain"] }))
    }

    fn forget(&self, _: &Step<'_>, _: &str, _: &str, _: Option<&str>) -> Result<bool, Problem> {
        Ok(true)
    }

    fn brand(&self, _: &Step<'_>, name: &str, brand: &Value) -> Result<Value, Problem> {
        Ok(json!({ "organisation": name, "title": brand["title"] }))
    }

    fn unbrand(&self, _: &Step<'_>, _: &str, _: &str) -> Result<(), Problem> {
        Ok(())
    }

    fn get(&self, _: &Step<'_>, name: &str) -> Result<Option<Value>, Problem> {
        Ok(self.known(name))
    }
}

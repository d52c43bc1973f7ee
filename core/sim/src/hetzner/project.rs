//! The state of a project: its objects in the provider's own form, what runs, and how they hang together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Config,
    action::{Action, Effect, Status, duration_ms},
    catalog::Catalog,
    labels,
    refusal::{Refusal, invalid, locked, not_found, taken},
};
use crate::{Failure, clock::rfc3339};

/// Actions that are remembered.
const ACTIONS: usize = 20_000;

/// All that a project holds. Objects stand under their plural kind (`servers`) and id, as they are rendered; what begins
/// with `_` is only ours.
pub(super) struct Project {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
    pub(super) now_ms: i64,
    /// What happens to the next action that is begun.
    pub(super) fails_later: Option<Failure>,
    objects: BTreeMap<&'static str, BTreeMap<i64, Value>>,
    pub(super) actions: BTreeMap<i64, Action>,
    last_id: i64,
    last_action: i64,
    last_address: u32,
}

/// `servers` → `server`
pub(super) fn singular(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

impl Project {
    pub(super) fn new(config: Config) -> Self {
        Self {
            catalog: Catalog::new(config.price_factor, &config.sold_out),
            config,
            now_ms: 0,
            fails_later: None,
            objects: BTreeMap::new(),
            actions: BTreeMap::new(),
            last_id: 1_000_000,
            last_action: 5_000_000,
            last_address: 0,
        }
    }

    /// Ends what has come to its end, in that order.
    pub(super) fn settle(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        loop {
            let due =
                self.actions.values().filter(|action| action.status == Status::Running && action.ends_ms <= now_ms);
            let Some(id) = due.min_by_key(|action| (action.ends_ms, action.id)).map(|action| action.id) else { break };
            let Some(action) = self.actions.get_mut(&id) else { break };
            let effect = action.effect.take();
            action.status = if action.failure.is_some() { Status::Error } else { Status::Success };
            if let Some(effect) = effect.filter(|_| action.failure.is_none()) {
                effect(self);
            }
        }
        while self.actions.len() > ACTIONS {
            self.actions.pop_first();
        }
    }

    /// Begins an action now.
    pub(super) fn begin(&mut self, command: &str, of: &[(&'static str, i64)], effect: Effect) -> Value {
        self.begin_after(None, command, of, effect)
    }

    /// Begins an action whose time starts when another one ends, and which fails with it.
    pub(super) fn begin_after(
        &mut self,
        before: Option<i64>,
        command: &str,
        of: &[(&'static str, i64)],
        effect: Effect,
    ) -> Value {
        self.last_action += 1;
        let before = before.and_then(|id| self.actions.get(&id));
        let starts_ms = before.map_or(self.now_ms, |before| before.ends_ms.max(self.now_ms));
        let failure = before.and_then(|before| before.failure.clone()).or_else(|| self.fails_later.take());
        let takes_ms = (duration_ms(command) as f64 * self.config.pace) as i64;
        let action = Action {
            id: self.last_action,
            command: command.into(),
            resources: of.to_vec(),
            started_ms: self.now_ms,
            ends_ms: starts_ms + takes_ms,
            status: Status::Running,
            effect: Some(effect),
            failure,
        };
        let rendered = action.render(self.now_ms);
        self.actions.insert(action.id, action);
        rendered
    }

    /// Whether an action about this object still runs.
    pub(super) fn is_busy(&self, kind: &str, id: i64) -> bool {
        self.actions.values().rev().any(|action| {
            let about = action.resources.iter().any(|(of, with)| *of == kind && *with == id);
            // A firewall is put before a server, not into it.
            let beside = kind == "server" && action.command.ends_with("_firewall");
            action.status == Status::Running && about && !beside
        })
    }

    /// Fails while an action about this object runs.
    pub(super) fn demand_unlocked(&self, kind: &str, id: i64) -> Result<(), Refusal> {
        if self.is_busy(singular(kind), id) { Err(locked(singular(kind))) } else { Ok(()) }
    }

    /// Fails for what is protected against deletion (or another change).
    pub(super) fn demand_unprotected(&self, kind: &'static str, id: i64, against: &str) -> Result<(), Refusal> {
        match self.get(kind, id)?["protection"][against].as_bool() {
            Some(true) => Err(Refusal::new(423, "protected", format!("{} is protected against this", singular(kind)))),
            _ => Ok(()),
        }
    }

    /// Ids are never used twice.
    pub(super) fn fresh_id(&mut self) -> i64 {
        self.last_id += 7;
        self.last_id
    }

    /// An address for the public side: out of the ranges for documentation and benchmarks, so that nobody is hit.
    pub(super) fn fresh_ipv4(&mut self) -> String {
        self.last_address += 1;
        std::net::Ipv4Addr::from_bits(0xc612_0000 + self.last_address).to_string()
    }

    /// A `/64` for the public side.
    pub(super) fn fresh_ipv6(&mut self) -> String {
        self.last_address += 1;
        format!("2001:db8:{:x}:{:x}::/64", self.last_address >> 16, self.last_address & 0xffff)
    }

    pub(super) fn all(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.objects.get(kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn get(&self, kind: &'static str, id: i64) -> Result<&Value, Refusal> {
        let found = self.objects.get(kind).and_then(|all| all.get(&id));
        found.ok_or_else(|| not_found(singular(kind), id))
    }

    /// For changes; null when it is gone.
    pub(super) fn with(&mut self, kind: &'static str, id: i64, change: impl FnOnce(&mut Value)) {
        if let Some(object) = self.objects.get_mut(kind).and_then(|all| all.get_mut(&id)) {
            change(object);
        }
    }

    pub(super) fn remove(&mut self, kind: &'static str, id: i64) {
        self.objects.entry(kind).or_default().remove(&id);
    }

    /// Fails when there would be more than the project may have.
    pub(super) fn demand_quota(&self, kind: &str, more: usize) -> Result<(), Refusal> {
        let limit = self.config.limits.get(kind).copied().unwrap_or(usize::MAX);
        if self.all(kind).count() + more <= limit {
            return Ok(());
        }
        let words = singular(kind).replace('_', " ");
        Err(Refusal::new(403, "resource_limit_exceeded", format!("{words} limit exceeded"))
            .details(json!({ "limits": [{ "name": format!("{}_limit", singular(kind)) }] })))
    }

    /// Fails when another object has the name.
    pub(super) fn demand_unique(&self, kind: &str, field: &str, value: &str, own: i64) -> Result<(), Refusal> {
        let used = self.all(kind).any(|object| object[field] == value && object["id"] != own);
        if used { Err(taken(field, &format!("{} {field}", singular(kind)))) } else { Ok(()) }
    }

    /// Keeps a new object; `fields` is what it has beside id, name, labels and the time of creation.
    pub(super) fn insert(&mut self, kind: &'static str, name: &str, labels: Value, mut fields: Value) -> i64 {
        let id = self.fresh_id();
        fields["id"] = json!(id);
        fields["name"] = json!(name);
        fields["labels"] = labels;
        fields["created"] = json!(rfc3339(self.now_ms));
        self.objects.entry(kind).or_default().insert(id, fields);
        id
    }

    /// The location that a body asks for.
    pub(super) fn location(&self, wanted: &Value, field: &str) -> Result<Value, Refusal> {
        let found = Catalog::find(&self.catalog.locations, wanted);
        found.cloned().ok_or_else(|| invalid(field, "there is no such location"))
    }

    /// Whether a firewall applies to a server, by itself or by a selector.
    pub(super) fn applies(&self, firewall: &Value, server: &Value) -> bool {
        let direct = firewall["_servers"].as_array().is_some_and(|ids| ids.contains(&server["id"]));
        direct || self.selected(firewall, server)
    }

    pub(super) fn selected(&self, firewall: &Value, server: &Value) -> bool {
        let selectors = firewall["_selectors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        selectors.into_iter().any(|selector| labels::fit(selector, &server["labels"]).unwrap_or(false))
    }

    /// Servers in a network, or on a balancer's selector, …
    pub(super) fn ids_where(&self, kind: &str, test: impl Fn(&Value) -> bool) -> Vec<i64> {
        self.all(kind).filter(|object| test(object)).filter_map(|object| object["id"].as_i64()).collect()
    }
}

//! A provider's published contract, laid beside every exchange of a simulator.

use std::{collections::BTreeMap, sync::Arc};

use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_sim::{Failure, Request, Response, Simulator};

/// Paths with the schemas of bodies and answers, as `tests/tools/contract` makes them.
pub struct Contract {
    document: Value,
    base: &'static str,
    /// Compiled when they are first needed: a few hundred are there, a test needs some dozens.
    compiled: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Reads one; `base` stands before its paths.
    pub fn new(text: &str, base: &'static str) -> Self {
        let document = serde_json::from_str(text).expect("a contract is JSON");
        Self { document, base, compiled: Mutex::default() }
    }

    /// The contract's path for a request's, with the method's part.
    fn operation(&self, request: &Request) -> Option<(&str, &Value)> {
        let path = request.path.strip_prefix(self.base)?;
        let parts: Vec<&str> = path.split('/').collect();
        let paths = self.document["paths"].as_object()?.iter();
        let fitting = paths.filter(|(template, _)| {
            let wanted: Vec<&str> = template.split('/').collect();
            let same = |(wanted, part): (&&str, &&str)| wanted.starts_with('{') || wanted == part;
            wanted.len() == parts.len() && wanted.iter().zip(&parts).all(same)
        });
        // `/servers/actions` fits `/servers/{id}`, too: the fewest placeholders win.
        let (template, operations) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        let operation = &operations[request.method.as_str().to_lowercase()];
        (!operation.is_null()).then_some((template.as_str(), operation))
    }

    fn against(&self, name: &str, schema: &Value, value: &Value) -> Vec<String> {
        let mut compiled = self.compiled.lock();
        let validator = compiled.entry(name.to_owned()).or_insert_with(|| {
            let whole = json!({ "allOf": [schema], "$defs": self.document["$defs"] });
            Arc::new(jsonschema::validator_for(&whole).expect("the contract's schemas can be compiled"))
        });
        validator.iter_errors(value).map(|error| format!("{name}: {}: {error}", error.instance_path())).collect()
    }

    /// What is wrong with an exchange.
    fn complaints(&self, request: &Request, response: &Response, bodies: bool) -> Vec<String> {
        let about = format!("{} {} → {}", request.method, request.path, response.status);
        let Some((template, operation)) = self.operation(request) else {
            return match response.status {
                401 | 404 => Vec::new(),
                _ => vec![format!("{about}: the contract has no such path")],
            };
        };
        let name = format!("{} {template}", request.method);
        let mut found = Vec::new();
        let known = operation["query"].as_array().into_iter().flatten();
        let known: Vec<&str> = known.filter_map(Value::as_str).collect();
        let strange = request.query.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        found.extend(strange.map(|(key, _)| format!("{name}: no query parameter {key}")));
        // What was refused may well have been nonsense.
        let accepted = response.status < 300 && bodies;
        if let (true, Ok(body), false) = (accepted, request.json(), operation["request"].is_null())
            && !body.is_null()
        {
            found.extend(self.against(&format!("{name}, body"), &operation["request"], &body));
        }
        let class = format!("{}xx", response.status / 100);
        let answers = &operation["responses"];
        let schema = answers.get(response.status.to_string()).or_else(|| answers.get(&class));
        match schema {
            None => found.push(format!("{about}: the contract has no such status for {name}")),
            Some(Value::Null) if !response.body.is_empty() => found.push(format!("{about}: no body was expected")),
            Some(Value::Null) => {}
            Some(schema) => match serde_json::from_slice(&response.body) {
                Ok(body) => found.extend(self.against(&format!("{name}, {}", response.status), schema, &body)),
                Err(error) => found.push(format!("{about}: {error}")),
            },
        }
        found
    }
}

/// A simulator whose every exchange is held against a contract.
pub struct Checked<S> {
    simulator: Arc<S>,
    contract: Contract,
    /// Whether bodies are looked at, too: the provider's own client is freer with them than the contract.
    bodies: bool,
    found: Mutex<Vec<String>>,
    exchanges: Mutex<BTreeMap<String, usize>>,
}

impl<S: Simulator> Checked<S> {
    /// Watches one.
    pub fn new(simulator: Arc<S>, contract: Contract) -> Arc<Self> {
        Self::with(simulator, contract, true)
    }

    /// The same for answers only.
    pub fn answers(simulator: Arc<S>, contract: Contract) -> Arc<Self> {
        Self::with(simulator, contract, false)
    }

    fn with(simulator: Arc<S>, contract: Contract, bodies: bool) -> Arc<Self> {
        Arc::new(Self { simulator, contract, bodies, found: Mutex::default(), exchanges: Mutex::default() })
    }

    /// Panics when an exchange didn't keep to the contract. Gives how often each operation of the contract was accepted.
    pub fn demand_kept(&self) -> BTreeMap<String, usize> {
        let found = self.found.lock();
        assert!(found.is_empty(), "{} exchanges against the contract:\n{}", found.len(), found.join("\n"));
        self.exchanges.lock().clone()
    }

    fn look(&self, request: &Request, response: &Response) {
        if response.status < 300
            && let Some((template, _)) = self.contract.operation(request)
        {
            *self.exchanges.lock().entry(format!("{} {template}", request.method)).or_default() += 1;
        }
        self.found.lock().extend(self.contract.complaints(request, response, self.bodies));
    }
}

impl<S: Simulator> Simulator for Checked<S> {
    fn operation(&self, request: &Request) -> String {
        self.simulator.operation(request)
    }
    fn answer(&self, request: &Request, fails_later: Option<&Failure>) -> Response {
        let response = self.simulator.answer(request, fails_later);
        self.look(request, &response);
        response
    }
    fn failure(&self, request: &Request, failure: &Failure) -> Response {
        self.simulator.failure(request, failure)
    }
    fn limited(&self, request: &Request, seconds: u64) -> Response {
        let response = self.simulator.limited(request, seconds);
        self.look(request, &response);
        response
    }
}

//! One call of a plugin's function: within its limits, with answers that hold no credential, and with errors that are told
//! apart.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::{
    Scrubber,
    plugin::{self, Ask, Call, Credential, Failed, HttpAsk, Refusal, Reply},
};

use super::{
    Source,
    office::Office,
    scene::Scene,
    wire::{self, Cookies, Unsent},
};

/// Calls `function` of the plugin.
pub(super) fn perform(
    office: &Office,
    source: &Source,
    scene: &dyn Scene,
    credentials: &BTreeMap<String, Credential>,
    (function, request): (&str, &Value),
) -> Result<Value, Problem> {
    if !source.manifest.capabilities.iter().any(|one| one == function) {
        let reason = format!("the plugin has no `{function}`");
        return Err(Refusal::UnsupportedOperation.problem(&source.name, &reason, &Value::Null).no_effect());
    }
    let program = office.program(source)?;
    let limits = &source.manifest.limits;
    let time = Duration::from_secs(limits.seconds);
    let _place = office.enter(source, time, &|pause| scene.wait(pause))?;
    let call = Call { function, request, credentials, operations: limits.operations, time };
    let until = Instant::now() + time;
    let mut state = State {
        office,
        source,
        scene,
        until,
        calls: 0,
        bytes: 0,
        cookies: Cookies::default(),
        scrubber: Scrubber::default(),
    };
    let result = plugin::call(&program, &call, &|| scene.stopped(), &mut |ask| state.serve(ask));
    let scrubber = &state.scrubber;
    let result = result.map(|value| scrubber.value(value)).map_err(|problem| scrubber.problem(problem));
    result.inspect_err(|problem| office.note(source, problem))
}

struct State<'a> {
    office: &'a Office,
    source: &'a Source,
    scene: &'a dyn Scene,
    until: Instant,
    calls: u64,
    bytes: u64,
    cookies: Cookies,
    scrubber: Scrubber,
}

fn ended(problem: Problem) -> Failed {
    Failed::Ended(Box::new(problem))
}

impl State<'_> {
    fn serve(&mut self, ask: Ask) -> Reply {
        match ask {
            Ask::Log(line) => {
                tracing::info!(plugin = self.source.name, "{}", self.scrubber.text(&line));
                Ok(Value::Null)
            }
            Ask::Wait(time) => {
                let left = self.until.saturating_duration_since(Instant::now());
                self.scene.wait(time.min(left)).map_err(ended)?;
                Ok(Value::Null)
            }
            Ask::Http(ask) => self.http(&ask),
        }
    }

    fn over(&self, limit: &str, what: String) -> Failed {
        let message = format!("{} {what}", self.source.name);
        ended(
            Problem::new(Code::LimitExceeded, message)
                .help(format!("The limit is `{limit}`; the plugin's manifest sets it under [limits]."))
                .data(json!({ "limit": limit })),
        )
    }

    fn http(&mut self, ask: &HttpAsk) -> Reply {
        let limits = &self.source.manifest.limits;
        if self.calls >= limits.calls {
            return Err(self.over("calls", format!("sent more than {} requests in one call", limits.calls)));
        }
        self.calls += 1;
        let left = (self.until, limits.bytes.saturating_sub(self.bytes));
        let kept = (&self.scrubber, &self.cookies);
        let request = wire::request(&self.source.name, &self.source.manifest, ask, self.scene, kept, left);
        let request = request.map_err(|unsent| match unsent {
            Unsent::Wrong(problem) => Failed::Wrong(self.scrubber.text(&problem.message)),
            Unsent::Ended(problem) => ended(problem),
        })?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        self.office.pace(self.source, &|pause| self.scene.wait(pause)).map_err(ended)?;
        match self.scene.send(request) {
            Ok(answer) => self.answer(ask, &host, answer),
            Err(problem) => Err(self.failed(problem, limits.bytes)),
        }
    }

    fn failed(&self, problem: Problem, bytes: u64) -> Failed {
        match problem.code {
            Code::Unavailable | Code::StepTimeout => {
                let data = if problem.no_effect { json!({ "no_effect": true }) } else { Value::Null };
                Failed::Refused(Refusal::ProviderUnavailable, self.scrubber.text(&problem.message), data)
            }
            Code::InvalidArgument => Failed::Wrong(problem.message),
            Code::LimitExceeded => {
                self.over("bytes", format!("was sent more than {bytes} bytes, or more than fits into an answer"))
            }
            Code::PermissionDenied if problem.data["grant"].is_string() => {
                let grant = problem.data["grant"].as_str().unwrap_or_default();
                let (verb, url) = grant.split_once(':').unwrap_or_default();
                let method = verb.strip_prefix("http.").unwrap_or_default().to_ascii_uppercase();
                ended(wire::undeclared(&self.source.name, &method, url))
            }
            _ => ended(problem),
        }
    }

    fn answer(&mut self, ask: &HttpAsk, host: &str, mut answer: Value) -> Reply {
        let length = answer["body"].as_str().map_or(0, str::len).max(answer["json"].to_string().len());
        self.bytes += length as u64;
        if self.bytes > self.source.manifest.limits.bytes {
            let limit = self.source.manifest.limits.bytes;
            return Err(self.over("bytes", format!("was sent more than {limit} bytes")));
        }
        if let Some(Value::String(lines)) = answer["headers"].as_object_mut().and_then(|all| all.remove("set-cookie")) {
            self.cookies.take(host, &lines, &self.scrubber);
        }
        let answer = self.scrubber.value(answer);
        let status = answer["status"].as_u64().unwrap_or_default();
        let wanted = ask.expect.iter().any(|one| u64::from(*one) == status);
        if !wanted && status == 429 {
            let seconds = answer["headers"]["retry-after"].as_str().and_then(|text| text.trim().parse::<u64>().ok());
            return Err(Failed::Refused(
                Refusal::RateLimited,
                format!("{host} answered {status}"),
                json!({ "retry_after": seconds.unwrap_or(30) }),
            ));
        }
        if !wanted && status >= 500 {
            let reason = format!("{host} answered {status}");
            return Err(Failed::Refused(Refusal::ProviderUnavailable, reason, Value::Null));
        }
        let json = match &answer["json"] {
            // Some providers send JSON under another name.
            Value::Null => serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default(),
            json => json.clone(),
        };
        Ok(json!({ "status": status, "headers": answer["headers"], "text": answer["body"], "json": json }))
    }
}

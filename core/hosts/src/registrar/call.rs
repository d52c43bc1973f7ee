//! One call of a plugin's function: within its limits, with answers that hold no credential, and with errors that are told
//! apart.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::plugin::{self, Ask, Call, Credential, Failed, HttpAsk, Refusal, Reply, visible};

use super::{
    Source,
    office::{Account, Office},
    scene::Scene,
    wire::{self, Kept, Unsent},
};

/// Lines that a call may write into the log.
const LINES: u32 = 100;
const NEXT: u32 = LINES + 1;

/// Calls `function` of the plugin.
pub(super) fn perform(
    office: &Office,
    (source, account): (&Source, Account),
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
    let _place = office.enter(source, account, time, &|pause| scene.wait(pause))?;
    let call = Call { function, request, credentials, operations: limits.operations, time };
    let until = Instant::now() + time;
    let mut state = State {
        office,
        source,
        account,
        scene,
        until,
        calls: 0,
        bytes: 0,
        lines: Lines::default(),
        kept: Kept::default(),
    };
    let result = plugin::call(&program, &call, &|| scene.stopped(), &mut |ask| state.serve(ask));
    let scrubber = &state.kept.scrubber;
    let result = result.map(|value| scrubber.value(value)).map_err(|problem| scrubber.problem(problem));
    result.inspect_err(|problem| office.note(account, problem))
}

struct State<'a> {
    office: &'a Office,
    source: &'a Source,
    account: Account,
    scene: &'a dyn Scene,
    until: Instant,
    calls: u64,
    bytes: u64,
    lines: Lines,
    kept: Kept,
}

/// Lines that a call has written into the log.
#[derive(Default)]
struct Lines(u32);

impl Lines {
    /// The line as it is kept: on one line, and not without end.
    fn next(&mut self, line: &str) -> Option<String> {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            ..=LINES => Some(visible(line, false)),
            NEXT => Some(format!("it has written {LINES} lines; no more of this call are kept")),
            _ => None,
        }
    }
}

fn ended(problem: Problem) -> Failed {
    Failed::Ended(Box::new(problem))
}

impl State<'_> {
    fn serve(&mut self, ask: Ask) -> Reply {
        match ask {
            Ask::Log(line) => {
                if let Some(line) = self.lines.next(&self.kept.scrubber.text(&line)) {
                    tracing::info!(plugin = self.source.name, "{line}");
                }
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
        let request = wire::request(&self.source.name, &self.source.manifest, ask, self.scene, &self.kept, left);
        let request = request.map_err(|unsent| match unsent {
            Unsent::Wrong(problem) => Failed::Wrong(self.kept.scrubber.text(&problem.message)),
            Unsent::Ended(problem) => ended(problem),
        })?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let wait = |pause| self.scene.wait(pause);
        let sending = self.office.pace(self.source, self.account, &host, self.until, &wait).map_err(ended)?;
        let sent = self.scene.send(request);
        drop(sending);
        match sent {
            Ok(answer) => {
                // A redirect leads elsewhere: what is told there is that host's.
                let host = answer["host"].as_str().unwrap_or(&host).to_owned();
                self.answer(ask, &host, answer)
            }
            Err(problem) => Err(self.failed(problem, limits.bytes)),
        }
    }

    fn failed(&self, problem: Problem, bytes: u64) -> Failed {
        match problem.code {
            Code::Unavailable | Code::StepTimeout => {
                let data = if problem.no_effect { json!({ "no_effect": true }) } else { Value::Null };
                Failed::Refused(Refusal::ProviderUnavailable, self.kept.scrubber.text(&problem.message), data)
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
            self.kept.cookies.take(host, &lines, &self.kept.scrubber);
        }
        let answer = self.kept.scrubber.value(answer);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_lines_end_and_are_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.next("a\nINFO forged \u{1b}[2J").unwrap(), "a\\nINFO forged \\u{1b}[2J");
        let kept = (0..10_000).filter_map(|_| lines.next("x")).count();
        assert_eq!(kept, LINES as usize, "the last one says so");
    }
}

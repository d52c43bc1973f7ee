//! What scripts see of `claim`.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{Claims, Offer, Step};
use crate::support::{self, invalid};

const DAY_MS: i64 = 86_400_000;
/// Values of one claim, at most.
const VALUES: usize = 50;

const NAME: Param =
    Param::required("name", Kind::String, "Letters, digits, `.`, `_`, `-` and `/`, at most 100: `acme.example/cp-1`.");

fn name_scope(args: &Args) -> Vec<String> {
    vec![args.str("name").to_owned()]
}

/// The argument, if it can be a name.
fn name(args: &Args) -> Result<&str, Problem> {
    let name = args.str("name");
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let whole = !name.is_empty() && name.len() <= 100 && name.split('/').all(|part| !part.is_empty());
    match whole && name.bytes().all(known) {
        true => Ok(name),
        false => Err(invalid(format!(
            "`{name}` can't be a name: letters, digits, `.`, `_` and `-`, in parts with `/` between"
        ))),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GenerateOptions {
    bytes: Option<u16>,
    to: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OfferOptions {
    values: BTreeMap<String, Value>,
    returns: Vec<String>,
    returns_to: Vec<String>,
    signal: Option<String>,
    word_to: Vec<String>,
    open: Value,
}

pub(super) fn module(claims: Arc<dyn Claims>) -> HostModule {
    HostModule {
        name: "claim",
        doc: "Hands secrets to a machine that has just been made, and hears from it. What a machine is booted with is kept by \
              its provider, so no secret stands there: only a claim's address and a word that works once. The machine fetches \
              what the claim holds with `POST <url>/fetch` `{\"word\", \"machine\"}`, which answers `{\"values\", \"report_word\"}`, and tells \
              what becomes of it with `POST <url>/reports` `{\"word\": report_word, \"id\", \"component\", \"state\", \"message\", \
              \"returns\"}`. Each report is a signal to the run: `#{ claim, component, state, message, secrets }`.",
        ops: vec![generate(&claims), forget(&claims), offer(&claims), withdraw(&claims), returned(&claims)],
    }
}

fn generate(claims: &Arc<dyn Claims>) -> Op {
    let claims = claims.clone();
    Op {
        name: "generate",
        doc: "A random secret of the run's organisation, unless that has it already. One that a run has left which executes no more (it \
              failed, or its undo is stuck) keeps its value and becomes this step's (`made`), whose undo removes it. Use it with `secret(made.secret)`: it is \
              called `made/<organisation>/<name>`. Errors: `storage`.",
        params: const {
            &[
                NAME,
                Param::optional(
                    "options",
                    Kind::Map,
                    "`bytes` of chance (16 to 64; 32), `to`: where it may go, as for `windlass secrets set --to` \
                     (`[\"claim:*\"]`).",
                ),
            ]
        },
        returns: "#{ secret: string, made: bool }",
        permission: Permission::Needs {
            verb: "claim.generate",
            scope: name_scope,
            words: "make random secrets called",
        },
        class: EffectClass::Idempotent,
        undo: Undo::Op { name: "forget", args: |args| vec![args.get("name").clone()] },
        resources: no_resources,
        timeout_ms: 10_000,
        retry: RetryPolicy::NETWORK,
        rehearse: Rehearse::Backend,
        example: r#"claim::generate("acme.example/k3s-token").secret"#,
        run: Box::new(move |cx, args| {
            let name = name(args)?;
            let options: GenerateOptions = support::options(args, "options")?;
            let bytes = usize::from(options.bytes.unwrap_or(32));
            if !(16..=64).contains(&bytes) {
                return Err(invalid("`bytes` is from 16 to 64"));
            }
            let to = if options.to.is_empty() { vec!["claim:*".to_owned()] } else { options.to };
            let (secret, made) = claims.generate(&Step { run: &cx.run, key: &cx.key }, name, bytes, &to)?;
            Ok(json!({ "secret": secret, "made": made }))
        }),
        lookup: None,
    }
}

fn forget(claims: &Arc<dyn Claims>) -> Op {
    let claims = claims.clone();
    Op {
        name: "forget",
        doc: "Removes a secret that `generate` made; one that isn't there is none. `.word/<name>` is a claim's word: the claim goes with \
              it, if its run has ended. As an undo it removes only what its step has made.",
        params: &[NAME],
        returns: "()",
        permission: Permission::Needs {
            verb: "claim.generate",
            scope: name_scope,
            words: "make random secrets called",
        },
        class: EffectClass::Idempotent,
        undo: Undo::None("a random secret can't be made again"),
        resources: no_resources,
        timeout_ms: 10_000,
        retry: RetryPolicy::NETWORK,
        rehearse: Rehearse::Backend,
        example: r#"claim::forget("acme.example/k3s-token")"#,
        run: Box::new(move |cx, args| {
            claims.forget(&cx.run, name(args)?, cx.undoes.as_deref())?;
            Ok(Value::Null)
        }),
        lookup: None,
    }
}

fn offer(claims: &Arc<dyn Claims>) -> Op {
    let claims = claims.clone();
    Op {
        name: "offer",
        doc: "A claim. `secret(offered.word)` is its word, which goes where `word_to` says. In a rehearsal (`rehearsed`) \
              nobody will ask for it or report: don't wait. One of this name that a run has left which executes no more gives way. Errors: \
              `conflict` (a run that goes on has one of this name), `unavailable` (this process serves no API that a machine could ask).",
        params: const {
            &[
                NAME,
                Param::required(
                    "options",
                    Kind::Map,
                    "`values`: what is fetched, secrets or text by name (their policies allow `claim:<name>`); `returns`: names \
                     of secrets that may come back, whose full names reports tell, and `returns_to`: where those may \
                     go; `signal`: what reports are called (`claim/<name>`); `word_to`: where the word may go \
                     (`[\"user-data\"]`); `open`: how long (`\"2h\"`).",
                ),
            ]
        },
        returns: "#{ id: string, url: string, word: string, signal: string, rehearsed: bool }",
        permission: Permission::Needs { verb: "claim.offer", scope: name_scope, words: "hand secrets to machines as" },
        class: EffectClass::Idempotent,
        undo: Undo::Op { name: "withdraw", args: |args| vec![args.get("name").clone()] },
        resources: no_resources,
        timeout_ms: 60_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: r#"claim::offer("acme.example/cp-1", #{ values: #{ hostname: "cp-1" }, returns: ["kubeconfig"] }).url"#,
        run: Box::new(move |cx, args| make(&*claims, cx, args)),
        lookup: None,
    }
}

fn make(claims: &dyn Claims, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let name = name(args)?;
    let options: OfferOptions = support::options(args, "options")?;
    if options.values.len() > VALUES || options.returns.len() > VALUES {
        return Err(invalid(format!("a claim has at most {VALUES} values")));
    }
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if let Some(wrong) = options.returns.iter().find(|word| !plain(word)) {
        return Err(invalid(format!("`returns`: `{wrong}` can't be a name")));
    }
    let destination = format!("claim:{name}");
    let values = options.values.iter().map(|(key, value)| Ok((key.clone(), cx.reveal(value, &destination)?)));
    let open_ms = match &options.open {
        Value::Null => 2 * 3_600_000,
        open => i64::try_from(support::duration(open, "open")?.as_millis()).unwrap_or(i64::MAX),
    };
    if open_ms > 7 * DAY_MS {
        return Err(invalid("`open` is at most 7 days"));
    }
    let signal = options.signal.clone().unwrap_or_else(|| format!("claim/{name}"));
    let offered = claims.offer(&Offer {
        name: name.to_owned(),
        run: cx.run.clone(),
        key: cx.key.clone(),
        values: values.collect::<Result<_, Problem>>()?,
        returns: options.returns,
        returns_to: options.returns_to,
        signal: signal.clone(),
        word_to: if options.word_to.is_empty() { vec!["user-data".into()] } else { options.word_to },
        open_ms,
    })?;
    Ok(
        json!({ "id": offered.id, "url": offered.url, "word": offered.word, "signal": signal, "rehearsed": cx.rehearsal }),
    )
}

fn returned(claims: &Arc<dyn Claims>) -> Op {
    let claims = claims.clone();
    Op {
        name: "returned",
        doc: "The name of the secret that a machine has sent back for a claim of this name, also one of an earlier run; `()` if none \
              has.",
        params: const { &[NAME, Param::required("what", Kind::String, "What the claim calls it: `kubeconfig`.")] },
        returns: "string or ()",
        permission: Permission::Needs { verb: "claim.offer", scope: name_scope, words: "hand secrets to machines as" },
        class: EffectClass::Read,
        undo: Undo::None("nothing was changed"),
        resources: no_resources,
        timeout_ms: 10_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: r#"claim::returned("acme.example/cp-1", "kubeconfig")"#,
        run: Box::new(move |cx, args| {
            let found = claims.returned(&cx.run, name(args)?, args.str("what"))?;
            Ok(found.map_or(Value::Null, Value::String))
        }),
        lookup: None,
    }
}

fn withdraw(claims: &Arc<dyn Claims>) -> Op {
    let claims = claims.clone();
    Op {
        name: "withdraw",
        doc: "Removes a claim of this run, its word and what came back; one that isn't there is none. Errors: `conflict` \
              (another run made it). As an undo it removes only what its step has made.",
        params: &[NAME],
        returns: "()",
        permission: Permission::Needs { verb: "claim.offer", scope: name_scope, words: "hand secrets to machines as" },
        class: EffectClass::Idempotent,
        undo: Undo::None("a claim that was withdrawn isn't offered again"),
        resources: no_resources,
        timeout_ms: 10_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: r#"claim::withdraw("acme.example/cp-1")"#,
        run: Box::new(move |cx, args| {
            claims.withdraw(name(args)?, &cx.run, cx.undoes.as_deref())?;
            Ok(Value::Null)
        }),
        lookup: None,
    }
}

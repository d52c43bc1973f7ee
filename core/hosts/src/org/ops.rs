//! What scripts see of `org`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{House, NewOrganisation, Step};
use crate::support::{self, invalid};

/// Between the mail server's patience and the step's.
const TIMEOUT_MS: u64 = 30_000;
const KINDS: [&str; 2] = ["franchisee", "customer"];
const ROLES: [&str; 3] = ["viewer", "operator", "franchisee"];

const NAME: Param = Param::required("name", Kind::String, "The organisation: letters, digits and `._-`, at most 64.");
const EMAIL: Param = Param::required("email", Kind::String, "Their e-mail address.");

fn organisation_scope(args: &Args) -> Vec<String> {
    vec![args.str("name").to_owned()]
}

const WRITE: Permission = Permission::Needs {
    verb: "org.write",
    scope: organisation_scope,
    words: "make, change and suspend the organisations",
};
const READ: Permission =
    Permission::Needs { verb: "org.read", scope: organisation_scope, words: "look at the organisations" };

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CreateOptions {
    title: String,
    kind: Option<String>,
    parent: Option<String>,
    owner_email: Option<String>,
    quotas: Value,
}

/// The argument, if it can be an organisation's name, or a place's.
fn name<'a>(args: &'a Args, parameter: &str) -> Result<&'a str, Problem> {
    let name = args.str(parameter);
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    match begins && name.len() <= 64 && name.bytes().all(known) {
        true => Ok(name),
        false => Err(invalid(format!(
            "`{name}` can't be a name: up to 64 small letters, digits and `._-`, beginning with a letter or a digit"
        ))),
    }
}

/// The address, if it looks like one.
fn email(text: &str) -> Result<&str, Problem> {
    let sound = text.len() <= 254
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        && text
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    if sound { Ok(text) } else { Err(invalid(format!("`{}` isn't an e-mail address", text.escape_debug()))) }
}

fn one_of<'a>(word: &'a str, what: &str, known: &[&str]) -> Result<&'a str, Problem> {
    match known.contains(&word) {
        true => Ok(word),
        false => Err(invalid(format!("`{word}` is no {what}: {}", known.join(", ")))),
    }
}

fn step(cx: &OpCx) -> Step<'_> {
    Step { run: &cx.run, key: &cx.key }
}

/// What an op does.
type Run = Box<dyn Fn(&dyn House, &OpCx, &Args) -> Result<Value, Problem> + Send + Sync>;

/// What all ops have in common.
struct Made<'a> {
    house: &'a Arc<dyn House>,
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: &'static str,
    undo: Undo,
    example: &'static str,
}

impl Made<'_> {
    fn op(self, permission: Permission, class: EffectClass, run: Run) -> Op {
        let house = self.house.clone();
        Op {
            name: self.name,
            doc: self.doc,
            params: self.params,
            returns: self.returns,
            permission,
            class,
            undo: self.undo,
            resources: no_resources,
            timeout_ms: TIMEOUT_MS,
            retry: RetryPolicy::NETWORK,
            rehearse: Rehearse::Backend,
            example: self.example,
            run: Box::new(move |cx, args| run(&*house, cx, args)),
            lookup: None,
        }
    }
}

pub(super) fn module(house: Arc<dyn House>) -> HostModule {
    let house = &house;
    HostModule {
        name: "org",
        doc: "Organisations: the platform, franchisees under it, customers under either. A run may make organisations under its \
              own, and change those; it invites into its own, too. A run of the platform may do so everywhere. What belongs to an \
              organisation's members (runs, secrets, consoles) is reached by none of this.",
        ops: vec![
            create(house),
            remove(house),
            invite(house),
            withdraw(house),
            suspend(house),
            resume(house),
            environment(house),
            forget_environment(house),
            brand(house),
            unbrand(house),
            get(house),
        ],
    }
}

fn create(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "create",
        doc: "Makes an organisation. With `owner_email` somebody is invited to manage it; whether the letter went out stands in \
              `invitation` (`sent`, and else `reason`). The undo removes the organisation again, if nothing is in it by then. Errors: \
              `conflict` (there is one of this name), `limit_exceeded` (the quota `customers` of the one above), \
              `permission_denied` (the run isn't of the organisation above).",
        params: const {
            &[
                NAME,
                Param::required(
                    "options",
                    Kind::Map,
                    "`title`; `kind`: `franchisee` or `customer` (if nothing is said); `parent`: the organisation that it is under \
                     (the run's own); `owner_email`; `quotas`: `#{ members: 5, runs_open: 10 }`.",
                ),
            ]
        },
        returns: "#{ name: string, title: string, kind: string, parent: string, suspended: bool, invitation: map or absent }",
        undo: Undo::Op { name: "remove", args: |args| vec![args.get("name").clone()] },
        example: r#"org::create("acme", #{ title: "Acme", kind: "customer", owner_email: "ann@acme.test" }).name"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let name = name(args, "name")?.to_owned();
            let options: CreateOptions = support::options(args, "options")?;
            let kind = one_of(options.kind.as_deref().unwrap_or("customer"), "kind", &KINDS)?.to_owned();
            options.owner_email.as_deref().map(email).transpose()?;
            let CreateOptions { title, parent, owner_email, quotas, .. } = options;
            house.create(&step(cx), &NewOrganisation { name, title, kind, parent, owner_email, quotas })
        }),
    )
}

fn remove(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "remove",
        doc: "Removes an organisation: an empty one, or one that is suspended, with its members, tokens, secrets, schedules and \
              plugins. Organisations under it, open runs and things that runs have made have to be gone before. Ended runs and \
              the audit log stay until their own time is over. `false` if there was none. As an undo it removes only what its step \
              has made, while nothing is in it. Errors: `conflict` (what is in the way stands in `data.contents`).",
        params: &[NAME],
        returns: "bool",
        undo: Undo::None("what was its members' own can't be made again"),
        example: r#"org::remove("acme")"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| house.remove(&step(cx), name(args, "name")?, cx.undoes.as_deref()).map(Value::Bool)),
    )
}

fn invite(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "invite",
        doc: "Invites somebody into an organisation by e-mail. The link works once, for a week, and for this address only; no script \
              ever sees it. `sent` says whether a mail server has taken the letter over, and else `reason`: then somebody who manages \
              the organisation sends it again. A run of the organisation itself invites viewers and operators; one of \
              the organisation above invites who is to manage it (`franchisee`), while nobody does. Errors: `conflict` (they are \
              invited, or members), `limit_exceeded`, `permission_denied`.",
        params: const {
            &[NAME, EMAIL, Param::required("role", Kind::String, "`viewer`, `operator` or `franchisee` (manages it).")]
        },
        returns: "#{ id: string, email: string, role: string, sent: bool, reason: string }",
        undo: Undo::Op { name: "withdraw", args: |args| vec![args.get("name").clone(), args.get("email").clone()] },
        example: r#"org::invite("acme", "bob@acme.test", "operator").sent"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let role = one_of(args.str("role"), "role that can be given", &ROLES)?;
            house.invite(&step(cx), name(args, "name")?, email(args.str("email"))?, role)
        }),
    )
}

fn withdraw(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "withdraw",
        doc: "Withdraws an invitation that nobody has accepted; `false` if there is none. As an undo it withdraws only what its step \
              has made.",
        params: &[NAME, EMAIL],
        returns: "bool",
        undo: Undo::None("an invitation that was withdrawn isn't sent again"),
        example: r#"org::withdraw("acme", "bob@acme.test")"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let (name, email) = (name(args, "name")?, email(args.str("email"))?);
            house.withdraw(&step(cx), name, email, cx.undoes.as_deref()).map(Value::Bool)
        }),
    )
}

fn suspend(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "suspend",
        doc: "Keeps an organisation's members, and those of the ones under it, from acting: their tokens are refused, and nothing is \
              launched in it, not by schedules, webhooks or triggers either. Open runs go on to their ends. One that is suspended \
              stays so, with its reason. For a run of the organisation above.",
        params: const { &[NAME, Param::required("reason", Kind::String, "Why, in one line: its members are told.")] },
        returns: "#{ name: string, suspended: bool }",
        undo: Undo::None("who suspended an organisation had a reason: somebody resumes it"),
        example: r#"org::suspend("acme", "the invoice of May isn't paid").suspended"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| house.suspend(&step(cx), name(args, "name")?, Some(args.str("reason")))),
    )
}

fn resume(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "resume",
        doc: "Lets an organisation's members act again. Its schedules go on with what comes from now on. For a run of the organisation above.",
        params: &[NAME],
        returns: "#{ name: string, suspended: bool }",
        undo: Undo::None("members may have acted since"),
        example: r#"org::resume("acme").suspended"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| house.suspend(&step(cx), name(args, "name")?, None)),
    )
}

const ENVIRONMENT: Param =
    Param::required("environment", Kind::String, "Its name, unique in the organisation: `production`.");

fn environment(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "environment",
        doc: "Notes a named place of the organisation that apps go into. Members see it at `GET \
              /api/v1/organisations/{name}/environments`. Errors: `conflict` (there is one of this name that another step has made).",
        params: const {
            &[
                NAME,
                ENVIRONMENT,
                Param::optional(
                    "options",
                    Kind::Map,
                    "`domain` (`apps.acme.example`), and whatever else the workflows that fill it need to know; never a secret.",
                ),
            ]
        },
        returns: "#{ name: string, organisation: string, domain: string or () }",
        undo: Undo::Op {
            name: "forget_environment",
            args: |args| vec![args.get("name").clone(), args.get("environment").clone()],
        },
        example: r#"org::environment("acme", "production", #{ domain: "apps.acme.example" }).domain"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let options = args.get("options");
            if holds_secret(options) {
                return Err(invalid("a secret can't stand in what is known of an environment: members read it"));
            }
            let options = if options.is_null() { json!({}) } else { options.clone() };
            house.environment(&step(cx), name(args, "name")?, name(args, "environment")?, &options)
        }),
    )
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("$secret") || fields.values().any(holds_secret),
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

fn forget_environment(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "forget_environment",
        doc: "Removes the note of an environment, and nothing that is in it; `false` if there is none. As an undo it removes only \
              what its step has made.",
        params: &[NAME, ENVIRONMENT],
        returns: "bool",
        undo: Undo::None("a note is made again with `environment`"),
        example: r#"org::forget_environment("acme", "production")"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let (name, environment) = (name(args, "name")?, name(args, "environment")?);
            house.forget(&step(cx), name, environment, cx.undoes.as_deref()).map(Value::Bool)
        }),
    )
}

fn brand(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "brand",
        doc: "Says how an organisation looks. Colours are `#rrggbb`: `text` on `background`, `on_primary` on `primary`, and `primary` \
              on `background` have a contrast of 4.5 to 1 at least. The undo puts back what was there before, if nobody has \
              changed it since. Errors: `invalid_input` (with the contrast that it would have).",
        params: const {
            &[
                NAME,
                Param::required(
                    "brand",
                    Kind::Map,
                    "`title`; `logo`: `data:image/png;base64,…` (or jpeg, webp) of at most 128 KiB, or an https address; `colours`: \
                     `#{ background, text, primary, on_primary }`.",
                ),
            ]
        },
        returns: "#{ organisation: string, title: string }",
        undo: Undo::Op { name: "unbrand", args: |args| vec![args.get("name").clone()] },
        example: r##"org::brand("acme", #{ title: "Acme Cloud", colours: #{ primary: "#0b5fff" } }).title"##,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| house.brand(&step(cx), name(args, "name")?, args.get("brand"))),
    )
}

fn unbrand(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "unbrand",
        doc: "As the undo of `brand`: puts back how the organisation looked before. Called by a script it changes nothing.",
        params: &[NAME],
        returns: "()",
        undo: Undo::None("it is an undo itself"),
        example: r#"org::unbrand("acme")"#,
    };
    made.op(
        WRITE,
        EffectClass::Idempotent,
        Box::new(|house, cx, args| {
            let name = name(args, "name")?;
            match &cx.undoes {
                Some(by) => house.unbrand(&step(cx), name, by).map(|()| Value::Null),
                None => Ok(Value::Null),
            }
        }),
    )
}

fn get(house: &Arc<dyn House>) -> Op {
    let made = Made {
        house,
        name: "get",
        doc: "What is known of an organisation: the run's own, one under it, or, for a run of the platform, any. `()` if there is \
              none that the run has anything to do with.",
        params: &[NAME],
        returns: "#{ name: string, title: string, kind: string, parent: string, suspended: bool } or ()",
        undo: Undo::None("nothing was changed"),
        example: r#"org::get("acme")"#,
    };
    made.op(
        READ,
        EffectClass::Read,
        Box::new(|house, cx, args| Ok(house.get(&step(cx), name(args, "name")?)?.unwrap_or_default())),
    )
}

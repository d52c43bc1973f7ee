//! What scripts see of `file`.

use std::{path::Path, sync::Arc};

use minijinja::AutoEscape;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, RetryPolicy};
use windlass_script::host::{
    Args, Effect, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources,
};

use super::{
    Backend, Config, Entry, New,
    disk::FILE_BYTES,
    place::{Place, READ, WRITE},
};
use crate::{support, template};

const TIMEOUT_MS: u64 = 30_000;

const PATH: Param =
    Param::required("path", Kind::String, "An absolute path inside a declared folder, without `.` and `..`.");
const ONE: &[Param] = &[PATH];
const OPTS: Param = Param::optional(
    "opts",
    Kind::Map,
    "`mode` (such as `0o644`; by default that of the file that is replaced, else 0o644, or 0o600 when a secret is inside) and \
     `owner` (`user` or `user:group`).",
);
const CONTENT: Param = Param::required("content", Kind::Secret, "The whole content, at most 4 MiB. May be a secret.");
const TEMPLATE: Param = Param::required(
    "template",
    Kind::String,
    "Text with `{{ name }}`, `{% for x in xs %}…{% endfor %}` and `{% if x %}…{% endif %}` (Jinja). An unknown name is an error.",
);
const VALUES: Param =
    Param::required("values", Kind::Map, "What the template's names stand for. Secrets may stand inside.");
const TARGET: Param = Param::required(
    "target",
    Kind::String,
    "Where the link leads: a path inside a declared folder, or relative to the link's folder.",
);
const FROM: Param = Param::required("from", Kind::String, "The file to copy; needs `file.read`.");

pub(super) fn module(config: Config, backend: Arc<dyn Backend>) -> HostModule {
    let here = Here { config: Arc::new(config), backend };
    HostModule {
        name: "file",
        doc: "Files and links inside folders that the configuration declares. A change is atomic: others see the old content \
              or the new one. It is undone when the run is rolled back; what it replaced is kept beside it as \
              `.<name>.windlass-…` until `file::discard_backup`, or until it is older than `backup_days` (30). An undo leaves \
              what somebody else has put there since, and fails (`conflict`); so does one whose backup is gone \
              (`undo_failed`).\n\nErrors of \
              all ops: `permission_denied` (outside the folders or the grants, also by way of a link), `not_found`, \
              `invalid_argument`, `limit_exceeded`, `system` (disk full, read-only, …).",
        ops: looks(&here).into_iter().chain(changes(&here)).chain(ways_back(&here)).collect(),
    }
}

fn looks(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "The content as text.",
            returns: "string",
            example: r#"file::write("/srv/site/a.txt", "hello"); file::read("/srv/site/a.txt")"#,
            ..here.look("read", |here, cx, args| {
                let bytes = here.backend.read(cx, &here.place(args)?)?;
                let text = String::from_utf8(bytes).map(Value::String);
                text.map_err(|_| support::invalid(format!("{} isn't text in UTF-8", args.str("path"))))
            })
        },
        Op {
            doc: "Whether there is a file, a folder or a link (wherever it leads).",
            returns: "bool",
            example: r#"file::exists("/srv/site/a.txt")"#,
            ..here.look("exists", |here, cx, args| Ok(here.backend.stat(cx, &here.place(args)?)?["exists"].take()))
        },
        Op {
            doc: "What stands there, links not followed. `kind` is `file`, `folder`, `link` or `other`; `mode` holds the \
                  permission bits. All but `exists` is `()` where nothing stands.",
            returns: "#{ exists: bool, kind: string, bytes: int, mode: int, target: string }",
            example: r#"file::stat("/srv/site/current").target"#,
            ..here.look("stat", |here, cx, args| here.backend.stat(cx, &here.place(args)?))
        },
        Op {
            doc: "What a folder holds, by name; at most 10,000 entries.",
            returns: "[#{ name: string, kind: string }]",
            example: r#"file::write("/srv/site/a.txt", ""); file::list("/srv/site").len()"#,
            ..here.look("list", |here, cx, args| {
                let entries = here.backend.list(cx, &here.place(args)?)?;
                Ok(entries.into_iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect())
            })
        },
    ]
}

fn changes(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "Puts a file there, or replaces it.",
            params: &[PATH, CONTENT, OPTS],
            example: r#"file::write("/srv/site/robots.txt", "User-agent: *\n", #{ mode: 0o644 })"#,
            ..here.change("write", |here, cx, args| {
                let place = here.place(args)?;
                let content = args.get("content");
                let bytes = cx.reveal(content, &destination(&place))?.as_bytes().to_vec();
                here.put(cx, &place, bytes, content.is_object(), args)
            })
        },
        Op {
            doc: "Fills in a template and puts the result there, or replaces what is there.",
            params: &[PATH, TEMPLATE, VALUES, OPTS],
            example: r#"file::render("/srv/site/hosts", "{% for host in hosts %}{{ host }}\n{% endfor %}", #{ hosts: ["a", "b"] })"#,
            ..here.change("render", |here, cx, args| {
                let place = here.place(args)?;
                let mut values = args.get("values").clone();
                let reveal = |secret: &Value| cx.reveal(secret, &destination(&place)).map(|text| text.to_string());
                let has_secret = fill(&mut values, &reveal)?;
                let filled = template::render(args.str("template"), &values, has_secret, AutoEscape::None)?;
                here.put(cx, &place, filled, has_secret, args)
            })
        },
        Op {
            doc: "Copies a file of at most 4 MiB. Needs `file.read` for the one and `file.write` for the other.",
            params: &[FROM, PATH, OPTS],
            example: r#"file::write("/srv/site/a", "x"); file::copy("/srv/site/a", "/srv/site/b")"#,
            ..here.change("copy", |here, cx, args| {
                let from = Place::new(&here.config, args.str("from"))?;
                if !cx.is_granted(READ, args.str("from")) {
                    let grant = format!("{READ}:{}", from.shown());
                    return Err(Problem::new(
                        Code::PermissionDenied,
                        format!("`file::copy` needs the grant `{grant}`"),
                    )
                    .data(json!({ "grant": grant }))
                    .no_effect());
                }
                let bytes = here.backend.read(cx, &from)?;
                here.put(cx, &here.place(args)?, bytes, false, args)
            })
        },
        Op {
            doc: "Puts a link there, or turns it to another target in one step: this is how a release is switched.",
            params: &[PATH, TARGET],
            example: r#"file::link("/srv/site/current", "releases/7")"#,
            ..here.change("link", |here, cx, args| {
                let place = here.place(args)?;
                here.check_target(&place, args.str("target"))?;
                let entry = Entry::Link { target: args.str("target").to_owned() };
                here.backend.put(cx, &place, New { entry, owner: None, mode_is_given: false }).map(|()| Value::Null)
            })
        },
        Op {
            doc: "Removes a file or a link. Whether there was one.",
            returns: "bool",
            example: r#"file::remove("/srv/site/old.txt")"#,
            ..here.change("remove", |here, cx, args| here.backend.remove(cx, &here.place(args)?).map(Value::Bool))
        },
    ]
}

fn ways_back(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "Takes back what a step did to a file: the undo of `write`, `render`, `copy`, `link` and `remove`. Does \
                  nothing when called by hand. Whether there was something to take back.",
            returns: "bool",
            undo: Undo::None("it is an undo itself"),
            example: r#"file::restore("/srv/site/robots.txt")"#,
            ..here.change("restore", |here, cx, args| here.backend.restore(cx, &here.place(args)?).map(Value::Bool))
        },
        Op {
            doc: "Drops what this run has kept of a file, once nothing can go wrong any more: its changes can't be undone \
                  then. How many copies.",
            returns: "int",
            undo: Undo::None("what is dropped was only kept for an undo"),
            example: r#"file::discard_backup("/srv/site/robots.txt")"#,
            ..here.change("discard_backup", |here, cx, args| {
                here.backend.discard(cx, &here.place(args)?).map(Value::from)
            })
        },
    ]
}

#[derive(Clone)]
struct Here {
    config: Arc<Config>,
    backend: Arc<dyn Backend>,
}

type Work = fn(&Here, &OpCx, &Args) -> Result<Value, Problem>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    mode: Option<u32>,
    owner: Option<String>,
}

impl Here {
    /// An op that only looks; its words are added by the caller.
    fn look(&self, name: &'static str, work: Work) -> Op {
        Op {
            name,
            doc: "",
            params: ONE,
            returns: "()",
            permission: Permission::Needs { verb: READ, scope: path_of, words: "read the files" },
            class: EffectClass::Read,
            undo: Undo::None("nothing was changed"),
            resources: no_resources,
            timeout_ms: TIMEOUT_MS,
            retry: RetryPolicy::NEVER,
            rehearse: Rehearse::Backend,
            example: "",
            run: self.effect(work),
            lookup: None,
        }
    }

    /// An op that changes a file, and is undone by `restore`.
    fn change(&self, name: &'static str, work: Work) -> Op {
        Op {
            permission: Permission::Needs { verb: WRITE, scope: path_of, words: "write, replace and remove the files" },
            class: EffectClass::Idempotent,
            undo: Undo::Op { name: "restore", args: |args| vec![args.get("path").clone()] },
            ..self.look(name, work)
        }
    }

    fn effect(&self, work: Work) -> Effect {
        let here = self.clone();
        Box::new(move |cx, args| work(&here, cx, args))
    }

    fn place(&self, args: &Args) -> Result<Place, Problem> {
        Place::new(&self.config, args.str("path"))
    }

    fn put(&self, cx: &OpCx, place: &Place, bytes: Vec<u8>, has_secret: bool, args: &Args) -> Result<Value, Problem> {
        if bytes.len() > FILE_BYTES {
            return Err(Problem::new(
                Code::LimitExceeded,
                format!("the content of {} is longer than 4 MiB", place.shown()),
            )
            .no_effect());
        }
        let options: Options = support::options(args, "opts")?;
        if options.mode.is_some_and(|mode| mode > 0o777) {
            return Err(support::invalid("`mode` has to be between 0 and 0o777"));
        }
        // An existing file's mode isn't kept for a secret: it may be everybody's.
        let mode_is_given = options.mode.is_some() || has_secret;
        let mode = options.mode.unwrap_or(if has_secret { 0o600 } else { 0o644 });
        let new = New { entry: Entry::File { bytes, mode }, owner: options.owner, mode_is_given };
        self.backend.put(cx, place, new).map(|()| Value::Null)
    }

    /// By its text: what a link leads to needn't be there yet.
    fn check_target(&self, place: &Place, target: &str) -> Result<(), Problem> {
        let parent = place.path.parent().unwrap_or(Path::new("/"));
        let path = parent.join(target);
        let path = path.to_str().unwrap_or_default();
        if target.is_empty() {
            return Err(support::invalid("`target` is empty"));
        }
        Place::new(&self.config, path.trim_end_matches('/')).map(|_| ())
    }
}

fn path_of(args: &Args) -> Vec<String> {
    vec![args.str("path").to_owned()]
}

fn destination(place: &Place) -> String {
    format!("file:{}", place.shown())
}

/// Fills in secrets; whether there were any.
fn fill(value: &mut Value, reveal: &dyn Fn(&Value) -> Result<String, Problem>) -> Result<bool, Problem> {
    let mut any = false;
    match value {
        Value::Object(map) if map.contains_key("$secret") => {
            *value = Value::String(reveal(value)?);
            any = true;
        }
        Value::Object(map) => map.values_mut().try_for_each(|value| fill(value, reveal).map(|found| any |= found))?,
        Value::Array(items) => items.iter_mut().try_for_each(|value| fill(value, reveal).map(|found| any |= found))?,
        _ => {}
    }
    Ok(any)
}

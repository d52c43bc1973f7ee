//! `windlass workflows …`: lists, shows, checks, tests and rehearses workflows. Versions have a file of their own.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_hosts::services::Services;
use windlass_model::{Code, Problem, Workflow, journal::Workflows as _};
use windlass_script::{NoSecrets, check, check::Severity, header, permission};

use super::{exchange, input::InputArgs, versions};
use crate::{
    claims::StandIns,
    context::Context,
    desk::{Desk as _, Remote, workflow_path},
    exit::Exit,
    rehearse, render, scenario,
    wiring::{self, Scripts, World},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the workflows
    Ls,
    /// Show a workflow: what it takes, what it may do
    Show {
        /// The workflow: area/name
        workflow: String,
    },
    /// Check workflows for mistakes without running them
    Check {
        /// The workflows [default: all]
        #[arg(id = "names", value_name = "WORKFLOW")]
        workflows: Vec<String>,
    },
    /// Run the scenarios beside workflows (`<name>.test.rhai`)
    Test {
        /// The workflows [default: all that have scenarios]
        #[arg(id = "names", value_name = "WORKFLOW")]
        workflows: Vec<String>,
    },
    /// Show what a run would do, and do nothing
    Rehearse {
        /// The workflow: area/name
        workflow: String,
        #[command(flatten)]
        input: InputArgs,
        /// Keep the plan at the server: a launch that names it is refused once something else would be launched
        #[arg(long)]
        keep: bool,
    },
    #[command(flatten)]
    Versions(versions::Command),
    #[command(flatten)]
    Exchange(exchange::Command),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    if let Some(remote) = context.remote()? {
        return at_server(&remote, command, context);
    }
    match command {
        Command::Ls => list(context),
        Command::Show { workflow } => show(workflow, context),
        Command::Check { workflows } => check_all(workflows, context),
        Command::Test { workflows } => scenario::command(workflows, context),
        Command::Rehearse { workflow, input, keep } => rehearse::command(workflow, input, *keep, context),
        Command::Versions(command) => versions::run(command, context),
        Command::Exchange(command) => exchange::run(command, context),
    }
}

/// The scripts, with what stands in for the world in rehearsals.
pub fn scripts(context: &Context) -> Result<(Scripts, tokio::runtime::Runtime), Problem> {
    let runtime = wiring::runtime()?;
    let world = World::Rehearsal(None);
    let scripts = wiring::scripts(
        &context.loaded.config,
        runtime.handle(),
        world,
        Arc::new(StandIns(NoSecrets)),
        &Services::default(),
        "rehearsal".into(),
    )?;
    Ok((scripts, runtime))
}

fn list(context: &Context) -> Result<Exit, Problem> {
    let (scripts, _runtime) = scripts(context)?;
    context.require_workflows()?;
    let mut found = Vec::new();
    for name in scripts.library.list() {
        let header = scripts.library.source(&name)?.map(|source| header::of_source(&name, &source));
        found.push(match header {
            Some(Ok(workflow)) => json!({ "name": name, "title": workflow.title, "tags": workflow.tags }),
            Some(Err(problem)) => json!({ "name": name, "error": problem }),
            None => continue,
        });
    }
    print_list(&found, context);
    Ok(Exit::Success)
}

fn print_list(found: &[Value], context: &Context) {
    context.print(&found, || {
        let rows = found.iter().map(|workflow| {
            let broken = workflow["error"]["message"].as_str().map(|message| format!("✗ {message}"));
            let words = match (workflow["title"].as_str(), broken) {
                // At a server an earlier version is in use, and the file isn't.
                (Some(title), Some(broken)) => format!("{title}  {broken}"),
                (Some(title), None) => title.to_owned(),
                (None, broken) => broken.unwrap_or_default(),
            };
            vec![workflow["name"].as_str().unwrap_or_default().to_owned(), words]
        });
        render::table(&["workflow", "title"], rows.collect())
    });
}

/// The same on a server: what it has in use, and what it says of it.
fn at_server(remote: &Remote, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Ls => {
            let found: Vec<Value> = remote
                .workflows()?
                .into_iter()
                .map(|workflow| {
                    let mut told = json!({ "name": workflow["name"] });
                    if workflow["sound"] == true {
                        told["title"] = workflow["title"].clone();
                        told["tags"] = workflow["tags"].clone();
                    }
                    if !workflow["problem"].is_null() {
                        told["error"] = workflow["problem"].clone();
                    }
                    told
                })
                .collect();
            print_list(&found, context);
            Ok(Exit::Success)
        }
        Command::Show { workflow } => {
            let shown: Value = remote.get(&workflow_path(workflow)?)?;
            let header = remote.workflow(workflow)?;
            let grants = shown["grants"].as_array().cloned().unwrap_or_default();
            let exceeding: Vec<&str> =
                shown["refused_by_policy"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let all = json!({ "workflow": header, "digest": shown["digest"], "files": shown["files"], "grants": grants,
                              "refused_by_policy": exceeding });
            context.print(&all, || describe(&header, &grants, &exceeding));
            if let Ok(Some(problem)) = serde_json::from_value::<Option<Problem>>(shown["problem"].clone()) {
                context.hint("\nthe file isn't what is in use:");
                context.hint(&render::problem(&problem, None));
            }
            Ok(Exit::Success)
        }
        Command::Check { workflows } => check_at_server(remote, workflows, context),
        Command::Rehearse { workflow, input, keep } => rehearse::at_server(remote, workflow, input, *keep, context),
        Command::Versions(command) => versions::run(command, context),
        Command::Exchange(command) => exchange::run(command, context),
        Command::Test { .. } => Err(Problem::new(Code::Usage, "scenarios are run where the files are")
            .help("leave --server out, in a copy of the folder of workflows")),
    }
}

fn check_at_server(remote: &Remote, names: &[String], context: &Context) -> Result<Exit, Problem> {
    let names = if names.is_empty() { remote.workflow_names()? } else { names.to_vec() };
    let (mut all, mut broken) = (Vec::new(), 0);
    for name in &names {
        let checked: Value = remote.post(&format!("{}/check", workflow_path(name)?), &json!({}))?;
        let sound = checked["sound"] == true;
        broken += usize::from(!sound);
        let mut found = checked["diagnostics"].as_array().cloned().unwrap_or_default();
        // The server has the source that it is about, and shows the place.
        let shown: Vec<Value> = found.iter_mut().map(|one| one["text"].take()).collect();
        found.iter_mut().filter_map(Value::as_object_mut).for_each(|one| drop(one.remove("text")));
        if !context.global.json {
            context.line(&format!("{} {name}", if sound { "✓" } else { "✗" }));
            shown.iter().for_each(|text| context.line(text.as_str().unwrap_or_default()));
        }
        all.extend(found);
    }
    checked(&all, names.len(), broken, context)
}

fn checked(all: &[Value], count: usize, broken: usize, context: &Context) -> Result<Exit, Problem> {
    if context.global.json {
        context.print_json(&all);
    } else {
        context.line(&format!("{count} workflows, {broken} with mistakes"));
    }
    Ok(if broken == 0 { Exit::Success } else { Exit::Usage })
}

fn show(name: &str, context: &Context) -> Result<Exit, Problem> {
    let (scripts, _runtime) = scripts(context)?;
    let pinned = scripts.library.pin(name)?;
    let workflow = &pinned.workflow;
    let words: Vec<Value> = workflow
        .permissions
        .iter()
        .map(|grant| {
            let words = permission::words(grant, |verb| scripts.sandbox.catalog().verb_words(verb));
            json!({ "grant": grant, "words": words })
        })
        .collect();
    let exceeding = scripts.sandbox.policy().exceeding(name, &workflow.permissions);
    let files: Vec<&String> = pinned.bundle.files.keys().collect();
    let all = json!({ "workflow": **workflow, "digest": pinned.digest, "files": files, "grants": words,
                      "refused_by_policy": exceeding });
    context.print(&all, || describe(workflow, &words, &exceeding));
    Ok(Exit::Success)
}

fn describe(workflow: &Workflow, grants: &[Value], exceeding: &[&str]) -> String {
    let mut lines = vec![format!("{} · {}", workflow.name, workflow.title)];
    if !workflow.description.is_empty() {
        lines.push(format!("\n{}", workflow.description.trim()));
    }
    let required: Vec<&str> =
        workflow.inputs["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let inputs: Vec<Vec<String>> = workflow.inputs["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let kind = match &property["type"] {
                Value::String(kind) => kind.clone(),
                Value::Null => "any".to_owned(),
                other => other.to_string(),
            };
            let default = match (property.get("default"), required.contains(&name.as_str())) {
                (Some(default), _) => default.to_string(),
                (None, true) => "required".to_owned(),
                (None, false) => String::new(),
            };
            let text = |key: &str| property[key].as_str().unwrap_or_default().to_owned();
            let doc = if text("description").is_empty() { text("title") } else { text("description") };
            vec![name.clone(), kind, default, doc]
        })
        .collect();
    if !inputs.is_empty() {
        lines.push(format!("\n{}", render::table(&["input", "type", "default", "meaning"], inputs)));
    }
    if !grants.is_empty() {
        lines.push("\nIt may:".into());
        for grant in grants {
            let text = grant["grant"].as_str().unwrap_or_default();
            let refused = if exceeding.contains(&text) { "  ✗ the policy doesn't allow this" } else { "" };
            lines.push(format!("  {} ({text}){refused}", grant["words"].as_str().unwrap_or_default()));
        }
    }
    lines.push(format!("\nrun it:      windlass run {}", workflow.name));
    lines.push(format!("rehearse it: windlass run {} --rehearse", workflow.name));
    lines.join("\n")
}

fn check_all(names: &[String], context: &Context) -> Result<Exit, Problem> {
    let (scripts, _runtime) = scripts(context)?;
    let names = if names.is_empty() { scripts.library.list() } else { names.to_vec() };
    let (mut all, mut broken) = (Vec::new(), 0);
    for name in &names {
        let found = scripts.library.check(name)?;
        let errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        broken += usize::from(errors > 0);
        if !context.global.json {
            context.line(&format!("{} {name}", if errors > 0 { "✗" } else { "✓" }));
            for diagnostic in &found {
                let source = scripts.library.source(&diagnostic.file)?.unwrap_or_default();
                context.line(&check::render(diagnostic, &source));
            }
        }
        all.extend(found.iter().map(|diagnostic| json!(diagnostic)));
    }
    checked(&all, names.len(), broken, context)
}

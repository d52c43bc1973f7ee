//! The commands that are about files here.

use std::{fs, path::Path};

use serde_json::json;
use windlass_hosts::registrar::{Source, conform::Fixture};
use windlass_model::{Code, Problem};

use super::full;
use crate::{
    context::Context,
    exit::Exit,
    plugins::{self, Plugins, conformance, starter},
};

fn folder(context: &Context) -> Plugins {
    Plugins::new(&context.loaded.config.plugins, context.loaded.config.bounds.source_bytes)
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::System, format!("{} can't be used: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|error| unusable(path, &error))
}

fn require_new(path: &Path) -> Result<(), Problem> {
    match path.exists() {
        false => Ok(()),
        true => Err(Problem::new(Code::Conflict, format!("{} is there already", path.display()))
            .help("remove it first, or choose another name")),
    }
}

pub(super) fn new(name: &str, author: Option<&str>, context: &Context) -> Result<Exit, Problem> {
    let place = folder(context).folder(name);
    require_new(&place)?;
    let id = name.strip_prefix("registrars/").unwrap_or(name);
    let who = context.who();
    for (file, text) in starter(id, author.unwrap_or(&who)) {
        write(&place.join(file), &text)?;
    }
    context.print(&json!({ "name": name, "folder": place }), || {
        format!("{name} is in {}\nnext: windlass plugin test {id}", place.display())
    });
    Ok(Exit::Success)
}

fn read(plugins: &Plugins, name: &str) -> Result<Source, Problem> {
    let pinned = plugins.pin(name)?;
    plugins::source(&pinned.bundle, pinned.digest.as_str())
}

pub(super) fn check(name: Option<&str>, context: &Context) -> Result<Exit, Problem> {
    let plugins = folder(context);
    let names = name.map_or_else(|| plugins.list(), |name| vec![name.to_owned()]);
    let found: Vec<_> = names.iter().map(|name| (name, read(&plugins, name))).collect();
    let shown: Vec<_> = found
        .iter()
        .map(|(name, result)| json!({ "name": name, "sound": result.is_ok(), "problem": result.as_ref().err() }))
        .collect();
    context.print(&shown, || {
        let line = |(name, result): &(&String, Result<Source, Problem>)| match result {
            Ok(source) => format!("✓ {name} {}: {}", source.manifest.version, source.manifest.capabilities.join(", ")),
            Err(problem) => {
                let help = problem.help.as_ref().map(|help| format!("\n  {help}")).unwrap_or_default();
                format!("✗ {}{help}", problem.message)
            }
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(if found.iter().all(|(_, result)| result.is_ok()) { Exit::Success } else { Exit::Usage })
}

pub(super) fn test(name: &str, record: bool, context: &Context) -> Result<Exit, Problem> {
    let plugins = folder(context);
    let source = read(&plugins, name)?;
    let report = conformance(&source, true, record)?;
    if record {
        if report.checks.is_empty() {
            return Err(Problem::new(Code::Unsupported, format!("there is no simulator for {name}"))
                .help("write the exchanges by hand, as `windlass plugin new` does"));
        }
        save(&plugins.folder(name).join("fixtures"), &report.recorded)?;
    }
    let failed = report.checks.iter().filter(|check| !check.passed).count();
    context.print(&json!({ "plugin": name, "passed": report.passed(), "checks": report.checks }), || {
        let line = |check: &windlass_hosts::registrar::conform::Check| match check.passed {
            true => format!("✓ {}", check.name),
            false => format!("✗ {}\n    {}", check.name, check.found),
        };
        let mut lines: Vec<String> = report.checks.iter().map(line).collect();
        lines.push(match failed {
            0 => format!("{name} passes: {} checks", report.checks.len()),
            failed => format!("{name} doesn't pass: {failed} of {} checks fail", report.checks.len()),
        });
        lines.join("\n")
    });
    Ok(if failed == 0 { Exit::Success } else { Exit::Failure })
}

fn save(folder: &Path, recorded: &std::collections::BTreeMap<String, Fixture>) -> Result<(), Problem> {
    for (file, fixture) in recorded {
        let text = serde_json::to_string_pretty(fixture).unwrap_or_default();
        write(&folder.join(file), &format!("{text}\n"))?;
    }
    Ok(())
}

pub(super) fn install(from: &Path, context: &Context) -> Result<Exit, Problem> {
    let plugins = folder(context);
    let manifest =
        fs::read_to_string(from.join("plugin.toml")).map_err(|error| unusable(&from.join("plugin.toml"), &error))?;
    let id =
        toml::from_str::<toml::Table>(&manifest).ok().and_then(|table| table.get("id")?.as_str().map(str::to_owned));
    let id = id.ok_or_else(|| Problem::new(Code::WorkflowInvalid, "plugin.toml has no `id`"))?;
    let name = full(&id)?;
    let place = plugins.folder(&name);
    // An update takes the old one's place as a whole, once the new one is sound.
    let beside = tempfile::tempdir().map_err(|error| unusable(from, &error))?;
    let copy = beside.path().join(&name);
    copy_files(from, &copy)?;
    let source = read(&Plugins::new(beside.path(), context.loaded.config.bounds.source_bytes), &name)?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| unusable(&place, &error))?;
    }
    copy_files(&copy, &place)?;
    context.print(&json!({ "name": name, "version": source.manifest.version, "digest": source.digest }), || {
        format!(
            "{name} {} is in {}\nnext: windlass plugin approve {id} --org NAME",
            source.manifest.version,
            place.display()
        )
    });
    Ok(Exit::Success)
}

/// The three kinds of files that a plugin is made of, and nothing else.
fn copy_files(from: &Path, to: &Path) -> Result<(), Problem> {
    let one = |name: &str| -> Result<(), Problem> {
        let path = from.join(name);
        let text = fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
        write(&to.join(name), &text)
    };
    one("plugin.toml")?;
    one("main.rhai")?;
    let Ok(entries) = fs::read_dir(from.join("fixtures")) else { return Ok(()) };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if name.ends_with(".json") {
            one(&format!("fixtures/{name}"))?;
        }
    }
    Ok(())
}

pub(super) fn remove(name: &str, context: &Context) -> Result<Exit, Problem> {
    let place = folder(context).folder(name);
    if !place.is_dir() {
        return Err(Problem::new(Code::NotFound, format!("there is no {}", place.display())));
    }
    fs::remove_dir_all(&place).map_err(|error| unusable(&place, &error))?;
    context.print(&json!({ "name": name, "done": "removed" }), || {
        format!("{} is removed; where {name} is approved, it stays in use until it is disabled", place.display())
    });
    Ok(Exit::Success)
}

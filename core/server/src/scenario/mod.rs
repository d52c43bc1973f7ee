//! `windlass workflows test`: the scenarios beside workflows, each in an engine of its own.

mod actors;
mod crash;
mod driver;
mod report;
mod save;

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::{
    is_valid_name,
    scenario::{TestResult, run_scenarios},
};

pub use self::save::save;

use self::driver::Driver;
use crate::{commands::workflows, config::Config, context::Context, exit::Exit, render, versions, wiring};

/// For all scenarios of a file, where others wait for their turn.
const TOGETHER: Duration = Duration::from_secs(60);

/// Runs the scenarios of these workflows, or of all.
pub fn command(names: &[String], context: &Context) -> Result<Exit, Problem> {
    let (scripts, runtime) = workflows::scripts(context)?;
    let chosen = match names.is_empty() {
        true => scripts.library.list().into_iter().filter(|name| file(context, name).is_file()).collect(),
        false => names.to_vec(),
    };
    if chosen.is_empty() {
        return Err(
            Problem::new(Code::NotFound, "no workflow has scenarios").help("they stand beside it: `<name>.test.rhai`")
        );
    }
    let driver = Arc::new(Driver::new(context.loaded.config.clone(), runtime.handle().clone()));
    let (started, mut all, mut failed) = (Instant::now(), Vec::new(), 0);
    for name in &chosen {
        let path = file(context, name);
        let source = read(&path, &context.loaded.config)?;
        let results = run_scenarios(&format!("{name}.test"), &source, driver.clone())?;
        failed += results.iter().filter(|result| !result.passed).count();
        if !context.global.json {
            results.iter().for_each(|result| show(context, name, &source, result));
        }
        all.extend(results.into_iter().map(|result| json!({ "workflow": name, "test": result })));
    }
    if context.global.json {
        context.print_json(&all);
    } else {
        let ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let took = windlass_model::time::format_duration_ms(ms);
        context.line(&format!("\n{} scenarios, {failed} failed, {took}", all.len()));
    }
    Ok(if failed == 0 { Exit::Success } else { Exit::Failure })
}

fn file(context: &Context, name: &str) -> PathBuf {
    place(&context.loaded.config, name)
}

fn place(config: &Config, name: &str) -> PathBuf {
    config.workflows.join(format!("{name}.test.rhai"))
}

/// The scenarios beside a workflow, if there are any.
pub fn source(config: &Config, name: &str) -> Result<Option<String>, Problem> {
    let path = place(config, name);
    if !is_valid_name(name) || path.symlink_metadata().map_or(true, |file| !file.is_file()) {
        return Ok(None);
    }
    read(&path, config).map(Some)
}

/// A file of scenarios, within the bound of scripts.
fn read(path: &Path, config: &Config) -> Result<String, Problem> {
    let limit = config.bounds.source_bytes;
    let unreadable = |error: std::io::Error| {
        let code = if error.kind() == std::io::ErrorKind::NotFound { Code::NotFound } else { Code::System };
        Problem::new(code, format!("{} can't be read: {error}", path.display()))
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    match text.len() > limit {
        false => Ok(text),
        true => Err(Problem::new(Code::LimitExceeded, format!("{} has more than {limit} bytes", path.display()))
            .help("The bound is `source_bytes`. Move functions into `lib/`.")),
    }
}

/// Runs scenarios as the command does; sources that are given take the files' places.
pub fn results(
    config: &Config,
    name: &str,
    workflow: Option<&str>,
    scenarios: Option<&str>,
) -> Result<Vec<Value>, Problem> {
    let text = match scenarios {
        Some(given) => given.to_owned(),
        None => source(config, name)?.ok_or_else(|| {
            Problem::new(Code::NotFound, format!("`{name}` has no scenarios"))
                .help(format!("they stand beside it: `{name}.test.rhai`"))
        })?,
    };
    let beside = workflow.map(|source| versions::beside(name, source)).transpose()?;
    let runtime = wiring::runtime()?;
    let over = beside.as_ref().map(|folder| folder.path().to_owned());
    let driver = Arc::new(Driver::new(config.clone(), runtime.handle().clone()).over(over).within(TOGETHER));
    let results = run_scenarios(&format!("{name}.test"), &text, driver);
    // Dropping a runtime blocks; this thread may be one that must not.
    runtime.shutdown_background();
    let shown = results?.into_iter().map(|result| {
        let mut shown = json!(result);
        shown["elapsed_ms"] = json!(u64::try_from(result.elapsed.as_millis()).unwrap_or(u64::MAX));
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("elapsed");
        }
        shown
    });
    Ok(shown.collect())
}

fn show(context: &Context, name: &str, source: &str, result: &TestResult) {
    let mark = if result.passed { console::style("✓").green() } else { console::style("✗").red() };
    let ms = i64::try_from(result.elapsed.as_millis()).unwrap_or(i64::MAX);
    let took = windlass_model::time::format_duration_ms(ms);
    context.line(&format!("{mark} {name} {}  {}", result.name, console::style(took).dim()));
    if !result.passed {
        result.output.iter().for_each(|line| context.line(&format!("    {line}")));
        let mut problem = Problem::new(Code::ScriptError, result.message.clone().unwrap_or_default());
        problem.site = result.site.clone();
        context.hint(&render::verbose(&problem, |_| Some(source.to_owned())));
    }
}

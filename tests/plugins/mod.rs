//! Plugins: a corpus of hostile ones, the seven that come along against their simulators, and an approval from end to end.

mod hostile;
mod kit;
mod lifecycle;
mod official;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use serde_json::Value;
use windlass_hosts::{
    owner::Fate,
    registrar::{Plugins, Source},
};
use windlass_model::{Problem, RunId};
use windlass_script::plugin::Manifest;

/// The repository's folder of registrars' plugins.
fn registrars() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join("plugins/registrars")
}

/// A plugin's files as they stand in the repository.
fn source(id: &str) -> Source {
    let (name, folder) = (format!("registrars/{id}"), registrars().join(id));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let fixtures = std::fs::read_dir(folder.join("fixtures")).into_iter().flatten().flatten().map(|entry| {
        let file = entry.file_name().into_string().unwrap();
        (file.clone(), read(&format!("fixtures/{file}")))
    });
    let manifest = Manifest::read(&name, &read("plugin.toml")).unwrap();
    Source { digest: id.to_owned(), manifest, script: read("main.rhai"), fixtures: fixtures.collect(), name }
}

/// One plugin, which is approved, and what steps keep.
struct Approved {
    source: Arc<Source>,
    kept: Mutex<BTreeMap<String, Value>>,
}

impl Approved {
    fn of(source: Source) -> Arc<Self> {
        Arc::new(Self { source: Arc::new(source), kept: Mutex::default() })
    }
}

impl Plugins for Approved {
    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        Ok(run.to_string())
    }

    fn approved(&self, _: &str, _: &RunId) -> Result<Arc<Source>, Problem> {
        Ok(self.source.clone())
    }

    fn keep(&self, _: Option<&str>, key: &str, value: &Value, _: Option<&str>) -> Result<(), Problem> {
        self.kept.lock().entry(key.to_owned()).or_insert_with(|| value.clone());
        Ok(())
    }

    fn setters(&self, _: &str) -> Result<Vec<String>, Problem> {
        Ok(Vec::new())
    }

    fn undone(&self, _: &str, _: &str) -> Result<(), Problem> {
        Ok(())
    }

    fn fate(&self, _: &RunId) -> Result<Fate, Problem> {
        Ok(Fate::Open)
    }

    fn kept(&self, key: &str) -> Result<Option<Value>, Problem> {
        Ok(self.kept.lock().get(key).cloned())
    }
}

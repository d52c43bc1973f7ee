//! The files that the rules look at.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Folders that hold what builds and runs leave behind.
const IGNORED: &[&str] = &["target", ".git", ".windlass", "node_modules", "dist"];

/// One text file.
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_page(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// The folder that it stands in, from the root; empty at the top.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }
}

/// A folder with all text files below it.
pub struct Tree {
    pub root: PathBuf,
    pub files: Vec<File>,
}

impl Tree {
    /// Reads everything below `root`, except what builds and runs leave behind.
    pub fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        walk(root, "", &mut files);
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self { root: root.to_owned(), files }
    }

    /// This repository.
    pub fn repository() -> Self {
        let tests = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&tests).parent().expect("the tests stand one folder below the root").to_owned();
        let tree = Self::read(&root);
        assert!(tree.files.len() > 20, "the repository at {} looks empty", root.display());
        tree
    }

    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn walk(root: &Path, folder: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(root.join(folder)).expect("folders can be read") {
        let entry = entry.expect("entries can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().expect("entries have a type");
        if kind.is_dir() && !IGNORED.contains(&name.as_str()) {
            walk(root, &path, files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
}

/// Fails with all complaints at once.
#[track_caller]
pub fn demand(rule: &str, complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{rule}\n  {}\n", complaints.join("\n  "));
}

/// A tree made for a test: paths and texts.
#[track_caller]
pub fn sample(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("files stand in folders")).expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    }
    let tree = Tree::read(folder.path());
    (folder, tree)
}

#[test]
fn leftovers_of_builds_are_not_read() {
    let (_folder, tree) = sample(&[("target/debug/x.rs", ""), ("core/a.rs", ""), (".git/config", ""), (".ci/run", "")]);
    let paths: Vec<_> = tree.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, [".ci/run", "core/a.rs"]);
    assert!(tree.has("core") && tree.get("core/a.rs").is_some() && tree.get("core").is_none());
}

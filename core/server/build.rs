//! Makes a table of the interface's built files (`ui/dist`), which the binary embeds. Without them the table is empty, and the
//! server says how to build them.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/dist");
    // The folder is always there, with one file that says to leave the others alone.
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &mut files)?;
        files.sort();
    }
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| is_served(file)) {
        table.push_str(&entry(&dist, file)?);
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo says no OUT_DIR"))?;
    fs::write(Path::new(&out).join("site.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        match path.is_dir() {
            _ if is_hidden => {}
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// Compressed forms stand beside what they are forms of.
fn is_served(file: &Path) -> bool {
    !file.extension().is_some_and(|end| end == "gz" || end == "br")
}

fn entry(dist: &Path, file: &Path) -> io::Result<String> {
    let name = file.strip_prefix(dist).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
    let bytes = fs::read(file)?;
    // Fixed keys: the same contents have the same tag in every build.
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("{:016x}{:x}", hasher.finish(), bytes.len());
    let form = |end: &str| {
        let path = PathBuf::from(format!("{}.{end}", file.display()));
        match path.is_file() {
            true => format!("Some(include_bytes!({:?}))", path.display().to_string()),
            false => "None".to_owned(),
        }
    };
    Ok(format!(
        "    windlass_api::site::File {{ path: {:?}, plain: include_bytes!({:?}), gzip: {}, brotli: {}, tag: {tag:?} }},\n",
        format!("/{name}"),
        file.display().to_string(),
        form("gz"),
        form("br"),
    ))
}

//! Archives of plugins: what is in a `.tar.gz` or a `.zip` that somebody sends, in memory. Nothing of it is written here; a
//! file leads nowhere, and neither what is packed small nor what claims to be small can take much.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};

use windlass_model::{Code, Problem};

use super::{FIXTURES, MANIFEST, SCRIPT};

/// Bytes of all files that are unpacked.
const UNPACKED_BYTES: u64 = 16 << 20;
/// Things in an archive.
const ENTRIES: usize = 500;
/// Names that are told of files that aren't a plugin's.
const LEFT_OUT: usize = 50;

/// A plugin out of an archive.
#[derive(Debug)]
pub struct Unpacked {
    /// Texts by their paths in the plugin's folder.
    pub files: BTreeMap<String, String>,
    /// What else was in it, and isn't taken.
    pub left_out: Vec<String>,
}

fn refused(what: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, what.into())
        .help("pack the plugin's folder as .tar.gz or .zip: plugin.toml, main.rhai and fixtures/*.json")
}

fn too_much(what: &str) -> Problem {
    Problem::new(Code::LimitExceeded, format!("the archive has {what}")).help("nothing was installed")
}

/// What is in an archive, whichever of the two it is. No file is larger than `file_bytes`.
pub fn unpack(archive: &[u8], file_bytes: usize) -> Result<Unpacked, Problem> {
    let found = if archive.starts_with(&[0x1f, 0x8b]) {
        tar(archive, file_bytes)?
    } else if archive.starts_with(b"PK") {
        zip(archive, file_bytes)?
    } else {
        return Err(refused("that is neither a .tar.gz nor a .zip"));
    };
    chosen(found)
}

/// A path's parts, if it stays in the folder that it is unpacked in.
fn parts(path: &str) -> Result<Vec<&str>, Problem> {
    let odd = path.starts_with('/')
        || path.contains(['\\', '\0', ':'])
        || path.chars().any(char::is_control)
        || path.split('/').any(|part| part == "..");
    if odd || path.len() > 400 {
        return Err(refused(format!("`{}` leads out of the archive's folder", path.escape_debug())));
    }
    Ok(path.split('/').filter(|part| !part.is_empty() && *part != ".").collect())
}

/// Files by their paths. A file that isn't a text is `None`.
type Found = BTreeMap<String, Option<String>>;

/// Takes one file; how many bytes it has.
fn add(found: &mut Found, path: &str, reader: impl Read, file_bytes: usize) -> Result<u64, Problem> {
    let path = parts(path)?.join("/");
    let mut bytes = Vec::new();
    let broken = |error: std::io::Error| refused(format!("`{path}` can't be unpacked: {error}"));
    reader.take(file_bytes as u64 + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > file_bytes {
        return Err(too_much(&format!("a file with more than {file_bytes} bytes: {path}")));
    }
    let count = bytes.len() as u64;
    if found.insert(path.clone(), String::from_utf8(bytes).ok()).is_some() {
        return Err(refused(format!("`{path}` is in it twice")));
    }
    Ok(count)
}

fn tar(archive: &[u8], file_bytes: usize) -> Result<Found, Problem> {
    // What is read stops here, whatever headers say; they take some of it, too.
    let unpacked = flate2::read::MultiGzDecoder::new(archive).take(2 * UNPACKED_BYTES);
    let mut tar = tar::Archive::new(unpacked);
    let broken = |error: std::io::Error| refused(format!("the archive can't be read: {error}"));
    let mut found = Found::new();
    let (mut count, mut sum) = (0, 0);
    for entry in tar.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        count += 1;
        if count > ENTRIES {
            return Err(too_much(&format!("more than {ENTRIES} entries")));
        }
        let path =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| refused("a name in it isn't UTF-8"))?;
        sum += entry.size();
        if sum > UNPACKED_BYTES {
            return Err(too_much("more in it than 16 MiB"));
        }
        match entry.header().entry_type() {
            tar::EntryType::Directory => drop(parts(&path)?),
            tar::EntryType::Regular => drop(add(&mut found, &path, entry, file_bytes)?),
            // Of an archive as git makes it: a comment.
            tar::EntryType::XGlobalHeader => {}
            _ => return Err(refused(format!("`{}` is a link, or no file at all", path.escape_debug()))),
        }
    }
    Ok(found)
}

fn zip(archive: &[u8], file_bytes: usize) -> Result<Found, Problem> {
    let broken = |error: zip::result::ZipError| refused(format!("the archive can't be read: {error}"));
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).map_err(broken)?;
    if zip.len() > ENTRIES {
        return Err(too_much(&format!("more than {ENTRIES} entries")));
    }
    let mut found = Found::new();
    let mut sum = 0;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(broken)?;
        let path = std::str::from_utf8(entry.name_raw()).map_err(|_| refused("a name in it isn't UTF-8"))?.to_owned();
        // The upper bits of a Unix mode say what it is: 0o100000 is a file, 0o040000 a folder.
        let kind = entry.unix_mode().map_or(0, |mode| mode & 0o170_000);
        if entry.is_dir() || kind == 0o040_000 {
            parts(&path)?;
            continue;
        }
        if kind != 0 && kind != 0o100_000 {
            return Err(refused(format!("`{}` is a link, or no file at all", path.escape_debug())));
        }
        sum += add(&mut found, &path, entry, file_bytes)?;
        if sum > UNPACKED_BYTES {
            return Err(too_much("more in it than 16 MiB"));
        }
    }
    Ok(found)
}

/// Whether a plugin is made of such a file.
pub fn belongs(path: &str) -> bool {
    let fixture = path.strip_prefix(FIXTURES).and_then(|rest| rest.strip_prefix('/'));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    path == MANIFEST
        || path == SCRIPT
        || fixture.is_some_and(|name| {
            name.len() > 5
                && name.len() <= 120
                && name.ends_with(".json")
                && !name.starts_with('.')
                && name.bytes().all(known)
        })
}

/// The plugin among the files: what is in the folder of the one manifest.
fn chosen(found: Found) -> Result<Unpacked, Problem> {
    let is_manifest = |path: &&String| path.as_str() == MANIFEST || path.ends_with(&format!("/{MANIFEST}"));
    let mut manifests: Vec<&String> = found.keys().filter(is_manifest).collect();
    manifests.sort_by_key(|path| path.matches('/').count());
    let folder = match manifests.as_slice() {
        [] => return Err(refused("there is no plugin.toml in it")),
        [one, other, ..] if one.matches('/').count() == other.matches('/').count() => {
            return Err(refused(format!("there are several plugins in it: {one}, {other}"))
                .help("pack one plugin's folder at a time"));
        }
        [one, ..] => one.strip_suffix(MANIFEST).unwrap_or_default().to_owned(),
    };
    let (mut files, mut left_out) = (BTreeMap::new(), Vec::new());
    for (path, text) in found {
        match path.strip_prefix(&folder).filter(|path| belongs(path)) {
            Some(inside) => {
                let text = text.ok_or_else(|| refused(format!("`{path}` isn't UTF-8 text")))?;
                files.insert(inside.to_owned(), text);
            }
            None if left_out.len() < LEFT_OUT => left_out.push(path),
            None => {}
        }
    }
    Ok(Unpacked { files, left_out })
}

#[cfg(test)]
#[path = "archive/tests.rs"]
mod tests;

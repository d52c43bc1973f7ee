//! Files that go into a node and come out of it: as archives, which is what container engines take.

use std::io::Read as _;

use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::support::invalid;

/// Largest file that goes in or comes out at once.
pub const FILE_BYTES: usize = 8 << 20;
/// What an archive has besides: its headers, and its padding.
pub const ARCHIVE_BYTES: usize = FILE_BYTES + (64 << 10);

/// A file for a node.
pub struct File {
    path: String,
    content: zeroize::Zeroizing<String>,
    mode: u32,
}

impl File {
    /// A file with an absolute path. The mode is a number or octal digits, `"0644"` by default.
    pub fn new(path: &str, content: zeroize::Zeroizing<String>, mode: Option<&Value>) -> Result<Self, Problem> {
        check_path(path)?;
        if content.len() > FILE_BYTES {
            let message = format!("{path} is larger than {FILE_BYTES} bytes");
            return Err(Problem::new(Code::LimitExceeded, message).no_effect());
        }
        let mode = match mode {
            None | Some(Value::Null) => Some(0o644),
            Some(Value::String(digits)) => u32::from_str_radix(digits.trim_start_matches("0o"), 8).ok(),
            Some(other) => other.as_u64().and_then(|mode| u32::try_from(mode).ok()),
        };
        let mode =
            mode.filter(|mode| *mode <= 0o7777).ok_or_else(|| invalid("`mode` is octal digits, such as \"0644\""))?;
        Ok(Self { path: path.to_owned(), content, mode })
    }
}

/// Refuses what isn't a plain absolute path of a file.
pub fn check_path(path: &str) -> Result<(), Problem> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let well = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain));
    if well && path.len() <= 1_024 && !path.contains('\0') {
        return Ok(());
    }
    Err(invalid(format!("`{path}` isn't a path inside a node")).help("write it whole and plainly: `/etc/frr/frr.conf`"))
}

/// An archive for the root folder, with the files and the folders that they are in. Folders that are there keep their owner and
/// their mode: Docker changes what an archive names, so only the file itself is named.
pub fn archive(files: &[File]) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| Problem::new(Code::Internal, format!("packing files: {error}")).no_effect();
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, file.path.trim_start_matches('/'), file.content.as_bytes()).map_err(failed)?;
    }
    builder.into_inner().map_err(failed)
}

/// The one file of an archive: its content and its mode.
pub fn only_file(archive: &[u8], path: &str) -> Result<(String, u32), Problem> {
    let broken =
        |error: std::io::Error| Problem::new(Code::System, format!("{path}: the archive can't be read: {error}"));
    let mut archive = tar::Archive::new(archive);
    let Some(entry) = archive.entries().map_err(broken)?.next() else {
        return Err(Problem::new(Code::NotFound, format!("{path} isn't there")));
    };
    let mut entry = entry.map_err(broken)?;
    if !entry.header().entry_type().is_file() {
        return Err(invalid(format!("{path} isn't a file")).help("name one file; folders and links can't be copied"));
    }
    // Docker tells the kind of file there, too.
    let mode = entry.header().mode().map_err(broken)? & 0o7777;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(broken)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Problem::new(Code::Unsupported, format!("{path} isn't text"))
            .help("pack it as text inside the node, with `base64`")
    })?;
    Ok((text, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_survive_a_round_trip() {
        let long = format!("/{}/deep", "folder-with-a-long-name/".repeat(8).trim_end_matches('/'));
        for path in ["/etc/frr.conf", &long] {
            let file = File::new(path, "hällo".to_owned().into(), Some(&Value::from("0600"))).unwrap();
            let packed = archive(&[file]).unwrap();
            assert_eq!(only_file(&packed, path).unwrap(), ("hällo".to_owned(), 0o600));
        }
    }

    #[test]
    fn paths_are_plain() {
        for path in ["", "/", "etc/x", "/etc/../x", "/etc//x", "/etc/x/", "/./x", "/a\0b"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        let mode = |mode: &str| File::new("/x", String::new().into(), Some(&Value::from(mode)));
        assert!(mode("0755").is_ok() && mode("99").is_err() && mode("10000").is_err());
    }
}

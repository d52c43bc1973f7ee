//! Opens archives of images: files in folders that the configuration names, and nothing else.

use std::{
    fs::{File, OpenOptions},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;
use windlass_model::{Code, Problem};

use crate::support::system;

/// Opens a regular file in one of the folders. Nothing else is ever opened for reading: opening a device or a pipe has effects of its
/// own. So the place is looked at first, then held without being opened, looked at again, and only then opened.
pub fn open(folders: &[PathBuf], path: &str) -> Result<File, Problem> {
    let denied = || {
        Problem::new(Code::PermissionDenied, format!("images may not be loaded from {path}"))
            .help("an administrator declares folders with `folders = […]` under [hosts.docker]; it has to be a file")
            .no_effect()
    };
    let folders: Vec<PathBuf> = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let is_within = |place: &Path| folders.iter().any(|folder| place.starts_with(folder));
    // What isn't there can't be told from what isn't allowed, unless its own folder is.
    let real = match Path::new(path).canonicalize() {
        Ok(real) => real,
        Err(error) => {
            let folder = Path::new(path).parent().and_then(|folder| folder.canonicalize().ok());
            return Err(match folder.is_some_and(|folder| is_within(&folder)) {
                true => system(path, &error).no_effect(),
                false => denied(),
            });
        }
    };
    if !is_within(&real) {
        return Err(denied());
    }
    let failed = |error: std::io::Error| system(path, &error).no_effect();
    let flags = (OFlag::O_PATH | OFlag::O_NOFOLLOW).bits();
    let held = OpenOptions::new().read(true).custom_flags(flags).open(&real).map_err(failed)?;
    let handle = format!("/proc/self/fd/{}", held.as_raw_fd());
    // A folder on the way may have become a link since.
    let place = std::fs::read_link(&handle).map_err(failed)?;
    if !is_within(&place) || !held.metadata().map_err(failed)?.is_file() {
        return Err(denied());
    }
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&handle).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn files_in_the_folders_are_opened_and_nothing_else() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("a.tar"), "whole").unwrap();
        std::fs::write(outside.path().join("b.tar"), "").unwrap();
        std::fs::create_dir(at("sub")).unwrap();
        nix::unistd::mkfifo(at("pipe").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        symlink(outside.path().join("b.tar"), at("away")).unwrap();
        symlink(outside.path(), at("folder")).unwrap();
        symlink(at("a.tar"), at("within")).unwrap();
        let folders = [folder.path().to_owned()];
        for name in ["a.tar", "within"] {
            let mut text = String::new();
            open(&folders, &at(name)).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "whole", "{name}");
        }
        for path in [
            at("sub"),
            at("pipe"),
            at("device"),
            at("away"),
            at("folder/b.tar"),
            "/dev/zero".into(),
            "/etc/none".into(),
        ] {
            assert_eq!(open(&folders, &path).unwrap_err().code, Code::PermissionDenied, "{path}");
        }
        assert_eq!(open(&folders, &at("none")).unwrap_err().code, Code::NotFound);
        assert_eq!(open(&[], &at("a.tar")).unwrap_err().code, Code::PermissionDenied);
    }
}

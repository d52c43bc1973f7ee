//! Secrets that are kept elsewhere: an environment variable, or a file that only its owner reads.

use std::{fs, os::unix::fs::MetadataExt as _};

use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

const FILE_BYTES: u64 = 1 << 20;

/// The value that `env:NAME` or `file:/path` stands for.
pub fn resolve(name: &str, from: &str) -> Result<Zeroizing<String>, Problem> {
    let missing = |why: String| {
        Problem::new(Code::SecretNotFound, format!("the secret `{name}` ({from}) can't be read: {why}")).no_effect()
    };
    if let Some(variable) = from.strip_prefix("env:") {
        return std::env::var(variable).map(Zeroizing::new).map_err(|error| missing(error.to_string()));
    }
    let Some(path) = from.strip_prefix("file:") else {
        return Err(missing("it is neither `env:NAME` nor `file:/path`".into()));
    };
    let metadata = fs::metadata(path).map_err(|error| missing(error.to_string()))?;
    if metadata.mode() & 0o007 != 0 {
        return Err(missing("everybody can read the file".into()).help(format!("chmod o= {path}")));
    }
    if metadata.len() > FILE_BYTES {
        return Err(missing(format!("the file has more than {FILE_BYTES} bytes")));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| missing(error.to_string()))?);
    // Editors end files with a newline that nobody means.
    Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_read_unless_everybody_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let from = format!("file:{}", path.display());
        assert_eq!(&**resolve("a", &from).unwrap(), "hunter2");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(resolve("a", &from).unwrap_err().message.contains("everybody"));
        assert_eq!(resolve("a", "env:WINDLASS_NO_SUCH").unwrap_err().code, Code::SecretNotFound);
        assert_eq!(resolve("a", "elsewhere").unwrap_err().code, Code::SecretNotFound);
    }
}

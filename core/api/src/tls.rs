//! TLS from files, which may be replaced while the server runs: connections that come later get the new certificate.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use windlass_model::{Code, Problem};

/// A certificate with its key, as the files have it.
pub struct Tls {
    certificates: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    config: Arc<rustls::ServerConfig>,
    /// Hash of the files when they were last read.
    seen: Option<blake3::Hash>,
}

impl Tls {
    /// Reads the files: PEM with the whole chain, and PEM with the key.
    pub fn load(certificates: &Path, key: &Path) -> Result<Self, Problem> {
        let state = State { seen: seen(certificates, key), config: read(certificates, key)? };
        Ok(Self { certificates: certificates.to_owned(), key: key.to_owned(), state: Mutex::new(state) })
    }

    /// What a new connection gets.
    pub(crate) fn current(&self) -> Arc<rustls::ServerConfig> {
        self.state.lock().config.clone()
    }

    /// Looks whether the files have changed. Files that can't be used (one of the two is still the old one) change nothing.
    pub(crate) fn look_again(&self) {
        let now = seen(&self.certificates, &self.key);
        if now.is_none() || now == self.state.lock().seen {
            return;
        }
        let read = read(&self.certificates, &self.key);
        let mut state = self.state.lock();
        state.seen = now;
        match read {
            Ok(config) => {
                state.config = config;
                tracing::info!(file = %self.certificates.display(), "another certificate is in use");
            }
            Err(problem) => tracing::error!(%problem, "the certificate before stays in use"),
        }
    }
}

/// None while a file isn't there: it is about to be replaced.
fn seen(certificates: &Path, key: &Path) -> Option<blake3::Hash> {
    let (certificates, key) = (fs::read(certificates).ok()?, fs::read(key).ok()?);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&certificates.len().to_le_bytes()).update(&certificates).update(&key);
    Some(hasher.finalize())
}

fn read(certificates: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, Problem> {
    let wrong = |path: &Path, why: String| {
        Problem::new(Code::Configuration, format!("TLS from {}: {why}", path.display()))
            .help("`server.tls_cert` names a PEM file with the whole chain, `server.tls_key` one with its key")
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificates, error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong(certificates, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

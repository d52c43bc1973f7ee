//! Requests to a service that the configuration names, and not a script: one base URL, one certificate store, no redirects.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use windlass_model::{Code, Problem};

use super::Config;

/// The base without its last slash, and its origin, which secrets' policies name. `key` is what the configuration calls it.
pub(crate) fn base(key: &str, url: &str) -> Result<(String, String), Problem> {
    let wrong = |why: String| Problem::new(Code::Configuration, format!("{key}: {why}"));
    let parsed = url::Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    let loopback = match parsed.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && loopback) {
        return Err(wrong("what nobody else may know would cross the network readable: use https".into()));
    }
    Ok((url.trim_end_matches('/').to_owned(), parsed.origin().ascii_serialization()))
}

/// A client for it. Fails when the configured certificate authorities can't be read.
pub(crate) fn client(config: &Config, request: Duration) -> Result<reqwest::Client, Problem> {
    make(config.unacknowledged_ms, config.ca_file.as_deref(), request).map_err(|error| {
        let file = config.ca_file.as_deref().unwrap_or(Path::new("")).display();
        Problem::new(Code::Configuration, format!("hosts.http.ca_file: {file}: {error}"))
    })
}

fn make(unacknowledged_ms: u64, ca_file: Option<&Path>, request: Duration) -> Result<reqwest::Client, Box<dyn Error>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        roots.add_parsable_certificates(CertificateDer::pem_file_iter(file)?.filter_map(Result::ok));
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connect = Duration::from_secs(10);
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .timeout(request);
    if unacknowledged_ms > 0 {
        let limit = Duration::from_millis(unacknowledged_ms);
        builder = builder.tcp_user_timeout(limit).connect_timeout(connect.min(limit));
    }
    Ok(builder.build()?)
}

/// A request without an answer: whether it was done, nobody knows, unless the connection was never made.
pub(crate) fn broken(name: &str, error: reqwest::Error) -> Problem {
    let error = error.without_url();
    let chain: Vec<&dyn Error> = std::iter::successors(Some(&error as &dyn Error), |&error| error.source()).collect();
    let root = chain.last().map(ToString::to_string).unwrap_or_default();
    let tls = chain.iter().any(|error| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
    });
    let problem = Problem::new(Code::Unavailable, format!("no answer from {name}: {root}"));
    match error.is_connect() {
        true if tls => problem.no_effect(),
        true => problem.no_effect().retryable(),
        false => problem.retryable(),
    }
}

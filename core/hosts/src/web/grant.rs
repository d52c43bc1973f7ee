//! What a grant such as `http.get:https://api.example.net/v1/*` allows: read as a URL, not as text, so that a host can't
//! be smuggled in through another part.

use url::{Host, Url};
use windlass_model::{Code, Problem};

use super::address::Allowed;
use crate::support;

/// The scope of a URL, as grants write it: without query and fragment.
pub(crate) fn scope(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// Reads a URL that a request may be sent to at all.
pub(crate) fn read(text: &str) -> Result<Url, Problem> {
    let url = Url::parse(text).map_err(|error| support::invalid(format!("that isn't a URL: {error}")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(support::invalid("a URL has to begin with https:// or http:// and to name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::new(Code::SecretMisuse, "a URL can't hold a user name or a password")
            .help("put a secret into a header: `#{ headers: #{ authorization: … } }`")
            .no_effect());
    }
    if climbs(url.path()) {
        return Err(support::invalid("the URL's path climbs up with an encoded `..`"));
    }
    Ok(url)
}

/// Whether a server that decodes the path, even twice, would see a `..` in it.
fn climbs(path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..3 {
        path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
    }
    path.split(['/', '\\']).any(|part| part == "..")
}

/// Fails unless one of the grants allows the URL, and the URL's host, if it is an address, may be reached.
pub(crate) fn check<'a>(
    verb: &str,
    url: &Url,
    granted: impl Iterator<Item = &'a str>,
    allowed: &Allowed,
) -> Result<(), Problem> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    let mut covered = false;
    for pattern in granted.filter(|pattern| covers(pattern, url)) {
        covered = true;
        let named = pattern_host(pattern) == url.host_str();
        if named || address.is_none_or(|address| allowed.check(address).is_ok()) {
            return Ok(());
        }
    }
    match address {
        Some(address) if covered => Err(allowed
            .check(address)
            .err()
            .map_or_else(|| denied(verb, url), |refused| refused.problem("that address"))),
        _ => Err(denied(verb, url)),
    }
}

fn denied(verb: &str, url: &Url) -> Problem {
    let grant = format!("{verb}:{}", scope(url));
    Problem::new(Code::PermissionDenied, format!("the run isn't granted `{grant}`"))
        .help(format!("declare it in the workflow's header: permissions: [\"{grant}\"]"))
        .data(serde_json::json!({ "grant": grant }))
}

/// The host part of a pattern as it is written.
fn pattern_host(pattern: &str) -> Option<&str> {
    let (_, rest) = pattern.split_once("://")?;
    let authority = rest.split('/').next()?;
    match authority.rfind(':').filter(|colon| !authority[*colon..].contains(']')) {
        Some(colon) => Some(&authority[..colon]),
        None => Some(authority),
    }
}

/// Whether a pattern covers a URL. `*` alone: any https URL. Else the scheme has to be equal, the port, too, unless it is `*`, the host
/// equal or below `*.`, and the path equal or matched by a pattern in which `*` stands for anything.
pub(crate) fn covers(pattern: &str, url: &Url) -> bool {
    if pattern == "*" {
        return url.scheme() == "https";
    }
    let Some((scheme, rest)) = pattern.split_once("://") else { return false };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some(host) = pattern_host(pattern) else { return false };
    let port = match authority.strip_prefix(host).unwrap_or_default() {
        "" if scheme == "https" => Some(443),
        "" => Some(80),
        ":*" => url.port_or_known_default(),
        text => text[1..].parse().ok(),
    };
    scheme == url.scheme()
        && port == url.port_or_known_default()
        && url.host_str().is_some_and(|name| host_covers(host, name))
        && path_covers(if path.is_empty() { "/" } else { path }, url.path())
}

fn host_covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            let below = name.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
            below.is_some_and(|below| !below.is_empty()) && !parent.contains('*')
        }
        None => pattern.eq_ignore_ascii_case(name),
    }
}

fn path_covers(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(pattern: &str, url: &str) -> bool {
        check("http.get", &read(url).unwrap(), [pattern].into_iter(), &Allowed::default()).is_ok()
    }

    #[test]
    fn a_grant_is_read_as_a_url() {
        for (pattern, url, expected) in [
            ("https://api.example.net/v1/*", "https://api.example.net/v1/x/y?z=1", true),
            ("https://api.example.net/v1/*", "https://API.example.net:443/v1/", true),
            ("https://api.example.net/v1/*", "https://api.example.net/v2/x", false),
            ("https://api.example.net/v1/*", "https://api.example.net/v1/../admin", false),
            ("https://api.example.net/v1/*", "http://api.example.net/v1/x", false),
            ("https://api.example.net/v1/*", "https://api.example.net:8443/v1/x", false),
            ("https://api.example.net:8443/v1/*", "https://api.example.net:8443/v1/x", true),
            ("https://api.example.net", "https://api.example.net/", true),
            ("https://api.example.net", "https://api.example.net/x", false),
            ("https://api.example.net*", "https://api.example.net.evil.org/", false),
            ("https://*", "https://evil.org/", false),
            ("*", "https://example.org/x", true),
            ("*", "http://example.org/x", false),
            ("*", "https://127.0.0.1/x", false),
            ("https://*.example.net/*", "https://a.b.example.net/x", true),
            ("https://*.example.net/*", "https://example.net/x", false),
            ("https://*.example.net/*", "https://.example.net/x", false),
            ("https://*.example.net/*", "https://evil.org/.example.net/x", false),
            ("https://*.example.net/*", "https://evilexample.net/x", false),
            ("https://api.example.net/*/state", "https://api.example.net/a/b/state", true),
            ("https://api.example.net/*/state", "https://api.example.net/a/state/x", false),
            ("http://127.0.0.1:8080/*", "http://127.0.0.1:8080/x", true),
            ("http://127.0.0.1:8080/*", "http://2130706433:8080/x", true),
            ("http://127.0.0.1:*/", "http://127.0.0.1:20080/", true),
            ("http://127.0.0.1:*/", "http://127.0.0.1:20080/x", false),
            ("http://127.0.0.1:*/", "http://127.0.0.2:20080/", false),
            ("http://127.0.0.1:*", "http://127.0.0.1/", true),
            ("https://api.example.net:*/", "http://api.example.net:8080/", false),
            ("http://[::1]:8080/*", "http://[::1]:8080/x", true),
            ("https://*.0.0.1/*", "https://127.0.0.1/x", false),
            ("nonsense", "https://example.net/", false),
        ] {
            assert_eq!(granted(pattern, url), expected, "{pattern} for {url}");
        }
    }

    #[test]
    fn unsuitable_urls_are_refused() {
        for url in [
            "file:///etc/passwd",
            "ftp://example.net/",
            "https://user@example.net/",
            "https://:p@example.net/",
            "//example.net",
            "",
            "https://",
            "https://example.net/a/%2e%2e%2fb",
            "https://example.net/a/..%2fb",
            "https://example.net/a%252f%252e%252e%252fb",
            "https://example.net/a%5c..%5cb",
        ] {
            assert!(read(url).is_err(), "{url}");
        }
    }
}

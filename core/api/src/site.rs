//! The interface's files: what browsers load. Files whose names change with their contents are kept for ever, the page
//! that names them is asked for each time; what is no file and wants to be a page is that page, which knows what to show.

use http::{HeaderMap, Method, StatusCode, header};

use crate::Answer;

/// A file of the interface.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Where it is, from the root: `/assets/index-B0x.js`.
    pub path: &'static str,
    /// Its bytes.
    pub plain: &'static [u8],
    /// The same with gzip, if that is smaller.
    pub gzip: Option<&'static [u8]>,
    /// The same with Brotli, if that is smaller.
    pub brotli: Option<&'static [u8]>,
    /// Tells its contents apart from others, without quotes.
    pub tag: &'static str,
}

/// All files of the interface; none if it wasn't built.
#[derive(Clone, Copy, Debug, Default)]
pub struct Site {
    /// The files.
    pub files: &'static [File],
}

/// The page that stands for all pages.
const INDEX: &str = "/index.html";
/// Where files have names that change with their contents.
const HASHED: &str = "/assets/";
/// Nothing inline but images that stand in their address (logos, a machine's screen), which act in no way; nothing from elsewhere, no
/// frames, no plugins; markup only from Svelte's own templates.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
/// What every answer with a file of the interface says to browsers; a proxy that serves the files has to say it, too.
pub const HEADERS: [(&str, &str); 4] = [
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];
const NOT_BUILT: &str = include_str!("site.html");

impl Site {
    /// What a browser gets at a path that no route has; nothing if that is no matter of the interface.
    pub(crate) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Answer> {
        if !matches!(*method, Method::GET | Method::HEAD) || path == "/api" || path.starts_with("/api/") {
            return None;
        }
        let file = |path: &str| self.files.iter().find(|file| file.path == path);
        if let Some(found) = file(path).filter(|_| path != INDEX) {
            return Some(found.answer(headers));
        }
        // A program that mistypes an address isn't to get a page that says nothing of it.
        let wants_page = path == "/" || text(headers, header::ACCEPT).contains("text/html");
        if !wants_page || path.starts_with(HASHED) {
            return None;
        }
        Some(match file(INDEX) {
            Some(index) => index.answer(headers),
            None => Answer::bytes("text/html; charset=utf-8", NOT_BUILT).status(StatusCode::NOT_FOUND),
        })
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Answer {
        let accepted = text(headers, header::ACCEPT_ENCODING);
        let (body, encoding) = match (self.brotli, self.gzip) {
            (Some(bytes), _) if accepts(accepted, "br") => (bytes, "br"),
            (_, Some(bytes)) if accepts(accepted, "gzip") => (bytes, "gzip"),
            _ => (self.plain, ""),
        };
        // Another encoding is another representation, and has another tag.
        let tag = format!("\"{}{}{encoding}\"", self.tag, if encoding.is_empty() { "" } else { "-" });
        let known = text(headers, header::IF_NONE_MATCH).split(',').map(str::trim);
        let is_known = known.into_iter().any(|one| one == "*" || one.trim_start_matches("W/") == tag);
        let answer = match is_known {
            true => Answer::nothing().status(StatusCode::NOT_MODIFIED),
            false => Answer::bytes(self.media_type(), body),
        };
        let answer = match encoding {
            "" => answer,
            _ if is_known => answer,
            encoding => answer.header(header::CONTENT_ENCODING, encoding),
        };
        let keep = if self.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let answer = answer
            .header(header::ETAG, &tag)
            .header(header::VARY, "Accept-Encoding")
            .header(header::CACHE_CONTROL, keep);
        HEADERS.iter().fold(answer, |answer, (name, value)| answer.header(http::HeaderName::from_static(name), value))
    }

    fn media_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, end)| end) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "json" => "application/json",
            "png" => "image/png",
            "woff2" => "font/woff2",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a list like `gzip, br;q=0.5` has an encoding, and doesn't refuse it.
fn accepts(list: &str, encoding: &str) -> bool {
    list.split(',').any(|one| {
        let (name, parameters) = one.split_once(';').unwrap_or((one, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case(encoding) && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Body;

    const SITE: Site = Site {
        files: &[
            File { path: "/index.html", plain: b"<html>", gzip: None, brotli: Some(b"brotli"), tag: "i" },
            File { path: "/assets/a-1.js", plain: b"plain", gzip: Some(b"gzip"), brotli: Some(b"brotli"), tag: "a" },
            File { path: "/icon.svg", plain: b"<svg>", gzip: None, brotli: None, tag: "s" },
        ],
    };

    fn ask(site: Site, path: &str, headers: &[(&'static str, &str)]) -> Option<(u16, String, HeaderMap)> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let answer = site.answer(&Method::GET, path, &headers)?;
        let Body::Whole(body) = answer.body else { panic!("a file is no stream") };
        let headers = answer.headers.into_iter().collect();
        Some((answer.status.as_u16(), String::from_utf8(body.to_vec()).unwrap(), headers))
    }

    #[test]
    fn a_file_comes_in_the_smallest_form_that_is_accepted() {
        let body = |accepted| {
            let (status, body, headers) = ask(SITE, "/assets/a-1.js", &[("accept-encoding", accepted)]).unwrap();
            assert_eq!((status, &headers["vary"]), (200, &"Accept-Encoding".parse().unwrap()));
            assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
            assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
            assert_eq!(headers.get("content-encoding").map_or("plain", |it| it.to_str().unwrap()).trim(), {
                if body == "brotli" { "br" } else { body.as_str() }
            });
            body
        };
        assert_eq!(body("gzip, deflate, br"), "brotli");
        assert_eq!(body("gzip;q=0.5, br;q=0"), "gzip");
        assert_eq!(body("identity"), "plain");
        assert_eq!(body("gzip;q=nonsense"), "plain");
    }

    #[test]
    fn what_a_browser_has_isnt_sent_again() {
        let tag = |headers: &[(&'static str, &str)]| ask(SITE, "/", headers).unwrap();
        let (_, _, first) = tag(&[("accept-encoding", "br")]);
        assert_eq!(
            (&first["etag"], &first["cache-control"]),
            (&"\"i-br\"".parse().unwrap(), &"no-cache".parse().unwrap())
        );
        let (status, body, again) = tag(&[("accept-encoding", "br"), ("if-none-match", "\"x\", W/\"i-br\"")]);
        assert_eq!((status, body.as_str()), (304, ""));
        assert!(again.contains_key("etag") && again.contains_key("content-security-policy"));
        assert!(!again.contains_key("content-encoding"));
        // The same page in another form isn't what the browser has.
        assert_eq!(tag(&[("if-none-match", "\"i-br\"")]).0, 200);
    }

    #[test]
    fn pages_are_the_index_and_the_rest_is_not_found() {
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let all = ("accept", "*/*");
        for path in ["/", "/runs/01m7", "/workflows/lab/a.b", "/index.html"] {
            let (status, body, headers) = ask(SITE, path, &[html]).unwrap();
            assert_eq!((status, body.as_str()), (200, "<html>"), "{path}");
            assert_eq!(headers["content-security-policy"], POLICY);
        }
        assert_eq!(ask(SITE, "/", &[all]).unwrap().1, "<html>");
        assert_eq!(ask(SITE, "/icon.svg", &[all]).unwrap().1, "<svg>");
        assert!(ask(SITE, "/runs/01m7", &[all]).is_none());
        for path in ["/api/v1/nothing", "/api", "/assets/old-0.js"] {
            assert!(ask(SITE, path, &[html]).is_none(), "{path}");
        }
        assert!(SITE.answer(&Method::POST, "/", &HeaderMap::new()).is_none());
    }

    #[test]
    fn the_policy_allows_nothing_inline_and_nothing_from_elsewhere() {
        for word in ["unsafe", "http", "*", "blob:"] {
            assert!(!POLICY.contains(word), "{word}");
        }
        // Images act in no way.
        assert_eq!((POLICY.matches("data:").count(), POLICY.contains("img-src 'self' data:;")), (1, true));
    }

    #[test]
    fn without_files_a_page_says_how_to_build_them() {
        let (status, body, _) = ask(Site::default(), "/", &[]).unwrap();
        assert_eq!(status, 404);
        assert!(body.contains("make build"));
    }
}

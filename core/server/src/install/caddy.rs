//! The front door: Caddy serves the interface's files, and passes on the API, consoles and Guacamole.

use std::fmt::Write as _;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use windlass_api::site::HEADERS;

use super::{
    layout::{CADDYFILE, LISTEN, PAGE},
    record::{Address, Record},
};

/// What Debian's Caddy reads: our file.
pub fn import() -> String {
    format!("# Written by `windlass install`.\nimport {CADDYFILE}\n")
}

/// Whether a content is one certificate, as PEM has it, and nothing else.
pub fn is_certificate(content: &[u8]) -> bool {
    let text = std::str::from_utf8(content).map(str::trim).unwrap_or_default();
    let is_framed = text.starts_with("-----BEGIN CERTIFICATE-----")
        && text.ends_with("-----END CERTIFICATE-----")
        && text.matches("-----BEGIN").count() == 1;
    let certificate = CertificateDer::from_pem_slice(content);
    is_framed && certificate.is_ok_and(|found| RootCertStore::empty().add(found).is_ok())
}

/// The front door's configuration. Caddy writes `X-Forwarded-For` and `X-Forwarded-Proto` itself, and takes nobody's word for them;
/// streams of events go on without being collected, and WebSockets are passed through, by `flush_interval -1`.
pub fn caddyfile(record: &Record) -> String {
    let (site, open) = match &record.address {
        Address::Loopback => ("http://127.0.0.1, http://localhost".to_owned(), "\tbind 127.0.0.1\n".to_owned()),
        Address::Public(host) => (host.clone(), String::new()),
        Address::Internal(host) => (format!("https://{host}"), "\ttls internal\n".to_owned()),
    };
    let guacamole = record.guacamole.map_or_else(String::new, |address| {
        format!(
            "\n\t# Guacamole's web application, under the same path there.\n\tredir /html5 /html5/\n\thandle /html5/* {{\n\
             \t\treverse_proxy {address} {{\n\t\t\tflush_interval -1\n\t\t}}\n\t}}\n"
        )
    });
    let mut headers = String::new();
    let secure = record.address.host().map(|_| ("strict-transport-security", "max-age=31536000"));
    let always =
        [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")];
    for (name, value) in HEADERS.into_iter().chain(always).chain(secure) {
        // Writing into a String can't fail.
        let _ = writeln!(headers, "\t\t{name} \"{value}\"");
    }
    format!(
        "\
# Written by `windlass install`: the front door of Windlass.
(windlass_page) {{
\theader {{
{headers}\t}}
\troot * {PAGE}
}}

{site} {{
{open}
\t# The API, its streams and consoles. What it answers says itself what browsers may do with it.
\t@api path /api /api/*
\thandle @api {{
\t\treverse_proxy {LISTEN} {{
\t\t\tflush_interval -1
\t\t}}
\t}}
{guacamole}
\t# Files have names that change with their contents; one that is gone isn't a page.
\thandle /assets/* {{
\t\timport windlass_page
\t\theader Cache-Control \"public, max-age=31536000, immutable\"
\t\tfile_server {{
\t\t\tprecompressed br gzip
\t\t}}
\t}}

\t# Every other address is the page, which knows what to show.
\thandle {{
\t\timport windlass_page
\t\theader Cache-Control no-cache
\t\t@page {{
\t\t\tnot file
\t\t\theader Accept *text/html*
\t\t}}
\t\trewrite @page /index.html
\t\tfile_server {{
\t\t\tprecompressed br gzip
\t\t}}
\t}}
}}
"
    )
}

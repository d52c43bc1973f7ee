//! The contents of records: in one form, so that what is written can be compared with what is there. The name server has
//! the last word on whether a content is right.

use std::net::{Ipv4Addr, Ipv6Addr};

use windlass_model::Problem;

use super::names;
use crate::support::invalid;

/// Bytes of one content at most: what fits a message, written out.
const LONGEST: usize = 65_535;

/// Bytes of one string of a TXT record at most.
const STRING: usize = 255;

/// Types that the server makes itself.
const MADE: [&str; 7] = ["SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "OPT"];

/// A type that may be written.
pub fn kind(text: &str) -> Result<String, Problem> {
    let kind = text.to_ascii_uppercase();
    if kind.is_empty()
        || kind.len() > 16
        || !kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return Err(invalid("an rrset's `type` is a word such as \"A\", \"CNAME\" or \"TXT\""));
    }
    // Written as a number, a type would pass by what is said of it by its name.
    if kind.strip_prefix("TYPE").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(invalid(format!("`{kind}`: types are written by their names")));
    }
    if MADE.contains(&kind.as_str()) {
        return Err(invalid(format!("{kind} records are made by the name server, and aren't written")));
    }
    Ok(kind)
}

/// A content in the form that the server keeps; or why it can't be.
pub fn canonical(kind: &str, content: &str) -> Result<String, String> {
    let content = content.trim();
    if content.is_empty() || content.len() > LONGEST {
        return Err("a record has 1 to 65535 bytes".to_owned());
    }
    if content.chars().any(char::is_control) {
        return Err("a record holds no control characters or line breaks".to_owned());
    }
    let host = |text: &str| match text {
        "." => Ok(".".to_owned()),
        text => names::name(text).map(|name| name + ".").map_err(|problem| problem.message),
    };
    match kind {
        "A" => content
            .parse::<Ipv4Addr>()
            .map(|it| it.to_string())
            .map_err(|_| format!("`{content}` isn't an IPv4 address")),
        "AAAA" => content
            .parse::<Ipv6Addr>()
            .map(|it| it.to_string())
            .map_err(|_| format!("`{content}` isn't an IPv6 address")),
        "NS" | "CNAME" | "DNAME" | "PTR" | "ALIAS" => host(content),
        "MX" | "SRV" => {
            let words: Vec<&str> = content.split_whitespace().collect();
            let wanted = if kind == "MX" { 2 } else { 4 };
            let Some((last, numbers)) = words.split_last().filter(|_| words.len() == wanted) else {
                return Err(format!("`{content}` has to be {} numbers and a name", wanted - 1));
            };
            let numbers: Result<Vec<String>, _> =
                numbers.iter().map(|word| word.parse::<u16>().map(|number| number.to_string())).collect();
            let numbers = numbers.map_err(|_| format!("`{content}`: the numbers are 0 to 65535"))?;
            Ok(format!("{} {}", numbers.join(" "), host(last)?))
        }
        "TXT" | "SPF" => text(content),
        // Hexadecimal digits count the same in both cases.
        "DS" | "CDS" | "TLSA" | "SSHFP" => {
            let words: Vec<&str> = content.split_whitespace().collect();
            let (head, tail) = words.split_at(words.len().min(if kind == "SSHFP" { 2 } else { 3 }));
            Ok(format!("{} {}", head.join(" "), tail.concat().to_ascii_lowercase()).trim_end().to_owned())
        }
        _ => Ok(content.to_owned()),
    }
}

/// Quoted strings as they are; anything else is quoted, and cut into strings of 255 bytes.
fn text(content: &str) -> Result<String, String> {
    if content.starts_with('"') {
        return match ends_quoted(content) {
            true => Ok(content.to_owned()),
            false => Err(format!("`{content}` begins a string that doesn't end: quote it as a whole, or not at all")),
        };
    }
    let bytes = content.as_bytes();
    let strings: Vec<String> = bytes
        .chunks(STRING)
        .map(|part| {
            let quoted: String = part
                .iter()
                .map(|byte| match byte {
                    b'"' | b'\\' => format!("\\{}", char::from(*byte)),
                    0x20..=0x7e => char::from(*byte).to_string(),
                    other => format!("\\{other:03}"),
                })
                .collect();
            format!("\"{quoted}\"")
        })
        .collect();
    Ok(strings.join(" "))
}

/// Whether all strings that begin with a quotation mark end with one.
fn ends_quoted(content: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    for letter in content.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            ' ' => {}
            _ if !inside => return false,
            _ => {}
        }
    }
    !inside && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_take_one_form() {
        for (kind, content, expected) in [
            ("A", " 192.0.2.1 ", "192.0.2.1"),
            ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
            ("NS", "NS1.example", "ns1.example."),
            ("CNAME", "bücher.example", "xn--bcher-kva.example."),
            ("MX", "10  Mail.example.", "10 mail.example."),
            ("MX", "0 .", "0 ."),
            ("SRV", "1 2 443 a.example", "1 2 443 a.example."),
            ("TXT", "v=spf1 -all", "\"v=spf1 -all\""),
            ("TXT", "\"a b\" \"c\"", "\"a b\" \"c\""),
            ("TXT", "say \"hi\"", "\"say \\\"hi\\\"\""),
            ("TXT", "ü", "\"\\195\\188\""),
            ("DS", "1 13 2 ABCD EF", "1 13 2 abcdef"),
            ("CAA", " 0 issue \"le.example\"", "0 issue \"le.example\""),
        ] {
            assert_eq!(canonical(kind, content).unwrap(), expected, "{kind} {content}");
        }
        let long = canonical("TXT", &"x".repeat(300)).unwrap();
        assert_eq!(long.len(), 300 + 5, "two strings: {long}");
        for (kind, content) in [
            ("A", "2001:db8::1"),
            ("A", "192.0.2.256"),
            ("MX", "mail.example"),
            ("SRV", "1 2 70000 a.example"),
            ("TXT", "\"open"),
            ("TXT", "\"a\" b"),
            ("TXT", "a\nb"),
            ("NS", "a..b"),
            ("A", ""),
        ] {
            assert!(canonical(kind, content).is_err(), "{kind} {content}");
        }
        for text in ["SOA", "rrsig", "", "A B", "DNSKEY", "TYPE6", "type65402"] {
            assert!(super::kind(text).is_err(), "{text}");
        }
    }
}

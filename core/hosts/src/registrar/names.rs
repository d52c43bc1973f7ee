//! Names of domains and of hosts, in the one form that plugins and registrars see: lower case, ASCII, no dot at the end.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::Problem;

use crate::support::invalid;

/// Name servers of a domain: registries want two, and thirteen fit into an answer.
const SERVERS: std::ops::RangeInclusive<usize> = 2..=13;
/// Records that a parent may hold for a domain.
const RECORDS: usize = 16;

/// The name in ASCII; `münchen.example.` is `xn--mnchen-3ya.example`.
pub(super) fn ascii(name: &str) -> Result<String, Problem> {
    let shown: String = name.chars().take(80).collect();
    let bad = |why: &str| invalid(format!("`{shown}` isn't the name of a domain: {why}"));
    let trimmed = name.trim();
    let trimmed = trimmed.strip_suffix('.').unwrap_or(trimmed);
    let ascii = idna::domain_to_ascii(trimmed).map_err(|_| bad("it can't be written in ASCII"))?;
    if ascii.len() > 253 {
        return Err(bad("it has more than 253 characters"));
    }
    if !ascii.contains('.') {
        return Err(bad("it has one part only"));
    }
    for label in ascii.split('.') {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if label.is_empty() {
            return Err(bad("one of its parts is empty"));
        }
        if label.len() > 63 {
            return Err(bad("one of its parts has more than 63 characters"));
        }
        if label.starts_with('-') || label.ends_with('-') || !label.bytes().all(known) {
            return Err(bad("parts are letters, digits and hyphens, and begin and end without a hyphen"));
        }
    }
    if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(bad("it looks like an address"));
    }
    Ok(ascii)
}

/// Name servers, sorted, each once.
pub(super) fn servers(value: &Value) -> Result<Vec<String>, Problem> {
    let list = value.as_array().ok_or_else(|| invalid("name servers are a list of names"))?;
    let name = |item: &Value| item.as_str().ok_or_else(|| invalid("name servers are a list of names")).and_then(ascii);
    let names: BTreeSet<String> = list.iter().map(name).collect::<Result<_, _>>()?;
    if !SERVERS.contains(&names.len()) {
        let count = names.len();
        return Err(invalid(format!("a domain has 2 to 13 different name servers, not {count}")));
    }
    Ok(names.into_iter().collect())
}

/// Names that a plugin has returned, sorted, each once. What isn't a name is left out: registrars list odd things.
pub(super) fn listed(value: &Value) -> Vec<String> {
    let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|name| ascii(name).ok()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A delegation signer record (RFC 4034).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ds {
    pub key_tag: u16,
    pub algorithm: u8,
    pub digest_type: u8,
    /// In hexadecimal, upper case.
    pub digest: String,
}

/// The records, sorted; none means that the domain isn't signed as its parent sees it.
pub(super) fn records(value: &Value) -> Result<Vec<Ds>, Problem> {
    let read = serde_json::from_value::<Vec<Ds>>(value.clone());
    let read = read.map_err(|error| {
        invalid(format!("DS records are a list of #{{ key_tag, algorithm, digest_type, digest }}: {error}"))
    })?;
    if read.len() > RECORDS {
        return Err(invalid(format!("a domain has at most {RECORDS} DS records")));
    }
    let mut records = BTreeSet::new();
    for mut ds in read {
        ds.digest = ds.digest.split_whitespace().collect::<String>().to_ascii_uppercase();
        let length = match ds.digest_type {
            1 => 40,
            2 | 3 => 64,
            4 => 96,
            other => return Err(invalid(format!("`{other}` is no digest type of DS records: 1, 2, 3 or 4"))),
        };
        if ds.digest.len() != length || !ds.digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid(format!("a digest of type {} is {length} hexadecimal digits", ds.digest_type)));
        }
        records.insert(ds);
    }
    Ok(records.into_iter().collect())
}

/// Addresses of a host, sorted.
pub(super) fn addresses(value: &Value) -> Result<Vec<String>, Problem> {
    let list = value.as_array().ok_or_else(|| invalid("addresses are a list of texts"))?;
    let parsed = list.iter().map(|item| {
        let text = item.as_str().unwrap_or_default();
        text.parse::<IpAddr>().map_err(|_| invalid(format!("`{text}` is no address")))
    });
    let all: BTreeSet<IpAddr> = parsed.collect::<Result<_, _>>()?;
    Ok(all.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, form) in [
            ("Example.NET.", "example.net"),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("MÜNCHEN。example", "xn--mnchen-3ya.example"),
            ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ] {
            assert_eq!(ascii(text).unwrap(), form);
        }
        let long = format!("{}.example", "a".repeat(64));
        assert!(ascii(&format!("{}.example", "a".repeat(63))).is_ok());
        for bad in
            ["", ".", "com", "a..b", "-a.example", "a_b.example", "127.0.0.1", "a b.example", "a.example/x", &long]
        {
            assert!(ascii(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn servers_are_a_set() {
        let two = servers(&json!(["NS2.example.net.", "ns1.example.net", "ns1.EXAMPLE.net"])).unwrap();
        assert_eq!(two, ["ns1.example.net", "ns2.example.net"]);
        for bad in [json!(["ns1.example.net"]), json!([]), json!("x"), json!([1, 2])] {
            assert!(servers(&bad).is_err(), "{bad}");
        }
        let ds = json!([{ "key_tag": 1, "algorithm": 13, "digest_type": 2, "digest": format!("{:064}", 0) }]);
        assert_eq!(records(&ds).unwrap().len(), 1);
        assert!(records(&json!([{ "key_tag": 1, "algorithm": 13, "digest_type": 2, "digest": "00" }])).is_err());
        assert!(addresses(&json!(["192.0.2.1", "2001:DB8::1"])).unwrap().contains(&"2001:db8::1".to_owned()));
    }
}

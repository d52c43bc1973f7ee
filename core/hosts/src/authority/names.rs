//! Names as people write them, made into what name servers keep: ASCII, lower-case, without the last dot.

use windlass_model::Problem;

use crate::support::invalid;

/// Bytes of one label at most.
const LABEL: usize = 63;

/// Bytes of a name at most, without the last dot.
const NAME: usize = 253;

/// A name in any script, with or without the last dot. A star may stand for the first label; labels may begin with `_`.
///
/// # Errors
/// `invalid_argument`, which says what is wrong with it.
pub fn name(text: &str) -> Result<String, Problem> {
    let bad = |why: &str| invalid(format!("`{}` isn't a domain name: {why}", shown(text)));
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.is_empty() {
        return Err(bad("it is empty"));
    }
    let ascii = match bare.is_ascii() {
        true => bare.to_ascii_lowercase(),
        false => idna::domain_to_ascii(bare).map_err(|_| bad("it holds characters that no name may have"))?,
    };
    // A label that says it is encoded has to be.
    if ascii.split('.').any(|label| label.starts_with("xn--")) && idna::domain_to_unicode(&ascii).1.is_err() {
        return Err(bad("a label that begins with `xn--` isn't encoded as it should be"));
    }
    if ascii.len() > NAME {
        return Err(bad("it is longer than 253 characters (counted as it is encoded)"));
    }
    for (index, label) in ascii.split('.').enumerate() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_/".contains(&byte);
        match label {
            "" => return Err(bad("two dots follow one another")),
            "*" if index == 0 => {}
            label if label.len() > LABEL => return Err(bad("a label is longer than 63 characters (as it is encoded)")),
            label if label.starts_with('-') || label.ends_with('-') => {
                return Err(bad("a label begins or ends with a hyphen"));
            }
            label if !label.bytes().all(plain) => {
                return Err(bad("a label may hold letters, digits, `-`, `_` and, in reverse zones, `/`"));
            }
            _ => {}
        }
    }
    Ok(ascii)
}

/// A name inside a zone: `@` is the zone, one label stands below it, anything else has to be the full name.
pub fn within(zone: &str, text: &str) -> Result<String, Problem> {
    if text == "@" {
        return Ok(zone.to_owned());
    }
    let full = match text.contains('.') {
        true => name(text)?,
        false => name(&format!("{text}.{zone}"))?,
    };
    if full == zone || below(zone, &full) {
        return Ok(full);
    }
    Err(invalid(format!("`{}` isn't inside the zone {zone}", shown(text)))
        .help("write `@`, one label, or the full name with the zone's own name at its end"))
}

/// Whether the name is below the zone, and not the zone itself.
pub fn below(zone: &str, name: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// What somebody else wrote, short enough for a message.
fn shown(text: &str) -> String {
    let short: String = text.chars().filter(|letter| !letter.is_control()).take(80).collect();
    if short.len() < text.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_become_one_form() {
        let long = "a".repeat(63);
        for (text, expected) in [
            ("Example.NET.", "example.net".to_owned()),
            ("bücher.example", "xn--bcher-kva.example".to_owned()),
            ("عمان.example", "xn--mgb9awbf.example".to_owned()),
            ("_acme-challenge.a.example", "_acme-challenge.a.example".to_owned()),
            ("*.a.example", "*.a.example".to_owned()),
            ("0/26.2.0.192.in-addr.arpa", "0/26.2.0.192.in-addr.arpa".to_owned()),
            (&format!("{long}.example"), format!("{long}.example")),
        ] {
            assert_eq!(name(text).unwrap(), expected, "{text}");
        }
        let (wide, deep) = (format!("{}.example", "a".repeat(64)), vec!["abcdefgh"; 32].join("."));
        for text in [
            "",
            ".",
            "a..b",
            "-a.example",
            "a-.example",
            "a b.example",
            "a.*.example",
            "x;y",
            "xn--\u{0}",
            &wide,
            &deep,
        ] {
            assert!(name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_stays_in_its_zone() {
        assert_eq!(within("a.example", "@").unwrap(), "a.example");
        assert_eq!(within("a.example", "www").unwrap(), "www.a.example");
        assert_eq!(within("a.example", "WWW.a.example.").unwrap(), "www.a.example");
        for text in ["www.b.example", "xa.example", "a.example.evil.test"] {
            assert!(within("a.example", text).is_err(), "{text}");
        }
        assert!(below("example", "a.example") && !below("a.example", "xa.example") && !below("example", "example"));
    }
}

//! Zone files, as far as people paste them: `$ORIGIN`, `$TTL`, comments, names left out; no parentheses over several lines.

use serde_json::{Value, json};

use super::refusal::{Refusal, invalid};

const CLASSES: &[&str] = &["IN", "CH"];

/// The record sets of a zone file, as a body would give them. The SOA record is the provider's own.
pub(super) fn read(text: &str, zone: &str) -> Result<Vec<Value>, Refusal> {
    let mut sets: Vec<Value> = Vec::new();
    let (mut origin, mut owner, mut default_ttl) = (format!("{zone}."), "@".to_owned(), None);
    for (index, line) in text.lines().enumerate() {
        let wrong = |why: &str| invalid("zonefile", format!("line {}: {why}", index + 1));
        let code = uncommented(line);
        let mut words = code.split_whitespace().peekable();
        match words.peek().copied() {
            None => continue,
            Some("$ORIGIN") => {
                origin = words.nth(1).ok_or_else(|| wrong("$ORIGIN needs a name"))?.to_lowercase();
                continue;
            }
            Some("$TTL") => {
                default_ttl = words.nth(1).and_then(|ttl| ttl.parse::<i64>().ok());
                continue;
            }
            Some(_) => {}
        }
        if !code.starts_with(char::is_whitespace) {
            owner = relative(words.next().unwrap_or("@"), &origin, zone)
                .ok_or_else(|| wrong("the name is in another zone"))?;
        }
        let mut ttl = default_ttl;
        while let Some(word) = words.peek() {
            match word.parse::<i64>() {
                Ok(seconds) => ttl = Some(seconds),
                Err(_) if CLASSES.contains(word) => {}
                Err(_) => break,
            }
            words.next();
        }
        let kind = words.next().ok_or_else(|| wrong("a record needs a type"))?.to_uppercase();
        if kind == "SOA" {
            continue;
        }
        let value = words.collect::<Vec<_>>().join(" ");
        if value.is_empty() || value.contains(['(', ')']) && kind != "TXT" {
            return Err(wrong("a record needs a value on the same line"));
        }
        let held = sets.iter_mut().find(|set| set["name"] == *owner && set["type"] == *kind);
        match held.and_then(|set| set["records"].as_array_mut()) {
            Some(records) => records.push(json!({ "value": value })),
            None => sets.push(json!({ "name": owner, "type": kind, "ttl": ttl, "records": [{ "value": value }] })),
        }
    }
    Ok(sets)
}

/// What stands before a `;` that isn't in quotation marks.
fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    for (index, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..index],
            _ => {}
        }
    }
    line
}

/// A name as the API writes it: relative to the zone.
fn relative(name: &str, origin: &str, zone: &str) -> Option<String> {
    let name = name.to_lowercase();
    let whole = match name.as_str() {
        "@" => origin.to_owned(),
        absolute if absolute.ends_with('.') => absolute.to_owned(),
        relative => format!("{relative}.{origin}"),
    };
    let zone = format!("{zone}.");
    if whole == zone {
        return Some("@".into());
    }
    whole.strip_suffix(&zone)?.strip_suffix('.').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_file_is_read() {
        let text = "$ORIGIN example.com.\n$TTL 300\n@ IN SOA a. b. 1 2 3 4 5\nwww 60 IN A 192.0.2.1 ; one\n    IN A 192.0.2.2\n\
                    mail.example.com. MX 10 mx.example.com.\n@ TXT \"a; b\"\n";
        let sets = read(text, "example.com").unwrap();
        assert_eq!(sets.len(), 3);
        assert_eq!((&sets[0]["name"], &sets[0]["ttl"]), (&json!("www"), &json!(60)));
        assert_eq!(sets[0]["records"].as_array().map(Vec::len), Some(2));
        assert_eq!((&sets[1]["name"], &sets[1]["records"][0]["value"]), (&json!("mail"), &json!("10 mx.example.com.")));
        assert_eq!((&sets[2]["name"], &sets[2]["records"][0]["value"]), (&json!("@"), &json!("\"a; b\"")));
        for bad in ["www.example.org. A 192.0.2.1", "www IN", "www A", "a TYPE (\n"] {
            assert!(read(bad, "example.com").is_err(), "{bad}");
        }
    }
}

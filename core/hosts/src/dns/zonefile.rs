//! Zone files and transfers, read into rrsets.

use std::collections::BTreeMap;

use hickory_proto::{
    rr::{Name, RData, Record},
    serialize::txt::Parser,
};
use windlass_model::Problem;

use super::resolve::bare;
use crate::{authority::Rrset, support::invalid};

/// Bytes of a zone file at most.
const LONGEST: usize = 4 << 20;

/// Reads the text of a zone file (RFC 1035). What the name server makes itself (SOA, signatures) is left out.
pub(super) fn parse(zone: &str, text: &str) -> Result<Vec<Rrset>, Problem> {
    if text.len() > LONGEST {
        return Err(invalid(format!("a zone file has at most {LONGEST} bytes")));
    }
    // The parser would read files of this machine.
    if text.to_ascii_uppercase().contains("$INCLUDE") {
        return Err(invalid("a zone file here can't `$INCLUDE` other files"));
    }
    let origin = Name::from_ascii(format!("{zone}.")).map_err(|error| invalid(format!("{zone}: {error}")))?;
    let (_, sets) = Parser::new(spelled_out(zone, text)?, None, Some(origin))
        .parse()
        .map_err(|error| invalid(format!("the zone file can't be read: {error}")))?;
    rrsets(zone, sets.values().flat_map(|set| set.records_without_rrsigs()))
}

/// The same text with the origin's name where `@` stands for it behind a record's type: the parser knows it only in front.
fn spelled_out(zone: &str, text: &str) -> Result<String, Problem> {
    let (mut depth, mut origin) = (0_i32, format!("{zone}."));
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("$ORIGIN"))
            && let Some(name) = words.next()
        {
            origin = if name.ends_with('.') { name.to_owned() } else { format!("{name}.{origin}") };
            out.push_str(&format!("$ORIGIN {origin}\n"));
            continue;
        }
        let began = depth;
        let (mut quoted, mut escaped, mut comment, mut before) = (false, false, false, '\n');
        let mut said = String::new();
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            let alone =
                before.is_whitespace() && letters.peek().is_none_or(|next| next.is_whitespace() || *next == ';');
            match letter {
                '@' if before != '\n' && alone && !quoted && !comment => out.push_str(&origin),
                _ => out.push(letter),
            }
            comment |= letter == ';' && !quoted && !escaped;
            if !comment {
                said.push(letter);
                depth += match letter {
                    '(' if !quoted => 1,
                    ')' if !quoted => -1,
                    _ => 0,
                };
            }
            quoted ^= letter == '"' && !escaped && !comment;
            escaped = letter == '\\' && !escaped;
            before = letter;
        }
        // The parser passes over a name that nothing is said of.
        if began == 0 && depth == 0 && said.split_whitespace().count() == 1 {
            return Err(invalid(format!(
                "line {} of the zone file names `{}` and says nothing of it",
                number + 1,
                said.trim()
            )));
        }
        if quoted {
            return Err(invalid(format!("a text in line {} of the zone file doesn't end", number + 1)));
        }
    }
    if depth != 0 {
        return Err(invalid("a parenthesis of the zone file isn't closed"));
    }
    // A last line without an end would be passed over.
    out.push('\n');
    Ok(out)
}

/// Records put together by name and type.
pub(super) fn rrsets<'a>(zone: &str, records: impl Iterator<Item = &'a Record>) -> Result<Vec<Rrset>, Problem> {
    let mut sets: BTreeMap<(String, String), Rrset> = BTreeMap::new();
    for record in records {
        let (name, kind) = (bare(&record.name), record.record_type().to_string());
        if ["SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY"].contains(&kind.as_str()) {
            continue;
        }
        let value = serde_json::json!({ "name": format!("{name}."), "type": kind, "ttl": record.ttl, "records": [content(&record.data)] });
        let read = Rrset::read(zone, &value)?;
        match sets.get_mut(&(name.clone(), kind.clone())) {
            Some(set) => {
                set.records.extend(read.records);
                set.records.sort();
                set.records.dedup();
                set.ttl = set.ttl.min(read.ttl);
            }
            None => drop(sets.insert((name, kind), read)),
        }
    }
    Ok(sets.into_values().collect())
}

fn content(data: &RData) -> String {
    let RData::TXT(text) = data else { return data.to_string() };
    let quoted = |bytes: &[u8]| {
        let letters: String = bytes
            .iter()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", char::from(*byte)),
                0x20..=0x7e => char::from(*byte).to_string(),
                other => format!("\\{other:03}"),
            })
            .collect();
        format!("\"{letters}\"")
    };
    text.txt_data.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let read = parse("a.example", text).unwrap();
        read.iter().map(|set| format!("{} {} {} {}", set.name, set.kind, set.ttl, set.records.join(" | "))).collect()
    }

    #[test]
    fn a_zone_file_is_read_as_people_write_it() {
        let text = "$TTL 1h\n\
            @ IN SOA ns1 hostmaster ( 1 10800 3600 604800 300 ) ; made by the server\n\
            @ IN NS ns1.example.net.\n@ IN MX 10 @\n\
            www 60 IN CNAME @ ; the zone itself\n\
            txt IN TXT \"a @ b; c\" \"d \\\" e\"\n\
            $ORIGIN sub\nx IN CNAME @\n@ IN A 192.0.2.1\n@ IN A 192.0.2.2\n";
        assert_eq!(
            lines(text),
            [
                "a.example MX 3600 10 a.example.",
                "a.example NS 3600 ns1.example.net.",
                "sub.a.example A 3600 192.0.2.1 | 192.0.2.2",
                "txt.a.example TXT 3600 \"a @ b; c\" \"d \\\" e\"",
                "www.a.example CNAME 60 a.example.",
                "x.sub.a.example CNAME 3600 sub.a.example.",
            ]
        );
    }

    #[test]
    fn what_is_no_zone_file_or_reaches_out_is_refused() {
        for text in [
            "$INCLUDE /etc/passwd\n",
            "$TTL 60\n\t$include /etc/passwd\n",
            "nonsense",
            "$TTL 60\nwww\n@ IN A 192.0.2.1\n",
            "$TTL 60\n@ IN SOA ns1 hostmaster ( 1 2\n",
            "$TTL 60\nwww IN A nowhere\n",
            "$TTL 60\nwww.other.example. IN A 192.0.2.1\n",
            "$TTL 60\nwww IN TXT \"open\n",
        ] {
            assert_eq!(parse("a.example", text).unwrap_err().code, windlass_model::Code::InvalidArgument, "{text}");
        }
        assert!(parse("a.example", &"x".repeat(LONGEST + 1)).is_err());
        assert!(lines("").is_empty());
    }
}

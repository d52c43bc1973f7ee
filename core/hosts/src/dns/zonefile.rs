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
    let (_, sets) = Parser::new(text, None, Some(origin))
        .parse()
        .map_err(|error| invalid(format!("the zone file can't be read: {error}")))?;
    rrsets(zone, sets.values().flat_map(|set| set.records_without_rrsigs()))
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

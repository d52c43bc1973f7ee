//! What a zone holds that its servers don't hand out: they are asked for the names that most zones have.

use std::{collections::BTreeMap, net::SocketAddr};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, Record, RecordType},
};
use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse};

use super::{
    ask::{Wanted, ask},
    delegation,
    ops::Here,
    read,
    resolve::parsed,
    zonefile,
};
use crate::{
    authority::{self, Rrset},
    support,
};

/// What people commonly put into their zones, below the zone.
const COMMON: &[&str] = &[
    "www",
    "mail",
    "smtp",
    "imap",
    "pop",
    "webmail",
    "mx",
    "mx1",
    "mx2",
    "autodiscover",
    "autoconfig",
    "ftp",
    "api",
    "app",
    "blog",
    "shop",
    "store",
    "cdn",
    "static",
    "img",
    "assets",
    "media",
    "files",
    "cloud",
    "dev",
    "test",
    "staging",
    "beta",
    "admin",
    "portal",
    "intranet",
    "vpn",
    "remote",
    "gateway",
    "m",
    "ns1",
    "ns2",
    "status",
    "git",
    "docs",
    "wiki",
    "help",
    "support",
    "crm",
    "news",
    "forum",
    "console",
    "harbor",
    "gitea",
    "login",
    "auth",
    "sso",
    "id",
    "_dmarc",
    "_mta-sts",
    "mta-sts",
    "_smtp._tls",
    "default._domainkey",
    "selector1._domainkey",
    "selector2._domainkey",
    "google._domainkey",
    "k1._domainkey",
    "mail._domainkey",
    "dkim._domainkey",
    "_sip._tls",
    "_sip._tcp",
    "_sipfederationtls._tcp",
    "_autodiscover._tcp",
    "_imaps._tcp",
    "_imap._tcp",
    "_submission._tcp",
    "_caldavs._tcp",
    "_carddavs._tcp",
    "_xmpp-client._tcp",
    "_xmpp-server._tcp",
    "_matrix._tcp",
    "_github-challenge",
    "_acme-challenge",
];

/// What is asked of each name that is there.
const TYPES: &[RecordType] = &[
    RecordType::A,
    RecordType::AAAA,
    RecordType::MX,
    RecordType::TXT,
    RecordType::SRV,
    RecordType::CAA,
    RecordType::SSHFP,
    RecordType::TLSA,
];

/// Names that are asked for besides, at most.
const MORE: usize = 200;

const OPTS: Param =
    Param::optional("opts", Kind::Map, "`names`: further names to ask for, `@`, labels or full names; at most 200.");

pub(super) fn op(here: &Here) -> Op {
    Op {
        doc: "What the name servers of a domain that the parent names now answer for the names that most zones have (`@`, `*`, `www`, \
              `mail`, those of mail's policies and others): what would go dark if servers without them took over. It is no list of everything: that \
              is `dns::transfer`. A name that only repeats what `*` says is left out. None if no server serves the domain.",
        params: &[read::NAME, OPTS],
        returns: read::RRSETS,
        permission: Permission::Needs { verb: "dns.check", scope: read::of_name, words: read::CHECK_WORDS },
        rehearse: Rehearse::Assume(|_| Value::Array(Vec::new())),
        timeout_ms: 120_000,
        example: r#"dns::survey("a.example.net").len()"#,
        ..here.look("survey", survey)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    names: Vec<String>,
}

fn survey(here: &Here, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let zone = authority::name(args.str("name"))?;
    let options: Options = support::options(args, "opts")?;
    if options.names.len() > MORE {
        return Err(support::invalid(format!("at most {MORE} further names are asked for")));
    }
    let mut names = vec![format!("*.{zone}"), zone.clone()];
    names.extend(COMMON.iter().map(|label| format!("{label}.{zone}")));
    for name in &options.names {
        names.push(authority::within(&zone, name)?);
    }
    names.sort();
    names.dedup();
    let failed = |why: String| Problem::new(Code::Unavailable, format!("{zone} can't be looked at: {why}")).retryable();
    let records = cx.block_on(async {
        let servers = delegation::look(here, &zone, &[]).await.map_err(failed)?.served_at();
        let mut records = Vec::new();
        if !servers.is_empty() {
            for name in &names {
                records.extend(of_name(&servers, &parsed(name).map_err(failed)?).await.map_err(failed)?);
            }
        }
        Ok(records)
    })?;
    let found = zonefile::rrsets(&zone, records.iter())?;
    Ok(without_repeats(&format!("*.{zone}"), found).iter().map(Rrset::shown).collect())
}

/// What the first server that answers says of one name.
async fn of_name(servers: &[SocketAddr], name: &Name) -> Result<Vec<Record>, String> {
    let mut found = Vec::new();
    for (index, kind) in TYPES.iter().enumerate() {
        let answer = of_any(servers, name, *kind).await?;
        if answer.metadata.response_code == ResponseCode::NXDomain {
            break;
        }
        let said = |record: &&Record| record.name == *name;
        // A zone below is somebody else's, and reached through these.
        if index == 0 && !answer.metadata.authoritative {
            let below = answer.authorities.iter().filter(|record| record.record_type() == RecordType::NS);
            found.extend(below.filter(said).cloned());
            let digests = of_any(servers, name, RecordType::DS).await?;
            found
                .extend(digests.answers.iter().filter(said).filter(|one| one.record_type() == RecordType::DS).cloned());
            break;
        }
        let alias = answer.answers.iter().filter(said).find(|record| record.record_type() == RecordType::CNAME);
        if let Some(alias) = alias {
            found.push(alias.clone());
            break;
        }
        found.extend(answer.answers.iter().filter(said).filter(|record| record.record_type() == *kind).cloned());
    }
    Ok(found)
}

async fn of_any(servers: &[SocketAddr], name: &Name, kind: RecordType) -> Result<Message, String> {
    let mut why = String::new();
    for server in servers {
        match ask(*server, name, Wanted { kind, recursive: false, signatures: false }).await {
            Ok(answer) => return Ok(answer),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// Without names that say what the star says: it is the star that answers for them.
fn without_repeats(star: &str, found: Vec<Rrset>) -> Vec<Rrset> {
    let stars: BTreeMap<String, Vec<String>> = found
        .iter()
        .filter(|rrset| rrset.name == star)
        .map(|rrset| (rrset.kind.clone(), rrset.records.clone()))
        .collect();
    let repeats = |rrset: &Rrset| rrset.name != star && stars.get(&rrset.kind) == Some(&rrset.records);
    let apex = star.trim_start_matches("*.").to_owned();
    found.into_iter().filter(|rrset| rrset.name == apex || !repeats(rrset)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_star_says_is_said_once() {
        let rrset = |name: &str, record: &str| Rrset {
            name: name.into(),
            kind: "A".into(),
            ttl: 60,
            records: vec![record.into()],
            owner: None,
        };
        let found = ["*.a.example", "a.example", "www.a.example", "mail.a.example"];
        let found = found.map(|name| rrset(name, if name.starts_with("mail") { "192.0.2.2" } else { "192.0.2.1" }));
        let left = without_repeats("*.a.example", found.to_vec());
        let names: Vec<&str> = left.iter().map(|rrset| rrset.name.as_str()).collect();
        assert_eq!(names, ["*.a.example", "a.example", "mail.a.example"]);
    }

    #[test]
    fn names_that_are_asked_for_are_names() {
        for label in COMMON {
            assert!(authority::within("a.example", &format!("{label}.a.example")).is_ok(), "{label}");
        }
    }
}

//! How the world sees a zone: what every server of its parent says, and what every server of the zone itself answers. One
//! resolver's answer isn't enough: it may remember, and it asks only one of them.

use std::{
    net::{IpAddr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

use hickory_proto::{
    dnssec::{
        Verifier as _,
        rdata::{DNSKEY, DNSSECRData, DS},
    },
    op::{Message, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType},
};
use serde::Serialize;

use super::{
    ask::{Wanted, ask},
    ops::Here,
    resolve::{bare, host, parsed},
};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Delegation {
    name: String,
    /// Delegated, everybody authoritative and agreed, and the signatures right if the parent says that there are any.
    ok: bool,
    /// Every server of the parent names the same name servers, and names some.
    delegated: bool,
    /// The parent has DS records, and every server's keys and signatures fit them.
    secure: bool,
    /// The zone above.
    parent: String,
    nameservers: Vec<String>,
    ds: Vec<String>,
    /// Seconds for which others may remember what the parent says: the longest of all that it says.
    ttl: u32,
    /// The serial of all servers, if they agree.
    serial: Option<u32>,
    parents: Vec<ParentServer>,
    servers: Vec<ChildServer>,
    /// Everything that isn't as it should be, in words.
    problems: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct ParentServer {
    name: String,
    address: String,
    nameservers: Vec<String>,
    ds: Vec<String>,
    ttl: u32,
    problem: Option<String>,
    #[serde(skip)]
    glue: Vec<(String, IpAddr)>,
    #[serde(skip)]
    digests: Vec<DS>,
    /// What it says may be the child's own word: it serves that, too, and shows no DS.
    #[serde(skip)]
    only_child: bool,
}

#[derive(Debug, Default, Serialize)]
struct ChildServer {
    name: String,
    address: String,
    authoritative: bool,
    serial: Option<u32>,
    nameservers: Vec<String>,
    secure: bool,
    problem: Option<String>,
}

impl Delegation {
    /// Seconds for which others may remember what the parent says.
    pub(super) fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Where the zone is served: the servers that answer with authority, of those that were asked.
    pub(super) fn served_at(&self) -> Vec<SocketAddr> {
        let serving = self.servers.iter().filter(|server| server.authoritative);
        serving.filter_map(|server| server.address.parse().ok()).collect()
    }

    /// What the servers of the parent say that they shouldn't: they name one of these, or have a DS, or don't say.
    pub(super) fn otherwise(&self, without: &[String], without_ds: bool) -> Vec<String> {
        let mut wrong: Vec<String> = self.parents.iter().filter_map(|parent| parent.problem.clone()).collect();
        if self.parents.is_empty() {
            wrong.push(format!("no server of {} could be asked about {}", self.parent, self.name));
        }
        let named = |name: &&String| self.parents.iter().any(|parent| parent.nameservers.contains(*name));
        let still: Vec<&str> = without.iter().filter(named).map(String::as_str).collect();
        if !still.is_empty() {
            wrong.push(format!("{} still names {} for {}", self.parent, still.join(", "), self.name));
        }
        if without_ds && self.parents.iter().any(|parent| !parent.ds.is_empty()) {
            wrong.push(format!("{} still has a DS for {}", self.parent, self.name));
        }
        wrong
    }
}

/// Looks. `expected` are servers that are asked though the parent doesn't name them yet.
pub(super) async fn look(here: &Here, name: &str, expected: &[String]) -> Result<Delegation, String> {
    let resolver = &here.resolver;
    let question = parsed(name)?;
    let (parent, above) = resolver.parent(name).await?;
    let mut found = Delegation { name: name.to_owned(), parent, ..Delegation::default() };
    for server in above {
        match resolver.addresses(&server, &[]).await {
            Err(why) => {
                found.parents.push(ParentServer { name: server, problem: Some(why), ..ParentServer::default() })
            }
            Ok(addresses) => {
                for address in addresses {
                    found.parents.push(of_parent(&server, address, &question).await);
                }
            }
        }
    }
    if found.parents.iter().any(|parent| parent.only_child) && !delegates(here, &found, name).await {
        for parent in found.parents.iter_mut().filter(|parent| parent.only_child) {
            parent.nameservers.clear();
        }
    }
    let mut names: Vec<String> = found.parents.iter().flat_map(|parent| parent.nameservers.clone()).collect();
    names.extend_from_slice(expected);
    names.sort();
    names.dedup();
    let digests: Vec<DS> = found.parents.iter().flat_map(|parent| parent.digests.clone()).collect();
    for server in names {
        let glue: Vec<IpAddr> = found
            .parents
            .iter()
            .flat_map(|parent| parent.glue.iter().filter(|(of, _)| *of == server).map(|(_, address)| *address))
            .collect();
        match resolver.addresses(&server, &glue).await {
            Err(why) => found.servers.push(ChildServer { name: server, problem: Some(why), ..ChildServer::default() }),
            Ok(addresses) => {
                for address in addresses {
                    found.servers.push(of_child(&server, address, &question, &digests).await);
                }
            }
        }
    }
    judge(&mut found, expected);
    Ok(found)
}

async fn of_parent(server: &str, address: SocketAddr, name: &Name) -> ParentServer {
    let mut found = ParentServer { name: server.to_owned(), address: address.to_string(), ..ParentServer::default() };
    let wanted = |kind| Wanted { kind, recursive: false, signatures: false };
    let both = async {
        let referral = ask(address, name, wanted(RecordType::NS)).await?;
        let digests = ask(address, name, wanted(RecordType::DS)).await?;
        Ok::<_, String>((referral, digests))
    };
    let (referral, digests) = match both.await {
        Ok(both) => both,
        Err(why) => return ParentServer { problem: Some(why), ..found },
    };
    if !matches!(referral.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return ParentServer {
            problem: Some(format!("{server} answers {}", referral.metadata.response_code)),
            ..found
        };
    }
    for record in digests.answers.iter().filter(|record| record.name == *name) {
        if let RData::DNSSEC(DNSSECRData::DS(ds)) = &record.data {
            found.ds.push(record.data.to_string().to_ascii_lowercase());
            found.digests.push(ds.clone());
            found.ttl = found.ttl.max(record.ttl);
        }
    }
    // A server of the parent that serves the child too answers for the child; what the parent says shows in that the name
    // is there at all when it is asked for a DS, which only parents have.
    let is_child_too = referral.metadata.authoritative && !referral.answers.is_empty();
    if is_child_too && digests.metadata.response_code == ResponseCode::NXDomain {
        return found;
    }
    found.only_child = is_child_too && found.ds.is_empty();
    found.nameservers = nameservers(&referral, name);
    let said = referral.answers.iter().chain(&referral.authorities).filter(|record| record.name == *name);
    found.ttl = said.filter(|record| host(&record.data).is_some()).map(|record| record.ttl).fold(found.ttl, u32::max);
    found.glue =
        referral.additionals.iter().filter_map(|record| Some((bare(&record.name), record.data.ip_addr()?))).collect();
    found.ds.sort();
    found
}

/// Whether the parent's zone delegates, where its servers serve the child, too, and answer for that. A name server of ours is
/// asked what stands in the parent's zone. Of others one learns only whether every name is there: then the child's proves nothing.
async fn delegates(here: &Here, found: &Delegation, name: &str) -> bool {
    let mut held = None;
    for server in here.servers.all() {
        if let Ok(rrsets) = server.backend.rrsets(&found.parent, Some(name)).await {
            held = Some(held.unwrap_or(false) || rrsets.iter().any(|rrset| rrset.name == name && rrset.kind == "NS"));
        }
    }
    if let Some(held) = held {
        return held;
    }
    let rest = name.split_once('.').map_or("", |(_, rest)| rest);
    let Ok(sibling) = parsed(&format!("w{:016x}.{rest}", rand::random::<u64>())) else { return false };
    for parent in found.parents.iter().filter(|parent| parent.only_child) {
        let Ok(address) = parent.address.parse() else { return false };
        match ask(address, &sibling, Wanted { kind: RecordType::DS, recursive: false, signatures: false }).await {
            Ok(answer) if answer.metadata.response_code == ResponseCode::NXDomain => {}
            _ => return false,
        }
    }
    true
}

fn nameservers(answer: &Message, name: &Name) -> Vec<String> {
    let records = answer.answers.iter().chain(&answer.authorities).filter(|record| record.name == *name);
    let mut names: Vec<String> = records.filter_map(|record| host(&record.data)).collect();
    names.sort();
    names.dedup();
    names
}

async fn of_child(server: &str, address: SocketAddr, name: &Name, digests: &[DS]) -> ChildServer {
    let mut found = ChildServer { name: server.to_owned(), address: address.to_string(), ..ChildServer::default() };
    let wanted = |kind| Wanted { kind, recursive: false, signatures: true };
    let start = match ask(address, name, wanted(RecordType::SOA)).await {
        Ok(answer) => answer,
        Err(why) => return ChildServer { problem: Some(why), ..found },
    };
    found.serial = start.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if record.name == *name => Some(soa.serial),
        _ => None,
    });
    found.authoritative = start.metadata.authoritative && found.serial.is_some();
    if !found.authoritative {
        let why = match start.metadata.response_code {
            ResponseCode::NoError => format!("{server} ({address}) doesn't answer for the zone with authority"),
            code => format!("{server} ({address}) doesn't serve the zone: {code}"),
        };
        return ChildServer { problem: Some(why), ..found };
    }
    match ask(address, name, wanted(RecordType::NS)).await {
        Ok(answer) => found.nameservers = nameservers(&answer, name),
        Err(why) => return ChildServer { problem: Some(why), ..found },
    }
    if !digests.is_empty() {
        let checked = match ask(address, name, wanted(RecordType::DNSKEY)).await {
            Ok(keys) => validate(name, &keys.answers, &start.answers, digests),
            Err(why) => Err(why),
        };
        found.secure = checked.is_ok();
        found.problem = checked.err().map(|why| format!("{server} ({address}): {why}"));
    }
    found
}

/// Whether one of the keys is the one that the parent names, signs all keys, and one of them signs the SOA.
fn validate(name: &Name, keys: &[Record], start: &[Record], digests: &[DS]) -> Result<(), String> {
    let all: Vec<&DNSKEY> = keys
        .iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) if record.name == *name => Some(key),
            _ => None,
        })
        .collect();
    if all.is_empty() {
        return Err("the parent has a DS, but the zone has no DNSKEY".into());
    }
    let named = |key: &DNSKEY| {
        let tag = key.calculate_key_tag().ok();
        digests.iter().any(|ds| Some(ds.key_tag()) == tag && ds.covers(name, key).unwrap_or(false))
    };
    let entries: Vec<&DNSKEY> = all.iter().copied().filter(|key| named(key)).collect();
    if entries.is_empty() {
        return Err("no DNSKEY of the zone fits a DS of the parent".into());
    }
    if !signed(name, keys, RecordType::DNSKEY, &entries) {
        return Err("the DNSKEY set isn't signed by the key that the parent's DS names".into());
    }
    match signed(name, start, RecordType::SOA, &all) {
        true => Ok(()),
        false => Err("the SOA isn't signed by a key of the zone, or the signature has run out".into()),
    }
}

fn signed(name: &Name, records: &[Record], kind: RecordType, keys: &[&DNSKEY]) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let of_kind = || records.iter().filter(|record| record.name == *name && record.record_type() == kind);
    records.iter().any(|record| {
        let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data else { return false };
        let input = signature.input();
        let in_time = u64::from(input.sig_inception.get()) <= now + 300 && now <= u64::from(input.sig_expiration.get());
        input.type_covered == kind
            && input.signer_name == *name
            && in_time
            && keys.iter().any(|key| key.verify_rrsig(name, DNSClass::IN, signature, of_kind()).is_ok())
    })
}

fn judge(found: &mut Delegation, expected: &[String]) {
    let mut problems: Vec<String> = Vec::new();
    problems.extend(found.parents.iter().filter_map(|parent| parent.problem.clone()));
    let answered: Vec<&ParentServer> = found.parents.iter().filter(|parent| parent.problem.is_none()).collect();
    if let Some(first) = answered.first() {
        found.nameservers.clone_from(&first.nameservers);
        found.ds.clone_from(&first.ds);
    }
    found.ttl = answered.iter().map(|parent| parent.ttl).max().unwrap_or(0);
    let agreed = answered.iter().all(|parent| parent.nameservers == found.nameservers && parent.ds == found.ds);
    if !agreed {
        problems.push(format!("the servers of {} don't agree yet about {}", found.parent, found.name));
    }
    if found.nameservers.is_empty() {
        problems.push(format!("{} doesn't delegate {}", found.parent, found.name));
    }
    found.delegated = agreed && !found.nameservers.is_empty() && answered.len() == found.parents.len();
    let mut wanted = expected.to_vec();
    wanted.sort();
    wanted.dedup();
    let as_expected = wanted.is_empty() || wanted == found.nameservers;
    if !as_expected && !found.nameservers.is_empty() {
        problems.push(format!(
            "{} names {} for {}, and not {}",
            found.parent,
            found.nameservers.join(", "),
            found.name,
            wanted.join(", ")
        ));
    }
    problems.extend(found.servers.iter().filter_map(|server| server.problem.clone()));
    for server in found.servers.iter().filter(|server| server.authoritative) {
        if server.nameservers != found.nameservers && !found.nameservers.is_empty() {
            problems.push(format!(
                "{} itself says that its name servers are {}",
                server.name,
                server.nameservers.join(", ")
            ));
        }
    }
    let mut serials: Vec<u32> = found.servers.iter().filter_map(|server| server.serial).collect();
    serials.sort_unstable();
    serials.dedup();
    match serials[..] {
        [serial] => found.serial = Some(serial),
        [] => {}
        _ => problems.push(format!("the servers of {} have different serials: {serials:?}", found.name)),
    }
    let authoritative = !found.servers.is_empty() && found.servers.iter().all(|server| server.authoritative);
    found.secure = !found.ds.is_empty() && authoritative && found.servers.iter().all(|server| server.secure);
    found.ok = found.delegated && as_expected && authoritative && found.serial.is_some() && problems.is_empty();
    found.problems = problems;
}

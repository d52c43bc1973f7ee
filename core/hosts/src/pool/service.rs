//! What can be done with names of a pool. The book says who has one; the name servers say what it is. Of the two, the book
//! is written first when a name is taken, and last when it is given back: so nothing is ever on the name servers that no row
//! tells of.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use subtle::ConstantTimeEq as _;
use windlass_model::{Code, Problem, RunId};

use super::{
    Book, Config, Domain, Entry, MemoryBook, Reason, Refused, Row, State,
    adopt::{self, Adopted},
    labels,
};
use crate::{
    authority::{self, Delegation, Hand, NewZone, Server, Servers},
    owner::{self, Organisations, PLATFORM},
};

/// Seconds that others may remember a delegation, and the records below.
pub(super) const TTL: u32 = 300;

/// How often a change is tried again that somebody else's came before.
pub(super) const TRIES: usize = 5;

/// The pool.
pub struct Pool {
    pub(super) config: Config,
    domains: BTreeMap<String, Domain>,
    servers: Arc<Servers>,
    pub(super) book: Arc<dyn Book>,
    rehearses: bool,
}

/// Who takes a name.
pub struct Holder {
    /// The step or the request: who comes again with the same gets the same.
    pub key: String,
    /// The run that it is for.
    pub run: Option<RunId>,
    /// The organisation that it is for.
    pub organisation: String,
    /// Whether the run is still this process's.
    pub holds: Box<dyn Fn() -> bool + Send + Sync>,
    /// Knows what has become of runs, for whoever takes what one of them has left.
    pub adopts: Option<Arc<dyn Organisations>>,
    /// Where a name points that a run has given out which completed, if it is this one's: others aren't taken.
    pub points_to: Option<String>,
}

/// Why somebody may change a name.
pub enum Proof<'a> {
    /// They have the token.
    Token(&'a str),
    /// They are the run that it is reserved for.
    Run(&'a RunId),
    /// They are a run of this organisation, which the name has to be of; the platform may change any.
    Organisation(&'a str),
    /// They are a run of the organisation, and the name was given out by one that has completed, to the same addresses.
    Adopts(&'a RunId, &'a str, &'a dyn Organisations),
    /// They were granted it.
    Granted,
}

/// A name that is reserved now.
#[derive(Debug)]
pub struct Reserved {
    /// The full name.
    pub name: String,
    /// What commits, renews and releases it.
    pub token: String,
    /// When the reservation runs out.
    pub until_ms: i64,
    /// Name servers of its zone.
    pub nameservers: Vec<String>,
    /// DS records that stand in the parent.
    pub ds: Vec<String>,
}

/// A name that was given back.
#[derive(Debug)]
pub struct Released {
    /// Whether it is free at once.
    pub free: bool,
    /// When it will be, if not.
    pub free_at_ms: Option<i64>,
}

/// A name that could be given out.
pub(super) struct Place {
    pub(super) domain: String,
    pub(super) label: String,
    pub(super) name: String,
    pub(super) server: Arc<Server>,
    nameservers: Vec<String>,
    organisations: Vec<String>,
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// Rows of runs that said nothing of it are the platform's.
pub(super) fn owner_of(row: &Row) -> &str {
    if row.organisation.is_empty() { PLATFORM } else { &row.organisation }
}

pub(super) fn hash(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}

pub(super) fn changed_meanwhile(name: &str) -> Problem {
    Problem::new(Code::Conflict, format!("{name} was changed by somebody else at the same moment")).retryable()
}

impl Pool {
    /// Fails when a domain can't be meant.
    pub fn new(config: &Config, servers: Arc<Servers>, book: Arc<dyn Book>) -> Result<Self, Problem> {
        let mut domains = BTreeMap::new();
        for (text, domain) in &config.domains {
            let wrong = |why: &str| Problem::new(Code::Configuration, format!("hosts.pool.domains.{text}: {why}"));
            let name = authority::name(text).map_err(|problem| wrong(&problem.message))?;
            let mut domain = domain.clone();
            let named = domain.nameservers.iter().map(|name| authority::name(name)).collect::<Result<_, _>>();
            domain.nameservers = named.map_err(|problem| wrong(&problem.message))?;
            let server = servers.of(&name, Some(&domain.server).filter(|name| !name.is_empty()).map(String::as_str));
            let server = server.map_err(|problem| wrong(&problem.message))?;
            if domain.nameservers.is_empty() {
                domain.nameservers.clone_from(&server.config.nameservers);
            }
            if domain.nameservers.is_empty() {
                return Err(wrong("it needs `nameservers`, here or at its server"));
            }
            domain.server.clone_from(&server.name);
            domains.insert(name, domain);
        }
        Ok(Self { config: config.clone(), domains, servers, book, rehearses: false })
    }

    /// For a rehearsal; without domains, names are given out under `example.net`.
    pub fn rehearsal(config: &Config, servers: Arc<Servers>) -> Self {
        let mut config = config.clone();
        for domain in config.domains.keys().filter_map(|domain| authority::name(domain).ok()) {
            servers.keep_for_pool(&domain);
        }
        if config.domains.is_empty() {
            config.domains.insert("example.net".into(), Domain::default());
        }
        let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
        let made = Self::new(&config, servers.clone(), book.clone());
        let made = made.unwrap_or_else(|_| Self { config, domains: BTreeMap::new(), servers, book, rehearses: true });
        Self { rehearses: true, ..made }
    }

    /// The domains that names are given out under.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.keys().map(String::as_str)
    }

    pub(super) fn place(&self, domain: &str, label: &str) -> Result<Place, Problem> {
        self.seek(domain, label)?.map_err(Refused::problem)
    }

    fn seek(&self, domain: &str, label: &str) -> Result<Result<Place, Refused>, Problem> {
        let found = authority::name(domain).ok().and_then(|domain| self.domains.get_key_value(&domain));
        let Some((domain, of)) = found else {
            let known = self.domains.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none is configured".to_owned() } else { format!("there are {known}") };
            let shown: String = domain.chars().filter(|letter| !letter.is_control()).take(80).collect();
            return Ok(Err(Refused {
                reason: Reason::UnsupportedPool,
                detail: format!("no names are given out under `{shown}`: {known}"),
            }));
        };
        let label = match labels::label(label, &self.config.reserved) {
            Ok(label) => label,
            Err(refused) => return Ok(Err(refused)),
        };
        let name = format!("{label}.{domain}");
        if let Err(problem) = authority::name(&name) {
            return Ok(Err(Refused { reason: Reason::InvalidFormat, detail: problem.message }));
        }
        let server = self.servers.of(domain, Some(&of.server))?;
        Ok(Ok(Place {
            domain: domain.clone(),
            label,
            name,
            server,
            nameservers: of.nameservers.clone(),
            organisations: of.organisations.clone(),
        }))
    }

    /// Whether the row still keeps others away.
    pub(super) fn keeps(&self, row: &Row) -> Result<bool, Problem> {
        if row.state == State::Active || row.until_ms.is_none_or(|until| until > now_ms()) {
            return Ok(true);
        }
        match (&row.run, row.state) {
            // A reservation must outlive what it is made for, and that takes longer than anybody would wait for a visitor.
            (Some(run), State::Reserved) => self.book.is_open(run),
            _ => Ok(false),
        }
    }

    /// Whether a name can be had; why not.
    pub async fn check(&self, domain: &str, label: &str) -> Result<Option<Refused>, Problem> {
        let place = match self.seek(domain, label)? {
            Ok(place) => place,
            Err(refused) => return Ok(Some(refused)),
        };
        let taken = |detail: String| Some(Refused { reason: Reason::Taken, detail });
        if let Some(entry) = self.book.find(&place.name)? {
            let row = entry.row;
            return Ok(match self.keeps(&row)? {
                true if row.state == State::Releasing => {
                    taken(format!("{} was given back, and rests for a while", row.name))
                }
                true => taken(format!("{} is taken", row.name)),
                false => None,
            });
        }
        Ok(match self.stands(&place).await? {
            true => taken(format!("{} is taken: it stands on the name server", place.name)),
            false => None,
        })
    }

    /// Whether somebody has put the name there by hand.
    async fn stands(&self, place: &Place) -> Result<bool, Problem> {
        let there = match place.server.backend.rrsets(&place.domain, Some(&place.name)).await {
            Err(problem) if self.rehearses && problem.code == Code::NotFound => Vec::new(),
            other => other?,
        };
        Ok(!there.is_empty() || place.server.backend.zone(&place.name).await?.is_some())
    }

    /// Reserves a name: the row first, then its zone, signed, with NS and DS in the parent.
    pub async fn reserve(
        &self,
        domain: &str,
        label: &str,
        holder: &Holder,
        ttl_s: Option<u64>,
    ) -> Result<Reserved, Problem> {
        let place = self.place(domain, label)?;
        if !place.organisations.is_empty() && !owner::may_use(&place.organisations, &holder.organisation) {
            let message =
                format!("names under {} aren't given to the organisation `{}`", place.domain, holder.organisation);
            return Err(Problem::new(Code::PermissionDenied, message)
                .help("`organisations` of the domain under [hosts.pool.domains] names those that may have some")
                .data(serde_json::json!({ "reason": "organisation" }))
                .no_effect());
        }
        let token = hex::encode(rand::random::<[u8; 24]>());
        let ttl_s = ttl_s.unwrap_or(self.config.reservation_s).clamp(1, 7 * 24 * 3_600);
        let until_ms = now_ms().saturating_add(i64::try_from(ttl_s).unwrap_or(i64::MAX).saturating_mul(1_000));
        if self.book.find(&place.name)?.is_none() && self.stands(&place).await? {
            let detail = format!("{} is taken: it stands on the name server", place.name);
            return Err(Refused { reason: Reason::Taken, detail }.problem());
        }
        let mut entry = self.take(&place, holder, &token, until_ms).await?;
        let until_ms = entry.row.until_ms.unwrap_or(i64::MAX);
        let ours = entry.row.key == holder.key;
        match self.build(&place, &mut entry, holder).await {
            Ok(ds) => Ok(Reserved { name: place.name, token, until_ms, nameservers: place.nameservers, ds }),
            Err(problem) => {
                // What may go better the next time is left to that; else nobody keeps a name that can't be had.
                if ours && !problem.retryable && problem.code != Code::LeaseLost {
                    let _ = self.clear(&place.server, entry).await;
                }
                Err(problem)
            }
        }
    }

    /// The row, for this holder.
    async fn take(&self, place: &Place, holder: &Holder, token: &str, until_ms: i64) -> Result<Entry, Problem> {
        let taken = |row: &Row| {
            let detail = match row.state {
                State::Releasing => format!("{} was given back, and rests for a while", row.name),
                _ => format!("{} is taken", row.name),
            };
            Refused { reason: Reason::Taken, detail }.problem()
        };
        for _ in 0..TRIES {
            let (row, seen) = match self.book.find(&place.name)? {
                None => {
                    let row = Row {
                        name: place.name.clone(),
                        domain: place.domain.clone(),
                        label: place.label.clone(),
                        state: State::Reserved,
                        token: hash(token),
                        key: holder.key.clone(),
                        zone_by: None,
                        committed_by: None,
                        run: holder.run.clone(),
                        organisation: holder.organisation.clone(),
                        delegated: false,
                        served: false,
                        addresses: Vec::new(),
                        since_ms: now_ms(),
                        until_ms: Some(until_ms),
                    };
                    self.admit_another(&row, 1)?;
                    (row, 0)
                }
                // An attempt of the same step before this one: nobody has seen its token.
                Some(entry) if entry.row.key == holder.key && entry.row.state == State::Reserved => {
                    (Row { token: hash(token), until_ms: Some(until_ms), ..entry.row }, entry.version)
                }
                Some(entry) if self.keeps(&entry.row)? => match adopt::judged(&entry.row, holder)? {
                    Adopted::Refused => return Err(taken(&entry.row)),
                    Adopted::Kept => return Ok(entry),
                    Adopted::Moved => (adopt::moved(entry.row, holder, hash(token), until_ms), entry.version),
                },
                Some(entry) => {
                    self.clear(&place.server, entry).await?;
                    continue;
                }
            };
            let Some(version) = self.book.put(&row, seen)? else { continue };
            // Once more with it in the book: of two that come at the same moment, neither overlooks the other.
            if seen == 0
                && let Err(problem) = self.admit_another(&row, 0)
            {
                self.book.remove(&row.name, version)?;
                return Err(problem);
            }
            return Ok(Entry { row, version });
        }
        Err(changed_meanwhile(&place.name))
    }

    /// Refuses one name too many that an organisation keeps for itself without using it; `more` come to those in the book.
    fn admit_another(&self, row: &Row, more: usize) -> Result<(), Problem> {
        let most = self.config.reservations as usize;
        if row.organisation == PLATFORM || self.book.reserved(&row.organisation)? + more <= most {
            return Ok(());
        }
        let message =
            format!("`{}` has reserved {most} names already, and none of them is given out", row.organisation);
        Err(Problem::new(Code::LimitExceeded, message)
            .help("commit or release one of them, or wait until they run out; `hosts.pool.reservations` is the limit")
            .data(serde_json::json!({ "limit": most }))
            .no_effect())
    }

    /// The zone, and its delegation with DS; the DS records.
    async fn build(&self, place: &Place, entry: &mut Entry, holder: &Holder) -> Result<Vec<String>, Problem> {
        let still = || {
            if (holder.holds)() {
                Ok(())
            } else {
                Err(Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect())
            }
        };
        let zone = |name: &str| NewZone {
            name: name.to_owned(),
            kind: "Native".into(),
            nameservers: place.nameservers.clone(),
            dnssec: true,
            account: String::new(),
        };
        let keyless = Hand::of_platform();
        if self.rehearses && place.server.backend.zone(&place.domain).await?.is_none() {
            place
                .server
                .create(zone(&place.domain), Some(&owner::Forgotten), &Hand { pool: true, ..Hand::of_platform() })
                .await?;
        }
        still()?;
        let (key, organisation) = (Some(entry.row.zone_key().to_owned()), owner_of(&entry.row).to_owned());
        let hand = Hand { key, organisation, pool: true, ..Hand::of_platform() };
        let created = place.server.create(zone(&place.name), None, &hand).await?;
        still()?;
        if !entry.row.delegated {
            // Noted before it is done: only what we may have put there is taken away again.
            let row = Row { delegated: true, ..entry.row.clone() };
            let version = self.book.put(&row, entry.version)?.ok_or_else(|| changed_meanwhile(&place.name))?;
            *entry = Entry { row, version };
        }
        let to = Delegation { nameservers: place.nameservers.clone(), ds: created.ds.clone(), ttl: TTL };
        place.server.delegate(&place.domain, &place.name, &to, &keyless).await?;
        Ok(created.ds)
    }

    /// Whether a name is reserved for this step.
    pub(super) fn is_of(&self, name: &str, key: &str) -> Result<bool, Problem> {
        Ok(self.book.find(name)?.is_some_and(|entry| entry.row.key == key && entry.row.state == State::Reserved))
    }

    /// The row of a name, for whoever proves that it is theirs.
    pub(super) fn row(&self, name: &str, proof: &Proof) -> Result<Entry, Problem> {
        let none = || Problem::new(Code::NotFound, format!("{name} isn't reserved")).no_effect();
        let entry = self.book.find(name)?.ok_or_else(none)?;
        match proof {
            Proof::Token(token) if !bool::from(hash(token).as_bytes().ct_eq(entry.row.token.as_bytes())) => {
                Err(Problem::new(Code::PermissionDenied, format!("this isn't the token of {name}"))
                    .help("the token is what reserving it gave; it is nowhere else")
                    .no_effect())
            }
            Proof::Organisation(organisation)
                if *organisation != PLATFORM && owner_of(&entry.row) != *organisation =>
            {
                Err(owner::refused(&format!("the name {name}"), organisation))
            }
            Proof::Run(run) if entry.row.run.as_ref() != Some(run) => {
                Err(Problem::new(Code::PermissionDenied, format!("{name} isn't reserved by this run"))
                    .help("a name is given out by the run that reserved it, or over HTTP with the token that reserving it gave there")
                    .no_effect())
            }
            Proof::Adopts(run, organisation, fates) if entry.row.run.as_ref() != Some(run) => {
                adopt::admit(&entry.row, organisation, *fates).map(|()| entry)
            }
            _ => Ok(entry),
        }
    }

    /// Lets a reservation run from now on; when it runs out.
    pub fn renew(&self, domain: &str, label: &str, proof: &Proof) -> Result<i64, Problem> {
        let place = self.place(domain, label)?;
        for _ in 0..TRIES {
            let entry = self.row(&place.name, proof)?;
            self.admit(&entry.row)?;
            let until_ms = self.new_end_ms();
            if entry.row.state == State::Active {
                return Ok(i64::MAX);
            }
            // A run ends. Whoever has a token could keep a name for ever.
            let last_ms = match proof {
                Proof::Token(_) => entry.row.since_ms.saturating_add(ms(self.config.reserved_s)),
                _ => i64::MAX,
            };
            if entry.row.until_ms.is_some_and(|until| until >= last_ms) {
                return Err(Problem::new(Code::Gone, format!("{} was reserved too long ago to run on", place.name))
                    .help("commit it before it runs out; `hosts.pool.reserved_s` is how long it may take")
                    .no_effect());
            }
            let until_ms = until_ms.min(last_ms);
            let row = Row { until_ms: Some(until_ms), ..entry.row };
            if self.book.put(&row, entry.version)?.is_some() {
                return Ok(until_ms);
            }
        }
        Err(changed_meanwhile(&place.name))
    }

    pub(super) fn new_end_ms(&self) -> i64 {
        now_ms().saturating_add(ms(self.config.reservation_s))
    }

    /// Refuses what has run out.
    pub(super) fn admit(&self, row: &Row) -> Result<(), Problem> {
        match row.state {
            State::Releasing => Err(Problem::new(Code::Gone, format!("{} was given back", row.name)).no_effect()),
            _ if self.keeps(row)? => Ok(()),
            _ => Err(Problem::new(Code::Gone, format!("the reservation of {} has run out", row.name))
                .help("reserve it again: nobody has taken it since, as this answer shows")
                .no_effect()),
        }
    }

    /// The server of a row's domain, if names are still given out under it.
    pub(super) fn server_of(&self, row: &Row) -> Option<Arc<Server>> {
        let domain = self.domains.get(&row.domain)?;
        self.servers.of(&row.domain, Some(&domain.server)).ok()
    }
}

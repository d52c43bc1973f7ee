//! Other Sovereigns: whose signed vouchers are redeemed here, and who may ask for what it has redeemed of ours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, Document, DocumentFilter, Expected},
    ledger,
    voucher::Payment,
};

use super::{keys, office::Office};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        kept::PLATFORM,
        users::{checked_name, require_organisation},
    },
};

/// The kind of document.
const KIND: &str = "sovereign";
/// The kind of document that keeps the name and the key of one that isn't trusted any more.
const GONE: &str = "sovereign_gone";
/// Characters of a payment's reference, at most.
const REFERENCE: usize = 64;
/// Sovereigns that one installation trusts, at most.
const MOST: u32 = 500;

/// Another Sovereign.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// How it is called here.
    pub name: String,
    /// Id of its public key.
    pub kid: String,
    /// What is kept of it.
    pub body: Body,
    /// The organisation here that redeems its vouchers, and gets what it pays.
    pub organisation: String,
}

/// What is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Body {
    /// Its public key, base64url.
    pub public_key: String,
    /// Where its API is; empty: nothing is asked of it.
    pub url: String,
    /// What it may owe at a time in each currency, in the smallest unit.
    pub limit: i64,
}

impl Peer {
    fn of(document: Document) -> Result<Self, Problem> {
        let damaged = |error: &dyn std::fmt::Display| {
            Problem::new(Code::Storage, format!("the Sovereign `{}` can't be read: {error}", document.id))
        };
        let body: Body = serde_json::from_value(document.body.clone()).map_err(|error| damaged(&error))?;
        let kid = keys::key_id(&keys::public_key(&body.public_key).map_err(|error| damaged(&error))?);
        Ok(Self { name: document.id, kid, body, organisation: document.organisation })
    }

    /// Its public key.
    pub(super) fn public(&self) -> Result<[u8; 32], Problem> {
        keys::public_key(&self.body.public_key)
    }

    /// All of them.
    pub(super) fn all(engine: &Engine) -> Result<Vec<Self>, Problem> {
        let filter = DocumentFilter { kind: KIND.into(), limit: MOST, ..DocumentFilter::default() };
        engine.documents(&filter)?.into_iter().map(Self::of).collect()
    }

    /// Refuses what it would owe beyond its limit, before anything is begun; the redemption looks once more where it is booked.
    pub(super) fn require_room(&self, engine: &Engine, credit: i64, currency: &str) -> Result<(), Problem> {
        let owed = engine.owed_by(&self.organisation, &self.name, currency)?;
        match owed.saturating_add(credit) <= self.body.limit {
            true => Ok(()),
            false => Err(Problem::new(Code::Gone, "vouchers of this issuer can't be redeemed here at the moment")
                .help("what its Sovereign may owe here is used up; settle with it, or raise its limit")
                .data(json!({ "reason": "limit" }))),
        }
    }
}

/// The Sovereign of this name, if there is one.
pub(super) fn known(engine: &Engine, name: &str) -> Result<Option<Peer>, Problem> {
    let found = if name.contains('\0') { None } else { engine.document(KIND, name)? };
    found.map(Peer::of).transpose()
}

fn absent(name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no Sovereign `{name}`"))
        .help("PUT /api/v1/sovereigns/{name} says which ones are trusted")
}

/// The Sovereign of this name.
pub(super) fn find(engine: &Engine, name: &str) -> Result<Peer, Problem> {
    known(engine, name)?.ok_or_else(|| absent(name))
}

/// Refuses a key and a name that belonged together with others: what is booked under a name is one debtor's for ever.
fn require_same(engine: &Engine, name: &str, kid: &str) -> Result<(), Problem> {
    if let Some(gone) = engine.document_by_key(GONE, kid)?.filter(|gone| gone.id != name) {
        return Err(Problem::new(Code::Conflict, format!("this key was trusted as `{}` before", gone.id))
            .help("trust it under that name again: what was redeemed of its vouchers is booked under it"));
    }
    let before = engine.document(GONE, name)?;
    if before.is_some_and(|before| before.body["key"] != kid) {
        return Err(Problem::new(Code::Conflict, format!("`{name}` had another key before"))
            .help("trust the new key under a new name"));
    }
    Ok(())
}

/// This Sovereign's key.
#[derive(Serialize, JsonSchema)]
struct KeyView {
    /// What others find it by.
    id: String,
    /// The Ed25519 key that its vouchers are signed with, 32 bytes in base64url.
    public_key: String,
}

/// Another Sovereign.
#[derive(Serialize, JsonSchema)]
struct SovereignView {
    name: String,
    /// Id of its key.
    key: String,
    public_key: String,
    /// Where its API is; empty: nothing is asked of it.
    url: String,
    /// The organisation here that redeems its vouchers, and gets what it pays.
    organisation: String,
    /// What it may owe at a time in each currency, in the smallest unit.
    limit: i64,
}

/// A Sovereign to trust.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SovereignBody {
    /// Its Ed25519 key, 32 bytes in base64url, as it tells it at /api/v1/vouchers/key.
    public_key: String,
    /// Where its API is: `https://sovereign.example.net`. http is for loopback only.
    #[serde(default)]
    url: String,
    /// The organisation here that redeems its vouchers, and gets what it pays; if none is named, the platform.
    organisation: Option<String>,
    /// What it may owe at a time in each currency, in the smallest unit.
    limit: i64,
}

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PaymentDirection {
    /// The other Sovereign paid.
    Received,
    /// The other Sovereign was paid.
    Made,
}

/// A payment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PaymentBody {
    /// `received` or `made`.
    direction: PaymentDirection,
    /// In the currency's smallest unit; at most what is owed.
    amount: i64,
    /// ISO 4217.
    currency: String,
    /// What the bank calls it, 1 to 64 characters: the same is booked once.
    reference: String,
    /// The organisation here that it is booked for; if none is named, the one that redeems the Sovereign's vouchers.
    organisation: Option<String>,
}

/// What was booked.
#[derive(Serialize, JsonSchema)]
struct PaymentView {
    /// Its id in the ledger.
    transaction: String,
}

pub(super) fn routes() -> Vec<Route> {
    let manage = |route: Route| route.access(Access::Can(Permission::Administer));
    vec![
        Route::get("/api/v1/vouchers/key", "vouchers", "Show the key that this Sovereign's vouchers are signed with")
            .access(Access::Known)
            .answers::<KeyView>(200)
            .handle(key),
        manage(Route::get("/api/v1/sovereigns", "vouchers", "List the Sovereigns that are trusted"))
            .answers::<Vec<SovereignView>>(200)
            .handle(list),
        manage(Route::put("/api/v1/sovereigns/{name}", "vouchers", "Trust a Sovereign, or change how"))
            .describe(
                "Its signed vouchers are redeemed here from now on, and it may ask for what it has redeemed of ours.",
            )
            .body::<SovereignBody>()
            .answers::<SovereignView>(200)
            .problems(&[Code::InvalidInput, Code::Conflict])
            .handle(put),
        manage(Route::delete("/api/v1/sovereigns/{name}", "vouchers", "Trust a Sovereign no more"))
            .answers_nothing()
            .problems(&[Code::NotFound])
            .handle(delete),
        manage(Route::post("/api/v1/sovereigns/{name}/payments", "vouchers", "Book what was paid to or by a Sovereign"))
            .describe(
                "The money itself is paid outside. What is received counts against what the Sovereign owes, and frees its limit; \
                 what is paid, against what is owed to it. The same reference is booked once.",
            )
            .body::<PaymentBody>()
            .answers::<PaymentView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict])
            .handle(pay),
    ]
}

fn view(peer: Peer) -> SovereignView {
    let Body { public_key, url, limit } = peer.body;
    SovereignView { name: peer.name, key: peer.kid, public_key, url, organisation: peer.organisation, limit }
}

fn key(request: Request) -> Result<Answer, Problem> {
    let sealing = &*request.api.secrets;
    let (id, public_key) = Office::new(&request.api.engine, &sealing).public_key()?;
    Answer::json(&KeyView { id, public_key })
}

fn list(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    Answer::json(&Peer::all(&request.api.engine)?.into_iter().map(view).collect::<Vec<_>>())
}

fn put(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let name = checked_name(request.parameter("name"))?;
    let body: SovereignBody = request.json()?;
    let (engine, sealing) = (&request.api.engine, &*request.api.secrets);
    let public = keys::public_key(&body.public_key)?;
    let kid = keys::key_id(&public);
    if Office::new(engine, &sealing).public_key()?.0 == kid {
        return Err(Problem::new(Code::InvalidInput, "that is this Sovereign's own key")
            .data(json!({ "pointer": "/public_key" })));
    }
    let others = Peer::all(engine)?;
    if let Some(other) = others.iter().find(|other| other.kid == kid && other.name != name) {
        return Err(Problem::new(Code::Conflict, format!("`{}` has this key already", other.name)));
    }
    if others.len() >= MOST as usize {
        return Err(Problem::new(Code::Conflict, format!("{MOST} Sovereigns are trusted: that is the most")));
    }
    let before = others.into_iter().find(|other| other.name == name);
    // A voucher that was redeemed is booked under the name: another key under it would be another debtor.
    if before.as_ref().is_some_and(|before| before.kid != kid) {
        return Err(Problem::new(Code::Conflict, format!("`{name}` has another key"))
            .help("trust the new key under a new name"));
    }
    let url = checked_url(&body.url)?;
    if body.limit < 0 {
        return Err(Problem::new(Code::InvalidInput, "a limit isn't below 0").data(json!({ "pointer": "/limit" })));
    }
    let organisation = body.organisation.unwrap_or_else(|| PLATFORM.to_owned());
    if organisation != PLATFORM {
        require_organisation(engine, &organisation)?;
    }
    require_same(engine, &name, &kid)?;
    let after = json!(Body { public_key: body.public_key.trim().to_owned(), url, limit: body.limit });
    let was = before.map_or(Value::Null, |before| json!(before.body));
    let change = Change::Put {
        kind: KIND.into(),
        id: name.clone(),
        organisation: organisation.clone(),
        body: after.clone(),
        keys: vec![kid],
        expires_at_ms: None,
        expected: Expected::Any,
    };
    request.audited("sovereign.trust", &organisation, &name, was, after).change(vec![change])?;
    Answer::json(&view(find(engine, &name)?))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let found = find(&request.api.engine, request.parameter("name"))?;
    let changes = vec![
        Change::Delete { kind: KIND.into(), id: found.name.clone(), expected: Expected::Present },
        Change::Put {
            kind: GONE.into(),
            id: found.name.clone(),
            organisation: PLATFORM.into(),
            body: json!({ "key": found.kid, "organisation": found.organisation }),
            keys: vec![found.kid.clone()],
            expires_at_ms: None,
            expected: Expected::Any,
        },
    ];
    let audited = request.audited("sovereign.forget", &found.organisation, &found.name, json!(found.body), Value::Null);
    audited.change(changes)?;
    Ok(Answer::nothing())
}

fn pay(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let (engine, name) = (&request.api.engine, request.parameter("name"));
    let body: PaymentBody = request.json()?;
    // One that isn't trusted any more still pays what it owes.
    let organisation = match known(engine, name)? {
        Some(peer) => peer.organisation,
        None if name.contains('\0') => return Err(absent(name)),
        None => {
            let gone = engine.document(GONE, name)?.ok_or_else(|| absent(name))?;
            gone.body["organisation"].as_str().unwrap_or(PLATFORM).to_owned()
        }
    };
    let wrong = |field: &str, message: String| {
        Problem::new(Code::InvalidInput, message).data(json!({ "pointer": format!("/{field}") }))
    };
    if !(1..=super::office::WORTH).contains(&body.amount) {
        return Err(wrong("amount", format!("an amount is 1 to {}, in the smallest unit", super::office::WORTH)));
    }
    let plain = body.reference.bytes().all(|byte| byte.is_ascii_graphic());
    if body.reference.is_empty() || body.reference.len() > REFERENCE || !plain {
        return Err(wrong(
            "reference",
            format!("a reference has 1 to {REFERENCE} characters of ASCII, without spaces"),
        ));
    }
    let organisation = body.organisation.unwrap_or(organisation);
    if organisation.contains('\0') {
        return Err(wrong("organisation", "there is no such organisation".to_owned()));
    }
    let payment = Payment {
        peer: name.to_owned(),
        organisation: organisation.clone(),
        received: body.direction == PaymentDirection::Received,
        amount: body.amount,
        currency: ledger::currency(&body.currency).map_err(|error| error.data(json!({ "pointer": "/currency" })))?,
        reference: body.reference,
    };
    let after = json!({
        "received": payment.received, "amount": payment.amount, "currency": payment.currency, "reference": payment.reference,
    });
    let audited = request.audited("sovereign.payment", &organisation, name, Value::Null, after);
    Answer::json(&PaymentView { transaction: audited.book_payment(payment)? })
}

/// Where claims are sent: by https, or on this machine.
fn checked_url(text: &str) -> Result<String, Problem> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() {
        return Ok(String::new());
    }
    let wrong = || {
        Problem::new(Code::InvalidInput, format!("`{text}` isn't an address that claims can be sent to"))
            .help("`https://` and a host; http is for loopback only")
            .data(json!({ "pointer": "/url" }))
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(wrong()),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && text.len() <= 500;
    match url.scheme() {
        "https" if plain => Ok(text.to_owned()),
        "http" if plain && loopback => Ok(text.to_owned()),
        _ => Err(wrong()),
    }
}

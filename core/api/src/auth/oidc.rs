//! Log-in through an OpenID provider: code flow with PKCE, state and nonce. What the browser has to bring back stands sealed
//! in a cookie of its own, so every node can go on with what another began.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use url::Url;
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use super::{
    binding::Binding,
    jwt::{self, Keys, Refused, Wanted},
    kept::{By, External, User, UserBody, now_ms},
    secret, users,
};
use crate::services::Secrets;

/// A provider, as the configuration describes it.
#[derive(Clone, Debug, Default)]
pub struct OidcConfig {
    /// Where it is; `/.well-known/openid-configuration` tells the rest.
    pub issuer: String,
    /// What it knows us by.
    pub client_id: String,
    /// What we prove it with; empty: PKCE alone.
    pub client_secret: String,
    /// Domains of e-mail addresses that are let in; none: all.
    pub email_domains: Vec<String>,
    /// The organisation of users who come in this way.
    pub organisation: String,
    /// The claim that says what they may do: a text or a list of texts.
    pub roles_claim: String,
    /// What each of its values gives; `*`: everybody. If there are any, they are applied at every log-in.
    pub roles: BTreeMap<String, Vec<Binding>>,
}

/// How long the browser has for the way to the provider and back.
const WAY_MS: i64 = 600_000;
/// How long what the provider says of itself is believed.
const FRESH: Duration = Duration::from_secs(600);
/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of such an answer at most.
const ANSWER_BYTES: usize = 1 << 20;

/// What the provider says of itself.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    #[serde(deserialize_with = "address")]
    authorization_endpoint: Url,
    #[serde(deserialize_with = "address")]
    token_endpoint: Url,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "perhaps_address")]
    userinfo_endpoint: Option<Url>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn perhaps_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    address(from).map(Some)
}

#[derive(Deserialize)]
struct Exchanged {
    id_token: String,
    access_token: String,
}

/// What the browser has to bring back.
#[derive(Serialize, Deserialize)]
struct Way {
    state: String,
    nonce: String,
    verifier: String,
    until_ms: i64,
}

/// Where the browser goes, and what it takes along.
pub struct Departure {
    /// The provider's page.
    pub location: String,
    /// For the cookie.
    pub sealed: String,
}

/// Who came back.
pub struct Claims(Map<String, Value>);

/// All providers.
pub struct Oidc {
    providers: BTreeMap<String, OidcConfig>,
    known: Mutex<HashMap<String, (Instant, Arc<Metadata>)>>,
}

fn unavailable(provider: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Unavailable, format!("the OpenID provider `{provider}` can't be used: {why}"))
        .help("its answers are in the server's log; `auth.oidc` in windlass.toml says where it is")
}

fn refused(why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Unauthenticated, format!("the log-in didn't succeed: {why}"))
        .help("begin again at /api/v1/session/oidc/<provider>")
}

impl Oidc {
    /// With these providers.
    pub fn new(providers: BTreeMap<String, OidcConfig>) -> Self {
        Self { providers, known: Mutex::default() }
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.providers.keys().cloned().collect()
    }

    /// What the configuration says of one.
    pub fn provider(&self, name: &str) -> Result<&OidcConfig, Problem> {
        self.providers.get(name).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("there is no OpenID provider `{name}`"))
                .help("`auth.oidc` in windlass.toml names them")
        })
    }

    async fn metadata(&self, name: &str) -> Result<Arc<Metadata>, Problem> {
        if let Some((since, known)) = self.known.lock().get(name)
            && since.elapsed() < FRESH
        {
            return Ok(known.clone());
        }
        let issuer = &self.provider(name)?.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = fetch(name, client(name)?.get(url)).await?;
        if metadata.issuer != *issuer {
            return Err(unavailable(name, format!("it calls itself `{}`", metadata.issuer)));
        }
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        if !endpoints.into_iter().chain(&metadata.userinfo_endpoint).all(|url| url.scheme() == "https" || local(url)) {
            return Err(unavailable(name, "it wants to be spoken to without TLS"));
        }
        let metadata = Arc::new(metadata);
        self.known.lock().insert(name.to_owned(), (Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// The way to the provider.
    pub async fn depart(&self, name: &str, callback: &str, secrets: Arc<dyn Secrets>) -> Result<Departure, Problem> {
        let provider = self.provider(name)?;
        let metadata = self.metadata(name).await?;
        let word = secret::random_hex;
        let way = Way { state: word(), nonce: word(), verifier: word(), until_ms: now_ms() + WAY_MS };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(way.verifier.as_bytes()));
        let mut location = metadata.authorization_endpoint.clone();
        location.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &provider.client_id),
            ("redirect_uri", callback),
            ("scope", "openid email profile"),
            ("state", &way.state),
            ("nonce", &way.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let (context, text) = (format!("oidc/{name}"), serde_json::json!(way).to_string());
        let sealed = blocking(move || secrets.seal(&context, &text)).await?;
        Ok(Departure { location: location.into(), sealed: URL_SAFE_NO_PAD.encode(sealed) })
    }

    /// Who came back from the provider, with this in the query and that in the cookie.
    pub async fn arrive(
        &self,
        name: &str,
        callback: &str,
        (code, state): (&str, &str),
        sealed: &str,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Claims, Problem> {
        let provider = self.provider(name)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let sealed = sealed.ok_or_else(|| refused("the cookie of the way there is damaged"))?;
        let context = format!("oidc/{name}");
        let opened = blocking(move || secrets.unseal(&context, &sealed)).await;
        let way = opened.ok().and_then(|text| serde_json::from_str::<Way>(&text).ok());
        let way = way.ok_or_else(|| refused("the cookie of the way there is damaged"))?;
        if way.until_ms <= now_ms() {
            return Err(refused("it took too long"));
        }
        if !secret::same(&way.state, state) {
            return Err(refused("another browser, or another window of this one, has begun it"));
        }
        let metadata = self.metadata(name).await?;
        let exchanged = exchange(
            name,
            provider,
            &metadata,
            &[("code", code), ("redirect_uri", callback), ("code_verifier", &way.verifier)],
        )
        .await?;
        let wanted =
            Wanted { issuer: &metadata.issuer, client: &provider.client_id, nonce: &way.nonce, now: now_ms() / 1_000 };
        let keys: Keys = fetch(name, client(name)?.get(metadata.jwks_uri.clone())).await?;
        let mut claims = jwt::verify(&exchanged.id_token, &keys, &wanted).map_err(|why| match why {
            Refused::UnknownKey => refused("no key of the provider fits its id token"),
            Refused::Because(why) => refused(format!("the provider's id token can't be believed: {why}")),
        })?;
        let complete = claims.contains_key("email")
            && (provider.roles_claim.is_empty() || claims.contains_key(&provider.roles_claim));
        if let (false, Some(url)) = (complete, &metadata.userinfo_endpoint) {
            let asked = client(name)?.get(url.clone()).bearer_auth(&exchanged.access_token);
            let more: Map<String, Value> = fetch(name, asked).await?;
            if more.get("sub") != claims.get("sub") {
                return Err(refused("the provider tells of somebody else"));
            }
            for (claim, value) in more {
                claims.entry(claim).or_insert(value);
            }
        }
        Ok(Claims(claims))
    }
}

/// Exchanges the code for tokens.
async fn exchange(
    name: &str,
    provider: &OidcConfig,
    metadata: &Metadata,
    fields: &[(&str, &str)],
) -> Result<Exchanged, Problem> {
    let mut fields = [&[("grant_type", "authorization_code")][..], fields].concat();
    let mut request = client(name)?.post(metadata.token_endpoint.clone());
    request = match provider.client_secret.as_str() {
        "" => {
            fields.push(("client_id", &provider.client_id));
            request
        }
        // Both are form-encoded before they go into the header (RFC 6749, 2.3.1).
        secret => request.basic_auth(encoded(&provider.client_id), Some(encoded(secret))),
    };
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    fetch(name, request).await.map_err(|problem| {
        tracing::warn!(%problem, "a code wasn't exchanged");
        refused("the provider didn't accept the code")
    })
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn local(url: &Url) -> bool {
    url.scheme() == "http" && super::local_host(url)
}

fn client(name: &str) -> Result<reqwest::Client, Problem> {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| unavailable(name, error))
}

/// JSON of a bounded length.
async fn fetch<T: DeserializeOwned>(name: &str, request: reqwest::RequestBuilder) -> Result<T, Problem> {
    // A URL may hold what is nobody's business.
    let failed = |error: reqwest::Error| unavailable(name, error.without_url());
    let mut response = request.header("accept", "application/json").send().await.map_err(failed)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if body.len() + piece.len() > ANSWER_BYTES {
            return Err(unavailable(name, "its answer is too long"));
        }
        body.extend_from_slice(&piece);
    }
    if !status.is_success() {
        let known: Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = known["error"].as_str().unwrap_or_default().chars().take(100).collect::<String>();
        return Err(unavailable(name, format!("it answered {} {error}", status.as_u16())));
    }
    serde_json::from_slice(&body).map_err(|error| unavailable(name, format!("its answer can't be read: {error}")))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new(Code::Internal, format!("a task broke down: {error}"))))
}

impl Claims {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The e-mail address, if the provider vouches for it.
    fn email(&self) -> Option<String> {
        let verified = self.0.get("email_verified") == Some(&Value::Bool(true));
        users::checked_email(self.text("email")).ok().filter(|_| verified)
    }

    fn bindings(&self, provider: &OidcConfig) -> Vec<Binding> {
        let values: Vec<&str> = match self.0.get(&provider.roles_claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let given = provider.roles.iter().filter(|(value, _)| *value == "*" || values.contains(&value.as_str()));
        let mut bindings: Vec<Binding> = Vec::new();
        for binding in given.flat_map(|(_, bindings)| bindings) {
            if !bindings.contains(binding) {
                bindings.push(binding.clone());
            }
        }
        bindings
    }

    /// The user whom the provider vouches for: known by its id for them and by nothing else, or made now.
    pub fn user(&self, engine: &Engine, name: &str, provider: &OidcConfig, address: &str) -> Result<User, Problem> {
        let subject = self.text("sub").to_owned();
        let email = self.email();
        let domain = email.as_deref().and_then(|email| email.rsplit_once('@')).map_or("", |(_, domain)| domain);
        if !provider.email_domains.is_empty()
            && !provider.email_domains.iter().any(|one| one.eq_ignore_ascii_case(domain))
        {
            return Err(Problem::new(Code::PermissionDenied, "your e-mail address isn't one of those that are let in")
                .help("the provider has to say that it is verified; `auth.oidc` in windlass.toml lists the domains"));
        }
        let by = By { actor: format!("oidc:{name}"), source: address.to_owned() };
        let bindings = self.bindings(provider);
        if let Some(user) = User::find_by_key(engine, &format!("{name}|{subject}"))? {
            if user.body.disabled {
                return Err(refused("this user is kept out"));
            }
            if provider.roles.is_empty() || user.body.bindings == bindings {
                return Ok(user);
            }
            let body = UserBody { bindings, ..user.body.clone() };
            return users::update(engine, &by, "user.update", &user, body);
        }
        let email = match email {
            // An address that somebody has here already is theirs.
            Some(email) if User::find_by_key(engine, &email)?.is_none() => Some(email),
            _ => None,
        };
        let body = UserBody {
            title: self.text("name").chars().filter(|letter| !letter.is_control()).take(50).collect(),
            email,
            bindings,
            external: Some(External { provider: name.to_owned(), subject }),
            ..UserBody::default()
        };
        let wanted = self.wished_name(name);
        for number in 1..100 {
            let name = if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
            if User::find(engine, &name)?.is_some() {
                continue;
            }
            match users::create(engine, &by, &name, &provider.organisation, body.clone()) {
                Err(problem) if problem.code == Code::Conflict => {}
                other => return other,
            }
        }
        Err(Problem::new(Code::Conflict, format!("there are too many users called `{wanted}`")))
    }

    fn wished_name(&self, provider: &str) -> String {
        let email = self.text("email").split('@').next().unwrap_or_default();
        let wishes = [self.text("preferred_username"), email, self.text("sub")];
        let clean = |wish: &str| -> String {
            let known = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
            let wish = wish.split('@').next().unwrap_or_default().to_ascii_lowercase();
            wish.chars().filter(known).skip_while(|letter| !letter.is_ascii_alphanumeric()).take(48).collect()
        };
        wishes.into_iter().map(clean).find(|wish| !wish.is_empty()).unwrap_or_else(|| provider.to_owned())
    }
}

//! Logging in with a name and a password. Whatever is wrong, the answer and the time it takes are the same.

use std::{net::IpAddr, time::Instant};

use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use super::{
    Auth, Opened,
    kept::{By, User, UserBody, now_ms},
    links, password,
    refusals::How,
    sessions, totp, users,
};

/// What somebody logs in with.
pub struct Credentials<'a> {
    /// Name or e-mail address.
    pub name: &'a str,
    /// Password.
    pub password: &'a str,
    /// Code of the second factor.
    pub code: Option<&'a str>,
}

impl Auth {
    /// Opens a session for whoever knows the password, and the code if one is asked for.
    pub fn log_in(
        &self,
        engine: &Engine,
        credentials: &Credentials,
        address: IpAddr,
        agent: &str,
    ) -> Result<Opened, Problem> {
        let user = users::by_login(engine, credentials.name)?;
        let account = user.as_ref().map_or(credentials.name, |user| &user.id).to_lowercase();
        let note = |how| self.refusals.note(how, user.as_ref(), address);
        self.throttle.attempt(&account, address, Instant::now()).inspect_err(|_| note(How::Throttled))?;
        let wrong = || {
            note(How::Password);
            Problem::new(Code::Unauthenticated, "the name or the password is wrong")
                .help("an admin can set a new password: `windlass users reset-password`")
        };
        let let_in = user.as_ref().filter(|user| !user.body.disabled);
        let kept = let_in.and_then(|user| user.body.password.as_deref());
        let fits = password::verify(kept, credentials.password)?;
        let user = let_in.filter(|_| fits).ok_or_else(wrong)?;
        if users::has_totp(user) {
            // The password was right: without a code this is no failure yet.
            let Some(code) = credentials.code else {
                self.throttle.forgive(&account, address, Instant::now());
                return Err(totp::missing());
            };
            self.spend_code(engine, user, code, address).inspect_err(|problem| {
                if problem.code == Code::Unauthenticated {
                    note(How::Code);
                }
            })?;
        }
        self.throttle.succeeded(&account, address, Instant::now());
        let by = By { actor: user.id.clone(), source: address.to_string() };
        sessions::open(engine, &by, user, agent, self.config.session_max_ms, "password")
    }

    /// Opens a session for whoever has a link that wasn't used, and sets the password that they choose.
    pub fn log_in_by_link(
        &self,
        engine: &Engine,
        (token, password): (&str, &str),
        address: IpAddr,
        agent: &str,
    ) -> Result<Opened, Problem> {
        // The word has 256 bits: counting its tries keeps the log readable, and guesses from an address bounded.
        self.throttle.attempt("login link", address, Instant::now()).inspect_err(|_| {
            self.refusals.note(How::Throttled, None, address);
        })?;
        let user =
            links::spend(engine, token, password, &address.to_string()).inspect_err(|problem| match problem.code {
                Code::Unauthenticated => self.refusals.note(How::Token, None, address),
                _ => self.throttle.forgive("login link", address, Instant::now()),
            })?;
        self.throttle.forgive("login link", address, Instant::now());
        self.forget();
        let by = By { actor: user.id.clone(), source: address.to_string() };
        sessions::open(engine, &by, &user, agent, self.config.session_max_ms, "link")
    }

    /// Whether a user who is logged in knows their password; counted as log-ins are.
    pub fn require_password(&self, user: &User, password: &str, address: IpAddr) -> Result<(), Problem> {
        self.count_try(user, address)?;
        if !password::verify(user.body.password.as_deref(), password)? {
            self.wrong_again(How::Password, user, address);
            return Err(Problem::new(Code::InvalidInput, "the present password is wrong")
                .data(serde_json::json!({ "pointer": "/current" })));
        }
        self.throttle.succeeded(&user.id, address, Instant::now());
        Ok(())
    }

    /// Counts a try at something of a user who is logged in.
    pub fn count_try(&self, user: &User, address: IpAddr) -> Result<(), Problem> {
        let tried = self.throttle.attempt(&user.id, address, Instant::now());
        tried.inspect_err(|_| self.wrong_again(How::Throttled, user, address))
    }

    /// Notes that somebody who is logged in didn't know what only this user can know.
    pub(crate) fn wrong_again(&self, how: How, user: &User, address: IpAddr) {
        self.refusals.note_by(how, &user.id, Some(user), address);
    }

    /// Takes a code of the second factor; it isn't taken again.
    fn spend_code(&self, engine: &Engine, user: &User, code: &str, address: IpAddr) -> Result<(), Problem> {
        let wrong = || {
            Problem::new(Code::Unauthenticated, "the code is wrong, or was used already")
                .help("wait for the next code; if codes never fit, the clock of the phone or of the server is off")
                .data(serde_json::json!({ "totp": true, "pointer": "/code" }))
        };
        let Some(kept) = &user.body.totp else { return Ok(()) };
        let used = totp::check(&*self.secrets, &user.id, kept, code, now_ms())?.ok_or_else(wrong)?;
        let body = UserBody { totp: Some(totp::spend(kept, &used)), ..user.body.clone() };
        let after = User { body, ..user.clone() };
        let outcome = match used {
            totp::Used::Step(_) => engine.change(vec![after.put()?]).map(drop),
            totp::Used::Recovery(_) => {
                let by = By { actor: user.id.clone(), source: address.to_string() };
                users::update(engine, &by, "user.recovery_code", user, after.body).map(drop)
            }
        };
        // Two log-ins with the same code at once: one of them changed the user first.
        outcome.map_err(|problem| if problem.code == Code::Conflict { wrong() } else { problem })
    }
}

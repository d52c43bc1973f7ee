//! Why a provider didn't do what was asked: ten kinds that are told apart in words, whichever plugin tells them.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

/// Longest `retry_after` that is believed, in seconds.
const LONGEST_PATIENCE_S: u64 = 3_600;

/// The kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Key, token or password are wrong.
    InvalidCredentials,
    /// They are right, and may not do this.
    InsufficientRights,
    /// They are right, but not from this address.
    IpNotAllowed,
    /// The account as such is kept from the interface.
    AccountNotEligible,
    /// The domain belongs to somebody else, or to nobody.
    DomainNotInAccount,
    /// The registry behind the domain can't do it.
    UnsupportedTld,
    /// The registrar can't do it.
    UnsupportedOperation,
    /// Too much was asked.
    RateLimited,
    /// It was understood, and refused for a reason of its own.
    Rejected,
    /// It didn't answer, or with a failure of its own.
    ProviderUnavailable,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::InvalidCredentials,
        Self::InsufficientRights,
        Self::IpNotAllowed,
        Self::AccountNotEligible,
        Self::DomainNotInAccount,
        Self::UnsupportedTld,
        Self::UnsupportedOperation,
        Self::RateLimited,
        Self::Rejected,
        Self::ProviderUnavailable,
    ];

    /// As plugins write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "invalid_credentials",
            Self::InsufficientRights => "insufficient_rights",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::AccountNotEligible => "account_not_eligible",
            Self::DomainNotInAccount => "domain_not_in_account",
            Self::UnsupportedTld => "unsupported_tld",
            Self::UnsupportedOperation => "unsupported_operation",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::ProviderUnavailable => "provider_unavailable",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidCredentials => (
                "doesn't know these credentials",
                "compare key, user and password with what the registrar shows; a new key may be needed",
            ),
            Self::InsufficientRights => {
                ("knows the credentials, but they may not do this", "give the key the missing right at the registrar")
            }
            Self::IpNotAllowed => (
                "knows the credentials, but not from this address",
                "add this server's public address to the list of allowed addresses at the registrar",
            ),
            Self::AccountNotEligible => (
                "doesn't open its interface to this account",
                "the registrar tells what an account needs: a number of domains, a balance, or the interface switched on",
            ),
            Self::DomainNotInAccount => {
                ("doesn't have this domain in this account", "look for the account in which the domain is registered")
            }
            Self::UnsupportedTld => {
                ("can't do this for domains with this ending", "do it by hand, or move the domain to another registrar")
            }
            Self::UnsupportedOperation => ("can't do this at all", "do it by hand at the registrar"),
            Self::RateLimited => ("was asked too often", "it is tried again when the registrar's time is over"),
            Self::Rejected => ("refused it", "the registrar's own words are in the message"),
            Self::ProviderUnavailable => {
                ("didn't answer as it should", "it is tried again; see the registrar's status page")
            }
        }
    }

    /// The error that people see: `plugin` is its name, `reason` the provider's own words.
    pub fn problem(self, plugin: &str, reason: &str, data: &Value) -> Problem {
        let (words, help) = self.words();
        let message = match reason.trim() {
            "" => format!("{plugin} {words}"),
            reason => format!("{plugin} {words}: {reason}"),
        };
        let passes = matches!(self, Self::RateLimited | Self::ProviderUnavailable);
        let mut facts = json!({ "kind": self.as_str(), "plugin": plugin, "reason": reason });
        if let Some(seconds) = data["retry_after"].as_u64() {
            facts["retry_after"] = seconds.min(LONGEST_PATIENCE_S).into();
        }
        let code = if passes { Code::Unavailable } else { Code::RegistrarRefused };
        let problem = Problem::new(code, message).help(help).data(facts);
        if passes { problem.retryable() } else { problem }
    }

    /// The kind of an error that `problem` has made.
    pub fn of(problem: &Problem) -> Option<Self> {
        problem.data["kind"].as_str().and_then(Self::parse)
    }
}

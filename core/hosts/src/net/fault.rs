//! What a network stack answers when it refuses: the kernel's own numbers, so that kernel and twin can be compared.

use serde_json::json;
use windlass_model::{Code, Problem};

use crate::privileges;

/// An error number with a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As in `errno(3)`.
    pub errno: i32,
    /// What was refused, and the kernel's own words if it gave any.
    pub detail: String,
}

impl Fault {
    /// An error number with a few words.
    pub fn new(errno: i32, detail: impl Into<String>) -> Self {
        Self { errno, detail: detail.into() }
    }

    /// From an input/output error.
    pub fn io(error: &std::io::Error, detail: impl Into<String>) -> Self {
        Self::new(error.raw_os_error().unwrap_or(libc::EIO), detail)
    }

    /// Whether it is there already.
    pub fn exists(&self) -> bool {
        self.errno == libc::EEXIST
    }

    /// Whether it isn't there (any more).
    pub fn missing(&self) -> bool {
        matches!(self.errno, libc::ENODEV | libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL | libc::ENXIO)
    }

    /// Whether this stack can't do it at all.
    pub fn unsupported(&self) -> bool {
        matches!(self.errno, libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
    }

    /// Whether whoever asked may not do it on this machine.
    pub fn refused(&self) -> bool {
        matches!(self.errno, libc::EPERM | libc::EACCES)
    }

    /// For people: `what` says what was tried.
    pub fn problem(&self, what: impl std::fmt::Display) -> Problem {
        let words = nix::errno::Errno::from_raw(self.errno).desc();
        let detail = if self.detail.is_empty() { String::new() } else { format!(" ({})", self.detail) };
        let problem =
            Problem::new(self.code(), format!("{what}: {words}{detail}")).data(json!({ "errno": self.errno }));
        match self.help() {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    fn code(&self) -> Code {
        match self.errno {
            libc::EEXIST => Code::Conflict,
            _ if self.missing() => Code::NotFound,
            _ if self.unsupported() || self.refused() => Code::Unsupported,
            libc::EINVAL | libc::ERANGE | libc::ENETUNREACH | libc::EHOSTUNREACH => Code::InvalidArgument,
            _ => Code::System,
        }
    }

    fn help(&self) -> Option<String> {
        if self.refused() {
            let general = || "network devices need root, or CAP_NET_ADMIN and CAP_SYS_ADMIN".to_owned();
            return Some(privileges::help().unwrap_or_else(general));
        }
        let fixed = match self.errno {
            libc::ENETUNREACH | libc::EHOSTUNREACH => {
                Some("the gateway must be on a network that the namespace has an address in, on a link that is up")
            }
            libc::EOPNOTSUPP => Some("net::capabilities() says what this kernel can do"),
            _ => None,
        };
        fixed.map(str::to_owned)
    }
}

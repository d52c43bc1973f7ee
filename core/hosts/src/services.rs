//! What modules need of the process that they are part of. Each is a trait of the module that needs it; the server implements
//! them. A process that has none of it says so when a script asks.

use std::sync::Arc;

use serde_json::Value;
use windlass_model::{
    Code, Problem, RunId,
    ledger::Balance,
    voucher::{BatchRecord, Closed, RedemptionRecord, Totals, VoucherRecord},
};

use crate::{
    authority::Shared,
    claim::{Claims, Offer, Offered, Step},
    notify::{Target, Targets},
    org::{self, House},
    owner::Organisations,
    passwords::Passwords,
    pool::{Book, Entry, Row},
    registrar::{Plugins, Source},
    voucher::{self, Vouchers},
};

/// What the process gives to modules.
#[derive(Clone)]
pub struct Services {
    /// Keeps claims.
    pub claims: Arc<dyn Claims>,
    /// Knows the plugins that were approved.
    pub plugins: Arc<dyn Plugins>,
    /// The name servers that several modules write to.
    pub name_servers: Shared,
    /// Keeps who has which name of a pool.
    pub names: Arc<dyn Book>,
    /// Keeps organisations.
    pub house: Arc<dyn House>,
    /// Knows where messages go.
    pub targets: Arc<dyn Targets>,
    /// Knows whose a run is.
    pub organisations: Arc<dyn Organisations>,
    /// Keeps vouchers and the ledger.
    pub vouchers: Arc<dyn Vouchers>,
}

impl Services {
    /// Makes passwords as claims' secrets are made.
    pub fn passwords(&self) -> Arc<dyn Passwords> {
        Arc::new(AsClaims(self.claims.clone()))
    }
}

struct AsClaims(Arc<dyn Claims>);

impl Passwords for AsClaims {
    fn make(&self, (run, key): (&RunId, &str), name: &str, bytes: usize, to: &[String]) -> Result<String, Problem> {
        self.0.generate(&Step { run, key }, name, bytes, to).map(|(secret, _)| secret)
    }

    fn forget(&self, run: &RunId, name: &str, by: Option<&str>) -> Result<(), Problem> {
        self.0.forget(run, name, by)
    }
}

impl Default for Services {
    /// Nothing: for looking at what there is, and for tests of modules that need none of it.
    fn default() -> Self {
        Self {
            claims: Arc::new(Absent),
            plugins: Arc::new(Absent),
            name_servers: Shared::default(),
            names: Arc::new(Absent),
            house: Arc::new(Absent),
            targets: Arc::new(Absent),
            organisations: Arc::new(Absent),
            vouchers: Arc::new(Absent),
        }
    }
}

struct Absent;

impl Absent {
    fn problem<T>(what: &str) -> Result<T, Problem> {
        let message = format!("this process keeps no {what}");
        Err(Problem::new(Code::Unavailable, message).help("run it at a server: `windlass serve`").no_effect())
    }
}

impl Claims for Absent {
    fn generate(&self, _: &Step<'_>, _: &str, _: usize, _: &[String]) -> Result<(String, bool), Problem> {
        Self::problem("secrets")
    }

    fn forget(&self, _: &RunId, _: &str, _: Option<&str>) -> Result<(), Problem> {
        Self::problem("secrets")
    }

    fn returned(&self, _: &RunId, _: &str, _: &str) -> Result<Option<String>, Problem> {
        Self::problem("secrets")
    }

    fn offer(&self, _: &Offer) -> Result<Offered, Problem> {
        Self::problem("claims")
    }

    fn withdraw(&self, _: &str, _: &RunId, _: Option<&str>) -> Result<(), Problem> {
        Self::problem("claims")
    }
}

impl Plugins for Absent {
    fn organisation(&self, _: &RunId) -> Result<String, Problem> {
        Self::problem("plugins")
    }

    fn approved(&self, _: &str, _: &RunId) -> Result<Arc<Source>, Problem> {
        Self::problem("plugins")
    }

    fn keep(&self, _: Option<&str>, _: &str, _: &Value, _: Option<&str>) -> Result<(), Problem> {
        Self::problem("values")
    }

    fn setters(&self, _: &str) -> Result<Vec<String>, Problem> {
        Self::problem("values")
    }

    fn undone(&self, _: &str, _: &str) -> Result<(), Problem> {
        Self::problem("values")
    }

    fn fate(&self, _: &RunId) -> Result<crate::owner::Fate, Problem> {
        Self::problem("runs")
    }

    fn kept(&self, _: &str) -> Result<Option<Value>, Problem> {
        Self::problem("values")
    }
}

impl House for Absent {
    fn create(&self, _: &org::Step<'_>, _: &org::NewOrganisation) -> Result<Value, Problem> {
        Self::problem("organisations")
    }

    fn remove(&self, _: &org::Step<'_>, _: &str, _: Option<&str>) -> Result<bool, Problem> {
        Self::problem("organisations")
    }

    fn invite(&self, _: &org::Step<'_>, _: &str, _: &str, _: &str) -> Result<Value, Problem> {
        Self::problem("organisations")
    }

    fn withdraw(&self, _: &org::Step<'_>, _: &str, _: &str, _: Option<&str>) -> Result<bool, Problem> {
        Self::problem("organisations")
    }

    fn suspend(&self, _: &org::Step<'_>, _: &str, _: Option<&str>) -> Result<Value, Problem> {
        Self::problem("organisations")
    }

    fn environment(&self, _: &org::Step<'_>, _: &str, _: &str, _: &Value) -> Result<Value, Problem> {
        Self::problem("organisations")
    }

    fn forget(&self, _: &org::Step<'_>, _: &str, _: &str, _: Option<&str>) -> Result<bool, Problem> {
        Self::problem("organisations")
    }

    fn brand(&self, _: &org::Step<'_>, _: &str, _: &Value) -> Result<Value, Problem> {
        Self::problem("organisations")
    }

    fn unbrand(&self, _: &org::Step<'_>, _: &str, _: &str) -> Result<(), Problem> {
        Self::problem("organisations")
    }

    fn get(&self, _: &org::Step<'_>, _: &str) -> Result<Option<Value>, Problem> {
        Self::problem("organisations")
    }
}

impl Targets for Absent {
    fn find(&self, _: &RunId, _: &str) -> Result<Option<Target>, Problem> {
        Ok(None)
    }

    fn organisation(&self, _: &RunId) -> Result<String, Problem> {
        Ok(crate::owner::PLATFORM.to_owned())
    }
}

impl Organisations for Absent {
    fn of(&self, _: &RunId) -> Result<String, Problem> {
        Self::problem("organisations")
    }
}

impl Book for Absent {
    fn find(&self, _: &str) -> Result<Option<Entry>, Problem> {
        Self::problem("book of names")
    }

    fn list(&self, _: Option<&str>, _: u32) -> Result<Vec<Entry>, Problem> {
        Self::problem("book of names")
    }

    fn put(&self, _: &Row, _: i64) -> Result<Option<i64>, Problem> {
        Self::problem("book of names")
    }

    fn remove(&self, _: &str, _: i64) -> Result<bool, Problem> {
        Self::problem("book of names")
    }

    fn is_open(&self, _: &RunId) -> Result<bool, Problem> {
        Self::problem("book of names")
    }
}

impl Vouchers for Absent {
    fn issue(&self, _: &voucher::Step<'_>, _: &voucher::Issue) -> Result<BatchRecord, Problem> {
        Self::problem("vouchers")
    }

    fn revoke(&self, _: &voucher::Step<'_>, _: &str, _: &str) -> Result<u64, Problem> {
        Self::problem("vouchers")
    }

    fn preview(&self, _: &RunId, _: &str) -> Result<(VoucherRecord, Option<Closed>), Problem> {
        Self::problem("vouchers")
    }

    fn redeem(&self, _: &voucher::Step<'_>, _: &voucher::Redeem) -> Result<RedemptionRecord, Problem> {
        Self::problem("vouchers")
    }

    fn reverse(&self, _: &RunId, _: &str) -> Result<Option<RedemptionRecord>, Problem> {
        Self::problem("vouchers")
    }

    fn write_off(&self, _: &voucher::Step<'_>, _: &str, _: &str) -> Result<u64, Problem> {
        Self::problem("vouchers")
    }

    fn settle<'a>(&'a self, _: &'a RunId, _: &'a str) -> voucher::Settling<'a> {
        Box::pin(async { Self::problem("vouchers") })
    }

    fn balance(&self, _: &RunId, _: &str) -> Result<Vec<Balance>, Problem> {
        Self::problem("vouchers")
    }

    fn totals(&self, _: &RunId, _: &str) -> Result<Vec<Totals>, Problem> {
        Self::problem("vouchers")
    }
}

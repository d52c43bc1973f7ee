//! Who comes in, and what they may do.

pub mod access;

use std::net::IpAddr;

use http::HeaderMap;
use windlass_engine::Engine;
use windlass_model::Problem;

use crate::{ApiConfig, Principal};

/// Who may come in.
#[derive(Default)]
pub struct Auth {}

impl Auth {
    /// Whoever a request's token or cookie says it is, if that is remembered: without asking the database.
    pub fn remembered(&self, _headers: &HeaderMap) -> Option<Principal> {
        None
    }

    /// Whoever a request's token or cookie says it is.
    pub fn principal(&self, _engine: &Engine, _headers: &HeaderMap, _from: IpAddr) -> Result<Principal, Problem> {
        Ok(Principal::anonymous())
    }

    /// Refuses a change that another site's page may have sent with our cookie.
    pub fn refuse_cross_site(&self, _: &Principal, _: &HeaderMap, _: &ApiConfig) -> Result<(), Problem> {
        Ok(())
    }
}

//! Whether somebody who follows still may: a stream can outlast the token that it was opened with.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, header};
use windlass_model::{Code, Problem};

use super::hub::Hub;
use crate::{Api, Principal, Request};

/// What proves who follows, and when to look at it again.
pub(crate) struct Guard {
    headers: HeaderMap,
    address: IpAddr,
    every: Duration,
    looked: Instant,
}

impl Guard {
    pub(crate) fn new(request: &Request, every: Duration) -> Self {
        let proofs = [header::AUTHORIZATION, header::COOKIE];
        let kept = proofs.into_iter().flat_map(|name| {
            let values = request.headers.get_all(&name).into_iter().cloned().collect::<Vec<_>>();
            values.into_iter().map(move |value| (name.clone(), value))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in kept {
            headers.append(name, value);
        }
        Self { headers, address: request.address, every, looked: Instant::now() }
    }

    /// How long the last answer still holds.
    pub(crate) fn left(&self) -> Duration {
        self.every.saturating_sub(self.looked.elapsed())
    }

    /// Whoever it is now. A database that can't be asked changes nothing.
    pub(crate) async fn look(&mut self, api: &Arc<Api>, hub: &Hub) -> Result<Option<Principal>, Refused> {
        self.looked = Instant::now();
        let (asked, headers, address) = (api.clone(), self.headers.clone(), self.address);
        let found = match api.auth.remembered(&headers) {
            Some(principal) => Ok(principal),
            None => hub.read(move || asked.auth.follower(&asked.engine, &headers, address)).await,
        };
        match found {
            Ok(principal) if principal.is_known() => Ok(Some(principal)),
            Ok(_) | Err(Problem { code: Code::Unauthenticated | Code::PermissionDenied, .. }) => Err(Refused),
            Err(problem) => {
                tracing::warn!(%problem, "who follows a stream couldn't be looked up");
                Ok(None)
            }
        }
    }
}

/// They are nobody any more.
pub(crate) struct Refused;

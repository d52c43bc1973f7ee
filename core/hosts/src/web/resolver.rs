//! Names to addresses, once for each connection: the addresses that were checked are the ones that are connected to.

use std::{future::Future, io, net::IpAddr, net::SocketAddr, pin::Pin, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Allowed, Refused};

/// Looks names up. The seam where tests answer for a hostile name server.
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    fn lookup(&self, host: String) -> Found;
}

/// What a lookup is while it is under way.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// What the machine is configured to ask.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> Found {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Gives the connector only addresses that a request may go to.
pub(crate) struct CheckedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) allowed: Arc<Allowed>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str().to_owned());
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let mut good: Vec<SocketAddr> = Vec::new();
            let mut refused: Option<Refused> = None;
            for address in found.await? {
                match allowed.check(address) {
                    Ok(()) => good.push((address, 0).into()),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(refused) if good.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

//! Networks: looked at, made, removed.

use std::collections::{BTreeMap, HashMap};

use bollard::{models::NetworkCreateRequest, query_parameters::InspectNetworkOptions};

use super::{super::fault::Fault, Daemon};

impl Daemon {
    pub(super) async fn labels_of_network(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, Fault> {
        let answer = self.client().await?.inspect_network(name, None::<InspectNetworkOptions>).await;
        match answer.map_err(|error| self.fault(error)) {
            // A part of an id is a name to Docker, too.
            Ok(found) if found.name.as_deref() != Some(name) => Ok(None),
            Ok(found) => Ok(Some(found.labels.unwrap_or_default().into_iter().collect())),
            Err(fault) if fault.missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn make_network(&self, name: &str, labels: &[(String, String)]) -> Result<(), Fault> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".into()),
            labels: Some(labels.iter().cloned().collect::<HashMap<_, _>>()),
            ..NetworkCreateRequest::default()
        };
        let made = self.client().await?.create_network(request).await;
        made.map(|_| ()).map_err(|error| self.fault(error))
    }

    pub(super) async fn drop_network(&self, name: &str) -> Result<(), Fault> {
        match self.client().await?.remove_network(name).await.map_err(|error| self.fault(error)) {
            Err(fault) if fault.missing() => Ok(()),
            other => other,
        }
    }
}

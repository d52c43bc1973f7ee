//! Labs of this machine for the API: what is there of them, and their documents checked and compared.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use windlass_api::labs::{Checked, Imported, Labs};
use windlass_hosts::{
    HostConfig,
    docker::console::Consoles as Containers,
    lab::{self, document::Document},
    lab_id::LabId,
    lab_names::check_name,
    net, qemu,
};
use windlass_model::{Code, Problem};

/// Of the labs that were made under this instance id.
pub struct LabDesk {
    instance: Arc<str>,
    hosts: HostConfig,
    containers: Containers,
}

impl LabDesk {
    /// With these settings of host modules.
    pub fn new(instance: Arc<str>, hosts: &HostConfig) -> Self {
        Self { instance, hosts: hosts.clone(), containers: Containers::new(&hosts.docker) }
    }
}

impl Labs for LabDesk {
    fn look(&self, organisation: &str, name: &str) -> Result<Value, Problem> {
        if [organisation, name].into_iter().any(|name| check_name("lab", name).is_err()) {
            return Err(Problem::new(Code::NotFound, format!("there is no lab `{name}`")));
        }
        let lab = LabId::new(organisation, name);
        let mut unknown = Map::new();
        // One of them may be missing on this machine; that doesn't hide the others.
        let mut seen = |part: &str, found: Result<Value, Problem>| {
            found.unwrap_or_else(|problem| {
                unknown.insert(part.to_owned(), problem.message.into());
                json!([])
            })
        };
        let containers = tokio::runtime::Handle::try_current()
            .map_err(|error| Problem::new(Code::Internal, format!("containers can't be looked at: {error}")))
            .and_then(|runtime| runtime.block_on(self.containers.nodes(&self.instance, &lab)));
        let docker = seen("docker", containers.map(Value::from));
        let qemu = seen("qemu", qemu::machines(&self.hosts.qemu, &self.instance, &lab).map(Value::from));
        let net = seen("net", net::describe(&*net::kernel(), lab, &self.instance));
        let net = if net.is_object() { net } else { json!({ "namespaces": [], "links": [] }) };
        Ok(json!({ "net": net, "docker": docker, "qemu": qemu, "unknown": unknown }))
    }

    fn plan(&self, document: &Value, actual: &Value) -> Result<Value, Problem> {
        lab::plan(&lab::normalise("the document", document, None)?, actual)
    }

    fn check(&self, document: &Value) -> Result<Checked, Problem> {
        checked(&lab::normalise("the document", document, None)?)
    }

    fn parse(&self, text: &str) -> Result<Checked, Problem> {
        let read = lab::text::read("the document", text)?;
        checked(&lab::normalise("the document", &read.value, Some(&read))?)
    }

    fn import(&self, text: &str, files: &BTreeMap<String, String>) -> Result<Imported, Problem> {
        let imported = lab::import_topology("the topology", text, files)?;
        let Checked { document, yaml, .. } = checked(&imported.document)?;
        let not_taken = told(&imported.not_taken)?;
        Ok(Imported { format: imported.format.to_string(), document, yaml, not_taken })
    }

    fn schema(&self) -> Value {
        lab::schema()
    }
}

fn checked(document: &Document) -> Result<Checked, Problem> {
    let size = told(&lab::size(document))?;
    let document = told(document)?;
    Ok(Checked { yaml: lab::yaml(&document), document, size })
}

fn told(value: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value)
        .map_err(|error| Problem::new(Code::Internal, format!("the document can't be told: {error}")))
}

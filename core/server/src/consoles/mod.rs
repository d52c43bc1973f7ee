//! Consoles of labs' nodes on this machine: which ones a node has, and what each is connected to.

mod container;
mod inside;
mod machine;
mod pty;
mod shell;
mod ssh;
mod telnet;

use std::{path::PathBuf, sync::Arc};

use windlass_api::services::{ConsoleAsk, ConsoleKind, ConsoleLogin, ConsoleSource, Consoles, LabNode, Opening};
use windlass_hosts::{
    HostConfig,
    docker::console::Consoles as Containers,
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, check_name, parse},
    net, qemu,
};
use windlass_model::{Code, Problem};
use windlass_script::SecretSource as _;

use self::inside::Inside;
use crate::{config::LabSettings, vault::Vault};

const SSH: u16 = 22;
const TELNET: u16 = 23;

/// The nodes of this machine's labs.
pub struct LabConsoles(Arc<Labs>);

struct Labs {
    settings: LabSettings,
    hosts: HostConfig,
    instance: Arc<str>,
    containers: Arc<Containers>,
    vault: Arc<Vault>,
    /// Where nodes' SSH keys are kept.
    keys: PathBuf,
}

/// A node, as this machine has it.
struct Node {
    /// Its network namespace, as `ip netns` knows it.
    namespace: Option<String>,
    /// Its container.
    container: Option<String>,
    /// Its machine.
    machine: Option<qemu::Sockets>,
}

fn no_node(at: &LabNode) -> Problem {
    Problem::new(Code::NotFound, format!("there is no lab `{}`, or none with a node `{}`", at.lab, at.node))
}

impl LabConsoles {
    /// Of the labs that were made under this instance id.
    pub fn new(
        settings: &LabSettings,
        hosts: &HostConfig,
        instance: Arc<str>,
        vault: Arc<Vault>,
        keys: PathBuf,
    ) -> Self {
        let containers = Arc::new(Containers::new(&hosts.docker));
        let (settings, hosts) = (settings.clone(), hosts.clone());
        Self(Arc::new(Labs { settings, hosts, instance, containers, vault, keys }))
    }
}

impl Labs {
    /// What is there of a node. It blocks.
    fn find(&self, at: &LabNode) -> Result<Node, Problem> {
        let names = [("organisation", &at.organisation), ("lab", &at.lab), ("node", &at.node)];
        if names.into_iter().any(|(what, name)| check_name(what, name).is_err()) {
            return Err(no_node(at));
        }
        let lab = LabId::new(&at.organisation, &at.lab);
        let looking = self.containers.container(&self.instance, &lab, &at.node);
        let container = tokio::runtime::Handle::current().block_on(looking).unwrap_or_else(|problem| {
            tracing::debug!(%problem, "containers can't be looked at");
            None
        });
        let node = Node {
            namespace: self.namespace(&lab, &at.node)?,
            container,
            machine: qemu::sockets(&self.hosts.qemu, &self.instance, &lab, &at.node),
        };
        match node {
            Node { namespace: None, container: None, machine: None } => Err(no_node(at)),
            node => Ok(node),
        }
    }

    /// The namespace that carries a lab's mark as this node of it.
    fn namespace(&self, lab: &LabId, node: &str) -> Result<Option<String>, Problem> {
        let kernel = net::kernel();
        let hash = lab.names(&self.instance).hash().to_owned();
        let all = kernel.namespaces().map_err(|fault| fault.problem("listing the namespaces"))?;
        let named = all.into_iter().filter(|kernel| {
            matches!(parse(kernel), Some(Parsed::Namespace { hash: its, name, .. }) if its == hash && name == node)
        });
        let named: Vec<String> = named.collect();
        let instance = short_instance(&self.instance);
        // Names may be alike, or be made by anybody: marks tell whose a namespace is.
        let ours = kernel.aliases(&named).into_iter().zip(&named).find(|(alias, _)| {
            let mark = alias.as_ref().ok().and_then(|alias| alias.as_deref()).and_then(Mark::parse);
            mark.is_some_and(|mark| mark.instance == instance && mark.lab == lab.key && mark.name == node)
        });
        Ok(ours.map(|(_, name)| name.clone()))
    }

    fn kinds_of(&self, node: &Node) -> Vec<ConsoleKind> {
        let mut kinds = Vec::new();
        if node.container.is_some() || (node.namespace.is_some() && !self.settings.shell.is_empty()) {
            kinds.push(ConsoleKind::Shell);
        }
        if let Some(machine) = &node.machine
            && machine.folder.join(machine.serial).exists()
        {
            kinds.push(ConsoleKind::Serial);
            kinds.extend(machine.vnc.filter(|vnc| machine.folder.join(vnc).exists()).map(|_| ConsoleKind::Vnc));
        }
        let listening = node.namespace.as_deref().map(|name| Inside::open(name).and_then(|inside| inside.listening()));
        let listening = listening.and_then(Result::ok).unwrap_or_default();
        for (port, kind) in [(SSH, ConsoleKind::Ssh), (TELNET, ConsoleKind::Telnet)] {
            if listening.contains(&port) {
                kinds.push(kind);
            }
        }
        kinds.sort_unstable();
        kinds
    }

    async fn open(self: Arc<Self>, ask: ConsoleAsk) -> Result<ConsoleSource, Problem> {
        let (labs, at) = (self.clone(), ask.node.clone());
        let node = aside(move || labs.find(&at)).await?;
        match (ask.kind, node) {
            (ConsoleKind::Shell, Node { container: Some(container), .. }) => {
                container::open(self.containers.clone(), container, ask).await
            }
            (ConsoleKind::Shell, Node { namespace: Some(namespace), .. }) => {
                shell::open(self.settings.clone(), self.hosts.exec.hidden.clone(), namespace, ask).await
            }
            (ConsoleKind::Serial, Node { machine: Some(machine), .. }) => {
                machine::open(machine.folder, machine.serial).await
            }
            (ConsoleKind::Vnc, Node { machine: Some(qemu::Sockets { folder, vnc: Some(vnc), .. }), .. }) => {
                machine::open(folder, vnc).await
            }
            (ConsoleKind::Telnet, Node { namespace: Some(namespace), .. }) => {
                Ok(telnet::over(connect(namespace, TELNET).await?, ask.size))
            }
            (ConsoleKind::Ssh, Node { namespace: Some(namespace), .. }) => {
                let labs = self.clone();
                let (at, wanted) = (ask.node.clone(), ask.login.clone());
                let login = aside(move || labs.login(&at, wanted)).await?;
                let LabNode { organisation, lab, node } = &ask.node;
                let pin = ssh::Pin(self.keys.join(format!("{organisation}+{lab}")).join(node));
                ssh::over(connect(namespace, SSH).await?, login, pin, ask.size).await
            }
            _ => {
                let message = format!("{} has no {} console", ask.node.node, ask.kind.as_str());
                Err(Problem::new(Code::NotFound, message))
            }
        }
    }

    /// The secret that somebody logs in by, if it is for this node.
    fn login(&self, at: &LabNode, wanted: Option<ConsoleLogin>) -> Result<ssh::Login, Problem> {
        let Some(ConsoleLogin { user, secret }) = wanted else {
            return Err(Problem::new(Code::InvalidInput, "the node's SSH server wants to know who logs in")
                .help("name a `user`, and the `secret` that holds the password or the private key"));
        };
        let destination = format!("ssh://{}/{}/{}", at.organisation, at.lab, at.node);
        let policy = self.vault.policy(&secret)?;
        // `*` was never meant for whoever runs a lab's node.
        let meant = policy.destinations.iter().any(|pattern| pattern.starts_with("ssh://"));
        if !meant || !policy.allows(&destination) || self.vault.is_foreign(&secret) {
            return Err(Problem::new(
                Code::SecretMisuse,
                format!("the secret `{secret}` may not go to `{destination}`"),
            )
            .help(format!("an admin can allow it: `windlass secrets set {secret} --to {destination}`")));
        }
        Ok(ssh::Login { user, secret: self.vault.get(&secret)? })
    }
}

async fn connect(namespace: String, port: u16) -> Result<tokio::net::TcpStream, Problem> {
    let stream = aside(move || Inside::open(&namespace)?.connect(port)).await?;
    tokio::net::TcpStream::from_std(stream)
        .map_err(|error| Problem::new(Code::System, format!("the connection into the node: {error}")))
}

/// Does what blocks on a thread for such things.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new(Code::Internal, format!("a task of a console broke: {error}"))))
}

impl Consoles for LabConsoles {
    fn kinds(&self, at: &LabNode) -> Result<Vec<ConsoleKind>, Problem> {
        Ok(self.0.kinds_of(&self.0.find(at)?))
    }

    fn open(&self, ask: ConsoleAsk) -> Opening {
        Box::pin(self.0.clone().open(ask))
    }
}

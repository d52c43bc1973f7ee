//! Consoles of labs' nodes on this machine: which ones a node has, and what each is connected to.

mod bridge;
mod container;
mod doors;
mod guac;
mod inside;
mod machine;
mod pty;
mod shell;
mod ssh;
mod telnet;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use windlass_api::services::{ConsoleAsk, ConsoleKind, ConsoleLogin, ConsoleSource, Consoles, LabNode, Opening};
use windlass_engine::Engine;
use windlass_hosts::{
    HostConfig,
    docker::console::Consoles as Containers,
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{LabNames, Parsed, check_name, parse},
    net, qemu,
};
use windlass_model::{Code, Problem};
use windlass_script::SecretSource as _;

use self::{
    doors::{Door, From},
    guac::{Far, Guacs},
    inside::Inside,
};
use crate::{config::LabSettings, vault::Vault};

/// The nodes of this machine's labs.
pub struct LabConsoles(Arc<Labs>);

struct Labs {
    settings: LabSettings,
    hosts: HostConfig,
    instance: Arc<str>,
    containers: Arc<Containers>,
    vault: Arc<Vault>,
    engine: Engine,
    guacs: Option<Guacs>,
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
    /// Its lab's document, if it has one.
    document: Option<Value>,
}

impl Node {
    /// Where its SSH or telnet server is.
    fn door(&self, at: &LabNode, kind: ConsoleKind) -> Door {
        Door::of(self.document.as_ref(), &at.node, kind).unwrap_or_default()
    }

    /// The socket that is a machine's screen.
    fn screen(&self) -> Option<(&Path, &'static str)> {
        let machine = self.machine.as_ref()?;
        machine.vnc.filter(|vnc| machine.folder.join(vnc).exists()).map(|vnc| (machine.folder.as_path(), vnc))
    }
}

/// What guacd can show, the best first.
const SHOWN: [ConsoleKind; 3] = [ConsoleKind::Vnc, ConsoleKind::Ssh, ConsoleKind::Telnet];

fn no_console(at: &LabNode, kind: ConsoleKind) -> Problem {
    Problem::new(Code::NotFound, format!("{} has no {} console", at.node, kind.as_str()))
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
        (engine, vault): (Engine, Arc<Vault>),
        keys: PathBuf,
    ) -> Self {
        let containers = Arc::new(Containers::new(&hosts.docker));
        let (settings, hosts) = (settings.clone(), hosts.clone());
        let guacs = Guacs::new(&hosts.guacamole);
        Self(Arc::new(Labs { settings, hosts, instance, containers, vault, engine, guacs, keys }))
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
            document: self.engine.stored_at(&at.organisation, &format!("lab/{}", lab.key))?,
        };
        match node {
            Node { namespace: None, container: None, machine: None, .. } => Err(no_node(at)),
            node => Ok(node),
        }
    }

    /// The namespace that carries a lab's mark as this node of it.
    fn namespace(&self, lab: &LabId, node: &str) -> Result<Option<String>, Problem> {
        let kernel = net::kernel();
        // Where two labs' hashes are alike, one of them has another.
        let hashes: Vec<LabNames> = LabNames::candidates(&self.instance, &lab.key).collect();
        let all = kernel.namespaces().map_err(|fault| fault.problem("listing the namespaces"))?;
        let named = all.into_iter().filter(|kernel| {
            matches!(parse(kernel), Some(Parsed::Namespace { hash, name, .. })
                if name == node && hashes.iter().any(|names| names.hash() == hash))
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

    fn kinds_of(&self, at: &LabNode, node: &Node) -> Vec<ConsoleKind> {
        let mut kinds = Vec::new();
        if node.container.is_some() || (node.namespace.is_some() && !self.settings.shell.is_empty()) {
            kinds.push(ConsoleKind::Shell);
        }
        let machine = node.machine.as_ref().filter(|machine| machine.folder.join(machine.serial).exists());
        kinds.extend(machine.map(|_| ConsoleKind::Serial));
        kinds.extend(machine.and(node.screen()).map(|_| ConsoleKind::Vnc));
        let listening = node.namespace.as_deref().map(|name| Inside::open(name).and_then(|inside| inside.listening()));
        let listening = listening.and_then(Result::ok).unwrap_or_default();
        for kind in [ConsoleKind::Ssh, ConsoleKind::Telnet] {
            let door = node.door(at, kind);
            // What is elsewhere is tried when it is opened.
            let has = match door.is_elsewhere() {
                true => node.namespace.is_some() || machine.is_some(),
                false => listening.contains(&door.port(kind)),
            };
            kinds.extend(has.then_some(kind));
        }
        let shown = kinds.iter().any(|kind| SHOWN.contains(kind));
        kinds.extend((self.guacs.is_some() && shown).then_some(ConsoleKind::Guac));
        kinds.sort_unstable();
        kinds
    }

    async fn open(self: Arc<Self>, ask: ConsoleAsk) -> Result<ConsoleSource, Problem> {
        let (labs, at) = (self.clone(), ask.node.clone());
        let node = aside(move || labs.find(&at)).await?;
        match (ask.kind, &node) {
            (ConsoleKind::Shell, Node { container: Some(container), .. }) => {
                container::open(self.containers.clone(), container.clone(), ask).await
            }
            (ConsoleKind::Shell, Node { namespace: Some(namespace), .. }) => {
                shell::open(self.settings.clone(), self.hosts.jails(), namespace.clone(), ask).await
            }
            (ConsoleKind::Serial, Node { machine: Some(machine), .. }) => {
                machine::serial(machine.folder.clone(), machine.serial).await
            }
            (ConsoleKind::Vnc, node) => match node.screen() {
                Some((folder, vnc)) => machine::open(folder.to_owned(), vnc).await,
                None => Err(no_console(&ask.node, ask.kind)),
            },
            (ConsoleKind::Telnet, node) => {
                let stream = self.connect(&ask.node, node, ConsoleKind::Telnet).await?;
                Ok(telnet::over(stream, ask.size))
            }
            (ConsoleKind::Ssh, node) => {
                let door = node.door(&ask.node, ConsoleKind::Ssh);
                let login = self.login(&ask.node, ask.login.clone(), &door).await?;
                let stream = self.connect(&ask.node, node, ConsoleKind::Ssh).await?;
                ssh::over(stream, login, self.pin(&ask.node, &door), ask.size).await
            }
            (ConsoleKind::Guac, node) => self.guac(ask, node).await,
            _ => Err(no_console(&ask.node, ask.kind)),
        }
    }

    /// A console by way of guacd.
    async fn guac(self: &Arc<Self>, ask: ConsoleAsk, node: &Node) -> Result<ConsoleSource, Problem> {
        let at = ask.node.clone();
        let guacs = self.guacs.as_ref().ok_or_else(|| no_console(&at, ConsoleKind::Guac))?;
        let (labs, place) = (self.clone(), at.clone());
        let kinds = aside(move || Ok(labs.kinds_of(&place, &labs.find(&place)?))).await?;
        let wanted = ask.screen.as_ref().and_then(|screen| screen.of);
        let of = match wanted {
            Some(of) => Some(of).filter(|of| kinds.contains(of)).ok_or_else(|| no_console(&at, of))?,
            None => SHOWN.into_iter().find(|kind| kinds.contains(kind)).ok_or_else(|| no_console(&at, ask.kind))?,
        };
        // Whoever joins a session is looked at as the one who began it.
        let login = match of {
            ConsoleKind::Ssh => Some(self.login(&at, ask.login.clone(), &node.door(&at, of)).await?),
            _ => None,
        };
        let far = async move {
            if let (ConsoleKind::Vnc, Some((folder, vnc))) = (of, node.screen()) {
                let stream = machine::open(folder.to_owned(), vnc).await?.stream;
                return Ok(Far { stream, login: None });
            }
            let login = match login {
                Some(login) => {
                    let door = node.door(&at, of);
                    // guacd is told which key is the node's: it doesn't look by itself.
                    let key = ssh::key(self.connect(&at, node, of).await?, self.pin(&at, &door)).await?;
                    Some((login, key))
                }
                None => None,
            };
            Ok(Far { stream: Box::new(self.connect(&at, node, of).await?), login })
        };
        guacs.open(ask, of, far).await
    }

    /// A connection to a node's SSH or telnet server.
    async fn connect(
        self: &Arc<Self>,
        at: &LabNode,
        node: &Node,
        kind: ConsoleKind,
    ) -> Result<tokio::net::TcpStream, Problem> {
        let door = node.door(at, kind);
        let from = match (door.via(), &node.namespace) {
            (Some(via), _) => {
                let (labs, lab, via) = (self.clone(), LabId::new(&at.organisation, &at.lab), via.to_owned());
                let found = aside(move || labs.namespace(&lab, &via)).await?;
                From::Namespace(found.ok_or_else(|| {
                    let message = format!("the node from which {}'s {} is reached isn't there", at.node, kind.as_str());
                    Problem::new(Code::NotFound, message)
                        .help("`via` in the lab's document names a node with a namespace")
                })?)
            }
            (None, Some(namespace)) => From::Namespace(namespace.clone()),
            (None, None) if door.is_elsewhere() => {
                let (instance, lab) = (self.instance.clone(), LabId::new(&at.organisation, &at.lab));
                let near = aside(move || net::bridges(&*net::kernel(), lab, &instance)).await?;
                From::Bridge(door.bridge(&near).ok_or_else(|| {
                    let message = format!("this machine doesn't reach for {}'s {}", at.node, kind.as_str());
                    Problem::new(Code::InvalidInput, message).help(
                        "its `address` has to be in a network of the lab in which this machine has one of its own, and another one than \
                         this machine's; or name a node with `via`",
                    )
                })?)
            }
            (None, None) => return Err(no_console(at, kind)),
        };
        door.connect(kind, from).await
    }

    fn pin(&self, at: &LabNode, door: &Door) -> ssh::Pin {
        let LabNode { organisation, lab, node } = at;
        let path = self.keys.join(format!("{organisation}+{lab}")).join(node);
        ssh::Pin { path, given: door.host_key.clone() }
    }

    /// Who logs in at a node: whoever opens it says so, or the lab's document.
    async fn login(
        self: &Arc<Self>,
        at: &LabNode,
        wanted: Option<ConsoleLogin>,
        door: &Door,
    ) -> Result<ssh::Login, Problem> {
        let declared = door.user.clone().zip(door.secret.clone()).map(|(user, secret)| ConsoleLogin { user, secret });
        let (labs, at, wanted) = (self.clone(), at.clone(), wanted.or(declared));
        aside(move || labs.admitted(&at, wanted)).await
    }

    /// The secret that somebody logs in by, if it is for this node.
    fn admitted(&self, at: &LabNode, wanted: Option<ConsoleLogin>) -> Result<ssh::Login, Problem> {
        let Some(ConsoleLogin { user, secret }) = wanted else {
            return Err(Problem::new(Code::InvalidInput, "the node's SSH server wants to know who logs in")
                .help(
                    "name a `user`, and the `secret` that holds the password or the private key; or the lab's document does, under \
                     `consoles`",
                ));
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

/// Does what blocks on a thread for such things.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new(Code::Internal, format!("a task of a console broke: {error}"))))
}

impl Consoles for LabConsoles {
    fn kinds(&self, at: &LabNode) -> Result<Vec<ConsoleKind>, Problem> {
        Ok(self.0.kinds_of(at, &self.0.find(at)?))
    }

    fn open(&self, ask: ConsoleAsk) -> Opening {
        Box::pin(self.0.clone().open(ask))
    }
}

//! One lab as the stack shows it: what carries its mark, what is in its way, which numbers are free.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::NetBackend,
    device::{Allowed, is_device},
    plan::At,
    settle,
    types::{Link, Place},
};
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, run_of, short_instance},
    lab_names::{LabNames, NODE_MAX, Parsed, parse},
    owner::PLATFORM,
};

/// Who calls, and for which lab.
pub struct Lab<'a> {
    /// The stack.
    pub backend: &'a dyn NetBackend,
    /// The lab.
    pub id: LabId,
    /// Its names in the kernel.
    pub names: LabNames,
    /// For an undo: the key of the step that it takes back.
    pub undoes: Option<String>,
    /// What the configuration lets labs reach beyond themselves.
    pub allowed: Allowed,
    instance: String,
    /// What all its marks begin with.
    prefix: String,
    key: String,
    /// What was read to find the lab's names: nobody has to read it again.
    first: Mutex<Option<Seen>>,
}

/// Links of the host, and names of all namespaces.
type Seen = (Vec<Link>, Vec<String>);

/// Whose something is.
#[derive(Debug, PartialEq, Eq)]
pub enum Whose {
    /// This lab's, made by the run that calls.
    ThisRun,
    /// This lab's, made by another run.
    OtherRun(Mark),
    /// Another lab's, or another machine's.
    OtherLab(Mark),
    /// It has no mark.
    Nobody,
}

impl Whose {
    /// Whether it is this lab's.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::ThisRun | Self::OtherRun(_))
    }
}

/// A namespace with a name of this lab's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// What the lab calls it.
    pub name: String,
    /// Its name in the kernel.
    pub kernel: String,
    /// Its node number.
    pub node: u32,
}

/// What is there: links of the host, and namespaces with names of the lab's.
pub struct View {
    /// All links of the host.
    pub links: Vec<Link>,
    /// Namespaces by name; whose they are is another question.
    pub spaces: BTreeMap<String, Space>,
}

impl<'a> Lab<'a> {
    /// A lab of this machine, as this call sees it. Whoever makes something holds the lock from here on.
    pub fn open(backend: &'a dyn NetBackend, cx: &OpCx, id: LabId) -> Result<Self, Problem> {
        Self::seen_by(backend, id, &cx.instance, cx.key.clone(), cx.undoes.clone())
    }

    /// The same for a caller that is no step; a `key` that no run has makes nothing its own.
    pub fn seen_by(
        backend: &'a dyn NetBackend,
        id: LabId,
        instance: &str,
        key: String,
        undoes: Option<String>,
    ) -> Result<Self, Problem> {
        let short = short_instance(instance);
        let (links, spaces) = read(backend)?;
        let names = settle::names(backend, &id, (instance, &short), &links, &spaces)?;
        let prefix = Mark { instance: short.clone(), lab: id.key.clone(), ..Mark::default() }.prefix();
        let (allowed, first) = (Allowed::default(), Mutex::new(Some((links, spaces))));
        Ok(Self { backend, id, names, undoes, allowed, instance: short, prefix, key, first })
    }

    /// What a device that this call makes is marked with.
    pub fn mark(&self, name: &str) -> Mark {
        Mark {
            instance: self.instance.clone(),
            lab: self.id.key.clone(),
            name: name.into(),
            key: self.key.clone(),
            note: None,
        }
    }

    /// Whose a device with this alias is.
    pub fn whose(&self, alias: Option<&str>) -> Whose {
        match alias.and_then(Mark::parse) {
            None => Whose::Nobody,
            Some(mark) if mark.instance != self.instance || mark.lab != self.id.key => Whose::OtherLab(mark),
            Some(mark) if mark.run() != run_of(&self.key) => Whose::OtherRun(mark),
            Some(_) => Whose::ThisRun,
        }
    }

    /// What is there.
    pub fn view(&self) -> Result<View, Problem> {
        let first = self.first.lock().take();
        let (links, all) = first.map_or_else(|| read(self.backend), Ok)?;
        let ours = all.into_iter().filter_map(|kernel| match parse(&kernel)? {
            Parsed::Namespace { hash, node, name } if hash == self.names.hash() => {
                Some((name.clone(), Space { name, kernel, node }))
            }
            _ => None,
        });
        Ok(View { links, spaces: ours.collect() })
    }

    /// The mark of a host link that this lab has made. A device of the machine isn't one, whatever it is marked with.
    pub fn mark_of(&self, link: &Link) -> Option<Mark> {
        self.any_mark_of(link).filter(|mark| !is_device(mark))
    }

    /// The mark of a host link that is this lab's: one that it has made, or a device that it has.
    pub fn any_mark_of(&self, link: &Link) -> Option<Mark> {
        // Most links of a machine with many labs are other labs'.
        link.alias.as_deref().filter(|alias| alias.starts_with(&self.prefix))?;
        match self.whose(link.alias.as_deref()) {
            Whose::ThisRun | Whose::OtherRun(_) => link.alias.as_deref().and_then(Mark::parse),
            _ => None,
        }
    }

    /// A link that this lab's names and group show to be a half of something that a crash kept from being marked.
    pub fn is_half(&self, link: &Link) -> bool {
        let prefixes = [self.names.bridge_prefix(), self.names.vxlan_prefix(), self.names.node_prefix()];
        let named = prefixes.iter().any(|prefix| link.name.starts_with(prefix));
        named && link.group == self.names.group() && link.alias.is_none()
    }

    /// A host link of this lab by what the lab calls it.
    pub fn host_link<'v>(&self, view: &'v View, name: &str) -> Option<&'v Link> {
        view.links.iter().find(|link| self.mark_of(link).is_some_and(|mark| mark.name == name))
    }

    /// A bridge of this lab, or what to do about there being none.
    pub fn bridge<'v>(&self, view: &'v View, name: &str) -> Result<&'v Link, Problem> {
        self.host_link(view, name).filter(|link| link.kind == "bridge").ok_or_else(|| {
            Problem::new(Code::NotFound, format!("the lab {} has no bridge {name}", self.id.name))
                .help("make it with net::create_bridge")
                .no_effect()
        })
    }

    /// A namespace of this lab that carries its mark.
    pub fn space(&self, view: &View, name: &str) -> Result<Space, Problem> {
        let Some(space) = view.spaces.get(name) else {
            return Err(Problem::new(Code::NotFound, format!("the lab {} has no namespace {name}", self.id.name))
                .help("make it with net::create_namespace")
                .no_effect());
        };
        match self.whose_spaces(std::slice::from_ref(space))?.pop() {
            Some(whose) if whose.is_ours() => Ok(space.clone()),
            Some(whose) => Err(self.not_ours(&format!("the namespace {}", space.kernel), whose)),
            None => Err(Problem::new(Code::Internal, "no answer about a namespace")),
        }
    }

    /// Whose these namespaces are; one that is gone by now is nobody's.
    pub fn whose_spaces(&self, spaces: &[Space]) -> Result<Vec<Whose>, Problem> {
        Ok(self.space_aliases(spaces)?.iter().map(|alias| self.whose(alias.as_deref())).collect())
    }

    /// The links in these namespaces; in one that is gone by now, none.
    pub fn inside(&self, spaces: &[Space]) -> Result<Vec<Vec<Link>>, Problem> {
        let places: Vec<Place> = spaces.iter().map(|space| Place::Namespace(space.kernel.clone())).collect();
        let answers = self.backend.links(&places).into_iter().zip(spaces);
        answers
            .map(|(answer, space)| match answer {
                Ok(links) => Ok(links),
                Err(fault) if fault.missing() => Ok(Vec::new()),
                Err(fault) => Err(fault.problem(format!("reading the links of {}", space.name))),
            })
            .collect()
    }

    /// Whose a namespace with these links is.
    pub fn whose_inside(&self, links: &[Link]) -> Whose {
        self.whose(links.iter().find(|link| link.name == "lo").and_then(|link| link.alias.as_deref()))
    }

    /// What these namespaces are marked with; one that is gone by now with nothing.
    pub fn space_aliases(&self, spaces: &[Space]) -> Result<Vec<Option<String>>, Problem> {
        let kernel: Vec<String> = spaces.iter().map(|space| space.kernel.clone()).collect();
        let answers = self.backend.aliases(&kernel).into_iter().zip(&kernel);
        answers
            .map(|(answer, name)| match answer {
                Ok(alias) => Ok(alias),
                Err(fault) if fault.missing() => Ok(None),
                Err(fault) => Err(fault.problem(format!("reading the mark of the namespace {name}"))),
            })
            .collect()
    }

    /// Where an interface is, and its name there.
    pub fn locate(&self, view: &View, at: &str) -> Result<(Place, String), Problem> {
        if !at.contains(':') {
            let vxlan = self.host_link(view, at).filter(|link| link.kind == "vxlan");
            return Ok((Place::Host, vxlan.map_or_else(|| self.bridge(view, at), Ok)?.name.clone()));
        }
        let at = At::parse(at)?;
        let on_host = || self.host_link(view, &at.link_name()).map(|link| (Place::Host, link.name.clone()));
        let missing = || {
            Problem::new(Code::NotFound, format!("the lab {} has no interface {at}", self.id.name))
                .help("net::links(lab) lists what there is")
                .no_effect()
        };
        // A tap has its only end on the host.
        if at.host_side || !view.spaces.contains_key(&at.node) {
            return on_host().ok_or_else(missing);
        }
        let space = self.space(view, &at.node)?;
        Ok((Place::Namespace(space.kernel), at.interface))
    }

    /// The conflict with something that is there and not this run's.
    pub fn not_ours(&self, what: &str, whose: Whose) -> Problem {
        let problem = |message: String| Problem::new(Code::Conflict, message).no_effect();
        match whose {
            Whose::ThisRun => problem(format!("{what} is there already, and isn't what is asked for")),
            Whose::OtherRun(mark) => {
                let name = &self.id.name;
                problem(format!("{what} is there already: run {} made it for the lab {name}", mark.run()))
                    .help(format!(
                        "remove it, or all of the lab with net::destroy(\"{name}\"), or use another lab name"
                    ))
                    .data(serde_json::json!({ "lab": name, "run": mark.run() }))
            }
            Whose::OtherLab(mark) if mark.instance != self.instance => {
                problem(format!("{what} belongs to a lab of another Windlass on this machine"))
                    .help("use another lab name, or let that one remove it")
                    .data(serde_json::json!({ "instance": mark.instance }))
            }
            // What others call theirs is told to those only who may know.
            Whose::OtherLab(mark) => match LabId::parse(&mark.lab) {
                Some(id) if id.organisation == self.id.organisation || self.id.organisation == PLATFORM => {
                    problem(format!("{what} belongs to the lab {}", id.key)).data(serde_json::json!({ "lab": id.key }))
                }
                _ => problem(format!("{what} belongs to a lab of another organisation")),
            },
            Whose::Nobody => problem(format!("{what} is there already, and Windlass didn't make it"))
                .help("use another name, or remove it by hand if nobody needs it"),
        }
    }
}

fn lowest_free(taken: &mut BTreeSet<u32>) -> u32 {
    let free = (1..).find(|number| !taken.contains(number)).unwrap_or(u32::MAX);
    taken.insert(free);
    free
}

fn read(backend: &dyn NetBackend) -> Result<Seen, Problem> {
    let mut links = backend.links(&[Place::Host]);
    let links =
        links.pop().unwrap_or_else(|| Ok(Vec::new())).map_err(|fault| fault.problem("reading the host's links"))?;
    let spaces = backend.namespaces().map_err(|fault| fault.problem("listing the namespaces"))?;
    Ok((links, spaces))
}

/// The numbers that a lab has given out. The lowest free one is next.
#[derive(Default)]
pub struct Numbers {
    networks: BTreeSet<u32>,
    vxlans: BTreeSet<u32>,
    nodes: BTreeMap<String, u32>,
    taken_nodes: BTreeSet<u32>,
    interfaces: BTreeSet<(u32, u32)>,
}

impl Numbers {
    /// As they are given out by now.
    pub fn of(lab: &Lab<'_>, view: &View) -> Self {
        let mut numbers = Self::default();
        for space in view.spaces.values() {
            numbers.nodes.insert(space.name.clone(), space.node);
            numbers.taken_nodes.insert(space.node);
        }
        // Halves are removed before anything is made.
        for link in view.links.iter().filter(|link| !lab.is_half(link)) {
            match parse(&link.name) {
                Some(Parsed::Bridge { hash, network }) if hash == lab.names.hash() => {
                    numbers.networks.insert(network);
                }
                Some(Parsed::Vxlan { hash, number }) if hash == lab.names.hash() => {
                    numbers.vxlans.insert(number);
                }
                Some(Parsed::Interface { hash, node, interface }) if hash == lab.names.hash() => {
                    numbers.taken_nodes.insert(node);
                    numbers.interfaces.insert((node, interface));
                    if let Some((name, _)) = lab.mark_of(link).as_ref().and_then(|mark| mark.name.split_once(':')) {
                        numbers.nodes.insert(name.to_owned(), node);
                    }
                }
                _ => {}
            }
        }
        numbers
    }

    /// A new bridge's.
    pub fn network(&mut self) -> u32 {
        lowest_free(&mut self.networks)
    }

    /// A new VXLAN's.
    pub fn vxlan(&mut self) -> u32 {
        lowest_free(&mut self.vxlans)
    }

    /// A node's: the one it has, or a new one.
    pub fn node(&mut self, name: &str) -> u32 {
        if let Some(number) = self.nodes.get(name) {
            return *number;
        }
        let free = (1..=NODE_MAX).find(|number| !self.taken_nodes.contains(number)).unwrap_or(u32::MAX);
        self.taken_nodes.insert(free);
        self.nodes.insert(name.to_owned(), free);
        free
    }

    /// A new interface's on the host: the number that its name ends in, if it is free.
    pub fn interface(&mut self, node: u32, name: &str) -> u32 {
        let digits = name.len() - name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        let wanted: Option<u32> = name[name.len() - digits..].parse().ok().filter(|number| *number <= 99);
        let free = |number: &u32| !self.interfaces.contains(&(node, *number));
        let number = wanted.filter(free).or_else(|| (0..).find(free)).unwrap_or(u32::MAX);
        self.interfaces.insert((node, number));
        number
    }
}

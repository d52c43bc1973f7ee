//! One lab as the stack shows it: what carries its mark, what is in its way, which numbers are free.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::NetBackend,
    plan::At,
    types::{Link, Place},
};
use crate::lab_id::LabId;
use crate::lab_mark::{Mark, run_of, short_instance};
use crate::lab_names::{LabNames, NODE_MAX, Parsed, check_name, parse};

/// Who calls, and for which lab.
pub struct Lab<'a> {
    /// The stack.
    pub backend: &'a dyn NetBackend,
    /// The lab.
    pub name: String,
    /// Its names in the kernel.
    pub names: LabNames,
    /// For an undo: the key of the step that it takes back.
    pub undoes: Option<String>,
    instance: String,
    key: String,
}

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
    /// The lab `name` of this machine, as this call sees it.
    pub fn new(backend: &'a dyn NetBackend, cx: &OpCx, name: &str) -> Result<Self, Problem> {
        check_name("lab", name)?;
        Ok(Self {
            backend,
            name: name.to_owned(),
            names: LabNames::new(&cx.instance, name),
            undoes: cx.undoes.clone(),
            instance: short_instance(&cx.instance),
            key: cx.key.clone(),
        })
    }

    /// A lab of this machine, as this call sees it. Whoever makes something holds the lock from here on.
    pub fn open(backend: &'a dyn NetBackend, cx: &OpCx, id: LabId) -> Result<Self, Problem> {
        Ok(Self {
            backend,
            names: id.names(&cx.instance),
            name: id.key,
            undoes: cx.undoes.clone(),
            instance: short_instance(&cx.instance),
            key: cx.key.clone(),
        })
    }

    /// What a device that this call makes is marked with.
    pub fn mark(&self, name: &str) -> Mark {
        Mark {
            instance: self.instance.clone(),
            lab: self.name.clone(),
            name: name.into(),
            key: self.key.clone(),
            note: None,
        }
    }

    /// Whose a device with this alias is.
    pub fn whose(&self, alias: Option<&str>) -> Whose {
        match alias.and_then(Mark::parse) {
            None => Whose::Nobody,
            Some(mark) if mark.instance != self.instance || mark.lab != self.name => Whose::OtherLab(mark),
            Some(mark) if mark.run() != run_of(&self.key) => Whose::OtherRun(mark),
            Some(_) => Whose::ThisRun,
        }
    }

    /// What is there.
    pub fn view(&self) -> Result<View, Problem> {
        let mut links = self.backend.links(&[Place::Host]);
        let links =
            links.pop().unwrap_or_else(|| Ok(Vec::new())).map_err(|fault| fault.problem("reading the host's links"))?;
        let all = self.backend.namespaces().map_err(|fault| fault.problem("listing the namespaces"))?;
        let ours = all.into_iter().filter_map(|kernel| match parse(&kernel)? {
            Parsed::Namespace { hash, node, name } if hash == self.names.hash() => {
                Some((name.clone(), Space { name, kernel, node }))
            }
            _ => None,
        });
        Ok(View { links, spaces: ours.collect() })
    }

    /// The mark of a host link of this lab.
    pub fn mark_of(&self, link: &Link) -> Option<Mark> {
        match self.whose(link.alias.as_deref()) {
            Whose::ThisRun | Whose::OtherRun(_) => link.alias.as_deref().and_then(Mark::parse),
            _ => None,
        }
    }

    /// A link that this lab's names and group show to be a half of something that a crash kept from being marked.
    pub fn is_half(&self, link: &Link) -> bool {
        let named =
            link.name.starts_with(&self.names.bridge_prefix()) || link.name.starts_with(&self.names.node_prefix());
        named && link.group == self.names.group() && link.alias.is_none()
    }

    /// A host link of this lab by what the lab calls it.
    pub fn host_link<'v>(&self, view: &'v View, name: &str) -> Option<&'v Link> {
        view.links.iter().find(|link| self.mark_of(link).is_some_and(|mark| mark.name == name))
    }

    /// A bridge of this lab, or what to do about there being none.
    pub fn bridge<'v>(&self, view: &'v View, name: &str) -> Result<&'v Link, Problem> {
        self.host_link(view, name).filter(|link| link.kind == "bridge").ok_or_else(|| {
            Problem::new(Code::NotFound, format!("the lab {} has no bridge {name}", self.name))
                .help("make it with net::create_bridge")
                .no_effect()
        })
    }

    /// A namespace of this lab that carries its mark.
    pub fn space(&self, view: &View, name: &str) -> Result<Space, Problem> {
        let Some(space) = view.spaces.get(name) else {
            return Err(Problem::new(Code::NotFound, format!("the lab {} has no namespace {name}", self.name))
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
            return Ok((Place::Host, self.bridge(view, at)?.name.clone()));
        }
        let at = At::parse(at)?;
        let on_host = || self.host_link(view, &at.link_name()).map(|link| (Place::Host, link.name.clone()));
        let missing = || {
            Problem::new(Code::NotFound, format!("the lab {} has no interface {at}", self.name))
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

    /// Refuses to go on when another lab has the same names or group.
    pub fn check_collision(&self, view: &View) -> Result<(), Problem> {
        let named = |link: &&Link| {
            let prefixes = [self.names.bridge_prefix(), self.names.node_prefix()];
            link.group == self.names.group() || prefixes.iter().any(|prefix| link.name.starts_with(prefix))
        };
        for link in view.links.iter().filter(named) {
            if let whose @ Whose::OtherLab(_) = self.whose(link.alias.as_deref()) {
                return Err(self.not_ours(&format!("the link {}", link.name), whose));
            }
        }
        // Every creation checks, so one namespace speaks for all that are there.
        let first: Vec<Space> = view.spaces.values().take(1).cloned().collect();
        match self.whose_spaces(&first)?.pop() {
            Some(whose @ Whose::OtherLab(_)) => {
                Err(self.not_ours(&format!("the namespace {}", first[0].kernel), whose))
            }
            _ => Ok(()),
        }
    }

    /// The conflict with something that is there and not this run's.
    pub fn not_ours(&self, what: &str, whose: Whose) -> Problem {
        let problem = |message: String| Problem::new(Code::Conflict, message).no_effect();
        match whose {
            Whose::ThisRun => problem(format!("{what} is there already, and isn't what is asked for")),
            Whose::OtherRun(mark) => {
                problem(format!("{what} is there already: run {} made it for the lab {}", mark.run(), self.name))
                    .help(format!(
                        "remove it, or all of the lab with net::destroy(\"{}\"), or use another lab name",
                        self.name
                    ))
                    .data(serde_json::json!({ "lab": mark.lab, "run": mark.run() }))
            }
            Whose::OtherLab(mark) if mark.instance == self.instance => problem(format!(
                "{what} belongs to the lab {}, whose kernel names begin like those of the lab {}",
                mark.lab, self.name
            ))
            .help("use another lab name: its names in the kernel will differ")
            .data(serde_json::json!({ "lab": mark.lab })),
            Whose::OtherLab(mark) => {
                problem(format!("{what} belongs to the lab {} of another Windlass on this machine", mark.lab))
                    .help("use another lab name, or let that one remove it")
                    .data(serde_json::json!({ "lab": mark.lab, "instance": mark.instance }))
            }
            Whose::Nobody => problem(format!("{what} is there already, and Windlass didn't make it"))
                .help("use another name, or remove it by hand if nobody needs it"),
        }
    }
}

/// The numbers that a lab has given out. The lowest free one is next.
#[derive(Default)]
pub struct Numbers {
    networks: BTreeSet<u32>,
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
        let free = (1..).find(|number| !self.networks.contains(number)).unwrap_or(u32::MAX);
        self.networks.insert(free);
        free
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

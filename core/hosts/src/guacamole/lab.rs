//! A lab at the web application: its group, and how its things are made once, found again and removed if they are its own.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;
use zeroize::Zeroizing;

use super::{
    client::{Desk, Web},
    marks::{self, MARK, ROOT, decoded, encoded},
};
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, run_of, short_instance},
};

/// What Guacamole keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connection,
    Group,
    User,
    UserGroup,
    Profile,
}

impl Kind {
    /// Everything, in the order in which it can be removed.
    pub(super) const ALL: [Self; 5] = [Self::Profile, Self::Connection, Self::User, Self::UserGroup, Self::Group];

    /// What stands in paths.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Connection => "/connections",
            Self::Group => "/connectionGroups",
            Self::User => "/users",
            Self::UserGroup => "/userGroups",
            Self::Profile => "/sharingProfiles",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Group => "group",
            Self::User => "user",
            Self::UserGroup => "user group",
            Self::Profile => "sharing profile",
        }
    }

    /// How Guacamole calls one when it tells of a connection, a group, a user, …
    fn name_of(self, object: &Value) -> &str {
        let field = match self {
            Self::User => "username",
            Self::UserGroup => "identifier",
            _ => "name",
        };
        object[field].as_str().unwrap_or_default()
    }

    /// What stands for it in paths.
    fn id_of(self, object: &Value) -> String {
        let field = if self == Self::User { "username" } else { "identifier" };
        object[field].as_str().unwrap_or_default().to_owned()
    }
}

/// A thing of the lab.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    /// What Guacamole knows it by.
    pub(super) id: String,
    /// What the lab calls it.
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) object: Value,
}

/// A lab, as one call uses it.
pub(super) struct Lab<'a> {
    pub(super) cx: &'a OpCx,
    pub(super) desk: Desk<'a>,
    pub(super) id: LabId,
    instance: String,
}

impl<'a> Lab<'a> {
    pub(super) fn new(web: &'a Web, cx: &'a OpCx, name: &str) -> Result<Self, Problem> {
        let id = LabId::of(web.organisations(), cx, name)?;
        Ok(Self { cx, desk: web.desk(cx)?, id, instance: short_instance(&cx.instance) })
    }

    /// The name of the group that holds all of it.
    fn group_name(&self) -> String {
        format!("windlass:{}:{}", self.instance, self.id.key)
    }

    /// The mark of what this step makes.
    fn mark(&self, name: &str) -> String {
        let name = if name == ROOT { ROOT.to_owned() } else { encoded(name) };
        let (instance, lab, key) = (self.instance.clone(), self.id.key.clone(), self.cx.key.clone());
        Mark { instance, lab, name, key, note: None }.to_string()
    }

    /// The object as a thing of the lab, if it is one.
    fn own(&self, kind: Kind, object: Value) -> Result<Thing, Value> {
        match marks::of(&object) {
            Some(mark) if mark.instance == self.instance && mark.lab == self.id.key => {
                Ok(Thing { id: kind.id_of(&object), name: decoded(&mark.name), mark, object })
            }
            _ => Err(object),
        }
    }

    /// Everything of a kind that this user of Guacamole may see: the lab's own, and the rest.
    async fn all(&self, kind: Kind) -> Result<(Vec<Thing>, Vec<Value>), Problem> {
        let answer = self.desk.get(kind.path()).await?;
        let Value::Object(all) = answer else {
            return Err(Problem::new(Code::Unavailable, format!("Guacamole's list of {}s isn't one", kind.words())));
        };
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for object in all.into_iter().map(|(_, object)| object) {
            match self.own(kind, object) {
                Ok(thing) => own.push(thing),
                Err(object) => others.push(object),
            }
        }
        own.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((own, others))
    }

    /// The lab's things of a kind, by name, without its own group.
    pub(super) async fn things(&self, kind: Kind) -> Result<Vec<Thing>, Problem> {
        let (mut own, _) = self.all(kind).await?;
        own.retain(|thing| thing.name != ROOT);
        Ok(own)
    }

    pub(super) async fn find(&self, kind: Kind, name: &str) -> Result<Option<Thing>, Problem> {
        Ok(self.things(kind).await?.into_iter().find(|thing| thing.name == name))
    }

    pub(super) async fn need(&self, kind: Kind, name: &str) -> Result<Thing, Problem> {
        self.find(kind, name).await?.ok_or_else(|| {
            Problem::new(Code::NotFound, format!("the lab `{}` has no {} `{name}`", self.id.name, kind.words()))
                .no_effect()
        })
    }

    /// What this step has made of a kind in an earlier attempt.
    pub(super) async fn made(&self, kind: Kind) -> Result<Option<Thing>, Problem> {
        Ok(self.things(kind).await?.into_iter().find(|thing| thing.mark.key == self.cx.key))
    }

    /// The lab's group; made if it isn't there.
    pub(super) async fn root(&self) -> Result<String, Problem> {
        if let Some(root) = self.find_root().await? {
            return Ok(root.id);
        }
        let body = json!({ "parentIdentifier": "ROOT", "name": self.group_name(), "type": "ORGANIZATIONAL", "attributes": {} });
        match self.post(Kind::Group, ROOT, body).await {
            Ok(thing) => Ok(thing.id),
            // Another step was quicker; or somebody has made one of the same name.
            Err(problem) if problem.code == Code::Conflict => match self.find_root().await? {
                Some(root) => Ok(root.id),
                None => Err(self.taken(Kind::Group, &self.group_name(), None)),
            },
            Err(problem) => Err(problem),
        }
    }

    pub(super) async fn find_root(&self) -> Result<Option<Thing>, Problem> {
        Ok(self.all(Kind::Group).await?.0.into_iter().find(|thing| thing.name == ROOT))
    }

    /// The group that a thing is to stand in: one of the lab's by name, or the lab's own.
    pub(super) async fn parent(&self, group: Option<&str>) -> Result<String, Problem> {
        match group {
            Some(name) => Ok(self.need(Kind::Group, name).await?.id),
            None => self.root().await,
        }
    }

    /// Makes a thing that isn't there; what an earlier attempt of this step has made is it.
    pub(super) async fn make(&self, kind: Kind, name: &str, body: Value) -> Result<Thing, Problem> {
        match self.find(kind, name).await? {
            Some(thing) if thing.mark.key == self.cx.key => return Ok(thing),
            Some(thing) => return Err(self.taken(kind, name, Some(&thing.mark))),
            None => {}
        }
        match self.post(kind, name, body).await {
            Err(problem) if problem.code == Code::Conflict && problem.no_effect => match self.find(kind, name).await? {
                Some(thing) if thing.mark.key == self.cx.key => Ok(thing),
                found => Err(self.taken(kind, name, found.as_ref().map(|thing| &thing.mark))),
            },
            other => other,
        }
    }

    /// Makes a thing, and looks whether Guacamole has kept whose it is.
    async fn post(&self, kind: Kind, name: &str, mut body: Value) -> Result<Thing, Problem> {
        let mark = self.mark(name);
        body["attributes"][MARK] = mark.clone().into();
        let made = self.desk.post(kind.path(), &body).await?;
        let id = kind.id_of(&made);
        let path = format!("{}/{}", kind.path(), encoded(&id));
        let effect = |mut problem: Problem| {
            problem.no_effect = false;
            problem
        };
        let object = self.desk.get(&path).await.map_err(effect)?;
        if object["attributes"][MARK] != mark.as_str() {
            self.desk.delete(&path).await.map_err(effect)?;
            let what = format!(
                "this Guacamole doesn't keep the attribute `{MARK}`, so nobody could tell whose its things are"
            );
            return Err(Problem::new(Code::Unsupported, what)
                .help("the datasource has to be one of Guacamole's own databases, 1.0 or newer")
                .no_effect());
        }
        self.own(kind, object).map_err(|_| Problem::new(Code::Internal, "a mark that can't be read"))
    }

    fn taken(&self, kind: Kind, name: &str, by: Option<&Mark>) -> Problem {
        let (by, run) = match by {
            Some(mark) => (format!("the run {} made it for this lab", mark.run()), Some(mark.run())),
            None => ("it isn't this lab's".to_owned(), None),
        };
        let what = format!("Guacamole has a {} `{name}` already; {by}", kind.words());
        Problem::new(Code::Conflict, what)
            .help("take another name, or change that one with the op that updates it")
            .data(json!({ "reason": "taken", "run": run }))
            .no_effect()
    }

    /// A secret, for Guacamole. A rehearsal learns only whether it may be had.
    pub(super) fn reveal(&self, secret: &Value) -> Result<Zeroizing<String>, Problem> {
        let value = self.cx.reveal(secret, self.desk.web.destination()).map_err(Problem::no_effect)?;
        Ok(if self.cx.rehearsal { Zeroizing::new("rehearsed".to_owned()) } else { value })
    }

    /// Writes a thing anew, its mark as it was.
    pub(super) async fn write(&self, kind: Kind, thing: &Thing, mut body: Value) -> Result<(), Problem> {
        // What Guacamole only tells.
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|field, _| !["lastActive", "activeConnections", "disabled"].contains(&field.as_str()));
        }
        body["attributes"][MARK] = thing.mark.to_string().into();
        self.desk.put(&format!("{}/{}", kind.path(), encoded(&thing.id)), &body).await.map(drop)
    }

    /// Removes a thing of the lab; for an undo only what its step has made. Gone already is fine; what isn't the lab's is refused.
    pub(super) async fn remove(&self, kind: Kind, name: &str) -> Result<bool, Problem> {
        let (own, others) = self.all(kind).await?;
        let fits = |thing: &&Thing| thing.name == name && self.may_remove(thing);
        let Some(thing) = own.iter().find(fits) else {
            self.refuse_foreign(kind, name, &others).await?;
            return self.remove_root_if_mine().await.map(|()| false);
        };
        if kind == Kind::Group {
            self.refuse_full(thing).await?;
        }
        let removed = self.drop_thing(kind, &thing.id).await?;
        self.remove_root_if_mine().await?;
        Ok(removed)
    }

    /// Whether a call may remove it: an undo only what its step has made.
    pub(super) fn may_remove(&self, thing: &Thing) -> bool {
        self.cx.undoes.as_ref().is_none_or(|key| *key == thing.mark.key)
    }

    pub(super) async fn drop_thing(&self, kind: Kind, id: &str) -> Result<bool, Problem> {
        match self.desk.delete(&format!("{}/{}", kind.path(), encoded(id))).await {
            Ok(_) => Ok(true),
            Err(problem) if problem.code == Code::NotFound => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// A user is everybody's of that name; a connection's name means one in the lab's group.
    async fn refuse_foreign(&self, kind: Kind, name: &str, others: &[Value]) -> Result<(), Problem> {
        if self.cx.undoes.is_some() {
            return Ok(());
        }
        let places: Vec<String> = match kind {
            Kind::Connection | Kind::Group => {
                self.all(Kind::Group).await?.0.into_iter().map(|thing| thing.id).collect()
            }
            _ => Vec::new(),
        };
        let stands_here = |object: &Value| match kind {
            Kind::User | Kind::UserGroup => true,
            Kind::Connection | Kind::Group => places.iter().any(|place| object["parentIdentifier"] == place.as_str()),
            Kind::Profile => false,
        };
        match others.iter().any(|object| kind.name_of(object) == name && stands_here(object)) {
            true => Err(Problem::new(Code::Conflict, format!("the {} `{name}` isn't the lab's", kind.words()))
                .help("what others made is theirs to remove, in Guacamole's settings")
                .data(json!({ "reason": "not_ours" }))
                .no_effect()),
            false => Ok(()),
        }
    }

    /// With a group Guacamole removes all that is in it, whosever it is.
    async fn refuse_full(&self, group: &Thing) -> Result<(), Problem> {
        let inside = self.inside(&group.id).await?;
        if inside.is_empty() {
            return Ok(());
        }
        let what = format!("the group `{}` isn't empty: {}", group.name, inside.join(", "));
        Err(Problem::new(Code::Conflict, what).data(json!({ "reason": "not_empty", "inside": inside })).no_effect())
    }

    /// The names of what stands in a group.
    pub(super) async fn inside(&self, group: &str) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        for kind in [Kind::Connection, Kind::Group] {
            let (own, others) = self.all(kind).await?;
            let objects = own.iter().map(|thing| &thing.object).chain(&others);
            let within = objects.filter(|object| object["parentIdentifier"] == group);
            names.extend(within.map(|object| kind.name_of(object).to_owned()));
        }
        Ok(names)
    }

    /// An undo removes the lab's group, too, if its step has made it and nothing stands in it.
    pub(super) async fn remove_root_if_mine(&self) -> Result<(), Problem> {
        if self.cx.undoes.is_none() {
            return Ok(());
        }
        match self.find_root().await? {
            Some(root) if self.may_remove(&root) && self.inside(&root.id).await?.is_empty() => {
                self.drop_thing(Kind::Group, &root.id).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// A thing as scripts see it. Without parameters: secrets may stand there.
    pub(super) fn shown(&self, kind: Kind, thing: &Thing, groups: &[Thing]) -> Value {
        let object = &thing.object;
        let mut attributes = object["attributes"].as_object().cloned().unwrap_or_default();
        attributes.retain(|name, value| !name.starts_with(marks::OURS) && !value.is_null());
        let mut shown =
            json!({ "id": thing.id, "name": thing.name, "attributes": attributes, "run": run_of(&thing.mark.key) });
        let place = &object["parentIdentifier"];
        let group =
            groups.iter().find(|group| group.name != ROOT && *place == group.id.as_str()).map(|group| &group.name);
        match kind {
            Kind::Connection => {
                shown["group"] = json!(group);
                shown["protocol"] = object["protocol"].clone();
                shown["active"] = json!(object["activeConnections"].as_i64().unwrap_or(0));
                shown["link"] = self.link(&thing.id).into();
            }
            Kind::Group => {
                shown["group"] = json!(group);
                shown["type"] = object["type"].clone();
            }
            Kind::Profile => shown["connection_id"] = object["primaryConnectionIdentifier"].clone(),
            Kind::User | Kind::UserGroup => {}
        }
        shown
    }

    /// Where people open a connection. Whoever follows it logs in first.
    fn link(&self, id: &str) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
        let identifier = format!("{id}\0c\0{}", self.desk.web.config().datasource);
        format!("{}/#/client/{}", self.desk.base, STANDARD_NO_PAD.encode(identifier))
    }
}

//! `windlass schedules …`: workflows that are launched by the clock, in this data folder or at a server.

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::User,
    triggers::{
        cron::Cron,
        kept::{Owner, Schedule},
        schedules::{self, NewSchedule, ScheduleChange},
    },
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::{InputArgs, users};
use crate::{
    context::Context,
    desk::{Desk, Remote},
    exit::Exit,
    render,
};

/// What a schedule is made with and changed to.
#[derive(Debug, Default, clap::Args)]
pub struct Settings {
    /// By whose clocks: a name of the IANA database [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// What to do about instants that passed while no server ran [default: once]
    #[arg(long, value_parser = ["skip", "once", "all"])]
    pub missed: Option<String>,
    /// What to do while the run before is still open [default: skip]
    #[arg(long, value_parser = ["allow", "skip", "queue", "cancel-previous"])]
    pub overlap: Option<String>,
    /// Launch up to so much later: 5m [default: on time]
    #[arg(long, value_name = "TIME")]
    pub jitter: Option<String>,
    /// A tag of its runs (may be given several times)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// For whom it launches, in a data folder: a user [default: who acts]. A server knows it from the token
    #[arg(long, value_name = "USER")]
    pub owner: Option<String>,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List schedules, with their next and last launches
    Ls,
    /// Show a schedule
    Show {
        /// Its name or id
        schedule: String,
    },
    /// Make a schedule
    Add {
        /// How people will call it
        name: String,
        /// The workflow: area/name
        workflow: String,
        /// When: five fields (minute, hour, day of month, month, day of week), or six with seconds in front
        #[arg(long)]
        cron: String,
        /// The organisation that it and its runs belong to [default: platform, or yours]
        #[arg(long, value_name = "ORGANISATION")]
        organisation: Option<String>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        input: InputArgs,
    },
    /// Change a schedule; what isn't named stays
    Set {
        /// Its name or id
        schedule: String,
        /// When
        #[arg(long)]
        cron: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Put a schedule to rest
    Pause {
        /// Its name or id
        schedule: String,
    },
    /// Let a schedule go on; what passed meanwhile is not made up for
    Resume {
        /// Its name or id
        schedule: String,
    },
    /// Launch a schedule's workflow now, besides its turn
    Run {
        /// Its name or id
        schedule: String,
    },
    /// Remove a schedule; its runs go on
    Rm {
        /// Its name or id
        schedule: String,
    },
    /// Show when a cron pattern happens
    Next {
        /// The pattern
        cron: String,
        /// By whose clocks
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: String,
        /// How many instants
        #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
        count: u8,
    },
}

/// Where the schedules are.
enum Place<'a> {
    Here(&'a Engine, &'a Context),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    if let Command::Next { cron, time_zone, count } = command {
        return next(cron, time_zone, usize::from(*count), context);
    }
    match context.remote()? {
        Some(remote) => {
            let done = at(&Place::There(&remote), &remote, command, context);
            Box::new(remote).close();
            done
        }
        None => context.with(|session| at(&Place::Here(session.engine(), context), session, command, context)),
    }
}

fn at(place: &Place<'_>, desk: &dyn Desk, command: &Command, context: &Context) -> Result<Exit, Problem> {
    if let (Place::There(_), Command::Add { settings, .. } | Command::Set { settings, .. }) = (place, command)
        && settings.owner.is_some()
    {
        return Err(not_there());
    }
    match command {
        Command::Ls => {
            let all = place.all()?;
            context.print(&all, || table(&all));
        }
        Command::Show { schedule } => print(context, &place.find(schedule)?),
        Command::Add { name, workflow, cron, organisation, settings, input } => {
            let new = json!({
                "name": name,
                "workflow": workflow,
                "cron": cron,
                "organisation": organisation,
                "input": input.read(&desk.workflow(workflow)?, &context.loaded.config.workflows)?,
            });
            print(context, &place.add(merged(new, settings), settings.owner.as_deref())?);
        }
        Command::Set { schedule, cron, settings } => {
            let change = cron.as_ref().map_or_else(|| json!({}), |cron| json!({ "cron": cron }));
            let found = place.find(schedule)?;
            print(context, &place.change(&found, merged(change, settings), settings.owner.as_deref())?);
        }
        Command::Pause { schedule } => paused(place, schedule, true, context)?,
        Command::Resume { schedule } => paused(place, schedule, false, context)?,
        Command::Run { schedule } => {
            let run = place.fire(&place.find(schedule)?)?;
            context.print(&json!({ "id": run }), || run.clone());
        }
        Command::Rm { schedule } => {
            let found = place.find(schedule)?;
            place.remove(&found)?;
            let name = text(&found, "name");
            context.print(&json!({ "id": found["id"], "done": "removed" }), || format!("{name} is removed"));
        }
        Command::Next { .. } => {}
    }
    Ok(Exit::Success)
}

fn paused(place: &Place<'_>, schedule: &str, paused: bool, context: &Context) -> Result<(), Problem> {
    let found = place.find(schedule)?;
    print(context, &place.change(&found, json!({ "paused": paused }), None)?);
    Ok(())
}

/// The settings that were given, in the words of the API.
fn merged(mut body: Value, settings: &Settings) -> Value {
    let mut put = |key: &str, value: Option<&String>| {
        if let Some(value) = value {
            body[key] = value.as_str().into();
        }
    };
    put("time_zone", settings.time_zone.as_ref());
    put("missed", settings.missed.as_ref());
    put("overlap", settings.overlap.as_ref().map(|word| word.replace('-', "_")).as_ref());
    put("jitter", settings.jitter.as_ref());
    put("description", settings.description.as_ref());
    if !settings.tags.is_empty() {
        body["tags"] = json!(settings.tags);
    }
    body
}

impl Place<'_> {
    fn all(&self) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(engine, _) => {
                let all = Schedule::all(engine, &DocumentFilter::default(), |_| true)?;
                all.iter().map(|schedule| Ok(json!(schedules::view(engine, schedule)?))).collect()
            }
            Self::There(remote) => remote.list("/schedules", &[], usize::MAX),
        }
    }

    /// The one of this name or id.
    fn find(&self, word: &str) -> Result<Value, Problem> {
        let mut found = self.all()?;
        found.retain(|schedule| schedule["id"] == word || schedule["name"] == word);
        match (found.pop(), found.is_empty()) {
            (Some(schedule), true) => Ok(schedule),
            (Some(_), false) => {
                Err(Problem::new(Code::Usage, format!("several organisations have a schedule `{word}`"))
                    .help("give its id"))
            }
            (None, _) => Err(Problem::new(Code::NotFound, format!("there is no schedule `{word}`"))
                .help("`windlass schedules ls` lists them")),
        }
    }

    fn add(&self, new: Value, owner: Option<&str>) -> Result<Value, Problem> {
        match self {
            Self::Here(engine, context) => {
                let mut new: NewSchedule = read(new)?;
                let owner = owned(engine, context, owner)?;
                let organisation = new.organisation.take().unwrap_or_else(|| owner.organisation.clone());
                windlass_api::auth::users::require_organisation(engine, &organisation)?;
                let made = schedules::create(engine, &users::by(context), &owner.into(), &organisation, new)?;
                Ok(json!(schedules::view(engine, &made)?))
            }
            Self::There(remote) => remote.post("/schedules", &new),
        }
    }

    fn change(&self, found: &Value, change: Value, owner: Option<&str>) -> Result<Value, Problem> {
        let id = text(found, "id");
        match self {
            Self::Here(engine, context) => {
                let before = Schedule::require(engine, &id)?;
                // Whoever puts it to rest at the data folder needn't be a user.
                let present = Some(before.body.about.owner.as_str());
                let grant = before.body.about.grant.clone().filter(|_| owner.is_none());
                let owner = Owner { user: owned(engine, context, owner.or(present))?, grant };
                let after =
                    schedules::change(engine, &users::by(context), &owner, &before, read::<ScheduleChange>(change)?)?;
                Ok(json!(schedules::view(engine, &after)?))
            }
            Self::There(remote) => remote.patch(&format!("/schedules/{}", id), &change),
        }
    }

    fn remove(&self, found: &Value) -> Result<(), Problem> {
        let id = text(found, "id");
        match self {
            Self::Here(engine, context) => {
                schedules::remove(engine, &users::by(context), &Schedule::require(engine, &id)?)
            }
            Self::There(remote) => remote.delete(&format!("/schedules/{}", id)),
        }
    }

    fn fire(&self, found: &Value) -> Result<String, Problem> {
        let id = text(found, "id");
        match self {
            Self::Here(engine, context) => {
                let schedule = Schedule::require(engine, &id)?;
                Ok(schedules::fire(engine, &users::by(context), &context.who(), &schedule)?.to_string())
            }
            Self::There(remote) => {
                let fired: Value = remote.post(&format!("/schedules/{}/run", id), &json!({}))?;
                Ok(text(&fired, "id"))
            }
        }
    }
}

fn not_there() -> Problem {
    Problem::new(Code::Usage, "at a server a schedule launches for whoever makes or changes it")
        .help("leave --owner out; another token acts for somebody else")
}

/// The user for whom a schedule of this data folder launches.
fn owned(engine: &Engine, context: &Context, named: Option<&str>) -> Result<User, Problem> {
    let name = named.map_or_else(|| context.who(), str::to_owned);
    User::find(engine, &name)?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("there is no user `{name}`, for whom the schedule would launch"))
            .help("name one with --owner; `windlass users ls` lists them, `windlass users create` makes one")
    })
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value)
        .map_err(|error| Problem::new(Code::InvalidInput, format!("it can't be read: {error}")))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn print(context: &Context, schedule: &Value) {
    context.print(schedule, || {
        let mut lines = vec![
            format!("{}  {}", text(schedule, "name"), text(schedule, "id")),
            format!(
                "  launches {} for {}, in {}",
                text(schedule, "workflow"),
                text(schedule, "owner"),
                text(schedule, "organisation")
            ),
            format!(
                "  when     {} ({}): {}",
                text(schedule, "cron"),
                text(schedule, "time_zone"),
                text(schedule, "words")
            ),
            format!("  missed   {}; overlap {}", text(schedule, "missed"), text(schedule, "overlap").replace('_', "-")),
        ];
        if let Some(at) = schedule["acts_until_ms"].as_i64() {
            lines.push(format!("  until    {}: then the token ends that set it up", render::clock(at)));
        }
        if schedule["paused"] == true {
            lines.push("  it rests: `windlass schedules resume` lets it go on".into());
        }
        let next = schedule["next"].as_array().into_iter().flatten();
        lines.extend(next.map(|instant| format!("  next     {}", text(instant, "wall"))));
        if let Some(at) = schedule["last"]["launched_at_ms"].as_i64() {
            let run = schedule["last"]["run"].as_str().unwrap_or("a run that is gone");
            lines.push(format!("  last     {}  {run}", render::clock(at)));
        }
        if let Some(message) = schedule["error"]["message"].as_str() {
            let at = schedule["error"]["at_ms"].as_i64().unwrap_or_default();
            lines.push(format!("  failed   {}  {message}", render::clock(at)));
        }
        let (launched, skipped) = (&schedule["launched"], &schedule["skipped"]);
        lines.push(format!(
            "  so far   {launched} launched, {skipped} skipped, {} missed, {} refused",
            schedule["missed_instants"], schedule["failed"]
        ));
        lines.join("\n")
    });
}

fn table(all: &[Value]) -> String {
    if all.is_empty() {
        return "no schedules".into();
    }
    let rows = all.iter().map(|schedule| {
        let next = schedule["next"][0]["wall"].as_str();
        let last = schedule["last"]["launched_at_ms"].as_i64().map_or("never".to_owned(), render::clock);
        vec![
            text(schedule, "name"),
            text(schedule, "workflow"),
            format!("{} ({})", text(schedule, "cron"), text(schedule, "time_zone")),
            next.map_or_else(
                || if schedule["paused"] == true { "rests".into() } else { "never".into() },
                str::to_owned,
            ),
            last,
            text(schedule, "owner"),
        ]
    });
    render::table(&["name", "workflow", "when", "next", "last", "for"], rows.collect())
}

fn next(cron: &str, zone: &str, count: usize, context: &Context) -> Result<Exit, Problem> {
    let pattern = Cron::new(cron, zone)?;
    let now_ms = windlass_api::auth::kept::now_ms();
    let instants: Vec<Value> = pattern
        .upcoming(now_ms, count)
        .into_iter()
        .map(|at_ms| json!({ "at_ms": at_ms, "wall": pattern.wall(at_ms) }))
        .collect();
    context.print(&json!({ "words": pattern.words(), "next": instants }), || {
        let lines = instants.iter().map(|instant| text(instant, "wall"));
        std::iter::once(pattern.words()).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Success)
}

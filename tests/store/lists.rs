//! Lists of runs: every filter, alone and with others, against a filter that looks at each run; and lists of other things
//! within scopes.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem, RunId, RunState, WaitReason, WaitSpec,
    command::{Command, Given, NewRun, Reply},
    document::{Change, DocumentFilter, Expected},
    journal::LocalEffect,
    query::{ApprovalFilter, ResourceFilter, RunFilter, RunRecord, Scope},
    wait::{ApprovalRequest, OnExpiry},
};

use super::world::{World, call, creates, new_run, value};

super::on_both!(
    every_filter_finds_what_a_naive_one_finds,
    secrets_are_not_found,
    a_removed_run_is_not_found,
    children_and_continuations_stay_in_the_organisation,
    resources_are_found_within_scopes,
    approvals_are_found_within_scopes,
    counts_stay_within_scopes,
    an_expired_document_is_not_there,
);

const RUNS: usize = 300;
const ORGANISATIONS: [&str; 3] = ["platform", "acme", "other"];
const WORKFLOWS: [&str; 6] = ["lab/grid", "lab/line", "lab/deep/ring", "laboratory/x", "web/deploy", "lab"];
const TAGS: [&str; 4] = ["night", "100%", "a\"b", "lab"];
const WORDS: [&str; 6] = ["Berlin", "node-17", "ÄRGER", "x y", "", "platform"];
const PEOPLE: [&str; 3] = ["ann", "bob@acme.example", "schedule:nightly"];

fn scope(organisation: &str, folder: &str) -> Scope {
    Scope { organisation: organisation.into(), folder: folder.into() }
}

/// A ULID of this time; `number` makes it unique.
fn id(ms: i64, number: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |value: i64, place: u32| char::from(ALPHABET[(value >> (5 * place) & 31) as usize]);
    let time: String = (0..10).rev().map(|place| digit(ms, place)).collect();
    let rest: String = (0..12).rev().map(|place| digit(number as i64 * 7919, place)).collect();
    format!("{time}{rest}wxyz")
}

struct House {
    random: StdRng,
    runs: Vec<RunRecord>,
}

impl House {
    /// Some hundred runs of all kinds, some of them ended.
    fn build(w: &World) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let mut ids: Vec<RunId> = Vec::new();
        for number in 0..RUNS {
            w.pass(random.random_range(0..50));
            let mut pick = |from: &[&str]| (*from.choose(&mut random).unwrap()).to_owned();
            let (workflow, organisation, by) = (pick(&WORKFLOWS), pick(&ORGANISATIONS), pick(&PEOPLE));
            let text = pick(&WORDS);
            let input = json!({
                "city": text, "count": random.random_range(0..4), "dry": random.random_bool(0.5),
                "hosts": [{ "name": pick_word(&mut random) }], "a=b": "c", "none": null,
            });
            let mut tags: Vec<String> = Vec::new();
            for tag in TAGS {
                if random.random_bool(0.3) {
                    tags.push(tag.into());
                }
            }
            let parent = ids.choose(&mut random).filter(|_| number % 5 == 0).cloned();
            let run = NewRun {
                id: id(w.now(), number).into(),
                workflow,
                organisation,
                launched_by: by,
                input: input.to_string(),
                tags,
                parent: parent.map(|parent| (parent, "0".parse().unwrap())),
                ..new_run("")
            };
            ids.push(run.id.clone());
            if number % 3 == 0 {
                w.ok(Command::Launch { run: Box::new(run), claim: None });
                continue;
            }
            let lease = w.launch_as(run).unwrap();
            match number % 7 {
                0 | 1 => drop(w.ok(Command::Succeed { lease, output: "1".into() })),
                2 | 3 => {
                    let problem = Problem::new(Code::CommandFailed, "Kabel 42 is unplugged in Berlin");
                    w.ok(Command::Fail { lease, problem, undo: number % 2 == 0 });
                }
                4 => {
                    let due_at_ms = w.now() + 1_000_000;
                    w.wait(&lease, "1", WaitSpec::Timer { due_at_ms });
                    w.park(&lease, "0", WaitSpec::Signal { name: "go".into(), expires_at_ms: None });
                }
                5 => w.park(&lease, "0", WaitSpec::Signal { name: "go".into(), expires_at_ms: None }),
                _ => {}
            }
        }
        let mut runs: Vec<RunRecord> = ids.iter().map(|id| w.store.run(id).unwrap().unwrap()).collect();
        runs.sort_by(|one, other| other.id.as_str().cmp(one.id.as_str()));
        Self { random, runs }
    }

    fn pick(&mut self, from: &[&str]) -> String {
        (*from.choose(&mut self.random).unwrap()).to_owned()
    }

    fn run(&mut self) -> RunRecord {
        self.runs.choose(&mut self.random).unwrap().clone()
    }

    /// Adds a random condition of this kind.
    fn narrow(&mut self, kind: usize, mut filter: RunFilter) -> RunFilter {
        let run = self.run();
        match kind {
            0 => filter.states = vec![run.state],
            1 => filter.states = vec![run.state, RunState::Failed, RunState::Queued],
            2 => filter.workflow = Some(run.workflow),
            3 => filter.workflow = Some(self.pick(&["lab/*", "lab/deep/*", "web/*", "none/*"])),
            4 => filter.tag = Some(self.pick(&TAGS)),
            5 => filter.parent = self.runs.iter().find_map(|run| run.parent.clone()).map(|(parent, _)| parent),
            6 => filter.scopes = Some(vec![scope(&run.organisation, "*")]),
            7 => filter.scopes = Some(vec![scope("acme", "lab"), scope("*", "web"), scope("other", "lab/deep/ring")]),
            8 => filter.scopes = Some(vec![scope("acme", "*"), scope("*", "*")]),
            9 => filter.scopes = Some(Vec::new()),
            10 => filter.organisation = Some(run.organisation),
            11 => filter.inputs = vec![("city".into(), self.pick(&WORDS))],
            12 => filter.inputs = vec![("count".into(), "2".into()), ("dry".into(), "true".into())],
            13 => filter.inputs = vec![self.odd_field()],
            14 => {
                filter.text =
                    Some(self.pick(&["berlin", "node-17 LAB", "Ärger", "kabel command_failed", "acme bob", "?"]))
            }
            15 => filter.text = Some(run.id.as_str()[..20].to_owned()),
            16 => filter.since_ms = Some(run.launched_at_ms),
            17 => filter.until_ms = Some(run.launched_at_ms),
            19 => {
                let reason = if run.waiting_on.is_empty() { WaitReason::InDoubt } else { run.waiting_on[0] };
                filter.waiting_on = vec![reason, WaitReason::Lock];
            }
            18 => filter.id_prefix = Some(run.id.as_str()[..9].to_owned()),
            _ => filter.before = Some(run.id),
        }
        filter
    }

    fn odd_field(&mut self) -> (String, String) {
        let fields = [("a=b", "c"), ("a", "b=c"), ("none", "null"), ("hosts", "x"), ("nothing", "")];
        let (field, text) = fields.choose(&mut self.random).unwrap();
        ((*field).to_owned(), (*text).to_owned())
    }

    fn check(&self, w: &World, asked: &RunFilter) {
        let wanted: Vec<&str> = self.runs.iter().filter(|run| fits(run, asked)).map(|run| run.id.as_str()).collect();
        let limit = 40;
        let mut filter = RunFilter { limit, ..asked.clone() };
        assert_eq!(w.store.count_runs(&filter, 1_000).unwrap(), wanted.len() as u64, "{filter:?}");
        assert_eq!(w.store.count_runs(&filter, 3).unwrap(), wanted.len().min(3) as u64, "{filter:?}");
        let mut found: Vec<String> = Vec::new();
        loop {
            let page = w.store.runs(&filter).unwrap();
            assert!(page.len() <= limit as usize);
            found.extend(page.iter().map(|run| run.id.to_string()));
            match page.last() {
                Some(last) if page.len() == limit as usize => filter.before = Some(last.id.clone()),
                _ => break,
            }
        }
        assert_eq!(found, wanted, "{filter:?}");
        // However little a page looks through, all of them together are the list.
        let mut filter = RunFilter { limit: 7, look_through: 9, ..asked.clone() };
        let mut found: Vec<String> = Vec::new();
        for pages in 0.. {
            assert!(pages <= 2 * RUNS, "it doesn't come to an end: {filter:?}");
            let page = w.store.runs_page(&filter).unwrap();
            assert!(page.runs.len() <= 7);
            found.extend(page.runs.iter().map(|run| run.id.to_string()));
            filter.before = page.next;
            if filter.before.is_none() {
                break;
            }
        }
        assert_eq!(found, wanted, "{filter:?}");
    }
}

fn pick_word(random: &mut StdRng) -> &'static str {
    WORDS.choose(random).unwrap()
}

const KINDS: usize = 21;

fn words(text: &str) -> Vec<String> {
    let all = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    all.filter(|word| word.chars().count() > 1).collect()
}

fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.extend(words(text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|item| texts(item, into)),
        _ => {}
    }
}

/// The filter as its documentation says it, run by run.
fn fits(run: &RunRecord, filter: &RunFilter) -> bool {
    let workflow = filter.workflow.as_deref().is_none_or(|asked| match asked.strip_suffix('*') {
        Some(folder) => run.workflow.starts_with(folder),
        None => run.workflow == asked,
    });
    let covered = |scopes: &Vec<Scope>| scopes.iter().any(|scope| scope.covers(&run.organisation, &run.workflow));
    let has = |(field, text): &(String, String)| match &run.input[field] {
        Value::String(value) => value == text,
        Value::Array(_) | Value::Object(_) => false,
        value => {
            let written = value.to_string();
            run.input.get(field).is_some() && written == *text
        }
    };
    let said = |text: &String| {
        let mut there = words(&run.workflow);
        run.tags.iter().for_each(|tag| there.extend(words(tag)));
        there.extend(words(&run.launched_by));
        texts(&run.input, &mut there);
        if let Some(problem) = &run.problem {
            there.extend(words(problem.code.as_str()));
            there.extend(words(&problem.message));
        }
        let asked = words(text);
        !asked.is_empty() && asked.iter().all(|word| there.contains(word) || run.id.as_str().starts_with(word.as_str()))
    };
    let parent = filter.parent.as_ref().is_none_or(|asked| run.parent.as_ref().is_some_and(|(id, _)| id == asked));
    let waits = filter.waiting_on.is_empty() || filter.waiting_on.iter().any(|reason| run.waiting_on.contains(reason));
    (filter.states.is_empty() || filter.states.contains(&run.state))
        && waits
        && workflow
        && parent
        && filter.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
        && filter.scopes.as_ref().is_none_or(covered)
        && filter.organisation.as_ref().is_none_or(|asked| run.organisation == *asked)
        && filter.inputs.iter().all(has)
        && filter.text.as_ref().is_none_or(said)
        && filter.since_ms.is_none_or(|ms| run.launched_at_ms >= ms)
        && filter.until_ms.is_none_or(|ms| run.launched_at_ms < ms)
        && filter.id_prefix.as_ref().is_none_or(|prefix| run.id.as_str().starts_with(prefix.as_str()))
        && filter.before.as_ref().is_none_or(|before| run.id.as_str() < before.as_str())
}

fn every_filter_finds_what_a_naive_one_finds(w: &World) {
    let mut house = House::build(w);
    house.check(w, &RunFilter::default());
    for kind in 0..KINDS {
        for _ in 0..3 {
            let filter = house.narrow(kind, RunFilter::default());
            house.check(w, &filter);
        }
        for other in 0..kind {
            let filter = house.narrow(kind, RunFilter::default());
            let filter = house.narrow(other, filter);
            house.check(w, &filter);
        }
    }
    for _ in 0..100 {
        let mut filter = RunFilter::default();
        for _ in 0..4 {
            let kind = house.random.random_range(0..KINDS);
            filter = house.narrow(kind, filter);
        }
        house.check(w, &filter);
    }
    let page = w.store.runs(&RunFilter::default()).unwrap();
    assert_eq!(page.len(), 50, "a page that nobody gave a size");
}

fn secrets_are_not_found(w: &World) {
    let input = json!({
        "user": "carol", "key": "hunter22", "login": { "word": "swordfish" },
        "held": { "$secret": "vaultname" }, "list": [{ "$secret": "vaultname" }],
    });
    let run =
        NewRun { input: input.to_string(), unindexed: vec!["key".into(), "login".into()], ..new_run(&id(w.now(), 1)) };
    w.ok(Command::Launch { run: Box::new(run), claim: None });
    let found = |filter: RunFilter| w.store.runs(&filter).unwrap().len();
    let text = |text: &str| found(RunFilter { text: Some(text.into()), ..RunFilter::default() });
    let field = |name: &str, value: &str| {
        found(RunFilter { inputs: vec![(name.into(), value.into())], ..RunFilter::default() })
    };
    assert_eq!((text("carol"), field("user", "carol")), (1, 1));
    assert_eq!((text("hunter22"), field("key", "hunter22"), text("swordfish"), text("vaultname")), (0, 0, 0, 0));
    let dump = w.store.dump().unwrap();
    let terms: Vec<&str> = dump.lines().filter(|line| line.starts_with("run_terms")).collect();
    assert!(!terms.is_empty());
    for secret in ["hunter22", "swordfish", "vaultname"] {
        assert!(!terms.iter().any(|line| line.contains(secret)), "{secret}");
    }
}

fn a_removed_run_is_not_found(w: &World) {
    let run = NewRun { retention_ms: Some(10), ..new_run(&id(w.now(), 1)) };
    let lease = w.launch_as(run).unwrap();
    w.launch(&id(w.now(), 2));
    w.ok(Command::Succeed { lease: lease.clone(), output: "1".into() });
    w.pass(20);
    w.ok(Command::Prune { default_retention_ms: i64::MAX, limit: 10 });
    let dump = w.store.dump().unwrap();
    let terms = |run: &str| dump.lines().filter(|line| line.starts_with("run_terms") && line.contains(run)).count();
    assert_eq!(terms(lease.run.as_str()), 0);
    assert!(terms(&id(START, 2)) > 0);
    assert_eq!(w.store.runs(&RunFilter { tag: Some("lab".into()), ..RunFilter::default() }).unwrap().len(), 1);
}

const START: i64 = super::world::START_MS;

fn children_and_continuations_stay_in_the_organisation(w: &World) {
    let lease = w.launch_as(NewRun { organisation: "acme".into(), ..new_run("r1") }).unwrap();
    let effect = LocalEffect::LaunchChild { workflow: "lab/x".into(), input: Value::Null };
    let given = Given::Child(Box::new(new_run("r2")));
    let step = std::sync::Arc::new(call("0", "launch", windlass_model::EffectClass::Read));
    w.ok(Command::Local { lease: lease.clone(), call: step, effect, given });
    w.ok(Command::ContinueAsNew { lease, run: Box::new(new_run("r3")) });
    for run in ["r1", "r2", "r3"] {
        assert_eq!(w.store.run(&run.into()).unwrap().unwrap().organisation, "acme", "{run}");
    }
}

/// A run of an organisation that has made a thing.
fn made(w: &World, run: &str, organisation: &str, workflow: &str, thing: &str) {
    let new = NewRun { organisation: organisation.into(), workflow: workflow.into(), ..new_run(run) };
    let lease = w.launch_as(new).unwrap();
    w.finish(&lease, &creates("0", thing), value(json!(1)));
    w.pass(1);
}

fn resources_are_found_within_scopes(w: &World) {
    made(w, "r1", "acme", "lab/grid", "n1");
    made(w, "r2", "acme", "web/deploy", "n2");
    made(w, "r3", "other", "lab/grid", "m3");
    let find = |filter: ResourceFilter| -> Vec<String> {
        let found = w.store.resources_where(&filter).unwrap();
        found.into_iter().map(|row| format!("{} {}", row.organisation, row.resource.id)).collect()
    };
    assert_eq!(find(ResourceFilter::default()), ["acme n1", "acme n2", "other m3"]);
    let within = |scopes: &[Scope]| find(ResourceFilter { scopes: Some(scopes.to_vec()), ..Default::default() });
    assert_eq!(within(&[scope("acme", "*")]), ["acme n1", "acme n2"]);
    assert_eq!(within(&[scope("*", "lab")]), ["acme n1", "other m3"]);
    assert_eq!(within(&[scope("acme", "web/deploy"), scope("other", "lab")]), ["acme n2", "other m3"]);
    assert_eq!(within(&[scope("*", "la")]), [""; 0]);
    assert_eq!(within(&[]), [""; 0]);
    let first = w.store.resources_where(&ResourceFilter { limit: 1, ..Default::default() }).unwrap().remove(0);
    let after = Some((first.created_at_ms, first.run, first.resource));
    assert_eq!(find(ResourceFilter { after, ..Default::default() }), ["acme n2", "other m3"]);
    assert_eq!(find(ResourceFilter { id_prefix: Some("n".into()), ..Default::default() }), ["acme n1", "acme n2"]);
    assert_eq!(find(ResourceFilter { organisation: Some("other".into()), ..Default::default() }), ["other m3"]);
    assert_eq!(find(ResourceFilter { run: Some("r2".into()), ..Default::default() }), ["acme n2"]);
    assert_eq!(find(ResourceFilter { provider: Some("docker".into()), ..Default::default() }), [""; 0]);
    assert_eq!(find(ResourceFilter { kind: Some("namespace".into()), open_only: true, ..Default::default() }).len(), 3);
}

fn approvals_are_found_within_scopes(w: &World) {
    for (run, organisation, workflow) in [("r1", "acme", "lab/grid"), ("r2", "other", "web/deploy")] {
        let new = NewRun { organisation: organisation.into(), workflow: workflow.into(), ..new_run(run) };
        let lease = w.launch_as(new).unwrap();
        let request = ApprovalRequest {
            title: "May I?".into(),
            details: Value::Null,
            form: None,
            role: None,
            quorum: 1,
            expires_at_ms: None,
            on_expiry: OnExpiry::Deny,
            allow_self: false,
            only_alone: false,
            digest: "d".into(),
        };
        w.park(&lease, "0", windlass_model::WaitSpec::Approval(Box::new(request)));
    }
    let find = |filter: ApprovalFilter| -> Vec<String> {
        let filter = ApprovalFilter { open_only: true, ..filter };
        w.store.approvals_where(&filter).unwrap().into_iter().map(|row| row.run.to_string()).collect()
    };
    let within =
        |scopes: Option<&[Scope]>| find(ApprovalFilter { scopes: scopes.map(<[_]>::to_vec), ..Default::default() });
    assert_eq!(within(None), ["r1", "r2"]);
    assert_eq!(within(Some(&[scope("acme", "*")])), ["r1"]);
    assert_eq!(within(Some(&[scope("*", "web")])), ["r2"]);
    assert_eq!(within(Some(&[scope("acme", "web")])), [""; 0]);
    assert_eq!(within(Some(&[scope("acme", "web"), scope("*", "*")])), ["r1", "r2"]);
    assert_eq!(find(ApprovalFilter { organisation: Some("other".into()), ..Default::default() }), ["r2"]);
    let first = ApprovalFilter { limit: 1, open_only: true, ..Default::default() };
    let row = w.store.approvals_where(&first).unwrap().remove(0);
    let after = (row.asked_at_ms, row.run.clone(), row.path.clone());
    assert_eq!(find(ApprovalFilter { after: Some(after), ..Default::default() }), ["r2"]);
    let later = (row.asked_at_ms + 1_000_000, "r".into(), row.path);
    assert_eq!(find(ApprovalFilter { after: Some(later), ..Default::default() }), [""; 0]);
}

fn counts_stay_within_scopes(w: &World) {
    for (run, organisation, workflow) in
        [("r1", "acme", "lab/grid"), ("r2", "acme", "web/deploy"), ("r3", "other", "lab/grid")]
    {
        let new = NewRun { organisation: organisation.into(), workflow: workflow.into(), ..new_run(run) };
        w.ok(Command::Launch { run: Box::new(new), claim: None });
    }
    let queued = |scopes: Option<&[Scope]>| {
        let counts = w.store.counts_within(scopes).unwrap();
        assert!(counts.iter().all(|(state, _)| *state == RunState::Queued));
        counts.first().map_or(0, |(_, count)| *count)
    };
    assert_eq!(queued(None), 3);
    assert_eq!(queued(Some(&[scope("acme", "*")])), 2);
    assert_eq!(queued(Some(&[scope("acme", "*"), scope("*", "lab")])), 3);
    assert_eq!(queued(Some(&[scope("*", "lab")])), 2);
    assert_eq!(queued(Some(&[])), 0);
}

fn an_expired_document_is_not_there(w: &World) {
    let put = |id: &str, keys: &[&str], expires_in_ms: Option<i64>| {
        Command::Change(vec![Change::Put {
            kind: "session".into(),
            id: id.into(),
            organisation: "platform".into(),
            body: json!({}),
            keys: keys.iter().map(ToString::to_string).collect(),
            expires_at_ms: expires_in_ms.map(|ms| w.now() + ms),
            expected: Expected::Absent,
        }])
    };
    w.ok(put("s1", &["k1"], Some(10)));
    w.ok(put("s2", &["k2"], Some(10)));
    w.ok(put("s3", &["k3"], None));
    let all = || w.store.documents(&DocumentFilter { kind: "session".into(), ..Default::default() }).unwrap().len();
    w.pass(9);
    assert!(w.store.document("session", "s1").unwrap().is_some());
    assert!(w.store.document_by_key("session", "k1").unwrap().is_some());
    assert_eq!(all(), 3);
    w.pass(1);
    assert_eq!(w.store.document("session", "s1").unwrap(), None);
    assert_eq!(w.store.document_by_key("session", "k1").unwrap(), None);
    assert_eq!(all(), 1);
    // Its id and its keys are free, before anybody has cleared it away.
    assert_eq!(w.ok(put("s1", &["k2"], None)), Reply::Versions(vec![1]));
    assert_eq!(w.store.document_by_key("session", "k2").unwrap().unwrap().id, "s1");
    w.ok(put("s4", &[], Some(1)));
    w.pass(1);
    let rows = || w.store.dump().unwrap().lines().filter(|line| line.starts_with("documents")).count();
    let before = rows();
    assert_eq!(w.ok(Command::Prune { default_retention_ms: i64::MAX, limit: 10 }), Reply::Count(0));
    // Where the dump shows documents, the expired one is gone from it, and only that.
    assert_eq!(rows(), before.saturating_sub(1));
    assert_eq!(all(), 2);
}

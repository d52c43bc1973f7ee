//! The server is killed while it makes a Sovereign, at its commits and between effects and their records, and started again:
//! everything is there once, or, if a component fails, nothing is left.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_tests::wait_for;

use super::{
    World,
    sovereign::{fails, small},
};

/// With this variable every pass is tried, not only some: of all points (`all`), or of those that it names.
const EVERY: &str = "SOVEREIGN_CRASH_EVERYWHERE";
/// Servers at once.
const LANES: usize = 4;
const KINDS: [&str; 6] = ["servers", "networks", "firewalls", "ssh_keys", "placement_groups", "load_balancers"];
/// Where the server is killed in each test that doesn't try every point.
const SOME: [(&str, &[usize]); 4] = [
    ("commit.before", &[9, 34, 61]),
    ("commit.after", &[22, 47, 90]),
    ("effect.before", &[3, 10]),
    ("effect.after", &[5, 9, 12]),
];

/// A world's Sovereigns are told apart by a number.
fn name(n: usize) -> String {
    format!("kill-{n}")
}

fn input(n: usize) -> Value {
    let mut input = small();
    (input["name"], input["label"]) = (json!(name(n)), json!(name(n)));
    // A project takes a key once.
    input["ssh_public_key"] =
        json!(format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFI{n:05}E"));
    input
}

/// Launches it, kills the server at this pass of this point, starts it again, and waits for the run's end. Whether it came to
/// the point, and how the run ended.
fn killed_at(world: &mut World, at: &str, n: usize) -> (bool, Value) {
    world.server.kill();
    world.server.restart_to_crash(at);
    let body = json!({ "workflow": "provision/sovereign", "input": input(n) }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", at)];
    let (mut killed, mut run) = (false, None);
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        assert!(Instant::now() < until, "{at}: {:?}\n{}", world.machines.troubles(), world.server.process().output());
        if !world.server.process().is_running() {
            assert!(!killed, "{at}: it died a second time:\n{}", world.server.process().output());
            killed = true;
            world.server.restart();
        }
        // Whoever gets no answer asks again, with the same key.
        let token = world.server.token.clone();
        let Some(id) = &run else {
            let answer = world.server.try_raw("POST", "/api/v1/runs", &token, &headers, Some(body.clone()));
            let answer = answer.filter(|answer| answer.status < 500);
            assert!(answer.as_ref().is_none_or(|answer| answer.status < 300), "{at}: {answer:?}");
            run = answer.map(|answer| answer.json()["id"].clone());
            continue;
        };
        let path = format!("/api/v1/runs/{}", id.as_str().unwrap());
        let shown = world.server.try_raw("GET", &path, &token, &[], None).filter(|answer| answer.status == 200);
        if let Some(shown) = shown.map(|answer| answer.json()).filter(|shown| shown["ended_at_ms"].is_i64()) {
            return (killed, shown);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl World {
    /// How many things of each kind the Sovereign of this name has, without repetition.
    fn things(&self, name: &str) -> BTreeSet<usize> {
        let mine = |kind| self.project.objects(kind).iter().filter(|one| one["labels"]["sovereign"] == name).count();
        KINDS.into_iter().map(mine).collect()
    }

    fn made_secrets(&self, name: &str) -> Vec<String> {
        let secrets = self.server.get("/api/v1/secrets").expect(200).json();
        let secrets = secrets["items"].as_array().or(secrets.as_array()).unwrap().clone();
        let names = secrets.iter().filter_map(|secret| secret["name"].as_str());
        let part = format!("/{name}/");
        names.filter(|secret| secret.starts_with("made/") && secret.contains(&part)).map(str::to_owned).collect()
    }
}

fn everything_is_there_once(world: &World, at: &str, n: usize, ended: &Value) {
    let (name, domain) = (name(n), format!("{}.pool.test", name(n)));
    assert_eq!(ended["state"], "succeeded", "{at}: {ended:#}\n{:?}", world.machines.troubles());
    assert_eq!(world.things(&name), [1].into(), "{at}");
    let address = ended["output"]["address"].as_str().unwrap();
    for inside in [domain.clone(), format!("console.{domain}")] {
        assert_eq!(world.pdns.dig(&["+short", &inside, "A"]), [address], "{at}: {inside}");
    }
    assert_eq!(world.pdns.records("pool.test.", &format!("{domain}."), "NS").len(), 2, "{at}");
    assert_eq!(ended["output"]["secure"], true, "{at}");
    assert_eq!(world.made_secrets(&name).len(), 3, "{at}: {:?}", world.made_secrets(&name));
}

fn nothing_is_left(world: &World, at: &str, n: usize, ended: &Value) {
    let (name, domain) = (name(n), format!("{}.pool.test.", name(n)));
    assert_eq!(ended["state"], "rolled_back", "{at}: {ended:#}\n{:?}", world.machines.troubles());
    let why = ended["problem"]["message"].as_str().unwrap();
    assert!(why.contains("flux failed on"), "{at}: {why}");
    assert_eq!(world.project.count(), 0, "{at}: {:?}", KINDS.map(|kind| world.project.objects(kind)));
    assert_eq!(world.pdns.records("pool.test.", &domain, "NS"), Vec::<String>::new(), "{at}");
    assert_eq!(world.pdns.api("GET", &format!("/zones/{domain}?rrsets=false"), Value::Null).0, 404, "{at}");
    assert_eq!(world.made_secrets(&name), Vec::<String>::new(), "{at}");
}

/// The passes of a point that are tried, one after the other by whoever comes first.
enum Passes {
    Some(Vec<String>),
    /// Until several runs came to their end unharmed: how many passes there are varies a little.
    Every(&'static str, AtomicUsize),
}

impl Passes {
    fn next(&self, index: usize) -> Option<String> {
        match self {
            Self::Some(points) => points.get(index).cloned(),
            Self::Every(point, unharmed) => {
                (unharmed.load(Ordering::Relaxed) < 4).then(|| format!("{point}:{}", index + 1))
            }
        }
    }
}

fn tried(passes: &Passes, failing: bool) -> Option<()> {
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lanes = std::thread::scope(|scope| {
        let lane = || {
            let mut world = World::new()?;
            for n in 1.. {
                let Some(at) = passes.next(next.fetch_add(1, Ordering::Relaxed)) else { break };
                if failing {
                    world.control.faults.clear();
                    world.control.faults.add([fails("agent.flux", 500, "failed")]);
                }
                let begun = Instant::now();
                let (died, ended) = killed_at(&mut world, &at, n);
                match failing {
                    true => nothing_is_left(&world, &at, n, &ended),
                    false => everything_is_there_once(&world, &at, n, &ended),
                }
                eprintln!("{at}: {} in {:?}", if died { "killed" } else { "unharmed" }, begun.elapsed());
                match passes {
                    _ if died => _ = killed.fetch_add(1, Ordering::Relaxed),
                    Passes::Every(_, unharmed) => _ = unharmed.fetch_add(1, Ordering::Relaxed),
                    Passes::Some(_) => {}
                }
            }
            Some(())
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        // Each lane's own message tells where it failed.
        lanes.into_iter().map(|lane| lane.join().expect("a lane")).collect::<Option<Vec<()>>>()
    });
    lanes?;
    let killed = killed.into_inner();
    eprintln!("killed at {killed} points");
    assert!(killed >= 8, "the server was killed {killed} times only: the test doesn't kill where it should");
    Some(())
}

fn at_points(failing: bool) {
    let Ok(wanted) = std::env::var(EVERY) else {
        let points = SOME.iter().flat_map(|(point, passes)| passes.iter().map(move |pass| format!("{point}:{pass}")));
        tried(&Passes::Some(points.collect()), failing);
        return;
    };
    for (point, _) in SOME.iter().filter(|(point, _)| wanted == "all" || wanted.contains(point)) {
        if tried(&Passes::Every(point, AtomicUsize::new(0)), failing).is_none() {
            return;
        }
    }
}

#[test]
fn killed_anywhere_a_sovereign_comes_to_be_once() {
    at_points(false);
}

#[test]
fn killed_anywhere_a_sovereign_that_fails_leaves_nothing() {
    at_points(true);
}

#[test]
fn a_machine_whose_answer_was_lost_fetches_again_and_nobody_else_does() {
    let Some(mut world) = World::with_machines(false) else { return };
    let run = world.launch("provision/sovereign", &small());
    let (url, word) = wait_for("the machine", Duration::from_secs(60), || {
        let server = world.project.objects("servers").into_iter().find(|server| server["status"] == "running")?;
        let data = world.project.user_data(server["id"].as_i64()?)?;
        let config: Value = serde_json::from_str(data.strip_prefix("#cloud-config\n")?).ok()?;
        let claim: Value = serde_json::from_str(config["write_files"][0]["content"].as_str()?).ok()?;
        let url = claim["url"].as_str()?;
        Some((url[url.find("/api/")?..].to_owned(), claim["word"].clone()))
    });
    let fetch = |world: &World, machine: Option<&str>| {
        let body = match machine {
            Some(machine) => json!({ "word": word, "machine": machine }),
            None => json!({ "word": word }),
        };
        world.server.send_as("", "POST", &format!("{url}/fetch"), Some(&body))
    };
    let first = fetch(&world, Some("chosen-by-this-machine-alone")).expect(200).json();
    // Its answer may have been lost with the server.
    world.server.kill_and_restart();
    let second = fetch(&world, Some("chosen-by-this-machine-alone")).expect(200).json();
    assert_eq!(first["values"], second["values"]);
    assert_ne!(first["report_word"], second["report_word"]);
    fetch(&world, Some("chosen-by-somebody-else---------")).expect(410);
    fetch(&world, None).expect(410);
    let report = |word: &Value| {
        let body = json!({ "word": word, "id": "1", "component": "k3s", "state": "installing", "message": "" });
        world.server.send_as("", "POST", &format!("{url}/reports"), Some(&body))
    };
    report(&first["report_word"]).expect(401);
    report(&second["report_word"]).expect(200);
    // Whoever reports has what it fetched: nobody gets it any more.
    fetch(&world, Some("chosen-by-this-machine-alone")).expect(410);
    world.server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    assert_eq!(world.ended(&run)["state"], "cancelled");
    world.demand_nothing_left();
}

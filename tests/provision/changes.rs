//! What is done to a Sovereign that is there: looked at, scaled, destroyed.

use serde_json::{Value, json};

use super::{World, sovereign::input};

fn output(world: &World, workflow: &str, input: &Value) -> Value {
    let ended = world.ended(&world.launch(workflow, input));
    assert_eq!(ended["state"], "succeeded", "{workflow}: {ended:#}\n{:?}", world.machines.troubles());
    ended["output"].clone()
}

#[test]
fn it_is_looked_at_scaled_and_destroyed() {
    let Some(world) = World::new() else { return };
    let wanted = input();
    world.succeeds(&wanted);
    let names = |kind: &'static str| -> Vec<String> {
        let mut names: Vec<_> =
            world.project.objects(kind).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };

    let mut asked = json!({ "domain": "acme.pool.test" });
    for name in ["name", "project", "topology", "ha", "regions"] {
        asked[name] = wanted[name].clone();
    }
    let looked = output(&world, "provision/drift", &asked);
    assert_eq!(looked["differences"], json!([]), "{looked:#}");
    assert_eq!((&looked["delegated"], &looked["secure"]), (&json!(true), &json!(true)));

    let scale = |workers: u32| {
        let input =
            json!({ "name": "acme", "project": "main", "location": "fsn1", "size": "cx33", "workers": workers });
        output(&world, "provision/scale-workers", &input)
    };
    let mut made = scale(4)["made"].clone();
    made.as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(made, json!(["acme-w-1-3", "acme-w-1-4"]));
    assert_eq!(names("servers").len(), 8);
    assert_eq!(scale(4), json!({ "made": [], "removed": [] }));
    let looked = output(&world, "provision/drift", &asked);
    let differ: Vec<_> = looked["differences"].as_array().unwrap().iter().map(|one| one["what"].clone()).collect();
    assert_eq!(differ, ["acme-w-1-3", "acme-w-1-4"], "{looked:#}");
    assert_eq!(scale(1)["removed"].as_array().unwrap().len(), 3);
    assert_eq!(names("servers"), ["acme-cp-1", "acme-cp-2", "acme-cp-3", "acme-w-1-1", "acme-w-2-1"]);

    // Somebody changes the world by hand: it is seen, and nothing is done about it.
    world.pdns.put("acme.pool.test.", "console.acme.pool.test.", "A", 300, &["192.0.2.66"]);
    let looked = output(&world, "provision/drift", &asked);
    let differ: Vec<_> = looked["differences"].as_array().unwrap().iter().map(|one| one["what"].clone()).collect();
    assert_eq!(differ, ["acme-w-1-2", "console in acme.pool.test"], "{looked:#}");

    let destroy = json!({ "name": "acme", "project": "main", "domain": "acme.pool.test", "pool_domain": "pool.test", "approved": true });
    output(&world, "provision/destroy", &destroy);
    assert_eq!(world.project.count(), 0);
    let secrets = world.server.get("/api/v1/secrets").expect(200).text;
    assert!(!secrets.contains("made/"), "{secrets}");
    assert_eq!(world.pdns.records("pool.test.", "acme.pool.test.", "NS"), Vec::<String>::new());
    // Once more is no error.
    output(&world, "provision/destroy", &destroy);
}

//! What ops make, find again, change and remove.

use windlass_model::Code;

use super::*;

#[test]
fn everything_is_made_used_and_taken_back() {
    let mut world = World::new();
    let connection = vnc("r1 (VNC)", 5901);
    let made = world.call("create_connection", json!(["demo", connection])).unwrap();
    let first = world.bench.cx.key.clone();
    assert_eq!((&made["name"], &made["protocol"], &made["group"]), (&json!("r1 (VNC)"), &json!("vnc"), &Value::Null));
    assert!(made["link"].as_str().unwrap().contains("/guacamole/#/client/"), "{made}");
    assert_eq!(made["attributes"], json!({}), "the mark is nobody's business: {made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.web.parameters(&id),
        json!({ "hostname": "127.0.0.1", "port": "5901", "read-only": "false", "password": "hunter2-vnc" })
    );
    world.call("create_group", json!(["demo", { "name": "routers" }])).unwrap();
    let changes = json!({ "parameters": { "port": 5902, "password": null }, "group": "routers", "attributes": { "max-connections": 2 } });
    let now = world.call("update_connection", json!(["demo", "r1 (VNC)", changes])).unwrap();
    assert_eq!((&now["group"], &now["attributes"]["max-connections"]), (&json!("routers"), &json!("2")));
    assert_eq!(world.web.parameters(&id)["port"], "5902");
    assert_eq!(
        world.call("update_group", json!(["demo", "routers", { "attributes": { "max-connections": 9 } }])).unwrap()["attributes"]
            ["max-connections"],
        "9"
    );

    let user = world
        .call("create_user", json!(["demo", { "name": "ann", "attributes": { "guac-full-name": "Ann" } }]))
        .unwrap();
    assert_eq!(user["secret"], "made/platform/guacamole/demo/ann");
    assert!(world.web.accepts("ann", "made-for-ann") && !format!("{user}").contains("made-for-ann"));
    world.call("update_user", json!(["demo", "ann", { "password": { "$secret": "vnc" } }])).unwrap();
    assert!(world.web.accepts("ann", "hunter2-vnc"));
    world.call("create_user_group", json!(["demo", { "name": "students" }])).unwrap();
    world.call("add_member", json!(["demo", "students", "ann"])).unwrap();
    let profile = json!({ "name": "watch", "connection": "r1 (VNC)", "parameters": { "read-only": true } });
    world.call("create_sharing_profile", json!(["demo", profile])).unwrap();

    let rights = json!([{ "connection": "r1 (VNC)" }, { "sharing_profile": "watch" }]);
    let args = json!(["demo", { "user_group": "students" }, rights]);
    // The connection, the profile, and the two groups around the connection.
    assert_eq!(world.call("grant", args.clone()).unwrap()["granted"], 4);
    let granted = world.bench.cx.key.clone();
    assert_eq!(world.call("grant", args.clone()).unwrap()["granted"], 0);
    let again = world.bench.cx.key.clone();
    let held = |world: &mut World| world.call("permissions", json!(["demo", { "user_group": "students" }])).unwrap();
    assert_eq!(held(&mut world)["connections"], json!({ "r1 (VNC)": ["READ"] }));
    assert_eq!(world.undo("grant", &again, args.clone()).unwrap()["revoked"], 0, "that step granted nothing");
    assert_eq!(world.undo("grant", &granted, args).unwrap()["revoked"], 4);
    assert_eq!(held(&mut world)["connections"], json!({}));

    let session = world.web.open(&id, "ann");
    assert_eq!(world.call("active", json!(["demo"])).unwrap()[0]["connection"], "r1 (VNC)");
    assert_eq!(world.call("kill", json!(["demo", session])).unwrap()["ended"], true);
    assert_eq!(world.call("kill", json!(["demo", session])).unwrap()["ended"], false);
    assert_eq!(world.call("history", json!(["demo"])).unwrap()[0]["active"], false);
    assert_eq!(world.call("info", json!(["demo"])).unwrap()["user"], USER);

    let full = world.call("remove_group", json!(["demo", "routers"])).unwrap_err();
    assert_eq!((full.code, &full.data["reason"]), (Code::Conflict, &json!("not_empty")));
    assert_eq!(world.undo("create_connection", &first, json!(["demo", connection])).unwrap()["removed"], true);
    assert_eq!(world.call("clean", json!(["demo"])).unwrap(), json!({ "removed": 4, "kept": [] }));
    assert_eq!(world.web.count(), 0);
    assert!(world.book.0.lock().is_empty(), "the made password is forgotten");
    assert_eq!(world.call("clean", json!(["demo"])).unwrap()["removed"], 0);
}

#[test]
fn what_an_earlier_attempt_made_is_found_and_made_once() {
    for (op, args, created, collection) in [
        ("create_connection", json!(["demo", vnc("r1", 1)]), "connections.create", "connections"),
        ("create_group", json!(["demo", { "name": "g" }]), "connectionGroups.create", "connectionGroups"),
        ("create_user", json!(["demo", { "name": "ann" }]), "users.create", "users"),
        ("create_user_group", json!(["demo", { "name": "students" }]), "userGroups.create", "userGroups"),
    ] {
        let mut world = World::new();
        world.call("create_connection", json!(["demo", vnc("other", 1)])).unwrap();
        let key = world.step();
        assert_eq!(world.bench.look_up(op, args.clone()).unwrap(), None, "{op}");
        let before = world.web.objects(collection).len();
        world.control.faults.lose(created);
        let lost = world.bench.call(op, args.clone()).unwrap_err();
        assert!(lost.retryable && !lost.no_effect, "{op}: {lost}");
        let found = world.bench.look_up(op, args.clone()).unwrap().unwrap();
        assert_eq!(found, world.bench.call(op, args.clone()).unwrap(), "{op}: the same again is that");
        assert_eq!(world.web.objects(collection).len(), before + 1, "{op}");
        // Another step can't have it, and its undo leaves it alone.
        let taken = world.call(op, args.clone()).unwrap_err();
        assert_eq!((taken.code, &taken.data["reason"]), (Code::Conflict, &json!("taken")), "{op}");
        let other = world.bench.cx.key.clone();
        world.undo(op, &other, args.clone()).unwrap();
        assert_eq!(world.web.objects(collection).len(), before + 1, "{op}");
        world.undo(op, &key, args.clone()).unwrap();
        world.undo(op, &key, args).unwrap();
        assert_eq!(world.web.objects(collection).len(), before, "{op}");
    }
}

#[test]
fn a_lab_is_brought_into_step_and_the_same_again_changes_nothing() {
    let mut world = World::new();
    let mut r2 = vnc("r2", 5902);
    r2["group"] = "routers".into();
    let wanted = json!([vnc("r1", 5901), r2]);
    let done = world.call("sync_lab", json!(["demo", wanted])).unwrap();
    let key = world.bench.cx.key.clone();
    assert_eq!((&done["created"], &done["unchanged"]), (&json!(["r1", "r2"]), &json!(0)));
    let writes = |world: &World| world.control.seen().iter().filter(|seen| seen.method != "GET").count();
    let before = writes(&world);
    let done = world.call("sync_lab", json!(["demo", wanted])).unwrap();
    assert_eq!((&done["created"], &done["updated"], &done["unchanged"]), (&json!([]), &json!([]), &json!(2)));
    assert_eq!(writes(&world), before, "nothing was written");
    // Somebody has changed one by hand, and put one of his own into a group of ours.
    let routers = world.web.objects("connectionGroups").into_iter().find(|group| group["name"] == "routers").unwrap();
    world
        .web
        .put("connections", &json!({ "parentIdentifier": routers["identifier"], "name": "mine", "protocol": "ssh" }));
    let changed = json!([vnc("r1", 5999), vnc("r3", 5903)]);
    let done = world.call("sync_lab", json!(["demo", changed])).unwrap();
    assert_eq!(
        (&done["created"], &done["updated"], &done["removed"]),
        (&json!(["r3"]), &json!(["r1"]), &json!(["r2"]))
    );
    assert_eq!(done["groups_kept"], json!([{ "group": "routers", "inside": ["mine"] }]));
    assert_eq!(world.names("connections"), ["mine", "r1", "r3"]);
    for bad in [
        json!([vnc("a", 1), vnc("a", 2)]),
        json!([{ "name": "x", "protocol": "gopher" }]),
        json!([{ "name": " x", "protocol": "vnc" }]),
        json!([{ "nam": "x" }]),
    ] {
        let before = writes(&world);
        assert_eq!(world.call("sync_lab", json!(["demo", bad])).unwrap_err().code, Code::InvalidArgument, "{bad}");
        assert_eq!(writes(&world), before, "{bad}");
    }
    // The first step's undo takes what that made, and nothing of the second's.
    world.undo("sync_lab", &key, json!(["demo", wanted])).unwrap();
    assert_eq!(world.names("connections"), ["mine", "r3"]);
    let done = world.call("clean", json!(["demo"])).unwrap();
    assert_eq!(world.names("connections"), ["mine"], "{done}");
    assert_eq!(done["kept"].as_array().unwrap().len(), 2, "the groups around it stay: {done}");
}

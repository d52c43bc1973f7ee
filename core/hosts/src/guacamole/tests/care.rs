//! What is guarded against: others' things, tokens that end or leak, servers that everybody may administer.

use windlass_model::Code;

use super::*;

#[test]
fn what_is_not_ours_is_never_touched() {
    let mut world = World::new();
    world.call("sync_lab", json!(["demo", [vnc("r1", 1)]])).unwrap();
    let root = world.web.objects("connectionGroups")[0].clone();
    // The same name, in our very group, by hand; a mark of another machine; one of another lab.
    world.web.put("connections", &json!({ "parentIdentifier": root["identifier"], "name": "mine", "protocol": "vnc" }));
    world.web.put("users", &json!({ "username": "ann", "password": "x", "attributes": {} }));
    let mark = root["attributes"]["windlass-mark"].as_str().unwrap();
    let other = mark.replacen("windlass:", "windlass:0", 1).replace(":/:", ":r9:");
    let body = json!({ "parentIdentifier": "ROOT", "name": "r9", "protocol": "vnc", "attributes": { "windlass-mark": other } });
    world.web.put("connections", &body);
    let before = (world.names("connections"), world.names("users"));
    for (op, name) in [("remove_connection", "mine"), ("remove_user", "ann"), ("remove_user", USER)] {
        let problem = world.call(op, json!(["demo", name])).unwrap_err();
        assert_eq!((problem.code, &problem.data["reason"]), (Code::Conflict, &json!("not_ours")), "{op} {name}");
    }
    assert_eq!(world.call("remove_connection", json!(["demo", "r9"])).unwrap()["removed"], false);
    for (op, args) in [
        ("update_connection", json!(["demo", "mine", {}])),
        ("update_user", json!(["demo", "ann", { "password": { "$secret": "vnc" } }])),
        ("grant", json!(["demo", { "user": "ann" }, [{ "connection": "r1" }]])),
        ("connection", json!(["demo", "r9"])),
    ] {
        assert_eq!(world.call(op, args).unwrap_err().code, Code::NotFound, "{op}");
    }
    assert_eq!(world.call("create_user", json!(["demo", { "name": "ann" }])).unwrap_err().code, Code::Conflict);
    assert_eq!(world.call("create_connection", json!(["demo", vnc("mine", 1)])).unwrap_err().code, Code::Conflict);
    assert_eq!((world.names("connections"), world.names("users")), before);
    world.call("clean", json!(["demo"])).unwrap();
    assert_eq!(world.names("connections"), ["mine", "r9"]);
    assert_eq!(world.names("connectionGroups").len(), 1, "the group with somebody's connection in it stays");
}

#[test]
fn two_organisations_may_have_labs_of_the_same_name() {
    let mut world = World::new();
    world.call("sync_lab", json!(["demo", [vnc("r1", 1)]])).unwrap();
    world.run_of("acme");
    assert_eq!(world.call("connections", json!(["demo"])).unwrap(), json!([]));
    world.call("sync_lab", json!(["demo", [vnc("r1", 2), vnc("r2", 2)]])).unwrap();
    assert_eq!(world.names("connections"), ["r1", "r1", "r2"]);
    let groups = world.names("connectionGroups");
    assert!(groups[0].ends_with(":acme/demo") && groups[1].ends_with(":demo"), "{groups:?}");
    world.call("clean", json!(["demo"])).unwrap();
    assert_eq!(world.names("connections"), ["r1"]);
    world.run_of("other");
    let problem = world.call("connections", json!(["demo"])).unwrap_err();
    assert_eq!((problem.code, &problem.data["reason"]), (Code::PermissionDenied, &json!("organisation")));
}

#[test]
fn a_log_in_that_ends_is_renewed_and_nobody_sees_a_token() {
    let mut world = World::new();
    let mut told = vec![world.call("sync_lab", json!(["demo", [vnc("r1", 1)]])).unwrap().to_string()];
    for turn in 0..3 {
        match turn {
            0 => world.control.clock.advance(2 * 60 * 60 * 1_000),
            1 => world.web.forget_tokens(),
            _ => {}
        }
        told.push(world.call("sync_lab", json!(["demo", [vnc("r1", 2 + turn)]])).unwrap().to_string());
    }
    let tokens = world.web.all_tokens();
    assert_eq!(tokens.len(), 3, "one for each time that it ended");
    // In the middle of a step, too: the one that it began with is gone when it writes.
    world.control.faults.fail("connections.update", 403, "PERMISSION_DENIED");
    let denied = world.call("sync_lab", json!(["demo", [vnc("r1", 9)]])).unwrap_err();
    assert_eq!(denied.code, Code::PermissionDenied, "a right that is missing is no log-in that ended");
    assert_eq!(world.web.all_tokens().len(), 3);
    told.push(format!("{denied:?}{:?}", denied.help));
    world.control.faults.lose("connections.list");
    told.push(format!("{:?}", world.call("connections", json!(["demo"])).unwrap_err()));
    for seen in world.control.seen() {
        told.push(seen.path);
    }
    for text in &told {
        for secret in tokens.iter().map(String::as_str).chain([PASSWORD, "hunter2"]) {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert_eq!(world.web.tokens(), 1);
    let web = world.web.clone();
    // The server goes last: whoever is done says so.
    let World { bench, _server, .. } = world;
    drop(bench);
    assert_eq!(web.tokens(), 0, "a log-in ends with whoever used it");
}

#[test]
fn a_server_that_everybody_may_administer_is_refused() {
    let everybody = ("guacadmin".to_owned(), "guacadmin".to_owned());
    let administrators = vec![everybody, (USER.to_owned(), PASSWORD.to_owned())];
    let mut world = World::with(Behaviour { administrators, ..Behaviour::default() }, |config| config);
    let problem = world.call("sync_lab", json!(["demo", [vnc("r1", 1)]])).unwrap_err();
    assert_eq!((problem.code, &problem.data["reason"]), (Code::PermissionDenied, &json!("default_password")));
    assert_eq!((world.web.count(), world.web.tokens()), (0, 0), "nothing was done, and nobody is logged in");
    // One that isn't so is asked once.
    let mut world = World::new();
    for _ in 0..3 {
        world.web.forget_tokens();
        world.call("info", json!(["demo"])).unwrap();
    }
    assert_eq!(world.control.count("tokens.create"), 4, "three log-ins, and one question");
}

#[test]
fn wrong_passwords_are_not_tried_over_and_over() {
    let mut world = World::new();
    world.bench.cx.secrets.insert("guacamole".into(), "wrong".into());
    for _ in 0..3 {
        let problem = world.call("info", json!(["demo"])).unwrap_err();
        assert_eq!((problem.code, &problem.data["reason"]), (Code::PermissionDenied, &json!("credentials")));
        assert!(!format!("{problem:?}").contains("wrong\""), "{problem:?}");
    }
    assert_eq!(world.control.count("tokens.create"), 2);
    // The right one is tried at once.
    world.bench.cx.secrets.insert("guacamole".into(), PASSWORD.into());
    world.call("info", json!(["demo"])).unwrap();
}

#[test]
fn a_datasource_that_keeps_no_marks_gets_nothing() {
    let mut world = World::with(Behaviour { keeps_attributes: false, ..Behaviour::default() }, |config| config);
    let problem = world.call("create_connection", json!(["demo", vnc("r1", 1)])).unwrap_err();
    assert_eq!((problem.code, world.web.count()), (Code::Unsupported, 0), "{problem}");
    let mut world = World::with(Behaviour::default(), |config| Config { datasource: "mysql".into(), ..config });
    let problem = world.call("info", json!(["demo"])).unwrap_err();
    assert_eq!((problem.code, world.web.tokens()), (Code::Configuration, 0), "{problem}");
}

#[test]
fn mistakes_of_the_configuration_are_named() {
    let world = World::new();
    let of = |config: Config| {
        let http = crate::web::Config::default();
        module(&config, &http, Arc::new(ByRun), world.book.clone()).err().map(|problem| problem.message)
    };
    let base = world.config.clone();
    assert_eq!(of(Config::default()), None, "none is configured");
    for (config, word) in [
        (Config { url: "http://consoles.example.net".into(), ..base.clone() }, "use https"),
        (Config { url: "consoles".into(), ..base.clone() }, "hosts.guacamole.url"),
        (Config { secret: String::new(), ..base.clone() }, "hosts.guacamole.secret"),
        (Config { user: String::new(), ..base.clone() }, "hosts.guacamole.user"),
        (Config { guacd: "localhost".into(), ..base.clone() }, "hosts.guacamole.guacd"),
    ] {
        let message = of(config).unwrap();
        assert!(message.contains(word), "{message}");
    }
    let bench = Bench::new(
        module(&Config::default(), &crate::web::Config::default(), Arc::new(ByRun), world.book.clone()).unwrap(),
        &[],
    );
    assert_eq!(bench.call("connections", json!(["demo"])).unwrap_err().code, Code::Configuration);
}

#[test]
fn arguments_that_cannot_be_meant_change_nothing() {
    let mut world = World::new();
    let user = |password: Value| json!(["demo", { "name": "ann", "password": password }]);
    assert_eq!(world.call("create_user", user("plain".into())).unwrap_err().code, Code::SecretMisuse);
    assert_eq!(world.call("create_user", user(json!({ "$secret": "none" }))).unwrap_err().code, Code::SecretNotFound);
    let grant =
        |word: &str| ("grant", json!(["demo", { "user": "ann" }, [{ "connection": "r1", "permissions": [word] }]]));
    let connection = |protocol: &str, kind: &str, field: &str| {
        ("create_connection", json!(["demo", { "name": "x", "protocol": protocol, kind: { field: "x" } }]))
    };
    for (op, args) in [
        ("create_connection", json!(["demo", { "name": "x\n", "protocol": "vnc" }])),
        (
            "create_connection",
            json!(["demo", { "name": "x", "protocol": "vnc", "attributes": { "windlass-mark": "mine" } }]),
        ),
        ("create_connection", json!(["demo", { "name": "x", "protocol": "vnc", "parameters": { "port": [1] } }])),
        connection("vnc", "parameters", "recording-path"),
        connection("ssh", "parameters", "create-typescript-path"),
        connection("ssh", "parameters", "enable-sftp"),
        connection("rdp", "parameters", "drive-path"),
        connection("telnet", "parameters", "private-key"),
        connection("kubernetes", "parameters", "hostname"),
        connection("vnc", "attributes", "guacd-hostname"),
        ("create_user", json!(["demo", { "name": "x", "attributes": { "guac-totp-reset": "true" } }])),
        ("create_connection", json!(["de mo", { "name": "x", "protocol": "vnc" }])),
        ("create_user", json!(["demo", { "name": "a/b" }])),
        ("grant", json!(["demo", { "user": "x", "user_group": "y" }, []])),
        grant("UPDATE"),
        grant("ADMINISTER"),
        grant("DELETE"),
        ("history", json!(["demo", { "limit": 0 }])),
    ] {
        let problem = world.call(op, args.clone()).unwrap_err();
        assert_eq!(problem.code, Code::InvalidArgument, "{op} {args}: {problem}");
    }
    assert!(world.names("connections").is_empty() && world.names("users") == [USER]);
}

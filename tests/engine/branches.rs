//! Branches: parallel, race, their isolation and their replay.

use serde_json::json;
use windlass_model::RunState;
use windlass_tests::World;

#[test]
fn branches_run_side_by_side_and_wait_together() {
    let mut world = World::new();
    world.script(
        "t/par",
        "",
        r#"fn run(input) {
        parallel([
            || { probe::touch("a"); wait_signal("one") },
            || { probe::touch("b"); wait_signal("two") },
            || { probe::touch("c"); "three" },
        ])
    }"#,
    );
    let run = world.launch("t/par", json!({}));
    world.waits(&run);
    world.engine().signal(&run, "two", json!(2), "test", None).unwrap();
    world.waits(&run);
    world.restart();
    world.engine().signal(&run, "one", json!(1), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!([1, 2, "three"])));
    assert_eq!(world.witness.lines().len(), 3, "{:?}", world.witness.lines());
}

#[test]
fn a_failing_branch_stops_its_siblings_and_the_lowest_failure_is_told() {
    let world = World::new();
    world.script(
        "t/fast",
        "",
        r#"fn run(input) {
        try { parallel([|| probe::slow("s", 60000), || probe::refuse("b"), || wait_signal("never")]) }
        catch (error) { return error.message; }
    }"#,
    );
    let record = world.end(&world.launch("t/fast", json!({})));
    assert_eq!(record.state, RunState::Succeeded);
    assert!(record.output.unwrap().as_str().unwrap().contains("b is refused"));
}

#[test]
fn wait_all_lets_every_branch_finish() {
    let world = World::new();
    world.script("t/all", "", r#"fn run(input) {
        try { parallel([|| probe::refuse("b"), || { probe::slow("s", 50); probe::touch("slow") }], #{ on_error: "wait_all" }) } catch {}
    }"#);
    world.end(&world.launch("t/all", json!({})));
    assert_eq!(world.witness.count("touch", "slow"), 1);
}

#[test]
fn a_race_has_one_winner_on_replay_too() {
    let mut world = World::new();
    world.script(
        "t/race",
        "",
        r#"fn run(input) {
        let winner = race([|| { wait_signal("slow"); "slow" }, || { wait_signal("quick"); "quick" }]);
        wait_signal("go");
        winner
    }"#,
    );
    let run = world.launch("t/race", json!({}));
    world.waits(&run);
    world.engine().signal(&run, "quick", json!(null), "test", None).unwrap();
    world.waits_on_signal(&run, "go");
    world.engine().signal(&run, "slow", json!(null), "test", None).unwrap();
    world.restart();
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    let output = world.end(&run).output.unwrap();
    assert!(output == json!("quick") || output["value"] == json!("quick"), "{output}");
}

#[test]
fn a_limit_bounds_how_many_branches_are_under_way() {
    let world = World::new();
    world.script(
        "t/limit",
        "",
        r#"fn run(input) {
        parallel_map(range(0, 12).to_array(), |n| { probe::slow(`n${n}`, 20); n * n }, #{ limit: 3 })
    }"#
        .replace("range(0, 12).to_array()", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]")
        .as_str(),
    );
    let output = world.end(&world.launch("t/limit", json!({}))).output.unwrap();
    assert_eq!(output[11], json!(121));
}

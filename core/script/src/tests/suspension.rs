//! No script can swallow a suspension, and nothing is performed after it.

use windlass_model::{
    Outcome,
    journal::{Ending, Stop},
};

use super::fixture::Fixture;

#[test]
fn nothing_swallows_a_suspension() {
    for body in [
        "sleep(\"1h\")",
        "try { sleep(\"1h\") } catch { t::effect() } t::effect(); 1",
        "try { sleep(3600000) } catch (e) { t::effect(); } 1",
        "try { sleep_until(9000000) } catch (e) { t::effect(); } t::effect()",
        "try { f() } catch { t::effect() } t::effect()",
        "try { g() } catch { t::effect() } t::effect()",
        "let k = || sleep(\"1h\"); try { k.call() } catch { t::effect() } t::effect()",
        "try { [1].map(|x| sleep(\"1h\")) } catch { t::effect() } t::effect(); 1",
        "try { [1].map(|x| sleep(\"1h\")) } catch { }",
        "try { [1].filter(|x| sleep(\"1h\")) } catch { t::effect() } t::effect()",
        "try { [1].for_each(|x| sleep(\"1h\")) } catch { t::effect() } t::effect()",
        "try { [1,2].reduce(|x,y| sleep(\"1h\")) } catch { t::effect() } t::effect()",
        "let a = [2,1,3]; a.sort(|x,y| { sleep(\"1h\"); 1 }); t::effect(); 2",
        "let a = [2,1,3]; a.sort(|x,y| { sleep(\"1h\"); 1 })",
        "let a = [1]; try { a[sleep(\"1h\")] } catch { t::effect() } t::effect()",
        "try { `${sleep(\"1h\")}` } catch { t::effect() } t::effect()",
        "try { parallel([|| sleep(\"1h\"), || 1]) } catch { t::effect() } t::effect()",
        "try { parallel([|| { try { [1].map(|x| sleep(\"1h\")) } catch {} 5 }]) } catch {} t::effect()",
        "try { wait_signal(\"x\") } catch { t::effect() } t::effect()",
        "try { approve(#{ title: \"?\" }) } catch { t::effect() } t::effect()",
    ] {
        let fixture = Fixture::new();
        let source = crate::testing::source(&["*:*"], body)
            + "fn f() { sleep(\"1h\") } fn g() { try { f() } catch { t::effect() } }";
        let ending = fixture.run_source(&source);
        assert_eq!(ending, Ending::Stopped(Stop::Suspended), "{body}");
        assert_eq!(fixture.effects(), 0, "{body}");
        assert_eq!(fixture.journal.waits.lock().len(), 1, "{body}");
    }
}

#[test]
fn a_run_goes_on_after_its_wait() {
    let fixture = Fixture::new();
    let body = "t::effect(); let x = wait_signal(\"go\"); t::effect(); x.n + 1";
    assert_eq!(fixture.run(body), Ending::Stopped(Stop::Suspended));
    fixture.journal.settle("1", Outcome::Value("{\"n\":41}".into()));
    assert_eq!(fixture.returned(body), 42);
    assert_eq!(fixture.effects(), 2, "the first effect isn't performed again");
}

#[test]
fn a_reason_of_the_run_stops_every_branch() {
    let fixture = Fixture::new();
    *fixture.journal.stop.lock() = Some(Stop::Cancelled);
    assert_eq!(fixture.run("try { t::effect() } catch {} loop {}"), Ending::Stopped(Stop::Cancelled));
    assert_eq!(fixture.effects(), 0);
}

//! How to get at a machine's console.

use std::collections::HashMap;

use serde_json::Value;
use windlass_model::{Facts, ResourceRef, facts::Console};

/// The serial line of each machine: the step's result tells where it is.
pub fn facts(things: &[&ResourceRef], _: &Value, result: &Value) -> Vec<Facts> {
    let made: &[Value] = match result {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    };
    let pairs = made.iter().filter_map(|one| Some((one["name"].as_str()?, one["serial"].as_str()?)));
    let lines: HashMap<&str, &str> = pairs.collect();
    let of = |thing: &&ResourceRef| {
        let name = thing.id.rsplit('/').next().unwrap_or_default();
        let console = lines.get(name).filter(|path| is_plain(path)).and_then(|path| {
            // A socket's path may have 107 bytes; the folder that it is entered by may have more.
            let (folder, socket) = path.rsplit_once('/')?;
            let command = match path.len() {
                ..=107 => format!("socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:{path}"),
                _ => format!("cd {folder} && socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:{socket}"),
            };
            Console::command(&format!("Serial line of {name} (leave with Ctrl-])"), &command).ok()
        });
        Facts { monthly_cost: None, consoles: console.into_iter().collect() }
    };
    things.iter().map(of).collect()
}

/// It goes into a shell and into an address of socat's: an operator may have given the result by hand.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn command(result: &Value) -> Option<String> {
        let thing = ResourceRef { provider: "qemu".into(), kind: "machine".into(), id: "demo/r1".into() };
        match facts(&[&thing], &json!([]), result).remove(0).consoles.pop()? {
            Console::Command { command, .. } => Some(command),
            Console::Link { .. } => None,
        }
    }

    #[test]
    fn a_machine_is_reached_by_its_serial_line() {
        let one = json!({ "name": "r1", "serial": "/var/lib/windlass/qemu/demo/r1/run/serial" });
        let expected = "socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:/var/lib/windlass/qemu/demo/r1/run/serial";
        assert_eq!(command(&one).as_deref(), Some(expected));
        assert_eq!(command(&json!([{ "name": "r2" }, one])).as_deref(), Some(expected));
        let long = format!("/{}/serial", "d".repeat(120));
        assert!(command(&json!({ "name": "r1", "serial": long })).is_some_and(|text| text.starts_with("cd /ddd")));
        for serial in ["", "run/serial", "/x;reboot", "/a,exec=b", "/a b"] {
            assert_eq!(command(&json!({ "name": "r1", "serial": serial })), None, "{serial}");
        }
    }
}

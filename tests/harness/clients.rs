//! Providers' own clients: Python programs in an environment that `.ci/setup` makes.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::skip::skip;

/// The Python that has the providers' clients; `None`, said out loud, where `.ci/setup` hasn't made it.
pub fn python() -> Option<PathBuf> {
    python_of("clients")
}

/// The Python of one environment of `.ci/setup`, for a client that can't share one; `None`, said out loud, where it hasn't been made.
pub fn python_of(environment: &str) -> Option<PathBuf> {
    let test = env::current_exe().expect("this test has a file");
    // target/<profile>/deps/<test>: the folder of tools stands beside the profile.
    let tools = test.ancestors().nth(3).expect("cargo puts tests into target/<profile>/deps").join("tools");
    let python = tools.join(environment).join("bin/python");
    if python.is_file() && tools.join(environment).join("requirements.txt").is_file() {
        return Some(python);
    }
    skip(&format!("no providers' clients at {} (`make setup` makes them)", python.display()));
    None
}

/// Debian's `cloud-init schema` on what a machine is booted with: whether it is valid, and what it says. `None`, said out
/// loud, where `.ci/setup` hasn't fetched it.
pub fn cloud_init_schema(user_data: &Path) -> Option<(bool, String)> {
    let test = env::current_exe().expect("this test has a file");
    let tools = test.ancestors().nth(3).expect("cargo puts tests into target/<profile>/deps").join("tools/cloud-init");
    let package = tools.join("package/usr/lib/python3/dist-packages");
    if !package.is_dir() {
        skip(&format!("no cloud-init at {} (`make setup` fetches it)", package.display()));
        return None;
    }
    let mut command = Command::new(tools.join("bin/python"));
    command.env("PYTHONPATH", package).args(["-B", "-m", "cloudinit.cmd.main", "schema", "-c"]).arg(user_data);
    let output = command.output().expect("python runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), text))
}

/// Runs a program of `tests/tools/clients` to its end, and gives what it wrote; panics with it when it fails.
pub fn drive(python: &Path, program: &str, args: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/clients");
    let output = Command::new(python).arg("-B").arg(folder.join(program)).args(args).output().expect("python runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} failed:\n{text}");
    text
}

/// An HTTP client for tests that speak to simulators themselves.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

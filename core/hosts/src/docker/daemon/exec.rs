//! Programs inside a container, its log, its files and what it uses.

use std::time::Duration;

use bollard::{
    body_full,
    container::LogOutput,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
    query_parameters::{DownloadFromContainerOptionsBuilder, LogsOptionsBuilder, UploadToContainerOptionsBuilder},
};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::{
    super::{
        backend::{Exec, Finished},
        fault::{Fault, Kind},
    },
    Daemon,
};

impl Daemon {
    pub(super) async fn run_inside(&self, container: &str, exec: &Exec) -> Result<Option<Finished>, Fault> {
        let client = self.client().await?;
        let config = ExecConfig {
            cmd: Some(exec.argv.clone()),
            env: (!exec.env.is_empty()).then(|| exec.env.iter().map(|one| one.as_str().to_owned()).collect()),
            working_dir: exec.cwd.clone(),
            user: exec.user.clone(),
            attach_stdin: Some(exec.stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let id = client.create_exec(container, config).await.map_err(|error| self.fault(error))?.id;
        // Whatever ends this future early, its program ends, too.
        let mut killer = Killer { daemon: self, client: client.clone(), id: id.clone(), armed: true };
        let started = client.start_exec(&id, None::<StartExecOptions>).await.map_err(|error| self.fault(error))?;
        let StartExecResults::Attached { mut output, mut input } = started else {
            return Err(Fault::new(Kind::Failed, "the output of the program wasn't attached"));
        };
        let mut finished = Finished::default();
        let feed = async {
            if let Some(stdin) = &exec.stdin {
                // A program needn't read what it is given.
                let _ = input.write_all(stdin.as_bytes()).await;
                let _ = input.shutdown().await;
            }
        };
        let read = async {
            while let Some(part) = output.next().await {
                match part.map_err(|error| self.fault(error))? {
                    LogOutput::StdErr { message } => {
                        keep(&mut finished.stderr, &message, exec.output_bytes, &mut finished.cut)
                    }
                    other => keep(&mut finished.stdout, &other.into_bytes(), exec.output_bytes, &mut finished.cut),
                }
            }
            Ok::<(), Fault>(())
        };
        let ended = async {
            let ((), read) = tokio::join!(feed, read);
            read?;
            // The output may be closed a moment before the end is known.
            loop {
                let state = client.inspect_exec(&id).await.map_err(|error| self.fault(error))?;
                if state.running != Some(true) {
                    return Ok(state.exit_code.unwrap_or(-1));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(exec.timeout, ended).await {
            Ok(code) => {
                finished.code = code?;
                killer.armed = false;
                Ok(Some(finished))
            }
            Err(_) => {
                killer.kill().await?;
                killer.armed = false;
                Ok(None)
            }
        }
    }

    pub(super) async fn last_lines(&self, container: &str, tail: u32, bytes: usize) -> Result<Vec<u8>, Fault> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&tail.to_string()).build();
        let client = self.client().await?;
        let mut lines = client.logs(container, Some(options));
        let mut kept = std::collections::VecDeque::new();
        while let Some(part) = lines.next().await {
            kept.extend(part.map_err(|error| self.fault(error))?.into_bytes());
            let surplus = kept.len().saturating_sub(bytes);
            kept.drain(..surplus);
        }
        Ok(kept.into())
    }

    pub(super) async fn unpack(&self, container: &str, folder: &str, archive: Vec<u8>) -> Result<(), Fault> {
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let client = self.client().await?;
        let answer = client.upload_to_container(container, Some(options), body_full(archive.into())).await;
        answer.map_err(|error| self.fault(error))
    }

    pub(super) async fn pack(&self, container: &str, path: &str, bytes: usize) -> Result<Vec<u8>, Fault> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let client = self.client().await?;
        let mut parts = client.download_from_container(container, Some(options));
        let mut archive = Vec::new();
        while let Some(part) = parts.next().await {
            archive.extend_from_slice(&part.map_err(|error| self.fault(error))?);
            if archive.len() > bytes {
                return Err(Fault::new(Kind::TooLarge, format!("{path} is larger than {bytes} bytes")));
            }
        }
        Ok(archive)
    }
}

fn keep(kept: &mut Vec<u8>, part: &[u8], limit: usize, cut: &mut bool) {
    let room = limit.saturating_sub(kept.len());
    kept.extend_from_slice(&part[..part.len().min(room)]);
    *cut |= part.len() > room;
}

/// Ends a program that was started inside a container and isn't waited for any more.
struct Killer<'a> {
    daemon: &'a Daemon,
    client: bollard::Docker,
    id: String,
    armed: bool,
}

impl Killer<'_> {
    async fn kill(&self) -> Result<(), Fault> {
        let state = self.client.inspect_exec(&self.id).await.map_err(|error| self.daemon.fault(error))?;
        if let (Some(true), Some(pid), Some(container)) = (state.running, state.pid, state.container_id) {
            end_group(pid, &container);
        }
        Ok(())
    }
}

impl Drop for Killer<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // The future was dropped: a task of its own sees to it.
        let (client, id) = (self.client.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(state) = client.inspect_exec(&id).await
                    && let (Some(true), Some(pid), Some(container)) = (state.running, state.pid, state.container_id)
                {
                    end_group(pid, &container);
                }
            });
        }
    }
}

/// Docker has no call for it: the program and all that it has started are killed by number, if the number is still one of the
/// container's.
pub(super) fn end_group(pid: i64, container: &str) {
    let mut todo = vec![pid];
    let mut doomed = Vec::new();
    while let Some(pid) = todo.pop() {
        doomed.push(pid);
        todo.extend(children(pid));
    }
    for pid in doomed {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if let Ok(pid) = i32::try_from(pid)
            && groups.contains(container)
        {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

fn children(pid: i64) -> Vec<i64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

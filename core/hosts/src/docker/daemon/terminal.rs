//! Programs inside a container with a terminal, for people.

use bollard::{
    exec::{ResizeExecOptions, StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use futures_util::StreamExt;

use super::{
    super::{
        console::{Ending, Shell},
        fault::{Fault, Kind},
    },
    Daemon,
    exec::end_group,
};

impl Daemon {
    pub(in super::super) async fn terminal(
        &self,
        container: &str,
        argv: &[String],
        (cols, rows): (u16, u16),
    ) -> Result<Shell, Fault> {
        let client = self.client().await?;
        let config = ExecConfig {
            cmd: Some(argv.to_vec()),
            env: Some(vec!["TERM=xterm-256color".to_owned()]),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            console_size: Some(vec![usize::from(rows), usize::from(cols)]),
            ..ExecConfig::default()
        };
        let id = client.create_exec(container, config).await.map_err(|error| self.fault(error))?.id;
        let options = StartExecOptions { detach: false, tty: true, output_capacity: None };
        let started = client.start_exec(&id, Some(options)).await.map_err(|error| self.fault(error))?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(Fault::new(Kind::Failed, "the terminal of the program wasn't attached"));
        };
        let ending = Ending { client, id };
        ending.resize(cols, rows).await;
        let output = output.map(|part| part.map(|part| part.into_bytes()).map_err(std::io::Error::other));
        Ok(Shell { output: Box::pin(output), input, ending })
    }
}

impl Ending {
    /// Gives its terminal another size.
    pub async fn resize(&self, cols: u16, rows: u16) {
        let done = self.client.resize_exec(&self.id, ResizeExecOptions { height: rows, width: cols }).await;
        if let Err(error) = done {
            tracing::debug!(%error, "a container's terminal can't be resized");
        }
    }

    /// Its exit code, once its output has ended.
    pub async fn code(&self) -> Option<i32> {
        for _ in 0..100 {
            let state = self.client.inspect_exec(&self.id).await.ok()?;
            if state.running != Some(true) {
                return state.exit_code.and_then(|code| i32::try_from(code).ok());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        None
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Docker goes on with what nobody is attached to any more.
        let (client, id) = (self.client.clone(), self.id.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(state) = client.inspect_exec(&id).await
                && let (Some(true), Some(pid), Some(container)) = (state.running, state.pid, state.container_id)
            {
                end_group(pid, &container);
            }
        });
    }
}

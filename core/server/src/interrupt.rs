//! Ctrl-C and SIGTERM: the first lets go of what is followed, the second ends the process at once.

use std::sync::{
    Arc,
    atomic::{AtomicI32, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};
use windlass_model::{Code, Problem};

/// Tells whether the user wants to let go.
#[derive(Clone, Default)]
pub struct Interrupt {
    caught: Arc<AtomicI32>,
}

impl Interrupt {
    /// Listens from now on.
    pub fn listen(runtime: &tokio::runtime::Handle) -> Result<Self, Problem> {
        let failed =
            |error: std::io::Error| Problem::new(Code::System, format!("signals can't be listened to: {error}"));
        let interrupt = Self::default();
        let _entered = runtime.enter();
        for (kind, number) in [(SignalKind::interrupt(), libc::SIGINT), (SignalKind::terminate(), libc::SIGTERM)] {
            let (mut stream, caught) = (signal(kind).map_err(failed)?, interrupt.caught.clone());
            runtime.spawn(async move {
                while stream.recv().await.is_some() {
                    if caught.swap(number, Ordering::AcqRel) != 0 {
                        // The live tree hides the cursor, and no destructor runs from here on.
                        let _ = console::Term::stdout().show_cursor();
                        std::process::exit(128 + number);
                    }
                }
            });
        }
        Ok(interrupt)
    }

    /// The number of the first signal that came.
    pub fn caught(&self) -> Option<i32> {
        Some(self.caught.load(Ordering::Acquire)).filter(|&number| number != 0)
    }
}

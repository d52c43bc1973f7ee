//! Ctrl-C and SIGTERM: the first lets go of what is followed, the second ends the process at once. SIGHUP: a server reads its
//! configuration again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
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
        let interrupt = Self::default();
        let _entered = runtime.enter();
        for (kind, number) in [(SignalKind::interrupt(), libc::SIGINT), (SignalKind::terminate(), libc::SIGTERM)] {
            let (mut stream, caught) = (signal(kind).map_err(unheard)?, interrupt.caught.clone());
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

/// SIGHUP: the configuration is read again.
#[derive(Clone)]
pub struct Hangup(Arc<AtomicBool>);

impl Hangup {
    /// Listens from now on; until then, the signal ends the process.
    pub fn listen(runtime: &tokio::runtime::Handle) -> Result<Self, Problem> {
        let hangup = Self(Arc::default());
        let _entered = runtime.enter();
        let mut stream = signal(SignalKind::hangup()).map_err(unheard)?;
        let caught = hangup.0.clone();
        runtime.spawn(async move {
            while stream.recv().await.is_some() {
                caught.store(true, Ordering::Release);
            }
        });
        Ok(hangup)
    }

    /// Whether one came since this was asked.
    pub fn caught(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

fn unheard(error: std::io::Error) -> Problem {
    Problem::new(Code::System, format!("signals can't be listened to: {error}"))
}

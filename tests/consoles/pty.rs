//! `windlass console` in a real terminal: raw while it lasts, resized with it, left by its key, and with the exit code of what ran.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, Termios, tcgetattr},
    },
    unistd::Pid,
};
use windlass_tests::{wait_until, windlass_binary};

use super::house::Labs;

/// A terminal in which the command runs.
struct Desk {
    near: File,
    far: OwnedFd,
    before: Termios,
    child: Child,
    shown: Vec<u8>,
}

fn size(rows: u16, cols: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Desk {
    fn open(labs: &Labs, arguments: &[&str]) -> Self {
        let terminal = openpty(Some(&size(30, 100)), None).unwrap();
        let before = tcgetattr(&terminal.slave).unwrap();
        let far = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = Command::new(windlass_binary());
        command.args(["console", "demo", "r1"]).args(arguments).env("WINDLASS_SERVER", &labs.server.url);
        command.env("WINDLASS_TOKEN", &labs.server.token).current_dir(labs.server.workflows());
        let child = command.stdin(far()).stdout(far()).stderr(far()).spawn().unwrap();
        let flags = OFlag::from_bits_retain(fcntl(&terminal.master, FcntlArg::F_GETFL).unwrap());
        fcntl(&terminal.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
        Self { near: terminal.master.into(), far: terminal.slave, before, child, shown: Vec::new() }
    }

    fn types(&mut self, text: &str) {
        self.near.write_all(text.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    fn until(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(60), "never `{text}`: {}", self.text());
            let mut piece = [0; 4 << 10];
            match self.near.read(&mut piece) {
                Ok(count) => self.shown.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => panic!("{error}: {}", self.text()),
            }
        }
    }

    fn resize(&self, rows: u16, cols: u16) {
        let size = size(rows, cols);
        // SAFETY: the descriptor is open, and TIOCSWINSZ reads a winsize.
        assert_eq!(unsafe { libc::ioctl(self.near.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
        // It isn't the terminal's own session, which the kernel would tell.
        self.signal(Signal::SIGWINCH);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn is_raw(&self) -> bool {
        let flags = tcgetattr(&self.far).unwrap().local_flags;
        !flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Its exit code; the terminal has to be as it was.
    fn ends(mut self) -> Option<i32> {
        let mut code = None;
        wait_until("the command to end", Duration::from_secs(60), || {
            let mut piece = [0; 4 << 10];
            if let Ok(count) = self.near.read(&mut piece) {
                self.shown.extend_from_slice(&piece[..count]);
            }
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(tcgetattr(&self.far).unwrap(), self.before, "the terminal isn't as it was; {}", self.text());
        code.unwrap().code()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_is_raw_resized_and_left_as_it_was() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut desk = Desk::open(&labs, &["--name", "pty"]);
    desk.until("Ctrl-] leaves");
    desk.types("stty size; echo up-$((1+1))\n");
    desk.until("up-2");
    assert!(desk.text().contains("30 100") && desk.is_raw(), "{}", desk.text());
    desk.resize(44, 133);
    wait_until("the size to arrive", Duration::from_secs(60), || {
        desk.shown.clear();
        desk.types("stty size; echo sized-$((1+1))\n");
        desk.until("sized-2");
        desk.text().contains("44 133")
    });
    // Ctrl-C is for what runs there, not for the command.
    desk.types("sleep 1000\n");
    desk.until("sleep 1000");
    std::thread::sleep(Duration::from_millis(300));
    desk.types("\u{3}");
    desk.types("echo after-$((2+2))\n");
    desk.until("after-4");
    // What stands before the key is typed; what stands behind it isn't.
    desk.types("echo left-$((3+3))\n\u{1d}echo never-$((4+4))\n");
    assert_eq!(desk.ends(), Some(0));
    // The terminal was left as it was, and goes on.
    let mut again = Desk::open(&labs, &["--name", "pty"]);
    again.until("left-6");
    assert!(!again.text().contains("never-8"), "{}", again.text());
    again.types("exit 7\n");
    assert_eq!(again.ends(), Some(7), "the code of what ran");
    let mut ended = Desk::open(&labs, &[]);
    ended.types("echo here-$((5+5))\n");
    ended.until("here-10");
    ended.signal(Signal::SIGTERM);
    assert_eq!(ended.ends(), Some(143));
}

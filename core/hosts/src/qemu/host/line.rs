//! A serial line that people are attached to. It has one end, which this process holds: what they are shown and type passes here, and so
//! does what a run types meanwhile. Nobody who takes nothing can hold that up.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    os::{
        fd::AsFd as _,
        unix::{fs::MetadataExt as _, net::UnixStream},
    },
    path::Path,
    sync::{
        Arc, LazyLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;

use super::{qmp::connect, serial};

/// What has been said and isn't taken yet. A run that types goes on when it is full: then the oldest is lost to those who look, not to
/// the log.
const SAID: usize = 1 << 20;
/// Bytes that are moved at once.
const PIECE: usize = 16 << 10;
/// Runs that wait to type.
const WAITING: usize = 16;
/// How long it is waited for somebody who leaves.
const LEAVING: Duration = Duration::from_secs(5);
/// How long the last words may take.
const PARTING: Duration = Duration::from_secs(1);
/// How soon it is seen that a run wants to type.
const TICK: Duration = Duration::from_millis(20);

/// One end of a line: bytes that the machine says, and what is typed.
pub type Line = UnixStream;

/// How typing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The machine has taken all of it.
    All,
    /// Nobody is attached any more; nothing was typed.
    Nothing,
    /// The machine hasn't taken all of it, or it isn't known whether it has.
    Stuck,
}

struct Wish {
    text: Vec<u8>,
    until: Instant,
    done: SyncSender<Typed>,
}

/// A way to type at a line that is held here.
#[derive(Clone)]
pub struct Typist(SyncSender<Wish>);

/// The folder, as the kernel knows it.
type Place = (u64, u64);

static ATTACHED: LazyLock<Arc<Mutex<HashMap<Place, Typist>>>> = LazyLock::new(Arc::default);

fn place(run: &Path) -> std::io::Result<Place> {
    let seen = File::open(run)?.metadata()?;
    Ok((seen.dev(), seen.ino()))
}

/// The way to a line, if this process holds it.
pub fn attached(run: &Path) -> Option<Typist> {
    ATTACHED.lock().get(&place(run).ok()?).cloned()
}

/// A line that is held here, until this is dropped. Nobody else has it meanwhile, so what is removed is its own.
struct Held(Place);

impl Held {
    /// Takes it. Who leaves it is waited for; who stays keeps it.
    fn take(place: Place, typist: &Typist) -> std::io::Result<Self> {
        let begun = Instant::now();
        loop {
            if let Entry::Vacant(free) = ATTACHED.lock().entry(place) {
                free.insert(typist.clone());
                return Ok(Self(place));
            }
            if begun.elapsed() > LEAVING {
                return Err(std::io::Error::new(ErrorKind::ResourceBusy, "somebody is attached to it"));
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        ATTACHED.lock().remove(&self.0);
    }
}

/// Attaches to it, if nobody else is: QEMU would let a second one wait, who sees nothing. What is given back isn't blocking; when it is
/// dropped, the line is let go of.
pub fn attach(run: &Path, socket: &str) -> std::io::Result<Line> {
    let (wishes, wanted) = sync_channel(WAITING);
    let held = Held::take(place(run)?, &Typist(wishes))?;
    let line = connect(run, socket)?;
    let (near, far) = UnixStream::pair()?;
    [&line, &near, &far].into_iter().try_for_each(|end| end.set_nonblocking(true))?;
    let carry = move || {
        Carrier { line, far, said: VecDeque::new(), typed: Vec::new(), wish: None }.run(&wanted);
        drop(held);
        // Whoever asked too late hears so: their senders go with the receiver.
        drop(wanted);
    };
    thread::Builder::new().name("serial".into()).spawn(carry)?;
    Ok(near)
}

impl Typist {
    /// Types, and waits until the machine has taken it, at most so long.
    pub fn types(&self, text: &str, longest: Duration) -> Typed {
        let (done, told) = sync_channel(1);
        let wish = Wish { text: text.as_bytes().to_vec(), until: Instant::now() + longest, done };
        if self.0.try_send(wish).is_err() {
            thread::sleep(TICK);
            return Typed::Nothing;
        }
        match told.recv_timeout(longest + Duration::from_secs(1)) {
            Ok(typed) => typed,
            Err(RecvTimeoutError::Disconnected) => Typed::Nothing,
            Err(RecvTimeoutError::Timeout) => Typed::Stuck,
        }
    }
}

struct Carrier {
    line: UnixStream,
    far: UnixStream,
    /// Said by the machine, and not yet taken by who looks.
    said: VecDeque<u8>,
    /// Typed by who looks, and not yet taken by the machine.
    typed: Vec<u8>,
    /// What a run types, and how much of it has gone.
    wish: Option<(Wish, usize)>,
}

impl Carrier {
    /// Until one of both ends is gone.
    fn run(mut self, wanted: &Receiver<Wish>) {
        loop {
            if self.wish.is_none() {
                match wanted.try_recv() {
                    // It came too late, behind others: it isn't begun, and whoever wished hears that nothing was typed.
                    Ok(wish) if Instant::now() > wish.until => {}
                    Ok(wish) => self.wish = Some((wish, 0)),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                }
            }
            let moved = self.listen().and_then(|heard| Ok(heard | self.show()? | self.take()?));
            match moved {
                Ok(true) => {}
                Ok(false) if self.wait() => {}
                _ => break,
            }
            self.settle();
        }
        self.finish();
        // What the machine said last is still shown, if somebody takes it.
        let begun = Instant::now();
        while begun.elapsed() < PARTING && self.show().is_ok() && !self.said.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends a wish that is done, or that has waited too long.
    fn settle(&mut self) {
        let Some((wish, gone)) = &self.wish else { return };
        let all = *gone == wish.text.len() && serial::unread(&self.line) <= 0;
        if all || Instant::now() > wish.until {
            self.answer(if all { Typed::All } else { Typed::Stuck });
        }
    }

    fn answer(&mut self, typed: Typed) {
        // Whoever wished may be gone.
        let _ = self.wish.take().map(|(wish, _)| wish.done.try_send(typed));
    }

    /// Types a wish to its end that has begun, though nobody looks any more: whoever hears of nothing types all of it again.
    fn finish(&mut self) {
        while self.wish.as_ref().is_some_and(|(_, gone)| *gone > 0) {
            match self.listen().and_then(|heard| Ok(heard | self.press()?)) {
                Ok(moved) => {
                    self.settle();
                    if !moved {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                Err(_) => self.answer(Typed::Stuck),
            }
        }
    }

    /// Reads what the machine says. Without a wish it may wait until there is room; with one it goes on saying, or it might not hear.
    fn listen(&mut self) -> std::io::Result<bool> {
        if self.said.len() >= SAID && self.wish.is_none() {
            return Ok(false);
        }
        let mut piece = [0; PIECE];
        let Some(count) = tried(self.line.read(&mut piece))? else { return Ok(false) };
        self.said.extend(&piece[..count]);
        let most = if self.wish.is_some() { SAID } else { SAID + PIECE };
        let over = self.said.len().saturating_sub(most);
        self.said.drain(..over);
        Ok(true)
    }

    /// Hands it on.
    fn show(&mut self) -> std::io::Result<bool> {
        let (first, _) = self.said.as_slices();
        if first.is_empty() {
            return Ok(false);
        }
        let Some(count) = tried(self.far.write(first))? else { return Ok(false) };
        self.said.drain(..count);
        Ok(true)
    }

    /// Types: first what a run wants, then what people type.
    fn take(&mut self) -> std::io::Result<bool> {
        if self.typed.is_empty() {
            let mut piece = [0; PIECE];
            if let Some(count) = tried(self.far.read(&mut piece))? {
                self.typed.extend(&piece[..count]);
            }
        }
        if self.wish.as_ref().is_some_and(|(wish, gone)| *gone < wish.text.len()) {
            return self.press();
        }
        if self.typed.is_empty() {
            return Ok(false);
        }
        let Some(count) = tried(self.line.write(&self.typed))? else { return Ok(false) };
        self.typed.drain(..count);
        Ok(true)
    }

    /// Types what a run wants.
    fn press(&mut self) -> std::io::Result<bool> {
        let Some((wish, gone)) = self.wish.as_mut().filter(|(wish, gone)| *gone < wish.text.len()) else {
            return Ok(false);
        };
        let Some(count) = tried(self.line.write(&wish.text[*gone..]))? else { return Ok(false) };
        *gone += count;
        Ok(true)
    }

    /// Until something can be moved, or a moment; whether somebody still looks.
    fn wait(&self) -> bool {
        let mut line = PollFlags::empty();
        line.set(PollFlags::POLLIN, self.said.len() < SAID || self.wish.is_some());
        let wishes = self.wish.as_ref().is_some_and(|(wish, gone)| *gone < wish.text.len());
        line.set(PollFlags::POLLOUT, !self.typed.is_empty() || wishes);
        let mut far = PollFlags::empty();
        far.set(PollFlags::POLLIN, self.typed.is_empty());
        far.set(PollFlags::POLLOUT, !self.said.is_empty());
        let mut waiting = [PollFd::new(self.line.as_fd(), line), PollFd::new(self.far.as_fd(), far)];
        let came = poll(&mut waiting, PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO)).unwrap_or(0);
        let seen = waiting.map(|one| one.revents().unwrap_or(PollFlags::empty()));
        let useful = seen[0].intersects(line) || seen[1].intersects(far);
        // An end of the machine's comes with its last words, which may have to wait for room.
        if came > 0 && !useful {
            thread::sleep(TICK);
        }
        !seen[1].intersects(PollFlags::POLLHUP | PollFlags::POLLERR)
    }
}

/// How many bytes, none if that has to wait. An end is an error.
fn tried(done: std::io::Result<usize>) -> std::io::Result<Option<usize>> {
    match done {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A machine that says without end, reads only while somebody takes what it says, and notes what it heard.
    fn machine(run: &Path) -> Arc<Mutex<Vec<u8>>> {
        let listener = UnixListener::bind(run.join("serial")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = heard.clone();
        thread::spawn(move || {
            let (mut line, _) = listener.accept().unwrap();
            let mut piece = [0; 64];
            // Each byte that it reads is echoed a thousand times: who takes nothing of that makes it deaf.
            while let Ok(count @ 1..) = line.read(&mut piece) {
                notes.lock().extend(&piece[..count]);
                for byte in &piece[..count] {
                    if line.write_all(&[*byte; 4_000]).is_err() {
                        return;
                    }
                }
            }
        });
        heard
    }

    #[test]
    fn who_takes_nothing_does_not_keep_a_run_from_typing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(attached(folder.path()).is_none());
        let heard = machine(folder.path());
        let mut near = attach(folder.path(), "serial").unwrap();
        near.set_nonblocking(false).unwrap();
        near.write_all(b"hello").unwrap();
        let mut said = [0; 4_000];
        near.read_exact(&mut said).unwrap();
        assert!(said.iter().all(|byte| *byte == b'h'));
        // Two thousand characters are eight megabytes of echo, of which nobody takes anything.
        let text = "x".repeat(2_000);
        let typist = attached(folder.path()).unwrap();
        assert_eq!(typist.types(&text, Duration::from_secs(20)), Typed::All);
        // What was typed by hand was first, and nothing of either is lost.
        let begun = Instant::now();
        while heard.lock().len() < 2_005 && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(TICK);
        }
        assert_eq!(heard.lock().len(), 2_005);
        // Who looks again sees the last of it, and types on.
        near.write_all(b"z").unwrap();
        let (mut last, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        while !last.ends_with(&[b'z'; 4_000]) {
            let count = near.read(&mut piece).unwrap();
            assert!(count > 0);
            last.extend_from_slice(&piece[..count]);
            last.drain(..last.len().saturating_sub(4_000));
        }
        drop(near);
        let begun = Instant::now();
        while attached(folder.path()).is_some() && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(TICK);
        }
        assert_eq!(typist.types("late", Duration::from_millis(200)), Typed::Nothing);
    }

    #[test]
    fn a_machine_that_reads_nothing_is_told_from_one_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("serial")).unwrap();
        let near = attach(folder.path(), "serial").unwrap();
        let (deaf, _) = listener.accept().unwrap();
        let typist = attached(folder.path()).unwrap();
        assert_eq!(typist.types("hello", Duration::from_millis(200)), Typed::Stuck);
        drop(deaf);
        assert_eq!(typist.types("hello", Duration::from_secs(5)), Typed::Nothing);
        drop(near);
    }

    /// A machine that reads slowly and notes what it heard; it ends when this says so.
    fn slow_machine(run: &Path, most: usize) -> Arc<Mutex<Vec<u8>>> {
        let listener = UnixListener::bind(run.join("serial")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = heard.clone();
        thread::spawn(move || {
            let (mut line, _) = listener.accept().unwrap();
            let mut piece = vec![0; 64 << 10];
            while notes.lock().len() < most {
                thread::sleep(Duration::from_millis(20));
                match line.read(&mut piece) {
                    Ok(count @ 1..) => notes.lock().extend(&piece[..count]),
                    _ => return,
                }
            }
        });
        heard
    }

    /// More than sockets take at once.
    fn long() -> String {
        "0123456789abcdef".repeat(128 << 10)
    }

    #[test]
    fn what_a_run_has_begun_to_type_is_typed_once_whoever_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let (heard, text) = (slow_machine(folder.path(), usize::MAX), long());
        let near = attach(folder.path(), "serial").unwrap();
        let typist = attached(folder.path()).unwrap();
        let typed = thread::scope(|scope| {
            let typing = scope.spawn(|| typist.types(&text, Duration::from_secs(60)));
            while heard.lock().is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
            drop(near);
            typing.join().unwrap()
        });
        assert_eq!(typed, Typed::All);
        let begun = Instant::now();
        while heard.lock().len() < text.len() && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(TICK);
        }
        assert!(*heard.lock() == text.as_bytes(), "{} of {}", heard.lock().len(), text.len());
    }

    #[test]
    fn a_machine_that_ends_while_a_run_types_has_not_heard_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let _heard = slow_machine(folder.path(), 1);
        let near = attach(folder.path(), "serial").unwrap();
        let typist = attached(folder.path()).unwrap();
        assert_eq!(typist.types(&long(), Duration::from_secs(60)), Typed::Stuck);
        drop(near);
    }

    #[test]
    fn a_line_has_one_who_is_attached() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(attach(folder.path(), "serial").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(attached(folder.path()).is_none(), "a line that couldn't be taken is held");
        let _heard = slow_machine(folder.path(), usize::MAX);
        let near = attach(folder.path(), "serial").unwrap();
        assert_eq!(attach(folder.path(), "serial").unwrap_err().kind(), ErrorKind::ResourceBusy);
        // It is still the first one's, and a run still types at it.
        assert_eq!(attached(folder.path()).unwrap().types("hello", Duration::from_secs(20)), Typed::All);
        drop(near);
    }
}

//! The near end of a pseudo-terminal, for tokio.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd},
    task::JoinHandle,
};
use windlass_api::services::Size;

use super::shell::Killer;

/// A pseudo-terminal in which something runs. When it is dropped, that is killed.
pub struct Pty {
    near: AsyncFd<OwnedFd>,
    /// Sees to its size, and to the end of its node.
    keeper: JoinHandle<()>,
    killer: Killer,
}

impl Pty {
    pub fn new(near: OwnedFd, keeper: JoinHandle<()>, killer: Killer) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&near, FcntlArg::F_GETFL)?);
        fcntl(&near, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // SAFETY: the descriptor is owned, and stays open and the same until this is dropped.
        let near = unsafe { AsyncFd::register(near) }?;
        Ok(Self { near, keeper, killer })
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.keeper.abort();
        self.killer.kill();
    }
}

/// Tells a terminal how large it is.
pub fn resize(terminal: &OwnedFd, size: Size) {
    let size = winsize(size);
    // SAFETY: the descriptor is open, and TIOCSWINSZ reads a winsize.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) };
    if done < 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "a terminal can't be resized");
    }
}

/// As the kernel takes it.
pub fn winsize(size: Size) -> libc::winsize {
    libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 }
}

impl AsyncRead for Pty {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.near.poll_read_ready(cx))?;
            let space = buffer.initialize_unfilled();
            match ready.try_io(|near| Ok(nix::unistd::read(near.get_ref(), space)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // Nobody has the far end open any more: that is how it ends.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Pty {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.near.poll_write_ready(cx))?;
            match ready.try_io(|near| Ok(nix::unistd::write(near.get_ref(), bytes)?)) {
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

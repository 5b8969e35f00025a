//! A connection's socket: followed by [`Framing`], and closed such that the peer hears the last answer.
//!
//! A socket that is closed while sent bytes lie unread in it is reset, and the peer may lose the answer
//! that was under way to it. So after an answer to a request that was not read to its end, the rest is
//! read and thrown away for a bounded while ("lingering close"). A peer that takes no byte of its answer for
//! a while is given up.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

use super::{Limits, framing::Framing};

/// How much is thrown away at a time.
const DISCARD_BYTES: usize = 8 << 10;

/// What is known of a connection's requests, for its socket and its service.
#[derive(Clone, Default)]
pub(super) struct Followed(Arc<Mutex<Framing>>);

impl Followed {
    pub(super) fn framing(&self) -> MutexGuard<'_, Framing> {
        self.0.lock().expect("nothing panics while it holds the framing")
    }
}

/// A connection's socket.
pub(super) struct Wire {
    stream: TcpStream,
    followed: Followed,
    head_bytes_max: usize,
    linger_timeout: Duration,
    linger_bytes_left: usize,
    linger: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, followed: Followed, limits: &Limits) -> Self {
        Wire {
            stream,
            followed,
            head_bytes_max: limits.header_bytes_max,
            linger_timeout: limits.linger_timeout,
            linger_bytes_left: limits.linger_bytes_max,
            linger: None,
            write_timeout: limits.write_timeout,
            stalled: None,
        }
    }

    /// Passes on what became of a write, unless the peer has been taking nothing for too long.
    fn bound_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }

    /// Throws away what still comes, until the peer closes or a bound is reached.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.linger_timeout;
        let linger = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if linger.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut discarded = [0; DISCARD_BYTES];
        while self.linger_bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            let bytes = buffer.filled().len();
            if read.is_err() || bytes == 0 {
                break;
            }
            self.linger_bytes_left = self.linger_bytes_left.saturating_sub(bytes);
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.followed.framing().read(&buffer.filled()[before..], this.head_bytes_max);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.bound_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.bound_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.followed.framing().is_between_requests() {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(this.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

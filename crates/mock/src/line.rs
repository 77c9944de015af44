//! A TCP connection that can be reset: closed so that the peer sees an error, not an end.
//!
//! hyper owns the socket while it serves, so the wish is left in a flag that is read when the socket is dropped.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Asks for the connection to be reset when it is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResetWish(Arc<AtomicBool>);

impl ResetWish {
    pub(crate) fn make(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Line {
    stream: TcpStream,
    wish: ResetWish,
}

impl Line {
    pub(crate) fn new(stream: TcpStream, wish: ResetWish) -> Self {
        Self { stream, wish }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.wish.0.load(Ordering::Relaxed) {
            // Closing with zero linger is what sends a RST. If that fails, the peer sees an end instead, before any header.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

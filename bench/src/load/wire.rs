//! One connection: a request's bytes go out, an answer's come in. It reads as little of an answer as it must,
//! so that what is measured is the server.

use std::{net::SocketAddr, ops::Range};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Holds the largest answer that is measured.
const BUFFER_BYTES: usize = 256 << 10;

/// A connection to a server.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer, until the next one is read.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Range<usize>,
}

impl Wire {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Sends a request and reads its answer.
    pub(super) async fn http(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let head = loop {
            self.more().await?;
            if let Some(end) = find(&self.buffer[..self.filled], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = &self.buffer[..head];
        let status: u16 = std::str::from_utf8(text.get(9..12).context("a status line")?)?.parse()?;
        let length = if status == 304 { 0 } else { length(text).context("an answer without a length")? };
        let end = head + length;
        if end > self.buffer.len() {
            bail!("an answer of {end} bytes does not fit");
        }
        while self.filled < end {
            self.more().await?;
        }
        Ok(Answer { status, body: head..end })
    }

    /// Sends a Redis command and reads its bulk string.
    pub(super) async fn redis(&mut self, command: &[u8]) -> anyhow::Result<bool> {
        self.stream.write_all(command).await?;
        self.filled = 0;
        let head = loop {
            self.more().await?;
            if let Some(end) = find(&self.buffer[..self.filled], b"\r\n") {
                break end + 2;
            }
        };
        let Some(length) = self.buffer[..head].strip_prefix(b"$") else { return Ok(false) };
        let Ok(length) = std::str::from_utf8(length)?.trim().parse::<usize>() else { return Ok(false) };
        while self.filled < head + length + 2 {
            self.more().await?;
        }
        Ok(true)
    }

    pub(super) fn body(&self, answer: &Answer) -> &[u8] {
        &self.buffer[answer.body.clone()]
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        self.filled += read;
        Ok(())
    }
}

fn length(head: &[u8]) -> Option<usize> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        let value = name.eq_ignore_ascii_case(b"content-length:").then_some(value)?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

/// Where `pattern` begins in `bytes`.
pub(super) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = pattern.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(pattern) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

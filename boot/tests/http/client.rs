//! A client that sends exactly the bytes it is given.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Whether the server said that it closes.
    pub(crate) fn closes(&self) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case("connection: close"))
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Client { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Whether the bytes could be sent; false once the server has closed.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next answer; `None` when the connection ended before it.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await.then_some(())?;
        };
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        while self.unread.len() < length {
            assert!(self.read_more().await, "the answer was cut short");
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        Some(Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body })
    }

    /// Waits until the server closes; false when it sent something instead.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.read_more().await
    }

    async fn read_more(&mut self) -> bool {
        // A reset is an end too.
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }
}

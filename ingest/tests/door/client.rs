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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, if it stands exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        values.next().filter(|_| values.next().is_none())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Client { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes.as_ref()).await, "the server closed");
    }

    /// Whether the bytes could be sent; false once the server has closed.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.next().await.expect("the server closed without an answer")
    }

    /// The next answer; `None` when the connection ended before it.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        let mut answer = self.next_head().await?;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read_more().await, "the answer was cut short");
        }
        answer.body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        Some(answer)
    }

    /// The answer to a HEAD request, which has no body whatever its length says.
    pub(crate) async fn head(&mut self) -> Answer {
        self.next_head().await.expect("the server closed without an answer")
    }

    async fn next_head(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await.then_some(())?;
        };
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head, body: String::new() })
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

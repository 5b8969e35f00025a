//! A client that sends exactly the bytes it is given, and reads what comes.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{seconds, sender::Delivery};

/// The server answers or closes within this, whatever is sent; its own bounds are thirty seconds and less.
const ANSWER_MAX: Duration = seconds(90);

pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Wire { stream: TcpStream::connect(address).await?, received: Vec::new() })
    }

    /// An error once the server has closed.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Everything that comes until the server closes.
    pub(crate) async fn until_the_end(mut self) -> String {
        let end = async {
            // A reset is an end too.
            while let Ok(1..) = self.stream.read_buf(&mut self.received).await {}
        };
        tokio::time::timeout(ANSWER_MAX, end).await.expect("the server closes in the end");
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Sends as far as the server takes it, and reads to the end meanwhile: nobody blocks nobody.
    pub(crate) async fn exchange(self, bytes: &[u8]) -> String {
        let (mut from, mut to) = self.stream.into_split();
        let mut received = self.received;
        let sending = async {
            // What the server does not take, it has answered or will.
            let _ = to.write_all(bytes).await;
            to
        };
        let receiving = async { while let Ok(1..) = from.read_buf(&mut received).await {} };
        let both = async { tokio::join!(sending, receiving) };
        tokio::time::timeout(ANSWER_MAX, both).await.expect("the server closes in the end");
        String::from_utf8_lossy(&received).into_owned()
    }
}

/// The head of a delivery, up to the framing of its body; the connection is its own.
pub(crate) fn head(delivery: &Delivery) -> String {
    let mut head = "POST /webhooks/github HTTP/1.1\r\nhost: tallyhook\r\nconnection: close\r\n".to_owned();
    for (name, value) in delivery.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// A delivery as it is sent.
pub(crate) fn bytes(delivery: &Delivery) -> Vec<u8> {
    let head = format!("{}content-length: {}\r\n\r\n", head(delivery), delivery.body.len());
    [head.as_bytes(), &delivery.body].concat()
}

/// The statuses of all answers, in order.
pub(crate) fn statuses(received: &str) -> Vec<u16> {
    let answers = received.split("HTTP/1.1 ").skip(1);
    answers.filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}

//! A server that answers with exact bytes, for what no well-behaved server does.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Answers each connection in turn with the next script; after the last one it accepts and closes.
pub(crate) struct RawServer {
    pub(crate) url: String,
    /// Tells of each request head, as it came.
    pub(crate) heads: mpsc::UnboundedReceiver<String>,
}

/// What is done after a request's head was read.
pub(crate) enum Script {
    /// Sends these bytes, then closes.
    Send(Vec<u8>),
    /// Sends these bytes, then keeps the connection and says no more.
    SendAndHang(Vec<u8>),
}

impl RawServer {
    pub(crate) async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (told, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            let mut hanging = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = told.send(read_head(&mut stream).await);
                match scripts.next() {
                    Some(Script::Send(bytes)) => {
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.shutdown().await;
                    }
                    Some(Script::SendAndHang(bytes)) => {
                        let _ = stream.write_all(&bytes).await;
                        hanging.push(stream);
                    }
                    None => {}
                }
            }
        });
        RawServer { url, heads }
    }

    /// How many requests came so far.
    pub(crate) fn requests(&mut self) -> usize {
        std::iter::from_fn(|| self.heads.try_recv().ok()).count()
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

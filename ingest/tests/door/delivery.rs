//! Deliveries as GitHub sends them, and wrong ones.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const SECRET: &str = "It's a Secret to Everybody";
pub(crate) const PREVIOUS_SECRET: &str = "the one before";
pub(crate) const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

/// A push to a repository of the account 21031067.
pub(crate) const PUSH: &str = concat!(
    r#"{"ref":"refs/heads/main","repository":{"id":186853002,"full_name":"Codertocat/Hello-World","#,
    r#""owner":{"id":21031067,"login":"Codertocat"}},"installation":{"id":2311650}}"#
);

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// A signed push.
    pub(crate) fn push() -> Self {
        Self::of("push", PUSH)
    }

    /// A signed delivery of this event.
    pub(crate) fn of(event: &str, body: impl Into<Vec<u8>>) -> Self {
        Delivery {
            method: "POST",
            path: "/webhooks/github",
            headers: vec![
                ("Host", "hooks.example".to_owned()),
                ("User-Agent", "GitHub-Hookshot/044aadd".to_owned()),
                ("Accept", "*/*".to_owned()),
                ("Content-Type", "application/json".to_owned()),
                ("X-GitHub-Event", event.to_owned()),
                ("X-GitHub-Delivery", GUID.to_owned()),
                ("X-GitHub-Hook-ID", "292430182".to_owned()),
                ("X-GitHub-Hook-Installation-Target-Type", "repository".to_owned()),
                ("X-GitHub-Hook-Installation-Target-ID", "186853002".to_owned()),
            ],
            body: body.into(),
        }
        .signed_with(SECRET)
    }

    /// The JSON in a form, signed as it is sent.
    pub(crate) fn form(event: &str, json: &str) -> Self {
        let encoded = percent_encoding::utf8_percent_encode(json, percent_encoding::NON_ALPHANUMERIC);
        Self::of(event, format!("payload={encoded}"))
            .with("Content-Type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn signed_with(self, secret: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&self.body);
        let digest = const_hex::encode(mac.finalize().into_bytes());
        self.with("X-Hub-Signature-256", &format!("sha256={digest}"))
    }

    /// Signed with a secret that nobody has.
    pub(crate) fn badly_signed(self) -> Self {
        self.signed_with("guessed")
    }

    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub(crate) fn guid(self, guid: &str) -> Self {
        self.with("X-GitHub-Delivery", guid)
    }

    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        self.without(name).adding(name, value)
    }

    /// Adds a header beside one of the same name.
    pub(crate) fn adding(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| *found != name);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(found, _)| *found == name).unwrap().1
    }

    /// The head with a length, not necessarily the body's.
    pub(crate) fn head(&self, content_length: usize) -> String {
        self.head_with(&format!("Content-Length: {content_length}"))
    }

    pub(crate) fn chunked_head(&self) -> String {
        self.head_with("Transfer-Encoding: chunked")
    }

    /// The whole request.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(self.body.len()).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The whole request in chunks of this size.
    pub(crate) fn chunked_bytes(&self, chunk_bytes: usize) -> Vec<u8> {
        let mut bytes = self.chunked_head().into_bytes();
        for chunk in self.body.chunks(chunk_bytes) {
            bytes.extend_from_slice(&chunked(chunk));
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    fn head_with(&self, framing: &str) -> String {
        let fields: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} {} HTTP/1.1\r\n{fields}{framing}\r\n\r\n", self.method, self.path)
    }
}

/// One chunk as it stands in a chunked body.
pub(crate) fn chunked(chunk: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
    bytes.extend_from_slice(chunk);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A push whose JSON has exactly this size.
pub(crate) fn push_of_size(bytes: usize) -> String {
    let start = r#"{"repository":{"id":1,"owner":{"id":21031067}},"padding":""#;
    format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
}

//! A sender of signed deliveries of our own, where a test must know what was acknowledged.

use std::net::SocketAddr;

use fake_github::Emitted;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::reader::{Answer, http_client};

/// The hook that the deliveries say they are from.
const HOOK_ID: &str = "4242";

/// Sends deliveries, and says what became of them.
#[derive(Clone)]
pub(crate) struct Sender {
    http: reqwest::Client,
}

/// One delivery, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) event: String,
    pub(crate) guid: String,
    pub(crate) body: Vec<u8>,
    pub(crate) secret: String,
    pub(crate) hook: String,
}

impl Delivery {
    /// As an App's webhook sends it.
    pub(crate) fn of(emitted: &Emitted) -> Self {
        Delivery::new(emitted.event, &emitted.guid, emitted.body_for_app().to_vec())
    }

    pub(crate) fn new(event: &str, guid: &str, body: Vec<u8>) -> Self {
        Delivery {
            event: event.to_owned(),
            guid: guid.to_owned(),
            body,
            secret: super::SECRET.to_owned(),
            hook: HOOK_ID.to_owned(),
        }
    }

    /// The same event by another hook: one GUID, and no duplicate.
    #[must_use]
    pub(crate) fn by_another_hook(&self) -> Self {
        Delivery { hook: "4343".to_owned(), ..self.clone() }
    }

    /// Signed with this.
    #[must_use]
    pub(crate) fn signed_with(self, secret: &str) -> Self {
        Delivery { secret: secret.to_owned(), ..self }
    }
}

impl Delivery {
    /// `X-Hub-Signature-256`.
    fn signature(&self) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(&self.body);
        format!("sha256={}", const_hex::encode(mac.finalize().into_bytes()))
    }

    /// The headers that GitHub sends with it.
    pub(crate) fn headers(&self) -> [(&'static str, String); 6] {
        [
            ("content-type", "application/json".to_owned()),
            ("user-agent", "GitHub-Hookshot/whole".to_owned()),
            ("x-github-event", self.event.clone()),
            ("x-github-delivery", self.guid.clone()),
            ("x-github-hook-id", self.hook.clone()),
            ("x-hub-signature-256", self.signature()),
        ]
    }
}

impl Sender {
    pub(crate) fn new() -> Self {
        Sender { http: http_client() }
    }

    /// Sends once; the status and body of the answer.
    pub(crate) async fn send(
        &self,
        to: SocketAddr,
        delivery: &Delivery,
    ) -> Result<(u16, String), reqwest::Error> {
        self.ask(to, delivery).await.map(|answer| (answer.status, answer.text()))
    }

    /// As [`Self::send`]; the whole answer.
    pub(crate) async fn ask(&self, to: SocketAddr, delivery: &Delivery) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.post(format!("http://{to}/webhooks/github"));
        for (name, value) in delivery.headers() {
            request = request.header(name, value);
        }
        let response = request.body(delivery.body.clone()).send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }

    /// Sends once, and asserts that it was taken in as new.
    pub(crate) async fn accepted(&self, to: SocketAddr, delivery: &Delivery) {
        let (status, body) = self.send(to, delivery).await.unwrap();
        assert_eq!(status, 202, "{}: {body}", delivery.event);
    }
}

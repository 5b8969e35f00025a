//! `…/hooks/{id}/deliveries`: what a hook has sent within the last three days, and sending it again.

use std::collections::HashMap;

use bytes::Bytes;
use domain::{RepoId, Second, Text};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Answer, AskError, Asking, Client, HookOwner, path::Path},
    headers::{DELIVERY, DeliveryHeaders, EVENT},
    wire::{Field, object, read_array},
};

/// GitHub's word for a delivery that was answered with a 2xx.
const OK: &str = "OK";

/// A page of what a hook has sent, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveriesPage<'a> {
    /// The newest hundred.
    First,
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// One attempt to deliver something, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDelivery {
    /// The attempt's own id.
    pub id: u64,
    /// The event's; all attempts share it.
    pub guid: String,
    /// When it was sent.
    pub delivered_at: Second,
    /// Whether it was answered with a 2xx in time.
    pub is_success: bool,
    /// Whether somebody asked for it to be sent again.
    pub is_redelivery: bool,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The repository that it is about; `None`: about none, or the list does not say.
    pub repo: Option<RepoId>,
}

/// A delivery as GitHub remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedDelivery {
    /// What its headers said; `None` where they cannot be read.
    pub headers: Option<DeliveryHeaders>,
    /// Its JSON, as GitHub writes it now: mostly, and not for certain, byte for byte what was signed. `None` where
    /// GitHub shows none.
    pub payload: Option<Bytes>,
}

impl Client {
    /// Asks what a hook has sent; `links.next()` leads to what was sent before.
    pub async fn deliveries(
        &self,
        owner: HookOwner<'_>,
        hook: u64,
        page: DeliveriesPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<ListedDelivery>>, AskError> {
        let endpoint = "GET /hooks/{id}/deliveries";
        let answer = match page {
            DeliveriesPage::First => {
                let path = deliveries(owner, hook).fixed("?per_page=100");
                self.get_path(endpoint, path, asking).await?
            }
            DeliveriesPage::Next(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let listed = read_array::<WireDelivery<'_>>(&fresh.body)?;
            listed.iter().map(WireDelivery::listed).collect()
        })
    }

    /// Asks for one attempt, with what was sent.
    pub async fn delivery(
        &self,
        owner: HookOwner<'_>,
        hook: u64,
        listed: &ListedDelivery,
        asking: &Asking<'_>,
    ) -> Result<Answer<RecordedDelivery>, AskError> {
        let endpoint = "GET /hooks/{id}/deliveries/{delivery}";
        let answer = self.get_path(endpoint, deliveries(owner, hook).number(listed.id), asking).await?;
        answer.read(endpoint, |fresh| recorded(listed, &fresh.body))
    }

    /// Has GitHub send something again, under the same GUID.
    pub async fn redeliver(
        &self,
        owner: HookOwner<'_>,
        hook: u64,
        delivery: u64,
        asking: &Asking<'_>,
    ) -> Result<Answer<()>, AskError> {
        let endpoint = "POST /hooks/{id}/deliveries/{delivery}/attempts";
        let path = deliveries(owner, hook).number(delivery).fixed("/attempts");
        let answer = self.post_path(endpoint, path, None, asking).await?;
        answer.read(endpoint, |_| Some(()))
    }
}

fn deliveries(owner: HookOwner<'_>, hook: u64) -> Path {
    owner.hook(hook).fixed("/deliveries")
}

fn recorded(listed: &ListedDelivery, body: &Bytes) -> Option<RecordedDelivery> {
    let WireRecorded { request } = serde_json::from_slice(body).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(name.as_str());
        let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
        if let (Ok(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    // What the list said of it holds where the headers leave it out.
    for (name, value) in [
        (DELIVERY, listed.guid.as_str()),
        (EVENT, &listed.event),
        (CONTENT_TYPE.as_str(), "application/json"),
    ] {
        if let (false, Ok(value)) = (headers.contains_key(name), HeaderValue::try_from(value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let payload = request.payload.map(RawValue::get).filter(|json| json.starts_with('{'));
    Some(RecordedDelivery {
        headers: DeliveryHeaders::parse(&headers).ok(),
        payload: payload.map(|json| body.slice_ref(json.as_bytes())),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireDelivery<'a> {
    id: Field<u64>,
    #[serde(borrow)]
    guid: Field<Text<'a>>,
    delivered_at: Field<Second>,
    redelivery: Field<bool>,
    #[serde(borrow)]
    status: Field<Text<'a>>,
    status_code: Field<u64>,
    #[serde(borrow)]
    event: Field<Text<'a>>,
    repository_id: Field<u64>,
}
object!(WireDelivery<'a>);

impl WireDelivery<'_> {
    fn listed(&self) -> Option<ListedDelivery> {
        let is_ok = self.status.value().is_some_and(|status| status.as_str() == OK);
        let is_2xx = self.status_code.get().is_none_or(|code| (200..300).contains(&code));
        Some(ListedDelivery {
            id: self.id.get()?,
            guid: self.guid.value()?.to_string(),
            delivered_at: self.delivered_at.get()?,
            is_success: is_ok && is_2xx,
            is_redelivery: self.redelivery.get().unwrap_or(false),
            event: self.event.value().map(ToString::to_string).unwrap_or_default(),
            repo: self.repository_id.get().map(RepoId::github),
        })
    }
}

#[derive(Deserialize)]
struct WireRecorded<'a> {
    #[serde(borrow)]
    request: WireRequest<'a>,
}

#[derive(Deserialize)]
struct WireRequest<'a> {
    #[serde(default)]
    headers: HashMap<String, serde_json::Value>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> ListedDelivery {
        ListedDelivery {
            id: 7,
            guid: "72d3162e".to_owned(),
            delivered_at: Second(5),
            is_success: false,
            is_redelivery: false,
            event: "push".to_owned(),
            repo: None,
        }
    }

    #[test]
    fn a_payload_stays_byte_for_byte_what_the_answer_shows() {
        let body = Bytes::from_static(
            br#"{"id":7,"request":{"headers":{"X-GitHub-Event":"star","X-GitHub-Hook-ID":"3","Odd":[1]},"payload":{"b": 1,
            "a":1.0}},"response":null}"#,
        );
        let read = recorded(&listed(), &body).unwrap();
        assert_eq!(read.payload.as_deref(), Some(b"{\"b\": 1,\n            \"a\":1.0}".as_slice()));
        let headers = read.headers.unwrap();
        assert_eq!((headers.event.as_str(), headers.delivery.as_str()), ("star", "72d3162e"));
        assert_eq!(headers.hook_id.as_deref(), Some("3"));
    }

    #[test]
    fn a_delivery_may_be_shown_without_its_payload() {
        for body in [
            r#"{"request":{"headers":{},"payload":null}}"#,
            r#"{"request":{}}"#,
            r#"{"request":{"payload":"{}"}}"#,
        ] {
            let read = recorded(&listed(), &Bytes::from(body)).unwrap();
            assert_eq!((read.payload, read.headers.unwrap().event.as_str()), (None, "push"), "{body}");
        }
        assert!(recorded(&listed(), &Bytes::from_static(b"[]")).is_none());
    }
}

//! Requests, answered from what there is.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Activity, Fault, Shared, TOKEN};

/// Larger notes are refused, as are those of the real one.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// So many activities a page unless told.
const PAGE: usize = 100;
const ACTIVITIES: &str = "/api/v2/activities";

type Answer = Response<Full<Bytes>>;

pub(crate) async fn serve(listener: TcpListener, shared: Shared, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (shared, stop) = (shared.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(shared.clone(), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // An error here is a connection that was closed: by the other side, or by a fault.
                _ = connection => {}
            }
        });
    }
}

async fn answer(shared: Shared, request: Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path();
    shared.lock().requests.push(format!("{} {path}", parts.method));
    if let Some(name) = path.strip_prefix("/texts/") {
        let text = shared.lock().texts.get(name).cloned();
        return Ok(match text {
            Some(text) => Response::new(Full::from(text)),
            None => status(StatusCode::NOT_FOUND, &json!({"message": "no such text"})),
        });
    }
    if path != ACTIVITIES {
        return Ok(status(StatusCode::NOT_FOUND, &json!({"success": false, "error": "unknown path"})));
    }
    if parts.headers.get("x-api-token").is_none_or(|token| token != TOKEN) {
        return Ok(status(
            StatusCode::UNAUTHORIZED,
            &json!({"success": false, "error": "unauthorized access"}),
        ));
    }
    let fault = {
        let mut state = shared.lock();
        if state.faults.is_empty() { Fault::None } else { state.faults.remove(0) }
    };
    match fault {
        Fault::Status(code) => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(status(code, &json!({"success": false, "error": "as told"})));
        }
        Fault::Limited(after) => {
            let mut limited = status(StatusCode::TOO_MANY_REQUESTS, &json!({"success": false}));
            if let Some(after) = after {
                limited.headers_mut().insert(header::RETRY_AFTER, after.into());
            }
            return Ok(limited);
        }
        Fault::ClosedBefore => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::ClosedAfter | Fault::Late(_) | Fault::Nonsense | Fault::None => {}
    }
    let answer = match parts.method {
        Method::POST => make(&shared, &body),
        Method::GET => list(&shared, parts.uri.query().unwrap_or_default()),
        _ => status(StatusCode::METHOD_NOT_ALLOWED, &json!({"success": false})),
    };
    match fault {
        Fault::ClosedAfter => Err(io::ErrorKind::ConnectionReset.into()),
        Fault::Late(late) => {
            tokio::time::sleep(late).await;
            Ok(answer)
        }
        Fault::Nonsense => Ok(status(answer.status(), &json!([{"nonsense": null}]))),
        _ => Ok(answer),
    }
}

/// API v2 takes what it knows, each of its type, and nothing else.
fn make(shared: &Shared, body: &[u8]) -> Answer {
    let refused = |why: String| status(StatusCode::BAD_REQUEST, &json!({"success": false, "error": why}));
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return refused("not a JSON object".to_owned());
    };
    for (name, value) in &fields {
        let is_right = match name.as_str() {
            "subject" | "note" | "public_description" | "type" => value.is_string(),
            "done" => value.is_boolean(),
            _ => false,
        };
        if !is_right {
            return refused(format!("validation failed: {name}"));
        }
    }
    let mut state = shared.lock();
    let id = u64::try_from(state.activities.len()).unwrap_or(u64::MAX) + 1;
    state.activities.push(Activity { id, fields: fields.clone(), made_s: now_s() });
    let mut data = fields;
    data.insert("id".to_owned(), id.into());
    status(StatusCode::CREATED, &json!({"success": true, "data": data}))
}

fn list(shared: &Shared, query: &str) -> Answer {
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let get = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let since = match get("updated_since").map(str::parse::<jiff::Timestamp>) {
        Some(Ok(since)) => since.as_second(),
        Some(Err(_)) => return status(StatusCode::BAD_REQUEST, &json!({"success": false})),
        None => 0,
    };
    let from: usize = get("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let size = get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, 500);
    let state = shared.lock();
    let found: Vec<Value> = state
        .activities
        .iter()
        .filter(|activity| activity.made_s >= since)
        .map(|activity| {
            let mut data = activity.fields.clone();
            data.insert("id".to_owned(), activity.id.into());
            Value::Object(data)
        })
        .collect();
    let page: Vec<Value> = found.iter().skip(from).take(size).cloned().collect();
    let next = (from + size < found.len()).then(|| (from + size).to_string());
    status(StatusCode::OK, &json!({"success": true, "data": page, "additional_data": {"next_cursor": next}}))
}

fn status(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::from(body.to_string()));
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

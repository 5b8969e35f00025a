//! Requests and their answers: API 2.0 as far as it is asked for.

use axum::{
    Router,
    body::Body,
    extract::{Request as HttpRequest, State},
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{
    fake::{Request, Shared},
    fault::Fault,
    world::{Workspace, World},
};

/// Bitbucket's own: rows of a page unless `pagelen` says otherwise, and at most.
const PAGELEN: usize = 10;
const PAGELEN_MAX: usize = 100;

pub(crate) fn router(shared: Shared) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(State(shared): State<Shared>, request: HttpRequest) -> Response {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let fault = {
        let mut state = shared.lock();
        state.requests.push(Request { path: path.clone(), query: query.clone(), authorization });
        state.script.draw(&path)
    };
    if let Some(Fault::Slow(delay)) = &fault {
        tokio::time::sleep(*delay).await;
    }
    match &fault {
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return send(status, &error("it was told to"));
        }
        Some(Fault::Limit(seconds)) => {
            let mut response = send(StatusCode::TOO_MANY_REQUESTS, &error("Rate limit for this resource"));
            if let Some(seconds) = seconds {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            return response;
        }
        Some(Fault::Body(body)) => return Response::new(Body::from(body.clone())),
        Some(Fault::Redirect(to)) => {
            let mut response = send(StatusCode::FOUND, &json!({}));
            if let Ok(to) = HeaderValue::try_from(to) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            return response;
        }
        _ => {}
    }
    let state = shared.lock();
    let this = format!("{}{}?{query}", state.url, request.uri().path());
    match read(&state.world, &path, &query, &this, fault.as_ref()) {
        Some(json) => send(StatusCode::OK, &json),
        None => send(StatusCode::NOT_FOUND, &error("not found")),
    }
}

fn read(world: &World, path: &str, query: &str, this: &str, fault: Option<&Fault>) -> Option<Value> {
    let mut segments = path.strip_prefix("/2.0/")?.split('/');
    let segments = [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()];
    match segments {
        [Some("workspaces"), Some(name), None, ..] => {
            world.workspace(name).filter(|workspace| !workspace.is_user).map(Workspace::to_json)
        }
        [Some("users"), Some(name), None, ..] => {
            world.workspace(name).filter(|workspace| workspace.is_user).map(Workspace::to_json)
        }
        [Some("repositories"), Some(name), None, ..] => {
            Some(page(world.workspace(name)?, query, this, fault))
        }
        [Some("repositories"), Some(name), Some(slug), None, _] => {
            let workspace = world.workspace(name)?;
            Some(workspace.repository_json(workspace.repository(slug)?))
        }
        [Some("repositories"), Some(name), Some(slug), Some("watchers"), None] => {
            let repository = world.workspace(name)?.repository(slug)?;
            Some(json!({"size": repository.watchers}))
        }
        _ => None,
    }
}

fn page(workspace: &Workspace, query: &str, this: &str, fault: Option<&Fault>) -> Value {
    let number = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let pagelen = number("pagelen").unwrap_or(PAGELEN).clamp(1, PAGELEN_MAX);
    let page = number("page").unwrap_or(1).max(1);
    let shown = workspace.shown();
    let first = (page - 1).saturating_mul(pagelen);
    let endless = fault == Some(&Fault::NextNeverEnds);
    let first = if endless { 0 } else { first };
    let rows = shown.iter().skip(first).take(pagelen);
    let mut json = json!({
        "values": rows.map(|repository| workspace.repository_json(repository)).collect::<Vec<_>>(),
        "page": page,
        "pagelen": pagelen,
        "size": shown.len(),
    });
    let has_next = first.saturating_add(pagelen) < shown.len();
    let next = match fault {
        Some(Fault::NextIsThisPage) => Some(this.to_owned()),
        Some(Fault::NextIs(address)) => Some(address.clone()),
        _ if has_next || endless => Some(with_page(this, page + 1)),
        _ => None,
    };
    if let Some(next) = next {
        json["next"] = Value::String(next);
    }
    json
}

/// The same address with another page.
fn with_page(this: &str, page: usize) -> String {
    let (path, query) = this.split_once('?').unwrap_or((this, ""));
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page=")).collect();
    format!("{path}?{}&page={page}", kept.join("&"))
}

fn error(message: &str) -> Value {
    json!({"type": "error", "error": {"message": message}})
}

fn send(status: StatusCode, json: &Value) -> Response {
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

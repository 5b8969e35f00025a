//! The OpenAPI document of what a process serves, and the page that shows it. Paths, parameters and payloads come from
//! the handlers and the types that are rendered; what all of them have in common is added here.

mod page;
mod shape;

use axum::{Router, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::header;
use utoipa::{
    OpenApi as _,
    openapi::{
        ContentBuilder, Header, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement,
        header::HeaderBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        response::Response as Described,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{protocol::problem::Members, route};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const BEARER: &str = "bearer";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tallyhook",
        description = "Numbers about accounts at GitHub, ready before anybody asks. Each answer says as of when it is and \
                       whether it is complete."
    ),
    components(schemas(Members<'static>)),
    tags(
        (name = "numbers", description = "Accounts and repositories."),
        (name = "moved here", description = "Endpoints of earlier services, for those who move from them."),
        (name = "gists", description = "Who is shown new gists, and what is new to whom."),
        (name = "changes", description = "What changed, as it changes."),
        (name = "images", description = "Numbers as pictures, for pages elsewhere."),
        (name = "deliveries", description = "Where forges send what happens."),
        (name = "service", description = "The service itself.")
    )
)]
struct Document;

/// The document of this crate's public routes.
pub fn openapi() -> OpenApi {
    let mut document = Document::openapi();
    document.merge(route::data().into_openapi());
    document.merge(route::keyed().into_openapi());
    document.merge(route::anything().into_openapi());
    for (path, item) in &mut document.paths.paths {
        let has_parts = path.contains('{');
        if let Some(operation) = &mut item.get {
            dress(operation, has_parts, Verb::Read);
            if path.starts_with("/v1/") {
                let parameters = operation.parameters.get_or_insert_default();
                parameters.extend(waiting());
            }
        }
        if let Some(operation) = &mut item.post {
            dress(operation, has_parts, Verb::Write);
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Needed where the operator set a token (`TALLYHOOK_API_TOKEN`)."));
    if let Some(components) = &mut document.components {
        components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    }
    document
}

/// `/openapi.json` and `/docs` for a document; it has no fallback.
pub fn docs_router(document: &OpenApi) -> Router {
    let json = serde_json::to_vec_pretty(document).expect("a document of plain values serializes");
    let page = page::of(document);
    Router::new()
        .route("/openapi.json", get(fixed(JSON, json)))
        .route("/docs", get(fixed("text/html; charset=utf-8", page.into_bytes())))
        .route("/docs/style.css", get(fixed("text/css; charset=utf-8", page::STYLE.as_bytes().to_vec())))
}

/// What always is the same.
fn fixed(content_type: &'static str, body: Vec<u8>) -> impl IntoResponse + Clone {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        // The page runs nothing and loads nothing from elsewhere.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'"),
    ];
    (headers, Bytes::from(body))
}

/// Whether an operation changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Write,
}

/// Adds what all operations of a kind have in common.
fn dress(operation: &mut Operation, has_parts: bool, verb: Verb) {
    let tags = operation.tags.as_deref().unwrap_or_default();
    if tags.iter().any(|tag| tag == "service") {
        return;
    }
    // It is true of the moment.
    let is_of_moment = tags.iter().any(|tag| tag == "deliveries" || tag == "changes");
    // What no forge told has no time of a forge.
    let is_of_forge = !tags.iter().any(|tag| tag == "gists");
    operation.security =
        Some(vec![SecurityRequirement::default(), SecurityRequirement::new::<_, _, &str>(BEARER, [])]);
    let responses = &mut operation.responses.responses;
    if let Some(RefOr::T(ok)) = responses.get_mut("200")
        && ok.content.contains_key(JSON)
        && verb == Verb::Read
        && !is_of_moment
    {
        let of_forge = ["Tallyhook-As-Of", "Tallyhook-Checked-At"];
        for (name, meaning) in HEADERS.iter().filter(|(name, _)| is_of_forge || !of_forge.contains(name)) {
            ok.headers.insert((*name).to_owned(), RefOr::T(text_header(meaning)));
        }
    }
    let mut refuse = |status: &str, meaning: &str, headers: &[&str]| {
        let mut refusal = problem(meaning);
        for name in headers {
            refusal.headers.insert((*name).to_owned(), RefOr::T(text_header("Whole seconds.")));
        }
        responses.entry(status.to_owned()).or_insert(RefOr::T(refusal));
    };
    refuse("401", "The operator set a token and the request has none, or another one.", &[]);
    refuse("429", "Too many requests of this address, or too many new accounts.", &["Retry-After"]);
    refuse("503", "Not known yet, or the storage does not answer.", &["Retry-After"]);
    if has_parts && is_of_forge {
        refuse("404", "Unknown, deleted, hidden or private.", &[]);
    }
    if verb == Verb::Write || is_of_moment {
        return;
    }
    let known = ResponseBuilder::new().description("What `If-None-Match` names is still what there is.");
    responses.entry("304".to_owned()).or_insert(RefOr::T(known.build()));
}

/// What every path of ours takes.
fn waiting() -> [RefOr<Parameter>; 2] {
    let parameter = |name: &str, meaning: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some(meaning))
            .build()
            .into()
    };
    [
        parameter(
            "wait_for",
            "The id of a delivery (`X-GitHub-Delivery`): the answer comes once it is shown. In vain: 503 with the type \
             `…/errors/not-visible-yet`.",
        ),
        parameter("timeout", "How long to wait for it: `5s` unless told, at most `30s`; also as `500ms`."),
    ]
}

/// Headers of every payload.
const HEADERS: &[(&str, &str)] = &[
    ("ETag", "Strong, of the bytes in this encoding."),
    ("Tallyhook-As-Of", "The newest forge time of anything in the payload (RFC 3339)."),
    (
        "Tallyhook-Checked-At",
        "When the part that was checked longest ago was checked with the forge (RFC 3339).",
    ),
    ("Tallyhook-Position", "Where in the log it stands; opaque."),
    ("Tallyhook-Complete", "`true`: every number is known, settled and checked lately."),
];

fn text_header(meaning: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(meaning))
        .build()
}

fn problem(meaning: &str) -> Described {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(meaning).content(PROBLEM, content).build()
}

//! Numbers as images: a badge of one number of a repository, and a card of an account. Each is drawn once per change
//! of the view that it shows, and kept as long as that view is the same.

mod card;
mod figures;
mod shield;
mod text;

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use domain::{Version, view::body};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use quick_cache::sync::Cache;

pub(crate) use self::figures::{Account as AccountFigures, Field};
use crate::{
    protocol::{conditional, names, problem::Problem},
    reading::Shown,
    window::Window,
};

/// So many images are kept, of one or two kilobytes each: more than pages show at a time.
const IMAGES_MAX: usize = 2_048;

/// Image proxies ask again after so long; between, they show what they have. A repository that goes private is out of
/// their pictures as soon.
const CACHE_CONTROL: &str = "public, max-age=5, must-revalidate";

/// An image runs nothing and loads nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Picture {
    /// One number of a repository.
    Badge(Field),
    /// An account.
    Card,
}

/// Images by what they show and of whom.
pub(crate) struct Images(Cache<(Picture, String), Kept>);

#[derive(Clone)]
struct Kept {
    /// Of the view that it was drawn from.
    source: (Version, u64),
    image: Arc<Image>,
}

struct Image {
    svg: Bytes,
    etag: HeaderValue,
}

impl Images {
    pub(crate) fn new() -> Self {
        Images(Cache::new(IMAGES_MAX))
    }
}

impl Image {
    fn new(svg: String) -> Arc<Self> {
        let etag = format!("\"{:016x}\"", body::hash(svg.as_bytes()));
        let etag = HeaderValue::try_from(etag).expect("plain ASCII");
        Arc::new(Image { svg: svg.into(), etag })
    }
}

impl Window {
    /// The image of a view that may be shown.
    pub(crate) fn picture(
        &self,
        request: &HeaderMap,
        picture: Picture,
        shown: &Shown,
    ) -> Result<Response, Problem> {
        let key = (picture, shown.ready().meta.name.clone());
        let source = shown.version_and_era();
        let kept = self.images.0.get(&key).filter(|kept| kept.source == source);
        let image = match kept {
            Some(kept) => kept.image,
            None => {
                let payload = shown.ready().identity()?;
                let image = Image::new(draw(picture, payload).ok_or_else(Problem::unreadable)?);
                self.images.0.insert(key, Kept { source, image: Arc::clone(&image) });
                image
            }
        };
        let is_known = conditional::is_known(request, image.etag.as_bytes());
        let mut response =
            Response::new(if is_known { Body::empty() } else { Body::from(image.svg.clone()) });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, image.etag.clone());
        let cache_control = match self.api_token {
            Some(_) => names::cache_control(true),
            None => HeaderValue::from_static(CACHE_CONTROL),
        };
        headers.insert(header::CACHE_CONTROL, cache_control);
        describe(headers);
        Ok(response)
    }
}

fn draw(picture: Picture, payload: &[u8]) -> Option<String> {
    match picture {
        Picture::Badge(field) => {
            let value = figures::of_repository(payload, field)?;
            Some(shield::draw(field.label(), value.as_deref().unwrap_or("counting"), field.colour()))
        }
        Picture::Card => Some(card::draw(&AccountFigures::read(payload)?)),
    }
}

/// A refusal as an image, so that a page shows a word and no hole.
pub(crate) fn refusal(label: &str, problem: Problem) -> Response {
    let word = problem.word();
    let mut response = problem.into_response();
    *response.body_mut() = Body::from(shield::draw(label, word, shield::GREY));
    describe(response.headers_mut());
    response
}

fn describe(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_TYPE, "image/svg+xml; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

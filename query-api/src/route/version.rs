//! `GET /version`: which release answers.

use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Version {
    name: &'static str,
    version: &'static str,
}

pub(super) async fn get() -> Json<Version> {
    Json(Version { name: "tallyhook", version: env!("CARGO_PKG_VERSION") })
}

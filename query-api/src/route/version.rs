//! `GET /version`: which release answers.

use axum::Json;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Version {
    name: &'static str,
    version: &'static str,
}

/// Which release answers.
#[utoipa::path(get, operation_id = "getVersion", path = "/version", tag = "service", responses((status = 200, body = Version)))]
pub(super) async fn get() -> Json<Version> {
    Json(Version { name: "tallyhook", version: env!("CARGO_PKG_VERSION") })
}

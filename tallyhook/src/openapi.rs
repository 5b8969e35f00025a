//! The OpenAPI document of everything that a process with all roles serves on its public port.

use utoipa::openapi::OpenApi;

/// The window's document with the door's.
pub(crate) fn document() -> OpenApi {
    query_api::openapi().merge_from(ingest::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::ROUTES;

    #[test]
    fn every_documented_path_is_counted_under_its_own_name() {
        let document = document();
        let counted: Vec<&str> = ROUTES.iter().chain(&ingest::ROUTES).copied().collect();
        for path in document.paths.paths.keys() {
            assert!(counted.contains(&path.as_str()), "{path} would count as `other`");
        }
        assert!(document.paths.paths.contains_key("/webhooks/github"));
    }
}

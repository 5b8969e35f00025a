//! How far a long job got: rows that only the asking source reads.

use domain::{Asked, Millis, Second, StreamKey, Version, record::CursorNote};
use testkit::stage::Stage;

use crate::scene::Scene;

#[tokio::test]
async fn a_cursor_is_kept_until_its_job_ends_it() {
    let stream = StreamKey::Account(Scene::new().account("owner-0"));
    let stage = Stage::new().await;
    let note =
        |kind: &str, value: &str| CursorNote { kind: kind.to_owned().into(), value: value.to_owned().into() };
    let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(5), date: Second(5) };
    let tell = |notes| stage.answer(asked, Millis(6), stream, Vec::new(), notes);

    tell(vec![note("pages", "[1]"), note("etag", "\"abc\"")]).await;
    tell(vec![note("pages", "[1,2]")]).await;
    stage.restart().await;
    assert_eq!(stage.rows().cursor::<Vec<u8>>(stream, "pages").await, Some(vec![1, 2]));
    assert_eq!(stage.rows().cursor::<String>(stream, "etag").await.as_deref(), Some("abc"));
    assert_eq!(stage.rows().cursor::<String>(StreamKey::Service, "etag").await, None);

    tell(vec![note("pages", "")]).await;
    stage.rebuild().await;
    assert_eq!(stage.rows().cursor::<Vec<u8>>(stream, "pages").await, None);
    assert_eq!(stage.rows().cursor::<String>(stream, "etag").await.as_deref(), Some("abc"));
}

//! What is sent, and what is not.

use serde_json::{Value, json};

use crate::bench::Bench;

#[tokio::test]
async fn a_file_is_sent_as_it_is_with_its_marker() {
    let bench = Bench::new().await;
    let text = "fn main() {}\r\n\t\"é\" <b>\u{2028}\n\n";
    bench.show("a5", &[("a b#c.rs", text), ("empty", "")]).await;
    let _life = bench.start();
    bench.until_empty().await;
    let mut made: Vec<Value> =
        bench.pipedrive.activities().into_iter().map(|activity| activity.fields.into()).collect();
    made.sort_by_key(|activity| activity["subject"].as_str().unwrap().to_owned());
    assert_eq!(
        made,
        [
            json!({"subject": "a b#c.rs", "note": text, "public_description": "gist:a5#a b#c.rs", "done": false}),
            json!({"subject": "empty", "note": "", "public_description": "gist:a5#empty", "done": false}),
        ]
    );
}

#[tokio::test]
async fn a_rebuild_sends_nothing_again() {
    let bench = Bench::new().await;
    bench.show("a", &[("x", "text"), ("y", "text")]).await;
    let life = bench.start();
    bench.until_empty().await;
    life.kill().await;
    bench.stage.rebuild().await;
    let _life = bench.start();
    bench.show("b", &[("x", "text")]).await;
    bench.until_empty().await;
    let mut made = bench.made();
    made.sort();
    assert_eq!(made, ["gist:a#x", "gist:a#y", "gist:b#x"]);
}

//! Fetches the jars before the suites that need them, so that a slow network is not counted as a slow test.

fn main() -> anyhow::Result<()> {
    if let Some(reason) = test_servers::unavailable() {
        println!("fetched nothing: {reason}");
        return Ok(());
    }
    test_servers::fetch()
}

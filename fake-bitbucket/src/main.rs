//! `fake-bitbucket [ADDRESS]`: the fake by itself, with a workspace `team` and a user `ada`, so that people can
//! try profiles without a token and without Bitbucket.

use std::{net::SocketAddr, process::ExitCode};

use fake_bitbucket::FakeBitbucket;

/// Where it listens unless told otherwise.
const ADDRESS: &str = "127.0.0.1:7990";

#[tokio::main]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| ADDRESS.to_owned());
    let Ok(address) = address.parse::<SocketAddr>() else {
        eprintln!("fake-bitbucket: {address} is no address; say for example {ADDRESS}");
        return ExitCode::from(2);
    };
    let fake = match FakeBitbucket::start_at(address).await {
        Ok(fake) => fake,
        Err(error) => {
            eprintln!("fake-bitbucket: cannot listen on {address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    fake.world(fake_bitbucket::World::populate);
    println!("fake Bitbucket at {}: https://bitbucket.org/team and https://bitbucket.org/ada", fake.url());
    // An error means that there are no signals here; then it runs until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    ExitCode::SUCCESS
}

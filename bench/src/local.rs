//! One thread that runs everything: tokio's runtime for a single core.

use std::error::Error;
use std::future::Future;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Runs a future and the tasks that it spawns with `spawn_local`.
pub fn run<T>(
    future: impl Future<Output = Result<T, Box<dyn Error>>>,
) -> Result<T, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}

//! Arguments in, exit code out.

/// Cheaper than the system's for the small blocks of HTTP/2, and it gives memory of former snapshots back to the system
/// (`bench/RESULTS.md`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    portcullis::cli::main()
}

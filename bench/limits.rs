//! What limits cost a request: `cargo bench --bench limits`. Shows the cost of each kind, alone and while a second thread
//! takes of the same limiter without pause, and that none needs heap. Measures no network. Without `--bench` (under
//! `cargo test`) it only checks that it works.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints figures, and stops at whatever goes wrong"
)]

mod counting;
#[allow(dead_code, reason = "heads are for another program")]
mod scene;

use counting::{Counting, allocations_of};
use portcullis::clock;
use portcullis::config::RequestRate;
use portcullis::limit::{Bounds, Limiter, Limiters, Rate, Taken};
use scene::{Scene, Size, write_certificates};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How much is measured: rounds, and calls in each.
type Effort = (usize, u32);

/// What a request may be limited by: of its user, and of its route.
struct Case {
    name: &'static str,
    users: Limiters,
    route: Option<Arc<Limiter>>,
}

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let effort: Effort = if measures { (400, 2_000) } else { (1, 50) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_certificates(folder.path());
    let scene = Scene::new(folder.path(), Size { users: 10, routes: 1, permissions: 20 });
    let head = [httparse::Header { name: "Host", value: b"localhost:8443" }];
    let judge = || assert!(scene.judge(black_box("/v0/objects/hosts"), &head).outcome.is_ok(), "a permit");
    println!("a judgement of {} permissions: {:.0} ns", scene.size.permissions, fastest(effort, &judge));
    println!("\n{:>34}  {:>8}  {:>12}", "limits", "alone", "two threads");
    for case in cases() {
        let take = || take(&case);
        assert_eq!(allocations_of(take), 0, "{} needs the heap", case.name);
        let (alone, contended) = (fastest(effort, &take), beside_another(effort, &take));
        println!("{:>34}  {alone:>5.1} ns  {contended:>9.1} ns", case.name);
    }
    println!("\n1 passed, 0 failed");
}

fn cases() -> [Case; 6] {
    let number = |number| NonZeroU32::new(number).expect("a number");
    let rate = RequestRate { requests: number(1_000_000), window: Duration::from_nanos(1_000_000) };
    let rate = Bounds { rate: Some(Rate { rate, burst: number(u32::MAX) }), ..Bounds::default() };
    let concurrency = Bounds { concurrency: Some(number(1_000_000)), ..Bounds::default() };
    let quota = Bounds { daily_quota: Some(number(u32::MAX)), ..Bounds::default() };
    let all = Bounds { rate: rate.rate, concurrency: concurrency.concurrency, ..quota };
    let limiter = |bounds| Some(Limiter::new(bounds, None, Instant::now()));
    let case = |name, user: Option<Bounds>, route: Option<Bounds>| Case {
        name,
        users: Limiters::new(vec![None, user.and_then(limiter)]),
        route: route.and_then(limiter),
    };
    [
        case("none", None, None),
        case("rate of the user", Some(rate), None),
        case("concurrency of the user", Some(concurrency), None),
        case("daily quota of the user", Some(quota), None),
        case("all three of the user", Some(all), None),
        case("all three of user and route", Some(all), Some(all)),
    ]
}

/// What each request does: takes, is under way, and ends. The clock was read for it already.
fn take(case: &Case) {
    thread_local! {
        static NOW: Instant = Instant::now();
    }
    let now = NOW.with(|now| *now);
    let taken = |limiter: Option<&Arc<Limiter>>| {
        let taken = limiter.map(|limiter| limiter.take(now, clock::seconds)).transpose();
        taken.expect("a limit that is never reached").and_then(Taken::keep)
    };
    let (user, route) = (taken(case.users.get(black_box(1))), taken(black_box(&case.route).as_ref()));
    black_box((&user, &route));
}

/// ns for one call: the best of many short rounds, which was disturbed least.
fn fastest((rounds, calls): Effort, work: &impl Fn()) -> f64 {
    let round = |_| {
        let begun = Instant::now();
        (0..calls).for_each(|_| work());
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    (0..rounds).map(round).fold(f64::INFINITY, f64::min)
}

/// The same while another thread does nothing else; here the middle one of the rounds, since in the best the other one slept.
fn beside_another((rounds, calls): Effort, work: &(impl Fn() + Sync)) -> f64 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                work();
            }
        });
        let mut figures: Vec<f64> = (0..rounds).map(|_| fastest((1, calls), work)).collect();
        over.store(true, Ordering::Relaxed);
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    })
}

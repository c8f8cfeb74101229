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
use portcullis::limit::{Bounds, Limiter, LimiterReservation, Limiters, Rate};
use scene::{Scene, Size, write_certificates};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
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
    let scene = Scene::new(
        folder.path(),
        Size {
            users: 10,
            routes: 1,
            permissions: 20,
        },
    );
    let head = [httparse::Header {
        name: "Host",
        value: b"localhost:8443",
    }];
    let judge = || {
        assert!(
            scene
                .judge(black_box("/v0/objects/hosts"), &head)
                .decision
                .permit()
                .is_some(),
            "a permit"
        )
    };
    println!(
        "a judgement of {} permissions: {:.0} ns",
        scene.size.permissions,
        fastest(effort, &judge)
    );
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
    let rate = RequestRate {
        requests: number(1_000_000),
        window: Duration::from_nanos(1_000_000),
    };
    let rate = Bounds {
        rate: Some(Rate {
            rate,
            burst: number(u32::MAX),
        }),
        ..Bounds::default()
    };
    let concurrency = Bounds {
        concurrency: Some(number(1_000_000)),
        ..Bounds::default()
    };
    let quota = Bounds {
        daily_quota: Some(number(u32::MAX)),
        ..Bounds::default()
    };
    let all = Bounds {
        rate: rate.rate,
        concurrency: concurrency.concurrency,
        ..quota
    };
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
    // The same for all threads: what has begun earlier than what was there already would wait.
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    let now = *NOW;
    let taken = |limiter: Option<&Arc<Limiter>>| {
        let taken = limiter
            .map(|limiter| limiter.take(now, clock::seconds))
            .transpose();
        taken
            .expect("a limit that is never reached")
            .and_then(LimiterReservation::keep)
    };
    let (user, route) = (
        taken(case.users.get(black_box(1))),
        taken(black_box(&case.route).as_ref()),
    );
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

/// The same while another thread does nothing else: the best of those rounds in which that really ran. Infinite if there
/// were none, as where there is one core.
fn beside_another((rounds, calls): Effort, work: &(impl Fn() + Sync)) -> f64 {
    let patience = if rounds > 1 {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    };
    let (over, others) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                work();
                count += 1;
                others.store(count, Ordering::Relaxed);
            }
        });
        let (mut best, mut found, begun) = (f64::INFINITY, 0, Instant::now());
        for round in 0.. {
            if found >= rounds || (round >= rounds && begun.elapsed() > patience) {
                break;
            }
            let before = others.load(Ordering::Relaxed);
            let figure = fastest((1, calls), work);
            if others.load(Ordering::Relaxed) - before >= u64::from(calls / 2) {
                (best, found) = (best.min(figure), found + 1);
            }
        }
        over.store(true, Ordering::Relaxed);
        best
    })
}

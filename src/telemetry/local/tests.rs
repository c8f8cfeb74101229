//! Workers that count for themselves, and what a scrape sees of it.

use super::*;
use crate::reason::GrantReason;

/// Runs on a thread that counts for itself, and answers scrapes.
fn on_a_worker(telemetry: &Arc<Telemetry>, work: impl AsyncFnOnce() + Send + 'static) {
    let telemetry = telemetry.clone();
    let thread = std::thread::spawn(move || {
        let mut counters = WorkerCounters::begin(&telemetry);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            tokio::select! {
                () = counters.serve_scrapes() => {}
                () = work() => {}
            }
        });
    });
    thread.join().expect("no panic");
}

fn answers(telemetry: &Telemetry) -> u64 {
    telemetry
        .metrics
        .requests
        .with_label_values(&["main", "/", "200"])
        .get()
}

#[test]
fn what_workers_count_is_added_up_when_it_is_scraped() {
    let telemetry = Arc::<Telemetry>::default();
    let there = telemetry.clone();
    on_a_worker(&telemetry, async move || {
        let series = there.route("main", "/");
        assert!(
            Rc::ptr_eq(&series, &there.route("main", "/")),
            "resolved once"
        );
        for count in 1..=3 {
            series.answered(200, 0.25);
            assert_eq!(
                answers(&there),
                count - 1,
                "nothing that is shared is written for each request"
            );
            let text = there.scrape().await;
            let wanted = format!(
                "portcullis_requests_total{{code=\"200\",listener=\"main\",route=\"/\"}} {count}\n"
            );
            assert!(text.contains(&wanted), "{text}");
            assert!(text.contains(&format!(
                "portcullis_request_duration_seconds_count{{route=\"/\"}} {count}\n"
            )));
        }
    });
}

#[test]
fn nothing_is_lost_when_a_worker_ends() {
    let telemetry = Arc::<Telemetry>::default();
    for worker in 1..=3 {
        let there = telemetry.clone();
        on_a_worker(&telemetry, async move || {
            there.route("main", "/").answered(200, 0.0);
            there.listener("main").moved(10, 100);
            there.upstream("api").connection_used("new");
        });
        assert_eq!(answers(&telemetry), worker);
    }
    assert_eq!(
        telemetry
            .metrics
            .response_bytes
            .with_label_values(&["main"])
            .get(),
        300
    );
    assert_eq!(
        telemetry
            .metrics
            .upstream_connections
            .with_label_values(&["api", "new"])
            .get(),
        3
    );
}

#[test]
fn a_thread_that_is_no_worker_is_counted_at_once() {
    let telemetry = Arc::<Telemetry>::default();
    telemetry.route("main", "/").answered(200, 1.0);
    telemetry
        .route("main", "/")
        .decided("permit", GrantReason::Permission.into());
    assert_eq!(answers(&telemetry), 1);
    // A worker of another process part, too.
    let other = telemetry.clone();
    on_a_worker(&Arc::default(), async move || {
        other.route("main", "/").answered(200, 1.0)
    });
    assert_eq!(answers(&telemetry), 2);
}

#[test]
fn series_that_are_gone_are_forgotten_and_their_totals_stay() {
    let telemetry = Arc::<Telemetry>::default();
    let there = telemetry.clone();
    on_a_worker(&telemetry, async move || {
        let held = there.route("main", "/held");
        there.route("main", "/").answered(200, 0.0);
        let known = || {
            there
                .local_counters()
                .expect("a worker")
                .routes
                .borrow()
                .values()
                .map(HashMap::len)
                .sum()
        };
        assert_eq!(Some(2), Some(known()));
        with_local(LocalCounters::forget_unused);
        assert_eq!((2usize, 1), (known(), answers(&there)), "used a moment ago");
        with_local(LocalCounters::forget_unused);
        assert_eq!((1usize, 1), (known(), answers(&there)));
        there.route("main", "/").answered(200, 0.0);
        with_local(LocalCounters::add_up);
        assert_eq!(answers(&there), 2);
        held.answered(200, 0.0);
    });
    assert_eq!(
        telemetry
            .metrics
            .requests
            .with_label_values(&["main", "/held", "200"])
            .get(),
        1
    );
}

#[tokio::test]
async fn a_worker_that_hangs_does_not_hide_the_others() {
    let telemetry = Arc::<Telemetry>::default();
    let hanging = WorkerCounters::begin(&telemetry);
    assert!(telemetry.scrape().await.contains("portcullis_build_info"));
    drop(hanging);
}

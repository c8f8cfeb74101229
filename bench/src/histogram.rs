//! A histogram of latencies: 64 steps for each power of two, so that no value is off by more than 1.6 %.

use std::time::Duration;

const STEPS: u64 = 64;
const BUCKETS: usize = 64 * STEPS as usize;

/// How many requests took how long.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }

    /// Counts one request.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// What this share of the requests (0 to 1) did not exceed, in microseconds; zero if there are none.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(value: u64) -> usize {
    if value < 2 * STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    ((index % STEPS + STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, bucket, upper_bound};
    use std::time::Duration;

    #[test]
    fn each_value_lies_in_its_bucket() {
        for value in (0..100_000).chain([1_000_000, 123_456_789, u64::MAX / 2]) {
            let index = bucket(value);
            assert!(value <= upper_bound(index), "{value}");
            assert!(index == 0 || value > upper_bound(index - 1), "{value}");
            assert!(
                upper_bound(index) as f64 <= value as f64 * 1.016 + 1.0,
                "{value}"
            );
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_are_what_that_share_did_not_exceed() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0.0);
        (1..=100).for_each(|number| histogram.record(Duration::from_micros(number)));
        assert!((50.0..51.0).contains(&histogram.quantile(0.5)));
        assert!((99.0..100.7).contains(&histogram.quantile(0.99)));
        assert!((100.0..102.0).contains(&histogram.quantile(1.0)));
    }
}

//! Figures out of reports: medians over the rounds, and what they cost.

use super::modes::{Mode, Unit};
use crate::load::Report;
use serde::Serialize;

/// One mode, for all contenders.
#[derive(Serialize)]
pub struct Row {
    /// For `--only`.
    pub mode: String,
    /// For people.
    pub title: String,
    /// What the figures count.
    pub unit: Unit,
    /// The congestion control of the network, which bulk figures depend on.
    pub congestion_control: String,
    /// One for each contender.
    pub cells: Vec<Cell>,
}

/// One mode of one contender.
#[derive(Serialize)]
pub struct Cell {
    /// Its name.
    pub proxy: String,
    /// Median of what the row's unit says.
    pub cost: f64,
    /// Median of requests, or of MiB, per second. The load generator may be what limits it.
    pub rate: f64,
    /// Median of the rounds' medians, in microseconds.
    pub p50: f64,
    /// Median of the rounds' 99th percentiles, in microseconds.
    pub p99: f64,
    /// The largest share of the proxy's core that others took in a round.
    pub foreign: f64,
    /// Everything as measured.
    pub rounds: Vec<Report>,
}

impl Row {
    /// One without cells.
    pub fn new(mode: &Mode, congestion_control: &str) -> Self {
        Self {
            mode: mode.name.clone(),
            title: mode.title.clone(),
            unit: mode.unit,
            congestion_control: congestion_control.to_owned(),
            cells: Vec::new(),
        }
    }

    /// Adds what a contender did in all rounds.
    pub fn add(&mut self, proxy: &str, rounds: Vec<Report>) {
        let of = |figure: &dyn Fn(&Report) -> f64| median(rounds.iter().map(figure).collect());
        self.cells.push(Cell {
            proxy: proxy.to_owned(),
            cost: of(&|report| cost(report, self.unit)),
            rate: of(&|report| rate(report, self.unit)),
            p50: of(&|report| report.p50),
            p99: of(&|report| report.p99),
            foreign: rounds
                .iter()
                .map(|report| report.foreign)
                .fold(0.0, f64::max),
            rounds,
        });
    }
}

fn cost(report: &Report, unit: Unit) -> f64 {
    match unit {
        Unit::Request => report.proxy_cpu * 1e6 / report.requests as f64,
        Unit::Gibibyte => report.proxy_cpu / gibibytes(report),
        Unit::Latency => report.p99,
        Unit::Memory => report.memory_each / 1024.0,
    }
}

fn rate(report: &Report, unit: Unit) -> f64 {
    match unit {
        Unit::Gibibyte => gibibytes(report) * 1024.0 / report.seconds,
        Unit::Memory => 0.0,
        Unit::Request | Unit::Latency => report.requests as f64 / report.seconds,
    }
}

fn gibibytes(report: &Report) -> f64 {
    report.bytes as f64 / f64::from(1 << 30)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unit, cost, median, rate};
    use crate::load::Report;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn costs_are_in_their_units() {
        let report = Report {
            seconds: 2.0,
            requests: 1000,
            bytes: 1 << 30,
            proxy_cpu: 0.5,
            memory_each: 2048.0,
            ..Report::default()
        };
        assert_eq!(cost(&report, Unit::Request), 500.0);
        assert_eq!(cost(&report, Unit::Gibibyte), 0.5);
        assert_eq!(cost(&report, Unit::Memory), 2.0);
        assert_eq!(rate(&report, Unit::Gibibyte), 512.0);
        assert_eq!(rate(&report, Unit::Request), 500.0);
    }
}

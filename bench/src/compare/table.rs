//! Results as Markdown: a table for each unit, with what Portcullis costs in relation to the others.

use super::modes::Unit;
use super::results::{Cell, Row};
use std::fmt::Write;

/// All tables.
pub fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut left: Vec<&Row> = rows.iter().collect();
    while let Some(first) = left.first().copied() {
        let same = |row: &&Row| heading(row) == heading(first) && names(row) == names(first);
        let (table, rest): (Vec<&Row>, Vec<&Row>) = left.into_iter().partition(same);
        text += &one_table(&table, first);
        left = rest;
    }
    text
}

/// How much the figures can be trusted: what others did on the proxy's core.
pub fn disturbance(rows: &[Row]) -> String {
    let mut shares: Vec<f64> = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.foreign * 100.0).collect();
    shares.sort_by(f64::total_cmp);
    let (median, most) = (shares.get(shares.len() / 2), shares.last());
    let (Some(median), Some(most)) = (median, most) else {
        return String::new();
    };
    format!(
        "- Others on the proxy's core in the worst round of each figure: median {median:.0} %, at most {most:.0} %\n"
    )
}

fn one_table(rows: &[&Row], first: &Row) -> String {
    let pairs = ratios(first);
    let mut text = format!("### {}\n\n|  |", heading(first));
    for cell in &first.cells {
        let _ = write!(text, " {} |", cell.proxy);
    }
    for (ours, theirs) in &pairs {
        let _ = write!(text, " {} ÷ {} |", first.cells[*ours].proxy, first.cells[*theirs].proxy);
    }
    text += "\n|:--|";
    text += &"--:|".repeat(first.cells.len() + pairs.len());
    for row in rows {
        let _ = write!(text, "\n| {} |", row_title(row));
        for cell in &row.cells {
            let _ = write!(text, " {} |", figure(cell, row.unit));
        }
        for (ours, theirs) in &pairs {
            let _ = write!(text, " {:.2} |", row.cells[*ours].cost / row.cells[*theirs].cost);
        }
    }
    text + "\n\n"
}

/// Which columns are compared: each Portcullis with each other proxy, or with the first where there is no other.
fn ratios(row: &Row) -> Vec<(usize, usize)> {
    let ours: Vec<usize> = places(row, |name| name.starts_with("Portcullis"));
    let others: Vec<usize> = places(row, |name| !name.starts_with("Portcullis"));
    if ours.is_empty() {
        return (1..others.len()).map(|other| (other, 0)).collect();
    }
    ours.iter().flat_map(|ours| others.iter().map(|other| (*ours, *other))).collect()
}

fn places(row: &Row, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    row.cells.iter().enumerate().filter(|(_, cell)| wanted(&cell.proxy)).map(|(place, _)| place).collect()
}

fn names(row: &Row) -> Vec<&str> {
    row.cells.iter().map(|cell| cell.proxy.as_str()).collect()
}

fn heading(row: &Row) -> &'static str {
    match row.unit {
        Unit::Request => "CPU time for each request, µs (requests per second)",
        Unit::Gibibyte => "CPU time for each GiB, s (MiB per second)",
        Unit::Latency => "Latency at a fixed rate, µs: p50 / p99 (ratios: p99)",
        Unit::Memory => "Resident memory for each idle connection, KiB",
    }
}

/// A bulk figure means nothing without its congestion control.
fn row_title(row: &Row) -> String {
    match row.unit {
        Unit::Gibibyte => format!("{}, {}", row.title, row.congestion_control),
        _ => row.title.clone(),
    }
}

fn figure(cell: &Cell, unit: Unit) -> String {
    match unit {
        Unit::Request => format!("{:.1} ({})", cell.cost, thousands(cell.rate)),
        Unit::Gibibyte => format!("{:.2} ({})", cell.cost, thousands(cell.rate)),
        Unit::Latency => format!("{:.0} / {:.0}", cell.p50, cell.p99),
        Unit::Memory => format!("{:.1}", cell.cost),
    }
}

/// Three digits that count, with a comma: nobody needs more of a rate.
fn thousands(value: f64) -> String {
    let step = 10_f64.powf((value.max(1.0).log10().floor() - 2.0).max(0.0));
    let rounded = ((value / step).round() * step) as u64;
    if rounded < 1000 { rounded.to_string() } else { format!("{},{:03}", rounded / 1000, rounded % 1000) }
}

#[cfg(test)]
mod tests {
    use super::{render, thousands};
    use crate::compare::modes::Unit;
    use crate::compare::results::Row;
    use crate::load::Report;

    #[test]
    fn rates_have_three_digits() {
        assert_eq!(thousands(987.6), "988");
        assert_eq!(thousands(54_321.0), "54,300");
        assert_eq!(thousands(123_456.0), "123,000");
    }

    #[test]
    fn rows_of_one_unit_share_a_table_with_ratios() {
        let row = |title: &str| {
            let mut row = Row {
                mode: title.to_owned(),
                title: title.to_owned(),
                unit: Unit::Request,
                congestion_control: "reno".to_owned(),
                cells: vec![],
            };
            for (proxy, proxy_cpu) in [("Portcullis", 0.01), ("nginx", 0.02)] {
                row.add(proxy, vec![Report { seconds: 1.0, requests: 1000, proxy_cpu, ..Report::default() }]);
            }
            row
        };
        let text = render(&[row("one"), row("two")]);
        assert_eq!(text.matches("###").count(), 1);
        assert!(text.contains("|  | Portcullis | nginx | Portcullis ÷ nginx |"), "{text}");
        assert!(text.contains("| two | 10.0 (1,000) | 20.0 (1,000) | 0.50 |"), "{text}");
    }
}

//! Results as Markdown: one table of ratios between Portcullis and each peer, and a table of figures for each unit.

use super::modes::Unit;
use super::results::{Cell, Row};
use std::fmt::Write;

/// What Portcullis costs, divided by what each peer costs, in every mode. Below 1, Portcullis is cheaper.
pub fn ratios(rows: &[Row]) -> String {
    let compared: Vec<&Row> = rows.iter().filter(|row| !pairs(row).is_empty()).collect();
    let Some(first) = compared.first() else {
        return String::new();
    };
    let mut text = "| Portcullis ÷ peer; below 1, Portcullis is cheaper |".to_owned();
    for (ours, peer) in pairs(first) {
        let _ = write!(
            text,
            " {} ÷ {} |",
            first.cells[ours].proxy, first.cells[peer].proxy
        );
    }
    text += "\n|:--|";
    text += &"--:|".repeat(pairs(first).len());
    for row in &compared {
        let _ = write!(text, "\n| {} |", titled_with_unit(row));
        for (ours, peer) in pairs(first) {
            let cost = |place: usize| {
                let same = |cell: &&Cell| cell.proxy == first.cells[place].proxy;
                row.cells.iter().find(same).map(|cell| cell.cost)
            };
            let ratio = cost(ours).zip(cost(peer)).map(|(ours, peer)| ours / peer);
            let _ = write!(
                text,
                " {} |",
                ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
            );
        }
    }
    text + "\n\n"
}

/// The figures behind the ratios.
pub fn figures(rows: &[Row]) -> String {
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
    let mut shares: Vec<f64> = rows
        .iter()
        .flat_map(|row| &row.cells)
        .map(|cell| cell.foreign * 100.0)
        .collect();
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
    let mut text = format!("### {}\n\n|  |", heading(first));
    for cell in &first.cells {
        let _ = write!(text, " {} |", cell.proxy);
    }
    text += "\n|:--|";
    text += &"--:|".repeat(first.cells.len());
    for row in rows {
        let _ = write!(text, "\n| {} |", row_title(row));
        for cell in &row.cells {
            let _ = write!(text, " {} |", figure(cell, row.unit));
        }
    }
    text + "\n\n"
}

/// Which columns are compared: each Portcullis with each peer. None where Portcullis is compared with itself.
fn pairs(row: &Row) -> Vec<(usize, usize)> {
    let ours: Vec<usize> = places(row, |name| name.starts_with("Portcullis"));
    let peers: Vec<usize> = places(row, |name| !name.starts_with("Portcullis"));
    ours.iter()
        .flat_map(|ours| peers.iter().map(|peer| (*ours, *peer)))
        .collect()
}

fn places(row: &Row, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    row.cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| wanted(&cell.proxy))
        .map(|(place, _)| place)
        .collect()
}

fn names(row: &Row) -> Vec<&str> {
    row.cells.iter().map(|cell| cell.proxy.as_str()).collect()
}

fn heading(row: &Row) -> &'static str {
    match row.unit {
        Unit::Request => "CPU time for each request, µs (requests per second)",
        Unit::Gibibyte => "CPU time for each GiB, s (MiB per second)",
        Unit::Latency => "Latency at a fixed rate, µs: p50 / p99",
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

fn titled_with_unit(row: &Row) -> String {
    let title = row_title(row);
    match row.unit {
        Unit::Request | Unit::Gibibyte => format!("{title}: CPU time"),
        Unit::Latency => format!("{title}: 99th percentile of latency"),
        Unit::Memory => format!("{title}: resident memory"),
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
    if rounded < 1000 {
        rounded.to_string()
    } else {
        format!("{},{:03}", rounded / 1000, rounded % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::{figures, ratios, thousands};
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
    fn rows_of_one_unit_share_a_table_and_all_ratios_another() {
        let row = |title: &str| {
            let mut row = Row {
                mode: title.to_owned(),
                title: title.to_owned(),
                unit: Unit::Request,
                congestion_control: "reno".to_owned(),
                cells: vec![],
            };
            for (proxy, proxy_cpu) in [("Portcullis", 0.01), ("nginx", 0.02)] {
                row.add(
                    proxy,
                    vec![Report {
                        seconds: 1.0,
                        requests: 1000,
                        proxy_cpu,
                        ..Report::default()
                    }],
                );
            }
            row
        };
        let rows = [row("one"), row("two")];
        let text = figures(&rows);
        assert_eq!(text.matches("###").count(), 1);
        assert!(text.contains("|  | Portcullis | nginx |"), "{text}");
        assert!(
            text.contains("| two | 10.0 (1,000) | 20.0 (1,000) |"),
            "{text}"
        );
        let text = ratios(&rows);
        assert!(
            text.contains("| Portcullis ÷ nginx |") && text.contains("| two: CPU time | 0.50 |"),
            "{text}"
        );
    }
}

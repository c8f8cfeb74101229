//! Results as a picture (SVG): what each proxy costs in the modes that decide, in relation to nginx. Bars, lower is better.

use super::modes::Unit;
use super::results::{Cell, Row};
use std::fmt::Write;

const COLORS: [&str; 6] = [
    "#9aa5b1", "#1f5fa8", "#6aa5e0", "#2e9e6b", "#e08a2c", "#8d5fb0",
];
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 90.0;
const BOTTOM: f64 = 150.0;
const STEP: f64 = 0.25;

/// The modes of the picture. Bulk is shown with the first congestion control only.
const SHOWN: [&str; 8] = [
    "get-64",
    "post-1k",
    "http2",
    "full",
    "resumed",
    "download-large",
    "upload-large",
    "idle",
];

/// The picture of the rows that decide, or `None` if there are none. `subtitle` says on what machine.
pub fn render(rows: &[Row], subtitle: &str) -> Option<String> {
    let shown = |mode: &&str| {
        rows.iter()
            .find(|row| row.mode == *mode && base(row).is_some())
    };
    let rows: Vec<&Row> = SHOWN.iter().filter_map(shown).collect();
    let mut names: Vec<&str> = Vec::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        if !names.contains(&cell.proxy.as_str()) {
            names.push(&cell.proxy);
        }
    }
    let highest = rows
        .iter()
        .flat_map(|row| row.cells.iter().map(|cell| ratio(row, cell)))
        .fold(1.0, f64::max);
    let top = (highest / STEP).ceil() * STEP;
    let base = names
        .iter()
        .find(|name| **name == "nginx")
        .or(names.first())?;
    let mut text = frame(base, subtitle, top);
    let group = (WIDTH - LEFT - RIGHT) / rows.len() as f64;
    for (number, row) in rows.iter().enumerate() {
        text += &one_group(row, &names, (LEFT + group * number as f64, group), top);
    }
    text += &legend(&names);
    Some(text + "</svg>\n")
}

fn frame(base: &str, subtitle: &str, top: f64) -> String {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    text += &label(
        (LEFT, 30.0),
        "font-size=\"20\" font-weight=\"bold\"",
        "What a proxy's work costs, with mutual TLS",
    );
    text += &label((LEFT, 50.0), "font-size=\"12\" fill=\"#555\"", subtitle);
    let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    let turned =
        format!("font-size=\"13\" text-anchor=\"middle\" transform=\"rotate(-90 20 {middle})\"");
    text += &label(
        (20.0, middle),
        &turned,
        &format!("CPU time or memory, {base} = 1 (lower is better)"),
    );
    let bottom = (WIDTH - RIGHT, HEIGHT - 12.0);
    text += &label(
        bottom,
        "font-size=\"13\" text-anchor=\"end\"",
        "kind of load",
    );
    for number in 0..=(top / STEP).round() as u32 {
        let value = f64::from(number) * STEP;
        let y = height(value, top);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#ddd\"/>",
            WIDTH - RIGHT
        );
        text += &label(
            (LEFT - 8.0, y + 4.0),
            "font-size=\"12\" text-anchor=\"end\"",
            &format!("{value:.2}"),
        );
    }
    text
}

fn one_group(row: &Row, names: &[&str], (left, width): (f64, f64), top: f64) -> String {
    let mut text = String::new();
    let bar = width * 0.84 / names.len() as f64;
    for cell in &row.cells {
        let place = names
            .iter()
            .position(|name| *name == cell.proxy)
            .unwrap_or(0);
        let (x, y) = (
            left + width * 0.08 + bar * place as f64,
            height(ratio(row, cell), top),
        );
        let (base, color) = (height(0.0, top), COLORS[place % COLORS.len()]);
        let _ = writeln!(
            text,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\"><title>{}: {:.2}</title></rect>",
            bar - 1.0,
            base - y,
            escape(&cell.proxy),
            cell.cost
        );
    }
    let (x, y) = (left + width / 2.0, HEIGHT - BOTTOM + 14.0);
    let turned =
        format!("font-size=\"11\" text-anchor=\"end\" transform=\"rotate(-35 {x:.1} {y:.1})\"");
    let title = match row.unit {
        Unit::Gibibyte => format!(
            "{} ({})",
            row.title.replace(", 4 connections", ""),
            row.congestion_control
        ),
        _ => row.title.clone(),
    };
    text + &label((x, y), &turned, &title)
}

fn legend(names: &[&str]) -> String {
    let mut text = String::new();
    let mut x = LEFT;
    for (place, name) in names.iter().enumerate() {
        let color = COLORS[place % COLORS.len()];
        let _ = writeln!(
            text,
            "<rect x=\"{x:.0}\" y=\"62\" width=\"12\" height=\"12\" fill=\"{color}\"/>"
        );
        text += &label((x + 17.0, 73.0), "font-size=\"13\"", name);
        x += 45.0 + 7.5 * name.len() as f64;
    }
    text
}

fn label((x, y): (f64, f64), style: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>\n",
        escape(text)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn height(value: f64, top: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top
}

fn ratio(row: &Row, cell: &Cell) -> f64 {
    base(row).map_or(0.0, |base| cell.cost / base.cost)
}

/// What all others are compared with: nginx, or the first where it takes no part. A contender alone is no comparison,
/// and neither is Portcullis with itself.
fn base(row: &Row) -> Option<&Cell> {
    if !row
        .cells
        .iter()
        .any(|cell| cell.proxy.starts_with("Portcullis"))
        || row.cells.len() < 2
    {
        return None;
    }
    row.cells
        .iter()
        .find(|cell| cell.proxy == "nginx")
        .or(row.cells.first())
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::compare::modes::Unit;
    use crate::compare::results::Row;
    use crate::load::Report;

    #[test]
    fn there_is_a_bar_for_each_cell() {
        let mut row = Row {
            mode: "get-64".to_owned(),
            title: "GET <small>".to_owned(),
            unit: Unit::Request,
            congestion_control: String::new(),
            cells: vec![],
        };
        assert_eq!(render(&[], "nowhere"), None);
        for proxy in ["Portcullis", "nginx"] {
            row.add(
                proxy,
                vec![Report {
                    seconds: 1.0,
                    requests: 10,
                    proxy_cpu: 0.1,
                    ..Report::default()
                }],
            );
        }
        let text = render(&[row], "here").unwrap();
        assert_eq!(text.matches("<title>").count(), 2);
        assert!(
            text.contains("GET &lt;small>") && text.contains("nginx = 1"),
            "{text}"
        );
        assert!(!text.contains("NaN"));
    }
}

//! Lines over a logarithmic scale as SVG, without a background: readable on light and on dark pages.

use std::fmt::Write as _;

/// One measured thing.
pub struct Line {
    pub name: String,
    /// How many, and milliseconds.
    pub points: Vec<(f64, f64)>,
}

/// One diagram.
pub struct Panel {
    pub name: String,
    pub lines: Vec<Line>,
}

/// In the middle between black and white, so that each stands out from both.
const COLOURS: [&str; 10] =
    ["#3b82f6", "#e0682f", "#17a673", "#c94fb0", "#b8860b", "#7c6cf0", "#d9534f", "#1f9bb5", "#7a9a2e", "#8a8f98"];
const TEXT: &str = "#7d8590";
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 56.0;

/// The document: a diagram beside the other, both with the same scales, and what the lines are below.
pub fn svg(title: &str, panels: &[Panel]) -> String {
    let points = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    let (from, to) = decades(points().map(|(count, _)| *count));
    let (low, high) = decades(points().map(|(_, ms)| ms.max(0.01)));
    let x = |count: f64| LEFT + (count.log10() - from) / (to - from) * WIDTH;
    let y = |ms: f64| TOP + (high - ms.max(0.01).log10()) / (high - low) * HEIGHT;
    let names = panels.first().map_or(&[][..], |panel| &panel.lines);
    let (width, below) = (panels.len() as f64 * (LEFT + WIDTH + 24.0), TOP + HEIGHT + 60.0);
    let height = below + names.len().div_ceil(2) as f64 * 20.0 + 8.0;
    let mut out = String::new();
    // Writing to a string can't fail.
    let mut put = |text: std::fmt::Arguments| out.write_fmt(text).unwrap_or_default();
    put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{TEXT}\">\n\
         <text x=\"{LEFT}\" y=\"18\" font-size=\"14\" font-weight=\"600\">{title}</text>\n"
    ));
    for (index, panel) in panels.iter().enumerate() {
        put(format_args!("<g transform=\"translate({} 0)\">\n", index as f64 * (LEFT + WIDTH + 24.0)));
        put(format_args!("<text x=\"{LEFT}\" y=\"{}\" font-weight=\"600\">{}, ms</text>\n", TOP - 12.0, panel.name));
        for decade in (low as i32)..=(high as i32) {
            let (ms, at) = (10_f64.powi(decade), y(10_f64.powi(decade)));
            put(format_args!(
                "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"{TEXT}\" stroke-opacity=\"0.3\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ms}</text>\n",
                LEFT - 8.0,
                at + 4.0
            ));
        }
        for decade in (from as i32)..=(to as i32) {
            let at = x(10_f64.powi(decade));
            put(format_args!(
                "<path d=\"M{at:.1} {TOP}v{HEIGHT}\" stroke=\"{TEXT}\" stroke-opacity=\"0.15\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                TOP + HEIGHT + 18.0,
                grouped(decade)
            ));
        }
        let middle = LEFT + WIDTH / 2.0;
        put(format_args!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">runs stored</text>\n",
            TOP + HEIGHT + 36.0
        ));
        for (line, colour) in panel.lines.iter().zip(COLOURS.iter().cycle()) {
            let points: Vec<String> =
                line.points.iter().map(|(count, ms)| format!("{:.1},{:.1}", x(*count), y(*ms))).collect();
            let points = points.join(" ");
            put(format_args!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n"));
            for (count, ms) in &line.points {
                put(format_args!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"><title>{}: {ms:.2} ms</title></circle>\n",
                    x(*count),
                    y(*ms),
                    line.name
                ));
            }
        }
        put(format_args!("</g>\n"));
    }
    for (index, (line, colour)) in names.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let (left, top) = (LEFT + (index % 2) as f64 * (LEFT + WIDTH + 24.0), below + (index / 2) as f64 * 20.0);
        put(format_args!(
            "<path d=\"M{left} {top}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
            left + 26.0,
            top + 4.0,
            line.name
        ));
    }
    out.push_str("</svg>\n");
    out
}

/// The whole decades that hold all values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let (from, to) = (low.log10().floor(), high.log10().ceil());
    (from, if to > from { to } else { from + 1.0 })
}

fn grouped(decade: i32) -> String {
    match decade {
        ..3 => format!("{}", 10_f64.powi(decade)),
        3..6 => format!("{},000", 10_f64.powi(decade - 3)),
        _ => format!("{},000,000", 10_f64.powi(decade - 6)),
    }
}

//! Plots as SVG: lines over a logarithmic axis, nothing more.

use std::{fmt::Write as _, fs, path::Path};

/// A plot with both axes logarithmic.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// A line of a plot.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Told apart by people who see colours differently (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// From the least to the most of an axis, in whole powers of ten.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        if least.is_finite() {
            Axis { least, most: most.max(least + 1.0) }
        } else {
            Axis { least: 0.0, most: 1.0 }
        }
    }

    fn share(&self, value: f64) -> f64 {
        (value.log10() - self.least) / (self.most - self.least)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let (mut next, most) = (self.least, self.most);
        std::iter::from_fn(move || {
            let power = next;
            next += 1.0;
            (power <= most).then(|| 10_f64.powf(power))
        })
    }
}

impl Plot {
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(fs::write(path, self.svg()?)?)
    }

    fn svg(&self) -> Result<String, std::fmt::Error> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let across = Axis::over(points().map(|point| point.0));
        let up = Axis::over(points().map(|point| point.1));
        let x = |value: f64| LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" role=\"img\" aria-label=\"{}\">",
            self.title
        )?;
        writeln!(svg, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>")?;
        writeln!(svg, "<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>", self.title)?;
        for power in across.powers() {
            let (at, low) = (x(power), HEIGHT - BOTTOM);
            writeln!(svg, "<path d=\"M{at:.1} {TOP}V{low}\" stroke=\"#ddd\"/>")?;
            writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                low + 18.0,
                short(power)
            )?;
        }
        for power in up.powers() {
            let at = y(power);
            writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - RIGHT)?;
            writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                short(power)
            )?;
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 12.0,
            self.across
        )?;
        writeln!(
            svg,
            "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            HEIGHT / 2.0,
            self.up
        )?;
        for ((line, colour), number) in self.lines.iter().zip(COLOURS.iter().cycle()).zip(0_u8..) {
            let path: Vec<String> =
                line.points.iter().map(|point| format!("{:.1} {:.1}", x(point.0), y(point.1))).collect();
            writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join("L")
            )?;
            for point in &line.points {
                writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                    x(point.0),
                    y(point.1)
                )?;
            }
            let (at, right) = (TOP + 12.0 + 20.0 * f64::from(number), WIDTH - RIGHT + 12.0);
            writeln!(svg, "<path d=\"M{right} {at}h18\" stroke=\"{colour}\" stroke-width=\"3\"/>")?;
            writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", right + 24.0, at + 4.0, line.name)?;
        }
        writeln!(svg, "</svg>")?;
        Ok(svg)
    }
}

/// A power of ten, as short as it can be written.
fn short(power: f64) -> String {
    match power {
        1_000_000.0.. => format!("{:.0}M", power / 1e6),
        1_000.0.. => format!("{:.0}k", power / 1e3),
        1.0.. => format!("{power:.0}"),
        _ => format!("{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_within_the_axes() {
        let points = vec![(1.0, 0.02), (10.0, 3.0), (10_000.0, 250.0)];
        let plot = Plot { title: "t", across: "a", up: "u", lines: vec![Line { name: "l".into(), points }] };
        let svg = plot.svg().unwrap();
        let circles: Vec<&str> = svg.lines().filter(|line| line.starts_with("<circle")).collect();
        assert_eq!(circles.len(), 3);
        assert!(circles[0].contains("cx=\"80.0\""), "{}", circles[0]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

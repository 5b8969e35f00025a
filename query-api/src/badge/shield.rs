//! A badge: a word and a value side by side, 20 pixels high.

use super::text::{escaped, width};

/// For what is no number.
pub(super) const GREY: &str = "#57606a";

/// What stands around each of the two texts, in pixels.
const PADDING: f64 = 6.0;

/// Draws one. Several of them may stand in one page as they are: what one refers to by an id is the same in all that
/// have it.
pub(super) fn draw(label: &str, value: &str, colour: &str) -> String {
    let (label_width, value_width) = (width(label), width(value));
    let split = (label_width + 2.0 * PADDING).round();
    let whole = split + (value_width + 2.0 * PADDING).round();
    let (label, value) = (escaped(label), escaped(value));
    let text = |at: f64, length: f64, text: &str| {
        format!(
            "<text x=\"{at:.1}\" y=\"15\" fill=\"#010409\" fill-opacity=\".3\" textLength=\"{length:.1}\" \
             aria-hidden=\"true\">{text}</text><text x=\"{at:.1}\" y=\"14\" textLength=\"{length:.1}\">{text}</text>"
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole:.0}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {value}\"><title>{label}: {value}</title>\
         <linearGradient id=\"s\" x2=\"0\" y2=\"100%\"><stop offset=\"0\" stop-color=\"#fff\" stop-opacity=\".08\"/>\
         <stop offset=\"1\" stop-opacity=\".08\"/></linearGradient>\
         <clipPath id=\"r{whole:.0}\"><rect width=\"{whole:.0}\" height=\"20\" rx=\"4\"/></clipPath>\
         <g clip-path=\"url(#r{whole:.0})\"><rect width=\"{split:.0}\" height=\"20\" fill=\"#3d444d\"/>\
         <rect x=\"{split:.0}\" width=\"{:.0}\" height=\"20\" fill=\"{colour}\"/>\
         <rect width=\"{whole:.0}\" height=\"20\" fill=\"url(#s)\"/></g>\
         <g fill=\"#fff\" font-family=\"Verdana,Geneva,DejaVu Sans,sans-serif\" font-size=\"11\">{}{}</g></svg>\n",
        whole - split,
        text(PADDING, label_width, &label),
        text(split + PADDING, value_width, &value),
    )
}

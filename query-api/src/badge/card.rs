//! A card: an account's name, six numbers, and the languages used most; light or dark as its reader likes.

use std::fmt::Write as _;

use super::{
    figures::Account,
    text::{cut, escaped},
};

const WIDTH: f64 = 420.0;
/// What stands around everything.
const MARGIN: f64 = 24.0;
/// Longer names would leave the card.
const NAME_LETTERS_MAX: usize = 30;
const LANGUAGE_LETTERS_MAX: usize = 14;

/// Of the languages in their order, told apart by those who see few colours too; and of the rest.
const COLOURS: [&str; 3] = ["#0969da", "#bf8700", "#1a7f37"];

const STYLE: &str = ".b{fill:#fff;stroke:#d1d9e0}.t{fill:#1f2328}.m{fill:#59636e}.r{fill:#d1d9e0}\
    @media(prefers-color-scheme:dark){.b{fill:#0d1117;stroke:#3d444d}.t{fill:#f0f6fc}.m{fill:#9198a1}.r{fill:#3d444d}}";

/// Draws one.
pub(super) fn draw(account: &Account) -> String {
    let has_languages = !account.languages.is_empty();
    let height = if has_languages { 212 } else { 164 };
    let login = escaped(&cut(&account.login, NAME_LETTERS_MAX));
    let name = account.name.as_deref().unwrap_or(&account.login);
    let name = escaped(&cut(name, NAME_LETTERS_MAX));
    let spoken: Vec<String> = account
        .numbers
        .iter()
        .map(|(label, number)| format!("{label}: {}", number.as_deref().unwrap_or("not known yet")))
        .collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{height}\" viewBox=\"0 0 {WIDTH:.0} {height}\" \
         role=\"img\" aria-label=\"{name} on GitHub. {}\"><title>{name} on GitHub</title>\
         <style>{STYLE}</style><rect class=\"b\" x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{}\" rx=\"10\"/>\
         <g font-family=\"-apple-system,Segoe UI,Noto Sans,Helvetica,Arial,sans-serif\">\
         <text class=\"t\" x=\"{MARGIN}\" y=\"38\" font-size=\"18\" font-weight=\"600\">{name}</text>\
         <text class=\"m\" x=\"{MARGIN}\" y=\"57\" font-size=\"13\">@{login}</text>",
        escaped(&spoken.join(", ")),
        WIDTH - 1.0,
        height - 1,
    );
    for (place, (label, number)) in account.numbers.iter().enumerate() {
        let (column, row) = (place % 3, place / 3);
        let x = MARGIN + 128.0 * f64::from(u8::try_from(column).unwrap_or_default());
        let y = 92 + 46 * row;
        let number = escaped(number.as_deref().unwrap_or("…"));
        let _ = write!(
            svg,
            "<text class=\"t\" x=\"{x}\" y=\"{y}\" font-size=\"18\" font-weight=\"600\">{number}</text>\
             <text class=\"m\" x=\"{x}\" y=\"{}\" font-size=\"11\">{label}</text>",
            y + 15
        );
    }
    if has_languages {
        write_languages(&mut svg, &account.languages);
    }
    svg.push_str("</g></svg>\n");
    svg
}

fn write_languages(svg: &mut String, languages: &[(String, f64)]) {
    let whole = WIDTH - 2.0 * MARGIN;
    let _ = write!(
        svg,
        "<clipPath id=\"l\"><rect x=\"{MARGIN}\" y=\"168\" width=\"{whole}\" height=\"8\" rx=\"4\"/></clipPath>\
         <g clip-path=\"url(#l)\"><rect class=\"r\" x=\"{MARGIN}\" y=\"168\" width=\"{whole}\" height=\"8\"/>"
    );
    let mut x = MARGIN;
    for ((_, share), colour) in languages.iter().zip(COLOURS) {
        let width = whole * share.clamp(0.0, 1.0);
        let _ =
            write!(svg, "<rect x=\"{x:.1}\" y=\"168\" width=\"{width:.1}\" height=\"8\" fill=\"{colour}\"/>");
        x += width;
    }
    svg.push_str("</g>");
    let mut x = MARGIN;
    for ((name, share), colour) in languages.iter().zip(COLOURS) {
        let name = escaped(&cut(name, LANGUAGE_LETTERS_MAX));
        let percent = share * 100.0;
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"192\" r=\"4\" fill=\"{colour}\"/>\
             <text class=\"m\" x=\"{:.1}\" y=\"196\" font-size=\"10\">{name} {percent:.0}%</text>",
            x + 4.0,
            x + 12.0
        );
        x += whole / 3.0;
    }
}

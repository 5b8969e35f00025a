//! Letters on images: how wide they are, how numbers are written, and what may stand in XML.

use crate::markup;

/// Widths of Verdana's letters from the space to the tilde at 11 px, in hundredths of a pixel. Images carry no font;
/// where another one is shown, `textLength` makes it as wide.
const WIDTHS: [u16; 95] = [
    387, 433, 505, 900, 699, 1184, 799, 295, 499, 499, 699, 900, 400, 499, 400, 499, 699, 699, 699, 699, 699,
    699, 699, 699, 699, 699, 499, 499, 900, 900, 900, 599, 1100, 752, 754, 768, 848, 695, 632, 853, 827, 463,
    500, 762, 612, 927, 823, 866, 663, 866, 764, 752, 678, 805, 752, 1087, 754, 677, 754, 499, 499, 499, 900,
    699, 699, 661, 685, 573, 685, 655, 387, 685, 696, 302, 379, 651, 302, 1070, 696, 668, 685, 685, 469, 573,
    433, 696, 651, 900, 651, 651, 578, 698, 499, 698, 900,
];

/// Any other letter may be as wide as this.
const OTHER_WIDTH: u16 = 1100;

/// The width of a text in pixels at 11 px.
pub(super) fn width(text: &str) -> f64 {
    let of_letter = |letter: char| {
        let place =
            u32::from(letter).checked_sub(u32::from(' ')).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| WIDTHS.get(place)).copied().unwrap_or(OTHER_WIDTH)
    };
    f64::from(text.chars().map(|letter| u32::from(of_letter(letter))).sum::<u32>()) / 100.0
}

/// A number with its thousands apart; from a hundred thousand on it is rounded down.
pub(super) fn number(number: u64) -> String {
    match number {
        0..100_000 => grouped(number),
        100_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
        _ => format!("{}.{}G", grouped(number / 1_000_000_000), number / 100_000_000 % 10),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text that is cut where it is longer than so many letters.
pub(super) fn cut(text: &str, letters_max: usize) -> String {
    if text.chars().count() <= letters_max {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(letters_max.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// A text within elements and quotes. What XML cannot hold at all is left out.
pub(super) fn escaped(text: &str) -> String {
    let is_held = |letter: &char| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}');
    markup::escaped(&text.chars().filter(is_held).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_too_large() {
        for (exact, written) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (99_999, "99,999"),
            (100_000, "100k"),
            (999_999, "999k"),
            (1_234_567, "1.2M"),
            (999_999_999, "999.9M"),
            (12_345_678_901, "12.3G"),
        ] {
            assert_eq!(number(exact), written);
        }
    }

    #[test]
    fn texts_of_others_are_letters_and_no_markup() {
        assert_eq!(escaped("<a b=\"c\">&'\u{0}\u{7}é"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;é");
        assert_eq!(cut("éclair", 6), "éclair");
        assert_eq!(cut("éclairs", 6), "éclai…");
        assert!(width("WWW") > 2.5 * width("iii"));
        assert!(width("語") > width("a"));
    }
}

//! Bitbucket's ids: uuids in braces.

/// Reads `{21fa9bf8-b5b2-4891-97ed-d590bad0f871}`, with or without braces.
pub(crate) fn parse(text: &str) -> Option<u128> {
    let text = text.trim_start_matches('{').trim_end_matches('}');
    let hex: String = text.chars().filter(|letter| *letter != '-').collect();
    let is_uuid = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid.then(|| u128::from_str_radix(&hex, 16).ok()).flatten()
}

/// Writes what [`parse`] reads, as it stands in addresses.
#[cfg(feature = "client")]
pub(crate) fn write(uuid: u128) -> String {
    let hex = format!("{uuid:032x}");
    let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
    format!("{{{a}-{b}-{c}-{d}-{e}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_read_with_and_without_braces_and_nothing_else_is() {
        let uuid = Some(0x21fa_9bf8_b5b2_4891_97ed_d590_bad0_f871);
        for text in [
            "{21fa9bf8-b5b2-4891-97ed-d590bad0f871}",
            "21fa9bf8-b5b2-4891-97ed-d590bad0f871",
            "{21FA9BF8-B5B2-4891-97ED-D590BAD0F871}",
        ] {
            assert_eq!(parse(text), uuid, "{text}");
        }
        for text in [
            "",
            "{}",
            "21fa9bf8",
            "{21fa9bf8-b5b2-4891-97ed-d590bad0f87g}",
            "+1fa9bf8b5b2489197edd590bad0f871",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

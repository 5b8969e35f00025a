//! How deep a JSON text nests. A text that is nothing but brackets costs little to send and much to whoever
//! reads it recursively later on; no forge's payload comes near the bound.

/// The depth at which the JSON library gives up when it reads recursively; GitHub's payloads have about ten.
const DEPTH_MAX: usize = 128;

/// Whether this text, known to be JSON, nests deeper than anything sensible.
pub fn is_too_deep(json: &[u8]) -> bool {
    // `[` and `{` differ in one bit. With few of them no closer look is needed, and counting is fast.
    json.iter().filter(|&&byte| byte | 0x20 == b'{').count() > DEPTH_MAX && depth(json) > DEPTH_MAX
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn depth_counts_and_number_does_not() {
        assert!(!is_too_deep(nested(DEPTH_MAX).as_bytes()));
        assert!(is_too_deep(nested(DEPTH_MAX + 1).as_bytes()));
        let wide = format!("[{}{{}}]", "[],{},".repeat(1000));
        assert!(!is_too_deep(wide.as_bytes()));
    }

    #[test]
    fn brackets_in_texts_do_not_count() {
        let text = format!(r#"{{"a":"{}","b\"[":"\\","c":[]}}"#, "[{".repeat(1000));
        assert_eq!(depth(text.as_bytes()), 2);
        assert!(!is_too_deep(text.as_bytes()));
    }
}

//! Deliveries that GitHub sends as `application/x-www-form-urlencoded`: one field, `payload`, holds the
//! JSON. They are decoded only after their signature, which is over the form as sent, was found good.

use crate::body::JSON_BYTES_MAX;

/// Why a form holds no JSON; answer 400 (413 for `TooLarge`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// There is no field of that name.
    #[error("the form has no `payload` field")]
    PayloadMissing,
    /// Two fields have that name.
    #[error("the form has more than one `payload` field")]
    PayloadRepeated,
    /// A `%` is not followed by two hex digits.
    #[error("the form's `payload` has a bad percent escape")]
    BadEscape,
    /// JSON is UTF-8.
    #[error("the form's `payload` is not UTF-8")]
    NotUtf8,
    /// The JSON within is above the cap for JSON.
    #[error("the form's `payload` is larger than {JSON_BYTES_MAX} bytes")]
    TooLarge,
}

/// The JSON in a form's `payload` field. Other fields are skipped.
pub fn payload(form: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut found = None;
    for field in form.split(|&byte| byte == b'&') {
        let split = field.iter().position(|&byte| byte == b'=');
        let (name, value) = match split {
            Some(at) => (&field[..at], &field[at + 1..]),
            None => (field, [].as_slice()),
        };
        if decode(name).is_ok_and(|name| name == b"payload") && found.replace(value).is_some() {
            return Err(FormError::PayloadRepeated);
        }
    }
    let json = decode(found.ok_or(FormError::PayloadMissing)?)?;
    match std::str::from_utf8(&json) {
        Ok(_) => Ok(json),
        Err(_) => Err(FormError::NotUtf8),
    }
}

/// Decodes one name or value. The usual crates pass bad escapes through; a delivery that was damaged
/// under way should be refused instead.
fn decode(encoded: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut decoded = Vec::with_capacity(encoded.len().min(JSON_BYTES_MAX));
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        if decoded.len() == JSON_BYTES_MAX {
            return Err(FormError::TooLarge);
        }
        rest = after;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let ([high, low], after) = after.split_first_chunk().ok_or(FormError::BadEscape)?;
                rest = after;
                hex_digit(*high)? << 4 | hex_digit(*low)?
            }
            plain => plain,
        });
    }
    Ok(decoded)
}

fn hex_digit(byte: u8) -> Result<u8, FormError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(FormError::BadEscape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_spaces_are_decoded() {
        let form = b"payload=%7B%22zen%22%3A%22Half+measures%2c+%C3%BCber%22%7D";
        assert_eq!(payload(form).unwrap(), r#"{"zen":"Half measures, über"}"#.as_bytes());
        assert_eq!(payload(b"a=1&payload={}&b").unwrap(), b"{}");
        assert_eq!(payload(b"pay%6Coad={}").unwrap(), b"{}");
        assert_eq!(payload(b"payload=a=b").unwrap(), b"a=b");
    }

    #[test]
    fn what_holds_no_json_is_told_apart() {
        for (form, error) in [
            (b"".as_slice(), FormError::PayloadMissing),
            (b"pay=1&load=2", FormError::PayloadMissing),
            (b"payload=1&payload=2", FormError::PayloadRepeated),
            (b"payload=%7", FormError::BadEscape),
            (b"payload=%", FormError::BadEscape),
            (b"payload=%zz", FormError::BadEscape),
            (b"payload=%FF", FormError::NotUtf8),
        ] {
            assert_eq!(payload(form), Err(error), "{}", form.escape_ascii());
        }
    }

    #[test]
    fn json_in_a_form_counts_against_the_cap_for_json() {
        let mut form = b"payload=".to_vec();
        form.extend(std::iter::repeat_n(b'+', JSON_BYTES_MAX));
        assert_eq!(payload(&form).unwrap().len(), JSON_BYTES_MAX);
        form.extend_from_slice(b"%20");
        assert_eq!(payload(&form), Err(FormError::TooLarge));
    }
}

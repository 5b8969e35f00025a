//! Forms: any JSON comes out as it went in, and nothing that is no form is taken for one.

use bolero::{check, generator::*};
use github::form;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

#[test]
fn form_of_any_bytes() {
    check!().for_each(|bytes: &[u8]| {
        if let Ok(json) = form::payload(bytes) {
            assert!(std::str::from_utf8(&json).is_ok());
            assert!(json.len() <= bytes.len(), "decoding makes nothing longer");
        }
    });
}

#[test]
fn form_of_a_payload() {
    let other = produce::<Vec<u8>>().with().len(0usize..20);
    check!().with_generator((produce::<String>(), other)).for_each(|(json, other)| {
        let mut form = b"payload=".to_vec();
        form.extend(
            percent_encode(json.as_bytes(), NON_ALPHANUMERIC).to_string().replace("%20", "+").bytes(),
        );
        assert_eq!(form::payload(&form).unwrap(), json.as_bytes());

        // Another field beside it changes nothing, unless it is another payload.
        form.extend(b"&other");
        form.extend(percent_encode(other, NON_ALPHANUMERIC).to_string().bytes());
        assert_eq!(form::payload(&form).unwrap(), json.as_bytes());
        form.extend(b"&payload=");
        assert_eq!(form::payload(&form), Err(form::FormError::PayloadRepeated));
    });
}

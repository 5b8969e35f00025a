//! Parts of a text that stay in the body if the whole does.

use std::borrow::Cow;

use domain::Text;

/// What follows `prefix`; `None` if the text does not begin with it.
pub(crate) fn after_prefix<'a>(text: &Text<'a>, prefix: &str) -> Option<Text<'a>> {
    match text {
        Text(Cow::Borrowed(text)) => text.strip_prefix(prefix).map(Text::from),
        Text(Cow::Owned(text)) => text.strip_prefix(prefix).map(|rest| Text::from(rest.to_owned())),
    }
}

/// What stands before and after the first `separator`.
pub(crate) fn halves<'a>(text: &Text<'a>, separator: char) -> Option<(Text<'a>, Text<'a>)> {
    match text {
        Text(Cow::Borrowed(text)) => {
            text.split_once(separator).map(|(before, after)| (Text::from(before), Text::from(after)))
        }
        Text(Cow::Owned(text)) => text
            .split_once(separator)
            .map(|(before, after)| (Text::from(before.to_owned()), Text::from(after.to_owned()))),
    }
}

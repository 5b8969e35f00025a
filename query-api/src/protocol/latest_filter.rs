//! S4's ten filters, as they stand in a query.

use domain::view::latest::{Filter, Flag};
use http::Uri;
use utoipa::{
    IntoParams,
    openapi::{
        Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use super::problem::Problem;

/// Longer texts are part of no name: repositories' have at most 100 letters, and no licence's or language's is longer.
const TEXT_CHARS_MAX: usize = 100;

const FLAGS: [(&str, Flag); 7] = [
    ("allow_forking", Flag::AllowForking),
    ("has_open_issues", Flag::OpenIssues),
    ("has_projects", Flag::Projects),
    ("has_downloads", Flag::Downloads),
    ("has_wiki", Flag::Wiki),
    ("has_pages", Flag::Pages),
    ("has_discussions", Flag::Discussions),
];

/// How a text becomes a part of a filter.
type Ask = fn(Filter, &str) -> Filter;

const TEXTS: [(&str, Ask, &str); 3] = [
    ("name", Filter::name, "Part of the name."),
    ("language", Filter::language, "Part of the primary language, or of another one."),
    ("license", Filter::license, "Part of the licence."),
];

/// The filters as the API's document describes them.
pub(crate) struct LatestFilters;

impl IntoParams for LatestFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name: &str, description: &str, schema: ObjectBuilder| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(Schema::Object(schema.build())))
                .build()
        };
        let texts = TEXTS.map(|(name, _, meaning)| {
            let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(TEXT_CHARS_MAX));
            parameter(name, meaning, text)
        });
        let flags = FLAGS.map(|(name, _)| {
            let meaning = "Only those that have it, or only those that do not.";
            parameter(name, meaning, ObjectBuilder::new().schema_type(Type::Boolean))
        });
        texts.into_iter().chain(flags).collect()
    }
}

/// Reads the filters of a query. Of several values of one filter the first counts, other parameters are passed over,
/// and so are a flag that is neither true nor false and an empty text.
///
/// # Errors
/// When a text could be part of no name, because it is too long or holds control characters.
pub(crate) fn read(uri: &Uri) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else { return Ok(filter) };
    let (mut texts, mut flags) = ([false; TEXTS.len()], [false; FLAGS.len()]);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if let Some(place) = TEXTS.iter().position(|(name, ..)| *name == key) {
            if !std::mem::replace(&mut texts[place], true) {
                check(TEXTS[place].0, &value)?;
                filter = TEXTS[place].1(filter, &value);
            }
        } else if let Some(place) = FLAGS.iter().position(|(name, _)| *name == key)
            && !std::mem::replace(&mut flags[place], true)
            && let Some(is_set) = boolean(&value)
        {
            filter = filter.flag(FLAGS[place].1, is_set);
        }
    }
    Ok(filter)
}

fn check(name: &'static str, text: &str) -> Result<(), Problem> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Problem::bad_request(format!("`{name}` has at most {TEXT_CHARS_MAX} letters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("`{name}` holds control characters, which no name does")));
    }
    Ok(())
}

/// The spellings that the predecessor took, and no others.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> Option<Filter> {
        read(&format!("/repos?{query}").parse().unwrap()).ok()
    }

    #[test]
    fn booleans_have_six_spellings_each_and_anything_else_is_passed_over() {
        for (name, flag) in FLAGS {
            for (spellings, is_set) in [("1 t T TRUE true True", true), ("0 f F FALSE false False", false)] {
                for spelling in spellings.split(' ') {
                    let expected = Filter::default().flag(flag, is_set);
                    assert_eq!(filter(&format!("{name}={spelling}")), Some(expected), "{name}={spelling}");
                }
            }
            for other in ["", "yes", "tRUE", "2", "on", "null", "true%20", "%00"] {
                assert_eq!(filter(&format!("{name}={other}")), Some(Filter::default()), "{name}={other}");
            }
        }
    }

    #[test]
    fn texts_are_decoded_and_bounded_and_the_first_counts() {
        assert_eq!(filter("name=a%2Bb+c&name=x"), Some(Filter::default().name("a+b c")));
        assert_eq!(filter("language=%D0%96&other=1"), Some(Filter::default().language("ж")));
        assert_eq!(filter("license=&name="), Some(Filter::default()));
        assert_eq!(filter("license=%FF"), Some(Filter::default().license("\u{fffd}")), "part of no name");
        for bad in ["%00", "a%0d%0ab", "%C2%85", "%7f"] {
            assert_eq!(filter(&format!("name={bad}")), None, "{bad}");
        }
        assert!(filter(&format!("name={}", "ß".repeat(100))).is_some());
        assert!(filter(&format!("name={}", "ß".repeat(101))).is_none());
        assert_eq!(filter("name=a&name=%00"), Some(Filter::default().name("a")));
    }
}

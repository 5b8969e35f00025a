//! GitHub's JSON as it is written: borrowed from the body, every field tolerant.
//!
//! A field that is missing, or of another type than expected, is [`Field::Absent`]; it never makes the
//! rest unreadable, because look-alikes and old servers leave fields out or write them otherwise
//! (reference A2). What the fields mean is decided where they become events or readings.

use std::{fmt, marker::PhantomData};

use domain::{Second, Text};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

mod account;
mod changes;
#[cfg(feature = "client")]
mod gist;
mod list;
mod payload;
#[cfg(feature = "client")]
mod public_repository;
mod pull;
mod push;
mod repository;
mod stamps;
#[cfg(feature = "client")]
mod star;
mod text;

pub(crate) use account::{Account, Installation};
pub(crate) use changes::Changes;
#[cfg(feature = "client")]
pub(crate) use gist::Gist;
pub(crate) use list::List;
#[cfg(feature = "client")]
pub(crate) use list::{read_array, read_list};
pub(crate) use payload::Payload;
#[cfg(feature = "client")]
pub(crate) use public_repository::PublicRepository;
pub(crate) use pull::{PullRequest, PullTold};
pub(crate) use push::Commits;
pub(crate) use repository::Repository;
pub(crate) use stamps::{Newest, Stamps};
#[cfg(feature = "client")]
pub(crate) use star::{ListedGazer, ListedStar};
pub(crate) use text::after_prefix;

/// A field of a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Field<T> {
    /// Not there, or of another type.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// There.
    Value(T),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// The value, if there is one.
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// `Some(None)` where the field says that there is none.
    pub(crate) fn or_none(&self) -> Option<Option<T>>
    where
        T: Clone,
    {
        match self {
            Field::Absent => None,
            Field::Null => Some(None),
            Field::Value(value) => Some(Some(value.clone())),
        }
    }
}

impl<T: Copy> Field<T> {
    /// The value, if there is one.
    pub(crate) fn get(&self) -> Option<T> {
        self.value().copied()
    }
}

/// What can stand in a field. Each method reads one of JSON's types; `None` says that it is not one of
/// this field's.
pub(crate) trait Read<'de>: Sized {
    fn from_text(_text: Text<'de>) -> Option<Self> {
        None
    }

    fn from_unsigned(_number: u64) -> Option<Self> {
        None
    }

    fn from_signed(_number: i64) -> Option<Self> {
        None
    }

    fn from_float(_number: f64) -> Option<Self> {
        None
    }

    fn from_bool(_flag: bool) -> Option<Self> {
        None
    }

    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de: 'a, 'a> Read<'de> for Text<'a> {
    fn from_text(text: Text<'de>) -> Option<Self> {
        Some(text)
    }
}

impl<'de> Read<'de> for bool {
    fn from_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

/// Ids and counts: never negative, never a fraction.
impl<'de> Read<'de> for u64 {
    fn from_unsigned(number: u64) -> Option<Self> {
        Some(number)
    }
}

/// Numbers above this are milliseconds: as seconds they would lie in the year 5138.
const SECONDS_MAX: i64 = 100_000_000_000;

/// RFC 3339 with or without a fraction, seconds (as in pushes) or milliseconds since 1970.
impl<'de> Read<'de> for Second {
    fn from_text(text: Text<'de>) -> Option<Self> {
        Second::parse(&text)
    }

    fn from_unsigned(number: u64) -> Option<Self> {
        i64::try_from(number).ok().and_then(Self::from_signed)
    }

    fn from_signed(number: i64) -> Option<Self> {
        let seconds = if number > SECONDS_MAX { number / 1000 } else { number };
        Some(Second(seconds))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the fraction is dropped, and the rest fits")]
    fn from_float(number: f64) -> Option<Self> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        (number.abs() < EXACT_MAX).then_some(number as i64).and_then(Self::from_signed)
    }
}

impl<'de, T: Read<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Absent, Field::Value)
    }
}

impl<'de, T: Read<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::from_text(Text::from(text)).into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(Text::from(text.to_owned())).into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::from_unsigned(number).into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(T::from_signed(number).into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(T::from_float(number).into())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(T::from_bool(flag).into())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::from_object(object).map(Field::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        T::from_array(array).map(Field::from)
    }
}

/// Makes a struct of fields readable as a field itself: from an object, and from nothing else.
macro_rules! object {
    ($name:ident) => {
        impl<'de> $crate::wire::Read<'de> for $name {
            object!(@body $name);
        }
    };
    ($name:ident<'a>) => {
        impl<'de: 'a, 'a> $crate::wire::Read<'de> for $name<'a> {
            object!(@body $name);
        }
    };
    (@body $name:ident) => {
        fn from_object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
            let object = serde::de::value::MapAccessDeserializer::new(object);
            <Self as serde::Deserialize>::deserialize(object).map(Some)
        }
    };
}
pub(crate) use object;

/// Bytes that are no JSON object: no JSON, or JSON of another type. It quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotJson;

/// Reads a whole body that must be one JSON object.
pub(crate) fn read_object<'de, T: Read<'de>>(body: &'de [u8]) -> Result<T, NotJson> {
    // Skipped strings are not looked into by the parser, so that the encoding is checked here, once.
    let text = std::str::from_utf8(body).map_err(|_| NotJson)?;
    let object: Field<T> = serde_json::from_str(text).map_err(|_| NotJson)?;
    object.into_value().ok_or(NotJson)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample<'a> {
        id: Field<u64>,
        #[serde(borrow)]
        name: Field<Text<'a>>,
        private: Field<bool>,
        at: Field<Second>,
    }
    object!(Sample<'a>);

    #[test]
    fn values_of_another_type_count_as_absent_and_spoil_nothing() {
        for wrong in ["[1,{\"id\":2}]", "{\"id\":{\"id\":3}}", "-1", "1.5", "1e400", "184467440737095516160"]
        {
            let body = format!(r#"{{"id":{wrong},"name":{wrong},"private":{wrong},"x":{wrong},"at":null}}"#);
            let Ok(read) = read_object::<Sample<'_>>(body.as_bytes()) else {
                assert_eq!(wrong, "1e400", "only a number beyond any is refused");
                continue;
            };
            assert_eq!(read, Sample { at: Field::Null, ..Sample::default() }, "{wrong}");
        }
    }

    #[test]
    fn times_are_read_in_every_form() {
        for form in [
            "1557933657",
            "1557933657000",
            "1557933657.25",
            "\"2019-05-15T15:20:57Z\"",
            "\"2019-05-15T15:20:57.731Z\"",
            "\"2019-05-15T17:20:57+02:00\"",
        ] {
            let body = format!(r#"{{"at":{form}}}"#);
            let read: Sample<'_> = read_object(body.as_bytes()).unwrap();
            assert_eq!(read.at.get(), Some(Second(1_557_933_657)), "{form}");
        }
        for form in ["\"yesterday\"", "true", "{}", "1e300", "18446744073709551615"] {
            let body = format!(r#"{{"at":{form}}}"#);
            assert_eq!(read_object::<Sample<'_>>(body.as_bytes()).unwrap().at.get(), None, "{form}");
        }
    }

    #[test]
    fn only_one_whole_object_is_a_body() {
        for body in ["", "null", "[]", "[1,2]", "\"{}\"", "1", "{", "{} {}", "{\"id\":1}x"] {
            assert_eq!(read_object::<Sample<'_>>(body.as_bytes()), Err(NotJson), "{body}");
        }
        assert_eq!(
            read_object::<Sample<'_>>(b"{\"x\":\"\xff\"}"),
            Err(NotJson),
            "a skipped string, not UTF-8"
        );
        assert_eq!(read_object(b" {} \n"), Ok(Sample::default()));
    }

    #[test]
    fn depth_costs_no_stack() {
        let nested = |levels| format!("{{\"name\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(read_object(nested(1_000_000).as_bytes()), Ok(Sample::default()));
        let unclosed = &nested(1_000_000)[..1_500_000];
        assert_eq!(read_object::<Sample<'_>>(unclosed.as_bytes()), Err(NotJson));
    }
}

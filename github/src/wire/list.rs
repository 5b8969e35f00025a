//! Arrays: in payloads, where elements of another type are left out, and whole ones in answers.

use serde::de::SeqAccess;

use super::{Field, Read};

/// The elements of an array that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<'de, T: Read<'de>> Read<'de> for List<T> {
    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element::<Field<T>>()? {
            elements.extend(element.into_value());
        }
        Ok(Some(List(elements)))
    }
}

/// Reads a whole body that must be one JSON array; elements of another type are left out.
#[cfg(feature = "client")]
pub(crate) fn read_list<'de, T: Read<'de>>(body: &'de [u8]) -> Option<Vec<T>> {
    let array: Field<List<T>> = serde_json::from_slice(body).ok()?;
    array.into_value().map(|List(elements)| elements)
}

/// Reads a whole body that must be one JSON array, and every element a `T`: leaving one out of a list
/// that was asked for would say that it is gone.
#[cfg(feature = "client")]
pub(crate) fn read_array<'de, T: Read<'de>>(body: &'de [u8]) -> Option<Vec<T>> {
    struct Whole<T>(Vec<Field<T>>);

    impl<'de, T: Read<'de>> Read<'de> for Whole<T> {
        fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = array.next_element()? {
                elements.push(element);
            }
            Ok(Some(Whole(elements)))
        }
    }

    let array: Field<Whole<T>> = serde_json::from_slice(body).ok()?;
    let Whole(elements) = array.into_value()?;
    elements.into_iter().map(Field::into_value).collect()
}

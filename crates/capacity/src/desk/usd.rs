//! Dollars in JSON: an exact decimal in quotes, `"12.5"`, `"-3"`, so that no reader makes a float of them.

use serde::{Deserialize, Deserializer, Serializer};
use weir_units::NanoUsd;

pub(super) fn serialize<S: Serializer>(amount: &NanoUsd, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(amount)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NanoUsd, D::Error> {
    read(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn read(text: &str) -> Result<NanoUsd, weir_units::DecimalError> {
    match text.strip_prefix('-') {
        Some(owed) => owed.parse().map(|NanoUsd(nanos)| NanoUsd(-nanos)),
        None => text.parse(),
    }
}

/// The same of an amount that may be unknown.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, NanoUsd, Serializer, read};

    pub(in super::super) fn serialize<S: Serializer>(amount: &Option<NanoUsd>, to: S) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => to.collect_str(amount),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NanoUsd>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| read(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

//! Times in JSON: as records write them, `2026-11-18T14:47:03.114Z`.

use serde::{Deserialize, Deserializer, Serializer};
use weir_units::WallTime;

pub(super) fn serialize<S: Serializer>(at: &WallTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallTime, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// The same of a time that may be unknown.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, Serializer, WallTime};

    pub(in super::super) fn serialize<S: Serializer>(at: &Option<WallTime>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<WallTime>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

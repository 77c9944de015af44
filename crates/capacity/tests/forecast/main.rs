//! Forecasts, examined: on public series, on histories that are made, by stories and by properties.

mod made;
mod properties;
mod public;
mod stories;
mod targets;

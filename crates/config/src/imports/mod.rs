//! Other gateways' configurations as `weir.toml`.

mod litellm;
mod yaml;

pub use litellm::{Imported, Leftover, litellm};
pub use yaml::YamlError;

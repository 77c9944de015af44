//! Figures -> HTML: the pages of the dashboard, as pure functions.
//!
//! Nothing here reads a clock, a socket or a file: who asks, what the time is and what the figures are come in, and a page
//! goes out. `frame` is what is around every page, `pages` has a file each, `chart` draws, `words` says numbers, times and
//! names, `figures` are the answers of the admin API that pages are made from. The gateway gathers those and speaks HTTP.

pub mod assets;
pub mod chart;
pub mod figures;
pub mod frame;
pub mod pages;
pub mod params;
pub mod range;
pub mod words;

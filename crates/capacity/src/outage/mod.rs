//! How available a route is when its providers are not always.

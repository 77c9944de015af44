//! The one style sheet and the one script, built into the binary. Their addresses carry a mark of what is in them, so that
//! a browser may keep them for good.

/// The style sheet.
pub const STYLE: &str = include_str!("weir.css");
/// The script.
pub const SCRIPT: &str = include_str!("weir.js");
/// The icon, in the page itself.
pub const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%3E%3Cpath d='M2 4c3 0 3 3 6 3s3-3 6-3 3 1.500 4 2' fill='none' stroke='%23066bb8' stroke-width='2'/%3E%3Cpath d='M2 10h16M6 10v7M14 10v7' stroke='%234a5361' stroke-width='2'/%3E%3C/svg%3E";

/// A mark of a text: FNV-1a, 64 bits.
const fn mark(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut hash, mut place) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while place < bytes.len() {
        hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        place += 1;
    }
    hash
}

const STYLE_MARK: u64 = mark(STYLE);
const SCRIPT_MARK: u64 = mark(SCRIPT);

/// Where the style sheet is.
#[must_use]
pub fn style_path() -> String {
    format!("/dashboard/assets/weir-{STYLE_MARK:016x}.css")
}

/// Where the script is.
#[must_use]
pub fn script_path() -> String {
    format!("/dashboard/assets/weir-{SCRIPT_MARK:016x}.js")
}

/// What is at a path: its media type and the text.
#[must_use]
pub fn find(path: &str) -> Option<(&'static str, &'static str)> {
    if path == style_path() {
        return Some(("text/css; charset=utf-8", STYLE));
    }
    (path == script_path()).then_some(("text/javascript; charset=utf-8", SCRIPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_page_loads_is_small() {
        assert!(STYLE.len() <= 16 * 1024, "{} bytes of style", STYLE.len());
        assert!(SCRIPT.len() <= 12 * 1024, "{} bytes of script", SCRIPT.len());
    }

    #[test]
    fn an_asset_is_found_by_its_mark_alone() {
        assert!(find(&style_path()).is_some_and(|(kind, _)| kind.starts_with("text/css")));
        assert!(find(&script_path()).is_some());
        assert!(find("/dashboard/assets/weir.css").is_none());
    }
}

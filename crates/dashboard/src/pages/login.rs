//! The log-in form.

use maud::html;

use crate::frame::{Theme, bare};
use crate::params::Params;

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The key is no admin's.
    Wrong,
    /// Too many were tried.
    TooMany,
    /// The session is over.
    Expired,
    /// The form came from another site's page.
    Elsewhere,
}

/// The form; `next` is the page that was wanted, with its filters.
#[must_use]
pub fn login(theme: Theme, next: &Params, host: &str, refused: Option<Refused>) -> String {
    let why = refused.map(|refused| match refused {
        Refused::Wrong => "That key is not an admin's. Client keys (weir_…) cannot log in.",
        Refused::TooMany => "Too many wrong keys came from this address. Wait a minute.",
        Refused::Expired => "You were logged out after a while. Log in again to go on where you were.",
        Refused::Elsewhere => "The form was sent from another page than this one. Send it again from here.",
    });
    bare(
        theme,
        "Log in",
        &html! {
            p class="brand" { "Weir" span class="soft small" { (crate::words::cut(&crate::words::plain(host), 64)) } }
            h1 { "Log in" }
            @if let Some(why) = why { p class="pill bad" role="alert" { i aria-hidden="true" { "■" } (why) } }
            form method="post" action="/dashboard/login" {
                input type="hidden" name="next" value=(next.href());
                // Browsers keep a key by a name.
            input hidden type="text" name="username" value="admin" autocomplete="username";
            label { span { "Key" } input type="password" name="key" autocomplete="current-password" required autofocus; }
                button class="main" { "Log in" }
            }
            p class="soft small" { "Use the admin key, " code { "WEIR_ADMIN_KEY" } ", or your own from " code { "[admins.NAME]" } ". After 10 wrong keys in a minute, wait." }
        },
    )
}

//! What is around every page: navigation, range, state of the live figures, the person, themes.

mod controls;

pub use controls::{filters, range_picker};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets;
use crate::params::Params;
use crate::range::Range;
use crate::words::headline::Headline;
use crate::words::{Clock, name};

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// What users got, at a glance.
    Overview,
    /// Requests by filter.
    Requests,
    /// Agent runs.
    Runs,
    /// Ceilings and what of them is used.
    Limits,
    /// The seven questions of readiness.
    Readiness,
    /// What will be asked for, and what can be done.
    Capacity,
    /// Whether a load to come will fit.
    Plan,
    /// Deployments and how they fare.
    Providers,
    /// What was spent on what.
    Spend,
    /// What was spent in vain.
    Waste,
    /// Who may call, and who pays.
    Keys,
    /// What somebody should look at.
    Alerts,
}

/// The groups of the navigation, each page with the letter that leads to it after `g`.
const GROUPS: [(&str, &[(Page, char)]); 4] = [
    ("Now", &[(Page::Overview, 'o'), (Page::Requests, 'r'), (Page::Runs, 'u')]),
    (
        "Capacity",
        &[
            (Page::Limits, 'l'),
            (Page::Capacity, 'c'),
            (Page::Plan, 'n'),
            (Page::Readiness, 'd'),
            (Page::Providers, 'p'),
        ],
    ),
    ("Money", &[(Page::Spend, 's'), (Page::Waste, 'w'), (Page::Keys, 'k')]),
    ("Desk", &[(Page::Alerts, 'a')]),
];
/// What the bar of a phone shows; the rest is behind its last place.
const AT_HAND: [Page; 4] = [Page::Overview, Page::Requests, Page::Capacity, Page::Alerts];

impl Page {
    /// Its path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/dashboard",
            Self::Requests => "/dashboard/requests",
            Self::Runs => "/dashboard/runs",
            Self::Limits => "/dashboard/limits",
            Self::Readiness => "/dashboard/readiness",
            Self::Capacity => "/dashboard/capacity",
            Self::Plan => "/dashboard/plan",
            Self::Providers => "/dashboard/providers",
            Self::Spend => "/dashboard/spend",
            Self::Waste => "/dashboard/waste",
            Self::Keys => "/dashboard/keys",
            Self::Alerts => "/dashboard/alerts",
        }
    }

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Requests => "Requests",
            Self::Runs => "Runs",
            Self::Limits => "Limits",
            Self::Readiness => "Readiness",
            Self::Capacity => "Capacity",
            Self::Plan => "Plan",
            Self::Providers => "Providers",
            Self::Spend => "Spend",
            Self::Waste => "Waste",
            Self::Keys => "Keys & budgets",
            Self::Alerts => "Alerts",
        }
    }
}

/// Who looks at the page, and what they may do.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Their name; none where nobody logs in, since Weir serves this machine only.
    pub name: Option<String>,
    /// Their role, as it is called.
    pub role: &'static str,
    /// Whether they may change things.
    pub may_write: bool,
}

/// The colours somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Those of the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 3] = [(Self::System, "system"), (Self::Light, "light"), (Self::Dark, "dark")];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(theme, _)| *theme == self).map_or("system", |(_, name)| name)
    }

    /// The one of a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map_or(Self::System, |(theme, _)| theme)
    }
}

/// What a page is made in.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its address.
    pub params: Params,
    /// Who looks at it.
    pub viewer: Viewer,
    /// What the time is.
    pub clock: Clock,
    /// The colours.
    pub theme: Theme,
    /// How clients reach this listener: `http://127.0.0.1:4141`.
    pub address: String,
    /// Whether clients need a key.
    pub asks_for_keys: bool,
    /// A model that a client may ask for, for the examples.
    pub model: String,
    /// What was said to have just been done.
    pub notice: Option<String>,
    /// The range that is shown, where the page has one.
    pub range: Option<Range>,
    /// How many alerts are open and how many of them are grave; none where nobody counts them.
    pub alerts: Option<(u64, u64)>,
}

/// What a page is made of: its first sentence, and the regions below it. A region is what is swapped when it changes.
#[derive(Clone, Debug)]
pub struct Content {
    /// Which page it belongs to.
    pub page: Page,
    /// What it is called, where that is not the page's name.
    pub title: Option<String>,
    /// The page above it, where it is one of many.
    pub above: Option<(String, &'static str)>,
    /// The first sentence.
    pub headline: Headline,
    /// What is below, each part with its name.
    pub regions: Vec<(&'static str, Markup)>,
    /// How often it is made anew, in seconds; none where it does not change.
    pub every: Option<u32>,
    /// The address of what is made anew, where that is not the page's own; its first sentence stays as it is.
    pub live: Option<Params>,
}

impl Content {
    /// A page with nothing in it yet.
    #[must_use]
    pub fn new(page: Page, headline: Headline) -> Self {
        Self { page, title: None, above: None, headline, regions: Vec::new(), every: None, live: None }
    }

    /// The same with a region more.
    #[must_use]
    pub fn region(mut self, name: &'static str, markup: Markup) -> Self {
        self.regions.push((name, markup));
        self
    }

    /// The regions as they are swapped, the first sentence among them.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let headline = self.live.is_none().then(|| ("headline", self.headline.render().into_string()));
        headline.into_iter().chain(self.regions.iter().map(|(name, markup)| (*name, markup.0.clone()))).collect()
    }
}

/// The whole page.
#[must_use]
pub fn page(context: &Context, content: &Content) -> String {
    let title = content.title.as_deref().unwrap_or(content.page.title());
    let is_live = content.every.is_some() && context.range.as_ref().is_none_or(Range::is_live);
    let here = content.live.as_ref().unwrap_or(&context.params).href();
    let body = html! {
        a class="skip" href="#main" { "Skip to content" }
        (rail(context, content.page))
        header class="bar" {
            div class="crumbs" {
                @if let Some((href, says)) = &content.above { a href=(href) { (says) } span class="sep" aria-hidden="true" { "/" } }
                h1 { (name(title)) }
            }
            @if let Some(range) = &context.range { (range_picker(context, range)) }
            @if is_live {
                p class="live" id="live" role="status" { span class="shape ok" aria-hidden="true" { "●" } span { "as of " (context.clock.second(context.clock.now)) } }
            }
            a class="copy" id="copy" href=(frozen(context)) title="The address with the range frozen" { "Copy link" }
        }
        main id="main" tabindex="-1" {
            @if let Some(notice) = &context.notice { p class="notice" role="status" { (crate::words::plain(notice)) } }
            div id="r-headline" data-region="headline" { (content.headline.render()) }
            @for (region, markup) in &content.regions {
                div id={ "r-" (region) } data-region=(region) class="region" { (markup) }
            }
        }
        footer class="foot" {
            p { "Times are in " (context.clock.zone()) ". Keys: " kbd { "?" } }
        }
        (keys_help())
    };
    let live = is_live.then_some(here);
    document(context.theme, &format!("{} · Weir", crate::words::plain(title)), live.as_deref(), &body)
}

/// A page that has no navigation: the log-in form, and what is said when nothing else can be.
#[must_use]
pub fn bare(theme: Theme, title: &str, body: &Markup) -> String {
    document(theme, &format!("{title} · Weir"), None, &html! { main id="main" class="bare" { (body) } })
}

fn document(theme: Theme, title: &str, live: Option<&str>, body: &Markup) -> String {
    let chosen = (theme != Theme::System).then(|| theme.name());
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[chosen] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" href=(assets::ICON);
                link rel="stylesheet" href=(assets::style_path());
                script src=(assets::script_path()) defer {}
            }
            body data-live=[live] { (body) }
        }
    }
    .into_string()
}

fn frozen(context: &Context) -> String {
    match &context.range {
        Some(range) => range.frozen(&context.params, &context.clock).href(),
        None => context.params.href(),
    }
}

/// The navigation: a rail on the left, on a phone a bar below.
fn rail(context: &Context, here: Page) -> Markup {
    let link = |page: Page, letter: Option<char>| {
        let href = context.params.to(page.path(), &["range", "from", "to"]).href();
        html! {
            a href=(href) aria-current=[(page == here).then_some("page")] data-key=[letter] {
                (icon(page)) span { (page.title()) }
                @if let (Page::Alerts, Some((open, grave))) = (page, context.alerts) { @if open > 0 {
                    span class={ "badge" @if grave > 0 { " bad" } } { (open) span class="hide" { " open" } }
                } }
            }
        }
    };
    html! {
        nav class="rail" aria-label="Pages" {
            a class="brand" href="/dashboard" { (logo()) "Weir" }
            @for (group, pages) in GROUPS {
                p class="group" { (group) }
                ul { @for (page, letter) in pages { li { (link(*page, Some(*letter))) } } }
            }
            (who(context))
        }
        nav class="tabs" aria-label="Pages, short" {
            @for page in AT_HAND { (link(page, None)) }
            details class="menu more" {
                summary { (PreEscaped(MORE)) span { "More" } }
                div class="sheet" {
                    ul { @for page in GROUPS.iter().flat_map(|(_, pages)| pages.iter().map(|(page, _)| *page)).filter(|page| !AT_HAND.contains(page)) { li { (link(page, None)) } } }
                    (who(context))
                }
            }
        }
    }
}

fn who(context: &Context) -> Markup {
    let back = context.params.href();
    html! {
        div class="who" {
            @match &context.viewer.name {
                Some(person) => {
                    p { (name(person)) @if person != context.viewer.role { " " span class="soft" { (context.viewer.role) } } }
                    form method="post" action="/dashboard/logout" { button class="plain" { "Log out" } }
                }
                None => p class="soft" { "No log-in: Weir serves this machine only." }
            }
            form method="post" action="/dashboard/theme" class="theme" {
                input type="hidden" name="next" value=(back);
                fieldset {
                    legend class="hide" { "Colours" }
                    @for (theme, name) in Theme::ALL {
                        button name="theme" value=(name) aria-pressed=(if theme == context.theme { "true" } else { "false" }) { (name) }
                    }
                }
            }
        }
    }
}

fn keys_help() -> Markup {
    let keys = [
        ("/", "filter, or find a request by its id"),
        (
            "g, then a letter",
            "o overview · r requests · u runs · l limits · c capacity · n plan · d readiness · p providers · s spend · w waste · k keys · a alerts",
        ),
        ("j k Enter", "next row, row before, open it"),
        ("[ ]", "the range before, the range after"),
        ("t", "choose the range"),
        (".", "newer rows; pause and go on"),
        ("y", "copy a link to what is shown"),
        ("Esc", "close"),
    ];
    html! {
        dialog id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keys" }
            dl { @for (key, does) in keys { dt { kbd { (key) } } dd { (does) } } }
            form method="dialog" { button { "Close" } label { input type="checkbox" id="no-keys"; " Turn single keys off" } }
        }
    }
}

fn logo() -> Markup {
    PreEscaped(
        "<svg width=\"20\" height=\"20\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><path d=\"M2 4c3 0 3 3 6 3s3-3 6-3 3 1.500 4 2\" fill=\"none\" stroke=\"var(--s1)\" stroke-width=\"2\"/><path d=\"M2 10h16\" stroke=\"var(--ink)\" stroke-width=\"2\"/><path d=\"M6 10v7M14 10v7\" stroke=\"var(--s1)\" stroke-width=\"2\"/></svg>"
            .to_owned(),
    )
}

const MORE: &str = "<svg width=\"20\" height=\"20\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><path d=\"M3 6h14M3 10h14M3 14h14\" stroke=\"currentColor\" stroke-width=\"1.5\" fill=\"none\"/></svg>";

/// A small drawing for a page's link.
fn icon(page: Page) -> Markup {
    let path = match page {
        Page::Overview => "M3 16V9M8 16V4M13 16v-5M18 16V7",
        Page::Requests => "M3 6h11l-3-3M17 14H6l3 3",
        Page::Runs => "M5 4v12M5 8c0 3 9 1 9 4v4M14 16l-2-2M14 16l2-2",
        Page::Limits => "M3 5h9M3 10h13M3 15h6M17 3v14",
        Page::Readiness => "M3 6l2 2 3-4M3 14l2 2 3-4M11 6h6M11 14h6",
        Page::Capacity => "M3 16c5 0 6-9 14-11M3 4h14M13 3l4 2-2 4",
        Page::Plan => "M4 3h9l3 3v11H4zM7 9h6M7 13h3",
        Page::Providers => "M4 4h12v5H4zM4 11h12v5H4zM7 6.500h1M7 13.500h1",
        Page::Spend => "M10 3v14M14 6.500C13 5 7 4.500 7 7.500s7 2 7 5-6 2.500-7.500.5",
        Page::Waste => "M4 6h12M8 6V4h4v2M6 6l1 11h6l1-11",
        Page::Keys => "M7 12a3 3 0 1 1 0-.1M9 10l7-7M13 6l2 2",
        Page::Alerts => "M10 3l7 13H3zM10 8v4M10 14v.5",
    };
    html! { svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" {
        path d=(path) fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round" {}
    } }
}

//! `/dashboard`: who may look, what page an address means, and the answer with the headers that keep it safe.
//!
//! Pages are made by `weir_dashboard` from the answers of the admin API, asked in this process in the name of who looks. So a
//! page shows what a program is told, and a role allows here what it allows there.

mod ask;
mod forms;
mod gather;
mod live;
mod respond;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method, Response, StatusCode, request};
use http_body::Body;
use weir_dashboard::frame::{Page, Theme};
use weir_dashboard::pages::{self, Refused};
use weir_dashboard::params::Params;

use crate::admin::people::{self, Person};
use crate::body::ReplyBody;
use crate::headers;
use crate::reply::Refusal;
use crate::state::Shared;

pub(crate) use live::Hub;
pub(crate) use session::Sessions;

/// Where it is.
const ROOT: &str = "/dashboard";
/// Where nobody is asked who they are.
const LOG_IN: &str = "/dashboard/login";

/// Whether a path is the dashboard's.
pub(crate) fn is_own(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Who looks, and what they asked for.
struct Visit<'a> {
    shared: &'a Arc<Shared>,
    parts: &'a request::Parts,
    params: Params,
    theme: Theme,
    peer: SocketAddr,
}

/// Answers a path of the dashboard.
pub(crate) async fn serve<B>(
    shared: &Arc<Shared>,
    parts: &request::Parts,
    body: B,
    peer: SocketAddr,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let params = Params::read(parts.uri.path(), parts.uri.query().unwrap_or_default());
    let theme = cookie(&parts.headers, "weir_theme").map_or(Theme::System, Theme::of);
    let visit = Visit { shared, parts, params, theme, peer };
    let response = match (&parts.method, weir_dashboard::assets::find(parts.uri.path())) {
        (&Method::GET | &Method::HEAD, Some((kind, text))) => respond::asset(kind, text),
        (&Method::GET | &Method::HEAD, None) => visit.look().await,
        (&Method::POST, None) => visit.change(body).await,
        _ => respond::page(StatusCode::METHOD_NOT_ALLOWED, visit.say("This path takes GET and POST.")),
    };
    respond::finish(response, &parts.headers).await
}

impl Visit<'_> {
    /// Shows a page.
    async fn look(&self) -> Response<ReplyBody> {
        if self.params.path() == LOG_IN {
            return respond::page(StatusCode::OK, self.form(None));
        }
        let person = match self.person() {
            Ok(person) => person,
            Err(refusal) => return self.turned_away(&refusal),
        };
        match self.params.path() {
            "/dashboard/live" => live::serve(self, person).await,
            "/dashboard/requests.csv" => gather::export(self, &person, true).await,
            "/dashboard/requests.json" => gather::export(self, &person, false).await,
            "/dashboard/" => respond::see(ROOT),
            path if record_at(path).is_some() => {
                gather::record(self, &person, record_at(path).unwrap_or_default()).await
            }
            _ => match gather::page(self, &person, None).await {
                Ok(Some((context, content))) => {
                    respond::page(StatusCode::OK, weir_dashboard::frame::page(&context, &content))
                }
                Ok(None) => respond::page(StatusCode::NOT_FOUND, self.say("There is no page at this address.")),
                Err(fault) => respond::page(fault.status, self.say(&fault.message)),
            },
        }
    }

    /// Does what a form asks.
    async fn change<B>(&self, body: B) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        // Another site's page could send a form as well, and the browser would send the cookie of who is logged in here. The
        // cookie forbids that, and so does this.
        if !self.is_from_here() {
            return respond::page(StatusCode::FORBIDDEN, self.form(Some(Refused::Elsewhere)));
        }
        let form = match forms::read(self, body).await {
            Ok(form) => form,
            Err(refusal) => return respond::page(refusal.status, self.say(&refusal.message)),
        };
        match self.params.path() {
            LOG_IN => self.log_in(&form),
            "/dashboard/theme" => respond::theme(Theme::of(form.get("theme").unwrap_or_default()), &next(&form)),
            path => match self.person() {
                Ok(_) if path == "/dashboard/logout" => {
                    self.shared.sessions.end(token(&self.parts.headers));
                    respond::logged_out(self.is_secure())
                }
                Ok(person) => forms::change(self, &person, &form).await,
                Err(refusal) => self.turned_away(&refusal),
            },
        }
    }

    /// Who looks: by their session, or whoever sits at this machine where no key is asked for.
    fn person(&self) -> Result<Person, Refusal> {
        if self.shared.live.load().config.asks_admins()
            && let Some(person) = self.shared.sessions.find(self.shared, token(&self.parts.headers))
        {
            return Ok(person);
        }
        people::authorize(self.shared, self.parts, self.peer)
    }

    fn log_in(&self, form: &Params) -> Response<ReplyBody> {
        let key = form.get("key").unwrap_or_default();
        match forms::person_with(self, key) {
            Ok(person) => match self.shared.sessions.begin(self.shared, person, key) {
                Some(token) => respond::logged_in(&token, &next(form), self.is_secure()),
                None => respond::page(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    self.say("The operating system gives no random numbers, so nobody can be logged in."),
                ),
            },
            Err(refusal) => {
                let too_many = refusal.status == StatusCode::TOO_MANY_REQUESTS;
                let why = if too_many { Refused::TooMany } else { Refused::Wrong };
                let page = pages::login(self.theme, &next_of(form.get("next")), &self.host(), Some(why));
                respond::page(if too_many { refusal.status } else { StatusCode::FORBIDDEN }, page)
            }
        }
    }

    /// What is shown to who may not look.
    fn turned_away(&self, refusal: &Refusal) -> Response<ReplyBody> {
        if !self.shared.live.load().config.asks_admins() {
            return respond::page(StatusCode::FORBIDDEN, self.say(&refusal.message));
        }
        if refusal.status == StatusCode::TOO_MANY_REQUESTS {
            return respond::page(refusal.status, self.form(Some(Refused::TooMany)));
        }
        if self.params.path() == "/dashboard/live" {
            return respond::page(StatusCode::UNAUTHORIZED, String::new());
        }
        let had = token(&self.parts.headers).is_some();
        let wanted = if self.parts.method == Method::GET { self.params.clone() } else { Params::at(ROOT) };
        let form = pages::login(self.theme, &wanted, &self.host(), had.then_some(Refused::Expired));
        respond::page(StatusCode::UNAUTHORIZED, form)
    }

    fn form(&self, why: Option<Refused>) -> String {
        pages::login(self.theme, &next_of(self.params.get("next")), &self.host(), why)
    }

    fn say(&self, what: &str) -> String {
        weir_dashboard::frame::bare(self.theme, "Weir", &pages::not_found(what))
    }

    /// Whether the form came from a page of this listener.
    fn is_from_here(&self) -> bool {
        let own = self.host();
        let Some(origin) = headers::text(&self.parts.headers, &ORIGIN) else { return false };
        let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        origin.is_some_and(|origin| !own.is_empty() && origin.eq_ignore_ascii_case(&own))
    }

    /// How it was reached.
    fn host(&self) -> String {
        let host = headers::text(&self.parts.headers, &HOST).or_else(|| self.parts.uri.authority().map(|a| a.as_str()));
        host.unwrap_or_default().to_owned()
    }

    /// Whether browsers reach it over TLS alone.
    fn is_secure(&self) -> bool {
        let live = self.shared.live.load();
        live.tls.is_some() || live.config.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// The page to go on to after a form: one of the dashboard's own, whatever the form says.
fn next(form: &Params) -> String {
    next_of(form.get("next")).href()
}

fn next_of(wanted: Option<&str>) -> Params {
    let (path, query) = wanted.map_or((ROOT, ""), |wanted| wanted.split_once('?').unwrap_or((wanted, "")));
    if is_own(path) && path != LOG_IN && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Params::read(path, query);
    }
    Params::at(ROOT)
}

/// The id of the request whose record a path is of.
fn record_at(path: &str) -> Option<&str> {
    path.strip_prefix("/dashboard/requests/")?.strip_suffix(".json")
}

/// The token of a session.
fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, session::COOKIE_NAME)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// The pages that have a path of their own, without those of single things.
fn page_at(path: &str) -> Option<Page> {
    let all = [
        Page::Overview,
        Page::Requests,
        Page::Runs,
        Page::Limits,
        Page::Readiness,
        Page::Capacity,
        Page::Plan,
        Page::Providers,
        Page::Spend,
        Page::Waste,
        Page::Keys,
        Page::Alerts,
    ];
    all.into_iter().find(|page| page.path() == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_pages_of_the_dashboard_alone() {
        for (wanted, next) in [
            (Some("/dashboard/requests?status=429&range=1h"), "/dashboard/requests?status=429&range=1h"),
            (Some("/dashboard"), "/dashboard"),
            (Some("https://evil.example/dashboard"), "/dashboard"),
            (Some("//evil.example"), "/dashboard"),
            (Some("/dashboardevil"), "/dashboard"),
            (Some("/dashboard/login?next=/dashboard"), "/dashboard"),
            (Some("/dashboard/\r\nset-cookie: a=b"), "/dashboard"),
            (None, "/dashboard"),
        ] {
            assert_eq!(next_of(wanted).href(), next, "{wanted:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; xweir_session=no; weir_session=yes".parse().unwrap());
        headers.append(COOKIE, "weir_theme=dark".parse().unwrap());
        assert_eq!((token(&headers), cookie(&headers, "weir_theme")), (Some("yes"), Some("dark")));
        assert_eq!(token(&HeaderMap::new()), None);
    }
}

//! One request: what came, who asks, and the frame of pages.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use form_urlencoded::Serializer;
use keyturn_host::accounts::AccountId;
use keyturn_host::caller::Caller;
use keyturn_host::embed::{NOTICE_COOKIE, QUIET_HEADER, Surface};
use keyturn_host::http::harden;
use keyturn_host::http::reader::{self, LANGUAGE_COOKIE};
use keyturn_host::view::html::{Html, Markup};
use keyturn_host::view::nodes::{Node, Tone};
use keyturn_host::view::shell::parts::banner;
use keyturn_host::view::shell::{self, Chrome, Group, Heading, Item, Link, Panel, Post, User};
use keyturn_host::view::words::Language;
use keyturn_host::view::{self, Corrections, Place, Region};
use zeroize::Zeroizing;

use crate::answer::{self, Failed, cookie, retry_after};
use crate::folk::{Folk, scope};
use crate::pages::operator;
use crate::people::Person;
use crate::site::Site;
use crate::visitor::{VISIT, Visitor};
use crate::words::Words;

/// The name for the panel's own forms; no plugin can have it.
pub const OWN: &str = "(the panel)";
/// The cookie for the panel's notice on the next page: a key of its words and a number.
const SAID: &str = "kt-said";
/// The keys that this cookie may name.
const SAYINGS: [&str; 7] = [
    "said-saved",
    "said-unchanged",
    "said-sessions-ended",
    "said-session-ended",
    "said-signed-out",
    "said-signed-out-everywhere",
    SAID_CONFIRMATIONS,
];
/// The own password was wrong too often.
pub const SAID_CONFIRMATIONS: &str = "said-confirmations";
const YEAR: u32 = 365 * 24 * 60 * 60;

pub struct Request {
    pub site: Arc<Site>,
    pub visitor: Visitor,
    pub path: String,
    /// The address's query.
    pub query: Vec<(String, String)>,
    /// Placeholders of the route.
    pub params: Vec<(String, String)>,
    pub headers: HeaderMap,
    /// The body of a post: it may hold a password.
    pub body: Zeroizing<Vec<u8>>,
    pub cookies: Vec<String>,
    /// The notice from the page before, drawn by [`Request::hear`].
    pub notice: Markup,
}

/// A page for people who are signed in.
pub struct Sheet<'a> {
    pub title: &'a str,
    /// The list that it belongs to.
    pub under: Option<Folk>,
    /// Pages above it.
    pub above: &'a [Link<'a>],
    /// The h1; none if the body has one.
    pub heading: Option<Heading<'a>>,
    /// The errors, shown first.
    pub summary: &'a Markup,
    pub body: &'a Markup,
}

impl Request {
    pub fn words(&self) -> Words {
        self.visitor.words()
    }

    /// The person who is signed in; otherwise the way there.
    pub fn person(&self) -> Result<Person, Failed> {
        self.visitor.person().cloned().ok_or(Failed::SignIn)
    }

    pub fn asked(&self, name: &str) -> &str {
        self.query.iter().find_map(|(key, value)| (key == name).then_some(value.as_str())).unwrap_or_default()
    }

    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find_map(|(key, value)| (key == name).then_some(value.as_str())).unwrap_or_default()
    }

    /// This page's own address with some of its query changed; an empty value is left out.
    pub fn address(&self, set: &[(&str, &str)]) -> String {
        let kept = self.query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let kept = kept.filter(|(key, _)| *key != "lang" && !set.iter().any(|(name, _)| name == key));
        let mut query = Serializer::new(String::new());
        query.extend_pairs(kept.chain(set.iter().copied()).filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        // Two slashes at the beginning would name another site.
        let path = format!("/{}", self.path.trim_start_matches('/'));
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Where plugins' forms on this page are posted to.
    pub fn surface<'a>(
        &'a self,
        caller: &'a Caller,
        submit_url: &'a str,
        corrections: Option<&'a Corrections>,
    ) -> Surface<'a> {
        Surface { caller, submit_url, join: None, links: &*self.site, corrections }
    }

    /// A region of the panel's own, with a name that tells its forms from others on the page.
    pub fn region(
        &self,
        name: &str,
        subject: Option<&AccountId>,
        nodes: &[Node],
        surface: &Surface<'_>,
    ) -> Result<Region, Failed> {
        let place = Place::Slot { name: name.to_owned(), subject: subject.cloned() };
        Ok(self.site.host.framed_own(OWN, place, surface, |frame| view::draw_region(nodes, frame, 2))?)
    }

    /// Lets the browser keep its visit while nobody is signed in: what it is shown may contain a form.
    pub fn visit(&mut self) {
        if !self.visitor.visit.1 {
            let visit = self.visitor.visit.0.clone();
            self.set_cookie(VISIT, &visit, None);
        }
    }

    pub fn set_cookie(&mut self, name: &str, value: &str, age: Option<u32>) {
        let cookie = cookie(name, value, age, self.site.https);
        self.cookies.push(cookie);
    }

    /// Shows a notice on the next page: one of [`SAYINGS`].
    pub fn say(&mut self, key: &'static str, n: u64) {
        self.set_cookie(SAID, &format!("{key}.{n}"), Some(60));
    }

    /// Shows a plugin's outcome on the next page.
    pub fn say_outcome(&mut self, sealed: &str) {
        self.set_cookie(NOTICE_COOKIE, sealed, Some(60));
    }

    /// Whether the script asked for the page: what is shown once is not shown to it.
    pub fn quiet(&self) -> bool {
        self.headers.contains_key(QUIET_HEADER)
    }

    /// Draws the outcome from the page before, before anything else on the page. Otherwise the page could have a newer state of
    /// an email than its notice.
    pub fn hear(&mut self) {
        let sealed = reader::cookie(&self.headers, NOTICE_COOKIE).filter(|_| !self.quiet());
        let caller = self.visitor.caller();
        let notice = sealed.and_then(|sealed| self.site.host.notice(sealed, &self.surface(&caller, "/", None)));
        self.notice = notice.unwrap_or_default();
    }

    /// The user name of a reader who has just chosen a password. Call it before [`Request::said`], which takes it away.
    pub fn user_name(&self) -> Option<String> {
        let sealed = reader::cookie(&self.headers, NOTICE_COOKIE)?;
        self.site.host.noticed_user_name(&self.visitor.caller(), sealed)
    }

    /// The notice for this page. It is taken, so it is shown once.
    pub fn said(&mut self) -> Markup {
        let mut html = Html::new();
        if self.quiet() {
            return html.done();
        }
        if reader::cookie(&self.headers, NOTICE_COOKIE).is_some() {
            html.markup(&std::mem::take(&mut self.notice));
            self.set_cookie(NOTICE_COOKIE, "", Some(0));
        }
        if let Some(said) = reader::cookie(&self.headers, SAID).map(str::to_owned) {
            // The browser could have changed the cookie, so it only chooses among our own words.
            let (key, n) = said.split_once('.').unwrap_or((&said, "0"));
            if let Some(key) = SAYINGS.into_iter().find(|saying| *saying == key) {
                let words = self.words();
                let (tone, title) = match n.parse() {
                    Ok(0) if key == "said-sessions-ended" => (Tone::Info, words.get("said-sessions-none").to_owned()),
                    Ok(n) if words.find(key).is_none() => (Tone::Success, words.count(key, n)),
                    _ => (Tone::Success, words.get(key).to_owned()),
                };
                let tone = if key == SAID_CONFIRMATIONS { Tone::Warning } else { tone };
                html.markup(&banner(tone, &title, "", words.host));
            }
            self.set_cookie(SAID, "", Some(0));
        }
        html.done()
    }

    fn dressed<T>(&self, draw: impl FnOnce(&Chrome<'_>) -> T) -> T {
        let languages = Language::ALL.map(|language| {
            let page = self.address(&[]);
            let mark = if page.contains('?') { '&' } else { '?' };
            format!("{page}{mark}lang={}", language.tag())
        });
        let back = self.address(&[]);
        let hidden = [("back", back.as_str())];
        draw(&Chrome {
            locale: &self.visitor.locale,
            theme: self.visitor.theme,
            brand: self.site.host.brand(),
            home: "/",
            languages: &languages,
            themes: Some(Post { url: "/theme", hidden: &hidden }),
        })
    }

    /// A page for people who are not signed in.
    pub fn public(&self, title: &str, body: &Markup) -> Markup {
        self.dressed(|chrome| shell::public(chrome, title, body))
    }

    /// A page for people who are signed in.
    pub fn sheet(&mut self, person: &Person, sheet: &Sheet<'_>) -> Markup {
        let mut notice = Html::new();
        let said = self.said();
        notice.markup(sheet.summary).markup(&said);
        let notice = notice.done();
        let words = self.words();
        let lists: Vec<(Folk, String)> = Folk::ALL
            .into_iter()
            .filter(|folk| scope(person.kind, *folk) != keyturn_host::accounts::Scope::None)
            .map(|folk| (folk, format!("/{}", folk.path())))
            .collect();
        let mut items: Vec<Item<'_>> = lists
            .iter()
            .map(|(folk, url)| Item {
                link: Link { label: words.get(title_key(*folk)), url },
                current: sheet.under == Some(*folk),
            })
            .collect();
        if items.is_empty() {
            items.push(Item {
                link: Link { label: words.get("account-title"), url: "/account" },
                current: self.path == "/account",
            });
        }
        let label = if lists.is_empty() { "nav-you" } else { "nav-people" };
        let operators = operator::navigation(self, person);
        let operators: Vec<(&str, Vec<Item<'_>>)> = operators
            .iter()
            .map(|(group, items)| {
                let items = items.iter();
                let items = items.map(|(label, url, current)| Item { link: Link { label, url }, current: *current });
                (group.as_str(), items.collect())
            })
            .collect();
        let mut groups = vec![Group { label: words.get(label), items: &items }];
        groups.extend(operators.iter().map(|(label, items)| Group { label, items }));
        let token = self.visitor.token();
        let hidden = [("token", token.as_str())];
        let user = User {
            name: &person.name,
            role: words.get(role_key(person)),
            account: "/account",
            sign_out: Post { url: "/sign-out", hidden: &hidden },
        };
        self.dressed(|chrome| {
            shell::panel(&Panel {
                chrome,
                title: sheet.title,
                groups: &groups,
                user: &user,
                above: sheet.above,
                here: sheet.title.strip_prefix(words.host.get("error-prefix")).unwrap_or(sheet.title),
                notice: &notice,
                heading: sheet.heading,
                body: sheet.body,
            })
        })
    }

    /// The page for an error.
    pub fn failed(&mut self, failed: &Failed) -> Response {
        let words = self.words();
        let brand = self.site.host.brand();
        let contact = brand.contact.clone();
        let request = self.visitor.request.clone();
        let (status, title, text) = match failed {
            Failed::SignIn => return answer::see_other(&crate::pages::sign_in::address(&self.address(&[]))),
            Failed::NoSuch(folk) => {
                (StatusCode::NOT_FOUND, words.get("missing-title"), words.get(none_such_key(*folk)).to_owned())
            }
            Failed::NoPage => (StatusCode::NOT_FOUND, words.get("missing-title"), words.get("missing-page").to_owned()),
            Failed::Forbidden => {
                let text = words.fill("forbidden", &[("contact", &contact)]);
                (StatusCode::FORBIDDEN, words.get("forbidden-title"), text)
            }
            Failed::Forged => (StatusCode::FORBIDDEN, words.get("forged-title"), words.get("forged").to_owned()),
            Failed::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, words.get("large-title"), words.get("large").to_owned())
            }
            Failed::Throttled(seconds) => {
                let time = words.host.duration(u64::from(*seconds));
                let text = words.fill("throttled", &[("time", &time)]);
                (StatusCode::TOO_MANY_REQUESTS, words.get("throttled-title"), text)
            }
            Failed::Busy(seconds) => {
                let time = words.host.duration(u64::from(*seconds));
                (StatusCode::SERVICE_UNAVAILABLE, words.get("busy-title"), words.fill("busy", &[("time", &time)]))
            }
            Failed::Indeterminate => {
                let text = words.fill("indeterminate", &[("request", &request)]);
                (StatusCode::INTERNAL_SERVER_ERROR, words.get("indeterminate-title"), text)
            }
            Failed::Broken(cause) => {
                tracing::error!(request, path = self.path, "{cause}");
                let text = words.fill("broken", &[("contact", &contact), ("request", &request)]);
                (StatusCode::INTERNAL_SERVER_ERROR, words.get("broken-title"), text)
            }
        };
        let mut html = Html::new();
        html.element("p", &[("class", Some("kt-text"))], &text);
        let back = match failed {
            Failed::NoSuch(folk) => (format!("/{}", folk.path()), title_key(*folk)),
            _ => ("/".to_owned(), "home"),
        };
        html.open("p", &[]).element("a", &[("href", Some(&back.0))], words.get(back.1)).close("p");
        let body = html.done();
        let page = match self.visitor.person().cloned() {
            Some(person) => {
                let mut card = Html::new();
                card.class("div", "kt-sections").class("div", "kt-section kt-card");
                card.markup(&body).close("div").close("div");
                let heading = Heading { text: title, badge: None, actions: &Markup::default() };
                let sheet = Sheet {
                    title,
                    under: None,
                    above: &[],
                    heading: Some(heading),
                    summary: &Markup::default(),
                    body: &card.done(),
                };
                self.sheet(&person, &sheet)
            }
            None => {
                let mut card = Html::new();
                card.element("h1", &[], title).markup(&body);
                self.public(title, &card.done())
            }
        };
        let mut response = answer::page(status, &page);
        if let Failed::Busy(seconds) | Failed::Throttled(seconds) = failed {
            retry_after(&mut response, *seconds);
        }
        response
    }

    /// Adds what every answer has.
    pub fn finish(&mut self, mut response: Response) -> Response {
        if self.visitor.chosen {
            let locale = self.visitor.locale.clone();
            self.set_cookie(LANGUAGE_COOKIE, &locale, Some(YEAR));
        }
        let headers = response.headers_mut();
        for cookie in &self.cookies {
            if let Ok(cookie) = cookie.parse() {
                headers.append(axum::http::header::SET_COOKIE, cookie);
            }
        }
        harden(headers, self.site.https);
        response
    }
}

/// The key of a list's title.
pub fn title_key(folk: Folk) -> &'static str {
    match folk {
        Folk::Customers => "customers-title",
        Folk::Resellers => "resellers-title",
        Folk::Administrators => "administrators-title",
    }
}

fn none_such_key(folk: Folk) -> &'static str {
    match folk {
        Folk::Customers => "customers-none-such",
        Folk::Resellers => "resellers-none-such",
        Folk::Administrators => "administrators-none-such",
    }
}

/// The key of somebody's role.
pub fn role_key(person: &Person) -> &'static str {
    use crate::people::Kind;
    match person.kind {
        Kind::Owner => "role-owner",
        Kind::Administrator => "role-administrator",
        Kind::Reseller => "role-reseller",
        Kind::Customer => "role-customer",
    }
}

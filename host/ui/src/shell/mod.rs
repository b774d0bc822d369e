//! The frame of a page: one card for people who are not signed in, navigation for people who are. The embedding panel and the
//! host's own link pages share it, and so the look.

pub mod parts;

use super::html::{Html, Markup, icon, values};
use super::{Brand, look};
use keyturn_contract::keyturn::ui::nodes::Tone;
use keyturn_core::words::{Language, Words};
use parts::hidden_inputs;

keyturn_core::named! {
    /// Which colours; the name is for a cookie or form.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Theme {
        /// The device's choice.
        #[default]
        Auto = "auto",
        /// Light.
        Light = "light",
        /// Dark.
        Dark = "dark",
    }
}

/// A link.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// What it says.
    pub label: &'a str,
    /// Where it leads.
    pub url: &'a str,
}

/// A form without fields of its own: where it posts, and its hidden values, such as a token against forged requests.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Where it posts.
    pub url: &'a str,
    /// Names and values.
    pub hidden: &'a [(&'a str, &'a str)],
}

/// What every page has.
pub struct Chrome<'a> {
    /// BCP 47.
    pub locale: &'a str,
    /// The colours.
    pub theme: Theme,
    /// Its name, its own colours, and whom to ask for help.
    pub brand: &'a Brand,
    /// Where the brand's name leads.
    pub home: &'a str,
    /// Addresses of this page in each of [`Language::ALL`]; empty: no choice is offered.
    pub languages: &'a [String],
    /// Where a choice of colours posts `theme`; none: there is no choice.
    pub themes: Option<Post<'a>>,
}

/// The words for the script, in the places where it looks for them.
fn script_words(words: Words) -> [(&'static str, Option<&'static str>); 7] {
    [
        ("data-kt-show", "show"),
        ("data-kt-hide", "hide"),
        ("data-kt-shown", "shown-now"),
        ("data-kt-hidden", "hidden-now"),
        ("data-kt-copy", "copy"),
        ("data-kt-copied", "copied"),
        ("data-kt-working", "working"),
    ]
    .map(|(attribute, key)| (attribute, Some(words.get(key))))
}

/// A region or page for a page of another panel, as [`super::look::EMBED_CSS`] and the script need it; nothing stays nothing.
pub fn within(html: &Markup, words: Words) -> Markup {
    if html.is_empty() {
        return Markup::default();
    }
    let mut around = Html::new();
    let own = [("class", Some("kt")), ("lang", Some(words.tag()))];
    around.open("div", &[&own, &script_words(words)[..]].concat()).markup(html).close("div").done()
}

impl Chrome<'_> {
    fn words(&self) -> Words {
        Words::of(self.locale)
    }

    fn head(&self, html: &mut Html, title: &str, class: &str) {
        let words = self.words();
        html.literal("<!doctype html>\n");
        let theme = (self.theme != Theme::Auto).then(|| self.theme.name());
        html.open("html", &[("lang", Some(words.tag())), ("data-theme", theme)]).literal(
            "<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"format-detection\" content=\"telephone=no\">",
        );
        html.element("title", &[], &format!("{title} · {}", self.brand.name));
        // Named, because browsers ask for /favicon.ico otherwise.
        let icon = look::ICON.url();
        html.open("link", &[("rel", Some("icon")), ("type", Some("image/svg+xml")), ("href", Some(&icon))]);
        for css in std::iter::once(&*look::CSS).chain(self.brand.look.as_deref()) {
            html.open("link", &[("rel", Some("stylesheet")), ("href", Some(&css.url()))]);
        }
        html.open("script", &[("src", Some(&look::JS.url())), ("defer", Some(""))]).close("script").close("head");
        html.open("body", &[&[("class", Some(class))], &script_words(words)[..]].concat());
        html.element("a", &[("class", Some("kt-skip")), ("href", Some("#content"))], words.get("skip"));
    }

    fn brand(&self, html: &mut Html) {
        html.open("a", &[("class", Some("kt-brand")), ("href", Some(self.home))]);
        html.open("img", &[("src", Some(&look::ICON.url())), ("alt", Some("")), ("class", Some("kt-logo"))]);
        html.element("span", &[], &self.brand.name).close("a");
    }

    fn footer(&self, html: &mut Html) {
        let words = self.words();
        html.class("footer", "kt-footer");
        for (language, url) in Language::ALL.into_iter().zip(self.languages).filter(|(other, _)| *other != words.0) {
            let tag = Some(language.tag());
            html.element("a", &[("href", Some(url)), ("lang", tag), ("hreflang", tag)], language.name());
        }
        if let Some(help) = self.brand.help() {
            html.element("a", &[("href", Some(&help))], words.get("help"));
        }
        html.element("span", &[], words.get("passwords-by"));
        if let Some(post) = &self.themes {
            let form = [("class", Some("kt-themes")), ("method", Some("post")), ("action", Some(post.url))];
            html.open("form", &[&form[..], &[("aria-label", Some(words.get("theme")))]].concat());
            hidden_inputs(html, post.hidden);
            for theme in Theme::ALL {
                let (value, pressed) = (theme.name(), if theme == self.theme { "true" } else { "false" });
                let button = [("type", Some("submit")), ("name", Some("theme")), ("value", Some(value))];
                let attributes = [&button[..], &[("aria-pressed", Some(pressed))]].concat();
                html.element("button", &attributes, words.get(&format!("theme-{value}")));
            }
            html.close("form");
        }
        html.close("footer");
    }
}

/// A page for people who are not signed in: one card. `title` is plain text; `body` has the h1.
pub fn public(chrome: &Chrome<'_>, title: &str, body: &Markup) -> Markup {
    card(chrome, title, body, "kt-public")
}

/// The same for pages to read instead of to fill in: a card as wide as tables need.
pub fn document(chrome: &Chrome<'_>, title: &str, body: &Markup) -> Markup {
    card(chrome, title, body, "kt-public kt-document")
}

fn card(chrome: &Chrome<'_>, title: &str, body: &Markup, class: &str) -> Markup {
    let mut html = Html::new();
    chrome.head(&mut html, title, class);
    html.class("header", "kt-top");
    chrome.brand(&mut html);
    html.close("header").open("main", &[("id", Some("content")), ("tabindex", Some("-1"))]).class("div", "kt-card");
    html.markup(body).close("div").close("main");
    chrome.footer(&mut html);
    html.literal("</body></html>\n");
    html.done()
}

/// A group of links in the navigation.
pub struct Group<'a> {
    /// Its name.
    pub label: &'a str,
    /// Its links.
    pub items: &'a [Item<'a>],
}

/// One of them.
pub struct Item<'a> {
    /// The link.
    pub link: Link<'a>,
    /// Whether the page is this one, or below it.
    pub current: bool,
}

/// The person who is signed in.
pub struct User<'a> {
    /// Name.
    pub name: &'a str,
    /// "Administrator".
    pub role: &'a str,
    /// Their own account.
    pub account: &'a str,
    /// Ends the session.
    pub sign_out: Post<'a>,
}

/// The head of a page; none if the body has its own h1.
#[derive(Clone, Copy)]
pub struct Heading<'a> {
    /// The h1.
    pub text: &'a str,
    /// Beside it.
    pub badge: Option<(Tone, &'a str)>,
    /// Buttons, links, or a search.
    pub actions: &'a Markup,
}

impl Heading<'_> {
    /// Draws it.
    pub fn draw(&self, html: &mut Html) {
        html.class("div", "kt-heading").class("div", "kt-title");
        html.open("h1", &[]).element("bdi", &[], self.text).close("h1");
        if let Some((tone, text)) = self.badge {
            html.text(" ");
            values::badge(html, tone, text);
        }
        html.close("div");
        if !self.actions.is_empty() {
            html.class("div", "kt-actions").markup(self.actions).close("div");
        }
        html.close("div");
    }
}

/// A page of the panel.
pub struct Panel<'a> {
    /// What every page has.
    pub chrome: &'a Chrome<'a>,
    /// For `<title>`: plain text.
    pub title: &'a str,
    /// Navigation.
    pub groups: &'a [Group<'a>],
    /// The person who is signed in.
    pub user: &'a User<'a>,
    /// The pages above it, the outermost first, without the page itself.
    pub above: &'a [Link<'a>],
    /// The page's own name in the breadcrumb, which is drawn if there are pages above.
    pub here: &'a str,
    /// Errors and outcomes; with a summary of errors, the title is marked.
    pub notice: &'a Markup,
    /// h1, badge, actions.
    pub heading: Option<Heading<'a>>,
    /// The rest.
    pub body: &'a Markup,
}

/// A page for people who are signed in.
pub fn panel(page: &Panel<'_>) -> Markup {
    let (chrome, words) = (page.chrome, page.chrome.words());
    let mut html = Html::new();
    let wrong = page.notice.as_str().contains("kt-summary");
    let prefix = if wrong { words.get("error-prefix") } else { "" };
    chrome.head(&mut html, &format!("{prefix}{}", page.title), "kt-panel");
    html.class("header", "kt-side");
    chrome.brand(&mut html);
    html.class("div", "kt-wide");
    navigation(&mut html, page, words);
    html.close("div").class("details", "kt-menu").open("summary", &[]).literal(icon::MENU);
    html.element("span", &[], words.get("menu")).close("summary").class("div", "kt-menu-body");
    navigation(&mut html, page, words);
    html.close("div").close("details").close("header").class("div", "kt-page");
    html.open("main", &[("id", Some("content")), ("tabindex", Some("-1"))]);
    if !page.above.is_empty() {
        html.open("nav", &[("class", Some("kt-crumbs")), ("aria-label", Some(words.get("on-this-page")))]);
        html.open("ol", &[]);
        for link in page.above {
            html.open("li", &[]).open("a", &[("href", Some(link.url))]).element("bdi", &[], link.label);
            html.close("a").close("li");
        }
        html.open("li", &[("aria-current", Some("page"))]).element("bdi", &[], page.here);
        html.close("li").close("ol").close("nav");
    }
    html.markup(page.notice);
    if let Some(heading) = &page.heading {
        heading.draw(&mut html);
    }
    html.markup(page.body).close("main");
    chrome.footer(&mut html);
    html.literal("</div></body></html>\n");
    html.done()
}

fn navigation(html: &mut Html, page: &Panel<'_>, words: Words) {
    html.open("nav", &[("class", Some("kt-nav")), ("aria-label", Some(words.get("main-menu")))]);
    for group in page.groups {
        html.element("p", &[("class", Some("kt-group"))], group.label).open("ul", &[]);
        for item in group.items {
            let current = item.current.then_some("page");
            html.open("li", &[]).open("a", &[("href", Some(item.link.url)), ("aria-current", current)]);
            html.element("span", &[], item.link.label).close("a").close("li");
        }
        html.close("ul");
    }
    html.close("nav").class("div", "kt-who").open("p", &[]).open("strong", &[]).element("bdi", &[], page.user.name);
    html.close("strong").close("p").element("p", &[("class", Some("kt-hint"))], page.user.role);
    html.class("div", "kt-who-links");
    html.element("a", &[("href", Some(page.user.account))], words.get("my-account"));
    html.element("span", &[("aria-hidden", Some("true"))], " · ");
    html.open("form", &[("method", Some("post")), ("action", Some(page.user.sign_out.url))]);
    hidden_inputs(html, page.user.sign_out.hidden);
    html.element("button", &[("type", Some("submit")), ("class", Some("kt-link"))], words.get("sign-out"));
    html.close("form").close("div").close("div");
}

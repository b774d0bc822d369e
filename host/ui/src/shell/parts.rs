//! What the host's and the panel's own pages need besides a plugin's nodes: filters, search, paging, banners, cards.

use super::Link;
use crate::html::fields::VERBATIM;
use crate::html::forms::posts;
use crate::html::nodes::{banner_close, banner_open, button, role};
use crate::html::{Html, Markup, icon};
use keyturn_contract::keyturn::ui::nodes::{Intent, Tone};
use keyturn_core::words::Words;

pub(super) fn hidden_inputs(html: &mut Html, inputs: &[(&str, &str)]) {
    for (name, value) in inputs {
        html.open("input", &[("type", Some("hidden")), ("name", Some(name)), ("value", Some(value))]);
    }
}

/// A link that looks like a button.
pub fn button_link(link: Link<'_>, intent: Intent) -> Markup {
    Html::new().element("a", &[("class", Some(button(intent))), ("href", Some(link.url))], link.label).done()
}

/// The form element of a page with one form for all its parts, see [`crate::form::joined`]. Draw it before them: it has an
/// invisible button for Enter, because [`joined_buttons`] come after them.
pub fn joined_form(id: &str, url: &str) -> Markup {
    let mut html = Html::new();
    let hidden = [("class", Some("kt-hidden")), ("tabindex", Some("-1")), ("aria-hidden", Some("true"))];
    let button = [&[("type", Some("submit"))], &hidden[..]].concat();
    html.open("form", &[&[("id", Some(id))], &posts(url)[..]].concat())
        .open("button", &button)
        .close("button")
        .close("form")
        .done()
}

/// Its buttons.
pub fn joined_buttons(id: &str, label: &str, cancel: Link<'_>) -> Markup {
    let mut html = Html::new();
    let save = [("form", Some(id)), ("class", Some(button(Intent::Primary))), ("type", Some("submit"))];
    html.class("div", "kt-buttons").element("button", &save, label);
    html.element("a", &[("class", Some(button(Intent::Neutral))), ("href", Some(cancel.url))], cancel.label);
    html.close("div").done()
}

/// A banner with one sentence, announced as an outcome.
pub fn banner(tone: Tone, title: &str, text: &str, words: Words) -> Markup {
    let mut html = Html::new();
    banner_open(&mut html, tone, title, &[role(tone)], words);
    if !text.is_empty() {
        html.element("p", &[("class", Some("kt-text"))], text);
    }
    banner_close(&mut html);
    html.done()
}

/// Filters and sub-pages: links, the current one marked, each with a count if there is one.
pub fn tabs(label: &str, items: &[(Link<'_>, bool, Option<i64>)], words: Words) -> Markup {
    let mut html = Html::new();
    html.open("nav", &[("class", Some("kt-tabs")), ("aria-label", Some(label))]).open("ul", &[]);
    for (link, current, count) in items {
        html.open("li", &[]);
        html.open("a", &[("href", Some(link.url)), ("aria-current", current.then_some("page"))]).text(link.label);
        if let Some(count) = count {
            html.text(" ").element("span", &[("class", Some("kt-count"))], &words.number(*count));
        }
        html.close("a").close("li");
    }
    html.close("ul").close("nav").done()
}

/// A search by address, which keeps that address's query. `label` is read by screen readers, and shown in the empty input.
pub fn search(url: &str, label: &str, typed: &str, words: Words) -> Markup {
    let mut html = Html::new();
    let attributes =
        [("class", Some("kt-search")), ("role", Some("search")), ("method", Some("get")), ("action", Some(url))];
    html.open("form", &attributes);
    // A search form replaces its address's query.
    let own: Vec<_> = form_urlencoded::parse(url.split_once('?').map_or("", |(_, query)| query).as_bytes()).collect();
    hidden_inputs(&mut html, &own.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
    html.element("label", &[("class", Some("kt-hidden")), ("for", Some("kt-q"))], label);
    let input = [("class", Some("kt-input")), ("id", Some("kt-q")), ("name", Some("q")), ("value", Some(typed))];
    let search = [("type", Some("search")), ("placeholder", Some(label)), ("autocomplete", Some("off"))];
    html.open("input", &[&input[..], &search, &VERBATIM].concat())
        .open("button", &[("class", Some("kt-button")), ("type", Some("submit"))]);
    html.literal(icon::SEARCH).element("span", &[], words.get("search")).close("button").close("form").done()
}

/// Previous and next, and what is shown: "1–25 of 1,284".
pub fn paging(shown: &str, previous: Option<&str>, next: Option<&str>, words: Words) -> Markup {
    let mut html = Html::new();
    html.open("nav", &[("class", Some("kt-paging")), ("aria-label", Some(words.get("pages")))]);
    html.element("p", &[], shown).class("div", "kt-actions");
    for (url, key, rel) in [(previous, "previous", "prev"), (next, "next", "next")] {
        if url.is_some() {
            html.element("a", &[("class", Some("kt-button")), ("href", url), ("rel", Some(rel))], words.get(key));
        }
    }
    html.close("div").close("nav").done()
}

/// Quiet text for a region that could not be drawn. `request` helps the administrator to find out why.
pub fn quiet(text: &str, request: &str) -> Markup {
    let mut html = Html::new();
    html.class("p", "kt-hint").text(text).text(" ").element("code", &[("dir", Some("ltr"))], request).close("p").done()
}

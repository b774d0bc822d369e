//! Sentences: values one after another, as HTML and as plain text.

use super::nodes::Painter;
use super::{Html, Markup, dropped};
use crate::frame::Frame;
use keyturn_contract::keyturn::ui::nodes::{PageTarget, Target, Tone, Value};

impl Painter<'_> {
    /// Draws a sentence.
    pub fn sentence(&mut self, sentence: &[Value]) {
        for (at, value) in sentence.iter().enumerate() {
            self.value(value, at == 0, false);
        }
    }

    /// A sentence alone in its cell. The script may show a single time as "5 minutes ago".
    pub fn cell(&mut self, sentence: &[Value]) {
        match sentence {
            [only @ Value::Time(_)] => self.value(only, true, true),
            all => self.sentence(all),
        }
    }

    fn value(&mut self, value: &Value, first: bool, alone: bool) {
        let text = self.said(value, first);
        let html = &mut self.html;
        match value {
            Value::Text(_) | Value::Duration(_) => html.text(&text),
            Value::Code(_) => html.element("code", &[("dir", Some("ltr"))], &text),
            Value::Time(at) => match self.words.moment(*at, &self.frame.zone) {
                Some((iso, long)) => {
                    let ago = alone.then_some("");
                    let attributes = [("datetime", Some(iso.as_str())), ("title", Some(&long)), ("data-kt-ago", ago)];
                    html.element("time", &attributes, &text)
                }
                None => html.text(&text),
            },
            Value::Number(_) => html.element("span", &[("class", Some("kt-number"))], &text),
            Value::Badge(said) => badge(html, said.tone, &said.text),
            Value::Account(_) => html.element("bdi", &[("class", Some("kt-account"))], &text),
            Value::Link(link) => {
                let url = resolved(&link.target, self.frame);
                html.open("a", &[("href", Some(&url))]).element("bdi", &[], &text).close("a")
            }
            Value::Brand => html.element("bdi", &[], &text),
            Value::Contact => match self.frame.brand.help() {
                Some(url) => html.open("a", &[("href", Some(&url))]).element("bdi", &[], &text).close("a"),
                None => html.element("bdi", &[], &text),
            },
        };
    }

    /// The text of a value for this reader; a time that is the first of a sentence begins with a capital.
    pub fn said(&self, value: &Value, first: bool) -> String {
        match value {
            Value::Text(said) | Value::Code(said) => said.clone(),
            Value::Time(at) => {
                let text = self.words.time(*at, self.frame.now, &self.frame.zone);
                let mut chars = text.chars();
                match chars.next() {
                    Some(letter) if first => letter.to_uppercase().chain(chars).collect(),
                    _ => text,
                }
            }
            Value::Duration(seconds) => self.words.duration(u64::from(*seconds)),
            Value::Number(number) => self.words.number(*number),
            Value::Badge(badge) => badge.text.clone(),
            Value::Account(shown) => (self.frame.account)(&shown.account, shown.show)
                .unwrap_or_else(|| self.words.get("not-shown").to_owned()),
            Value::Link(link) => link.text.clone(),
            Value::Brand => self.frame.brand.name.clone(),
            Value::Contact => self.frame.brand.contact.clone(),
        }
    }

    /// A sentence without markup, for a page's title.
    pub fn plain(&self, sentence: &[Value]) -> String {
        let pieces = sentence.iter().enumerate().map(|(at, value)| {
            let before = if matches!(value, Value::Badge(_)) { " " } else { "" };
            format!("{before}{}", self.said(value, at == 0))
        });
        pieces.collect::<String>().chars().filter(|c| !dropped(*c)).collect()
    }

    /// The address of a target.
    pub fn url(&self, target: &Target) -> String {
        resolved(target, self.frame)
    }
}

fn resolved(target: &Target, frame: &Frame<'_>) -> String {
    match target {
        Target::Page(page) if page.subject.is_none() => {
            let subject = frame.place.subject().map(ToString::to_string);
            frame.surface.links.url(frame.plugin, &Target::Page(PageTarget { subject, ..page.clone() }))
        }
        target => frame.surface.links.url(frame.plugin, target),
    }
}

/// A word on a tint, with a dot, so that no state depends on colour alone.
pub fn badge<'h>(html: &'h mut Html, tone: Tone, text: &str) -> &'h mut Html {
    let class = format!("kt-badge kt-{}", self::tone(tone));
    html.element("span", &[("class", Some(&class))], text)
}

/// An email address. If there is no room for it in a line, it breaks before its `@`.
pub fn address(address: &str) -> Markup {
    let (local, domain) = address.rfind('@').map_or((address, ""), |at| address.split_at(at));
    let mut html = Html::new();
    html.open("bdi", &[("class", Some("kt-address")), ("dir", Some("ltr"))]).text(local);
    if !domain.is_empty() {
        html.open("wbr", &[]).text(domain);
    }
    html.close("bdi").done()
}

/// A tone's name in classes.
pub fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Info => "info",
        Tone::Success => "success",
        Tone::Warning => "warning",
        Tone::Danger => "danger",
        Tone::Off => "off",
    }
}

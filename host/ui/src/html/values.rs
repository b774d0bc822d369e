//! Sentences: values one after another, as HTML and as plain text.

use super::nodes::Painter;
use super::{Html, Markup, dropped};
use crate::frame::Frame;
use keyturn_contract::keyturn::ui::nodes::{Badge, PageTarget, ShownAccount, Target, Tone, Value};

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
        match value {
            Value::Text(text) => {
                self.html.text(text);
            }
            Value::Code(code) => {
                self.html.element("code", &[("dir", Some("ltr"))], code);
            }
            Value::Time(at) => self.time(*at, first, alone),
            Value::Duration(seconds) => {
                let text = self.words.duration(u64::from(*seconds));
                self.html.text(&text);
            }
            Value::Number(number) => {
                let text = self.words.number(*number);
                self.html.element("span", &[("class", Some("kt-number"))], &text);
            }
            Value::Badge(said) => {
                badge(&mut self.html, said);
            }
            Value::Account(shown) => {
                let text = self.account(shown);
                self.html.element("bdi", &[("class", Some("kt-account"))], &text);
            }
            Value::Link(link) => {
                let url = self.url(&link.target);
                self.html.open("a", &[("href", Some(&url))]).element("bdi", &[], &link.text).close("a");
            }
            Value::Brand => {
                let brand = self.frame.brand;
                self.html.element("bdi", &[], brand);
            }
            Value::Contact => self.contact(),
        }
    }

    fn time(&mut self, at: i64, first: bool, alone: bool) {
        let text = self.written(at, first);
        match self.words.moment(at, &self.frame.zone) {
            Some((iso, long)) => {
                let ago = alone.then_some("");
                let attributes = [("datetime", Some(iso.as_str())), ("title", Some(&long)), ("data-kt-ago", ago)];
                self.html.element("time", &attributes, &text);
            }
            None => {
                self.html.text(&text);
            }
        }
    }

    fn written(&self, at: i64, first: bool) -> String {
        let text = self.words.time(at, self.frame.now, &self.frame.zone);
        let mut chars = text.chars();
        match chars.next() {
            Some(letter) if first => letter.to_uppercase().chain(chars).collect(),
            _ => text,
        }
    }

    fn account(&self, shown: &ShownAccount) -> String {
        (self.frame.account)(&shown.account, shown.show).unwrap_or_else(|| self.words.get("not-shown").to_owned())
    }

    fn contact(&mut self) {
        match self.frame.contact {
            Some(contact) => match contact.mail {
                Some(mail) => {
                    let url = format!("mailto:{mail}");
                    self.html.open("a", &[("href", Some(&url))]).element("bdi", &[], contact.text).close("a");
                }
                None => {
                    self.html.element("bdi", &[], contact.text);
                }
            },
            None => {
                let nobody = self.words.get("contact-none");
                self.html.text(nobody);
            }
        }
    }

    /// A sentence without markup, for a page's title.
    #[must_use]
    pub fn plain(&self, sentence: &[Value]) -> String {
        let mut text = String::new();
        for (at, value) in sentence.iter().enumerate() {
            match value {
                Value::Text(said) | Value::Code(said) => text.push_str(said),
                Value::Time(time) => text.push_str(&self.written(*time, at == 0)),
                Value::Duration(seconds) => text.push_str(&self.words.duration(u64::from(*seconds))),
                Value::Number(number) => text.push_str(&self.words.number(*number)),
                Value::Badge(badge) => {
                    text.push(' ');
                    text.push_str(&badge.text);
                }
                Value::Account(shown) => text.push_str(&self.account(shown)),
                Value::Link(link) => text.push_str(&link.text),
                Value::Brand => text.push_str(self.frame.brand),
                Value::Contact => {
                    text.push_str(self.frame.contact.map_or(self.words.get("contact-none"), |contact| contact.text));
                }
            }
        }
        text.chars().filter(|c| !dropped(*c)).collect()
    }

    /// The address of a target.
    #[must_use]
    pub fn url(&self, target: &Target) -> String {
        resolved(target, self.frame)
    }
}

fn resolved(target: &Target, frame: &Frame<'_>) -> String {
    match target {
        Target::Page(page) if page.subject.is_none() => {
            let subject = frame.place.subject().map(ToString::to_string);
            let page = PageTarget { page: page.page.clone(), subject, arguments: page.arguments.clone() };
            frame.links.url(frame.plugin, &Target::Page(page))
        }
        target => frame.links.url(frame.plugin, target),
    }
}

/// A word on a tint, with a dot, so that no state depends on colour alone.
pub fn badge(html: &mut Html, badge: &Badge) {
    let class = format!("kt-badge kt-{}", tone(badge.tone));
    html.element("span", &[("class", Some(&class))], &badge.text);
}

/// An email address. If there is no room for it in a line, it breaks before its `@`.
#[must_use]
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
#[must_use]
pub fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Info => "info",
        Tone::Success => "success",
        Tone::Warning => "warning",
        Tone::Danger => "danger",
        Tone::Off => "off",
    }
}

//! Nodes, and the sections that headings open.

use sha2::{Digest as _, Sha256};

use super::values::tone;
use super::{Attribute, Html, Markup, icon};
use crate::form::posted::Corrections;
use crate::frame::Frame;
use keyturn_contract::keyturn::ui::nodes::{Action, Code, Fact, Intent, Node, Notice, Outcome, Run, Tone, Value};
use keyturn_core::seal;
use keyturn_core::words::Words;

/// Draws for one frame.
pub struct Painter<'f> {
    /// What surrounds it.
    pub frame: &'f Frame<'f>,
    /// The reader's language.
    pub words: Words,
    /// The HTML so far.
    pub html: Html,
    /// The beginning of each id: the same for the same place at each drawing, another for another region of the page.
    pub prefix: String,
    /// Number of ids so far.
    pub count: usize,
    /// Corrections that no form has taken yet.
    pub corrections: Vec<&'f Corrections>,
    /// If the form being drawn is a part of another: the beginning of its inputs' names.
    pub part: String,
    /// For the summary: the problem, and its place if it has one.
    pub errors: Vec<(Option<String>, String)>,
    /// The page as a whole is about one email: a section about that email doesn't link to its page, and is not refreshed alone.
    pub of_mail: bool,
    level: u8,
}

impl<'f> Painter<'f> {
    /// Begins a drawing whose sections have headings of `level`.
    pub fn new(frame: &'f Frame<'f>, level: u8) -> Self {
        let mut digest = Sha256::new();
        for part in [frame.plugin].into_iter().chain(frame.place.identity()) {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        Self {
            frame,
            words: Words::of(&frame.surface.caller.locale),
            html: Html::new(),
            prefix: format!("k{}", &seal::hex(&digest.finalize())[..8]),
            count: 0,
            corrections: frame
                .surface
                .corrections
                .map(|corrections| corrections.standing_in(frame.plugin, &frame.place))
                .unwrap_or_default(),
            part: String::new(),
            errors: Vec::new(),
            of_mail: false,
            level,
        }
    }

    /// A fresh id.
    pub fn id(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.prefix, self.count)
    }

    /// Draws nodes; each heading opens a section.
    pub fn sections(&mut self, nodes: &[Node]) {
        self.html.class("div", "kt-sections");
        let mut rest = nodes;
        while let Some((first, after)) = rest.split_first() {
            let heading = if let Node::Heading(text) = first { Some(text.as_str()) } else { None };
            let end = after.iter().position(|node| matches!(node, Node::Heading(_))).unwrap_or(after.len());
            self.section(if heading.is_some() { &after[..end] } else { &rest[..=end] }, heading);
            rest = &after[end..];
        }
        self.html.close("div");
    }

    fn section(&mut self, nodes: &[Node], heading: Option<&str>) {
        // A table and a notice have edges of their own; a card around only one of them would be a frame in a frame.
        let framed = |node: &Node| matches!(node, Node::Table(_) | Node::Notice(_));
        let carded = |node: &Node| matches!(node, Node::Form(_) | Node::Facts(_) | Node::Code(_) | Node::Delivery(_));
        let bare = match heading {
            Some(_) => !nodes.is_empty() && nodes.iter().all(framed),
            None => !nodes.iter().any(carded),
        };
        let narrow = !nodes.is_empty() && nodes.iter().all(|node| matches!(node, Node::Facts(_)));
        let class = match (bare, narrow) {
            (true, _) => "kt-section",
            (false, true) => "kt-section kt-card kt-half",
            (false, false) => "kt-section kt-card",
        };
        let delivery =
            nodes.iter().find_map(|node| if let Node::Delivery(delivery) = node { Some(delivery) } else { None });
        let delivery = delivery.filter(|_| !self.of_mail);
        let mail = delivery.and_then(|delivery| Some((delivery, (self.frame.mail)(&delivery.mail)?)));
        // It is refreshed when the email's state changes; but then nothing can be typed in it.
        let live = mail.as_ref().filter(|_| !nodes.iter().any(|node| matches!(node, Node::Form(_))));
        let live = live.map(|(delivery, mail)| (delivery.mail.as_str(), self.stands(mail), mail));
        let [id_of_mail, stands, bad] =
            live.as_ref().map_or([("", None); 3], |(id, stands, mail)| Self::live(id, stands, mail));
        let id = heading.map(|_| self.id());
        let element = if heading.is_some() { "section" } else { "div" };
        let attributes = [("class", Some(class)), ("aria-labelledby", id.as_deref()), id_of_mail, stands, bad];
        self.html.open(element, &attributes);
        let beside = heading.is_some() && mail.is_some();
        if beside {
            self.html.class("div", "kt-heading");
        }
        if let Some(text) = heading {
            self.html.element(if self.level == 2 { "h2" } else { "h3" }, &[("id", id.as_deref())], text);
        }
        if let Some((delivery, mail)) = &mail {
            self.delivery_actions(delivery, mail);
        }
        if beside {
            self.html.close("div");
        }
        nodes.iter().for_each(|node| self.node(node));
        self.html.close(element);
    }

    /// Opens a section with a heading of its own.
    pub fn open_section(&mut self, class: &str, heading: &str) {
        let id = self.id();
        let attributes = [("class", Some(class)), ("aria-labelledby", Some(id.as_str()))];
        self.html.open("section", &attributes).element("h2", &[("id", Some(&id))], heading);
    }

    fn node(&mut self, node: &Node) {
        match node {
            // Sections have taken them all.
            Node::Heading(_) => {}
            Node::Text(sentence) => self.paragraph("kt-text", sentence),
            Node::Notice(said) => self.notice(said),
            Node::Facts(facts) => self.facts(facts),
            Node::Table(table) => self.table(table),
            Node::Form(form) => self.form(form),
            Node::Actions(actions) => self.actions(actions),
            Node::Delivery(delivery) => self.delivery(delivery),
            Node::Code(code) => self.code(code),
        }
    }

    /// A paragraph of one sentence.
    pub fn paragraph(&mut self, class: &str, sentence: &[Value]) {
        self.html.class("p", class);
        self.sentence(sentence);
        self.html.close("p");
    }

    /// A banner.
    pub fn notice(&mut self, said: &Notice) {
        banner_open(&mut self.html, said.tone, &said.title, &[], self.words);
        if !said.body.is_empty() {
            self.paragraph("kt-text", &said.body);
        }
        if !said.actions.is_empty() {
            self.actions(&said.actions);
        }
        banner_close(&mut self.html);
    }

    /// What was just done; announced.
    pub fn outcome(&mut self, said: &Outcome) {
        let mail = said.mail.as_deref().and_then(|mail| (self.frame.mail)(mail));
        // A plugin's success is not shown as one if its email has failed, or a server has already delayed it.
        let (tone, failure) = match (&mail, said.tone) {
            (Some(mail), _) if mail.failed() => (Tone::Danger, Some(self.words.get(Self::failure(mail)))),
            (Some(mail), Tone::Success) if mail.troubled() => (Tone::Info, None),
            (_, tone) => (tone, None),
        };
        let about = mail.as_ref().and(said.mail.as_deref()).filter(|_| tone == Tone::Success);
        let attributes = [role(tone), ("data-kt-mail", about)];
        banner_open(&mut self.html, tone, failure.unwrap_or(&said.title), &attributes, self.words);
        if failure.is_some() {
            self.html.class("p", "kt-text").text(&said.title).text(".").close("p");
        }
        if !said.body.is_empty() {
            self.paragraph("kt-text", &said.body);
        }
        if let Some(mail) = mail {
            self.became(&mail);
        }
        banner_close(&mut self.html);
    }

    fn facts(&mut self, facts: &[Fact]) {
        self.html.class("dl", "kt-facts");
        for fact in facts {
            self.html.open("div", &[]).element("dt", &[], &fact.label).open("dd", &[]);
            self.cell(&fact.value);
            self.html.close("dd").close("div");
        }
        self.html.close("dl");
    }

    /// Something to copy.
    pub fn code(&mut self, code: &Code) {
        let id = self.id();
        let class = if code.secret { "kt-code kt-secret" } else { "kt-code" };
        self.html.open("div", &[("class", Some(class)), ("role", Some("group")), ("aria-labelledby", Some(&id))]);
        self.html.element("p", &[("class", Some("kt-label")), ("id", Some(&id))], &code.label);
        if code.secret {
            let once = self.words.get("code-once");
            self.html.element("p", &[("class", Some("kt-hint"))], once);
        }
        self.html.open("pre", &[("dir", Some("ltr")), ("data-kt-copy", Some(""))]);
        for line in &code.lines {
            // Blocks, not line breaks: a break in a line is a space, here as everywhere.
            self.html.element("code", &[], line);
        }
        self.html.close("pre").close("div");
    }

    /// A row of buttons and links.
    pub fn actions(&mut self, actions: &[Action]) {
        self.html.class("div", "kt-actions");
        self.row_actions(actions);
        self.html.close("div");
    }

    /// The same without the row around it.
    pub fn row_actions(&mut self, actions: &[Action]) {
        for action in actions {
            self.action(action);
        }
    }

    /// A button or a link.
    pub fn action(&mut self, action: &Action) {
        let class = button(action.intent);
        match (&action.unavailable, &action.run) {
            (Some(reason), _) => {
                self.html.class("p", "kt-unavailable").element("strong", &[], &action.label).text(": ");
                self.sentence(reason);
                self.html.close("p");
            }
            (None, Run::Go(target)) => {
                let url = self.url(target);
                self.html.element("a", &[("class", Some(class)), ("href", Some(&url))], &action.label);
            }
            (None, Run::Submit(submission)) => {
                self.open_form(submission, &[], &[], "kt-inline");
                self.html.element("button", &[("class", Some(class)), ("type", Some("submit"))], &action.label);
                self.html.close("form");
            }
        }
    }

    /// The line that names the author of these texts.
    pub fn origin(&mut self) {
        if !self.frame.speaks_for_panel {
            let line = self.words.fill("from-plugin", &[("name", self.frame.plugin)]);
            self.html.element("p", &[("class", Some("kt-from"))], &line);
        }
    }

    /// The error summary; empty if nothing was wrong. Corrections that no form took are in it too: what the reader must know
    /// does not depend on the plugin drawing the same form again.
    pub fn summary(&mut self) -> Summary {
        for corrections in std::mem::take(&mut self.corrections) {
            self.errors.extend(corrections.message.iter().map(|message| (None, message.clone())));
            self.errors.extend(corrections.errors.iter().map(|error| (None, error.message.clone())));
        }
        Summary(std::mem::take(&mut self.errors))
    }
}

/// The errors of a page or of its regions: drawn once, before the h1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary(Vec<(Option<String>, String)>);

impl Summary {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, message)| message.as_str())
    }

    /// Adds the errors of another part of the page.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Draws it, each error with a link to its field, if it has one; nothing if there are none.
    pub fn draw(&self, words: Words) -> Markup {
        let mut html = Html::new();
        if self.is_empty() {
            return html.done();
        }
        let attributes =
            [("class", Some("kt-notice kt-danger kt-summary")), ("role", Some("alert")), ("tabindex", Some("-1"))];
        html.open("div", &attributes).literal(icon::ALERT).class("div", "kt-notice-body");
        html.element("p", &[("class", Some("kt-notice-title"))], words.get("problem-title")).class("ul", "kt-problems");
        for (id, message) in &self.0 {
            html.open("li", &[]);
            match id {
                Some(id) => html.element("a", &[("href", Some(&format!("#{id}")))], message),
                None => html.text(message),
            };
            html.close("li");
        }
        html.close("ul").close("div").close("div").done()
    }
}

/// Opens a banner: mark, tone in words for people who can't see it, title.
pub fn banner_open(html: &mut Html, said: Tone, title: &str, attributes: &[Attribute<'_>], words: Words) {
    let class = format!("kt-notice kt-{}", tone(said));
    html.open("div", &[&[("class", Some(class.as_str()))], attributes].concat());
    html.literal(match said {
        Tone::Success => icon::CHECK,
        Tone::Info | Tone::Off => icon::INFO,
        Tone::Warning | Tone::Danger => icon::ALERT,
    });
    html.class("div", "kt-notice-body").class("p", "kt-notice-title");
    if said != Tone::Off {
        html.element("span", &[("class", Some("kt-hidden"))], words.get(&format!("tone-{}", tone(said)))).text(" ");
    }
    html.text(title).close("p");
}

/// The role of what is announced.
pub fn role(tone: Tone) -> Attribute<'static> {
    ("role", Some(if matches!(tone, Tone::Danger | Tone::Warning) { "alert" } else { "status" }))
}

/// Closes it.
pub fn banner_close(html: &mut Html) {
    html.close("div").close("div");
}

/// A button's classes.
pub fn button(intent: Intent) -> &'static str {
    match intent {
        Intent::Primary => "kt-button kt-primary",
        Intent::Neutral => "kt-button",
        Intent::Danger => "kt-button kt-destroys",
        Intent::Quiet => "kt-button kt-quiet",
    }
}

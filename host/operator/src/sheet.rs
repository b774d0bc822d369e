//! The parts of an operator's page, in the nodes that plugins use, and how they are drawn. Apart from nodes there are only the
//! parts that a list of thousands and a long form need: rows with small print, filters, a search, links to older rows, fields
//! in groups.

use super::page::Asked;
use keyturn_ui::form::ALSO;
use keyturn_ui::html::nodes::{Painter, button};
use keyturn_ui::html::{Html, Markup, dropped, values};
use keyturn_ui::nodes::{
    Action, Badge, ColumnKind, Empty, Field, Intent, Node, Notice, Outcome, Submission, Target, Value,
};
use keyturn_ui::shell::{Heading, Link, parts};
use keyturn_ui::{Delivery, Frame, Page};

/// A sentence, as nodes have it.
pub(super) type Sentence = Vec<Value>;

#[derive(Default)]
pub(super) struct Sheet {
    pub title: String,
    /// After the title.
    pub badge: Option<Badge>,
    /// Above it, and announced: the latest result.
    pub outcome: Option<Outcome>,
    /// Above it.
    pub notices: Vec<Notice>,
    pub search: Option<Search>,
    /// Next to the title.
    pub actions: Vec<Action>,
    pub parts: Vec<Part>,
    /// The email that the page is about: the page is refreshed when its state changes.
    pub live: Option<(String, Delivery)>,
}

/// A search by the page's address.
pub(super) struct Search {
    pub label: String,
    pub typed: String,
    /// The page, with the parameters that stay.
    pub page: Target,
}

pub(super) enum Part {
    Nodes(Vec<Node>),
    List(Box<List>),
    Fields(Fields),
}

/// Rows of which there may be millions.
pub(super) struct List {
    pub heading: Option<String>,
    pub lead: Sentence,
    pub tabs: Option<Tabs>,
    /// Another filter.
    pub note: Sentence,
    pub caption: String,
    pub columns: Vec<(String, ColumnKind)>,
    pub rows: Vec<ListRow>,
    pub empty: Empty,
    /// How many are shown, and links to others, or a button for all of them.
    pub foot: Option<(String, Vec<Action>)>,
}

pub(super) struct ListRow {
    pub cells: Vec<Vec<Line>>,
    pub actions: Vec<Action>,
}

/// One line of a cell.
pub(super) enum Line {
    Plain(Sentence),
    Small(Sentence),
    /// Small, and never broken.
    Figures(Sentence),
    /// An email address.
    Address(String),
    Points(Vec<Sentence>),
}

/// Filters: each with its label, its address, whether it is the current one, and its number of rows.
pub(super) struct Tabs {
    pub label: String,
    pub items: Vec<(String, Target, bool, Option<i64>)>,
}

/// A form with groups of fields, each with a heading.
pub(super) struct Fields {
    pub submit: Submission,
    pub hidden: Vec<Field>,
    pub groups: Vec<FieldsGroup>,
    /// The label of the form's own button, which Enter presses: it is before the first group that has one.
    pub label: Option<String>,
    pub cancel: Option<Target>,
    /// Which required fields are asked for before the page sees the form.
    pub checked: fn(&Field) -> bool,
}

pub(super) struct FieldsGroup {
    pub heading: String,
    pub lead: Sentence,
    pub fields: Vec<Field>,
    /// Another button of the form, and its name in [`ALSO`].
    pub also: Option<(String, &'static str)>,
}

impl Sheet {
    pub(super) fn draw(&self, frame: &Frame<'_>) -> Page {
        let mut painter = Painter::new(frame, 2);
        painter.of_mail = self.live.is_some();
        let actions = self.actions(&mut painter);
        painter.html.class("div", "kt-sections");
        for part in &self.parts {
            match part {
                Part::Nodes(nodes) => painter.sections(nodes),
                Part::List(list) => list.draw(&mut painter),
                Part::Fields(fields) => fields.draw(&mut painter),
            }
        }
        painter.html.close("div");
        let mut page = whole(&mut painter, &self.title, self.badge.as_ref(), &actions);
        if let Some((id, mail)) = &self.live {
            // Badge, buttons and texts all depend on its state.
            let said = painter.stands(mail);
            let mut live = Html::new();
            live.open("div", &Painter::live(id, &said, mail)).markup(&page.html).close("div");
            page.html = live.done();
        }
        self.outcome.iter().for_each(|outcome| painter.outcome(outcome));
        self.notices.iter().for_each(|notice| painter.notice(notice));
        Page { html: painter.html.markup(&page.html).done(), ..page }
    }

    fn actions(&self, painter: &mut Painter<'_>) -> Markup {
        if let Some(Search { label, typed, page }) = &self.search {
            let search = parts::search(&painter.url(page), label, typed, painter.words);
            painter.html.markup(&search);
        }
        if let Some((_, mail)) = &self.live {
            painter.again(mail);
        }
        painter.row_actions(&self.actions);
        painter.html.done()
    }
}

/// The contents of `painter`, under the page's summary and heading.
pub(super) fn whole(painter: &mut Painter<'_>, title: &str, badge: Option<&Badge>, actions: &Markup) -> Page {
    let body = painter.html.done();
    let summary = painter.summary().draw(painter.words);
    let prefix = if summary.is_empty() { "" } else { painter.words.get("error-prefix") };
    let badge = badge.map(|badge| (badge.tone, badge.text.as_str()));
    let html = &mut painter.html;
    html.markup(&summary);
    Heading { text: title, badge, actions }.draw(html);
    html.markup(&body);
    let plain: String = title.chars().filter(|c| !dropped(*c)).collect();
    Page { title: format!("{prefix}{plain}"), html: html.done() }
}

impl List {
    /// Rows, and nothing around them; columns by the keys of their labels.
    pub(super) fn of(
        asked: &Asked<'_>,
        caption: &str,
        columns: &[(&str, ColumnKind)],
        rows: Vec<ListRow>,
        empty: Empty,
    ) -> Self {
        let columns = columns.iter().map(|(key, kind)| (asked.word(key), *kind)).collect();
        let (heading, lead, tabs, note, foot) = (None, Vec::new(), None, Vec::new(), None);
        Self { heading, lead, tabs, note, caption: asked.word(caption), columns, rows, empty, foot }
    }

    fn draw(&self, painter: &mut Painter<'_>) {
        self.head(painter);
        let columns: Vec<_> = self.columns.iter().map(|(label, kind)| (label.as_str(), *kind, false)).collect();
        let rows = self.rows.iter().map(|row| (&row.cells, &row.actions));
        painter.grid(&self.caption, &columns, rows, &self.empty, |painter, lines| cell(lines, painter));
        self.foot(painter);
        painter.html.close(if self.heading.is_some() { "section" } else { "div" });
    }

    fn head(&self, painter: &mut Painter<'_>) {
        match &self.heading {
            Some(heading) => painter.open_section("kt-section", heading),
            None => _ = painter.html.class("div", "kt-section"),
        }
        if !self.lead.is_empty() {
            painter.paragraph("kt-text", &self.lead);
        }
        if let Some(tabs) = &self.tabs {
            let urls: Vec<String> = tabs.items.iter().map(|(_, target, ..)| painter.url(target)).collect();
            let items = tabs.items.iter().zip(&urls);
            let items: Vec<_> =
                items.map(|((label, _, current, count), url)| (Link { label, url }, *current, *count)).collect();
            painter.html.markup(&parts::tabs(&tabs.label, &items, painter.words));
        }
        if !self.note.is_empty() {
            painter.paragraph("kt-text", &self.note);
        }
    }

    /// By cursor: ten million rows have no page 400,000.
    fn foot(&self, painter: &mut Painter<'_>) {
        let Some((shown, actions)) = &self.foot else { return };
        let label = painter.words.get("pages");
        painter.html.open("nav", &[("class", Some("kt-paging")), ("aria-label", Some(label))]);
        painter.html.element("p", &[], shown);
        painter.actions(actions);
        painter.html.close("nav");
    }
}

fn cell(lines: &[Line], painter: &mut Painter<'_>) {
    for line in lines {
        match line {
            Line::Plain(sentence) => painter.cell(sentence),
            Line::Small(sentence) => painter.paragraph("kt-hint", sentence),
            Line::Figures(sentence) => painter.paragraph("kt-hint kt-times", sentence),
            Line::Address(address) => {
                painter.html.class("p", "kt-hint").markup(&values::address(address)).close("p");
            }
            Line::Points(points) => painter.points(points),
        }
    }
}

impl Fields {
    fn draw(&self, painter: &mut Painter<'_>) {
        let fields = self.groups.iter().flat_map(|group| &group.fields).chain(&self.hidden);
        let asked_for = |field: &Field| field.required && (self.checked)(field);
        let sealed: Vec<Field> = fields.map(|field| Field { required: asked_for(field), ..field.clone() }).collect();
        let also: Vec<&str> = self.groups.iter().filter_map(|group| Some(group.also.as_ref()?.1)).collect();
        let corrections = painter.corrections_of(&self.submit);
        painter.open_form(&self.submit, &sealed, &also, "kt-sections");
        let mut label = self.label.as_ref();
        for FieldsGroup { heading, lead, fields, also } in &self.groups {
            if let Some(label) = label.take_if(|_| also.is_some()) {
                painter.buttons(label, Intent::Primary, &[], self.cancel.as_ref());
            }
            painter.open_section("kt-section kt-card", heading);
            painter.html.class("div", "kt-form");
            if !lead.is_empty() {
                painter.paragraph("kt-hint", lead);
            }
            fields.iter().for_each(|field| painter.field(field, corrections));
            if let Some((label, name)) = also {
                let attributes =
                    [("class", button(Intent::Neutral)), ("type", "submit"), ("name", ALSO), ("value", name)];
                let attributes = attributes.map(|(name, value)| (name, Some(value)));
                painter.html.class("div", "kt-buttons").element("button", &attributes, label).close("div");
            }
            painter.html.close("div").close("section");
        }
        if let Some(label) = label {
            painter.buttons(label, Intent::Primary, &[], self.cancel.as_ref());
        }
        painter.html.close("form");
    }
}

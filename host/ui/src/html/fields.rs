//! Fields: label, hint, error, input, and what browsers and password managers learn from the kind.

use super::Attribute;
use super::nodes::Painter;
use crate::form::{AGAIN, TICKED};
use crate::{Corrections, FieldError};
use keyturn_contract::keyturn::ui::nodes::{Choice, Code, Field, FieldKind, Line, LineKind, NewPassword};

/// The most options that are drawn as radios; more become a list.
const RADIOS: usize = 5;

/// What is typed is left as it was typed.
pub const VERBATIM: [Attribute<'static>; 2] = [("autocapitalize", Some("none")), ("spellcheck", Some("false"))];

/// What the browser learns about a line.
fn manner(kind: LineKind, own: bool) -> [Attribute<'static>; 5] {
    let (kind, autocomplete, inputmode, autocapitalize) = match kind {
        LineKind::Plain => ("text", "off", None, "none"),
        LineKind::Username => ("text", "username", None, "none"),
        LineKind::Email => ("email", "email", Some("email"), "none"),
        LineKind::Url => ("url", "url", Some("url"), "none"),
        LineKind::PersonName => ("text", "name", None, "words"),
        LineKind::Organisation => ("text", "organization", None, "words"),
        LineKind::HostName => ("text", "off", Some("url"), "none"),
        LineKind::Port => ("text", "off", Some("numeric"), "none"),
    };
    [
        ("type", Some(kind)),
        ("autocomplete", Some(if own { autocomplete } else { "off" })),
        ("inputmode", inputmode),
        ("autocapitalize", Some(autocapitalize)),
        ("spellcheck", Some("false")),
    ]
}

/// The parts of one field that its input must name.
pub struct Drawn {
    id: String,
    described: Option<String>,
    wrong: bool,
}

impl Painter<'_> {
    /// Draws a field with what was typed and what is wrong.
    pub fn field(&mut self, field: &Field, corrections: Option<&Corrections>) {
        let errors = corrections.map_or(&[][..], |corrections| &corrections.errors);
        let field = &corrections.map_or_else(|| field.clone(), |corrections| corrections.refilled(field));
        match &field.kind {
            FieldKind::Hidden(_) => {}
            FieldKind::Line(line) => self.line(field, line, errors),
            FieldKind::Fixed(line) => self.fixed(field, line, errors),
            FieldKind::Tick(ticked) => self.tick(field, *ticked, errors),
            FieldKind::Choice(choice) if choice.options.len() <= RADIOS => self.radios(field, choice, errors),
            FieldKind::Choice(choice) => self.select(field, choice, errors),
            FieldKind::CurrentPassword => self.password(field, &field.name, &field.label, None, errors),
            FieldKind::NewPassword(new) => {
                self.password(field, &field.name, &field.label, Some(new), errors);
                if new.repeat {
                    let (name, label) = (format!("{}{AGAIN}", field.name), self.words.get("again"));
                    let second = NewPassword { rate: None, ..new.clone() };
                    self.password(field, &name, label, Some(&second), errors);
                }
                let generated = corrections.and_then(|corrections| corrections.generated.as_ref());
                if let Some(generated) = generated.filter(|generated| generated.field == field.name) {
                    self.code(&Code {
                        label: self.words.get("generated").to_owned(),
                        lines: vec![generated.password.to_string()],
                        secret: true,
                    });
                }
            }
        }
    }

    /// The name of an input in the posted body.
    pub fn input(&self, name: &str) -> String {
        format!("{}{name}", self.part)
    }

    /// Hint and error with their ids; the error is announced first, though the hint comes first.
    fn notes(&mut self, name: &str, hint: Option<&str>, errors: &[FieldError]) -> Drawn {
        let id = self.id();
        let mut described = Vec::new();
        if let Some(hint) = hint {
            let hint_id = format!("{id}-hint");
            self.html.element("p", &[("class", Some("kt-hint")), ("id", Some(&hint_id))], hint);
            described.push(hint_id);
        }
        let wrong: Vec<_> = errors.iter().filter(|error| error.field == name).collect();
        if !wrong.is_empty() {
            let error_id = format!("{id}-error");
            self.html.open("p", &[("class", Some("kt-error")), ("id", Some(&error_id))]).literal(super::icon::ALERT);
            self.html.open("span", &[]);
            self.html.element("span", &[("class", Some("kt-hidden"))], self.words.get("error-hidden"));
            for error in &wrong {
                self.html.text(" ").text(&error.message);
                self.errors.push((Some(id.clone()), error.message.clone()));
            }
            self.html.close("span").close("p");
            described.insert(0, error_id);
        }
        let described = (!described.is_empty()).then(|| described.join(" "));
        Drawn { id, described, wrong: !wrong.is_empty() }
    }

    fn label(&mut self, field: &Field, label: &str) {
        self.html.text(label);
        if !field.required {
            self.html.text(" ").element("span", &[("class", Some("kt-optional"))], self.words.get("optional"));
        }
    }

    fn labelled(&mut self, field: &Field, name: &str, label: &str, hint: Option<&str>, errors: &[FieldError]) -> Drawn {
        self.html.class("div", "kt-field");
        // The id that the notes will get.
        let id = format!("{}-{}", self.prefix, self.count + 1);
        self.html.open("label", &[("class", Some("kt-label")), ("for", Some(&id))]);
        self.label(field, label);
        self.html.close("label");
        self.notes(name, hint, errors)
    }

    /// Opens a control with what all have: the form that it belongs to, where it stands elsewhere; its name, its id and notes.
    fn control(&mut self, element: &'static str, name: &str, drawn: &Drawn, own: &[Attribute<'_>]) {
        let name = (!name.is_empty()).then_some(name);
        let before = [("form", self.frame.surface.join), ("id", Some(drawn.id.as_str())), ("name", name)];
        let invalid = drawn.wrong.then_some("true");
        let notes = [("aria-describedby", drawn.described.as_deref()), ("aria-invalid", invalid)];
        self.html.open(element, &[&before[..], own, &notes].concat());
    }

    fn line(&mut self, field: &Field, line: &Line, errors: &[FieldError]) {
        let drawn = self.labelled(field, &field.name, &field.label, field.hint.as_deref(), errors);
        let size = if line.kind == LineKind::Port { "kt-input kt-short" } else { "kt-input" };
        let own = [("value", Some(line.value.as_str())), ("class", Some(size)), required(field.required)];
        let name = self.input(&field.name);
        self.control("input", &name, &drawn, &[&own[..], &manner(line.kind, field.own)].concat());
        self.html.close("div");
    }

    /// A value about the reader is an input that password managers can read. A value about others is text: otherwise the
    /// browser would store their login as the reader's own. What is sent was sealed, so neither has a name.
    fn fixed(&mut self, field: &Field, line: &Line, errors: &[FieldError]) {
        if field.own {
            let shown = Field { required: true, ..field.clone() };
            let drawn = self.labelled(&shown, &field.name, &field.label, field.hint.as_deref(), errors);
            let own =
                [("class", Some("kt-input kt-fixed")), ("value", Some(line.value.as_str())), ("readonly", Some(""))];
            self.control("input", "", &drawn, &[&own[..], &manner(line.kind, true)].concat());
        } else {
            self.html.class("div", "kt-field").element("p", &[("class", Some("kt-label"))], &field.label);
            let drawn = self.notes(&field.name, field.hint.as_deref(), errors);
            self.html.open("p", &[("id", Some(&drawn.id))]).element("bdi", &[], &line.value).close("p");
        }
        self.html.close("div");
    }

    fn tick(&mut self, field: &Field, ticked: bool, errors: &[FieldError]) {
        self.html.class("div", "kt-field");
        let drawn = self.notes(&field.name, None, errors);
        let hint_id = field.hint.as_ref().map(|_| format!("{}-hint", drawn.id));
        let described: Vec<&str> = drawn.described.iter().chain(&hint_id).map(String::as_str).collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        let drawn = Drawn { described, ..drawn };
        let name = self.input(&field.name);
        let own = [("value", Some(TICKED)), ("type", Some("checkbox")), ("checked", ticked.then_some(""))];
        self.ticked(&name, &drawn, &own, &field.label, field.hint.as_deref().zip(hint_id.as_deref()));
        self.html.close("div");
    }

    /// A box or circle, its label beside it, and a hint of that id below.
    fn ticked(&mut self, name: &str, drawn: &Drawn, own: &[Attribute<'_>], label: &str, hint: Option<(&str, &str)>) {
        self.html.class("div", "kt-tick");
        self.control("input", name, drawn, own);
        self.html.element("label", &[("for", Some(&drawn.id))], label);
        if let Some((hint, id)) = hint {
            self.html.element("p", &[("class", Some("kt-hint")), ("id", Some(id))], hint);
        }
        self.html.close("div");
    }

    fn radios(&mut self, field: &Field, choice: &Choice, errors: &[FieldError]) {
        // The fieldset names its notes, which are inside it: draw them first, and put them after the legend.
        let before = self.html.done();
        let drawn = self.notes(&field.name, field.hint.as_deref(), errors);
        let notes = self.html.done();
        self.html.markup(&before).open(
            "fieldset",
            &[
                ("class", Some("kt-field")),
                ("role", Some("radiogroup")),
                ("aria-describedby", drawn.described.as_deref()),
                ("aria-invalid", drawn.wrong.then_some("true")),
                required(field.required),
            ],
        );
        self.html.class("legend", "kt-label");
        self.label(field, &field.label);
        self.html.close("legend").markup(&notes);
        let name = self.input(&field.name);
        for (at, option) in choice.options.iter().enumerate() {
            // The first one has the field's own id, so the summary leads to it.
            let id = if at == 0 { drawn.id.clone() } else { format!("{}-{at}", drawn.id) };
            let hint_id = option.hint.is_some().then(|| format!("{id}-about"));
            let checked = (choice.value.as_ref() == Some(&option.value)).then_some("");
            let own = [("value", Some(option.value.as_str())), ("type", Some("radio")), ("checked", checked)];
            let hint = option.hint.as_deref().zip(hint_id.as_deref());
            let one = Drawn { id, described: hint_id.clone(), wrong: false };
            self.ticked(&name, &one, &own, &option.label, hint);
        }
        self.html.close("fieldset");
    }

    fn select(&mut self, field: &Field, choice: &Choice, errors: &[FieldError]) {
        let drawn = self.labelled(field, &field.name, &field.label, field.hint.as_deref(), errors);
        let name = self.input(&field.name);
        self.control("select", &name, &drawn, &[("class", Some("kt-input")), required(field.required)]);
        if choice.value.is_none() || !field.required {
            self.html.element("option", &[("value", Some(""))], self.words.get("choose"));
        }
        for option in &choice.options {
            let selected = (choice.value.as_ref() == Some(&option.value)).then_some("");
            self.html.element("option", &[("value", Some(&option.value)), ("selected", selected)], &option.label);
        }
        self.html.close("select").close("div");
    }

    fn password(&mut self, field: &Field, name: &str, label: &str, new: Option<&NewPassword>, errors: &[FieldError]) {
        let hint = field.hint.as_deref().filter(|_| name == field.name);
        let drawn = self.labelled(field, name, label, hint, errors);
        let rules = new.map(|new| new.rules.clone().unwrap_or_else(|| format!("minlength: {};", new.min_length)));
        let toggle = |deed: &str| match name == field.name {
            true => self.words.fill(&format!("{deed}-name"), &[("label", &within(label))]),
            false => self.words.get(&format!("{deed}-again")).to_owned(),
        };
        let (show, hide) = (toggle("show"), toggle("hide"));
        let rate = new.and_then(|new| new.rate.as_ref()).map(|_| field.name.as_str());
        let name = self.input(name);
        let own = [
            ("class", Some("kt-input")),
            ("type", Some("password")),
            ("autocomplete", Some(if new.is_some() { "new-password" } else { "current-password" })),
            ("passwordrules", rules.as_deref()),
            // A part of a larger form may be left unchanged.
            required(field.required && self.frame.surface.join.is_none()),
            ("data-kt-show", Some(&show)),
            ("data-kt-hide", Some(&hide)),
            ("data-kt-rate", rate),
        ];
        self.html.class("div", "kt-password");
        self.control("input", &name, &drawn, &[&own[..], &VERBATIM].concat());
        self.html.close("div").close("div");
    }
}

fn required(required: bool) -> Attribute<'static> {
    ("aria-required", required.then_some("true"))
}

/// A label within a sentence: "New password" gets a small letter, "API key" doesn't.
fn within(label: &str) -> String {
    let mut chars = label.chars();
    match (chars.next(), label.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => label.to_owned(),
    }
}

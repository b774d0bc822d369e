//! Fields: label, hint, error, input, and what browsers and password managers learn from the kind.

use super::nodes::Painter;
use crate::form::{AGAIN, TICKED, TypedValue};
use crate::{Corrections, FieldError};
use keyturn_contract::keyturn::ui::nodes::{Choice, Code, Field, FieldKind, Line, LineKind, NewPassword};

/// The most options that are drawn as radios; more become a list.
const RADIOS: usize = 5;

/// What the browser learns about a line.
struct Manner {
    kind: &'static str,
    autocomplete: &'static str,
    inputmode: Option<&'static str>,
    autocapitalize: &'static str,
}

fn manner(kind: LineKind, own: bool) -> Manner {
    let of = |kind, autocomplete, inputmode, autocapitalize| Manner {
        kind,
        autocomplete: if own { autocomplete } else { "off" },
        inputmode,
        autocapitalize,
    };
    match kind {
        LineKind::Plain => of("text", "off", None, "none"),
        LineKind::Username => of("text", "username", None, "none"),
        LineKind::Email => of("email", "email", Some("email"), "none"),
        LineKind::Url => of("url", "url", Some("url"), "none"),
        LineKind::PersonName => of("text", "name", None, "words"),
        LineKind::Organisation => of("text", "organization", None, "words"),
        LineKind::HostName => of("text", "off", Some("url"), "none"),
        LineKind::Port => of("text", "off", Some("numeric"), "none"),
    }
}

/// The parts of one field that its input must name.
pub struct Drawn {
    id: String,
    described: Option<String>,
    wrong: bool,
}

impl Drawn {
    /// Whether an error of this name has a place at this field.
    #[must_use]
    pub fn shows(field: &Field, name: &str) -> bool {
        match &field.kind {
            FieldKind::Hidden(_) => false,
            FieldKind::NewPassword(new) if new.repeat && name.strip_suffix(AGAIN) == Some(&field.name) => true,
            _ => field.name == name,
        }
    }

    fn invalid(&self) -> Option<&'static str> {
        self.wrong.then_some("true")
    }
}

impl Painter<'_> {
    /// Draws a field with what was typed and what is wrong.
    pub fn field(&mut self, field: &Field, corrections: Option<&Corrections>) {
        let errors = corrections.map_or(&[][..], |corrections| &corrections.errors);
        let typed = corrections.and_then(|corrections| corrections.typed(&field.name));
        match &field.kind {
            FieldKind::Hidden(_) => {}
            FieldKind::Line(line) => self.line(field, line, typed, errors),
            FieldKind::Fixed(line) => self.fixed(field, line, errors),
            FieldKind::Tick(ticked) => {
                self.tick(field, TypedValue::in_tick(typed, *ticked), errors);
            }
            FieldKind::Choice(choice) => {
                let chosen = TypedValue::in_choice(typed, corrections.is_some(), choice.value.as_deref());
                if choice.options.len() <= RADIOS {
                    self.radios(field, choice, chosen, errors);
                } else {
                    self.select(field, choice, chosen, errors);
                }
            }
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
            let hidden = self.words.get("error-hidden");
            self.html.open("span", &[]).element("span", &[("class", Some("kt-hidden"))], hidden);
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
            let optional = self.words.get("optional");
            self.html.text(" ").element("span", &[("class", Some("kt-optional"))], optional);
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

    fn line(&mut self, field: &Field, line: &Line, typed: Option<&TypedValue>, errors: &[FieldError]) {
        let drawn = self.labelled(field, &field.name, &field.label, field.hint.as_deref(), errors);
        let value = TypedValue::in_line(typed, &line.value);
        let manner = manner(line.kind, field.own);
        let size = if line.kind == LineKind::Port { "kt-input kt-short" } else { "kt-input" };
        let name = self.input(&field.name);
        self.html.open(
            "input",
            &[
                ("form", self.frame.join),
                ("class", Some(size)),
                ("type", Some(manner.kind)),
                ("id", Some(&drawn.id)),
                ("name", Some(&name)),
                ("value", Some(value)),
                ("autocomplete", Some(manner.autocomplete)),
                ("inputmode", manner.inputmode),
                ("autocapitalize", Some(manner.autocapitalize)),
                ("spellcheck", Some("false")),
                ("aria-describedby", drawn.described.as_deref()),
                ("aria-invalid", drawn.invalid()),
                ("aria-required", field.required.then_some("true")),
            ],
        );
        self.html.close("div");
    }

    /// A value about the reader is an input that password managers can read. A value about others is text: otherwise the
    /// browser would store their login as the reader's own. What is sent was sealed, so neither has a name.
    fn fixed(&mut self, field: &Field, line: &Line, errors: &[FieldError]) {
        if field.own {
            let shown = Field { required: true, ..field.clone() };
            let drawn = self.labelled(&shown, &field.name, &field.label, field.hint.as_deref(), errors);
            let manner = manner(line.kind, true);
            self.html.open(
                "input",
                &[
                    ("class", Some("kt-input kt-fixed")),
                    ("type", Some(manner.kind)),
                    ("id", Some(&drawn.id)),
                    ("value", Some(&line.value)),
                    ("readonly", Some("")),
                    ("autocomplete", Some(manner.autocomplete)),
                    ("autocapitalize", Some(manner.autocapitalize)),
                    ("spellcheck", Some("false")),
                    ("aria-describedby", drawn.described.as_deref()),
                    ("aria-invalid", drawn.invalid()),
                ],
            );
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
        let hint_id = format!("{}-hint", drawn.id);
        let mut described: Vec<&str> = drawn.described.iter().map(String::as_str).collect();
        described.extend(field.hint.is_some().then_some(hint_id.as_str()));
        let described = described.join(" ");
        let name = self.input(&field.name);
        self.html.class("div", "kt-tick").open(
            "input",
            &[
                ("form", self.frame.join),
                ("type", Some("checkbox")),
                ("id", Some(&drawn.id)),
                ("name", Some(&name)),
                ("value", Some(TICKED)),
                ("checked", ticked.then_some("")),
                ("aria-describedby", (!described.is_empty()).then_some(described.as_str())),
                ("aria-invalid", drawn.invalid()),
            ],
        );
        self.html.element("label", &[("for", Some(&drawn.id))], &field.label);
        if let Some(hint) = &field.hint {
            self.html.element("p", &[("class", Some("kt-hint")), ("id", Some(&hint_id))], hint);
        }
        self.html.close("div").close("div");
    }

    fn radios(&mut self, field: &Field, choice: &Choice, chosen: Option<&str>, errors: &[FieldError]) {
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
                ("aria-invalid", drawn.invalid()),
                ("aria-required", field.required.then_some("true")),
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
            self.html.class("div", "kt-tick").open(
                "input",
                &[
                    ("form", self.frame.join),
                    ("type", Some("radio")),
                    ("id", Some(&id)),
                    ("name", Some(&name)),
                    ("value", Some(&option.value)),
                    ("checked", (chosen == Some(&option.value)).then_some("")),
                    ("aria-describedby", hint_id.as_deref()),
                ],
            );
            self.html.element("label", &[("for", Some(&id))], &option.label);
            if let Some(hint) = &option.hint {
                self.html.element("p", &[("class", Some("kt-hint")), ("id", hint_id.as_deref())], hint);
            }
            self.html.close("div");
        }
        self.html.close("fieldset");
    }

    fn select(&mut self, field: &Field, choice: &Choice, chosen: Option<&str>, errors: &[FieldError]) {
        let drawn = self.labelled(field, &field.name, &field.label, field.hint.as_deref(), errors);
        let name = self.input(&field.name);
        self.html.open(
            "select",
            &[
                ("form", self.frame.join),
                ("class", Some("kt-input")),
                ("id", Some(&drawn.id)),
                ("name", Some(&name)),
                ("aria-describedby", drawn.described.as_deref()),
                ("aria-invalid", drawn.invalid()),
                ("aria-required", field.required.then_some("true")),
            ],
        );
        if chosen.is_none() || !field.required {
            let choose = self.words.get("choose");
            self.html.element("option", &[("value", Some(""))], choose);
        }
        for option in &choice.options {
            let selected = (chosen == Some(&option.value)).then_some("");
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
        self.html.class("div", "kt-password").open(
            "input",
            &[
                ("form", self.frame.join),
                ("class", Some("kt-input")),
                ("type", Some("password")),
                ("id", Some(&drawn.id)),
                ("name", Some(&name)),
                ("autocomplete", Some(if new.is_some() { "new-password" } else { "current-password" })),
                ("autocapitalize", Some("none")),
                ("spellcheck", Some("false")),
                ("passwordrules", rules.as_deref()),
                ("aria-describedby", drawn.described.as_deref()),
                ("aria-invalid", drawn.invalid()),
                // A part of a larger form may be left unchanged.
                ("aria-required", (field.required && self.frame.join.is_none()).then_some("true")),
                ("data-kt-show", Some(&show)),
                ("data-kt-hide", Some(&hide)),
                ("data-kt-rate", rate),
            ],
        );
        self.html.close("div").close("div");
    }
}

/// A label within a sentence: "New password" gets a small letter, "API key" doesn't.
fn within(label: &str) -> String {
    let mut chars = label.chars();
    match (chars.next(), label.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => label.to_owned(),
    }
}

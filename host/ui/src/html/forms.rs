//! Forms: their sealed part, their fields, their buttons.

use super::Attribute;
use super::nodes::{Painter, button};
use crate::Corrections;
use crate::form::{self, GENERATE, PART, SEALED, shows};
use keyturn_contract::keyturn::ui::nodes::{Field, FieldKind, Form, Intent, Submission, Target, Value};

/// Attributes of a form that posts there; the script finds it.
pub fn posts(url: &str) -> [Attribute<'_>; 4] {
    [("method", Some("post")), ("action", Some(url)), ("novalidate", Some("")), ("data-kt-form", Some(""))]
}

fn generates(field: &Field) -> bool {
    matches!(&field.kind, FieldKind::NewPassword(new) if new.generate.is_some())
}

impl<'f> Painter<'f> {
    /// Draws a form, with its corrections if they are for it.
    pub fn form(&mut self, form: &Form) {
        let corrections = self.corrections_of(&form.submit);
        match self.frame.surface.join {
            Some(_) => self.open_part(form),
            None => self.open_form(&form.submit, &form.fields, &[], "kt-form"),
        }
        form.intro.iter().for_each(|sentence| self.paragraph("kt-text", sentence));
        if !form.points.is_empty() {
            self.points(&form.points);
        }
        for field in &form.fields {
            self.field(field, corrections);
        }
        self.unshown(form, corrections);
        if self.frame.surface.join.is_some() {
            self.close_part(form);
            return;
        }
        self.buttons(&form.submit_label, form.submit_intent, &form.fields, form.cancel.as_ref());
        self.html.close("form");
    }

    /// A problem with a field that is missing or hidden is still a problem.
    pub fn unshown(&mut self, form: &Form, corrections: Option<&Corrections>) {
        let shown = |name: &str| form.fields.iter().any(|field| shows(field, name));
        let others = corrections.iter().flat_map(|found| &found.errors).filter(|error| !shown(&error.field));
        self.errors.extend(others.map(|error| (None, error.message.clone())));
    }

    /// One below the other.
    pub fn points(&mut self, points: &[Vec<Value>]) {
        self.html.class("ul", "kt-points");
        for point in points {
            self.html.open("li", &[]);
            self.sentence(point);
            self.html.close("li");
        }
        self.html.close("ul");
    }

    /// The buttons of a form: its own, those that generate a password for one of its fields, and the way out.
    pub fn buttons(&mut self, label: &str, intent: Intent, fields: &[Field], cancel: Option<&Target>) {
        let class = if intent == Intent::Danger { "kt-button kt-destroy" } else { button(intent) };
        self.html.class("div", "kt-buttons");
        self.html.element("button", &[("class", Some(class)), ("type", Some("submit"))], label);
        // After the form's own button, which Enter presses.
        self.generate_buttons(fields);
        if let Some(cancel) = cancel {
            let (url, word) = (self.url(cancel), self.words.get("cancel"));
            self.html.element("a", &[("class", Some("kt-button")), ("href", Some(&url))], word);
        }
        self.html.close("div");
    }

    /// A button for each password that can be generated.
    fn generate_buttons(&mut self, fields: &[Field]) {
        let name = self.input(GENERATE);
        for field in fields.iter().filter(|field| generates(field)) {
            let button = [("form", self.frame.surface.join), ("class", Some("kt-button")), ("type", Some("submit"))];
            let asks = [("name", Some(name.as_str())), ("value", Some(field.name.as_str()))];
            self.html.element("button", &[&button[..], &asks].concat(), self.words.get("generate"));
        }
    }

    /// Opens a part of the page's own form: its fields belong to that by their `form` attribute, wherever they stand, and
    /// are told from those of other parts by the beginning of their names.
    fn open_part(&mut self, form: &Form) {
        self.part = format!("{}{PART}", self.id());
        let sealed = form::sealed(&form.submit, &form.fields, &[], self.frame, true);
        let (form_id, name) = (self.frame.surface.join, self.input(SEALED));
        let attributes =
            [("form", form_id), ("type", Some("hidden")), ("name", Some(&*name)), ("value", Some(&*sealed))];
        self.html.class("div", "kt-form").open("input", &attributes);
        // Nothing is required of people who leave it as it is.
        if form.fields.iter().any(|field| matches!(field.kind, FieldKind::NewPassword(_)) && field.required) {
            self.html.element("p", &[("class", Some("kt-hint"))], self.words.get("part-empty"));
        }
    }

    fn close_part(&mut self, form: &Form) {
        if form.fields.iter().any(generates) {
            self.html.class("div", "kt-buttons");
            self.generate_buttons(&form.fields);
            self.html.close("div");
        }
        self.html.close("div");
        self.part.clear();
    }

    /// The corrections of a form, if there are any for it; problems of the whole form are in the summary.
    pub fn corrections_of(&mut self, submission: &Submission) -> Option<&'f Corrections> {
        let at = self.corrections.iter().position(|corrections| corrections.fits(submission, &self.frame.place));
        let corrections = at.map(|at| self.corrections.remove(at));
        if let Some(message) = corrections.and_then(|corrections| corrections.message.clone()) {
            self.errors.push((None, message));
        }
        corrections
    }

    /// Opens a form that posts to its own page, with its sealed part. `also`: see [`form::ALSO`].
    pub fn open_form(&mut self, submission: &Submission, fields: &[Field], also: &[&str], class: &str) {
        let sealed = form::sealed(submission, fields, also, self.frame, false);
        let posts = posts(self.frame.surface.submit_url);
        self.html.open("form", &[&[("class", Some(class))], &posts[..]].concat());
        self.html.open("input", &[("type", Some("hidden")), ("name", Some(SEALED)), ("value", Some(&sealed))]);
    }
}

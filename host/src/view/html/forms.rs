//! Forms: what is sealed into them, their fields, their buttons.

use super::fields::Drawn;
use super::nodes::{Painter, button};
use crate::view::form::{self, GENERATE, SEALED};
use crate::view::nodes::{Field, FieldKind, Form, Intent, NewPassword, Submission};

impl Painter<'_> {
    /// Draws a form, with its corrections if they are for it.
    pub fn form(&mut self, form: &Form) {
        let corrections = match self.corrections {
            Some(corrections) if corrections.fits(&form.submit, self.frame) => self.corrections.take(),
            _ => None,
        };
        self.open_form(&form.submit, &form.fields, "kt-form");
        form.intro.iter().for_each(|sentence| self.paragraph("kt-text", sentence));
        if !form.points.is_empty() {
            self.html.class("ul", "kt-points");
            for point in &form.points {
                self.html.open("li", &[]);
                self.sentence(point);
                self.html.close("li");
            }
            self.html.close("ul");
        }
        if let Some(message) = corrections.and_then(|corrections| corrections.message.clone()) {
            self.errors.push((None, message));
        }
        for field in &form.fields {
            self.field(field, corrections);
        }
        if let Some(corrections) = corrections {
            // What is wrong with a field that is not there, or that nobody sees, is still wrong.
            let shown = |name: &str| form.fields.iter().any(|field| Drawn::shows(field, name));
            for error in corrections.errors.iter().filter(|error| !shown(&error.field)) {
                self.errors.push((None, error.message.clone()));
            }
        }
        let class =
            if form.submit_intent == Intent::Danger { "kt-button kt-destroy" } else { button(form.submit_intent) };
        self.html.class("div", "kt-buttons");
        self.html.element("button", &[("class", Some(class)), ("type", Some("submit"))], &form.submit_label);
        // After the form's own button, which Enter presses.
        for field in &form.fields {
            if let FieldKind::NewPassword(NewPassword { generate: Some(_), .. }) = &field.kind {
                let attributes = [
                    ("class", Some("kt-button")),
                    ("type", Some("submit")),
                    ("name", Some(GENERATE)),
                    ("value", Some(field.name.as_str())),
                ];
                let word = self.words.get("generate");
                self.html.element("button", &attributes, word);
            }
        }
        if let Some(cancel) = &form.cancel {
            let (url, word) = (self.url(cancel), self.words.get("cancel"));
            self.html.element("a", &[("class", Some("kt-button")), ("href", Some(&url))], word);
        }
        self.html.close("div").close("form");
    }

    /// Opens a form that posts to the page it stands in, with its sealed part.
    pub fn open_form(&mut self, submission: &Submission, fields: &[Field], class: &str) {
        let attributes = [
            ("class", Some(class)),
            ("method", Some("post")),
            ("action", Some(self.frame.submit_url)),
            ("novalidate", Some("")),
            ("data-kt-form", Some("")),
        ];
        let sealed = form::sealed(submission, fields, self.frame);
        self.html.open("form", &attributes);
        self.html.open("input", &[("type", Some("hidden")), ("name", Some(SEALED)), ("value", Some(&sealed))]);
    }
}

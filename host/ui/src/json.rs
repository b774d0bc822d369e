//! A plugin's view as JSON, for a panel that draws it itself: the same nodes, with this reader's texts, times and addresses,
//! forms sealed for this reader, and the errors of the last one. The limits are those of the HTML.

use std::fmt::Debug;

use serde_json::{Value as Json, json};

use super::delivery::Delivery;
use super::form::{self, AGAIN, Corrections, GENERATE, RATE, SEALED};
use super::frame::Frame;
use super::html::nodes::Painter;
use super::limits::{self, ViewError};
use keyturn_contract::keyturn::ui::nodes::{
    Action, Choice, Column, Empty, Fact, Field, FieldKind, Form, Line, NewPassword, Node, Outcome, Row, Run, Step,
    Submission, Value, View,
};

/// A page.
///
/// # Errors
/// [`ViewError`], as for [`super::draw_view`].
pub fn view(view: &View, frame: &Frame<'_>) -> Result<Json, ViewError> {
    limits::view(view, frame)?;
    let mut writer = Writer::new(frame);
    let nodes = writer.nodes(&view.nodes);
    Ok(json!({
        "title": writer.painter.plain(&view.title),
        "lead": view.lead.as_deref().map(|lead| writer.sentence(lead)),
        "outcome": view.outcome.as_ref().map(|outcome| writer.outcome(outcome)),
        "nodes": nodes,
        "errors": writer.left_over(),
        "from": writer.from(),
    }))
}

/// A region.
///
/// # Errors
/// [`ViewError`], as for [`super::draw_region`].
pub fn region(nodes: &[Node], frame: &Frame<'_>) -> Result<Json, ViewError> {
    limits::region(nodes, frame)?;
    let mut writer = Writer::new(frame);
    let nodes = writer.nodes(nodes);
    Ok(json!({ "nodes": nodes, "errors": writer.left_over(), "from": writer.from() }))
}

/// A row's sentence and actions.
///
/// # Errors
/// [`ViewError`], as for [`super::draw_row`].
pub fn row(nodes: &[Node], frame: &Frame<'_>) -> Result<Json, ViewError> {
    limits::row(nodes, frame)?;
    let mut writer = Writer::new(frame);
    Ok(json!({ "nodes": writer.nodes(nodes), "from": writer.from() }))
}

/// A name in the contract's spelling.
fn name(of: impl Debug) -> String {
    let mut name = String::new();
    for letter in format!("{of:?}").rsplit("::").next().unwrap_or_default().chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Texts as in the HTML: without invisible characters.
fn seen(text: &str) -> String {
    text.chars().filter(|c| !super::html::dropped(*c)).collect()
}

fn offered(choice: &Choice) -> Json {
    let options = choice.options.iter().map(|option| {
        json!({ "value": option.value, "label": seen(&option.label), "hint": option.hint.as_deref().map(seen) })
    });
    json!({ "options": options.collect::<Vec<_>>(), "value": choice.value })
}

struct Writer<'f> {
    painter: Painter<'f>,
}

impl<'f> Writer<'f> {
    fn new(frame: &'f Frame<'f>) -> Self {
        Self { painter: Painter::new(frame, 2) }
    }

    /// Errors that belong to no field.
    fn left_over(&mut self) -> Vec<String> {
        self.painter.summary().messages().map(str::to_owned).collect()
    }

    /// The plugin's name, if it must be shown.
    fn from(&self) -> Option<&'f str> {
        (!self.painter.frame.speaks_for_panel).then_some(self.painter.frame.plugin)
    }

    fn nodes(&mut self, nodes: &[Node]) -> Vec<Json> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    fn node(&mut self, node: &Node) -> Json {
        match node {
            Node::Heading(text) => json!({ "kind": "heading", "text": seen(text) }),
            Node::Text(sentence) => json!({ "kind": "text", "value": self.sentence(sentence) }),
            Node::Notice(said) => json!({
                "kind": "notice",
                "tone": name(said.tone),
                "title": seen(&said.title),
                "body": self.sentence(&said.body),
                "actions": self.actions(&said.actions),
            }),
            Node::Facts(facts) => {
                let fact = |fact: &Fact| json!({ "label": seen(&fact.label), "value": self.sentence(&fact.value) });
                json!({ "kind": "facts", "facts": facts.iter().map(fact).collect::<Vec<_>>() })
            }
            Node::Table(table) => {
                let column = |of: &Column| json!({ "label": seen(&of.label), "kind": name(of.kind), "low": of.low });
                let row =
                    |row: &Row| json!({ "cells": self.sentences(&row.cells), "actions": self.actions(&row.actions) });
                let Empty { title, text, action } = &table.empty;
                let action = action.as_ref().map(|action| self.action(action));
                json!({
                    "kind": "table",
                    "caption": seen(&table.caption),
                    "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
                    "rows": table.rows.iter().map(row).collect::<Vec<_>>(),
                    "empty": { "title": seen(title), "text": self.sentence(text), "action": action },
                })
            }
            Node::Form(form) => self.form(form),
            Node::Actions(actions) => json!({ "kind": "actions", "actions": self.actions(actions) }),
            Node::Delivery(delivery) => json!({
                "kind": "delivery",
                "before": self.steps(&delivery.before),
                "mail": (self.painter.frame.mail)(&delivery.mail).map(|mail| self.mail(&delivery.mail, &mail)),
                "after": self.steps(&delivery.after),
            }),
            Node::Code(code) => json!({
                "kind": "code",
                "label": seen(&code.label),
                "lines": code.lines.iter().map(|line| seen(line)).collect::<Vec<_>>(),
                "secret": code.secret,
            }),
        }
    }

    fn sentences(&self, sentences: &[Vec<Value>]) -> Vec<Json> {
        sentences.iter().map(|sentence| self.sentence(sentence)).collect()
    }

    fn steps(&self, steps: &[Step]) -> Vec<Json> {
        let step = |step: &Step| {
            json!({
                "title": self.sentence(&step.title),
                "detail": step.detail.as_deref().map(|detail| self.sentence(detail)),
                "state": name(step.state),
                "at": step.at,
            })
        };
        steps.iter().map(step).collect()
    }

    /// As in `GET /v1/mails/ID`, as far as a page shows it.
    fn mail(&self, id: &str, mail: &Delivery) -> Json {
        json!({
            "mail": id,
            "state": mail.state.name(),
            "to": mail.to,
            "attempts": mail.attempts,
            "answer": mail.said,
            "changed_at": mail.changed_at,
            "next_attempt": mail.due,
            "sentence": self.painter.stands(mail),
            "may_mend": mail.may_mend,
            "waits": mail.waits(),
        })
    }

    fn outcome(&self, said: &Outcome) -> Json {
        let mail = said.mail.as_deref().and_then(|id| Some(self.mail(id, &(self.painter.frame.mail)(id)?)));
        json!({ "tone": name(said.tone), "title": seen(&said.title), "body": self.sentence(&said.body), "mail": mail })
    }

    /// Pieces, each with its `text` for this reader, and what else it is.
    fn sentence(&self, sentence: &[Value]) -> Json {
        let piece = |(at, value): (usize, &Value)| {
            let text = seen(&self.painter.said(value, at == 0));
            match value {
                Value::Text(_) => json!({ "kind": "text", "text": text }),
                Value::Code(_) => json!({ "kind": "code", "text": text }),
                Value::Time(at) => json!({ "kind": "time", "text": text, "at": at }),
                Value::Duration(seconds) => json!({ "kind": "duration", "text": text, "seconds": seconds }),
                Value::Number(number) => json!({ "kind": "number", "text": text, "number": number }),
                Value::Badge(badge) => json!({ "kind": "badge", "text": text, "tone": name(badge.tone) }),
                Value::Account(_) => json!({ "kind": "account", "text": text }),
                Value::Link(link) => json!({ "kind": "link", "text": text, "url": self.painter.url(&link.target) }),
                Value::Brand => json!({ "kind": "brand", "text": text }),
                Value::Contact => json!({ "kind": "contact", "text": text }),
            }
        };
        sentence.iter().enumerate().map(piece).collect()
    }

    fn actions(&self, actions: &[Action]) -> Vec<Json> {
        actions.iter().map(|action| self.action(action)).collect()
    }

    fn action(&self, action: &Action) -> Json {
        let run = match (&action.unavailable, &action.run) {
            (Some(_), _) => Json::Null,
            (None, Run::Go(target)) => json!({ "go": self.painter.url(target) }),
            (None, Run::Submit(submission)) => json!({ "post": self.posted(submission, &[]) }),
        };
        json!({
            "label": seen(&action.label),
            "intent": name(action.intent),
            "run": run,
            "unavailable": action.unavailable.as_deref().map(|reason| self.sentence(reason)),
        })
    }

    /// Where a form posts, and its hidden values.
    fn posted(&self, submission: &Submission, fields: &[Field]) -> Json {
        let sealed = form::sealed(submission, fields, &[], self.painter.frame, false);
        json!({ "url": self.painter.frame.surface.submit_url, "hidden": { SEALED: sealed } })
    }

    fn form(&mut self, form: &Form) -> Json {
        let corrections = self.painter.corrections_of(&form.submit);
        let fields: Vec<Json> = form.fields.iter().filter_map(|field| self.field(field, corrections)).collect();
        self.painter.unshown(form, corrections);
        json!({
            "kind": "form",
            "post": self.posted(&form.submit, &form.fields),
            "intro": self.sentences(&form.intro),
            "points": self.sentences(&form.points),
            "fields": fields,
            "submit": { "label": seen(&form.submit_label), "intent": name(form.submit_intent) },
            "cancel": form.cancel.as_ref().map(|target| self.painter.url(target)),
        })
    }

    fn field(&self, field: &Field, corrections: Option<&Corrections>) -> Option<Json> {
        let field = &corrections.map_or_else(|| field.clone(), |corrections| corrections.refilled(field));
        let line = |line: &Line| json!({ "line": name(line.kind), "value": seen(&line.value) });
        let (kind, more) = match &field.kind {
            FieldKind::Hidden(_) => return None,
            FieldKind::Line(of) => ("line", line(of)),
            FieldKind::Fixed(of) => ("fixed", line(of)),
            FieldKind::Tick(ticked) => ("tick", json!({ "value": ticked, "sent": form::TICKED })),
            FieldKind::Choice(choice) => ("choice", offered(choice)),
            FieldKind::CurrentPassword => ("current-password", json!({})),
            FieldKind::NewPassword(new) => ("new-password", self.new_password(field, new, corrections)),
        };
        let errors = |named: &str| -> Vec<&str> {
            let all = corrections.iter().flat_map(|found| &found.errors);
            all.filter(|error| error.field == named).map(|error| error.message.as_str()).collect()
        };
        let mut drawn = json!({
            "name": field.name,
            "label": seen(&field.label),
            "hint": field.hint.as_deref().map(seen),
            "kind": kind,
            "required": field.required,
            "own": field.own,
            "errors": errors(&field.name),
        });
        if let (Json::Object(drawn), Json::Object(more)) = (&mut drawn, more) {
            drawn.extend(more);
            if matches!(&field.kind, FieldKind::NewPassword(new) if new.repeat) {
                let again = format!("{}{AGAIN}", field.name);
                let errors = errors(&again);
                drawn.insert("repeat".to_owned(), json!({ "name": again, "errors": errors }));
            }
        }
        Some(drawn)
    }

    /// `rate` and `generate` name the member of the body that asks for these, with this field's name as its value.
    fn new_password(&self, field: &Field, new: &NewPassword, corrections: Option<&Corrections>) -> Json {
        let generated = corrections.and_then(|corrections| corrections.generated.as_ref());
        let generated = generated.filter(|generated| generated.field == field.name);
        json!({
            "min_length": new.min_length,
            "rules": new.rules,
            "rate": new.rate.as_ref().map(|_| RATE),
            "generate": new.generate.as_ref().map(|_| GENERATE),
            "generated": generated.map(|generated| generated.password.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyturn_contract::keyturn::ui::nodes::{Intent, LineKind};

    #[test]
    fn names_are_those_of_the_contract() {
        assert_eq!((name(LineKind::PersonName), name(Intent::Quiet)), ("person-name".to_owned(), "quiet".to_owned()));
    }
}

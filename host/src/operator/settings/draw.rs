//! The page: what came of a test, the form, and what the file has said already.

use super::super::one_mail::{step_key, steps};
use super::{PAGE, SEEN, TEST, TO, Tested, said_wrong, whole};
use crate::email::{TRIALS_EACH, TRIALS_WINDOW};
use crate::mail::config::Way;
use crate::mail::room::Post;
use crate::mail::setup::{Setup, Source};
use crate::mail::transport::smtp::Encryption;
use crate::mail::transport::{StepKind, Verdict};
use crate::view::form::ALSO;
use crate::view::html::nodes::Painter;
use crate::view::html::{Html, Markup};
use crate::view::nodes::{
    Choice, ChoiceOption, Fact, Field, FieldKind, Line, LineKind, NewPassword, Node, Submission, Tone, Value,
};
use crate::view::shell::parts;
use crate::view::words::Words;
use crate::view::{Corrections, Frame, Page};

/// What the page says, read before it is drawn.
pub(super) struct Sheet<'a> {
    /// None: a program has said how mail goes.
    pub(super) setup: Option<&'a Setup>,
    /// Which writing of the settings it is.
    pub(super) seen: String,
    pub(super) post: &'a Post,
    pub(super) tested: Option<&'a Tested>,
}

impl Sheet<'_> {
    pub(super) fn draw(&self, frame: &Frame<'_>) -> Page {
        let mut painter = Painter::new(frame, 2);
        let words = painter.words;
        let banner = self.banner(words);
        match self.setup {
            Some(setup) => {
                let again = self.tested.is_some_and(|tested| tested.typed_password);
                Form { setup, seen: &self.seen, again, words }.draw(&mut painter);
            }
            None => self.of_program(&mut painter),
        }
        let form = painter.html.done();
        if let Some(tested) = self.tested {
            painter.table(&steps("settings-tested", &tested.trial.attempt.steps, words));
            let table = painter.html.done();
            painter.html.class("div", "kt-sections");
            painter.html.markup(&parts::card("settings-tested", words.get("settings-tested"), &table)).close("div");
        }
        painter.html.markup(&form);
        let page = whole(&mut painter, words.get("settings"), None, &Markup::default());
        Page { html: Html::new().markup(&banner).markup(&page.html).done(), ..page }
    }

    fn banner(&self, words: Words) -> Markup {
        match (self.tested, &self.post.problem) {
            (Some(tested), _) => outcome(tested, words),
            (None, Some(problem)) => {
                let text = said_wrong(problem, words);
                parts::banner(Tone::Danger, words.get("settings-problem"), &text, false, words)
            }
            (None, None) => Markup::default(),
        }
    }

    fn of_program(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        let code = |text: &str| vec![Value::Code(text.to_owned())];
        let fact = |key: &str, value| Fact { label: words.get(key).to_owned(), value };
        let way = match &self.post.transport {
            Some(transport) => code(&transport.name()),
            None => vec![Value::Text(words.get("settings-off").to_owned())],
        };
        let mut facts = vec![fact("settings-transport", way), fact("settings-from", code(&self.post.from.address))];
        if let Some(reply_to) = &self.post.reply_to {
            facts.push(fact("settings-reply-to", code(&reply_to.address)));
        }
        facts.push(fact("settings-origin", code(&self.post.origin)));
        let said = Node::Text(vec![Value::Text(words.get("settings-program").to_owned())]);
        painter.sections(&[said, Node::Facts(facts)]);
    }
}

/// What came of a test, and what that depends on.
fn outcome(tested: &Tested, words: Words) -> Markup {
    let Tested { trial, setup, to, saved, .. } = tested;
    let kept = words.get(if *saved { "settings-tested-saved" } else { "settings-tested-unsaved" });
    let last = trial.attempt.steps.last().map_or(StepKind::LookUp, |step| step.kind);
    let (tone, title, text) = if trial.attempt.verdict == Verdict::Accepted {
        let text = words.fill("settings-tested-accepted", &[("address", to)]);
        (Tone::Success, words.fill("settings-tested-accepted-title", &[("server", &trial.server)]), text)
    } else {
        let step = words.get(step_key(last));
        let title = words.fill("settings-tested-failed-title", &[("server", &trial.server), ("step", step)]);
        (Tone::Danger, title, words.get(advice(setup.way(), last)).to_owned())
    };
    parts::banner(tone, &title, &format!("{text} {kept}"), true, words)
}

/// What a step that failed depends on; the settings by their names on the page.
fn advice(way: Way, step: StepKind) -> &'static str {
    match (way, step) {
        (Way::Sendmail, _) => "settings-advice-sendmail",
        (Way::Folder | Way::Off, _) => "settings-advice-folder",
        (Way::Smtp, StepKind::LookUp) => "settings-advice-look-up",
        (Way::Smtp, StepKind::Connect) => "settings-advice-connect",
        (Way::Smtp, StepKind::Tls) => "settings-advice-tls",
        (Way::Smtp, StepKind::Login) => "settings-advice-login",
        (Way::Smtp, StepKind::Handover) => "settings-advice-handover",
    }
}

struct Form<'a> {
    setup: &'a Setup,
    seen: &'a str,
    /// A password was typed for a test.
    again: bool,
    words: Words,
}

impl Form<'_> {
    fn draw(&self, painter: &mut Painter<'_>) {
        let words = self.words;
        let submission = Submission { action: PAGE.name.to_owned(), subject: None, arguments: Vec::new() };
        let sections = [
            ("settings-how", vec![self.transport()]),
            ("settings-server", self.server(painter.frame)),
            ("settings-names", self.names()),
            ("settings-test", vec![self.to()]),
        ];
        let hidden = field(SEEN, String::new(), FieldKind::Hidden(self.seen.to_owned()));
        // Which of them are needed depends on others, so that is checked when all are there.
        let sealed: Vec<Field> = sections
            .iter()
            .flat_map(|(_, fields)| fields)
            .map(|field| Field { required: matches!(field.kind, FieldKind::Choice(_)), ..field.clone() })
            .chain([hidden])
            .collect();
        let corrections = painter.corrections_of(&submission);
        painter.open_form(&submission, &sealed, &[TEST], "kt-sections");
        let form = painter.html.done();
        let mut cards = Html::new();
        for (key, fields) in &sections {
            let body = self.section(key, fields, corrections, painter);
            cards.markup(&parts::card(key, words.get(key), &body));
            // The first button of the form, which Enter presses in every field.
            if *key == "settings-names" {
                cards.class("div", "kt-buttons");
                let attributes = [("class", Some("kt-button kt-primary")), ("type", Some("submit"))];
                cards.element("button", &attributes, words.get("settings-save")).close("div");
            }
        }
        painter.html.markup(&form).markup(&cards.done()).close("form");
    }

    fn section(
        &self,
        key: &str,
        fields: &[Field],
        corrections: Option<&Corrections>,
        painter: &mut Painter<'_>,
    ) -> Markup {
        let words = self.words;
        painter.html.class("div", "kt-form");
        let intro = match key {
            "settings-server" => Some(words.get("settings-server-hint").to_owned()),
            "settings-test" => {
                let time = words.duration(u64::from(TRIALS_WINDOW));
                let most = words.number(i64::try_from(TRIALS_EACH).unwrap_or(i64::MAX));
                Some(words.fill("settings-test-hint", &[("n", &most), ("time", &time)]))
            }
            _ => None,
        };
        if let Some(intro) = intro {
            painter.html.element("p", &[("class", Some("kt-hint"))], &intro);
        }
        for field in fields {
            painter.field(field, corrections);
        }
        if key == "settings-test" {
            let attributes =
                [("class", Some("kt-button")), ("type", Some("submit")), ("name", Some(ALSO)), ("value", Some(TEST))];
            let label = words.get("settings-test-send");
            painter.html.class("div", "kt-buttons").element("button", &attributes, label).close("div");
        }
        painter.html.close("div").done()
    }

    /// The field of a setting: to be set, or as the file has it.
    fn of(&self, setting: &str, label: &str, hint: Option<String>, kind: FieldKind) -> Field {
        let words = self.words;
        let name = setting.rsplit('.').next().unwrap_or(setting);
        let label = words.get(label).to_owned();
        if !self.setup.fixed().fixes(setting) {
            return Field { hint, ..field(name, label, kind) };
        }
        let value = match (setting, self.setup.value(setting)) {
            (_, None) => words.get("not-shown").to_owned(),
            ("mail.transport", Some(way)) => words.get(&format!("settings-{way}")).to_owned(),
            ("mail.smtp.encryption", Some(encryption)) => words.get(&format!("settings-{encryption}")).to_owned(),
            (_, Some(value)) => value,
        };
        let file = ("file", self.setup.fixed().file.as_str());
        let hint = match self.setup.source(setting) {
            Source::Page | Source::Nowhere => words.fill("settings-unset", &[file]),
            Source::File(None) => words.fill("settings-fixed-file", &[file]),
            // The line of its table: what is shown is the host's own.
            Source::File(Some(_)) if !self.setup.fixed().names(setting) => words.fill("settings-usual", &[file]),
            Source::File(Some(line)) => words.fill("settings-fixed", &[file, ("line", &line.to_string())]),
        };
        let kind = FieldKind::Fixed(Line { kind: LineKind::Plain, value });
        Field { hint: Some(hint), ..field(name, label, kind) }
    }

    fn hint(&self, key: &str) -> Option<String> {
        Some(self.words.get(key).to_owned())
    }

    fn option(&self, value: &str, hint: Option<&str>) -> ChoiceOption {
        ChoiceOption {
            value: value.to_owned(),
            label: self.words.get(&format!("settings-{value}")).to_owned(),
            hint: hint.map(|key| self.words.get(key).to_owned()),
        }
    }

    fn transport(&self) -> Field {
        let mut options = vec![
            self.option(Way::Off.name(), Some("settings-off-hint")),
            self.option(Way::Smtp.name(), None),
            self.option(Way::Sendmail.name(), Some("settings-sendmail-hint")),
        ];
        // A path is the file's affair.
        if self.setup.fixed().mail.folder.is_some() {
            options.push(self.option(Way::Folder.name(), Some("settings-folder-hint")));
        }
        let value = Some(self.setup.way().name().to_owned());
        self.of("mail.transport", "settings-transport", None, FieldKind::Choice(Choice { options, value }))
    }

    fn server(&self, frame: &Frame<'_>) -> Vec<Field> {
        let words = self.words;
        let server = self.setup.chosen().server.clone().unwrap_or_default();
        let port = server.port.map(|port| port.to_string()).unwrap_or_default();
        let options = [Encryption::Starttls, Encryption::Tls, Encryption::None]
            .map(|encryption| self.option(encryption.name(), None))
            .into();
        let encryption = Choice { options, value: Some(server.encryption.name().to_owned()) };
        let username = server.username.unwrap_or_default();
        let stored = match server.password_at {
            _ if self.again => words.get("settings-password-again").to_owned(),
            Some(at) => {
                let time = words.time(at, frame.now, &frame.zone);
                words.fill("settings-password-stored", &[("time", &time)])
            }
            None => words.get("settings-password-hint").to_owned(),
        };
        let password = NewPassword { min_length: 1, repeat: false, rate: None, generate: None, rules: None };
        let optional = |field: Field| Field { required: false, ..field };
        let mut fields = vec![
            self.of(
                "mail.smtp.host",
                "settings-host",
                self.hint("settings-host-hint"),
                line(LineKind::HostName, &server.host),
            ),
            optional(self.of(
                "mail.smtp.port",
                "settings-port",
                self.hint("settings-port-hint"),
                line(LineKind::Port, &port),
            )),
            self.of("mail.smtp.encryption", "settings-encryption", None, FieldKind::Choice(encryption)),
            optional(self.of(
                "mail.smtp.username",
                "settings-username",
                self.hint("settings-username-hint"),
                line(LineKind::Plain, &username),
            )),
            optional(self.of(
                "mail.smtp.password",
                "settings-password",
                Some(stored),
                FieldKind::NewPassword(password),
            )),
        ];
        if server.password_at.is_some() && !self.setup.fixed().fixes("mail.smtp.password") {
            fields.push(field("forget", words.get("settings-forget").to_owned(), FieldKind::Tick(false)));
        }
        fields
    }

    fn names(&self) -> Vec<Field> {
        let chosen = self.setup.chosen();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let reply_to = line(LineKind::Email, &text(&chosen.reply_to));
        vec![
            self.of(
                "mail.from",
                "settings-from",
                self.hint("settings-from-hint"),
                line(LineKind::Email, &text(&chosen.from)),
            ),
            Field {
                required: false,
                ..self.of("mail.reply-to", "settings-reply-to", self.hint("settings-reply-to-hint"), reply_to)
            },
            self.of(
                "brand.link-origin",
                "settings-origin",
                self.hint("settings-origin-hint"),
                line(LineKind::Url, &text(&chosen.link_origin)),
            ),
        ]
    }

    fn to(&self) -> Field {
        field(TO, self.words.get("settings-test-to").to_owned(), line(LineKind::Email, ""))
    }
}

fn line(kind: LineKind, value: &str) -> FieldKind {
    FieldKind::Line(Line { kind, value: value.to_owned() })
}

fn field(name: &str, label: String, kind: FieldKind) -> Field {
    Field { name: name.to_owned(), label, hint: None, kind, required: true, own: false }
}

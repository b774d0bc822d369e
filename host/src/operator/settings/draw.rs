//! The page: what came of a test, and the form, with each group of settings as fields or as the file has it.

use super::super::one_mail::{step_key, steps};
use super::{ACTION, SEEN, TEST, TO, Tested, said_wrong, whole};
use crate::mail::config::{Way, Wrong};
use crate::mail::setup::{Group, Setup};
use crate::mail::transport::smtp::Encryption;
use crate::mail::transport::{StepKind, Verdict};
use crate::mail_settings::{TRIALS_EACH, TRIALS_WINDOW};
use crate::view::form::ALSO;
use crate::view::html::nodes::Painter;
use crate::view::html::{Html, Markup};
use crate::view::nodes::{Choice, ChoiceOption, Field, FieldKind, Line, LineKind, NewPassword, Submission, Tone};
use crate::view::shell::parts;
use crate::view::words::Words;
use crate::view::{Frame, Page};

/// What the page says, read before it is drawn.
pub(super) struct Sheet<'a> {
    pub(super) setup: Setup,
    /// Which writing of the settings it is.
    pub(super) seen: String,
    /// Why mail does not go although it is on.
    pub(super) problem: Option<Wrong>,
    pub(super) tested: Option<&'a Tested>,
}

/// The cards of the form, and the settings in each; all of one group.
const CARDS: [(&str, &[&str]); 4] = [
    ("settings-how", &["mail.transport"]),
    (
        "settings-server",
        &["mail.smtp.host", "mail.smtp.port", "mail.smtp.encryption", "mail.smtp.username", "mail.smtp.password"],
    ),
    ("settings-sender", &["mail.from", "mail.reply-to"]),
    ("settings-links", &["brand.link-origin"]),
];

/// A card of the form.
struct Card {
    heading: &'static str,
    intro: Option<String>,
    fields: Vec<Field>,
}

impl Sheet<'_> {
    pub(super) fn draw(&self, frame: &Frame<'_>) -> Page {
        let mut painter = Painter::new(frame, 2);
        let words = painter.words;
        if let Some(tested) = self.tested {
            let table = steps(words.get("settings-tested"), &tested.trial.attempt.steps, words);
            painter.html.class("div", "kt-sections");
            painter.html.markup(&parts::card("settings-tested", words.get("settings-tested"), &table)).close("div");
        }
        self.form(&mut painter);
        let page = whole(&mut painter, words.get("settings"), None, &Markup::default());
        Page { html: Html::new().markup(&self.banner(words)).markup(&page.html).done(), ..page }
    }

    fn banner(&self, words: Words) -> Markup {
        match (self.tested, &self.problem) {
            (Some(tested), _) => outcome(tested, words),
            (None, Some(problem)) => {
                let text = said_wrong(problem, words);
                parts::banner(Tone::Danger, words.get("settings-problem"), &text, false, words)
            }
            (None, None) => Markup::default(),
        }
    }

    fn form(&self, painter: &mut Painter<'_>) {
        let words = painter.words;
        let cards: Vec<Card> =
            CARDS.into_iter().filter_map(|card| self.card(card, painter.frame, words)).chain([test(words)]).collect();
        let seen = field(SEEN, FieldKind::Hidden(self.seen.clone()), words);
        // Which of them are needed depends on others, so that is checked when all are there.
        let needed = |field: &Field| matches!(field.kind, FieldKind::Choice(_));
        let fields = cards.iter().flat_map(|card| &card.fields);
        let sealed: Vec<Field> =
            fields.map(|field| Field { required: needed(field), ..field.clone() }).chain([seen]).collect();
        let submission = Submission { action: ACTION.to_owned(), subject: None, arguments: Vec::new() };
        let corrections = painter.corrections_of(&submission);
        painter.open_form(&submission, &sealed, &[TEST], "kt-sections");
        for Card { heading, intro, fields } in &cards {
            let test = *heading == "settings-test";
            // The first button of the form, which Enter presses in every field.
            if test && !Group::ALL.into_iter().all(|group| self.setup.fixed.has(group)) {
                button("kt-button kt-primary", None, words.get("settings-save"), &mut painter.html);
            }
            let card = [("class", Some("kt-section kt-card")), ("aria-labelledby", Some(*heading))];
            painter.html.open("section", &card).element("h2", &[("id", Some(heading))], words.get(heading));
            painter.html.class("div", "kt-form");
            if let Some(intro) = intro {
                painter.html.element("p", &[("class", Some("kt-hint"))], intro);
            }
            fields.iter().for_each(|field| painter.field(field, corrections));
            if test {
                button("kt-button", Some(TEST), words.get("settings-test-send"), &mut painter.html);
            }
            painter.html.close("div").close("section");
        }
        painter.html.close("form");
    }

    /// Settings to be set, or as the file has them. None: the file has no mail server.
    fn card(&self, (heading, settings): (&'static str, &[&str]), frame: &Frame<'_>, words: Words) -> Option<Card> {
        let fixed = &self.setup.fixed;
        if !settings.iter().all(|setting| fixed.fixes(setting)) {
            let intro = (heading == "settings-server").then(|| words.get("settings-server-hint").to_owned());
            let mut fields: Vec<Field> = settings.iter().map(|setting| self.asked(setting, frame, words)).collect();
            if heading == "settings-server" && self.password_at().is_some() {
                fields.push(field("forget", FieldKind::Tick(false), words));
            }
            return Some(Card { heading, intro, fields });
        }
        if heading == "settings-server" && self.setup.mail.smtp.is_none() {
            return None;
        }
        let file = ("file", fixed.file.as_str());
        let intro = match settings.iter().filter_map(|setting| fixed.line(setting)).min() {
            Some(line) => words.fill("settings-fixed", &[file, ("line", &line.to_string())]),
            None => words.fill("settings-fixed-file", &[file]),
        };
        let fields = settings.iter().map(|setting| self.shown(setting, words)).collect();
        Some(Card { heading, intro: Some(intro), fields })
    }

    /// A setting as the file has it.
    fn shown(&self, setting: &str, words: Words) -> Field {
        let value = match (setting, self.setup.value(setting)) {
            (_, None) => words.get("not-shown").to_owned(),
            ("mail.transport" | "mail.smtp.encryption", Some(name)) => {
                words.get(&format!("settings-{name}")).to_owned()
            }
            (_, Some(value)) => value,
        };
        field(name(setting), FieldKind::Fixed(Line { kind: LineKind::Plain, value }), words)
    }

    /// A setting to be set.
    fn asked(&self, setting: &str, frame: &Frame<'_>, words: Words) -> Field {
        let value = self.setup.value(setting).unwrap_or_default();
        let line = |kind, value| FieldKind::Line(Line { kind, value });
        let choice = |options, value: &str| FieldKind::Choice(Choice { options, value: Some(value.to_owned()) });
        let server = self.setup.mail.smtp.as_ref();
        let kind = match setting {
            "mail.transport" => choice(self.ways(words), self.setup.way().name()),
            "mail.smtp.host" => line(LineKind::HostName, value),
            "mail.smtp.port" => {
                let port = server.and_then(|server| server.port);
                line(LineKind::Port, port.map(|port| port.to_string()).unwrap_or_default())
            }
            "mail.smtp.encryption" => {
                let encryption = server.map(|server| server.encryption).unwrap_or_default();
                choice(Encryption::ALL.map(|one| option(one.name(), None, words)).into(), encryption.name())
            }
            "mail.smtp.password" => FieldKind::NewPassword(NewPassword {
                min_length: 1,
                repeat: false,
                rate: None,
                generate: None,
                rules: None,
            }),
            "mail.from" | "mail.reply-to" => line(LineKind::Email, value),
            "brand.link-origin" => line(LineKind::Url, value),
            _ => line(LineKind::Plain, value),
        };
        let optional = ["mail.smtp.port", "mail.smtp.username", "mail.smtp.password", "mail.reply-to"];
        let hint = match &kind {
            FieldKind::Line(_) => Some(words.get(&format!("settings-{}-hint", name(setting))).to_owned()),
            FieldKind::NewPassword(_) => Some(self.stored(frame, words)),
            _ => None,
        };
        Field { hint, required: !optional.contains(&setting), ..field(name(setting), kind, words) }
    }

    fn ways(&self, words: Words) -> Vec<ChoiceOption> {
        // A path is for whoever has the machine.
        let folder = self.setup.fixed.mail.folder.is_some();
        let ways = Way::ALL.into_iter().filter(|way| folder || *way != Way::Folder);
        let hinted = |way: Way| (way != Way::Smtp).then(|| format!("settings-{}-hint", way.name()));
        ways.map(|way| option(way.name(), hinted(way).map(|key| words.get(&key).to_owned()), words)).collect()
    }

    fn password_at(&self) -> Option<i64> {
        self.setup.chosen.server.as_ref()?.password_at
    }

    /// What is said of the stored password.
    fn stored(&self, frame: &Frame<'_>, words: Words) -> String {
        match self.password_at() {
            _ if self.tested.is_some_and(|tested| tested.typed_password) => {
                words.get("settings-password-again").to_owned()
            }
            Some(at) => words.fill("settings-password-stored", &[("time", &words.time(at, frame.now, &frame.zone))]),
            None => words.get("settings-password-hint").to_owned(),
        }
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
        (Tone::Danger, title, words.get(&advice(setup.way(), last)).to_owned())
    };
    parts::banner(tone, &title, &format!("{text} {kept}"), true, words)
}

/// What a step that failed depends on; the settings by their names on the page.
fn advice(way: Way, step: StepKind) -> String {
    let about = match way {
        Way::Smtp => step.name(),
        Way::Sendmail => way.name(),
        Way::Folder | Way::Off => Way::Folder.name(),
    };
    format!("settings-advice-{about}")
}

fn test(words: Words) -> Card {
    let time = words.duration(u64::from(TRIALS_WINDOW));
    let most = words.number(i64::try_from(TRIALS_EACH).unwrap_or(i64::MAX));
    let intro = Some(words.fill("settings-test-hint", &[("n", &most), ("time", &time)]));
    let to = FieldKind::Line(Line { kind: LineKind::Email, value: String::new() });
    Card { heading: "settings-test", intro, fields: vec![field(TO, to, words)] }
}

/// `also`: what it is called in the form, if it is not the form's own.
fn button(class: &str, also: Option<&str>, label: &str, html: &mut Html) {
    let named = also.map(|_| ALSO);
    let attributes = [("class", Some(class)), ("type", Some("submit")), ("name", named), ("value", also)];
    html.class("div", "kt-buttons").element("button", &attributes, label).close("div");
}

fn field(name: &str, kind: FieldKind, words: Words) -> Field {
    let label = words.get(&format!("settings-{name}")).to_owned();
    Field { name: name.to_owned(), label, hint: None, kind, required: true, own: false }
}

/// What a setting is called in the form.
fn name(setting: &str) -> &str {
    setting.rsplit('.').next().unwrap_or(setting)
}

fn option(value: &str, hint: Option<String>, words: Words) -> ChoiceOption {
    ChoiceOption { value: value.to_owned(), label: words.get(&format!("settings-{value}")).to_owned(), hint }
}

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

/// A card of the form.
struct Section {
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
        let groups = Group::ALL.into_iter().flat_map(|group| self.sections(group, painter.frame, words));
        let sections: Vec<Section> = groups.chain([test(words)]).collect();
        let seen = field(SEEN, FieldKind::Hidden(self.seen.clone()), words);
        // Which of them are needed depends on others, so that is checked when all are there.
        let needed = |field: &Field| matches!(field.kind, FieldKind::Choice(_));
        let fields = sections.iter().flat_map(|section| &section.fields);
        let sealed: Vec<Field> =
            fields.map(|field| Field { required: needed(field), ..field.clone() }).chain([seen]).collect();
        let submission = Submission { action: ACTION.to_owned(), subject: None, arguments: Vec::new() };
        let corrections = painter.corrections_of(&submission);
        painter.open_form(&submission, &sealed, &[TEST], "kt-sections");
        for Section { heading, intro, fields } in &sections {
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

    /// A group, as the file has it or to be set.
    fn sections(&self, group: Group, frame: &Frame<'_>, words: Words) -> Vec<Section> {
        let chosen = &self.setup.chosen;
        let section = |heading, fields| Section { heading, intro: None, fields };
        let heading = match group {
            Group::Transport => "settings-how",
            Group::Sender => "settings-sender",
            Group::Links => "settings-links",
        };
        match group {
            _ if self.setup.fixed.has(group) => vec![self.of_file(heading, group, words)],
            Group::Transport => {
                let server = section("settings-server", self.server(frame, words));
                let intro = Some(words.get("settings-server-hint").to_owned());
                vec![section(heading, vec![self.transport(words)]), Section { intro, ..server }]
            }
            Group::Sender => {
                let from = line("from", LineKind::Email, chosen.from.as_deref(), words);
                let reply_to = optional(line("reply-to", LineKind::Email, chosen.reply_to.as_deref(), words));
                vec![section(heading, vec![from, reply_to])]
            }
            Group::Links => {
                let origin = line("link-origin", LineKind::Url, chosen.link_origin.as_deref(), words);
                vec![section(heading, vec![origin])]
            }
        }
    }

    fn of_file(&self, heading: &'static str, group: Group, words: Words) -> Section {
        let Setup { fixed, mail, .. } = &self.setup;
        let file = ("file", fixed.file.as_str());
        let intro = match group.settings().filter_map(|setting| fixed.line(setting)).min() {
            Some(line) => words.fill("settings-fixed", &[file, ("line", &line.to_string())]),
            None => words.fill("settings-fixed-file", &[file]),
        };
        let said = |setting: &&str| mail.smtp.is_some() || !setting.starts_with("mail.smtp.");
        let shown = |setting: &str| {
            let value = match (setting, self.setup.value(setting)) {
                (_, None) => words.get("not-shown").to_owned(),
                ("mail.transport" | "mail.smtp.encryption", Some(name)) => {
                    words.get(&format!("settings-{name}")).to_owned()
                }
                (_, Some(value)) => value,
            };
            let name = setting.rsplit('.').next().unwrap_or(setting);
            field(name, FieldKind::Fixed(Line { kind: LineKind::Plain, value }), words)
        };
        Section { heading, intro: Some(intro), fields: group.settings().filter(said).map(shown).collect() }
    }

    fn transport(&self, words: Words) -> Field {
        // A path is the file's affair.
        let folder = self.setup.fixed.mail.folder.is_some();
        let ways = Way::ALL.into_iter().filter(|way| folder || *way != Way::Folder);
        let options = ways.map(|way| {
            let hint = (way != Way::Smtp).then(|| words.get(&format!("settings-{}-hint", way.name())).to_owned());
            option(way.name(), hint, words)
        });
        choice("transport", options, self.setup.way().name(), words)
    }

    fn server(&self, frame: &Frame<'_>, words: Words) -> Vec<Field> {
        let server = self.setup.chosen.server.clone().unwrap_or_default();
        let port = server.port.map(|port| port.to_string());
        let stored = match server.password_at {
            _ if self.tested.is_some_and(|tested| tested.typed_password) => {
                words.get("settings-password-again").to_owned()
            }
            Some(at) => {
                let time = words.time(at, frame.now, &frame.zone);
                words.fill("settings-password-stored", &[("time", &time)])
            }
            None => words.get("settings-password-hint").to_owned(),
        };
        let password = NewPassword { min_length: 1, repeat: false, rate: None, generate: None, rules: None };
        let password = Field { hint: Some(stored), ..field("password", FieldKind::NewPassword(password), words) };
        let encryptions = Encryption::ALL.into_iter().map(|encryption| option(encryption.name(), None, words));
        let mut fields = vec![
            line("host", LineKind::HostName, Some(&server.host), words),
            optional(line("port", LineKind::Port, port.as_deref(), words)),
            choice("encryption", encryptions, server.encryption.name(), words),
            optional(line("username", LineKind::Plain, server.username.as_deref(), words)),
            optional(password),
        ];
        if server.password_at.is_some() {
            fields.push(field("forget", FieldKind::Tick(false), words));
        }
        fields
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

fn test(words: Words) -> Section {
    let time = words.duration(u64::from(TRIALS_WINDOW));
    let most = words.number(i64::try_from(TRIALS_EACH).unwrap_or(i64::MAX));
    let intro = Some(words.fill("settings-test-hint", &[("n", &most), ("time", &time)]));
    let to = FieldKind::Line(Line { kind: LineKind::Email, value: String::new() });
    Section { heading: "settings-test", intro, fields: vec![field(TO, to, words)] }
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

fn optional(field: Field) -> Field {
    Field { required: false, ..field }
}

fn line(name: &str, kind: LineKind, value: Option<&str>, words: Words) -> Field {
    let hint = Some(words.get(&format!("settings-{name}-hint")).to_owned());
    let kind = FieldKind::Line(Line { kind, value: value.unwrap_or_default().to_owned() });
    Field { hint, ..field(name, kind, words) }
}

fn option(value: &str, hint: Option<String>, words: Words) -> ChoiceOption {
    ChoiceOption { value: value.to_owned(), label: words.get(&format!("settings-{value}")).to_owned(), hint }
}

fn choice(name: &str, options: impl Iterator<Item = ChoiceOption>, value: &str, words: Words) -> Field {
    let choice = Choice { options: options.collect(), value: Some(value.to_owned()) };
    field(name, FieldKind::Choice(choice), words)
}

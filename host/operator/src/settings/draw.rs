//! The page: the result of a test, and the form, with each group of settings as fields or as the file has it.

use super::super::one_mail::{step_key, steps};
use super::{PAGE, SEEN, TEST, TO, TRIALS_EACH, TRIALS_WINDOW, Tested, said_wrong};
use crate::page::{Asked, text};
use crate::sheet::{Fields, FieldsGroup, Part, Sheet};
use keyturn_mail::config::Way;
use keyturn_mail::setup::{Group, Setup};
use keyturn_mail::transport::smtp::Encryption;
use keyturn_mail::transport::{StepKind, Verdict};
use keyturn_ui::nodes::{
    Choice, ChoiceOption, Field, FieldKind, Line, LineKind, NewPassword, Node, Notice, Outcome, Submission, Tone,
};

/// The cards of the form, and the settings of each; all in one group.
const CARDS: [(&str, &[&str]); 4] = [
    ("settings-how", &["mail.transport"]),
    (SERVER, &["mail.smtp.host", "mail.smtp.port", "mail.smtp.encryption", "mail.smtp.username", "mail.smtp.password"]),
    ("settings-sender", &["mail.from", "mail.reply-to"]),
    ("settings-links", &["brand.link-origin"]),
];
const SERVER: &str = "settings-server";

/// The page's data, read before it is drawn.
pub(super) struct Form<'a> {
    pub(super) setup: &'a Setup,
    /// The version of the settings.
    pub(super) seen: String,
    pub(super) tested: Option<&'a Tested>,
    pub(super) asked: &'a Asked<'a>,
}

impl Form<'_> {
    pub(super) fn sheet(&self) -> Sheet {
        let problem = self.asked.host.mail_problem().filter(|_| self.tested.is_none()).map(|wrong| Notice {
            tone: Tone::Danger,
            title: self.word("problem"),
            body: text(&said_wrong(&wrong, self.asked.words)),
            actions: Vec::new(),
        });
        let steps = self.tested.map(|tested| {
            let table = steps("settings-tested", &tested.trial.attempt.steps, self.asked.words);
            Part::Nodes(vec![self.asked.heading("settings-tested"), Node::Table(table)])
        });
        Sheet {
            title: self.asked.word("settings"),
            outcome: self.tested.map(|tested| self.outcome(tested)),
            notices: problem.into_iter().collect(),
            parts: steps.into_iter().chain([Part::Fields(self.fields())]).collect(),
            ..Sheet::default()
        }
    }

    /// An entry of this page in the catalogue.
    fn word(&self, key: &str) -> String {
        self.asked.word(&format!("settings-{key}"))
    }

    fn fields(&self) -> Fields {
        let settable = Group::ALL.into_iter().any(|group| !self.setup.fixed.has(group));
        Fields {
            submit: Submission { action: PAGE.name.to_owned(), subject: None, arguments: Vec::new() },
            hidden: vec![self.field(SEEN, FieldKind::Hidden(self.seen.clone()))],
            groups: CARDS.into_iter().filter_map(|card| self.card(card)).chain([self.test()]).collect(),
            label: settable.then(|| self.word("save")),
            cancel: None,
            // Which of them are required depends on others, so that is checked when all are there.
            checked: |field| matches!(field.kind, FieldKind::Choice(_)),
        }
    }

    /// Settings as fields, or as the file has them. None: the file has no mail server.
    fn card(&self, (key, settings): (&str, &[&str])) -> Option<FieldsGroup> {
        let (fixed, words) = (&self.setup.fixed, self.asked.words);
        let heading = self.asked.word(key);
        if !settings.iter().all(|setting| fixed.fixes(setting)) {
            let forget =
                (key == SERVER && self.password_at().is_some()).then(|| self.field("forget", FieldKind::Tick(false)));
            let lead = if key == SERVER { self.asked.say("settings-server-hint") } else { Vec::new() };
            let fields = settings.iter().map(|setting| self.set(setting)).chain(forget).collect();
            return Some(FieldsGroup { heading, lead, fields, also: None });
        }
        if key == SERVER && self.setup.mail.smtp.is_none() {
            return None;
        }
        let file = ("file", fixed.file.as_str());
        let lead = match settings.iter().filter_map(|setting| fixed.line(setting)).min() {
            Some(line) => words.fill("settings-fixed", &[file, ("line", &line.to_string())]),
            None => words.fill("settings-fixed-file", &[file]),
        };
        let fields = settings.iter().map(|setting| self.shown(setting)).collect();
        Some(FieldsGroup { heading, lead: text(&lead), fields, also: None })
    }

    fn test(&self) -> FieldsGroup {
        let words = self.asked.words;
        let most = words.number(i64::try_from(TRIALS_EACH).unwrap_or(i64::MAX));
        let bound = [("n", most.as_str()), ("time", &words.duration(u64::from(TRIALS_WINDOW)))];
        FieldsGroup {
            heading: self.word("test"),
            lead: text(&words.fill("settings-test-hint", &bound)),
            fields: vec![self.field(TO, line(LineKind::Email, String::new()))],
            also: Some((self.word("test-send"), TEST)),
        }
    }

    fn field(&self, name: &str, kind: FieldKind) -> Field {
        Field { name: name.to_owned(), label: self.word(name), hint: None, kind, required: true, own: false }
    }

    /// A setting as the file has it.
    fn shown(&self, setting: &str) -> Field {
        let value = match (setting, self.setup.value(setting)) {
            (_, None) => self.asked.word("not-shown"),
            ("mail.transport" | "mail.smtp.encryption", Some(name)) => self.word(&name),
            (_, Some(value)) => value,
        };
        self.field(name(setting), FieldKind::Fixed(Line { kind: LineKind::Plain, value }))
    }

    /// A setting to be set.
    fn set(&self, setting: &str) -> Field {
        let value = self.setup.value(setting).unwrap_or_default();
        let server = self.setup.mail.smtp.as_ref();
        let (kind, required) = match setting {
            "mail.transport" => (self.ways(), true),
            "mail.smtp.host" => (line(LineKind::HostName, value), true),
            "mail.smtp.port" => {
                let port = server.and_then(|server| server.port).map(|port| port.to_string());
                (line(LineKind::Port, port.unwrap_or_default()), false)
            }
            "mail.smtp.encryption" => {
                let encryption = server.map(|server| server.encryption).unwrap_or_default();
                let options = Encryption::ALL.map(|one| self.option(one.name(), None));
                (choice(options.into(), encryption.name()), true)
            }
            "mail.smtp.password" => {
                let new = NewPassword { min_length: 1, repeat: false, rate: None, generate: None, rules: None };
                (FieldKind::NewPassword(new), false)
            }
            "mail.from" => (line(LineKind::Email, value), true),
            "mail.reply-to" => (line(LineKind::Email, value), false),
            "brand.link-origin" => (line(LineKind::Url, value), true),
            _ => (line(LineKind::Plain, value), false),
        };
        let hint = match &kind {
            FieldKind::Line(_) => Some(self.word(&format!("{}-hint", name(setting)))),
            FieldKind::NewPassword(_) => Some(self.stored()),
            _ => None,
        };
        Field { hint, required, ..self.field(name(setting), kind) }
    }

    fn ways(&self) -> FieldKind {
        // A path is for people with access to the machine.
        let folder = self.setup.fixed.mail.folder.is_some();
        let ways = Way::ALL.into_iter().filter(|way| folder || *way != Way::Folder);
        let hint = |way: Way| (way != Way::Smtp).then(|| self.word(&format!("{}-hint", way.name())));
        choice(ways.map(|way| self.option(way.name(), hint(way))).collect(), self.setup.way().name())
    }

    fn option(&self, value: &str, hint: Option<String>) -> ChoiceOption {
        ChoiceOption { value: value.to_owned(), label: self.word(value), hint }
    }

    fn password_at(&self) -> Option<i64> {
        self.setup.chosen.server.as_ref()?.password_at
    }

    /// The hint about the stored password.
    fn stored(&self) -> String {
        match self.password_at() {
            _ if self.tested.is_some_and(|tested| tested.typed_password) => self.word("password-again"),
            Some(at) => self.asked.words.fill("settings-password-stored", &[("time", &self.asked.time(at))]),
            None => self.word("password-hint"),
        }
    }

    /// The result of a test, and the settings that it depends on.
    fn outcome(&self, Tested { trial, setup, to, saved, .. }: &Tested) -> Outcome {
        let words = self.asked.words;
        let kept = self.word(if *saved { "tested-saved" } else { "tested-unsaved" });
        let last = trial.attempt.steps.last().map_or(StepKind::LookUp, |step| step.kind);
        let (tone, title, said) = if trial.attempt.verdict == Verdict::Accepted {
            let said = words.fill("settings-tested-accepted", &[("address", to)]);
            (Tone::Success, words.fill("settings-tested-accepted-title", &[("server", &trial.server)]), said)
        } else {
            let step = words.get(step_key(last));
            let title = words.fill("settings-tested-failed-title", &[("server", &trial.server), ("step", step)]);
            (Tone::Danger, title, self.word(&format!("advice-{}", advice(setup.way(), last))))
        };
        Outcome { tone, title, body: text(&format!("{said} {kept}")), mail: None }
    }
}

/// The settings that a failed step depends on; the texts name them as the page does.
fn advice(way: Way, step: StepKind) -> &'static str {
    match way {
        Way::Smtp => step.name(),
        Way::Sendmail => way.name(),
        Way::Folder | Way::Off => Way::Folder.name(),
    }
}

/// The name of a setting in the form.
fn name(setting: &str) -> &str {
    setting.rsplit('.').next().unwrap_or(setting)
}

fn line(kind: LineKind, value: String) -> FieldKind {
    FieldKind::Line(Line { kind, value })
}

fn choice(options: Vec<ChoiceOption>, value: &str) -> FieldKind {
    FieldKind::Choice(Choice { options, value: Some(value.to_owned()) })
}

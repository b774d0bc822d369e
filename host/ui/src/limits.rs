//! The limits of a view: counts and lengths, what fits a slot, and what needs a grant. Checked before anything is drawn.

use std::str::FromStr;

use super::frame::Frame;
use super::place::Place;
use keyturn_contract::keyturn::ui::nodes::{
    Action, Arguments, FieldKind, Form, Node, Outcome, Run, Sentence, Step, Submission, Table, Target, Value, View,
};
use keyturn_core::accounts::AccountId;
use keyturn_core::mail::MailId;

/// Nodes of a view.
pub const NODES: usize = 100;
/// Rows of a table.
pub const ROWS: usize = 100;
/// Columns of a table.
pub const COLUMNS: usize = 12;
/// Fields of a form, and options of a choice.
pub const FIELDS: usize = 40;
/// Characters of a label, title, button or caption.
pub const LABEL: usize = 120;
/// Characters of one text, hint or value.
pub const TEXT: usize = 4_000;
/// Bytes of all texts of a view.
pub const VIEW: usize = 256 * 1024;
/// Actions side by side; those of a table's row.
pub const ACTIONS: (usize, usize) = (12, 2);
/// Facts of a list, points of a form, lines of a code, values of a sentence, arguments.
pub const PARTS: usize = 100;

/// Steps before an email, and after it.
pub const STEPS: usize = 10;

/// Why a view is not drawn: one sentence. For the administrator; the reader sees one quiet line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin}: {problem}")]
pub struct ViewError {
    plugin: String,
    problem: String,
}

/// Checks a page.
pub(super) fn view(view: &View, frame: &Frame<'_>) -> Result<(), ViewError> {
    let mut check = Check::new(frame);
    check.title(&view.title)?;
    view.lead.iter().try_for_each(|lead| check.sentence(lead))?;
    if let Some(said) = &view.outcome {
        check.outcome(said)?;
    }
    check.nodes(&view.nodes)
}

/// Checks an outcome.
pub(super) fn outcome(outcome: &Outcome, frame: &Frame<'_>) -> Result<(), ViewError> {
    Check::new(frame).outcome(outcome)
}

/// Checks a region.
pub(super) fn region(nodes: &[Node], frame: &Frame<'_>) -> Result<(), ViewError> {
    let mut check = Check::new(frame);
    if let Place::Slot { name, .. } = &frame.place {
        check.slot(nodes, name)?;
    }
    check.nodes(nodes)
}

/// Checks a customer's row.
pub(super) fn row(nodes: &[Node], frame: &Frame<'_>) -> Result<(), ViewError> {
    let mut check = Check::new(frame);
    check.slot(nodes, "customers.row")?;
    check.nodes(nodes)
}

struct Check<'f> {
    frame: &'f Frame<'f>,
    bytes: usize,
}

impl<'f> Check<'f> {
    fn new(frame: &'f Frame<'f>) -> Self {
        Self { frame, bytes: 0 }
    }

    fn hold(&self, holds: bool, problem: impl FnOnce() -> String) -> Result<(), ViewError> {
        if holds { Ok(()) } else { Err(ViewError { plugin: self.frame.plugin.to_owned(), problem: problem() }) }
    }

    fn most(&self, what: &str, have: usize, most: usize, unit: &str) -> Result<(), ViewError> {
        let beyond = || format!("{have} {what}; one {unit} may have at most {most}. The plugin must show less");
        self.hold(have <= most, beyond)
    }

    fn size(&mut self, text: &str) -> Result<(), ViewError> {
        self.bytes = self.bytes.saturating_add(text.len());
        self.most("bytes", self.bytes, VIEW, "view")
    }

    fn label(&mut self, text: &str) -> Result<(), ViewError> {
        self.size(text)?;
        self.most("characters", text.chars().count(), LABEL, "label")
    }

    fn text(&mut self, text: &str) -> Result<(), ViewError> {
        self.size(text)?;
        self.most("characters", text.chars().count(), TEXT, "text")
    }

    fn title(&mut self, title: &Sentence) -> Result<(), ViewError> {
        self.sentence(title)?;
        let said = title.iter().map(|value| match value {
            Value::Text(text) | Value::Code(text) => text.chars().count(),
            Value::Badge(badge) => badge.text.chars().count(),
            Value::Link(link) => link.text.chars().count(),
            _ => 0,
        });
        self.most("characters", said.sum(), LABEL, "title")
    }

    fn sentence(&mut self, sentence: &Sentence) -> Result<(), ViewError> {
        self.most("values", sentence.len(), PARTS, "sentence")?;
        for value in sentence {
            match value {
                Value::Text(text) | Value::Code(text) => self.text(text)?,
                Value::Badge(badge) => self.label(&badge.text)?,
                Value::Account(shown) => self.size(&shown.account)?,
                Value::Link(link) => {
                    self.label(&link.text)?;
                    self.target(&link.target)?;
                }
                Value::Time(_) | Value::Duration(_) | Value::Number(_) | Value::Brand | Value::Contact => {}
            }
        }
        Ok(())
    }

    fn sentences(&mut self, sentences: &[Sentence], unit: &'static str) -> Result<(), ViewError> {
        self.most("sentences", sentences.len(), PARTS, unit)?;
        sentences.iter().try_for_each(|sentence| self.sentence(sentence))
    }

    /// It goes into addresses and sealed forms, so it must be a valid id.
    fn id<T: FromStr>(&mut self, id: &str, what: &str) -> Result<(), ViewError> {
        self.size(id)?;
        self.hold(id.parse::<T>().is_ok(), || format!("{:?} is not {what}", id.chars().take(64).collect::<String>()))
    }

    fn account(&mut self, account: &str) -> Result<(), ViewError> {
        self.id::<AccountId>(account, "an account; it must be like realm:key, at most 64 bytes")
    }

    fn mail(&mut self, mail: &str) -> Result<(), ViewError> {
        self.id::<MailId>(mail, "an email's id, as answered by `mail.send`")
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), ViewError> {
        self.most("steps", steps.len(), STEPS, "delivery")?;
        for step in steps {
            self.title(&step.title)?;
            step.detail.iter().try_for_each(|detail| self.sentence(detail))?;
        }
        Ok(())
    }

    fn arguments(&mut self, arguments: &Arguments) -> Result<(), ViewError> {
        self.most("arguments", arguments.len(), PARTS, "target or submission")?;
        for (name, value) in arguments {
            self.label(name)?;
            self.text(value)?;
        }
        Ok(())
    }

    fn target(&mut self, target: &Target) -> Result<(), ViewError> {
        match target {
            Target::Page(page) => {
                self.label(&page.page)?;
                page.subject.iter().try_for_each(|subject| self.account(subject))?;
                self.arguments(&page.arguments)
            }
            Target::Overview(account) | Target::AccountDetails(account) => self.account(account),
            Target::Mail(mail) => self.mail(mail),
            Target::SignIn | Target::MyAccount | Target::EmailSettings => Ok(()),
        }
    }

    fn submission(&mut self, submission: &Submission) -> Result<(), ViewError> {
        self.label(&submission.action)?;
        submission.subject.iter().try_for_each(|subject| self.account(subject))?;
        self.arguments(&submission.arguments)
    }

    fn action(&mut self, action: &Action) -> Result<(), ViewError> {
        self.label(&action.label)?;
        action.unavailable.iter().try_for_each(|reason| self.sentence(reason))?;
        match &action.run {
            Run::Go(target) => self.target(target),
            Run::Submit(submission) => self.submission(submission),
        }
    }

    fn actions(&mut self, actions: &[Action], most: usize, unit: &'static str) -> Result<(), ViewError> {
        self.most("actions", actions.len(), most, unit)?;
        actions.iter().try_for_each(|action| self.action(action))
    }

    fn outcome(&mut self, outcome: &Outcome) -> Result<(), ViewError> {
        self.label(&outcome.title)?;
        self.sentence(&outcome.body)?;
        outcome.mail.iter().try_for_each(|mail| self.mail(mail))
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<(), ViewError> {
        self.most("nodes", nodes.len(), NODES, "view")?;
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Result<(), ViewError> {
        match node {
            Node::Heading(text) => self.label(text),
            Node::Text(sentence) => self.sentence(sentence),
            Node::Notice(notice) => {
                self.label(&notice.title)?;
                self.sentence(&notice.body)?;
                self.actions(&notice.actions, ACTIONS.0, "notice")
            }
            Node::Facts(facts) => {
                self.most("facts", facts.len(), PARTS, "list")?;
                facts.iter().try_for_each(|fact| {
                    self.label(&fact.label)?;
                    self.sentence(&fact.value)
                })
            }
            Node::Table(table) => self.table(table),
            Node::Form(form) => self.form(form),
            Node::Actions(actions) => self.actions(actions, ACTIONS.0, "row of actions"),
            Node::Delivery(delivery) => {
                self.mail(&delivery.mail)?;
                self.steps(&delivery.before)?;
                self.steps(&delivery.after)
            }
            Node::Code(code) => {
                self.label(&code.label)?;
                self.most("lines", code.lines.len(), PARTS, "code")?;
                code.lines.iter().try_for_each(|line| self.text(line))
            }
        }
    }

    fn table(&mut self, table: &Table) -> Result<(), ViewError> {
        self.label(&table.caption)?;
        self.most("columns", table.columns.len(), COLUMNS, "table")?;
        self.most("rows", table.rows.len(), ROWS, "table")?;
        table.columns.iter().try_for_each(|column| self.label(&column.label))?;
        for row in &table.rows {
            let (cells, columns) = (row.cells.len(), table.columns.len());
            let differ = || format!("a row of the table {:?} has {cells} cells for {columns} columns", table.caption);
            self.hold(cells == columns, differ)?;
            row.cells.iter().try_for_each(|cell| self.sentence(cell))?;
            self.actions(&row.actions, ACTIONS.1, "row of a table")?;
        }
        self.label(&table.empty.title)?;
        self.sentence(&table.empty.text)?;
        table.empty.action.iter().try_for_each(|action| self.action(action))
    }

    fn grant(&self, granted: bool, what: &str, grant: &str) -> Result<(), ViewError> {
        let file = format!("plugins.d/{}.toml", self.frame.plugin);
        self.hold(granted, || format!("{what} needs the grant `{grant}`; set {grant} = true in {file} if you allow it"))
    }

    fn form(&mut self, form: &Form) -> Result<(), ViewError> {
        self.grant(self.frame.may_input, "a form", "input")?;
        self.submission(&form.submit)?;
        self.sentences(&form.intro, "form")?;
        self.sentences(&form.points, "form")?;
        self.label(&form.submit_label)?;
        form.cancel.iter().try_for_each(|cancel| self.target(cancel))?;
        self.most("fields", form.fields.len(), FIELDS, "form")?;
        for (at, field) in form.fields.iter().enumerate() {
            let twice = form.fields[..at].iter().any(|other| other.name == field.name)
                || form.submit.arguments.iter().any(|(name, _)| *name == field.name);
            self.hold(!twice && well_named(&field.name), || {
                let name: String = field.name.chars().take(64).collect();
                format!(
                    "the field name {name:?} is used twice, is an argument's name too, or is not 1 to 64 letters, digits, \
                     \"-\", \"_\" or \".\" without \"kt\" at its beginning"
                )
            })?;
            self.label(&field.label)?;
            field.hint.iter().try_for_each(|hint| self.text(hint))?;
            match &field.kind {
                FieldKind::Line(line) | FieldKind::Fixed(line) => self.text(&line.value)?,
                FieldKind::Choice(choice) => {
                    self.most("answers", choice.options.len(), FIELDS, "choice")?;
                    for option in &choice.options {
                        self.label(&option.label)?;
                        self.text(&option.value)?;
                        option.hint.iter().try_for_each(|hint| self.text(hint))?;
                    }
                    choice.value.iter().try_for_each(|value| self.text(value))?;
                }
                FieldKind::Tick(_) => {}
                FieldKind::CurrentPassword => self.grant(self.frame.may_passwords, "a password field", "passwords")?,
                FieldKind::NewPassword(new) => {
                    self.grant(self.frame.may_passwords, "a password field", "passwords")?;
                    new.rate.iter().chain(&new.generate).try_for_each(|operation| self.label(operation))?;
                    new.rules.iter().try_for_each(|rules| self.text(rules))?;
                }
                FieldKind::Hidden(value) => self.text(value)?,
            }
        }
        Ok(())
    }

    /// What a slot takes less than other regions do.
    fn slot(&self, nodes: &[Node], slot: &str) -> Result<(), ViewError> {
        let (takes, plain, most_sentences, most_actions) = match slot {
            "sign-in.below" => ("texts and links", true, usize::MAX, 0),
            "customers.row" => ("one sentence with at most two badges, and at most two actions", false, 1, 2),
            "customer.actions" => ("at most four actions", false, 0, 4),
            _ => return Ok(()),
        };
        let fits = |fits: bool, what: &str| self.hold(fits, || format!("the slot {slot} takes {takes}, not {what}"));
        let is_plain = |value: &Value| matches!(value, Value::Text(_) | Value::Link(_) | Value::Brand | Value::Contact);
        let is_badge = |value: &&Value| matches!(value, Value::Badge(_));
        let (mut sentences, mut actions) = (0, 0);
        for node in nodes {
            match node {
                Node::Text(sentence) if most_sentences > 0 => {
                    sentences += 1;
                    fits(!plain || sentence.iter().all(is_plain), "other values")?;
                    fits(sentence.iter().filter(is_badge).count() <= 2, "more badges")?;
                }
                Node::Actions(some) if most_actions > 0 => actions += some.len(),
                other => fits(false, kind(other))?,
            }
        }
        fits(sentences <= most_sentences, "more sentences")?;
        fits(actions <= most_actions, "more actions")
    }
}

fn well_named(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with("kt")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Heading(_) => "a heading",
        Node::Text(_) => "a text",
        Node::Notice(_) => "a notice",
        Node::Facts(_) => "facts",
        Node::Table(_) => "a table",
        Node::Form(_) => "a form",
        Node::Actions(_) => "actions",
        Node::Delivery(_) => "a delivery",
        Node::Code(_) => "a code",
    }
}

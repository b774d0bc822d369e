//! The test email, which shows an operator that email works: at the command line, and on the page Email settings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::{Way, Wrong};
use super::draw::{Context, draw};
use super::setup::Setup;
use super::template::{Block, Template, TemplateError, Text};
use super::transport::{Attempt, StepKind};
use super::{Mailbox, Message};
use keyturn_core::seal::{hex, random};
use keyturn_core::words::{Language, Words};

/// A test that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The server: `smtp.example:587`.
    pub server: String,
    /// Without brackets.
    pub message_id: String,
    /// Each step and its result.
    pub attempt: Attempt,
}

/// Sends an email to the address `to`, at once and without the outbox. `total`: the time limit for everything together, if
/// somebody waits for it. Blocks.
///
/// # Errors
/// The wrong setting and its problem; an email that is not accepted is no error.
pub fn send(setup: &Setup, to: &str, context: &Context<'_>, total: Option<Duration>) -> Result<Trial, Wrong> {
    let off = || ("mail.transport", "is off".to_owned());
    let transport = setup.transport(total)?.ok_or_else(off)?;
    let from = setup.sender(context.brand).ok_or_else(off)?;
    let message = message(from, setup.reply_to(), to, context).map_err(|cause| ("mail", cause.to_string()))?;
    let attempt = transport.session().send(&message);
    Ok(Trial { server: transport.name(), message_id: message.message_id, attempt })
}

/// The settings that a step depends on, most likely ones first.
#[must_use]
pub fn depends_on(way: Way, step: StepKind) -> &'static [&'static str] {
    match (way, step) {
        (Way::Off, _) => &["mail.transport"],
        (Way::Sendmail, _) => &["mail.sendmail.program", "mail.from"],
        (Way::Folder, _) => &["mail.folder.path"],
        (Way::Smtp, StepKind::LookUp) => &["mail.smtp.host"],
        (Way::Smtp, StepKind::Connect) => {
            &["mail.smtp.host", "mail.smtp.port", "mail.smtp.encryption", "mail.smtp.hello"]
        }
        (Way::Smtp, StepKind::Tls) => {
            &["mail.smtp.host", "mail.smtp.encryption", "mail.smtp.ca-file", "mail.smtp.hello"]
        }
        (Way::Smtp, StepKind::Login) => &["mail.smtp.username", "mail.smtp.password"],
        (Way::Smtp, StepKind::Handover) => &["mail.from", "mail.smtp.username"],
    }
}

/// A short email without secrets, from `from` to the address `to`, in the context's language; `context.time` is now.
///
/// # Errors
/// [`TemplateError`]: never, as a test proves.
fn message(
    from: Mailbox,
    reply_to: Option<Mailbox>,
    to: &str,
    context: &Context<'_>,
) -> Result<Message, TemplateError> {
    let drawn = draw(&template(), &BTreeMap::new(), context, false)?;
    let domain = super::address::domain(&from.address);
    let message_id = format!("{}@{}", hex(&random::<12>()), domain.as_deref().unwrap_or("localhost"));
    let to = Mailbox { name: String::new(), address: to.to_owned() };
    Ok(Message { message_id, from, reply_to, to, date: context.time, drawn })
}

fn template() -> Template {
    let text = |language: Language| {
        let words = Words(language);
        let filled = |key| words.fill(key, &[("brand", "{{ brand.name }}"), ("contact", "{{ brand.contact }}")]);
        Text {
            subject: filled("trial-subject"),
            preheader: filled("trial-preheader"),
            body: vec![
                Block::Heading(filled("trial-heading")),
                Block::Text(filled("trial-text")),
                Block::Text(filled("trial-unexpected")),
            ],
        }
    };
    let texts = Language::ALL.map(|language| (language.tag().to_owned(), text(language)));
    Template { variables: BTreeMap::new(), texts: texts.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Writer;

    #[test]
    fn the_trial_is_a_good_template_and_a_good_mail_in_each_language() {
        template().check().expect("good");
        let zone = jiff::tz::TimeZone::UTC;
        for (locale, subject) in [("en", "Test email from Northwind"), ("es-MX", "Correo de prueba de Northwind")] {
            let context = Context {
                account: None,
                brand: "Northwind",
                contact: "help@northwind.example",
                sign_in: "https://panel.example/login",
                time: 1_795_525_331_000,
                origin: "",
                locale,
                zone: &zone,
            };
            let from = Mailbox { name: "Northwind".to_owned(), address: "accounts@bücher.example".to_owned() };
            let message = message(from, None, "ana@northwind.example", &context).expect("drawn");
            assert_eq!(message.drawn.subject, subject);
            assert!(message.message_id.ends_with("@xn--bcher-kva.example"), "{}", message.message_id);
            Writer::default().bytes(&message).expect("written");
        }
    }
}

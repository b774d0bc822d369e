//! The mail by which an operator sees that mail goes out: at the command line, and on the page Email settings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::{Way, Wrong};
use super::draw::{Context, draw};
use super::setup::Setup;
use super::template::{Template, TemplateError};
use super::transport::{Attempt, StepKind};
use super::{Mailbox, Message};
use keyturn_core::seal::{hex, random};

/// A trial that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// By what: `smtp.example:587`.
    pub server: String,
    /// Without brackets.
    pub message_id: String,
    /// Each step, and what came of it.
    pub attempt: Attempt,
}

/// Why none was made.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// Mail is off.
    #[error("mail is off")]
    Off,
    /// A setting, and what is wrong with it.
    #[error("{} {}", .0.0, .0.1)]
    Wrong(Wrong),
    /// Never, as a test proves.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Sends a mail to the address `to`, at once and past the outbox. `total`: the time for everything together, if somebody waits
/// for it. Blocks.
///
/// # Errors
/// [`TrialError`]; that the mail is not taken is no error.
pub fn send(setup: &Setup, to: &str, context: &Context<'_>, total: Option<Duration>) -> Result<Trial, TrialError> {
    let transport = setup.transport(total).map_err(TrialError::Wrong)?.ok_or(TrialError::Off)?;
    let from = setup.sender(context.brand.name).ok_or(TrialError::Off)?;
    let message = message(from, setup.reply_to(), to, context)?;
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

/// A short mail without secrets, from `from` to the address `to`, in the context's language; `context.request.time` is now.
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
    let domain = super::address::parse(&from.address).ok().map(|address| address.domain().to_owned());
    Ok(Message {
        message_id: format!("{}@{}", hex(&random::<12>()), domain.as_deref().unwrap_or("localhost")),
        from,
        reply_to,
        to: Mailbox { name: String::new(), address: to.to_owned() },
        date: context.request.time,
        locale: drawn.locale,
        subject: drawn.subject,
        text: drawn.text,
        html: drawn.html,
    })
}

fn template() -> Template {
    toml::from_str(include_str!("trial.toml"))
        .unwrap_or_else(|cause| unreachable!("a test reads this template: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Brand, Request};
    use crate::message::Writer;

    #[test]
    fn the_trial_is_a_good_template_and_a_good_mail_in_each_language() {
        template().check().expect("good");
        let zone = jiff::tz::TimeZone::UTC;
        for (locale, subject) in [("en", "Test mail from Northwind"), ("es-MX", "Correo de prueba de Northwind")] {
            let context = Context {
                account: None,
                brand: Brand {
                    name: "Northwind",
                    contact: "help@northwind.example",
                    sign_in: "https://panel.example/login",
                },
                request: Request { time: 1_795_525_331_000, origin: "" },
                locale,
                zone: &zone,
            };
            let from = Mailbox { name: "Northwind".to_owned(), address: "accounts@bücher.example".to_owned() };
            let message = message(from, None, "ana@northwind.example", &context).expect("drawn");
            assert_eq!(message.subject, subject);
            assert!(message.message_id.ends_with("@xn--bcher-kva.example"), "{}", message.message_id);
            Writer::default().bytes(&message).expect("written");
        }
    }
}

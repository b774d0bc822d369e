//! The mail by which an operator sees that mail goes out.

use std::collections::BTreeMap;

use super::draw::{Context, draw};
use super::template::{Template, TemplateError};
use super::{Mailbox, Message};
use crate::seal::{hex, random};

/// A short mail without secrets, from `from` to the address `to`, in the context's language; `context.request.time` is now.
///
/// # Errors
/// [`TemplateError`]: never, as a test proves.
pub fn message(
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
    use crate::mail::draw::{Brand, Request};
    use crate::mail::message::Writer;

    #[test]
    fn the_trial_is_a_good_template_and_a_good_mail_in_each_language() {
        template().check().expect("good");
        let zone = jiff::tz::TimeZone::UTC;
        for (locale, subject) in [("en", "Test mail from Northwind"), ("es-MX", "Correo de prueba de Northwind")] {
            let context = Context {
                account: None,
                brand: Brand { name: "Northwind", contact: "help@northwind.example" },
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

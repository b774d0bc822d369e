//! Mail against real servers: aiosmtpd, as many of its ways to take or refuse a mail as there are, and servers that keep to
//! no protocol. What is drawn is read by SpamAssassin, what is signed is checked by dkimpy.

mod drawn;
mod programs;
mod servers;
mod signed;
mod smtp;

use keyturn_host::mail::draw::Drawn;
use keyturn_host::mail::{Mailbox, Message};

/// The name only, of an address.
fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: name.to_owned(), address: address.to_owned() }
}

/// A mail to somebody, with a link alone on its line.
fn message(to: &str) -> Message {
    let link = "https://panel.example/reset/7RkTq2vXw9c2Qe";
    Message {
        message_id: "m-1@panel.example".to_owned(),
        from: mailbox("Northwind Hosting", "accounts@northwind.example"),
        reply_to: None,
        to: mailbox("Marta Vidal", to),
        date: 1_795_525_331_000,
        drawn: Drawn {
            subject: "Choose a new password".to_owned(),
            text: format!("Hello Marta,\n\n{link}\n").into(),
            html: format!("<p>Hello Marta, <a href=\"{link}\">choose</a></p>\n").into(),
        },
    }
}

use super::*;
use crate::bindings::types::EventField;
use crate::{change, links};

type Change = fn(&Panel) -> Changed;

/// Each way to change a password, what it mails, what the event says.
fn ways() -> [(Change, &'static str, &'static str); 3] {
    [
        (|panel| set(panel, MARTA, SECOND, true), "password-changed-by-support", "manager"),
        (
            |panel| {
                act_as(panel, MARTA);
                panel.run(|ports| change::change_own(ports, secret(FIRST), secret(SECOND))).unwrap()
            },
            "password-changed-by-owner",
            "owner",
        ),
        (
            |panel| {
                let token = panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token;
                panel.run(|ports| change::complete_reset(ports, &token, secret(SECOND))).unwrap()
            },
            "password-changed-by-link",
            "link",
        ),
    ]
}

#[test]
fn the_owner_is_told_of_every_change_and_never_of_the_password() {
    for (change, template, _) in ways() {
        let panel = panel();
        let changed = change(&panel);
        let posted = panel.outbox().pop().unwrap();
        assert_eq!((changed.notice.as_deref(), posted.template.as_str()), (Some(posted.mail.as_str()), template));
        assert_eq!(posted.account, MARTA);
        assert_eq!(posted.variables, [("at".to_owned(), Variable::Time(panel.now.get()))]);
    }
}

#[test]
fn others_are_told_by_an_event() {
    for (change, _, way) in ways() {
        let panel = panel();
        let before = panel.events().len();
        change(&panel);
        let events = panel.events();
        assert_eq!(events.len(), before + 1);
        let event = events.last().unwrap();
        assert_eq!((event.name.as_str(), event.subject.as_deref()), ("password.changed", Some(MARTA)));
        assert_eq!(event.fields, [("way".to_owned(), EventField::Text(way.to_owned()))]);
    }
}

#[test]
fn a_change_never_fails_because_nobody_can_be_told() {
    for (change, _, way) in ways() {
        let panel = panel();
        panel.mail_off.set(true);
        assert_eq!(change(&panel).notice, None, "{way}");
        let panel = self::panel();
        panel.alter(MARTA, |person| person.email.clear());
        assert_eq!(change(&panel).notice, None, "{way}");
        assert!(panel.events().len() > 1);
    }
}

#[test]
fn a_change_that_is_refused_is_told_to_nobody() {
    let panel = panel();
    let before = (panel.outbox(), panel.events());
    assert!(panel.run(|ports| change::set_password(ports, MARTA, secret("short"), false)).is_err());
    panel.refuses_hashes.set(true);
    assert!(panel.run(|ports| change::set_password(ports, MARTA, secret(SECOND), false)).is_err());
    assert_eq!((panel.outbox(), panel.events()), before);
}

#[test]
fn a_notice_is_not_called_back_by_the_next_change() {
    let panel = panel();
    set(&panel, MARTA, SECOND, false);
    set(&panel, MARTA, FIRST, false);
    assert!(panel.outbox().iter().all(|posted| posted.state == MailState::Queued));
}

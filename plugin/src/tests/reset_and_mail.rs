use super::*;
use crate::bindings::nodes::Node;
use crate::bindings::password::{LinkState, Mode, PasswordState, Reset};
use crate::bindings::types::EventField;
use crate::bindings::views::{Answer, Input};
use crate::reset_and_mail::{address_mark, reset_and_mail};
use crate::{change, links, status, views};

fn try_reset(panel: &Panel, account: &str, mode: Mode) -> Result<Reset, Failure> {
    panel.run(|ports| reset_and_mail(ports, account, mode))
}

fn reset(panel: &Panel, mode: Mode) -> Reset {
    try_reset(panel, MARTA, mode).unwrap()
}

/// Also the one that the operator must choose.
fn all_modes() -> Panel {
    let panel = panel();
    let names = ["temporary", "link", "permanent"].map(str::to_owned);
    panel.settings.borrow_mut().insert("reset-modes", Value::Texts(names.into()));
    panel
}

fn confirm(panel: &Panel, mode: &str, seen: &str) -> Result<Answer, Failure> {
    let inputs = [("mode", mode), ("address-seen", seen)];
    let inputs = inputs.map(|(name, text)| (name.to_owned(), Input::Text(text.to_owned()))).into();
    panel.run(|ports| views::submit(ports, "reset-and-mail", Some(MARTA), None, inputs))
}

#[test]
fn a_temporary_password_signs_in_once_and_must_be_changed() {
    let panel = panel();
    let until = panel.now.get() + 24 * 60 * MINUTE;
    panel.alter(MARTA, |person| person.sessions = Some(2));
    let done = reset(&panel, Mode::Temporary);
    assert_eq!((done.mode, done.until, done.sessions_ended), (Mode::Temporary, Some(until), Some(2)));
    let posted = panel.outbox().pop().unwrap();
    assert_eq!((posted.mail, posted.template.as_str(), posted.expires), (done.mail, "temporary-password", Some(until)));

    let password = mailed_password(&panel);
    panel.deliver();
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::Rejected));
    let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", &password) else { panic!("no link") };
    panel.run(|ports| change::complete_reset(ports, &link.token, secret(SECOND))).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
    assert_eq!(sign_in(&panel, "marta.vidal", &password), Ok(Verdict::Rejected));
}

#[test]
fn a_temporary_password_ends_and_says_so_to_who_types_it_right() {
    let panel = panel();
    panel.settings.borrow_mut().insert("temporary-hours", Value::Number(2));
    let until = reset(&panel, Mode::Temporary).until.unwrap();
    let password = mailed_password(&panel);
    assert_eq!(until, panel.now.get() + 120 * MINUTE);
    panel.wait(120 * MINUTE);
    assert_eq!(sign_in(&panel, "marta.vidal", &password), Ok(Verdict::TemporaryEnded(until)));
    panel.deliver();
    assert_eq!(panel.outbox().pop().unwrap().state, MailState::Ended);
}

#[test]
fn a_permanent_password_stays() {
    let panel = all_modes();
    let done = reset(&panel, Mode::Permanent);
    assert_eq!((done.mode, done.until), (Mode::Permanent, None));
    assert!(accepted(&panel, "marta.vidal", &mailed_password(&panel)));
    assert_eq!(panel.outbox().pop().unwrap().expires, None);
}

#[test]
fn a_link_leaves_the_password_alone_until_it_is_used() {
    let panel = panel();
    let hash = panel.person(MARTA).hash;
    let done = reset(&panel, Mode::Link);
    assert_eq!((done.until, done.sessions_ended), (Some(panel.now.get() + 60 * MINUTE), None));
    assert_eq!(panel.outbox().pop().unwrap().template, "reset-link-from-support");
    assert_eq!(panel.person(MARTA).hash, hash);
    assert!(accepted(&panel, "marta.vidal", FIRST));
    let token = mailed_link(&panel);
    panel.run(|ports| change::complete_reset(ports, &token, secret(SECOND))).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
}

#[test]
fn an_account_without_a_password_gets_its_first() {
    let panel = panel();
    try_reset(&panel, OMAR, Mode::Temporary).unwrap();
    assert!(matches!(sign_in(&panel, "omar", &mailed_password(&panel)), Ok(Verdict::MustChange(_))));
}

#[test]
fn nothing_is_changed_where_no_mail_can_go() {
    let panel = all_modes();
    panel.add_customer("customer:6", "silent", "", "Silent");
    panel.add_customer("customer:7", "couple", "ana@x.example, ben@x.example", "Ana and Ben");
    let before = (panel.data(), panel.person(MARTA).hash, panel.events(), panel.outbox());
    for mode in [Mode::Temporary, Mode::Link, Mode::Permanent] {
        assert_eq!(refusal_code(try_reset(&panel, "customer:6", mode)), "no-address");
        let Err(Failure::Refused(unusable)) = try_reset(&panel, "customer:7", mode) else { panic!("refused") };
        assert_eq!(unusable.code, "address-unusable");
        assert!(unusable.message.contains("because it has more than one address."), "{}", unusable.message);
        assert_eq!(try_reset(&panel, "customer:9", mode), Err(Failure::NotFound));
        panel.mail_off.set(true);
        assert_eq!(refusal_code(try_reset(&panel, MARTA, mode)), "mail-not-configured");
        panel.mail_off.set(false);
    }
    assert_eq!((panel.data(), panel.person(MARTA).hash, panel.events(), panel.outbox()), before);
}

#[test]
fn only_what_the_operator_offers_is_done() {
    let panel = panel();
    assert_eq!(refusal_code(try_reset(&panel, MARTA, Mode::Permanent)), "mode-not-offered");
    panel.settings.borrow_mut().insert("reset-modes", Value::Texts(vec!["link".to_owned()]));
    assert_eq!(refusal_code(try_reset(&panel, MARTA, Mode::Temporary)), "mode-not-offered");
    reset(&panel, Mode::Link);
}

#[test]
fn a_panel_that_compares_hashes_by_itself_is_promised_nothing_that_only_sign_in_keeps() {
    let panel = all_modes();
    panel.settings.borrow_mut().insert("asked-at-sign-in", Value::Truth(false));
    assert_eq!(refusal_code(try_reset(&panel, MARTA, Mode::Temporary)), "mode-not-offered");
    reset(&panel, Mode::Link);
    reset(&panel, Mode::Permanent);
    let set = |must_change| {
        panel.run(|ports| using::set_password(ports, MARTA, secret("slow river in the attic"), must_change))
    };
    assert_eq!(set(true).err(), Some(Failure::Unsupported));
    assert!(set(false).is_ok());
    let nodes = panel.run(|ports| views::slot(ports, "customer.details", &[Some(MARTA.to_owned())])).unwrap();
    let form = nodes.concat().into_iter().find_map(|node| match node {
        Node::Form(form) => Some(form),
        _ => None,
    });
    let names: Vec<String> = form.unwrap().fields.into_iter().map(|field| field.name).collect();
    assert_eq!(names, ["new"]);
    let inputs = vec![("new".to_owned(), Input::Password("slow river in the cellar".to_owned()))];
    assert!(panel.run(|ports| views::submit(ports, "set-password", Some(MARTA), None, inputs)).is_ok());
}

#[test]
fn a_provider_that_refuses_the_hash_lets_no_mail_go() {
    let panel = panel();
    let before = panel.outbox();
    panel.refuses_hashes.set(true);
    assert_eq!(try_reset(&panel, MARTA, Mode::Temporary), Err(Failure::Unsupported));
    assert_eq!(panel.outbox(), before);
}

#[test]
fn a_second_reset_calls_the_first_mail_back() {
    let panel = panel();
    reset(&panel, Mode::Temporary);
    let first = mailed_password(&panel);
    reset(&panel, Mode::Temporary);
    let second = mailed_password(&panel);
    let outbox = panel.outbox();
    let [.., older, newer] = &outbox[..] else { panic!("no two mails") };
    assert_eq!((older.state, newer.state), (MailState::Withdrawn, MailState::Queued));
    assert_eq!(older.variables, []);
    assert_eq!(sign_in(&panel, "marta.vidal", &first), Ok(Verdict::Rejected));
    assert!(matches!(sign_in(&panel, "marta.vidal", &second), Ok(Verdict::MustChange(_))));
}

#[test]
fn a_reset_voids_the_links_made_before_and_calls_their_mails_back() {
    let panel = panel();
    reset(&panel, Mode::Link);
    let token = mailed_link(&panel);
    reset(&panel, Mode::Temporary);
    assert_eq!(panel.run(|ports| links::inspect(ports, &token)), Ok(LinkState::Void));
    assert_eq!(panel.outbox().iter().rev().nth(1).unwrap().state, MailState::Withdrawn);
}

#[test]
fn every_way_to_a_password_calls_back_the_mail_with_an_older_one() {
    type Way = fn(&Panel);
    let ways: [(&str, Way); 3] = [
        ("by hand", |panel| {
            set(panel, MARTA, SECOND, false);
        }),
        ("by a link", |panel| {
            let token = panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token;
            panel.run(|ports| change::complete_reset(ports, &token, secret(SECOND))).unwrap();
        }),
        ("one's own", |panel| {
            act_as(panel, MARTA);
            let current = secret(&mailed_password(panel));
            panel.run(|ports| change::change_own(ports, current, secret(SECOND))).unwrap();
        }),
    ];
    for (name, way) in ways {
        let panel = panel();
        let mail = reset(&panel, Mode::Temporary).mail;
        way(&panel);
        let posted = panel.outbox().into_iter().find(|posted| posted.mail == mail).unwrap();
        assert_eq!((posted.state, posted.variables), (MailState::Withdrawn, Vec::new()), "{name}");
    }
}

#[test]
fn the_status_names_the_latest_mail() {
    let panel = panel();
    let status = |panel: &Panel| panel.run(|ports| status::account_status(ports, MARTA)).unwrap();
    assert_eq!(status(&panel).last_mail, None);
    let link = reset(&panel, Mode::Link);
    assert_eq!((status(&panel).state, status(&panel).last_mail), (PasswordState::Set, Some(link.mail)));
    let password = reset(&panel, Mode::Temporary);
    assert_eq!((status(&panel).state, status(&panel).until), (PasswordState::Temporary, password.until));
    set(&panel, MARTA, SECOND, false);
    assert_eq!((status(&panel).state, status(&panel).last_mail), (PasswordState::Set, Some(password.mail)));
}

#[test]
fn the_mail_itself_tells_the_owner_and_an_event_the_others() {
    let panel = all_modes();
    let (mails, events) = (panel.outbox().len(), panel.events().len());
    for (n, mode) in [Mode::Temporary, Mode::Permanent].into_iter().enumerate() {
        reset(&panel, mode);
        assert_eq!((panel.outbox().len(), panel.events().len()), (mails + n + 1, events + n + 1));
        let event = panel.events().pop().unwrap();
        assert_eq!(event.fields, [("way".to_owned(), EventField::Text("mailed".to_owned()))]);
    }
    reset(&panel, Mode::Link);
    assert_eq!(panel.events().len(), events + 2, "a link changes nothing yet");
}

#[test]
fn an_address_that_changed_since_the_page_was_drawn_is_asked_about_again() {
    let panel = panel();
    act_as(&panel, "admin:1");
    let seen = panel.run(|ports| address_mark(ports, MARTA)).unwrap();
    let before = (panel.data(), panel.person(MARTA).hash, panel.outbox());
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    assert_eq!(refusal_code(confirm(&panel, "temporary", &seen)), "address-changed");
    assert_eq!((panel.data(), panel.person(MARTA).hash, panel.outbox()), before);

    let seen = panel.run(|ports| address_mark(ports, MARTA)).unwrap();
    assert!(!seen.contains('@'));
    let Ok(Answer::Done((_, outcome))) = confirm(&panel, "temporary", &seen) else { panic!("not done") };
    assert_eq!(outcome.mail, panel.outbox().pop().map(|posted| posted.mail));
}

#[test]
fn an_address_that_the_plugin_may_not_read_stops_no_reset() {
    let panel = panel();
    panel.ungranted.borrow_mut().push("email");
    let seen = panel.run(|ports| address_mark(ports, MARTA)).unwrap();
    assert!(confirm(&panel, "link", &seen).is_ok());
}

#[test]
fn a_kind_of_reset_that_does_not_exist_is_not_offered() {
    let panel = panel();
    let seen = panel.run(|ports| address_mark(ports, MARTA)).unwrap();
    assert_eq!(refusal_code(confirm(&panel, "by-post", &seen)), "mode-not-offered");
}

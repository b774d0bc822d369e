use super::*;
use crate::address;
use crate::bindings::mail::Variable;
use crate::bindings::password::Notices;

fn told(panel: &Panel) -> Result<Notices, Failure> {
    panel.run(|ports| address::address_changed(ports, MARTA))
}

/// Templates, and where each went.
fn went(panel: &Panel) -> Vec<(String, Option<String>)> {
    panel.deliver();
    panel.outbox().into_iter().map(|posted| (posted.template, posted.went_to)).collect()
}

fn moves_to(panel: &Panel, email: &str) {
    panel.alter(MARTA, |person| person.email = email.to_owned());
}

#[test]
fn the_holders_of_both_addresses_are_told_once() {
    let panel = panel();
    let old = panel.person(MARTA).email;
    panel.see(MARTA);
    moves_to(&panel, "new@elsewhere.example");
    let notices = told(&panel).unwrap();
    assert!(notices.old.is_some() && notices.new.is_some());
    let expected = [("address-changed-old", old.as_str()), ("address-changed-new", "new@elsewhere.example")];
    let expected = expected.map(|(template, to)| (template.to_owned(), Some(to.to_owned())));
    assert_eq!(went(&panel), expected);
    panel.see(MARTA);
    assert_eq!(told(&panel), Ok(Notices { old: None, new: None }), "nothing has changed since");
    assert_eq!(panel.outbox().len(), 2);
}

#[test]
fn a_change_that_was_seen_before_it_was_told_of_is_told_all_the_same() {
    let panel = panel();
    let old = panel.person(MARTA).email;
    panel.see(MARTA);
    moves_to(&panel, "new@elsewhere.example");
    panel.see(MARTA);
    assert!(told(&panel).unwrap().old.is_some());
    assert_eq!(went(&panel)[0].1.as_deref(), Some(old.as_str()));
}

#[test]
fn of_an_address_never_seen_before_only_the_new_one_is_told() {
    let panel = panel();
    let notices = told(&panel).unwrap();
    assert!(notices.old.is_none() && notices.new.is_some());
}

#[test]
fn an_address_that_was_taken_away_is_told_so() {
    let panel = panel();
    panel.see(MARTA);
    moves_to(&panel, "");
    let notices = told(&panel).unwrap();
    assert!(notices.old.is_some() && notices.new.is_none());
}

#[test]
fn an_address_that_cannot_be_used_keeps_nobody_from_being_told() {
    let panel = panel();
    panel.see(MARTA);
    moves_to(&panel, "a@elsewhere.example, b@elsewhere.example");
    let notices = told(&panel).unwrap();
    assert!(notices.old.is_some() && notices.new.is_none());
}

#[test]
fn who_moves_an_account_to_and_fro_cannot_flood_anybody() {
    let panel = panel();
    panel.see(MARTA);
    for turn in 0..6 {
        moves_to(&panel, ["a@elsewhere.example", "b@elsewhere.example"][turn % 2]);
        told(&panel).unwrap();
        panel.see(MARTA);
    }
    moves_to(&panel, "c@elsewhere.example");
    assert!(matches!(told(&panel), Err(Failure::Throttled(_))));
    assert_eq!(panel.outbox().len(), 12);
    panel.wait(24 * 60 * MINUTE);
    assert!(told(&panel).unwrap().old.is_some(), "and is told later");
}

#[test]
fn without_mail_nothing_is_told_and_an_account_that_is_nobodys_is_not_found() {
    let panel = panel();
    panel.see(MARTA);
    moves_to(&panel, "new@elsewhere.example");
    panel.mail_off.set(true);
    assert_eq!(refusal_code(told(&panel)), "mail-not-configured");
    panel.mail_off.set(false);
    panel.remove(MARTA);
    assert_eq!(told(&panel), Err(Failure::NotFound));
}

/// Whoever has the account now may have written its name and login; and the new address is for nobody to click.
#[test]
fn the_notice_to_the_old_address_has_fixed_words_alone() {
    let text = super::letter::templates()["address-changed-old"].to_string();
    let used: Vec<&str> = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::trim).collect();
    assert!(
        !used.is_empty() && used.iter().all(|name| ["at", "brand.name", "brand.contact"].contains(name)),
        "{used:?}"
    );
    let panel = panel();
    panel.see(MARTA);
    moves_to(&panel, "new@elsewhere.example");
    told(&panel).unwrap();
    let variables: Vec<Variable> =
        panel.outbox().into_iter().flat_map(|posted| posted.variables).map(|(_, value)| value).collect();
    assert!(variables.iter().all(|value| matches!(value, Variable::Time(_))), "{variables:?}");
}

use super::*;
use crate::bindings::password::LinkState;
use crate::{change, links, recovery, views};

fn request(panel: &Panel, name: &str) -> Result<(), Failure> {
    panel.run(|ports| recovery::request_reset(ports, name))
}

/// Asks and lets the panel do its work, but no mail goes yet.
fn ask(panel: &Panel, name: &str) {
    assert_eq!(request(panel, name), Ok(()));
    assert_eq!(panel.run_jobs(), []);
}

fn inspect(panel: &Panel, token: &str) -> LinkState {
    panel.run(|ports| links::inspect(ports, token)).unwrap()
}

fn complete(panel: &Panel, token: &str, new: &str) -> Result<Changed, Failure> {
    panel.run(|ports| change::complete_reset(ports, token, secret(new)))
}

fn resend(panel: &Panel, token: &str) -> Result<(), Failure> {
    panel.run(|ports| views::submit(ports, "resend-link", None, Some(token), Vec::new())).map(|_| ())
}

fn states(panel: &Panel) -> Vec<MailState> {
    panel.outbox().iter().map(|posted| posted.state).collect()
}

/// Known, by login and by address; shared; suspended; without an address; unknown; nonsense.
fn crowd() -> Panel {
    let panel = panel();
    panel.add_customer("customer:3", "first", "shared@radioquesada.example", "First");
    panel.add_customer("customer:4", "second", "shared@radioquesada.example", "Second");
    panel.add_customer("customer:5", "closed", "closed@radioquesada.example", "Closed");
    panel.alter("customer:5", |person| person.state = "suspended".to_owned());
    panel.add_customer("customer:6", "silent", "", "Silent");
    panel
}

const NAMES: [&str; 7] = [
    "marta.vidal",
    "marta@estudiovidal.example",
    "shared@radioquesada.example",
    "closed",
    "silent",
    "nobody@radioquesada.example",
    "?? no name ??",
];

#[test]
fn every_name_gets_the_same_answer_and_costs_the_same_work() {
    for name in NAMES {
        let panel = crowd();
        let (data, people) = (panel.data(), panel.person(MARTA).hash);
        assert_eq!(request(&panel, name), Ok(()), "{name}");
        assert_eq!(panel.waiting_jobs(), ["find-and-mail"], "{name}");
        assert_eq!(panel.outbox(), [], "{name}: nothing is looked up before the answer");
        assert_eq!((panel.data(), panel.person(MARTA).hash), (data, people), "{name}");
        assert_eq!(panel.run_jobs(), [], "{name}");
    }
}

#[test]
fn a_name_that_nobody_can_have_is_answered_the_same_and_looked_up_never() {
    let panel = panel();
    for name in ["", "   ", &"x".repeat(513)] {
        assert_eq!(request(&panel, name), Ok(()));
    }
    assert_eq!(panel.waiting_jobs(), [""; 0]);
}

#[test]
fn each_account_of_a_shared_address_gets_a_mail_of_its_own() {
    let panel = crowd();
    ask(&panel, "Shared@RadioQuesada.example");
    let expected = ["customer:3", "customer:4"].map(|account| ("reset-link".to_owned(), account.to_owned()));
    assert_eq!(letters(&panel), expected);
}

/// So many customers of one address.
fn agency(accounts: usize) -> (Panel, Vec<String>) {
    let panel = panel();
    let names: Vec<String> = (100..100 + accounts).map(|n| format!("customer:{n}")).collect();
    for name in &names {
        panel.add_customer(name, name, "agency@radioquesada.example", "Agency");
    }
    (panel, names)
}

/// Runs jobs until none waits; how many minutes that took, and what failed for good.
fn work_off(panel: &Panel) -> (i64, Vec<Failure>) {
    let (began, mut failures) = (panel.now.get(), Vec::new());
    while !panel.waiting_jobs().is_empty() {
        failures.extend(panel.run_jobs());
    }
    ((panel.now.get() - began) / MINUTE, failures)
}

fn mailed(panel: &Panel) -> Vec<String> {
    panel.outbox().into_iter().map(|posted| posted.account).collect()
}

#[test]
fn however_many_accounts_share_an_address_each_gets_its_mail_in_order() {
    let (panel, names) = agency(150);
    assert_eq!(request(&panel, "agency@radioquesada.example"), Ok(()));
    assert_eq!(panel.run_jobs(), []);
    assert_eq!(mailed(&panel).len(), 20, "what fits into one call goes with the first one");
    assert_eq!(work_off(&panel).1, []);
    assert_eq!(mailed(&panel), names);
}

#[test]
fn mails_that_the_minute_has_no_room_for_go_in_the_next_ones_and_are_counted_once() {
    let (panel, names) = agency(45);
    panel.settings.borrow_mut().insert("requests-per-name", Value::Number(1));
    panel.mails_a_minute.set(7);
    assert_eq!(request(&panel, "agency@radioquesada.example"), Ok(()));
    let (minutes, failures) = work_off(&panel);
    assert_eq!((mailed(&panel), failures), (names, vec![]));
    assert!(minutes >= 6, "{minutes}");
}

#[test]
fn a_link_that_could_not_be_mailed_for_a_day_is_not_mailed() {
    let (panel, _) = agency(2);
    panel.mails_a_minute.set(0);
    assert_eq!(request(&panel, "agency@radioquesada.example"), Ok(()));
    let (minutes, failures) = work_off(&panel);
    assert_eq!(failures, [Failure::Expired], "and stands among the jobs that failed");
    assert!((24 * 60..25 * 60).contains(&minutes), "{minutes}");
    assert_eq!(mailed(&panel), [""; 0]);
}

#[test]
fn an_account_that_is_found_twice_gets_one_mail() {
    let panel = panel();
    panel.alter(MARTA, |person| person.login = person.email.clone());
    ask(&panel, "marta@estudiovidal.example");
    assert_eq!(letters(&panel).len(), 1);
}

#[test]
fn a_suspended_account_is_told_so_and_gets_no_link() {
    let panel = crowd();
    ask(&panel, "closed");
    assert_eq!(letters(&panel), [("account-suspended".to_owned(), "customer:5".to_owned())]);
    assert!(panel.outbox()[0].variables.is_empty());
}

#[test]
fn an_account_without_an_address_keeps_no_mail_from_the_others() {
    let panel = panel();
    panel.add_customer("customer:0", "marta@estudiovidal.example", "", "Without");
    ask(&panel, "marta@estudiovidal.example");
    assert_eq!(letters(&panel), [("reset-link".to_owned(), MARTA.to_owned())]);
}

#[test]
fn a_record_that_cannot_be_read_keeps_no_mail_from_the_others() {
    let panel = crowd();
    panel.run(|ports| Ok(ports.put(&records::account_key("customer:3"), &[7], None)?)).unwrap();
    ask(&panel, "shared@radioquesada.example");
    assert_eq!(letters(&panel), [("reset-link".to_owned(), "customer:4".to_owned())]);
}

/// Or the requests right behind one for somebody who is known would be slower than behind another.
#[test]
fn the_work_begins_some_time_later_and_soon() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-address", Value::Number(100));
    for n in 0..40 {
        request(&panel, &format!("somebody {n}")).unwrap();
    }
    let later: std::collections::BTreeSet<i64> =
        panel.jobs_begin().into_iter().map(|at| at.unwrap() - panel.now.get()).collect();
    assert!(later.len() > 30, "{later:?}");
    assert!(later.iter().all(|later| (0..2_000).contains(later)), "{later:?}");
}

#[test]
fn two_presses_are_one_mail() {
    let panel = panel();
    for name in ["marta.vidal", " MARTA.Vidal "] {
        assert_eq!(request(&panel, name), Ok(()));
    }
    assert_eq!(panel.run_jobs(), []);
    assert_eq!(letters(&panel).len(), 1);
}

#[test]
fn the_link_of_the_mail_chooses_a_password_once() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    panel.deliver();
    assert!(matches!(inspect(&panel, &token), LinkState::Good(_)));
    complete(&panel, &token, SECOND).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
    assert!(matches!(inspect(&panel, &token), LinkState::Used(_)));
    assert_eq!(refusal_code(complete(&panel, &token, FIRST)), "link-used");
}

#[test]
fn the_mail_ends_with_its_link() {
    let panel = panel();
    panel.settings.borrow_mut().insert("link-minutes", Value::Number(5));
    ask(&panel, "marta.vidal");
    assert_eq!(panel.outbox()[0].expires, Some(panel.now.get() + 5 * MINUTE));
    panel.wait(5 * MINUTE);
    panel.deliver();
    assert_eq!(states(&panel), [MailState::Ended]);
}

#[test]
fn a_link_that_went_to_another_address_is_void() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    assert!(matches!(inspect(&panel, &token), LinkState::Good(_)), "it has not gone, and goes to the new one");
    panel.deliver();
    assert!(matches!(inspect(&panel, &token), LinkState::Good(_)));
    panel.alter(MARTA, |person| person.email = "newer@estudiovidal.example".to_owned());
    assert_eq!(inspect(&panel, &token), LinkState::Void);
    assert_eq!(refusal_code(complete(&panel, &token, SECOND)), "link-replaced");
    assert!(accepted(&panel, "marta.vidal", FIRST));
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    assert!(complete(&panel, &token, SECOND).is_ok());
}

#[test]
fn a_newer_link_replaces_the_older_one_and_calls_its_mail_back() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let older = mailed_link(&panel);
    panel.wait(MINUTE);
    ask(&panel, "marta.vidal");
    assert_eq!(states(&panel), [MailState::Withdrawn, MailState::Queued]);
    let newer = mailed_link(&panel);
    assert_eq!(inspect(&panel, &older), LinkState::Replaced(panel.now.get()));
    assert!(complete(&panel, &newer, SECOND).is_ok());
}

#[test]
fn a_stranger_who_asks_voids_and_hides_nothing_of_supports() {
    use crate::bindings::password::Mode;
    for mode in [Mode::Temporary, Mode::Link] {
        let panel = panel();
        let handed_on = panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token;
        let sent = panel.run(|ports| crate::reset_and_mail::reset_and_mail(ports, MARTA, mode)).unwrap();
        let handed_on = match mode {
            Mode::Link => handed_on,
            _ => panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token,
        };
        let before = (panel.person(MARTA).hash, panel.person(MARTA).epoch);
        for _ in 0..8 {
            panel.wait(MINUTE);
            ask(&panel, "marta.vidal");
        }
        let of_supports = panel.outbox().into_iter().find(|posted| posted.mail == sent.mail).unwrap();
        assert_eq!((of_supports.state, of_supports.variables.is_empty()), (MailState::Queued, false));
        assert!(matches!(inspect(&panel, &handed_on), LinkState::Good(_)));
        assert_eq!((panel.person(MARTA).hash, panel.person(MARTA).epoch), before);
        let status = panel.run(|ports| crate::status::account_status(ports, MARTA)).unwrap();
        assert_eq!(status.until.is_some(), mode == Mode::Temporary, "what ends, ends when it was to");
        // On the Overview, below what was asked for.
        let overview = panel
            .run(|ports| crate::views::slot(ports, "customer.sections", &[Some(MARTA.to_owned())]))
            .unwrap()
            .remove(0);
        let mails: Vec<String> = overview
            .into_iter()
            .filter_map(|node| match node {
                crate::bindings::nodes::Node::Delivery(delivery) => Some(delivery.mail),
                _ => None,
            })
            .collect();
        assert_eq!((mails.len(), mails.last()), (2, Some(&sent.mail)));
    }
}

#[test]
fn a_link_that_is_handed_on_leaves_the_mailed_one_in_force() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let mailed = mailed_link(&panel);
    panel.wait(MINUTE);
    panel.run(|ports| links::make(ports, MARTA)).unwrap();
    assert_eq!(states(&panel), [MailState::Queued]);
    assert!(matches!(inspect(&panel, &mailed), LinkState::Good(_)));
}

#[test]
fn a_password_set_by_hand_calls_the_mail_back_and_voids_its_link() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    set(&panel, MARTA, SECOND, false);
    assert_eq!(panel.outbox()[0].state, MailState::Withdrawn);
    assert_eq!(panel.outbox()[0].variables, []);
    assert_eq!(inspect(&panel, &token), LinkState::Void);
    assert_eq!(refusal_code(complete(&panel, &token, FIRST)), "link-replaced");
}

#[test]
fn whoever_asks_for_a_link_cannot_stop_a_mailed_password() {
    let panel = panel();
    panel
        .run(|ports| crate::reset_and_mail::reset_and_mail(ports, MARTA, crate::bindings::password::Mode::Temporary))
        .unwrap();
    ask(&panel, "marta.vidal");
    assert_eq!(states(&panel), [MailState::Queued, MailState::Queued]);
    set(&panel, MARTA, SECOND, false);
    assert_eq!(states(&panel)[..2], [MailState::Withdrawn, MailState::Withdrawn]);
}

#[test]
fn who_asks_too_often_gets_the_same_answer_and_no_mail() {
    for name in ["marta.vidal", "nobody"] {
        let panel = panel();
        for _ in 0..5 {
            ask(&panel, name);
        }
        let sent = panel.outbox().len();
        assert_eq!(request(&panel, name), Ok(()), "{name}");
        assert_eq!(panel.waiting_jobs(), [""; 0], "{name}");
        panel.wait(60 * MINUTE);
        ask(&panel, name);
        assert_eq!(panel.outbox().len(), if name == "nobody" { 0 } else { sent + 1 }, "{name}");
    }
}

#[test]
fn many_names_from_one_address_are_too_often() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-address", Value::Number(3));
    for n in 0..3 {
        ask(&panel, &format!("nobody{n}"));
    }
    assert_eq!(request(&panel, "marta.vidal"), Ok(()));
    assert_eq!(panel.waiting_jobs(), [""; 0]);
    *panel.address.borrow_mut() = Some("192.0.2.8".to_owned());
    ask(&panel, "marta.vidal");
    assert_eq!(letters(&panel).len(), 1);
}

#[test]
fn many_names_from_no_address_are_too_often() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-address", Value::Number(3));
    *panel.address.borrow_mut() = None;
    for n in 0..3 {
        ask(&panel, &format!("nobody{n}"));
    }
    assert_eq!(request(&panel, "marta.vidal"), Ok(()));
    assert_eq!(panel.waiting_jobs(), [""; 0]);
}

#[test]
fn two_names_of_one_account_count_together() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-name", Value::Number(2));
    for name in ["marta.vidal", "marta@estudiovidal.example", "marta.vidal", "marta@estudiovidal.example"] {
        ask(&panel, name);
    }
    assert_eq!(letters(&panel).len(), 2);
}

#[test]
fn asking_for_links_takes_no_attempt_to_sign_in_away() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-name", Value::Number(3));
    for _ in 0..5 {
        ask(&panel, "marta.vidal");
    }
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn where_no_mail_can_go_that_is_what_is_said() {
    for name in NAMES {
        let panel = crowd();
        panel.mail_off.set(true);
        assert_eq!(refusal_code(request(&panel, name)), "mail-not-configured", "{name}");
        assert_eq!(panel.waiting_jobs(), [""; 0]);
    }
}

#[test]
fn mail_that_is_switched_off_meanwhile_is_no_mail() {
    let panel = panel();
    request(&panel, "marta.vidal").unwrap();
    panel.mail_off.set(true);
    let data = panel.data();
    assert_eq!(panel.run_jobs(), []);
    assert_eq!((panel.outbox(), panel.data()), (Vec::new(), data));
}

#[test]
fn an_old_link_is_worth_a_new_one_to_the_same_address() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let expired = mailed_link(&panel);
    panel.deliver();
    panel.wait(60 * MINUTE);
    assert_eq!(resend(&panel, &expired), Ok(()));
    let newer = mailed_link(&panel);
    assert_eq!(inspect(&panel, &expired), LinkState::Replaced(panel.now.get()));
    panel.deliver();
    complete(&panel, &newer, SECOND).unwrap();
    assert_eq!(resend(&panel, &newer), Ok(()), "used: whoever did not use it wants his account back");
    assert_eq!(letters(&panel).iter().filter(|(template, _)| template == "reset-link").count(), 3);
}

#[test]
fn a_new_link_is_not_sent_to_another_person() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    panel.deliver();
    panel.alter(MARTA, |person| person.email = "new@estudiovidal.example".to_owned());
    assert_eq!(resend(&panel, &token), Err(Failure::NotFound));
    panel.wait(60 * MINUTE);
    assert_eq!(resend(&panel, &token), Err(Failure::NotFound), "also when it has ended");
}

#[test]
fn only_a_link_that_was_mailed_and_works_no_more_is_sent_anew() {
    let panel = panel();
    let handed_on = panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token;
    panel.wait(60 * MINUTE);
    for token in [handed_on.as_str(), "7RkTq7RkTq7RkTq7RkTq", ""] {
        assert_eq!(resend(&panel, token), Err(Failure::NotFound));
    }
    ask(&panel, "marta.vidal");
    assert_eq!(resend(&panel, &mailed_link(&panel)), Err(Failure::NotFound));
}

#[test]
fn new_links_for_old_ones_are_counted_as_the_others_are() {
    let panel = panel();
    panel.settings.borrow_mut().insert("requests-per-name", Value::Number(2));
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    panel.deliver();
    panel.settings.borrow_mut().insert("requests-window-minutes", Value::Number(1_440));
    panel.wait(60 * MINUTE);
    for _ in 0..3 {
        assert_eq!(resend(&panel, &token), Ok(()));
    }
    assert_eq!(letters(&panel).iter().filter(|(template, _)| template == "reset-link").count(), 2);
}

#[test]
fn who_asks_for_new_links_too_often_is_answered_the_same_and_nothing_is_looked_up() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    panel.deliver();
    panel.settings.borrow_mut().insert("requests-per-address", Value::Number(2));
    panel.settings.borrow_mut().insert("requests-window-minutes", Value::Number(1_440));
    panel.wait(60 * MINUTE);
    assert_eq!(resend(&panel, &token), Ok(()));
    assert_eq!(resend(&panel, &token), Ok(()));
    let (mails, data) = (letters(&panel).len(), panel.data());
    assert_eq!(resend(&panel, &token), Ok(()), "a link that works no more");
    assert_eq!(resend(&panel, "7RkTq7RkTq7RkTq7RkTq"), Ok(()), "one that never was");
    assert_eq!((letters(&panel).len(), panel.data()), (mails, data));
}

#[test]
fn nothing_of_a_link_or_a_name_stands_in_the_data_or_in_a_key() {
    let panel = panel();
    ask(&panel, "marta.vidal");
    let token = mailed_link(&panel);
    for (key, value) in panel.data() {
        assert!(!key.contains(&token) && !key.contains("marta"), "{key}");
        assert!(!value.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[test]
fn strangers_who_go_on_asking_do_not_keep_the_mails_from_their_owner() {
    let panel = panel();
    // Once a minute, from everywhere, for three hours.
    for n in 0..180 {
        *panel.address.borrow_mut() = Some(format!("203.0.{n}.1"));
        ask(&panel, "marta.vidal");
        panel.wait(MINUTE);
    }
    let sent = panel.outbox().len();
    assert!((13..=15).contains(&sent), "5 an hour go, however many are refused: {sent}");
}

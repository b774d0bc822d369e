use super::*;
use crate::bindings::mail::Variable;
use crate::bindings::password::{GoodLink, LinkState, Mode};
use crate::{change, links, recovery, reset_and_mail};

const DAY: i64 = 24 * 60 * MINUTE;

fn make(panel: &Panel) -> String {
    panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token
}

fn inspect(panel: &Panel, token: &str) -> LinkState {
    panel.run(|ports| links::inspect(ports, token)).unwrap()
}

fn complete(panel: &Panel, token: &str, new: &str) -> Result<Changed, Failure> {
    panel.run(|ports| change::complete_reset(ports, token, secret(new)))
}

#[test]
fn a_link_chooses_a_password_once() {
    let panel = panel();
    let token = make(&panel);
    let until = panel.now.get() + 60 * MINUTE;
    assert_eq!(inspect(&panel, &token), LinkState::Good(GoodLink { account: MARTA.to_owned(), until }));
    panel.wait(MINUTE);
    let used = panel.now.get();
    complete(&panel, &token, SECOND).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
    panel.wait(MINUTE);
    assert_eq!(inspect(&panel, &token), LinkState::Used(used));
    assert_eq!(refusal_code(complete(&panel, &token, "third lantern oats sky")), "link-used");
    assert!(accepted(&panel, "marta.vidal", SECOND));
}

#[test]
fn looking_at_a_link_does_not_use_it() {
    let panel = panel();
    let token = make(&panel);
    let data = panel.data();
    for _ in 0..3 {
        assert!(matches!(inspect(&panel, &token), LinkState::Good(_)));
    }
    assert_eq!(panel.data(), data);
}

#[test]
fn a_refused_password_does_not_use_the_link() {
    let panel = panel();
    let token = make(&panel);
    assert!(matches!(complete(&panel, &token, "short"), Err(Failure::Invalid(_))));
    assert!(complete(&panel, &token, SECOND).is_ok());
}

#[test]
fn a_link_ends() {
    let panel = panel();
    panel.settings.borrow_mut().insert("link-minutes", Value::Number(5));
    let token = make(&panel);
    let until = panel.now.get() + 5 * MINUTE;
    panel.wait(5 * MINUTE);
    assert_eq!(inspect(&panel, &token), LinkState::Expired(until));
    assert_eq!(complete(&panel, &token, SECOND), Err(Failure::Expired));
    panel.wait(29 * DAY);
    assert_eq!(inspect(&panel, &token), LinkState::Expired(until));
    panel.wait(2 * DAY);
    assert_eq!(inspect(&panel, &token), LinkState::Unknown);
}

#[test]
fn the_newest_link_replaces_the_older_ones_of_its_origin() {
    let panel = panel();
    let older = make(&panel);
    panel.wait(MINUTE);
    let newer = make(&panel);
    assert_eq!(inspect(&panel, &older), LinkState::Replaced(panel.now.get()));
    assert_eq!(refusal_code(complete(&panel, &older, SECOND)), "link-replaced");
    assert!(complete(&panel, &newer, SECOND).is_ok());
}

/// One link of each origin. Each is made after the others, and all of them work.
fn one_of_each_origin(panel: &Panel) -> [String; 4] {
    let newest_mailed = || match &panel.outbox().last().unwrap().variables[0].1 {
        Variable::Link(link) => link.token.clone(),
        other => panic!("no link: {other:?}"),
    };
    set(panel, MARTA, FIRST, true);
    let handed_on = make(panel);
    panel.run(|ports| reset_and_mail::reset_and_mail(ports, MARTA, Mode::Link)).unwrap();
    let mailed = newest_mailed();
    let Ok(Verdict::MustChange(choose)) = sign_in(panel, "marta.vidal", FIRST) else { panic!("no link") };
    panel.run(|ports| recovery::request_reset(ports, "marta.vidal")).unwrap();
    assert_eq!(panel.run_jobs(), []);
    [handed_on, mailed, choose.token, newest_mailed()]
}

#[test]
fn links_of_different_origin_live_side_by_side_until_one_is_used() {
    for used in 0..4 {
        let panel = panel();
        let links = one_of_each_origin(&panel);
        for token in &links {
            assert!(matches!(inspect(&panel, token), LinkState::Good(_)), "{links:?}");
        }
        panel.wait(1);
        complete(&panel, &links[used], SECOND).unwrap();
        for (other, token) in links.iter().enumerate() {
            let expected = if other == used { LinkState::Used(panel.now.get()) } else { LinkState::Void };
            assert_eq!(inspect(&panel, token), expected, "{used} {other}");
        }
    }
}

#[test]
fn a_link_replaces_the_older_one_of_its_own_origin_and_no_other() {
    let panel = panel();
    let [handed_on, mailed, choose, asked] = one_of_each_origin(&panel);
    panel.wait(MINUTE);
    let at = panel.now.get();
    let standing = || [&handed_on, &mailed, &asked].map(|token| inspect(&panel, token) == LinkState::Replaced(at));
    panel.run(|ports| recovery::request_reset(ports, "marta.vidal")).unwrap();
    assert_eq!(panel.run_jobs(), []);
    // A job begins a moment later.
    let at_asked = LinkState::Replaced(panel.now.get());
    assert_eq!(inspect(&panel, &asked), at_asked);
    assert!([&handed_on, &mailed].iter().all(|token| matches!(inspect(&panel, token), LinkState::Good(_))));
    panel.now.set(at);
    make(&panel);
    assert_eq!(standing(), [true, false, false]);
    panel.run(|ports| reset_and_mail::reset_and_mail(ports, MARTA, Mode::Link)).unwrap();
    assert_eq!(standing(), [true, true, false]);
    assert!(matches!(inspect(&panel, &choose), LinkState::Good(_)));
}

#[test]
fn of_the_links_of_sign_ins_the_last_few_work() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let links: Vec<String> = (0..9)
        .map(|_| match sign_in(&panel, "marta.vidal", FIRST) {
            Ok(Verdict::MustChange(link)) => link.token,
            other => panic!("no link: {other:?}"),
        })
        .collect();
    assert!(matches!(inspect(&panel, &links[0]), LinkState::Replaced(_)));
    assert!(links[1..].iter().all(|token| matches!(inspect(&panel, token), LinkState::Good(_))));
}

#[test]
fn who_must_change_chooses_and_signs_in_anew() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("no link") };
    let same = codes(complete(&panel, &link.token, FIRST).unwrap_err());
    assert_eq!(same, [("new".to_owned(), "same-as-current".to_owned())]);
    complete(&panel, &link.token, SECOND).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
}

#[test]
fn a_link_of_the_sign_in_works_for_a_quarter_of_an_hour() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("no link") };
    panel.wait(15 * MINUTE - 1);
    assert!(matches!(inspect(&panel, &link.token), LinkState::Good(_)));
    panel.wait(1);
    assert!(matches!(inspect(&panel, &link.token), LinkState::Expired(_)));
}

#[test]
fn a_password_set_meanwhile_voids_every_link() {
    let panel = panel();
    let older = make(&panel);
    let newer = make(&panel);
    panel.wait(MINUTE);
    set(&panel, MARTA, SECOND, false);
    for token in [older, newer] {
        assert_eq!(inspect(&panel, &token), LinkState::Void);
        assert_eq!(refusal_code(complete(&panel, &token, FIRST)), "link-replaced");
    }
}

#[test]
fn a_hash_written_behind_our_back_voids_every_link() {
    let panel = panel();
    let token = make(&panel);
    panel.alter(MARTA, |person| person.hash = Some("$2y$10$elsewhere".to_owned()));
    panel.wait(61 * MINUTE);
    assert_eq!(inspect(&panel, &token), LinkState::Void);
    assert_eq!(refusal_code(complete(&panel, &token, SECOND)), "link-replaced");
}

#[test]
fn an_upgraded_hash_leaves_a_link_in_force() {
    let panel = panel();
    let token = make(&panel);
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(2));
    assert!(accepted(&panel, "marta.vidal", FIRST));
    assert!(complete(&panel, &token, SECOND).is_ok());
}

#[test]
fn an_account_without_a_password_gets_its_first_by_a_link() {
    let panel = panel();
    let token = panel.run(|ports| links::make(ports, OMAR)).unwrap().link.token;
    complete(&panel, &token, SECOND).unwrap();
    assert!(accepted(&panel, "omar", SECOND));
}

#[test]
fn what_was_never_made_here_is_unknown() {
    let panel = panel();
    let token = make(&panel);
    let cut = &token[..token.len() - 1];
    for token in ["", "short", cut, "7RkTq7RkTq7RkTq7RkTq", "not a token, not a token", &"x".repeat(5_000)] {
        assert_eq!(inspect(&panel, token), LinkState::Unknown, "{token}");
        assert_eq!(complete(&panel, token, SECOND), Err(Failure::NotFound));
    }
    panel.remove(MARTA);
    assert_eq!(inspect(&panel, &token), LinkState::Unknown);
}

#[test]
fn the_data_holds_no_token() {
    let panel = panel();
    let token = make(&panel);
    for (key, value) in panel.data() {
        assert!(!key.contains(&token));
        assert!(!value.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

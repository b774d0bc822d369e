use super::*;
use crate::bindings::password::{PasswordState, Status};
use crate::status::account_status;
use crate::{change, check};

fn change_own(panel: &Panel, current: &str, new: &str) -> Result<Changed, Failure> {
    panel.run(|ports| change::change_own(ports, secret(current), secret(new)))
}

fn try_set(panel: &Panel, account: &str, new: &str) -> Result<Changed, Failure> {
    panel.run(|ports| change::set_password(ports, account, secret(new), false))
}

fn status(panel: &Panel, account: &str) -> Status {
    panel.run(|ports| account_status(ports, account)).unwrap()
}

#[test]
fn a_password_set_by_hand_is_the_only_one_that_signs_in() {
    let panel = panel();
    let epoch = panel.person(MARTA).epoch;
    panel.alter(MARTA, |person| person.sessions = Some(3));
    let changed = set(&panel, MARTA, SECOND, false);
    assert_eq!((changed.sessions_ended, changed.session_epoch), (Some(3), (epoch + 1).to_string()));
    assert!(accepted(&panel, "marta.vidal", SECOND));
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::Rejected));
}

#[test]
fn an_account_out_of_reach_is_not_found() {
    assert_eq!(try_set(&panel(), "customer:9", SECOND), Err(Failure::NotFound));
    assert_eq!(panel().run(|ports| account_status(ports, "customer:9")), Err(Failure::NotFound));
}

#[test]
fn a_refused_password_changes_nothing() {
    let panel = panel();
    let (data, hash) = (panel.data(), panel.person(MARTA).hash);
    panel.kdf_calls.set(0);
    assert_eq!(codes(try_set(&panel, MARTA, "xkvbt").unwrap_err()), [("new".to_owned(), "too-short".to_owned())]);
    assert_eq!((panel.data(), panel.person(MARTA).hash), (data, hash));
    assert_eq!(panel.kdf_calls.get(), 0);
}

#[test]
fn a_provider_that_refuses_the_hash_is_no_success() {
    let panel = panel();
    panel.refuses_hashes.set(true);
    assert_eq!(try_set(&panel, MARTA, SECOND), Err(Failure::Unsupported));
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn a_field_outside_the_grant_does_not_weaken_the_others() {
    let panel = panel();
    panel.ungranted.borrow_mut().push("name");
    let failure = try_set(&panel, MARTA, "estudiovidal lantern").unwrap_err();
    assert_eq!(codes(failure), [("new".to_owned(), "contains-name".to_owned())]);
    panel.ungranted.borrow_mut().extend(["login", "email"]);
    assert!(try_set(&panel, MARTA, "estudiovidal lantern").is_ok());
}

#[test]
fn who_knows_his_own_changes_it() {
    let panel = panel();
    act_as(&panel, MARTA);
    change_own(&panel, FIRST, SECOND).unwrap();
    assert!(accepted(&panel, "marta.vidal", SECOND));
    assert_eq!(status(&panel, MARTA).state, PasswordState::Set);
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let panel = panel();
    act_as(&panel, MARTA);
    let found = codes(change_own(&panel, SECOND, "marta xkvbt").unwrap_err());
    let expected = [("current", "wrong-current"), ("new", "too-short"), ("new", "contains-name")];
    assert_eq!(found, expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
}

#[test]
fn the_same_password_again_is_no_change() {
    let panel = panel();
    act_as(&panel, MARTA);
    let found = codes(change_own(&panel, FIRST, FIRST).unwrap_err());
    assert_eq!(found, [("new".to_owned(), "same-as-current".to_owned())]);
}

#[test]
fn a_hash_above_the_hosts_ceiling_cannot_be_proved_and_can_be_replaced() {
    let panel = panel();
    panel.settings.borrow_mut().insert("argon2-memory-kib", Value::Number(16_384));
    set(&panel, MARTA, FIRST, false);
    panel.settings.borrow_mut().insert("argon2-memory-kib", Value::Number(7_168));
    panel.kdf_ceiling_kib.set(8_192);
    act_as(&panel, MARTA);
    let found = codes(change_own(&panel, FIRST, SECOND).unwrap_err());
    assert_eq!(found, [("current".to_owned(), "wrong-current".to_owned())]);
    set(&panel, MARTA, SECOND, false);
    assert!(accepted(&panel, "marta.vidal", SECOND));
}

#[test]
fn guesses_at_ones_own_password_are_counted() {
    let panel = panel();
    act_as(&panel, MARTA);
    for _ in 0..10 {
        assert!(matches!(change_own(&panel, "not this one", SECOND), Err(Failure::Invalid(_))));
    }
    assert_eq!(change_own(&panel, FIRST, SECOND), Err(Failure::Throttled(900)));
    panel.wait(15 * MINUTE);
    assert!(change_own(&panel, FIRST, SECOND).is_ok());
}

#[test]
fn only_a_person_has_a_password_of_his_own() {
    for actor in [Actor::Anonymous, Actor::Console, Actor::System, Actor::ServiceKey("billing".to_owned())] {
        let panel = panel();
        *panel.caller.borrow_mut() = actor;
        assert_eq!(change_own(&panel, FIRST, SECOND), Err(Failure::Forbidden));
    }
}

#[test]
fn the_status_says_how_a_password_stands() {
    let panel = panel();
    let now = panel.now.get();
    let plain = |state, changed| Status { state, until: None, changed, last_mail: None };
    assert_eq!(status(&panel, OMAR), plain(PasswordState::None, None));
    assert_eq!(status(&panel, MARTA), plain(PasswordState::Set, Some(now)));
    set(&panel, MARTA, SECOND, true);
    assert_eq!(status(&panel, MARTA), plain(PasswordState::MustChange, Some(now)));
    make_temporary(&panel, MARTA, now + MINUTE);
    let temporary = Status { until: Some(now + MINUTE), ..plain(PasswordState::Temporary, Some(now)) };
    assert_eq!(status(&panel, MARTA), temporary);
    panel.alter(MARTA, |person| person.hash = Some("$2y$10$elsewhere".to_owned()));
    assert_eq!(status(&panel, MARTA), plain(PasswordState::Set, None));
}

#[test]
fn the_meter_judges_as_save_does_and_leaves_nothing_behind() {
    for password in [FIRST, SECOND, "short", "marta vidal lantern", "passwordpassword", "abcdefghijklmnop"] {
        let panel = panel();
        act_as(&panel, "admin:1");
        let data = panel.data();
        let strength = check::check_password(&panel, &secret(password), Some(MARTA)).unwrap();
        assert_eq!(panel.kdf_calls.get(), 0);
        assert_eq!(panel.data(), data);
        assert_eq!(strength.acceptable, strength.score >= 2);
        match try_set(&panel, MARTA, password) {
            Ok(_) => assert!(strength.acceptable, "{password}"),
            Err(Failure::Invalid(errors)) => {
                assert!(!strength.acceptable, "{password}");
                assert_eq!(strength.advice.as_deref(), Some(errors[0].message.as_str()));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_meter_tells_nobody_what_an_account_is_called() {
    let panel = panel();
    let strength = check::check_password(&panel, &secret("estudiovidal lantern"), Some(MARTA)).unwrap();
    assert!(strength.acceptable);
    act_as(&panel, "admin:1");
    let strength = check::check_password(&panel, &secret("estudiovidal lantern"), Some(MARTA)).unwrap();
    assert!(!strength.acceptable);
}

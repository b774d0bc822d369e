use super::*;
use crate::bindings::password::SignedIn;

#[test]
fn the_right_password_is_accepted_with_the_session_epoch() {
    let panel = panel();
    let Ok(Verdict::Accepted(SignedIn { account, session_epoch, .. })) = sign_in(&panel, "marta.vidal", FIRST) else {
        panic!("not accepted")
    };
    assert_eq!((account, session_epoch), (MARTA.to_owned(), panel.person(MARTA).epoch.to_string()));
}

#[test]
fn login_and_address_are_found_in_any_case() {
    let panel = panel();
    assert!(accepted(&panel, "MARTA.vidal", FIRST));
    assert!(accepted(&panel, "Marta@EstudioVidal.example", FIRST));
}

#[test]
fn a_wrong_password_is_rejected() {
    assert_eq!(sign_in(&panel(), "marta.vidal", SECOND), Ok(Verdict::Rejected));
}

#[test]
fn an_unknown_name_costs_the_work_of_a_known_one() {
    let panel = panel();
    for name in ["marta.vidal", "nobody", "omar", "nobody@estudiovidal.example"] {
        panel.kdf_calls.set(0);
        assert_eq!(sign_in(&panel, name, SECOND), Ok(Verdict::Rejected), "{name}");
        assert_eq!(panel.kdf_calls.get(), 1, "{name}");
    }
}

#[test]
fn letters_taken_apart_cost_the_same_work_for_known_and_unknown() {
    let panel = panel();
    for name in ["marta.vidal", "nobody"] {
        panel.kdf_calls.set(0);
        assert_eq!(sign_in(&panel, name, "cafe\u{301} lantern oats"), Ok(Verdict::Rejected));
        assert_eq!(panel.kdf_calls.get(), 2, "{name}");
    }
}

#[test]
fn a_hash_that_cannot_be_read_costs_the_same_work_and_is_rejected() {
    let panel = panel();
    let too_costly =
        "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for hash in [too_costly, "$6$rounds=5000$abc$def", "plain text", "", "$argon2id$", "$2y$31$"] {
        panel.alter(MARTA, |person| person.hash = Some(hash.to_owned()));
        panel.kdf_calls.set(0);
        assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::Rejected), "{hash}");
        assert_eq!(panel.kdf_calls.get(), 1, "{hash}");
    }
}

#[test]
fn a_hash_above_the_hosts_ceiling_is_rejected_after_the_same_work() {
    let panel = panel();
    panel.settings.borrow_mut().insert("argon2-memory-kib", Value::Number(16_384));
    set(&panel, MARTA, FIRST, false);
    panel.settings.borrow_mut().insert("argon2-memory-kib", Value::Number(7_168));
    panel.kdf_ceiling_kib.set(8_192);
    panel.kdf_calls.set(0);
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::Rejected));
    assert_eq!(panel.kdf_calls.get(), 1);
}

#[test]
fn settings_above_the_hosts_ceiling_are_told_as_such() {
    let panel = panel();
    panel.kdf_ceiling_kib.set(1_024);
    let Err(Failure::Refused(refusal)) = sign_in(&panel, "nobody", FIRST) else { panic!("not refused") };
    assert_eq!(refusal.code, "hash-settings");
}

#[test]
fn an_account_without_a_password_is_rejected() {
    assert_eq!(sign_in(&panel(), "omar", ""), Ok(Verdict::Rejected));
    assert_eq!(sign_in(&panel(), "omar", FIRST), Ok(Verdict::Rejected));
}

#[test]
fn a_login_outranks_an_address_and_of_several_with_one_address_the_first_is_meant() {
    let panel = panel();
    panel.add_customer("customer:3", "marta@estudiovidal.example", "third@estudiovidal.example", "Third");
    set(&panel, "customer:3", SECOND, false);
    assert!(accepted(&panel, "marta@estudiovidal.example", SECOND));
    assert!(!accepted(&panel, "marta@estudiovidal.example", FIRST));

    // The host names the one first that has had it longest.
    panel.add_customer("customer:4", "late", "third@estudiovidal.example", "Late");
    set(&panel, "customer:4", FIRST, false);
    assert!(accepted(&panel, "third@estudiovidal.example", SECOND));
    assert!(!accepted(&panel, "third@estudiovidal.example", FIRST));
    assert!(accepted(&panel, "late", FIRST), "by its login");

    panel.add_customer("customer:5", "late", "fifth@estudiovidal.example", "Fifth");
    set(&panel, "customer:5", FIRST, false);
    assert!(!accepted(&panel, "late", FIRST), "two logins are nobody's");
}

#[test]
fn must_change_gives_a_link_and_no_session() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let Ok(Verdict::MustChange(link)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("no link") };
    assert_eq!(link.page, "choose");
    assert!((16..=128).contains(&link.token.len()));
    assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
}

#[test]
fn a_temporary_password_must_be_changed_and_ends() {
    let panel = panel();
    let until = panel.now.get() + 5 * MINUTE;
    make_temporary(&panel, MARTA, until);
    assert!(matches!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::MustChange(_))));
    panel.wait(5 * MINUTE);
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::TemporaryEnded(until)));
    assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
}

#[test]
fn suspended_is_told_only_to_who_has_the_right_password() {
    let panel = panel();
    panel.alter(MARTA, |person| person.state = "suspended".to_owned());
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::Suspended));
    assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
}

#[test]
fn a_state_does_not_survive_a_hash_written_behind_our_back() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let hash = panel.person(MARTA).hash.unwrap();
    set(&panel, OMAR, SECOND, false);
    let other = panel.person(OMAR).hash.unwrap();
    panel.alter(MARTA, |person| person.hash = Some(other));
    assert!(accepted(&panel, "marta.vidal", SECOND));
    panel.alter(MARTA, |person| person.hash = Some(hash));
    assert!(accepted(&panel, "marta.vidal", FIRST), "the old state came back with the old hash");
}

#[test]
fn letters_taken_apart_match_a_composed_password() {
    let panel = panel();
    set(&panel, MARTA, "caf\u{e9} lantern oats brick", false);
    assert!(accepted(&panel, "marta.vidal", "cafe\u{301} lantern oats brick"));
    assert!(accepted(&panel, "marta.vidal", "caf\u{e9} lantern oats brick"));
}

#[test]
fn attempts_are_refused_by_name_alike_for_known_and_unknown() {
    for name in ["marta.vidal", "nobody"] {
        let panel = panel();
        for _ in 0..10 {
            assert_eq!(sign_in(&panel, name, SECOND), Ok(Verdict::Rejected));
        }
        panel.kdf_calls.set(0);
        assert_eq!(sign_in(&panel, name, SECOND), Err(Failure::Throttled(900)), "{name}");
        assert_eq!(sign_in(&panel, name, FIRST), Err(Failure::Throttled(900)), "{name}");
        assert_eq!(panel.kdf_calls.get(), 0, "a refused attempt is not worth a hash");
        panel.wait(15 * MINUTE);
        assert!(sign_in(&panel, name, FIRST).is_ok(), "{name}");
    }
}

#[test]
fn a_throttled_login_does_not_tell_which_address_is_its() {
    let panel = panel();
    for _ in 0..11 {
        let _ = sign_in(&panel, "marta.vidal", SECOND);
    }
    assert_eq!(sign_in(&panel, "marta@estudiovidal.example", SECOND), Ok(Verdict::Rejected));
}

#[test]
fn attempts_are_refused_by_address_over_many_names() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(5));
    for n in 0..5 {
        assert!(sign_in(&panel, &format!("nobody{n}"), SECOND).is_ok());
    }
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
    *panel.address.borrow_mut() = Some("192.0.2.8".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn people_without_an_address_have_one_budget_for_all_of_them_and_take_nobody_elses() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(5));
    *panel.address.borrow_mut() = None;
    for n in 0..5 {
        assert!(sign_in(&panel, &format!("nobody{n}"), SECOND).is_ok());
    }
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
    *panel.address.borrow_mut() = Some("192.0.2.8".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
    // What comes through machines comes from many people.
    *panel.address.borrow_mut() = None;
    *panel.caller.borrow_mut() = Actor::ServiceKey("billing".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn a_stranger_locks_nobody_out_but_from_his_own_address() {
    let panel = panel();
    for _ in 0..40 {
        let _ = sign_in(&panel, "marta.vidal", SECOND);
    }
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
    *panel.address.borrow_mut() = Some("192.0.2.8".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn many_addresses_together_do_not_guess_at_one_name_for_ever() {
    for name in ["marta.vidal", "nobody"] {
        let panel = panel();
        for n in 0..100 {
            *panel.address.borrow_mut() = Some(format!("192.0.{n}.2"));
            assert_eq!(sign_in(&panel, name, SECOND), Ok(Verdict::Rejected), "{name}");
        }
        *panel.address.borrow_mut() = Some("198.51.100.1".to_owned());
        assert_eq!(sign_in(&panel, name, FIRST), Err(Failure::Throttled(900)), "{name}");
    }
}

#[test]
fn ones_own_sign_in_gives_strangers_no_attempts_back() {
    let panel = panel();
    for n in 0..99 {
        *panel.address.borrow_mut() = Some(format!("192.0.{n}.2"));
        assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
    }
    assert!(accepted(&panel, "marta.vidal", FIRST));
    *panel.address.borrow_mut() = Some("198.51.100.1".to_owned());
    assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Err(Failure::Throttled(900)));
}

#[test]
fn who_owns_a_network_of_ipv6_has_one_address() {
    let panel = panel();
    for n in 0..10 {
        *panel.address.borrow_mut() = Some(format!("2001:db8:0:7::{n:x}"));
        assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
    }
    *panel.address.borrow_mut() = Some("2001:db8:0:7:ffff::1".to_owned());
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
    *panel.address.borrow_mut() = Some("2001:db8:0:8::1".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

/// Attempts that are let pass, of so many from each of these addresses.
fn tried(panel: &Panel, name: &str, each: usize, addresses: impl IntoIterator<Item = String>) -> usize {
    let mut passed = 0;
    for address in addresses {
        *panel.address.borrow_mut() = Some(address);
        passed += (0..each).filter(|_| sign_in(panel, name, "") == Ok(Verdict::Rejected)).count();
    }
    passed
}

#[test]
fn no_network_that_one_customer_has_closes_a_name_to_all_others() {
    for (addresses, most) in [
        ((0..16).map(|n| format!("2001:db8:0:70{n:x}::1")).collect::<Vec<_>>(), 20),
        ((0..256).map(|n| format!("2001:db8:0:{:x}::1", n * 256)).collect(), 40),
        ((0..256).map(|n| format!("192.0.2.{n}")).collect(), 40),
    ] {
        let panel = panel();
        assert_eq!(tried(&panel, "marta.vidal", 10, addresses), most);
        for elsewhere in ["198.51.100.1", "2001:db8:1::1"] {
            *panel.address.borrow_mut() = Some(elsewhere.to_owned());
            assert!(accepted(&panel, "marta.vidal", FIRST), "{elsewhere} after {most}");
        }
    }
}

#[test]
fn a_neighbour_in_the_same_wide_network_is_not_locked_out_by_one_stranger() {
    let panel = panel();
    for (stranger, neighbour) in [("2001:db8:0:700::1", "2001:db8:0:701::1"), ("192.0.2.7", "192.0.2.8")] {
        assert_eq!(tried(&panel, "marta.vidal", 40, [stranger.to_owned()]), 10);
        *panel.address.borrow_mut() = Some(neighbour.to_owned());
        assert!(accepted(&panel, "marta.vidal", FIRST), "{neighbour}");
    }
}

#[test]
fn across_names_wider_networks_have_more_and_none_has_all() {
    let names = |panel: &Panel, addresses: &dyn Fn(usize) -> String| {
        // A name of its own for each, so that only addresses count.
        (0..200).filter(|n| tried(panel, &format!("nobody{n}"), 1, [addresses(*n)]) == 1).count()
    };
    for (from, most) in [
        ((&|_| "2001:db8::1".to_owned()) as &dyn Fn(usize) -> String, 5),
        (&|n| format!("2001:db8:0:{n:x}::1"), 20),
        (&|n| format!("2001:db8:0:{:x}::1", n * 256), 80),
        (&|n| format!("2001:db8:{n:x}::1"), 200),
        (&|n| format!("192.0.2.{n}"), 80),
        (&|n| format!("192.0.{n}.1"), 200),
    ] {
        let panel = panel();
        panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(5));
        assert_eq!(names(&panel, from), most, "{} and so on", from(0));
    }
}

#[test]
fn people_without_an_address_have_together_what_one_address_has() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(5));
    *panel.address.borrow_mut() = None;
    for n in 0..5 {
        assert!(sign_in(&panel, &format!("nobody{n}"), "").is_ok());
    }
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
    *panel.address.borrow_mut() = Some("192.0.2.8".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn refused_attempts_do_not_prolong_the_refusal_and_the_wait_that_is_told_is_the_whole_wait() {
    let panel = panel();
    for _ in 0..10 {
        assert_eq!(sign_in(&panel, "marta.vidal", ""), Ok(Verdict::Rejected));
        panel.wait(MINUTE);
    }
    // The stranger goes on, once a second.
    for second in 0..300 {
        assert_eq!(sign_in(&panel, "marta.vidal", ""), Err(Failure::Throttled(300 - second)), "{second}");
        panel.wait(1_000);
    }
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

#[test]
fn what_is_refused_for_a_name_takes_nothing_from_the_address() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(11));
    for _ in 0..50 {
        let _ = sign_in(&panel, "marta.vidal", "");
    }
    assert_eq!(sign_in(&panel, "omar", ""), Ok(Verdict::Rejected), "it is the eleventh");
    assert_eq!(sign_in(&panel, "omar", ""), Err(Failure::Throttled(900)));
}

#[test]
fn a_machine_that_hands_on_no_address_is_counted_by_the_name_alone_with_the_ceiling_of_all_addresses() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(3));
    *panel.address.borrow_mut() = None;
    for caller in [Actor::ServiceKey("panel".to_owned()), Actor::Console] {
        *panel.caller.borrow_mut() = caller;
        panel.wait(15 * MINUTE);
        assert_eq!((0..110).filter(|_| sign_in(&panel, "marta.vidal", "").is_ok()).count(), 100);
        assert!(sign_in(&panel, "omar", "").is_ok(), "other names have their own");
    }
}

#[test]
fn a_machine_that_hands_on_an_address_is_counted_by_that() {
    let panel = panel();
    *panel.caller.borrow_mut() = Actor::ServiceKey("panel".to_owned());
    assert_eq!(tried(&panel, "marta.vidal", 20, ["192.0.2.7".to_owned()]), 10);
    *panel.address.borrow_mut() = Some("198.51.100.1".to_owned());
    assert!(accepted(&panel, "marta.vidal", FIRST));
    *panel.address.borrow_mut() = Some("192.0.2.7".to_owned());
    assert_eq!((0..60).filter(|n| sign_in(&panel, &format!("nobody{n}"), "").is_ok()).count(), 40);
}

/// What a sign-in with this password answers for the browser to keep.
fn device(panel: &Panel, name: &str, password: &str, before: Option<&str>) -> String {
    match sign_in_showing(panel, name, password, before) {
        Ok(Verdict::Accepted(signed_in)) => signed_in.device,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Strangers from everywhere use up all that there is for a name.
fn close(panel: &Panel, name: &str) {
    let strangers = (0..10).flat_map(|net| (0..4).map(move |n| format!("203.0.{net}.{n}")));
    tried(panel, name, 10, strangers);
    *panel.address.borrow_mut() = Some("198.51.100.99".to_owned());
    assert!(matches!(sign_in(panel, name, FIRST), Err(Failure::Throttled(_))), "{name} is not closed");
}

#[test]
fn a_device_that_has_signed_in_before_passes_what_strangers_have_used_up() {
    let panel = panel();
    let kept = device(&panel, "marta.vidal", FIRST, None);
    close(&panel, "marta.vidal");
    close(&panel, "marta@estudiovidal.example");
    let newer = device(&panel, "marta.vidal", FIRST, Some(&kept));
    // By the other name, from another address, with a new password, and after months, too.
    *panel.address.borrow_mut() = Some("203.0.1.1".to_owned());
    set(&panel, MARTA, SECOND, false);
    device(&panel, "marta@estudiovidal.example", SECOND, Some(&newer));
    panel.wait(179 * 24 * 60 * MINUTE);
    close(&panel, "marta.vidal");
    device(&panel, "marta.vidal", SECOND, Some(&newer));
    panel.wait(24 * 60 * MINUTE);
    close(&panel, "marta.vidal");
    let late = sign_in_showing(&panel, "marta.vidal", SECOND, Some(&newer));
    assert!(matches!(late, Err(Failure::Throttled(_))), "180 days are over: {late:?}");
}

#[test]
fn a_device_has_a_budget_of_its_own_and_no_more() {
    let panel = panel();
    let kept = device(&panel, "marta.vidal", FIRST, None);
    close(&panel, "marta.vidal");
    let try_wrong = |kept: &str| sign_in_showing(&panel, "marta.vidal", "", Some(kept));
    for _ in 0..9 {
        assert_eq!(try_wrong(&kept), Ok(Verdict::Rejected));
    }
    // The right password begins its count again, and it stays one device.
    let newer = device(&panel, "marta.vidal", FIRST, Some(&kept));
    for n in 0..10 {
        assert_eq!(try_wrong(if n % 2 == 0 { &kept } else { &newer }), Ok(Verdict::Rejected));
    }
    for kept in [&kept, &newer] {
        assert!(matches!(try_wrong(kept), Err(Failure::Throttled(_))));
    }
}

#[test]
fn a_device_that_has_used_up_its_own_is_as_anybody() {
    let panel = panel();
    let kept = device(&panel, "marta.vidal", FIRST, None);
    let passed = (0..30).filter(|_| sign_in_showing(&panel, "marta.vidal", "", Some(&kept)).is_ok()).count();
    assert_eq!(passed, 20, "its own, then those of its address");
}

#[test]
fn all_devices_of_an_account_together_have_a_ceiling_too() {
    let panel = panel();
    let many: Vec<String> = (0..20)
        .map(|n| {
            *panel.address.borrow_mut() = Some(format!("198.51.{n}.1"));
            device(&panel, "marta.vidal", FIRST, None)
        })
        .collect();
    close(&panel, "marta.vidal");
    let tried = many.iter().flat_map(|kept| (0..10).map(move |_| kept));
    let passed = tried.filter(|kept| sign_in_showing(&panel, "marta.vidal", "", Some(kept)).is_ok()).count();
    assert_eq!(passed, 100);
}

#[test]
fn what_one_account_gets_is_worth_nothing_for_another_name_nor_is_anything_made_up() {
    let panel = panel();
    set(&panel, OMAR, SECOND, false);
    let omars = device(&panel, "omar", SECOND, None);
    let martas = device(&panel, "marta.vidal", FIRST, None);
    for name in ["marta.vidal", "nobody"] {
        close(&panel, name);
        let mut changed = martas.clone().into_bytes();
        changed[3] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        let long = martas.repeat(1_000);
        for shown in [omars.as_str(), &changed, &martas[1..], &long, "", ".", "....", "é", "\0"] {
            panel.kdf_calls.set(0);
            let refused = sign_in_showing(&panel, name, FIRST, Some(shown));
            assert!(matches!(refused, Err(Failure::Throttled(_))), "{name} {shown}: {refused:?}");
            assert_eq!(panel.kdf_calls.get(), 0);
        }
    }
    assert_eq!(sign_in_showing(&panel, "omar", "", Some("nonsense")), Ok(Verdict::Rejected), "it is as none");
}

#[test]
fn one_browser_is_known_to_the_accounts_that_have_signed_in_with_it_lately() {
    let panel = panel();
    set(&panel, OMAR, SECOND, false);
    let martas = device(&panel, "marta.vidal", FIRST, None);
    let mut both = device(&panel, "omar", SECOND, Some(&martas));
    for _ in 0..10 {
        both = device(&panel, "omar", SECOND, Some(&both));
    }
    assert!(both.len() <= 400 && both.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{both}");
    close(&panel, "marta.vidal");
    device(&panel, "marta.vidal", FIRST, Some(&both));
    for n in 3..8 {
        let (account, login) = (format!("customer:{n}"), format!("person{n}"));
        panel.add_customer(&account, &login, &format!("{login}@shared.example"), "Somebody");
        set(&panel, &account, FIRST, false);
        both = device(&panel, &login, FIRST, Some(&both));
    }
    assert!(both.len() <= 400, "{both}");
    let forgotten = sign_in_showing(&panel, "marta.vidal", FIRST, Some(&both));
    assert!(matches!(forgotten, Err(Failure::Throttled(_))), "{forgotten:?}");
}

#[test]
fn only_who_has_signed_in_gets_what_makes_a_device_known() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    assert!(matches!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::MustChange(_))));
    set(&panel, OMAR, SECOND, false);
    let kept = device(&panel, "omar", SECOND, None);
    assert!(!kept.contains("customer"), "{kept}");
}

#[test]
fn who_is_refused_by_his_address_makes_no_counter_for_each_name_that_he_tries() {
    let panel = panel();
    for n in 0..60 {
        let _ = sign_in(&panel, &format!("nobody{n}"), SECOND);
    }
    let counters = panel.counters();
    for n in 60..80 {
        assert_eq!(sign_in(&panel, &format!("nobody{n}"), SECOND), Err(Failure::Throttled(900)));
    }
    assert_eq!(panel.counters(), counters);
}

#[test]
fn a_machine_that_signs_many_people_in_is_not_refused_by_its_address() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(3));
    *panel.caller.borrow_mut() = Actor::ServiceKey("billing".to_owned());
    *panel.address.borrow_mut() = None;
    for n in 0..5 {
        assert!(sign_in(&panel, &format!("nobody{n}"), SECOND).is_ok());
    }
}

#[test]
fn success_begins_the_names_count_anew_and_not_the_addresss() {
    let panel = panel();
    panel.settings.borrow_mut().insert("attempts-per-name", Value::Number(3));
    panel.settings.borrow_mut().insert("attempts-per-address", Value::Number(6));
    for _ in 0..2 {
        assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
        assert_eq!(sign_in(&panel, "marta.vidal", SECOND), Ok(Verdict::Rejected));
        assert!(accepted(&panel, "marta.vidal", FIRST));
    }
    assert_eq!(sign_in(&panel, "marta.vidal", FIRST), Err(Failure::Throttled(900)));
}

#[test]
fn a_hash_in_another_form_is_upgraded_and_signs_nobody_out() {
    let panel = panel();
    let epoch = panel.person(MARTA).epoch;
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(2));
    assert!(accepted(&panel, "marta.vidal", FIRST));
    let person = panel.person(MARTA);
    assert!(person.hash.clone().unwrap().starts_with("$argon2id$v=19$m=7168,t=2,p=1$"));
    assert_eq!((person.epoch, person.sessions), (epoch, Some(0)));
    assert!(accepted(&panel, "marta.vidal", FIRST));
    assert_eq!(panel.person(MARTA).hash, person.hash, "upgraded once");
}

#[test]
fn a_password_that_is_about_to_be_replaced_is_not_upgraded() {
    let panel = panel();
    set(&panel, MARTA, FIRST, true);
    let hash = panel.person(MARTA).hash;
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(2));
    assert!(matches!(sign_in(&panel, "marta.vidal", FIRST), Ok(Verdict::MustChange(_))));
    assert_eq!(panel.person(MARTA).hash, hash);
}

#[test]
fn a_password_too_long_for_bcrypt_stays_in_argon2() {
    let panel = panel();
    let long = "copper lantern oats velvet tractor sunrise marble window candle forest tin";
    assert!(long.len() > 72);
    set(&panel, MARTA, long, false);
    panel.settings.borrow_mut().insert("output", Value::Text("bcrypt".to_owned()));
    assert!(accepted(&panel, "marta.vidal", long));
    assert!(panel.person(MARTA).hash.unwrap().starts_with("$argon2id$"));
}

#[test]
fn a_provider_that_refuses_the_new_hash_does_not_stop_a_sign_in() {
    let panel = panel();
    panel.settings.borrow_mut().insert("argon2-passes", Value::Number(2));
    panel.refuses_hashes.set(true);
    assert!(accepted(&panel, "marta.vidal", FIRST));
}

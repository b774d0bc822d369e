use super::*;
use crate::bindings::password::LinkState;
use crate::links;
use crate::store::{AskedBy, Carries, LinkRecord, NewestLink, Origin, RecordError, SecretMail};
use proptest::prelude::*;

fn states() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::Set), Just(State::MustChange), any::<i64>().prop_map(|until| State::Temporary { until })]
}

prop_compose! {
    fn passwords()(epoch in any::<String>(), state in states(), changed in any::<i64>()) -> PasswordRecord {
        PasswordRecord { epoch, state, changed }
    }
}

fn origins() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::Asked), Just(Origin::Mailed), Just(Origin::HandedOn), Just(Origin::SignIn)]
}

prop_compose! {
    fn newest()(origin in origins(), digest in any::<Vec<u8>>(), made in any::<i64>()) -> NewestLink {
        NewestLink { origin, digest, made }
    }
}

prop_compose! {
    fn mails()(
        (mail, epoch) in any::<(String, String)>(),
        carries in prop_oneof![
            Just(Carries::TemporaryPassword),
            Just(Carries::PermanentPassword),
            Just(Carries::Link(AskedBy::Owner)),
            Just(Carries::Link(AskedBy::Support)),
        ],
        (queued, until) in any::<(i64, Option<i64>)>(),
        sessions_ended in any::<Option<u32>>(),
    ) -> SecretMail {
        SecretMail { mail, carries, epoch, queued, until, sessions_ended }
    }
}

prop_compose! {
    fn accounts()(
        password in prop::option::of(passwords()),
        newest_links in prop::collection::vec(newest(), 0..5),
        mails in prop::collection::vec(mails(), 0..3),
    ) -> AccountRecord {
        AccountRecord { password, newest_links, mails }
    }
}

prop_compose! {
    fn links()(
        account in any::<String>(),
        origin in origins(),
        epoch in any::<String>(),
        (made, until) in any::<(i64, i64)>(),
        (used, mail) in any::<(Option<i64>, Option<String>)>(),
    ) -> LinkRecord {
        LinkRecord { account, origin, epoch, made, until, used, mail }
    }
}

proptest! {
    #[test]
    fn an_account_is_read_as_it_was_written(record in accounts()) {
        prop_assert_eq!(AccountRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_link_is_read_as_it_was_written(record in links()) {
        prop_assert_eq!(LinkRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_record_that_is_cut_off_or_has_more_is_damaged(record in links(), cut in 1usize..8, more in any::<u8>()) {
        let whole = record.encode();
        let cut = &whole[..whole.len() - cut];
        prop_assert!(matches!(LinkRecord::decode(cut), Err(RecordError::Damaged(_))));
        let mut longer = whole.clone();
        longer.push(more);
        prop_assert!(matches!(LinkRecord::decode(&longer), Err(RecordError::Damaged(_))));
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in any::<Vec<u8>>()) {
        let _ = (AccountRecord::decode(&bytes), LinkRecord::decode(&bytes));
    }
}

#[test]
fn the_first_format_is_read_for_ever() {
    let bytes = [
        &[1, 1, 2, 0][..],
        b"e7",
        &[1],
        &1_795_510_800_000_i64.to_le_bytes(),
        &[1, 2, 0, 0xab, 0xcd],
        &5_i64.to_le_bytes(),
    ]
    .concat();
    let password = PasswordRecord { epoch: "e7".to_owned(), state: State::MustChange, changed: 1_795_510_800_000 };
    // It replaced all others, so it stands for each origin.
    let newest_links = [Origin::Asked, Origin::Mailed, Origin::HandedOn]
        .map(|origin| NewestLink { origin, digest: vec![0xab, 0xcd], made: 5 })
        .into();
    let record = AccountRecord { password: Some(password), newest_links, mails: Vec::new() };
    assert_eq!(AccountRecord::decode(&bytes), Ok(record));

    let bytes = [&[1, 2, 0][..], b"c1", &[0, 2, 0], b"e7", &4_i64.to_le_bytes(), &5_i64.to_le_bytes(), &[0]].concat();
    let (account, epoch) = ("c1".to_owned(), "e7".to_owned());
    let record = LinkRecord { account, origin: Origin::HandedOn, epoch, made: 4, until: 5, used: None, mail: None };
    assert_eq!(LinkRecord::decode(&bytes), Ok(record));
}

#[test]
fn the_second_format_is_read_for_ever() {
    let mail = [&[6, 0][..], b"mail-7", &[3, 2, 0], b"e7", &4_i64.to_le_bytes(), &[1], &5_i64.to_le_bytes(), &[0]];
    let bytes = [&[2, 0, 0, 1][..], &mail.concat()].concat();
    let mail = SecretMail {
        mail: "mail-7".to_owned(),
        carries: Carries::Link(AskedBy::Owner),
        epoch: "e7".to_owned(),
        queued: 4,
        until: Some(5),
        sessions_ended: None,
    };
    assert_eq!(AccountRecord::decode(&bytes), Ok(AccountRecord { mails: vec![mail], ..AccountRecord::default() }));

    let times = [4_i64.to_le_bytes(), 5_i64.to_le_bytes()].concat();
    let bytes = [&[2, 2, 0][..], b"c1", &[0, 2, 0], b"e7", &times, &[0, 1, 6, 0], b"mail-7"].concat();
    let (account, epoch, mail) = ("c1".to_owned(), "e7".to_owned(), Some("mail-7".to_owned()));
    let record = LinkRecord { account, origin: Origin::Mailed, epoch, made: 4, until: 5, used: None, mail };
    assert_eq!(LinkRecord::decode(&bytes), Ok(record));
}

#[test]
fn a_link_that_was_replaced_before_the_third_format_stays_replaced() {
    let panel = panel();
    let older = panel.run(|ports| links::make(ports, MARTA)).unwrap().link.token;
    let newest = [&[2, 0, 1, 2, 0, 0xab, 0xcd][..], &5_i64.to_le_bytes(), &[0]].concat();
    panel.run(|ports| Ok(ports.put(&records::account_key(MARTA), &newest, None)?)).unwrap();
    assert_eq!(panel.run(|ports| links::inspect(ports, &older)), Ok(LinkState::Replaced(5)));
}

#[test]
fn a_record_that_cannot_be_read_keeps_nobody_from_setting_a_new_password() {
    for bytes in [&[7, 0, 0][..], &[2, 9], &[]] {
        let panel = panel();
        panel.run(|ports| Ok(ports.put(&records::account_key(MARTA), bytes, None)?)).unwrap();
        set(&panel, MARTA, SECOND, false);
        assert!(accepted(&panel, "marta.vidal", SECOND));
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let panel = panel();
    assert_eq!(AccountRecord::decode(&[7, 0, 0]), Err(RecordError::Version(7)));
    assert!(RecordError::Version(7).to_string().contains("version 7"));
    panel.run(|ports| Ok(ports.put(&records::account_key(MARTA), &[7, 0, 0], None)?)).unwrap();
    let Err(Failure::Refused(refusal)) = sign_in(&panel, "marta.vidal", FIRST) else { panic!("not refused") };
    assert_eq!(refusal.code, "data-too-new");
    assert_eq!(
        sign_in(&panel, "marta.vidal", SECOND),
        Ok(Verdict::Rejected),
        "told to who has the right password only"
    );
}

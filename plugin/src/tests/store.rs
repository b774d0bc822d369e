use super::*;
use crate::store::{LinkRecord, NewestLink, Purpose, RecordError};
use proptest::prelude::*;

fn states() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::Set), Just(State::MustChange), any::<i64>().prop_map(|until| State::Temporary { until })]
}

prop_compose! {
    fn passwords()(epoch in any::<String>(), state in states(), changed in any::<i64>()) -> PasswordRecord {
        PasswordRecord { epoch, state, changed }
    }
}

prop_compose! {
    fn newest()(digest in any::<Vec<u8>>(), made in any::<i64>()) -> NewestLink {
        NewestLink { digest, made }
    }
}

prop_compose! {
    fn accounts()(password in prop::option::of(passwords()), newest_link in prop::option::of(newest())) -> AccountRecord {
        AccountRecord { password, newest_link }
    }
}

prop_compose! {
    fn links()(
        account in any::<String>(),
        purpose in prop_oneof![Just(Purpose::Reset), Just(Purpose::MustChange)],
        epoch in any::<String>(),
        (made, until) in any::<(i64, i64)>(),
        used in any::<Option<i64>>(),
    ) -> LinkRecord {
        LinkRecord { account, purpose, epoch, made, until, used }
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
    let newest_link = Some(NewestLink { digest: vec![0xab, 0xcd], made: 5 });
    assert_eq!(AccountRecord::decode(&bytes), Ok(AccountRecord { password: Some(password), newest_link }));
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

//! Settings: what is written is sealed, whole, and of one writing.

use std::sync::Arc;

use keyturn_core::seal::Keys;
use keyturn_store::settings::NewSecret;
use keyturn_store::{AuditEntry, StorageError, Store, Version};
use keyturn_store_tests::*;

every_engine!(
    of_two_writings_on_one_reading_the_second_is_refused_with_its_audit,
    a_secret_opens_for_its_purpose_alone_stays_until_it_is_told_to_go_and_is_wiped_then,
    what_somebody_else_wrote_is_no_setting_and_another_key_voids_them,
);

fn set(storage: &Store, seen: Option<&Version>, values: &str, secret: NewSecret) -> Result<(), StorageError> {
    storage.set_settings(
        "mail",
        seen,
        values.as_bytes(),
        secret,
        AuditEntry { subjects: Vec::new(), ..entry("s", "1") },
    )
}

fn secret(purpose: &str, secret: &str) -> NewSecret {
    NewSecret::Set { purpose: purpose.to_owned(), secret: secret.to_owned().into() }
}

fn of_two_writings_on_one_reading_the_second_is_refused_with_its_audit(engine: Engine) {
    let panel = Panel::new(engine);
    let (storage, other) = (panel.open(), panel.open());
    assert!(storage.settings("mail").expect("read").is_none());
    set(&storage, None, "one", NewSecret::Keep).expect("set");
    assert_eq!(set(&other, None, "two", NewSecret::Keep), Err(StorageError::Changed));
    let seen = other.settings_version("mail").expect("read");
    set(&storage, seen.as_ref(), "three", NewSecret::Keep).expect("set");
    assert_eq!(set(&other, seen.as_ref(), "four", NewSecret::Keep), Err(StorageError::Changed));
    assert_eq!(other.settings("mail").expect("read").expect("there").values.as_slice(), b"three");
    assert_eq!(audit(&storage).len(), 2);
}

fn a_secret_opens_for_its_purpose_alone_stays_until_it_is_told_to_go_and_is_wiped_then(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    let opened = |purpose: &str| {
        let group = storage.settings("mail").expect("read").expect("there");
        group.secret.map(|secret| secret.open(&panel.keys, purpose).ok().map(|secret| secret.to_string()))
    };
    let version = || storage.settings_version("mail").expect("read");
    set(&storage, None, "one", secret("smtp.example", "hush-hush-52")).expect("set");
    assert_eq!(opened("smtp.example"), Some(Some("hush-hush-52".to_owned())));
    assert_eq!(opened("thief.example"), Some(None));
    set(&storage, version().as_ref(), "two", NewSecret::Keep).expect("set");
    assert_eq!(opened("smtp.example"), Some(Some("hush-hush-52".to_owned())));
    let secrets = || panel.bytes("SELECT secret FROM keyturnhost_settings");
    assert!(!secrets()[0].windows(4).any(|part| part == b"hush"), "sealed");
    set(&storage, version().as_ref(), "three", NewSecret::Forget).expect("set");
    assert_eq!(opened("smtp.example"), None);
    assert_eq!(secrets(), [[0; 0]; 0], "not even sealed");
}

fn what_somebody_else_wrote_is_no_setting_and_another_key_voids_them(engine: Engine) {
    let panel = Panel::new(engine);
    let storage = panel.open();
    set(&storage, None, "one", secret("smtp.example", "hush-hush-52")).expect("set");
    panel.run("INSERT INTO keyturnhost_settings SELECT 'other', value, secret FROM keyturnhost_settings");
    assert!(matches!(storage.settings("other"), Err(StorageError::Failed { .. })));
    drop(storage);
    let keys = Arc::new(Keys::random());
    panel.replace_key(&keys);
    let storage = panel.opened(keys, Opening::default()).expect("opened");
    assert!(storage.settings("mail").expect("read").is_none());
}

//! Settings: what is written is sealed, whole, and of one writing.

use super::*;
use keyturn_store::settings::NewSecret;

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

#[test]
fn of_two_writings_on_one_reading_the_second_is_refused_with_its_audit() {
    let panel = Panel::new();
    let (storage, other) = (panel.open(Options::default()), panel.open(beside()));
    assert!(storage.settings("mail").expect("read").is_none());
    set(&storage, None, "one", NewSecret::Keep).expect("set");
    assert_eq!(set(&other, None, "two", NewSecret::Keep), Err(StorageError::Changed));
    let seen = other.settings_version("mail").expect("read");
    set(&storage, seen.as_ref(), "three", NewSecret::Keep).expect("set");
    assert_eq!(set(&other, seen.as_ref(), "four", NewSecret::Keep), Err(StorageError::Changed));
    assert_eq!(other.settings("mail").expect("read").expect("there").values.as_slice(), b"three");
    assert_eq!(storage.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).expect("read").len(), 2);
}

#[test]
fn a_secret_opens_for_its_purpose_alone_stays_until_it_is_told_to_go_and_is_wiped_then() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
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
    let sealed: Vec<u8> =
        panel.raw().query_row("SELECT secret FROM keyturnhost_settings", [], |row| row.get(0)).expect("there");
    set(&storage, version().as_ref(), "three", NewSecret::Forget).expect("set");
    assert_eq!(opened("smtp.example"), None);
    storage.shutdown();
    panel.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpoint");
    let file = std::fs::read(&panel.path).expect("read");
    assert!(!file.windows(sealed.len()).any(|window| window == sealed), "not even sealed");
}

#[test]
fn what_somebody_else_wrote_is_no_setting_and_another_key_voids_them() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    set(&storage, None, "one", secret("smtp.example", "hush-hush-52")).expect("set");
    panel
        .raw()
        .execute_batch("INSERT INTO keyturnhost_settings SELECT 'other', value, secret FROM keyturnhost_settings")
        .expect("copied");
    assert!(matches!(storage.settings("other"), Err(StorageError::Failed { .. })));
    drop(storage);
    let keys = Arc::new(Keys::random());
    crate::replace_key(&panel.path, &keys).expect("replaced");
    let storage = crate::open(&panel.path, keys, provider(), Options::default()).expect("opened");
    assert!(storage.settings("mail").expect("read").is_none());
}

//! Addresses are seen with each commit, and whoever had one before can be told once.

use keyturn_store::outbox::{NewMail, Recipient};
use keyturn_store::{Commit, Effect, Read, StorageError, Store};
use keyturn_store_tests::*;

every_engine!(
    each_commit_sees_the_address_on_file_and_remembers_the_one_before,
    the_address_before_is_told_once_and_is_not_kept_for_ever,
    an_address_in_between_skips_nobody_who_was_not_told,
    whoever_manages_an_account_later_learns_nothing_of_its_addresses_before,
    of_several_accounts_with_one_address_whoever_has_had_it_longest_comes_first,
);

fn with_addresses(engine: Engine) -> Panel {
    let panel = Panel::new(engine);
    panel.run("ALTER TABLE customers ADD email VARCHAR(100); UPDATE customers SET email = 'a@x.example'");
    panel
}

fn open(panel: &Panel) -> Store {
    open_managed(panel, "")
}

fn open_managed(panel: &Panel, more: &str) -> Store {
    let mapping = format!("table = 'customers', id = 'id', login = 'login', email = 'email', {more} hash = 'password'");
    panel.open_with(Opening { realms: &format!("customer = {{ {mapping} }}"), ..Opening::default() })
}

/// A commit about the account, at that time.
fn about(storage: &Store, now: i64, effects: Vec<Effect>) -> Result<(), StorageError> {
    let seen = storage.account(&id("1")).expect("read").map(Box::new);
    storage.commit(Commit { now, reads: vec![Read::Account { id: id("1"), seen }], ..commit(effects) })
}

fn moves_to(panel: &Panel, email: &str) {
    panel.run(&format!("UPDATE customers SET email = '{email}' WHERE id = 1"));
}

fn seen(storage: &Store) -> Option<(String, Option<String>)> {
    let seen = storage.seen_address(&id("1")).expect("read")?;
    Some((seen.seen.to_string(), seen.before.map(|before| before.to_string())))
}

fn notice(panel: &Panel, address: &str) -> Effect {
    let mail = mail_to(&panel.keys, "1", "x");
    Effect::Send(Box::new(NewMail { to: Recipient::Previous(id("1")), address: Some(address.to_owned()), ..mail }))
}

fn each_commit_sees_the_address_on_file_and_remembers_the_one_before(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    assert_eq!(seen(&storage), None);
    about(&storage, NOW, Vec::new()).expect("committed");
    assert_eq!(seen(&storage), Some(("a@x.example".to_owned(), None)));
    moves_to(&panel, "b@x.example");
    about(&storage, NOW, Vec::new()).expect("committed");
    let changed = Some(("b@x.example".to_owned(), Some("a@x.example".to_owned())));
    assert_eq!(seen(&storage), changed);
    about(&storage, NOW, Vec::new()).expect("committed");
    assert_eq!(seen(&storage), changed, "the same again is no change");
    // Nothing of it can be read in the database, and nobody else can write one there.
    for sealed in ["seen", "\"before\""].map(|column| format!("SELECT {column} FROM keyturnhost_addresses")) {
        let [sealed] = <[Vec<u8>; 1]>::try_from(panel.bytes(&sealed)).expect("one");
        assert!(sealed.len() > 9 && !sealed.windows(9).any(|part| part == b"x.example"));
    }
    let forged = engine.bytes(&[0]);
    panel.run(&format!("UPDATE keyturnhost_addresses SET seen = {forged}, \"before\" = {forged}"));
    assert_eq!(seen(&storage), None);
    about(&storage, NOW, Vec::new()).expect("a row that does not open holds nothing up");
    assert_eq!(seen(&storage), Some(("b@x.example".to_owned(), None)));
}

fn the_address_before_is_told_once_and_is_not_kept_for_ever(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    about(&storage, NOW, Vec::new()).expect("committed");
    moves_to(&panel, "b@x.example");
    assert_eq!(about(&storage, NOW, vec![notice(&panel, "other@x.example")]), Err(StorageError::Changed));
    about(&storage, NOW, vec![notice(&panel, "a@x.example")]).expect("seen and told in one");
    assert_eq!(seen(&storage), Some(("b@x.example".to_owned(), None)));
    assert_eq!(about(&storage, NOW, vec![notice(&panel, "a@x.example")]), Err(StorageError::Changed), "told");
    let leased = storage.lease_mail(10, 60_000, None).expect("leased");
    let filling = leased[0].filling.as_ref().expect("ours");
    assert_eq!((leased.len(), filling.address.as_deref()), (1, Some("a@x.example")));
    assert_eq!(leased[0].mail.to, Recipient::Previous(id("1")));

    moves_to(&panel, "c@x.example");
    about(&storage, NOW, Vec::new()).expect("committed");
    drop(storage);
    let storage = open(&panel);
    let tidied = |now: i64| storage.tidy(now, 10).expect("tidied");
    // What commits leave for each other in a cluster goes after an hour.
    tidied(NOW + DAY);
    assert_eq!(
        (tidied(NOW + 30 * DAY - 1), seen(&storage).and_then(|seen| seen.1).as_deref()),
        (0, Some("b@x.example"))
    );
    assert_eq!((tidied(NOW + 30 * DAY), seen(&storage)), (1, Some(("c@x.example".to_owned(), None))));
}

fn an_address_in_between_skips_nobody_who_was_not_told(engine: Engine) {
    let panel = with_addresses(engine);
    let storage = open(&panel);
    about(&storage, NOW, Vec::new()).expect("committed");
    for between in ["", "two@x.example, addresses@x.example", "b@x.example"] {
        moves_to(&panel, between);
        about(&storage, NOW, Vec::new()).expect("committed");
    }
    assert_eq!(seen(&storage), Some(("b@x.example".to_owned(), Some("a@x.example".to_owned()))));
    moves_to(&panel, "a@x.example");
    about(&storage, NOW, Vec::new()).expect("committed");
    assert_eq!(seen(&storage), Some(("a@x.example".to_owned(), Some("b@x.example".to_owned()))), "back again");
}

fn whoever_manages_an_account_later_learns_nothing_of_its_addresses_before(engine: Engine) {
    let panel = with_addresses(engine);
    panel.run("ALTER TABLE customers ADD reseller VARCHAR(10); UPDATE customers SET reseller = '7'");
    let storage = open_managed(&panel, "manager = 'reseller',");
    about(&storage, NOW, Vec::new()).expect("committed");
    // Another account under the key of one that is gone, or the same one with another manager.
    panel.run("UPDATE customers SET reseller = '8', email = 'b@x.example' WHERE id = 1");
    assert_eq!(seen(&storage), None);
    about(&storage, NOW, Vec::new()).expect("committed");
    assert_eq!(seen(&storage), Some(("b@x.example".to_owned(), None)));
}

fn of_several_accounts_with_one_address_whoever_has_had_it_longest_comes_first(engine: Engine) {
    let panel = with_addresses(engine);
    panel.run(
        "INSERT INTO customers (id, login, password, email) VALUES (3, 'carla', 'h0', 'a@x.example'),
             (4, 'dina', 'h0', 'other@x.example'), (5, 'a@x.example', 'h0', 'a@x.example')",
    );
    let storage = open(&panel);
    let sees = |key: &str, now: i64| {
        let seen = storage.account(&id(key)).expect("read").map(Box::new);
        let reads = vec![Read::Account { id: id(key), seen }];
        storage.commit(Commit { now, reads, ..commit(Vec::new()) }).expect("committed");
    };
    let found = |typed: &str, most: usize| {
        let found = storage.find(typed, &["customer"], most).expect("found");
        found.into_iter().map(|(id, by)| format!("{} {by:?}", id.key())).collect::<Vec<_>>()
    };
    let order = |keys: [&str; 3]| {
        assert_eq!(found("A@x.example", 10)[1..], keys.map(|key| format!("{key} Email")), "{keys:?}");
        assert_eq!(found("A@x.example", 10)[0], "5 Login", "a login outranks all");
    };
    order(["1", "2", "3"]);
    sees("3", NOW);
    order(["3", "1", "2"]);
    sees("2", NOW + 1);
    order(["3", "2", "1"]);
    // In another spelling it is the same address, for as long.
    panel.run("UPDATE customers SET email = 'A@x.example' WHERE id = 3");
    sees("3", NOW + 2);
    order(["3", "2", "1"]);
    // An account that had another one for long has this one only since it was seen with it.
    sees("4", NOW - 9);
    panel.run("UPDATE customers SET email = 'a@x.example' WHERE id = 4; DELETE FROM customers WHERE id = 1");
    order(["3", "2", "4"]);
    sees("4", NOW + 3);
    order(["3", "2", "4"]);
    // Whoever leaves it and comes back begins again.
    panel.run("UPDATE customers SET email = 'b@x.example' WHERE id = 3");
    sees("3", NOW + 4);
    panel.run("UPDATE customers SET email = 'a@x.example' WHERE id = 3");
    order(["2", "4", "3"]);
    sees("3", NOW + 5);
    order(["2", "4", "3"]);
    // Before times were written down, it was earlier.
    panel.run("UPDATE keyturnhost_addresses SET since = NULL WHERE account = 'customer:3'");
    order(["3", "2", "4"]);
}

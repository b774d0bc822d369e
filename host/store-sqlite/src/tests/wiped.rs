//! What is wiped is nowhere in the file.

use super::*;
use keyturn_store::settings::NewSecret;

const LEASE: i64 = 60_000;
const SECRET: &str = "tavo-meki-rusa-dole-fipa-94";

fn now() -> i64 {
    keyturn_core::time::now()
}

fn accepted() -> Settled {
    Settled { state: MailState::Accepted, again_in: None, told: None, obstacle: None }
}

/// Whether the bytes stand in the database's file or its log.
fn found(panel: &Panel, needle: &[u8]) -> bool {
    ["", "-wal"].iter().any(|suffix| {
        let path = panel.path.with_file_name(format!("panel.db{suffix}"));
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn what_a_mail_carried_is_nowhere_in_the_file_once_it_is_accepted_withdrawn_or_has_ended() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    type End = fn(&Store, &MailId, &Panel);
    let ends: [End; 3] = [
        |storage, _, _| {
            let leased = storage.lease_mail(10, LEASE, None).expect("leased").remove(0);
            storage.settle_mail(&leased.lease, &accepted()).expect("settled");
        },
        |storage, id, _| {
            let withdraw = Effect::Withdraw { id: id.clone() };
            storage.commit(Commit { now: now(), ..commit(vec![withdraw]) }).expect("withdrawn");
        },
        |storage, _, _| {
            assert!(settled(|| {
                storage.beat(&[], LEASE, now() + 7_200_000).expect("beats");
                storage.mails(&MailFilter { limit: 1, ..MailFilter::default() }).expect("read")[0].state
                    == MailState::Ended
            }));
        },
    ];
    for end in ends {
        let id = send(&storage, mail_to(&panel.keys, "1", SECRET));
        let sealed: Vec<u8> = panel
            .raw()
            .query_row("SELECT secrets FROM keyturnhost_outbox WHERE id = ?1", [id.as_str()], |row| row.get(0))
            .expect("sealed");
        assert!(found(&panel, &sealed[..40]) && !found(&panel, SECRET.as_bytes()), "it is there, and sealed");
        end(&storage, &id, &panel);
        panel.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpoint");
        assert!(!found(&panel, &sealed[..40]) && !found(&panel, &sealed[sealed.len() - 40..]));
        assert!(!storage.mail(&id).expect("read").expect("there").whole);
    }
}

#[test]
fn of_many_mails_that_have_gone_nothing_sealed_stays_in_free_places_of_the_file() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let long = "tavo-meki-rusa-".repeat(26);
    let ids: Vec<MailId> = (0..200).map(|_| send(&storage, mail_to(&panel.keys, "1", &long))).collect();
    let raw = panel.raw();
    let mut rows = raw.prepare("SELECT secrets FROM keyturnhost_outbox").expect("prepared");
    let sealed: Vec<Vec<u8>> =
        rows.query_map([], |row| row.get(0)).expect("read").collect::<Result<_, _>>().expect("sealed");
    drop(rows);
    assert_eq!(sealed.len(), 200);
    for leased in storage.lease_mail(200, LEASE, None).expect("leased") {
        storage.settle_mail(&leased.lease, &accepted()).expect("settled");
    }
    raw.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpoint");
    let file = std::fs::read(&panel.path).expect("read");
    // Any sixteen bytes in a row are chance in no file.
    let there: std::collections::HashSet<&[u8]> = file.windows(16).collect();
    let left = sealed.iter().filter(|sealed| sealed.windows(16).step_by(7).any(|piece| there.contains(piece))).count();
    assert_eq!(left, 0, "of {}", ids.len());
}

#[test]
fn a_secret_that_was_set_and_forgotten_is_nowhere_in_the_file() {
    let panel = Panel::new();
    let storage = panel.open(Options::default());
    let set = |secret| {
        let seen = storage.settings_version("mail").expect("read");
        let audit = AuditEntry { subjects: Vec::new(), ..entry("s", "1") };
        storage.set_settings("mail", seen.as_ref(), b"values", secret, audit).expect("set");
    };
    set(NewSecret::Set { purpose: "smtp.example".to_owned(), secret: "hush-hush-52".to_owned().into() });
    let sealed: Vec<u8> =
        panel.raw().query_row("SELECT secret FROM keyturnhost_settings", [], |row| row.get(0)).expect("there");
    assert!(found(&panel, &sealed));
    set(NewSecret::Forget);
    storage.shutdown();
    panel.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("checkpoint");
    assert!(!found(&panel, &sealed));
}

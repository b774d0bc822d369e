//! Webhooks where the panel's database is a server's: signed and verified, each event once from whatever host, and once more from
//! another one when the host that sends it is killed.

use std::collections::BTreeSet;
use std::time::Duration;

use keyturn_servers::{Database, mariadb, postgres};
use serde_json::json;

use super::server::{ANOTHER, PASSWORD, Panel};
use super::servers::{panel, with_people};
use super::webhooks::{Documented, PRIVATE, change, header, key, scripted};

/// Longer than the lease of a host that is gone.
const PATIENCE: Duration = Duration::from_secs(90);

/// Two hosts' folders that name this destination.
fn two(database: &Database<'_>, url: &str) -> (Panel, Panel) {
    with_people(database);
    let (one, other) = (panel(database), panel(database));
    let secret = one.secrets("secret", &[&one.made()]);
    for host in [&one, &other] {
        host.webhook("here", url, &secret, PRIVATE);
    }
    (one, other)
}

fn each_event_goes_once(database: &Database<'_>) {
    let (address, told) = scripted(&["500 Oops", "204 No Content"]);
    let (one, other) = two(database, &format!("http://{address}/"));
    let secret = one.folder.path().join("secret");
    let php = Documented::php(one.folder.path(), &secret);
    for host in [&one, &other] {
        host.webhook("php", &php.url, &secret, PRIVATE);
    }
    let token = key(&one);
    let (one, other) = (one.serve(), other.serve());
    for (at, host) in [&one, &other].into_iter().cycle().take(6).enumerate() {
        change(host, &token, if at % 2 == 0 { PASSWORD } else { ANOTHER });
    }
    // Refused, so that it never happened.
    let short = json!({"account": "customer:1", "new": "short", "must_change": false});
    other.call(&token, "password/set-password", &short).problem(422, "invalid");
    let heads: Vec<_> = (0..7).map(|_| told.recv_timeout(PATIENCE).expect("posted")).collect();
    let ids: BTreeSet<_> = heads.iter().map(|head| header(head, "webhook-id")).collect();
    // The first one came again.
    assert_eq!(ids.len(), 6, "{ids:?}");
    one.panel.comes_to("here", "accepted");
    assert!(told.recv_timeout(Duration::from_secs(2)).is_err(), "an event went twice");
    php.says("new password of customer:1, by manager");
    one.panel.comes_to("php", "accepted");
}

fn a_killed_hosts_event_goes_from_another(database: &Database<'_>) {
    let (address, told) = scripted(&["", "204 No Content"]);
    let (one, other) = two(database, &format!("http://{address}/"));
    let token = key(&one);
    let other = other.serve();
    change(&other, &token, PASSWORD);
    let first = told.recv_timeout(PATIENCE).expect("posted");
    other.signal("KILL");
    let one = one.serve();
    let again = told.recv_timeout(PATIENCE).expect("posted by the host that lives");
    assert_eq!(header(&first, "webhook-id"), header(&again, "webhook-id"));
    one.panel.comes_to("here", "accepted");
}

#[test]
fn each_event_goes_once_from_two_hosts_on_postgresql() {
    each_event_goes_once(&postgres().database());
}

#[test]
fn each_event_goes_once_from_two_hosts_on_mariadb() {
    each_event_goes_once(&mariadb().database());
}

#[test]
fn a_killed_hosts_event_goes_from_another_on_postgresql() {
    a_killed_hosts_event_goes_from_another(&postgres().database());
}

#[test]
fn a_killed_hosts_event_goes_from_another_on_mariadb() {
    a_killed_hosts_event_goes_from_another(&mariadb().database());
}

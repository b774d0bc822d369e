//! Faults, injected and counted: a host, a server, a primary, a node or the network fails under load. Nothing that was acknowledged is
//! lost, nothing is done twice, no token is used twice. A few rounds are run with the other tests; `cargo xtask faults` runs more, and
//! those that are ignored here.

mod load;
mod network;

use keyturn_servers::{Database, Pooling, bouncer, own_galera, own_mariadb, own_postgres, standby};

use crate::hooks::servers::{every_way, panel};
use load::{Load, panels};

/// How many rounds, if nothing else is said: each is bounded by what it sends.
fn rounds(few: usize) -> usize {
    let said = std::env::var("KEYTURN_FAULT_ROUNDS").ok();
    said.map_or(few, |said| said.parse().expect("KEYTURN_FAULT_ROUNDS is a number"))
}

/// What each customer does in a round so often.
const TIMES: usize = 2;

/// One of three hosts is killed, each in its turn.
fn hosts_are_killed(name: &str, database: &Database<'_>) {
    let ways = vec![database.url.clone(); 3];
    let (load, mut hosts) = Load::new(panels(database, &ways));
    let rounds = rounds(1);
    for round in 0..rounds {
        load.round(&format!("r{round}"), TIMES, || load.kill(&mut hosts, round % 3));
    }
    load.ends(name, rounds, &hosts, |sql| database.sql(sql));
}

#[test]
fn hosts_killed_on_postgresql() {
    hosts_are_killed("hosts killed, PostgreSQL", &keyturn_servers::postgres().database());
}

#[test]
fn hosts_killed_on_mariadb() {
    hosts_are_killed("hosts killed, MariaDB", &own_mariadb().database());
}

/// The server of three hosts is killed, and started again.
fn the_server_is_killed(name: &str, server: &keyturn_servers::Server) {
    let database = server.database();
    let ways = vec![database.url.clone(); 3];
    let (load, hosts) = Load::new(panels(&database, &ways));
    let rounds = rounds(1);
    for round in 0..rounds {
        load.round(&format!("r{round}"), TIMES, || {
            server.kill();
            server.start_again();
        });
    }
    load.ends(name, rounds, &hosts, |sql| database.sql(sql));
}

#[test]
fn servers_killed_postgresql() {
    the_server_is_killed("server killed, PostgreSQL", &own_postgres());
}

#[test]
fn servers_killed_mariadb() {
    the_server_is_killed("server killed, MariaDB", &own_mariadb());
}

/// The primary is killed and its synchronous standby promoted. It comes back as one that would take writes, and gets none.
#[test]
#[ignore = "`cargo xtask faults` runs it"]
fn failover_to_a_standby() {
    let rounds = rounds(2);
    for at in 1..=rounds {
        let primary = own_postgres();
        let database = primary.database();
        let second = standby(&primary);
        let both = database
            .url
            .replace(&format!(":{}/", primary.port), &format!(":{0},127.0.0.1:{1}/", primary.port, second.port));
        let (load, mut hosts) = Load::new(panels(&database, &vec![both; 3]));
        load.round("before", 1, || {});
        load.round("over", TIMES, || {
            primary.kill();
            second.promote();
        });
        primary.start_again();
        // It would take them, and is the first that is named: whoever starts now, and whoever went over, knows better.
        primary.sql(None, "ALTER SYSTEM RESET synchronous_standby_names");
        primary.sql(None, "SELECT pg_reload_conf()");
        let stays = primary.sql(Some(&database.name), "SELECT count(*) FROM keyturnhost_audit");
        load.round("after", TIMES, || load.kill(&mut hosts, 0));
        let now = primary.sql(Some(&database.name), "SELECT count(*) FROM keyturnhost_audit");
        assert_eq!(now, stays, "nothing has gone to the former primary");
        load.ends(&format!("primary killed, standby promoted ({at} of {rounds})"), 3, &hosts, |sql| {
            second.sql(Some(&database.name), sql)
        });
        primary.kill();
        second.kill();
    }
}

/// Three hosts, each on a node of its own; one node is killed, and joins again.
#[test]
#[ignore = "`cargo xtask faults` runs it"]
fn cluster_loses_a_node() {
    let nodes = own_galera();
    let database = nodes[0].database();
    let ways: Vec<String> = nodes.iter().map(|node| node.url(&database.name)).collect();
    let (load, hosts) = Load::new(panels(&database, &ways));
    let rounds = rounds(2);
    for round in 0..rounds {
        let node = &nodes[(round + 1) % 3];
        load.round(&format!("r{round}"), TIMES, || {
            node.kill();
            node.start_again();
        });
    }
    load.ends("node of a cluster killed", rounds, &hosts, |sql| {
        nodes[2].sql(Some(&database.name), &format!("SET SESSION wsrep_sync_wait = 7; {sql}"))
    });
}

/// A pooler that hands a connection to each transaction is none that anybody notices; one that hands it to each statement is
/// refused by name.
#[test]
#[ignore = "`cargo xtask faults` runs it"]
fn pooler_before_postgresql() {
    let server = keyturn_servers::postgres();
    let through = |database: &Database<'_>, pooling: Pooling| {
        database.url.replace(&format!(":{}/", server.port), &format!(":{}/", bouncer(server, pooling)))
    };
    for pooling in [Pooling::Session, Pooling::Transaction] {
        let database = server.database();
        let url = through(&database, pooling);
        every_way(&Database { url, ..database });
        println!("pooler, {pooling:?}: every way to a new password");
    }
    let database = server.database();
    let url = through(&database, Pooling::Statement);
    let refused = panel(&Database { url, ..database }).run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("pool_mode = transaction"), "{said}");
    println!("pooler, Statement: refused: {}", said.trim());
}

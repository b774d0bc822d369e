//! A MariaDB cluster of three nodes, from Debian's packages `mariadb-server`, `galera-4` and `rsync`.

use std::net::TcpListener;
use std::process::Command;
use std::sync::OnceLock;

use super::mariadb::{LOG, PANELS, run};
use super::{OWNER, Server, done, folder, is_root, owned, serve};

/// One of the caller's own, whose nodes are to be killed.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn own_galera() -> Vec<Server> {
    start()
}

/// The one of this process, if the tests' MariaDB is to be one.
///
/// # Panics
/// If it does not start.
pub fn galera() -> Option<&'static [Server]> {
    static CLUSTER: OnceLock<Option<Vec<Server>>> = OnceLock::new();
    CLUSTER.get_or_init(|| std::env::var_os("KEYTURN_GALERA").map(|_| start())).as_deref()
}

/// The transfer of a node's data to another does not work as root.
fn user() -> Option<&'static str> {
    is_root().then_some("mysql")
}

/// Four ports that follow each other for each node, below those that connections are given by themselves.
fn free_ports() -> u16 {
    let first = 15_000 + (std::process::id() % 1_000) as u16 * 16;
    let free = |base: &u16| (*base..base + 12).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (0..60).map(|step| first + step * 16).find(free).expect("free ports")
}

fn start() -> Vec<Server> {
    let base = free_ports();
    let nodes = [base, base + 4, base + 8];
    let members: Vec<String> = nodes.iter().map(|port| format!("127.0.0.1:{}", port + 1)).collect();
    let members = format!("--wsrep-cluster-address=gcomm://{}", members.join(","));
    nodes.iter().enumerate().map(|(at, port)| node(at, *port, &members)).collect()
}

fn node(at: usize, port: u16, members: &str) -> Server {
    let folder = folder("galera");
    let (data, socket, log) = (folder.join("data"), folder.join("socket"), folder.join("log"));
    if at == 0 {
        let mut making = Command::new("mariadb-install-db");
        making.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        making.args(["--skip-name-resolve", LOG]).arg(format!("--datadir={}", data.display()));
        let owner =
            user().map_or_else(|| done(Command::new("id").arg("-un")).expect("id").trim().to_owned(), str::to_owned);
        done(making.arg(format!("--user={owner}"))).unwrap_or_else(|error| panic!("{error}"));
    } else {
        std::fs::create_dir(&data).expect("a folder");
    }
    owned(&folder, user());
    let mut command = Command::new("mariadbd");
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
    for (name, path) in
        [("datadir", &data), ("socket", &socket), ("pid-file", &folder.join("pid")), ("log-error", &log)]
    {
        command.arg(format!("--{name}={}", path.display()));
    }
    command.arg(format!("--port={port}")).args(PANELS).args([LOG, "--max-connections=200"]);
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=48M", "--binlog-format=ROW"]);
    command.args([
        "--innodb-autoinc-lock-mode=2",
        "--wsrep-on=ON",
        "--wsrep-provider=/usr/lib/galera/libgalera_smm.so",
    ]);
    command.args(["--wsrep-cluster-name=keyturn", "--wsrep-sst-method=rsync", members]);
    command.arg(format!("--wsrep-node-name=node{at}"));
    command.arg(format!("--wsrep-node-address=127.0.0.1:{}", port + 1));
    command.arg(format!("--wsrep-node-incoming-address=127.0.0.1:{port}"));
    command.arg(format!("--wsrep-sst-receive-address=127.0.0.1:{}", port + 3));
    // A node that says nothing for two seconds is gone.
    command.arg(format!(
        "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{};ist.recv_addr=127.0.0.1:{};gcache.size=16M;\
         evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.inactive_check_period=PT0.5S",
        port + 1,
        port + 2
    ));
    let mut first = Command::new(command.get_program());
    first.args(command.get_args());
    if at == 0 {
        let init = folder.join("init.sql");
        let user =
            format!("CREATE USER {OWNER}@'127.0.0.1';\nGRANT ALL ON *.* TO {OWNER}@'127.0.0.1' WITH GRANT OPTION;\n");
        std::fs::write(&init, user).expect("written");
        first.arg("--wsrep-new-cluster").arg(format!("--init-file={}", init.display()));
    }
    let process = serve(&first, user(), port, &log).into();
    // The next time it joins the others.
    let server = Server { folder, port, socket, scheme: "mysql", program: (command, user()), process, run };
    server.ready();
    server
}

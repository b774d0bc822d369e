//! A server that goes away and comes back, in a program of its own, since others would be in its way.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyturn_accounts::Sql;
use keyturn_core::seal::Keys;
use keyturn_servers::{Server, mariadb};
use keyturn_store::{Commit, Effect, StorageError, Store};
use keyturn_store_mariadb::{Address, MariaDb, Options, open};

const NOW: i64 = 1_764_000_000_000;

/// The server, again, and as long as this lives.
struct Again(Child);

impl Again {
    fn start(server: &Server, more: &[String]) -> Self {
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "--",
            "mariadbd",
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--user=root",
        ]);
        command.arg(format!("--datadir={}", server.folder.join("data").display()));
        command.arg(format!("--socket={}", server.socket.display())).arg(format!("--port={}", server.port));
        command.arg(format!("--log-error={}", server.folder.join("log").display()));
        let again = Self(command.arg("--innodb-log-file-size=12M").args(more).spawn().expect("started"));
        until(|| server.try_sql(None, "SELECT 1").is_ok());
        again
    }

    fn stop(mut self, server: &Server) {
        server.sql(None, "SHUTDOWN");
        self.0.wait().expect("ended");
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn opened(url: &str, ca: Option<&Path>, keys: &Arc<Keys>) -> Result<Store, StorageError> {
    let nobody = Sql::new(BTreeMap::new(), &MariaDb).expect("a provider");
    let address = Address::parse(url, None, ca).expect("an address");
    open(&address, Arc::clone(keys), Arc::new(nobody), Options::default())
}

fn put(key: &str) -> Commit {
    Commit::bare("p", NOW, vec![Effect::Put { key: key.to_owned(), value: b"x".to_vec().into(), expires: None }])
}

fn refused(url: &str, ca: Option<&Path>, keys: &Arc<Keys>) -> String {
    opened(url, ca, keys).err().expect("refused").to_string()
}

/// A certificate for the server, by an authority of its own.
fn certify(folder: &Path) {
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ');
        let made = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl runs");
        assert!(made.status.success(), "{made:?}");
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"));
    openssl(&format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("written");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
}

#[test]
fn calls_go_on_after_a_restart_and_a_server_that_is_none_to_write_to_is_refused() {
    let (server, keys) = (mariadb(), Arc::new(Keys::random()));
    let database = server.database();
    let store = opened(&database.url, None, &keys).expect("opened");
    store.commit(put("before")).expect("committed");
    let there = |key: &str| store.get("p", key, NOW).map(|found| found.is_some());

    server.sql(None, "SHUTDOWN");
    until(|| server.try_sql(None, "SELECT 1").is_err());
    assert_eq!(there("before"), Err(StorageError::Busy), "as long as it is away");
    assert_eq!(store.commit(put("away")), Err(StorageError::Busy), "and nothing is in doubt");
    let again = Again::start(server, &[]);
    until(|| there("before") == Ok(true));
    store.commit(put("after")).expect("committed");
    assert_eq!((there("away"), there("after")), (Ok(false), Ok(true)));

    server.sql(None, "SET GLOBAL wait_timeout = 1");
    let idle = opened(&database.url, None, &keys).expect("opened");
    idle.commit(put("idle")).expect("committed");
    drop(store);
    let connected = format!("SELECT count(*) FROM information_schema.processlist WHERE db = '{}'", database.name);
    until(|| server.sql(None, &connected).trim() == "0");
    idle.commit(put("ended while idle")).expect("committed on another connection");
    server.sql(None, "SET GLOBAL wait_timeout = 28800");
    let store = opened(&database.url, None, &keys).expect("opened");
    let there = |key: &str| store.get("p", key, NOW).map(|found| found.is_some());
    assert_eq!(there("ended while idle"), Ok(true));

    server.sql(None, "SET GLOBAL read_only = 1");
    let said = refused(&database.url, None, &keys);
    assert!(said.contains("is read-only"), "{said}");
    server.sql(None, "SET GLOBAL read_only = 0");
    server.sql(None, &format!("CREATE USER plain@'127.0.0.1'; GRANT ALL ON {}.* TO plain@'127.0.0.1'", database.name));
    let plain = opened(&database.url.replace("keyturn@", "plain@"), None, &keys).expect("opened");
    plain.commit(put("plain")).expect("committed");
    server.sql(None, "SET GLOBAL read_only = 1");
    assert_eq!(plain.commit(put("refused")), Err(StorageError::Busy), "until another is the one that is written");
    server.sql(None, "SET GLOBAL read_only = 0");
    until(|| plain.commit(put("again")).is_ok());
    assert_eq!((there("refused"), there("again")), (Ok(false), Ok(true)));
    drop(plain);
    again.stop(server);

    certify(&server.folder);
    let authority = server.folder.join("ca.pem");
    let tls = |name: &str, file: &str| format!("--ssl-{name}={}", server.folder.join(file).display());
    let again = Again::start(server, &[tls("cert", "server.pem"), tls("key", "server.key")]);
    let url = format!("{}?tls=on", database.url);
    let said = refused(&url, None, &keys);
    assert!(said.contains("TLS failed") && said.contains("database.ca"), "{said}");
    let store = opened(&url, Some(&authority), &keys).expect("opened");
    store.commit(put("encrypted")).expect("committed");
    let ciphers = store.read(|db| db.rows("SHOW STATUS LIKE 'Ssl_version'", &[])).expect("read");
    assert!(format!("{ciphers:?}").contains("TLSv1."), "{ciphers:?}");
    drop(store);
    again.stop(server);
}

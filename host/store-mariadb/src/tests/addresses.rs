use std::path::Path;

use zeroize::Zeroizing;

use super::*;

fn parsed(url: &str) -> Result<Address, String> {
    Address::parse(url, None, None).map_err(|error| error.to_string())
}

#[test]
fn an_address_names_user_servers_and_database() {
    let address = parsed("mysql://key%40turn@db1,db2:3307,[::1]:9/pa%6eel").expect("good");
    let hosts: Vec<String> = address.hosts.iter().map(ToString::to_string).collect();
    assert_eq!((address.user.as_str(), address.database.as_str()), ("key@turn", "panel"));
    assert_eq!(hosts, ["db1:3306", "db2:3307", "[::1]:9"]);
    let socket = parsed("mariadb://u@localhost/d?socket=%2Frun%2Fmysqld.sock").expect("good");
    assert_eq!(socket.hosts[0].to_string(), "/run/mysqld.sock");
}

#[test]
fn connections_beyond_this_machine_are_encrypted() {
    for (url, tls) in [
        ("mysql://u@127.0.0.1/d", false),
        ("mysql://u@localhost/d", false),
        ("mysql://u@[::1]/d", false),
        ("mysql://u@/d?socket=/s", false),
        ("mysql://u@/d?socket=/s&tls=off", false),
        ("mysql://u@127.0.0.1/d?tls=on", true),
        ("mysql://u@db.example.org/d", true),
        ("mysql://u@127.0.0.1,db.example.org/d", true),
    ] {
        assert_eq!(parsed(url).expect(url).tls, tls, "{url}");
    }
    assert!(parsed("mysql://u@db.example.org/d?tls=off").expect_err("refused").contains("this machine only"));
    assert!(Address::parse("mysql://u@127.0.0.1/d", None, Some(Path::new("/ca.pem"))).expect("good").tls);
}

#[test]
fn a_wrong_address_is_refused_without_what_may_be_a_password() {
    for url in [
        "mysql://keyturn:s3cret@host/d",
        "mysql://keyturn:s3@cret/x@host/d",
        "mysql://keyturn:s3cret/d",
        "mysql://s3cret",
        "s3cret",
        "oracle://s3cret@host/d",
        "mysql://u@host/d?password=s3cret",
        "mysql://u@host/d?tls=s3cret",
        "mysql://u@ho st/d",
        "mysql://u@host:0/d",
        "mysql://u@host:99999/d",
        "mysql://u@/d",
        "mysql://u@host/",
        "mysql://u@host",
        "mysql://@host/d",
        "mysql://u@host/d?socket=/s3cret",
        "mysql://u@/d?socket=s3cret",
        "mysql://u@[host]/d",
    ] {
        let error = parsed(url).expect_err(url);
        assert!(error.starts_with("database.url: ") && !error.contains("s3"), "{url}: {error}");
    }
    let address = Address::parse("mysql://u@host/d", Some(Zeroizing::new("s3cret".to_owned())), None).expect("good");
    assert!(!format!("{address:?}").contains("s3cret"));
}

#[test]
fn who_cant_be_let_in_is_told_why_and_never_the_password() {
    let database = server().database();
    let port = server().port;
    database.sql("CREATE USER IF NOT EXISTS guarded@'127.0.0.1' IDENTIFIED BY 'right'");
    let refused = |url: &str, password: Option<&str>| {
        let password = password.map(|password| Zeroizing::new(password.to_owned()));
        let address = Address::parse(url, password, None).expect("an address");
        cause(Db::open(&address, false).err().expect("refused"))
    };
    let name = &database.name;
    let guarded = format!("mysql://guarded@127.0.0.1:{port}/{name}");
    for (said, part) in [
        (refused(&guarded, Some("s3cret")), "refused the user guarded or the password"),
        (refused(&guarded, Some("right")), "no rights on the database"),
        (refused(&format!("mysql://keyturn@127.0.0.1:{port}/nowhere"), None), "has no database nowhere"),
        (refused("mysql://keyturn@127.0.0.1:1/d", None), "can't reach 127.0.0.1:1"),
        (refused("mysql://keyturn@no-such-host.invalid/d", None), "can't reach no-such-host.invalid:3306"),
        (refused(&format!("mysql://keyturn@127.0.0.1:{port}/{name}?tls=on"), None), "doesn't offer TLS"),
        (refused("mysql://keyturn@/d?socket=/nowhere", None), "can't reach /nowhere"),
    ] {
        assert!(said.contains(part) && said.contains("database.url") && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_server_that_is_away_is_passed_over_and_the_next_one_taken() {
    let database = server().database();
    let url = database.url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:");
    let db = Db::open(&Address::parse(&url, None, None).expect("an address"), false).expect("connected");
    assert_eq!(dynamic(&db).rows("SELECT DATABASE()", &[]).expect("read"), [[Value::Text(database.name.clone())]]);
}

#[test]
fn it_is_reached_by_its_socket() {
    let database = server().database();
    database.sql("CREATE USER IF NOT EXISTS local@localhost; GRANT ALL ON *.* TO local@localhost");
    let url = format!("mysql://local@/{}?socket={}", database.name, server().socket.display());
    let db = Db::open(&Address::parse(&url, None, None).expect("an address"), false).expect("connected");
    assert_eq!(dynamic(&db).rows("SELECT 1", &[]).expect("read"), [[Value::Integer(1)]]);
}

#[test]
fn whoever_may_not_make_tables_is_told_so() {
    let database = server().database();
    database.sql(&format!(
        "CREATE USER IF NOT EXISTS poor@'127.0.0.1'; GRANT SELECT ON {}.* TO poor@'127.0.0.1'",
        database.name
    ));
    let address = Address::parse(&database.url.replace("keyturn@", "poor@"), None, None).expect("an address");
    let refused = open(&address, Arc::clone(&KEYS), provider(""), Options::default());
    let said = cause(refused.err().expect("refused"));
    assert!(said.contains("CREATE command denied") && said.contains("grant the rights"), "{said}");
}

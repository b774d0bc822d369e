//! The integrations with billing systems, under PHP: each suite of `integrations/tests` against this host, with the keys that
//! the pages in `docs/` say to make.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hooks::server::Panel;

/// What the suites call by themselves, to look at what was done.
const TESTS: &str = "password/set-password,password/reset-and-mail,password/make-link,password/account-status,\
                     password/check-password,password/verify,accounts,mails,client-address,without-step-up";

/// The people that the suites speak of, beside marta, omar and rita.
const PEOPLE: &str = "INSERT INTO people (id, kind, login, email, name, locale, state) VALUES
    (3, 'customer', 'lena', 'office@shared.example', 'Lena Brandt', 'en', 'active'),
    (4, 'customer', 'pavel', 'office@shared.example', 'Pavel Horák', 'en', 'active'),
    (5, 'customer', 'nomail', NULL, 'Nadia', 'en', 'active'),
    (6, 'customer', 'omar@haddad.example', 'other@haddad.example', 'Omar’s namesake', 'en', 'active');";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The scopes on the page's line `--may …`.
fn scopes(page: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("reads");
    let scopes = text.split("--may ").nth(1).and_then(|rest| rest.split_whitespace().next());
    scopes.unwrap_or_else(|| panic!("{page} makes no key")).to_owned()
}

fn write_token(folder: &Path, name: &str, token: &str) {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
    file.and_then(|mut file| file.write_all(token.as_bytes())).expect("written");
}

#[test]
fn billing_systems_set_passwords_and_say_success_only_when_it_was_done() {
    let panel = Panel::new();
    panel.database().execute_batch(PEOPLE).expect("rows");
    // As many passwords as the suites try, from one address.
    let grants = panel.folder.path().join("plugins.d/keyturn-password.toml");
    let text = std::fs::read_to_string(&grants).expect("reads");
    let settings = "[settings]\nattempts-per-name = 1000\nattempts-per-address = 100000\nrequests-per-name = 1000\n";
    assert!(text.contains("[settings]\n"), "{text}");
    std::fs::write(&grants, text.replace("[settings]\n", settings)).expect("writes");
    let tokens = tempfile::tempdir().expect("a folder");
    let mut secrets = vec![panel.key("tests", TESTS, &[])];
    write_token(tokens.path(), "tests", &secrets[0]);
    for system in ["whmcs", "fossbilling", "blesta", "clientexec"] {
        let token = panel.key(system, &scopes(&format!("{system}.md")), &["--from", "127.0.0.1"]);
        write_token(tokens.path(), system, &token);
        secrets.push(token);
    }
    let server = panel.serve();

    let output = Command::new("phpunit")
        .arg("--configuration")
        .arg(root().join("integrations/tests/phpunit.xml"))
        .env("KEYTURN_ADDRESS", format!("http://{}", server.address))
        .env("KEYTURN_TOKENS", tokens.path())
        .stdin(Stdio::null())
        .output()
        .expect("phpunit runs; `cargo xtask test` installs what this test needs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("OK (") && !said.contains("Skipped"), "{said}");
    let log = server.log();
    for token in secrets {
        assert!(!log.contains(&token[16..]), "a token stands in the host's log");
    }
}

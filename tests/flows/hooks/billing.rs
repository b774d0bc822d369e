//! The integrations with billing systems, under PHP: each suite of `integrations/tests` against this host.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::Panel;

/// What the pages of docs give a billing system's key.
const MAY: &str = "password/set-password,password/reset-and-mail,password/make-link,password/account-status,\
                   password/check-password,password/verify,accounts,mails,without-step-up";

/// The people that the suites speak of, beside marta, omar and rita.
const PEOPLE: &str = "INSERT INTO people (id, kind, login, email, name, locale, state) VALUES
    (3, 'customer', 'lena', 'office@shared.example', 'Lena Brandt', 'en', 'active'),
    (4, 'customer', 'pavel', 'office@shared.example', 'Pavel Horák', 'en', 'active'),
    (5, 'customer', 'nomail', NULL, 'Nadia', 'en', 'active'),
    (6, 'customer', 'omar@haddad.example', 'other@haddad.example', 'Omar’s namesake', 'en', 'active');";

#[test]
fn billing_systems_set_passwords_and_say_success_only_when_it_was_done() {
    let panel = Panel::new();
    panel.database().execute_batch(PEOPLE).expect("rows");
    // As many passwords as the suites try, from one address.
    let grants = panel.folder.path().join("plugins.d/keyturn-password.toml");
    let text = std::fs::read_to_string(&grants).expect("reads");
    let settings = "[settings]\nattempts-per-name = 1000\nattempts-per-address = 100000\nrequests-per-name = 1000\n";
    std::fs::write(&grants, text.replace("[settings]\n", settings)).expect("writes");
    let token = panel.key("billing", MAY, &[]);
    let file = panel.folder.path().join("token");
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    created.and_then(|mut file| file.write_all(token.as_bytes())).expect("written");
    let server = panel.serve();

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations/tests");
    let output = Command::new("phpunit")
        .arg("--configuration")
        .arg(tests.join("phpunit.xml"))
        .env("KEYTURN_ADDRESS", format!("http://{}", server.address))
        .env("KEYTURN_TOKEN_FILE", &file)
        .stdin(Stdio::null())
        .output()
        .expect("phpunit runs; `cargo xtask test` installs what this test needs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("OK (") && !said.contains("Skipped"), "{said}");
    let log = server.log();
    assert!(!log.contains(&token[16..]), "the token stands in the host's log");
}

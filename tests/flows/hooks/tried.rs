//! Schemathesis makes requests of what the document says, right ones and wrong ones, and holds the answers against it.

use std::path::Path;
use std::process::Command;

use crate::hooks::server::Panel;

/// Two of the panel's people and a password stand among the made-up texts. What fits its type may still break a rule of the
/// plugin's: 422 is no refusal of the document's.
const SETTINGS: &str = r#"
[dictionaries.known]
values = ["customer:1", "customer:2", "marta", "velvet compass harbour"]

[generation.dictionaries]
string = { dictionary = "known", probability = 0.5 }

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "410", "422", "429"]
"#;

#[test]
fn schemathesis_finds_nothing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python");
    let (python, shown) = (folder.join("bin/python"), folder.display());
    let there = Command::new(&python).args(["-c", "import schemathesis"]).status();
    assert!(
        there.is_ok_and(|status| status.success()),
        "this needs schemathesis. `cargo xtask test` installs it; by hand:\n\n  \
         python3 -m venv {shown} && {shown}/bin/python -m pip install --requirement tests/requirements.txt\n"
    );
    let panel = Panel::new();
    panel.edit("[database]", "[limits]\nrequests-per-minute = 1000000\n\n[database]");
    let hooks = [
        "password/account-status",
        "password/address-changed",
        "password/check-password",
        "password/complete-reset",
        "password/inspect-link",
        "password/make-link",
        "password/request-reset",
        "password/reset-and-mail",
        "password/set-password",
        "password/verify",
        "report/greet",
        "report/summarise",
        "report/visit",
        "accounts",
        "mails",
        "client-address",
        "without-step-up",
    ];
    let token = panel.key("schemathesis", &hooks.join(","), &[]);
    let server = panel.serve();
    let config = server.panel.folder.path().join("schemathesis.toml");
    std::fs::write(&config, SETTINGS).expect("written");
    let output = Command::new(&python)
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(&config)
        .args(["run", &format!("http://{}/v1/openapi.json", server.address)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--max-examples", "25", "--seed", "1"])
        .current_dir(server.panel.folder.path())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("17 selected") && said.contains(" generated, "), "{said}");
}

//! Keyturn's folder beside the tables of a panel that compares hashes itself.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyturn_host::plugin::grants::digest;
use keyturn_tests::PASSWORD;
use serde_json::{Value, json};

use super::{done, keyturn, out};

pub const OLD: &str = "flour water and salt";
pub const NEW: &str = "copper lantern oats";

/// Settings of the plugin, as most panels' own code asks for them.
pub const BCRYPT: &str = "output = \"bcrypt\"\nbcrypt-cost = 12\n";

pub struct Beside {
    pub folder: tempfile::TempDir,
}

impl Beside {
    /// `database` is what stands under `[database]`.
    pub fn lay(database: &str, mapping: &str, realms: &[&str], settings: &str) -> Self {
        let beside = Self { folder: tempfile::tempdir().expect("a folder") };
        let component = PASSWORD.packed();
        std::fs::create_dir(beside.folder.path().join("plugins.d")).expect("a folder");
        std::fs::write(beside.folder.path().join("plugins.d/keyturn-password.wasm"), &component).expect("written");
        let grants = include_str!("../../examples/php-panel/plugins.d/keyturn-password.toml");
        let (granted, _) = grants.split_once("[settings]").expect("settings");
        let granted = granted.replace("@SHA256@", &digest(&component));
        let granted = granted.replace("[\"customer\"]", &json!(realms).to_string());
        beside.write(
            "plugins.d/keyturn-password.toml",
            &format!(
                "{granted}[settings]\n{settings}asked-at-sign-in = false\nreset-modes = [\"link\", \"permanent\"]\n\
                 reset-preset = \"link\"\n"
            ),
        );
        // One key and one cache for all tests, as in the tests of hooks: what one has compiled, the next one loads.
        let mut key = std::fs::OpenOptions::new();
        let key = key.write(true).create_new(true).mode(0o600).open(beside.folder.path().join("keyturn.key"));
        key.and_then(|mut key| key.write_all("07".repeat(32).as_bytes())).expect("written");
        let compiled = concat!(env!("CARGO_TARGET_TMPDIR"), "/compiled");
        beside.write(
            "keyturn.toml",
            &format!(
                "key-file = \"keyturn.key\"\nplugins = \"plugins.d\"\ncache = \"{compiled}\"\n\
                 [brand]\nname = \"Northwind\"\ncontact = \"help@northwind.example\"\nlink-origin = \"https://passwords.example\"\n\
                 [database]\n{database}\n[mail]\ntransport = \"folder\"\nfrom = \"panel@northwind.example\"\n\
                 [mail.folder]\npath = \"mails\"\n[sign-in]\neven-ms = 0\n\n{mapping}"
            ),
        );
        beside
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).expect("written");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("keyturn.toml")
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(file)).expect("reads");
        assert!(text.contains(from), "no {from}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// Edits `keyturn.toml`.
    pub fn mapped(&self, from: &str, to: &str) {
        self.edit("keyturn.toml", from, to);
    }

    /// Edits the grants file.
    pub fn granted(&self, from: &str, to: &str) {
        self.edit("plugins.d/keyturn-password.toml", from, to);
    }

    pub fn call(&self, hook: &str, input: &Value) -> Output {
        keyturn(&self.config(), &["call", hook, "-"], &input.to_string())
    }

    pub fn verify(&self, login: &str, password: &str) -> Value {
        let input = json!({"login_or_email": login, "password": password});
        serde_json::from_str(&done(&self.call("password/verify", &input))).expect("JSON")
    }

    pub fn check(&self) -> String {
        out(&keyturn(&self.config(), &["check"], ""))
    }

    /// `keyturn check` by its document.
    pub fn document(&self) -> Value {
        serde_json::from_str(&out(&keyturn(&self.config(), &["check", "--json"], ""))).expect("JSON")
    }
}

/// The severity and the text of the one finding that contains this, and what fixes it.
#[track_caller]
pub fn finding(document: &Value, part: &str) -> (String, String, String) {
    let all = document["findings"].as_array().expect("findings");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = all.iter().filter(|one| text(&one["text"]).contains(part));
    let one = found.next().unwrap_or_else(|| panic!("{part}: {all:#?}"));
    assert!(found.next().is_none(), "{part} is said twice: {all:#?}");
    (text(&one["severity"]), text(&one["text"]), text(&one["fix"]))
}

/// PHP's own `password_hash` and `password_verify`.
pub fn php(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/flows/panels/hashes.php");
    let output = Command::new("php").arg(script).args(arguments).output();
    done(&output.expect("php runs; `cargo xtask test` installs what this test needs"))
}

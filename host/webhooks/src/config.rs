//! `[[webhooks]]` of `keyturn.toml`: where events are sent, apart from the plugins that listen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use super::url::Url;
use super::{Destination, secret::Secret};
use keyturn_core::network::tls;
use keyturn_core::seal::owners_only;
use keyturn_core::settings::must;
use keyturn_core::text::line;

/// The most destinations.
const MOST: usize = 32;
/// The most characters of a name.
const NAME: usize = 40;
/// The most events of one destination.
const EVENTS: usize = 64;
/// The most secrets of one destination.
const SECRETS: usize = 4;

/// One of `[[webhooks]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its name on pages, in commands and in the audit log: a-z, 0-9, -.
    pub name: String,
    /// Where events are posted: `https://billing.example/hooks/keyturn`.
    pub url: String,
    /// The file with its secret, `whsec_…`; nobody else may read it. During a change it has several, one a line, and each
    /// delivery is signed with all of them.
    pub secret_file: PathBuf,
    /// The events to send: `password.changed` of any plugin, or `keyturn-password/password.changed`.
    pub events: BTreeSet<String>,
    /// Whether anything is sent there; if not, events wait.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// Whether it may be on this machine or in a private network, where it may also be without TLS.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM certificates of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Seconds of one attempt, from the look-up to the answer, 1 to 60.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    /// Requests to it at once, 1 to 8.
    #[serde(default = "default_connections")]
    pub connections: usize,
}

fn default_enabled() -> bool {
    true
}

fn default_timeout() -> u64 {
    15
}

fn default_connections() -> usize {
    2
}

/// A setting and its problem; the text continues after the name.
pub type Wrong = (String, String);

/// Checks the values. Opens nothing.
pub fn check(all: &[WebhookConfig]) -> Result<(), Wrong> {
    must(all.len() <= MOST, "webhooks", || format!("must be at most {MOST}, not {}", all.len()))?;
    let mut names = BTreeSet::new();
    for (at, one) in all.iter().enumerate() {
        let (name, setting) = (&one.name, format!("webhooks[{}].name", at + 1));
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let named = (1..=NAME).contains(&name.len()) && name.bytes().all(fits);
        must(named, &setting, || format!("must be 1 to {NAME} of a-z 0-9 -, not “{}”", line(name, 80)))?;
        let first = names.insert(name);
        must(first, setting, || format!("must differ: another webhook has the name “{name}”"))?;
        one.check()?;
    }
    Ok(())
}

impl WebhookConfig {
    fn setting(&self, name: &str) -> String {
        format!("webhooks.{}.{name}", self.name)
    }

    fn url(&self) -> Result<Url, Wrong> {
        Url::read(&self.url, self.allow_private).map_err(|problem| (self.setting("url"), problem))
    }

    fn check(&self) -> Result<(), Wrong> {
        self.url()?;
        let some = (1..=EVENTS).contains(&self.events.len());
        let events = || format!("must name 1 to {EVENTS} events, such as password.changed");
        must(some, self.setting("events"), events)?;
        let part = |part: &str, more: &[u8]| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
        };
        let is_event = |event: &str| match event.split_once('/') {
            Some((plugin, event)) => part(plugin, b"-") && part(event, b"-."),
            None => part(event, b"-."),
        };
        for event in &self.events {
            let like =
                || format!("must be like password.changed or PLUGIN/password.changed, not “{}”", line(event, 80));
            must(is_event(event), self.setting("events"), like)?;
        }
        for (setting, value, most) in
            [("timeout-seconds", self.timeout_seconds, 60), ("connections", self.connections as u64, 8)]
        {
            let fits = (1..=most).contains(&value);
            must(fits, self.setting(setting), || format!("must be 1 to {most}, not {value}"))?;
        }
        Ok(())
    }

    /// The destination, with its files read. `at` makes a path in the file absolute.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn destination(&self, at: impl Fn(&Path) -> PathBuf) -> Result<Destination, Wrong> {
        let url = self.url()?;
        let tls = if url.encrypted {
            let ca_file = self.ca_file.as_deref().map(&at);
            let unusable = |cause| (self.setting("ca-file"), format!("can't be used: {cause}"));
            Some(tls::trusting(ca_file.as_deref()).map_err(unusable)?)
        } else {
            None
        };
        Ok(Destination {
            name: self.name.clone(),
            url,
            events: self.events.clone(),
            enabled: self.enabled,
            turn: Mutex::default(),
            allow_private: self.allow_private,
            secrets: self.secrets(&at(&self.secret_file))?,
            tls,
            timeout: Duration::from_secs(self.timeout_seconds),
            connections: self.connections,
        })
    }

    fn secrets(&self, path: &Path) -> Result<Vec<Secret>, Wrong> {
        let wrong = |problem: String| (self.setting("secret-file"), problem);
        let text = owners_only(path).map_err(wrong)?;
        let mut secrets = Vec::new();
        for (at, written) in text.lines().enumerate().filter(|(_, written)| !written.trim().is_empty()) {
            let problem = |cause| wrong(format!("names {}, whose line {} {cause}", path.display(), at + 1));
            secrets.push(Secret::read(written.trim()).map_err(problem)?);
        }
        let some = (1..=SECRETS).contains(&secrets.len());
        let number = || format!("names {}, which must have 1 to {SECRETS} secrets, one a line", path.display());
        must(some, self.setting("secret-file"), number)?;
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[derive(Deserialize)]
    struct File {
        webhooks: Vec<WebhookConfig>,
    }

    fn read(text: &str) -> Vec<WebhookConfig> {
        toml::from_str::<File>(text).expect("TOML").webhooks
    }

    fn one(more: &str) -> String {
        let usual = [
            ("name", "name = \"billing\""),
            ("url", "url = \"https://billing.example/hook\""),
            ("secret-file", "secret-file = \"s\""),
            ("events", "events = [\"password.changed\"]"),
        ];
        let kept = usual.iter().filter(|(name, _)| !more.contains(&format!("{name} ="))).map(|(_, line)| *line);
        format!("[[webhooks]]\n{}\n{more}\n", kept.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_setting() {
        check(&read(&one(""))).expect("fits");
        check(&read(&one("events = [\"keyturn-password/password.changed\", \"a.b-c.d\"]"))).expect("fits");
        let many = (0..33).map(|n| one(&format!("name = \"n{n}\""))).collect::<String>();
        for (text, setting, word) in [
            (one("name = \"Billing\""), "webhooks[1].name", "“Billing”"),
            (one("name = \"\""), "webhooks[1].name", "1 to 40"),
            (one("") + &one(""), "webhooks[2].name", "must differ"),
            (many, "webhooks", "at most 32, not 33"),
            (one("url = \"ftp://billing.example\""), "webhooks.billing.url", "ftp://billing.example"),
            (one("url = \"http://billing.example/\""), "webhooks.billing.url", "allow-private"),
            (one("events = []"), "webhooks.billing.events", "1 to 64"),
            (one("events = [\"Password changed\"]"), "webhooks.billing.events", "“Password changed”"),
            (one("timeout-seconds = 0"), "webhooks.billing.timeout-seconds", "1 to 60, not 0"),
            (one("timeout-seconds = 61"), "webhooks.billing.timeout-seconds", "not 61"),
            (one("connections = 9"), "webhooks.billing.connections", "1 to 8, not 9"),
            (one("url = \"https://u:pw@billing.example/\""), "webhooks.billing.url", "without a user name"),
        ] {
            let (named, problem) = check(&read(&text)).expect_err(&text);
            assert_eq!(named, setting, "{problem}");
            assert!(problem.contains(word), "{problem}");
        }
        for unknown in ["verify-certificate = false", "follow-redirects = true"] {
            assert!(toml::from_str::<File>(&one(unknown)).is_err(), "{unknown}");
        }
    }

    #[test]
    fn secrets_are_for_their_owner_only_and_each_on_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let config = read(&one(&format!("secret-file = \"{}\"", file.display()))).remove(0);
        let (first, second) = (Secret::made(), Secret::made());
        let written = |text: &str, mode: u32| {
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("mode");
            config.destination(Path::to_owned).map(|destination| destination.secrets.len())
        };
        assert_eq!(written(&format!("{}\n", *first), 0o600), Ok(1));
        assert_eq!(written(&format!("{}\r\n\n{}\n", *first, *second), 0o600), Ok(2));
        for (text, mode, word) in [
            (format!("{}\n", *first), 0o640, "mode 640"),
            (format!("{}\nwhsec_short\n", *first), 0o600, "line 2 must be like whsec_"),
            (String::new(), 0o600, "1 to 4 secrets"),
            (format!("{}\n", *first).repeat(5), 0o600, "1 to 4 secrets"),
        ] {
            let (setting, problem) = written(&text, mode).expect_err(word);
            assert_eq!(setting, "webhooks.billing.secret-file");
            assert!(problem.contains(word) && !problem.contains(first.as_str()), "{problem}");
        }
        std::fs::remove_file(&file).expect("removed");
        let (_, problem) = config.destination(Path::to_owned).map(drop).expect_err("no file");
        assert!(problem.contains("can't be read"), "{problem}");
    }
}

//! `[mail]` of `keyturn.toml`: whether email is sent, in whose name, and how. What is not set there can be set on the page
//! Email settings: see [`super::setup`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::address;
use super::message::Writer;
use super::transport::Transport;
use super::transport::folder::Folder;
use super::transport::sendmail::Sendmail;
use super::transport::smtp::{Encryption, Limits, Login, Server, Smtp};
use keyturn_core::origin::{is_domain, names_this_machine};
use keyturn_core::seal::owners_only;
use keyturn_core::settings::must;

/// `[mail]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MailConfig {
    /// How email is sent.
    pub transport: Option<Way>,
    /// The sender's address: a mailbox that somebody reads.
    pub from: Option<String>,
    /// The sender's display name; default: the brand's.
    pub from_name: Option<String>,
    /// Where replies go, if not to the sender.
    pub reply_to: Option<String>,
    /// The operators' address: emails about the panel itself go there.
    pub operators: Option<String>,
    /// Emails sent at once, 1 to 64, each on its own connection. Default: 4.
    pub connections: Option<usize>,
    /// `[mail.smtp]`.
    pub smtp: Option<SmtpConfig>,
    /// `[mail.sendmail]`.
    pub sendmail: Option<SendmailConfig>,
    /// `[mail.folder]`.
    pub folder: Option<FolderConfig>,
    /// `[mail.dkim]`.
    pub dkim: Option<DkimConfig>,
}

keyturn_core::named! {
    /// A way to send email.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Way {
        /// No email is sent.
        #[default]
        Off = "off",
        /// Through a mail server.
        Smtp = "smtp",
        /// With a program on this machine.
        Sendmail = "sendmail",
        /// Into a folder.
        Folder = "folder",
    }
}

/// `[mail.smtp]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmtpConfig {
    /// The server's name or address.
    pub host: String,
    /// Its port. Default: 587 for starttls, 465 for tls, 25 for none.
    pub port: Option<u16>,
    /// `starttls`, `tls`, or `none` for a server on this machine.
    #[serde(default)]
    pub encryption: Encryption,
    /// The name that this machine introduces itself with (EHLO). Default: the host of the links, or the machine's own name if
    /// it is a full domain name, or else the address of this end.
    pub hello: Option<String>,
    /// The user name; without one there is no login.
    pub username: Option<String>,
    /// The file with the password on its first line; nobody else may read it.
    pub password_file: Option<PathBuf>,
    /// PEM certificates of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

keyturn_core::with_defaults! {
    /// `[mail.sendmail]`.
    #[derive(Debug, Clone, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    pub struct SendmailConfig {
        /// The program.
        pub program: PathBuf = "/usr/sbin/sendmail".into(),
        /// Arguments before `-i -f from -- to`.
        pub arguments: Vec<String> = Vec::new(),
    }
}

/// `[mail.folder]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FolderConfig {
    /// The folder; created for its owner only if it doesn't exist.
    pub path: PathBuf,
}

/// `[mail.dkim]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DkimConfig {
    /// The signing domain.
    pub domain: String,
    /// The name of the key: its public half is the TXT record `selector._domainkey.domain`.
    pub selector: String,
    /// The file of the private RSA key, PKCS#1 PEM; nobody else may read it.
    pub key_file: PathBuf,
}

/// The time limit for sendmail, for one email.
const SENDMAIL: Duration = Duration::from_secs(60);

/// The problem of a missing `mail.smtp.password`: a stored one is for one server only.
pub(super) const NO_PASSWORD: &str = "must be set: none is stored for this server, port, encryption and user name";

/// A setting and its problem; the text continues after the name.
pub type Wrong = (&'static str, String);

impl MailConfig {
    /// Checks the file alone, whatever the page says: a group of settings that it begins must be complete. Opens nothing.
    pub fn check(&self) -> Result<(), Wrong> {
        let connections = self.connections.unwrap_or(4);
        let few = (1..=64).contains(&connections);
        must(few, "mail.connections", || format!("must be 1 to 64, not {connections}"))?;
        if let Some(smtp) = &self.smtp {
            let (username, file) = (smtp.username.is_some(), smtp.password_file.is_some());
            must(!username || file, "mail.smtp.password-file", || "must be set, because username is")?;
            must(username || !file, "mail.smtp.username", || "must be set, because password-file is")?;
            must(self.transport.is_some(), "mail.transport", || "must be set, because [mail.smtp] is")?;
        }
        let from = self.from.is_some() || self.reply_to.is_none();
        must(from, "mail.from", || "must be set, because mail.reply-to is")?;
        self.dkim.as_ref().map_or(Ok(()), DkimConfig::check)?;
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Emails sent at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.unwrap_or(4).max(1)
    }

    /// Checks these settings together with those of the page. Opens nothing.
    pub(super) fn problems(&self) -> Vec<Wrong> {
        let mut found = Vec::new();
        match (&self.smtp, self.transport) {
            (Some(smtp), _) => found.extend(smtp.check().err()),
            (None, Some(Way::Smtp)) => {
                found.push(("mail.smtp.host", "must be set, because mail.transport is \"smtp\"".to_owned()));
            }
            (None, _) => {}
        }
        if self.transport == Some(Way::Folder) && self.folder.is_none() {
            found.push(("mail.folder", "must be set in keyturn.toml, with a path".to_owned()));
        }
        for (setting, address) in
            [("mail.from", &self.from), ("mail.reply-to", &self.reply_to), ("mail.operators", &self.operators)]
        {
            if let Some(Err(cause)) = address.as_deref().map(address::check) {
                found.push((setting, format!("can't be used: {cause}")));
            }
        }
        found
    }

    /// The transport, with its files read; none if email is off. Paths begin at `folder`. `password` is used for a user name
    /// without a file; `total` is the time limit for a whole attempt, if it must be short.
    pub(super) fn transport(
        &self,
        folder: &Path,
        password: Option<&Zeroizing<String>>,
        total: Option<Duration>,
    ) -> Result<Option<Arc<dyn Transport>>, Wrong> {
        let way = self.transport.unwrap_or_default();
        if way == Way::Off {
            return Ok(None);
        }
        let writer = self.dkim.as_ref().map_or_else(|| Ok(Writer::default()), |dkim| dkim.writer(folder))?;
        Ok(match (way, &self.smtp, &self.folder) {
            (Way::Smtp, Some(smtp), _) => {
                let limits = total.map_or_else(Limits::default, Limits::within);
                Some(Arc::new(smtp.smtp(writer, folder, password, limits)?))
            }
            (Way::Sendmail, ..) => {
                let SendmailConfig { program, arguments } = self.sendmail.clone().unwrap_or_default();
                let (program, limit) = (folder.join(program), total.unwrap_or(SENDMAIL));
                Some(Arc::new(Sendmail { program, arguments, limit, writer }))
            }
            (Way::Folder, _, Some(config)) => Some(Arc::new(Folder { path: folder.join(&config.path), writer })),
            // What is missing is said by `problems`.
            (Way::Off | Way::Smtp | Way::Folder, ..) => None,
        })
    }
}

/// What this machine can introduce itself as by default: a name that a server can look up.
pub(super) fn own_name(origin: Option<&str>) -> Option<String> {
    let of_links = origin.and_then(keyturn_core::origin::host).map(str::to_owned);
    let of_machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    of_links.into_iter().chain(of_machine).map(|name| name.trim().to_ascii_lowercase()).find(|name| is_public(name))
}

/// Whether a name is a full one, which means the same to others.
fn is_public(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let own = ["localhost", "localdomain", "local", "internal", "lan", "home"];
    name.contains('.') && is_domain(name, "") && !last.bytes().all(|b| b.is_ascii_digit()) && !own.contains(&last)
}

impl SmtpConfig {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let host = &self.host;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let named = !host.is_empty() && host.chars().all(fits);
        let shown = |name: &str| super::line(name, 80);
        must(named, "mail.smtp.host", || format!("must be like smtp.example, not “{}”", shown(host)))?;
        if let Some(name) = &self.hello {
            let fits = address::is_literal(name).unwrap_or_else(|| is_domain(name, ""));
            let like = || format!("must be like panel.example or [192.0.2.7], not “{}”", shown(name));
            must(fits, "mail.smtp.hello", like)?;
        }
        must(self.port != Some(0), "mail.smtp.port", || "must be 1 to 65535, not 0")?;
        let hidden = self.encryption != Encryption::None || names_this_machine(host);
        let only = || format!("can be \"none\" only for a server on this machine (localhost), not for {host}");
        must(hidden, "mail.smtp.encryption", only)
    }

    /// The port, set or default.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.encryption {
            Encryption::Starttls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        })
    }

    fn smtp(
        &self,
        writer: Writer,
        folder: &Path,
        password: Option<&Zeroizing<String>>,
        limits: Limits,
    ) -> Result<Smtp, Wrong> {
        let login = match (&self.username, &self.password_file) {
            (Some(username), Some(file)) => {
                let file = folder.join(file);
                let text = owners_only(&file).map_err(|problem| ("mail.smtp.password-file", problem))?;
                let password = text.lines().next().unwrap_or_default();
                let empty = || format!("names {}, whose first line is empty", file.display());
                must(!password.is_empty(), "mail.smtp.password-file", empty)?;
                Some(Login { username: username.clone(), password: Zeroizing::new(password.to_owned()) })
            }
            (Some(username), None) => {
                let password = password.ok_or(("mail.smtp.password", NO_PASSWORD.to_owned()))?;
                Some(Login { username: username.clone(), password: password.clone() })
            }
            (None, _) => None,
        };
        let server = Server {
            host: self.host.clone(),
            port: self.port(),
            encryption: self.encryption,
            hello: self.hello.clone(),
            login,
            ca_file: self.ca_file.as_ref().map(|file| folder.join(file)),
            limits,
        };
        // What else it refuses, `check` has refused before.
        Smtp::new(server, writer).map_err(|cause| ("mail.smtp.ca-file", format!("can't be used: {cause}")))
    }
}

impl DkimConfig {
    fn check(&self) -> Result<(), Wrong> {
        for (setting, name) in [("mail.dkim.domain", &self.domain), ("mail.dkim.selector", &self.selector)] {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            let like = || format!("must be a name of letters, digits, . and -, not “{}”", super::line(name, 80));
            must(!name.is_empty() && name.chars().all(fits), setting, like)?;
        }
        Ok(())
    }

    fn writer(&self, folder: &Path) -> Result<Writer, Wrong> {
        let path = folder.join(&self.key_file);
        let key = owners_only(&path).map_err(|problem| ("mail.dkim.key-file", problem))?;
        Writer::signing(&self.domain, &self.selector, &key)
            .map_err(|cause| ("mail.dkim.key-file", format!("names {}: {cause}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(text: &str) -> MailConfig {
        toml::from_str(text).expect("TOML")
    }

    fn used(text: &str) -> Result<Option<Arc<dyn Transport>>, Wrong> {
        config(text).transport(Path::new(""), None, None)
    }

    fn wrong(text: &str) -> Wrong {
        config(text).check().expect_err(text)
    }

    #[test]
    fn mail_is_off_unless_it_is_set_up() {
        assert_eq!(config("").transport, None);
        config("").check().expect("fits");
        assert!(used("").expect("fits").is_none());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_setting() {
        let smtp = "transport = \"smtp\"\nfrom = \"a@b.example\"\n[smtp]\n";
        for (text, setting, word) in [
            ("transport = \"folder\"\nfrom = \"a@b.example\"", "mail.folder", "must be set"),
            ("from = \"nobody\"", "mail.from", "“nobody” is not an email address: it has no @"),
            ("from = \"a@b.example\"\nreply-to = \"a@b@\"", "mail.reply-to", "is not an email address"),
            ("reply-to = \"a@b.example\"", "mail.from", "must be set, because mail.reply-to is"),
            ("transport = \"smtp\"", "mail.smtp.host", "must be set, because mail.transport is"),
            ("[smtp]\nhost = \"h\"", "mail.transport", "must be set, because [mail.smtp] is"),
            ("operators = \"a b@c.example\"", "mail.operators", "space"),
            (&format!("{smtp}host = \"smtp.example:587\\r\\nx\""), "mail.smtp.host", "smtp.example"),
            (&format!("{smtp}host = \"\""), "mail.smtp.host", "must be like"),
            (&format!("{smtp}host = \"h\"\nport = 0"), "mail.smtp.port", "1 to 65535"),
            (&format!("{smtp}host = \"h\"\nhello = \"pa nel\""), "mail.smtp.hello", "“pa nel”"),
            (&format!("{smtp}host = \"h\"\nhello = \"panel.example\\r\\nx\""), "mail.smtp.hello", "must be like"),
            (&format!("{smtp}host = \"h\"\nhello = \"[panel]\""), "mail.smtp.hello", "[192.0.2.7]"),
            (
                &format!("{smtp}host = \"smtp.example\"\nencryption = \"none\""),
                "mail.smtp.encryption",
                "only for a server on this machine",
            ),
            (&format!("{smtp}host = \"h\"\nusername = \"u\""), "mail.smtp.password-file", "must be set"),
            (&format!("{smtp}host = \"h\"\npassword-file = \"u\""), "mail.smtp.username", "must be set"),
            ("[dkim]\ndomain = \"a b\"\nselector = \"s\"\nkey-file = \"k\"", "mail.dkim.domain", "“a b”"),
            ("[dkim]\ndomain = \"a.b\"\nselector = \"\"\nkey-file = \"k\"", "mail.dkim.selector", "must be a name"),
        ] {
            let (named, problem) = wrong(text);
            assert_eq!(named, setting, "{problem}");
            assert!(problem.contains(word), "{problem}");
        }
        assert!(toml::from_str::<MailConfig>("[smtp]\nhost = \"h\"\naccept-any-certificate = true").is_err());
    }

    #[test]
    fn a_password_or_key_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").expect("written");
        let path = file.display();
        for (text, setting) in [
            (
                format!(
                    "transport = \"smtp\"\nfrom = \"a@b.example\"\n[smtp]\nhost = \"h\"\nusername = \"u\"\npassword-file = \"{path}\""
                ),
                "mail.smtp.password-file",
            ),
            (
                format!(
                    "transport = \"folder\"\nfrom = \"a@b.example\"\n[folder]\npath = \"m\"\n[dkim]\ndomain = \"d\"\nselector = \"s\"\nkey-file = \"{path}\""
                ),
                "mail.dkim.key-file",
            ),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("mode");
            let (named, problem) = used(&text).err().expect("wrong");
            assert_eq!(named, setting);
            assert!(problem.contains("mode 640") && !problem.contains("hush"), "{problem}");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("mode");
            // A password may be any text; a key may not.
            let used = used(&text);
            assert_eq!(used.is_ok(), setting == "mail.smtp.password-file", "{setting}");
        }
    }

    #[test]
    fn the_name_for_a_server_is_one_that_it_can_look_up() {
        for good in ["panel.example", "mail", "[192.0.2.7]", "[IPv6:2001:db8::1]"] {
            let text = format!("transport = \"smtp\"\n[smtp]\nhost = \"h\"\nhello = \"{good}\"");
            config(&text).check().expect(good);
        }
        let of_links = own_name(Some("https://Panel.example:8443"));
        assert_eq!(of_links.as_deref(), Some("panel.example"));
        // The machine's own name, if it has a full one.
        let of_machine = own_name(None);
        assert!(of_machine.as_deref().is_none_or(is_public), "{of_machine:?}");
        for none in
            ["http://127.0.0.1:8080", "http://localhost", "https://panel", "https://[::1]", "http://x.localhost"]
        {
            assert_eq!(own_name(Some(none)), of_machine, "{none}");
        }
    }

    #[test]
    fn each_way_has_its_transport_and_its_usual_port() {
        for (text, name) in [
            ("transport = \"smtp\"\n[smtp]\nhost = \"smtp.example\"", "smtp.example:587"),
            ("transport = \"smtp\"\n[smtp]\nhost = \"smtp.example\"\nencryption = \"tls\"", "smtp.example:465"),
            ("transport = \"smtp\"\n[smtp]\nhost = \"localhost\"\nencryption = \"none\"", "localhost:25"),
            ("transport = \"sendmail\"", "/usr/sbin/sendmail"),
            ("transport = \"folder\"\n[folder]\npath = \"/var/mail/trial\"", "folder trial"),
        ] {
            let text = format!("from = \"a@b.example\"\n{text}");
            config(&text).check().expect(&text);
            let transport = used(&text).expect("fits").expect("on");
            assert_eq!(transport.name(), name);
        }
    }
}

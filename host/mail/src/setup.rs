//! The email settings. They come in groups, and each group is wholly the file's or wholly the page's: if `keyturn.toml` sets
//! anything of a group, it has all of it, and the page Email settings shows it; else the page sets it.
//!
//! So people who can only reach the page can't send the file's password elsewhere. What runs a program, names a path or makes a
//! signature is in no group, and is the file's alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Mailbox;
use super::config::{MailConfig, NO_PASSWORD, SmtpConfig, Way, Wrong, own_name};
use super::transport::Transport;
use super::transport::smtp::Encryption;
use keyturn_core::origin::may_bear_secrets;

/// The settings of the page, by their names in `keyturn.toml`.
pub const SETTINGS: [&str; 9] = [
    "mail.transport",
    "mail.smtp.host",
    "mail.smtp.port",
    "mail.smtp.encryption",
    "mail.smtp.username",
    PASSWORD,
    "mail.from",
    "mail.reply-to",
    "brand.link-origin",
];

/// In keyturn.toml it is a file of its own.
const PASSWORD: &str = "mail.smtp.password";

/// Settings that are set together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// How email is sent, and the mail server.
    Transport,
    /// In whose name email is sent, and where replies go.
    Sender,
    /// Where links lead.
    Links,
}

impl Group {
    /// All of them, in their order on the page.
    pub const ALL: [Self; 3] = [Group::Transport, Group::Sender, Group::Links];

    /// The group of a setting; none: the setting is the file's alone.
    #[must_use]
    pub fn of(setting: &str) -> Option<Self> {
        match setting {
            "mail.transport" => Some(Group::Transport),
            "mail.from" | "mail.reply-to" => Some(Group::Sender),
            "brand.link-origin" => Some(Group::Links),
            setting => setting.starts_with("mail.smtp.").then_some(Group::Transport),
        }
    }
}

/// The settings of `keyturn.toml`.
#[derive(Debug, Clone, Default)]
pub struct Fixed {
    /// `[mail]`.
    pub mail: MailConfig,
    /// `brand.link-origin`.
    pub origin: Option<String>,
    /// The file's name, without its folder.
    pub file: String,
    /// Its folder: its paths begin there.
    pub folder: PathBuf,
    /// The line, from 1, of each name in it.
    pub lines: BTreeMap<String, usize>,
}

impl Fixed {
    /// Whether the file has this group, so that the page doesn't.
    #[must_use]
    pub fn has(&self, group: Group) -> bool {
        match group {
            Group::Transport => self.mail.transport.is_some() || self.mail.smtp.is_some(),
            Group::Sender => self.mail.from.is_some() || self.mail.reply_to.is_some(),
            Group::Links => self.origin.is_some(),
        }
    }

    /// Whether a problem with a setting is fixed in the file.
    #[must_use]
    pub fn fixes(&self, setting: &str) -> bool {
        match (Group::of(setting), setting) {
            (Some(group), _) => self.has(group),
            // The page chose a folder that the file does not name.
            (None, "mail.folder") => self.has(Group::Transport),
            // The rest is in the database.
            (None, "mail") => false,
            (None, _) => true,
        }
    }

    /// The line of a setting, or of the table that it belongs to.
    #[must_use]
    pub fn line(&self, setting: &str) -> Option<usize> {
        let setting = if setting == PASSWORD { "mail.smtp.password-file" } else { setting };
        let table = || setting.rsplit_once('.').and_then(|(table, _)| self.lines.get(table));
        self.lines.get(setting).or_else(table).copied()
    }
}

/// The settings of the page. None of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Chosen {
    /// How email is sent; none: off.
    pub transport: Option<Way>,
    /// The mail server; kept also while email is sent another way.
    pub server: Option<ChosenServer>,
    /// The sender's address.
    pub from: Option<String>,
    /// Where replies go, if not to the sender.
    pub reply_to: Option<String>,
    /// Where links lead.
    pub link_origin: Option<String>,
}

impl Chosen {
    /// Takes a group from `other`.
    pub fn take(&mut self, group: Group, other: &Self) {
        match group {
            Group::Transport => (self.transport, self.server) = (other.transport, other.server.clone()),
            Group::Sender => (self.from, self.reply_to) = (other.from.clone(), other.reply_to.clone()),
            Group::Links => self.link_origin.clone_from(&other.link_origin),
        }
    }
}

/// A mail server as set on the page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ChosenServer {
    /// Name or address.
    pub host: String,
    /// None: the default of its encryption.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Without one there is no login.
    pub username: Option<String>,
    /// When its password was stored, Unix milliseconds; none: it has none.
    pub password_at: Option<i64>,
}

impl ChosenServer {
    fn config(&self) -> SmtpConfig {
        SmtpConfig {
            host: self.host.clone(),
            port: self.port,
            encryption: self.encryption,
            username: self.username.clone(),
            ..SmtpConfig::default()
        }
    }

    /// What its password is for and nothing else: this server, port, encryption and user name.
    pub fn purpose(&self) -> String {
        let username = self.username.as_deref().unwrap_or_default();
        format!("{} {} {} {username}", self.host, self.config().port(), self.encryption.name())
    }
}

/// The email settings: the file's groups and the page's.
#[derive(Clone)]
pub struct Setup {
    /// The settings of the file.
    pub fixed: Fixed,
    /// The settings of the page.
    pub chosen: Chosen,
    /// Both together.
    pub mail: MailConfig,
    /// Where links lead, if set.
    pub origin: Option<String>,
    /// Of the page's server: the file's has its own.
    pub password: Option<Zeroizing<String>>,
}

impl Setup {
    /// The file's groups, and the page's others with the password of its server.
    #[must_use]
    pub fn new(fixed: Fixed, chosen: Chosen, password: Option<Zeroizing<String>>) -> Self {
        let (mut mail, mut origin) = (fixed.mail.clone(), fixed.origin.clone());
        let of_page = |group| !fixed.has(group);
        if of_page(Group::Transport) {
            (mail.transport, mail.smtp) = (chosen.transport, chosen.server.as_ref().map(ChosenServer::config));
        }
        if of_page(Group::Sender) {
            (mail.from, mail.reply_to) = (chosen.from.clone(), chosen.reply_to.clone());
        }
        if of_page(Group::Links) {
            origin.clone_from(&chosen.link_origin);
        }
        if let Some(smtp) = &mut mail.smtp {
            smtp.hello = smtp.hello.take().or_else(|| own_name(origin.as_deref()));
        }
        let password = password.filter(|_| of_page(Group::Transport));
        Self { fixed, chosen, mail, origin, password }
    }

    /// How email is sent.
    #[must_use]
    pub fn way(&self) -> Way {
        self.mail.transport.unwrap_or_default()
    }

    /// In whose name email is sent; the name is `brand`, if the file has no other.
    #[must_use]
    pub fn sender(&self, brand: &str) -> Option<Mailbox> {
        let name = self.mail.from_name.as_deref().unwrap_or(brand).to_owned();
        self.mail.from.clone().map(|address| Mailbox { name, address })
    }

    /// Where replies go, if not to the sender.
    #[must_use]
    pub fn reply_to(&self) -> Option<Mailbox> {
        self.mail.reply_to.clone().map(|address| Mailbox { name: String::new(), address })
    }

    /// The value of a setting of [`SETTINGS`] as text; none if it is not set. A password shows only that it is set.
    #[must_use]
    pub fn value(&self, setting: &str) -> Option<String> {
        let smtp = self.mail.smtp.as_ref();
        match setting {
            "mail.transport" => self.mail.transport.map(|way| way.name().to_owned()),
            "mail.smtp.host" => smtp.map(|smtp| smtp.host.clone()),
            "mail.smtp.port" => smtp.map(|smtp| smtp.port().to_string()),
            "mail.smtp.encryption" => smtp.map(|smtp| smtp.encryption.name().to_owned()),
            "mail.smtp.username" => smtp.and_then(|smtp| smtp.username.clone()),
            PASSWORD => {
                let there = self.password.is_some() || smtp.is_some_and(|smtp| smtp.password_file.is_some());
                there.then(|| "••••".to_owned())
            }
            "mail.from" => self.mail.from.clone(),
            "mail.reply-to" => self.mail.reply_to.clone(),
            "brand.link-origin" => self.origin.clone(),
            _ => None,
        }
    }

    /// The settings that differ from `other`.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let differs = |setting: &&str| match *setting {
            PASSWORD => self.password != other.password,
            "mail.smtp.port" => {
                self.mail.smtp.as_ref().map(|smtp| smtp.port) != other.mail.smtp.as_ref().map(|smtp| smtp.port)
            }
            setting => self.value(setting) != other.value(setting),
        };
        SETTINGS.into_iter().filter(differs).collect()
    }

    /// The settings that don't fit together: each setting and its problem. Opens nothing.
    #[must_use]
    pub fn problems(&self) -> Vec<Wrong> {
        let mut found = self.mail.problems();
        let login = self.mail.smtp.as_ref().filter(|smtp| smtp.username.is_some());
        if login.is_some_and(|smtp| smtp.password_file.is_none() && self.password.is_none()) {
            found.push((PASSWORD, NO_PASSWORD.to_owned()));
        }
        // The file may say http: people with access to the machine know what carries it.
        let origin = self.origin.as_deref().filter(|_| !self.fixed.has(Group::Links));
        if origin.is_some_and(|origin| !may_bear_secrets(origin)) {
            found.push(("brand.link-origin", "must be like https://panel.example".to_owned()));
        }
        if self.way() != Way::Off {
            if self.mail.from.is_none() {
                found.push(("mail.from", "must be set: it is the sender's address".to_owned()));
            }
            if self.origin.is_none() {
                found.push(("brand.link-origin", "must be set: links in emails lead there".to_owned()));
            }
        }
        found
    }

    /// The transport, with the files read that it needs; none if email is off. `total`: the time limit for everything together,
    /// for an email that somebody waits for.
    ///
    /// # Errors
    /// The first wrong setting and its problem.
    pub fn transport(&self, total: Option<Duration>) -> Result<Option<Arc<dyn Transport>>, Wrong> {
        match self.problems().into_iter().next() {
            Some(wrong) => Err(wrong),
            None => self.mail.transport(&self.fixed.folder, self.password.as_ref(), total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(file: &str, origin: Option<&str>, chosen: Chosen, password: Option<&str>) -> Setup {
        let fixed = Fixed {
            mail: toml::from_str(file).expect("TOML"),
            origin: origin.map(str::to_owned),
            file: "keyturn.toml".to_owned(),
            lines: [("mail.from".to_owned(), 3), ("mail.smtp".to_owned(), 5), ("mail.smtp.host".to_owned(), 6)].into(),
            ..Fixed::default()
        };
        Setup::new(fixed, chosen, password.map(|password| password.to_owned().into()))
    }

    fn server(host: &str) -> Option<ChosenServer> {
        Some(ChosenServer { host: host.to_owned(), username: Some("page".to_owned()), ..ChosenServer::default() })
    }

    #[test]
    fn a_group_is_wholly_the_files_or_wholly_the_pages() {
        let chosen = Chosen {
            transport: Some(Way::Smtp),
            server: server("thief.example"),
            from: Some("page@panel.example".to_owned()),
            reply_to: Some("help@panel.example".to_owned()),
            link_origin: Some("https://page.example".to_owned()),
        };
        let file = "transport = 'smtp'\nfrom = 'file@panel.example'\n[smtp]\nhost = 'smtp.panel.example'";
        let both = setup(file, Some("https://file.example"), chosen.clone(), Some("hush"));
        for (setting, value, (of_file, line)) in [
            ("mail.transport", Some("smtp"), (true, None)),
            ("mail.smtp.host", Some("smtp.panel.example"), (true, Some(6))),
            ("mail.smtp.port", Some("587"), (true, Some(5))),
            // The file's server has no login, so the page's doesn't apply.
            ("mail.smtp.username", None, (true, Some(5))),
            ("mail.smtp.password", None, (true, Some(5))),
            ("mail.from", Some("file@panel.example"), (true, Some(3))),
            // The file has the sender, but not this.
            ("mail.reply-to", None, (true, None)),
            ("brand.link-origin", Some("https://file.example"), (true, None)),
        ] {
            assert_eq!(both.value(setting).as_deref(), value, "{setting}");
            assert_eq!((both.fixed.fixes(setting), both.fixed.line(setting)), (of_file, line), "{setting}");
        }
        assert_eq!((both.problems(), both.password), (Vec::new(), None));
        // A server is told the host of the links, unless the file has another name.
        assert_eq!(both.mail.smtp.as_ref().and_then(|smtp| smtp.hello.as_deref()), Some("file.example"));
        let named = format!("{file}\nhello = 'mail.panel.example'");
        let named = setup(&named, Some("https://file.example"), Chosen::default(), None);
        assert_eq!(named.mail.smtp.as_ref().and_then(|smtp| smtp.hello.as_deref()), Some("mail.panel.example"));
        let page = setup("from-name = 'Northwind'", None, chosen.clone(), Some("hush"));
        assert_eq!(page.mail.smtp.as_ref().and_then(|smtp| smtp.hello.as_deref()), Some("page.example"));
        assert!(SETTINGS.iter().all(|setting| !page.fixed.fixes(setting) && page.value(setting).is_some()));
        assert_eq!(page.value("mail.smtp.password").as_deref(), Some("••••"));
        assert_eq!(page.sender("Panel").expect("set").address, "page@panel.example");
        // One group in the file leaves the others to the page.
        for (file, origin, group) in [
            ("transport = 'off'", None, Group::Transport),
            ("from = 'file@panel.example'", None, Group::Sender),
            ("", Some("https://file.example"), Group::Links),
        ] {
            let one = setup(file, origin, chosen.clone(), Some("hush"));
            for other in SETTINGS {
                let in_group = Group::of(other) == Some(group);
                assert_eq!(one.fixed.fixes(other), in_group, "{file}: {other}");
                assert!(in_group || one.value(other) == page.value(other), "{file}: {other}");
            }
        }
        let off = setup("transport = 'off'", None, chosen, Some("hush"));
        assert_eq!((off.way(), off.password), (Way::Off, None));
        assert!(setup("", None, Chosen::default(), None).transport(None).expect("fits").is_none());
    }

    #[test]
    fn what_is_missing_is_named_all_of_it() {
        let way = |way| Chosen { transport: Some(way), from: Some("a@b.example".to_owned()), ..Chosen::default() };
        let origin = Some("https://panel.example");
        for (file, origin, chosen, settings) in [
            ("", origin, Chosen { from: None, ..way(Way::Sendmail) }, &["mail.from"][..]),
            ("", None, way(Way::Sendmail), &["brand.link-origin"]),
            ("transport = 'sendmail'", None, Chosen::default(), &["mail.from", "brand.link-origin"]),
            ("", origin, way(Way::Smtp), &["mail.smtp.host"]),
            ("", origin, way(Way::Folder), &["mail.folder"]),
            ("", origin, Chosen { server: server("smtp.example"), ..way(Way::Smtp) }, &["mail.smtp.password"]),
            ("", origin, Chosen { server: server("a b"), ..way(Way::Smtp) }, &["mail.smtp.host", "mail.smtp.password"]),
            ("", origin, Chosen { reply_to: Some("nobody".to_owned()), ..Chosen::default() }, &["mail.reply-to"]),
            (
                "",
                None,
                Chosen { link_origin: Some("http://x.example".to_owned()), ..Chosen::default() },
                &["brand.link-origin"],
            ),
        ] {
            let setup = setup(file, origin, chosen, None);
            let found: Vec<&str> = setup.problems().into_iter().map(|(setting, _)| setting).collect();
            assert_eq!(found, settings);
            assert_eq!(setup.transport(None).err().expect("wrong").0, settings[0]);
        }
    }
}

//! How mail is set up. What `keyturn.toml` says wins; where it says nothing, what was set on the page Email settings holds.
//!
//! A mail server is one thing: where the file has `[mail.smtp]`, all of it is the file's, so that nobody who can only reach
//! the page sends the file's password elsewhere. What runs a program, names a path or makes a signature is the file's alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Mailbox;
use super::config::{MailConfig, SmtpConfig, Way, Wrong, own_name};
use super::transport::Transport;
use super::transport::smtp::Encryption;
use keyturn_core::origin::may_bear_secrets;

/// What the page can set, by its name in `keyturn.toml`.
pub const SETTINGS: [&str; 9] = [
    "mail.transport",
    "mail.smtp.host",
    "mail.smtp.port",
    "mail.smtp.encryption",
    "mail.smtp.username",
    "mail.smtp.password",
    "mail.from",
    "mail.reply-to",
    "brand.link-origin",
];

/// What `keyturn.toml` fixes.
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
    /// The line, from 1, of each thing that it names.
    pub lines: BTreeMap<String, usize>,
}

impl Fixed {
    /// Whether the file has this setting, so that the page has not. What the page cannot set at all is the file's.
    #[must_use]
    pub fn fixes(&self, setting: &str) -> bool {
        match setting {
            "mail.transport" => self.mail.transport.is_some(),
            "mail.from" => self.mail.from.is_some(),
            "mail.reply-to" => self.mail.reply_to.is_some(),
            "brand.link-origin" => self.origin.is_some(),
            "mail.folder" => self.mail.folder.is_some(),
            setting if setting.starts_with("mail.smtp.") => self.mail.smtp.is_some(),
            // What stands in the database.
            "mail" => false,
            _ => true,
        }
    }

    /// Whether the file itself has this setting, and not only what holds where its table says nothing.
    #[must_use]
    pub fn names(&self, setting: &str) -> bool {
        self.lines.contains_key(written_as(setting))
    }

    /// The line where a setting stands, or the table that it would stand in.
    #[must_use]
    pub fn line(&self, setting: &str) -> Option<usize> {
        let table = || setting.rsplit_once('.').and_then(|(table, _)| self.lines.get(table));
        self.lines.get(setting).or_else(table).copied()
    }
}

/// Its name in the file: a password stands in a file of its own.
fn written_as(setting: &str) -> &str {
    if setting == "mail.smtp.password" { "mail.smtp.password-file" } else { setting }
}

/// What was set on the page. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Chosen {
    /// The way; none: off.
    pub transport: Option<Way>,
    /// The mail server; kept also while mail goes another way.
    pub server: Option<ChosenServer>,
    /// The sender's address.
    pub from: Option<String>,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// Where links lead.
    pub link_origin: Option<String>,
}

/// A mail server as it was set on the page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ChosenServer {
    /// Name or address.
    pub host: String,
    /// None: the usual one for its encryption.
    pub port: Option<u16>,
    /// How the connection is kept private.
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
            hello: None,
            username: self.username.clone(),
            password_file: None,
            ca_file: None,
        }
    }

    /// What alone its password may be used with: this server, at this port, with this encryption and user name.
    pub fn purpose(&self) -> String {
        let username = self.username.as_deref().unwrap_or_default();
        format!("{} {} {} {username}", self.host, self.config().port(), self.encryption.name())
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `keyturn.toml`, in this line.
    File(Option<usize>),
    /// The page Email settings.
    Page,
    /// Nowhere: it is not set.
    Nowhere,
}

/// How mail is set up, file and page together.
#[derive(Clone)]
pub struct Setup {
    fixed: Fixed,
    chosen: Chosen,
    merged: MailConfig,
    origin: Option<String>,
    password: Option<Zeroizing<String>>,
}

impl Setup {
    /// `password` is that of the chosen server.
    #[must_use]
    pub fn new(fixed: Fixed, chosen: Chosen, password: Option<Zeroizing<String>>) -> Self {
        let mut merged = fixed.mail.clone();
        merged.transport = merged.transport.or(chosen.transport);
        merged.from = merged.from.or_else(|| chosen.from.clone());
        merged.reply_to = merged.reply_to.or_else(|| chosen.reply_to.clone());
        merged.smtp = merged.smtp.or_else(|| chosen.server.as_ref().map(ChosenServer::config));
        let origin = fixed.origin.clone().or_else(|| chosen.link_origin.clone());
        if let Some(smtp) = &mut merged.smtp {
            smtp.hello = smtp.hello.take().or_else(|| own_name(origin.as_deref()));
        }
        Self { fixed, chosen, merged, origin, password }
    }

    /// What the file fixes.
    #[must_use]
    pub fn fixed(&self) -> &Fixed {
        &self.fixed
    }

    /// What was set on the page.
    #[must_use]
    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }

    /// The way.
    #[must_use]
    pub fn way(&self) -> Way {
        self.merged.transport.unwrap_or_default()
    }

    /// The mail server, if one is set.
    #[must_use]
    pub fn server(&self) -> Option<&SmtpConfig> {
        self.merged.smtp.as_ref()
    }

    /// Where links lead, if that is set.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// In whose name mail goes; the name is `brand`, if the file has no other.
    #[must_use]
    pub fn sender(&self, brand: &str) -> Option<Mailbox> {
        let name = self.merged.from_name.as_deref().unwrap_or(brand).to_owned();
        self.merged.from.clone().map(|address| Mailbox { name, address })
    }

    /// Where answers go, if not to the sender.
    #[must_use]
    pub fn reply_to(&self) -> Option<Mailbox> {
        self.merged.reply_to.clone().map(|address| Mailbox { name: String::new(), address })
    }

    /// A setting of [`SETTINGS`] in words; none if it is not set. A password is only said to be there.
    #[must_use]
    pub fn value(&self, setting: &str) -> Option<String> {
        let smtp = self.merged.smtp.as_ref();
        match setting {
            "mail.transport" => self.merged.transport.map(|way| way.name().to_owned()),
            "mail.smtp.host" => smtp.map(|smtp| smtp.host.clone()),
            "mail.smtp.port" => smtp.map(|smtp| smtp.port().to_string()),
            "mail.smtp.encryption" => smtp.map(|smtp| smtp.encryption.name().to_owned()),
            "mail.smtp.username" => smtp.and_then(|smtp| smtp.username.clone()),
            "mail.smtp.password" => {
                let login = smtp.filter(|smtp| smtp.username.is_some());
                login.filter(|smtp| smtp.password_file.is_some() || self.password.is_some()).map(|_| "••••".to_owned())
            }
            "mail.from" => self.merged.from.clone(),
            "mail.reply-to" => self.merged.reply_to.clone(),
            "brand.link-origin" => self.origin.clone(),
            _ => None,
        }
    }

    /// Where a setting's value comes from.
    #[must_use]
    pub fn source(&self, setting: &str) -> Source {
        if self.value(setting).is_none() {
            Source::Nowhere
        } else if self.fixed.fixes(setting) {
            Source::File(self.fixed.line(written_as(setting)))
        } else {
            Source::Page
        }
    }

    /// Whether all of it fits together. Opens nothing.
    ///
    /// # Errors
    /// The first setting that does not, and what is wrong with it.
    pub fn check(&self) -> Result<(), Wrong> {
        self.merged.check_addresses()?;
        if let Some(smtp) = &self.merged.smtp {
            smtp.check()?;
            if smtp.username.is_some() && smtp.password_file.is_none() && self.password.is_none() {
                return Err(("mail.smtp.password", "must be set where a user name is".to_owned()));
            }
        }
        if self.chosen.link_origin.as_deref().is_some_and(|origin| !may_bear_secrets(origin)) {
            return Err(("brand.link-origin", "must be like https://panel.example".to_owned()));
        }
        let way = self.way();
        if way == Way::Off {
            return Ok(());
        }
        if self.merged.from.is_none() {
            return Err(("mail.from", "must be set: the address in whose name mail goes out".to_owned()));
        }
        if self.origin.is_none() {
            return Err(("brand.link-origin", "must be set: where the links in mails lead".to_owned()));
        }
        match way {
            Way::Smtp if self.merged.smtp.is_none() => Err(("mail.smtp.host", "must be set".to_owned())),
            Way::Folder if self.merged.folder.is_none() => {
                Err(("mail.folder", "must be set in keyturn.toml, with a path".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The way for mail to go, with the files read that it needs; none where mail is off. `total`: for one mail that somebody
    /// waits for, the time for everything together.
    ///
    /// # Errors
    /// The setting that is wrong, and what is.
    pub fn transport(&self, total: Option<Duration>) -> Result<Option<Arc<dyn Transport>>, Wrong> {
        self.check()?;
        self.merged.transport(|path| self.fixed.folder.join(path), self.password.as_ref(), total)
    }
}

/// Which settings `new` has otherwise than `old`. A password is compared by whoever has it.
pub fn changed(old: &Chosen, new: &Chosen) -> Vec<&'static str> {
    fn of<T>(chosen: &Chosen, get: impl FnOnce(&ChosenServer) -> T) -> Option<T> {
        chosen.server.as_ref().map(get)
    }
    let differs: [bool; 9] = [
        old.transport != new.transport,
        of(old, |server| server.host.clone()) != of(new, |server| server.host.clone()),
        of(old, |server| server.port) != of(new, |server| server.port),
        of(old, |server| server.encryption) != of(new, |server| server.encryption),
        of(old, |server| server.username.clone()) != of(new, |server| server.username.clone()),
        false,
        old.from != new.from,
        old.reply_to != new.reply_to,
        old.link_origin != new.link_origin,
    ];
    SETTINGS.into_iter().zip(differs).filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
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
    fn what_the_file_says_wins_and_a_server_is_one_thing() {
        let chosen = Chosen {
            transport: Some(Way::Smtp),
            server: server("thief.example"),
            from: Some("page@panel.example".to_owned()),
            reply_to: Some("help@panel.example".to_owned()),
            link_origin: Some("https://page.example".to_owned()),
        };
        let file = "from = 'file@panel.example'\n[smtp]\nhost = 'smtp.panel.example'";
        let both = setup(file, Some("https://file.example"), chosen.clone(), Some("hush"));
        for (setting, value, source) in [
            ("mail.transport", Some("smtp"), Source::Page),
            ("mail.smtp.host", Some("smtp.panel.example"), Source::File(Some(6))),
            ("mail.smtp.port", Some("587"), Source::File(Some(5))),
            // The file's server wants no login, so the page's is none of its.
            ("mail.smtp.username", None, Source::Nowhere),
            ("mail.smtp.password", None, Source::Nowhere),
            ("mail.from", Some("file@panel.example"), Source::File(Some(3))),
            ("mail.reply-to", Some("help@panel.example"), Source::Page),
            ("brand.link-origin", Some("https://file.example"), Source::File(None)),
        ] {
            assert_eq!((both.value(setting).as_deref(), both.source(setting)), (value, source), "{setting}");
        }
        both.check().expect("fits");
        // A server is told the name where links lead, unless the file has another.
        assert_eq!(both.server().and_then(|smtp| smtp.hello.as_deref()), Some("file.example"));
        let named = format!("{file}\nhello = 'mail.panel.example'");
        let named = setup(&named, Some("https://file.example"), Chosen::default(), None);
        assert_eq!(named.server().and_then(|smtp| smtp.hello.as_deref()), Some("mail.panel.example"));
        let page = setup("", None, chosen, Some("hush"));
        assert_eq!(page.server().and_then(|smtp| smtp.hello.as_deref()), Some("page.example"));
        assert!(SETTINGS.iter().all(|setting| page.source(setting) == Source::Page));
        assert_eq!(page.value("mail.smtp.password").as_deref(), Some("••••"));
        assert_eq!(page.sender("Northwind").expect("set").address, "page@panel.example");
        let off = setup("transport = 'off'", None, Chosen { transport: Some(Way::Smtp), ..Chosen::default() }, None);
        assert_eq!(off.way(), Way::Off);
        assert!(setup("", None, Chosen::default(), None).transport(None).expect("fits").is_none());
    }

    #[test]
    fn what_is_missing_between_them_is_named() {
        let way = |way| Chosen { transport: Some(way), from: Some("a@b.example".to_owned()), ..Chosen::default() };
        let origin = Some("https://panel.example");
        for (file, origin, chosen, setting) in [
            ("", origin, Chosen { from: None, ..way(Way::Sendmail) }, "mail.from"),
            ("", None, way(Way::Sendmail), "brand.link-origin"),
            ("", origin, way(Way::Smtp), "mail.smtp.host"),
            ("transport = 'smtp'\nfrom = 'a@b.example'", origin, Chosen::default(), "mail.smtp.host"),
            ("", origin, way(Way::Folder), "mail.folder"),
            ("", origin, Chosen { server: server("smtp.example"), ..way(Way::Smtp) }, "mail.smtp.password"),
            ("", origin, Chosen { server: server("smtp example"), ..way(Way::Smtp) }, "mail.smtp.host"),
            ("", origin, Chosen { reply_to: Some("nobody".to_owned()), ..Chosen::default() }, "mail.reply-to"),
            (
                "",
                origin,
                Chosen { link_origin: Some("http://x.example".to_owned()), ..Chosen::default() },
                "brand.link-origin",
            ),
        ] {
            let setup = setup(file, origin, chosen, None);
            assert_eq!(setup.check().expect_err(setting).0, setting);
            assert!(setup.transport(None).is_err(), "{setting}");
        }
    }
}

//! The panel as a whole: the host, the people, and their places.

use std::path::Path;

use form_urlencoded::{Serializer, byte_serialize};
use keyturn_host::Host;
use keyturn_host::accounts::AccountId;
use keyturn_host::config::Config;
use keyturn_host::http::serve::Manners;
use keyturn_host::mail::config::Way;
use keyturn_host::operator::OWN;
use keyturn_host::view::Links;
use keyturn_host::view::nodes::Target;

use crate::database::Database;
use crate::folk::Folk;
use crate::pages::operator;

/// What all requests share.
pub struct Site {
    pub host: Host,
    pub people: Database,
    /// The hook that checks a password at sign-in.
    pub verify: String,
    /// The hook that sets somebody else's password.
    pub set_password: String,
    /// The hook that identifies a stored hash.
    pub recognise: String,
    /// The hook for a changed address.
    pub address_changed: String,
    /// The command that starts a worker.
    pub start: String,
    /// Whether cookies are for https only. Decided by the links' origin at the panel's start, so a change on a page signs
    /// nobody out.
    pub https: bool,
    /// How connections are limited, and which proxies are believed about a client's address.
    pub manners: Manners,
}

impl Site {
    /// Reads the configuration and opens everything; the panel's own tables first, because the host maps them.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let config = Config::read(path)?;
        Self::of(&config, Config::host)
    }

    /// The same for a command that serves nothing, beside the panel's server or without it.
    pub fn open_beside(path: &Path) -> anyhow::Result<Self> {
        Self::of(&Config::read(path)?.beside_server(), Config::host)
    }

    /// The same without email: the demo's people get no notices about their first passwords.
    pub fn open_without_mail(path: &Path) -> anyhow::Result<Self> {
        let mut config = Config::read(path)?;
        config.mail.transport = Some(Way::Off);
        Self::of(&config, Config::host)
    }

    /// The same, with another way to make the host.
    pub fn of<E>(config: &Config, host: impl FnOnce(&Config) -> Result<Host, E>) -> anyhow::Result<Self>
    where
        anyhow::Error: From<E>,
    {
        let file = config.database_file();
        let file = file.ok_or_else(|| anyhow::anyhow!("this panel keeps its people in SQLite: set database.sqlite"))?;
        let people = Database::open(&file)
            .map_err(|cause| anyhow::anyhow!("the panel's database {}: {cause}", file.display()))?;
        let host = host(config)?;
        let https = host.origin().starts_with("https://");
        Ok(Self {
            host,
            people,
            verify: config.sign_in.hook.clone(),
            set_password: config.sign_in.set_hook.clone(),
            recognise: config.sign_in.recognise_hook.clone(),
            address_changed: config.sign_in.address_hook.clone(),
            // Without folders: administrators read it, and the folders are none of their business.
            start: format!("keyturn-example-panel --config {} work", config.file_name()),
            https,
            manners: config.manners(),
        })
    }
}

impl Links for Site {
    fn url(&self, plugin: &str, target: &Target) -> String {
        let person = |name: &String, rest: &str| {
            let account: Option<AccountId> = name.parse().ok();
            let found = account.and_then(|account| Some((Folk::of_realm(account.realm())?, account)));
            found.map_or_else(
                || "/".to_owned(),
                |(folk, account)| {
                    let id: String = byte_serialize(account.key().as_bytes()).collect();
                    format!("/{}/{id}{rest}", folk.path())
                },
            )
        };
        match target {
            Target::Overview(account) => person(account, ""),
            Target::AccountDetails(account) => person(account, "/details"),
            Target::Mail(id) => {
                format!("{}/mail?mail={}", operator::ADDRESS, byte_serialize(id.as_bytes()).collect::<String>())
            }
            Target::EmailSettings => format!("{}/email-settings", operator::ADDRESS),
            Target::SignIn => "/sign-in".to_owned(),
            Target::MyAccount => "/account".to_owned(),
            Target::Page(page) => {
                let segment = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let mut query = Serializer::new(String::new());
                if let Some(subject) = &page.subject {
                    query.append_pair("for", subject);
                }
                query.extend_pairs(&page.arguments);
                let under = match plugin {
                    OWN => operator::ADDRESS.to_owned(),
                    plugin => format!("/plugins/{}", segment(plugin)),
                };
                let (path, query) = (format!("{under}/{}", segment(&page.page)), query.finish());
                if query.is_empty() { path } else { format!("{path}?{query}") }
            }
        }
    }
}

//! What the host's and the plugins' pages need to know about the panel.

use form_urlencoded::byte_serialize;
use keyturn_host::accounts::AccountId;
use keyturn_host::config;
use keyturn_host::http::page_address;
use keyturn_host::operator::OWN;
use keyturn_host::view::Links;
use keyturn_host::view::nodes::{PageTarget, Target};

/// A panel that is elsewhere.
pub(super) struct Beside {
    pub(super) server: config::Server,
}

impl Beside {
    fn page(&self, address: Option<&String>) -> String {
        address.map_or_else(|| self.server.panel().to_owned(), |address| self.server.whole(address))
    }

    fn of_account(&self, address: Option<&String>, account: &str) -> String {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        match account.parse::<AccountId>() {
            Ok(id) => {
                let page = self.page(address);
                page.replace("{id}", &encoded(id.key())).replace("{realm}", &encoded(id.realm()))
            }
            Err(_) => self.server.panel().to_owned(),
        }
    }

    fn plugins(&self, plugin: &str, page: &PageTarget) -> String {
        match &self.server.pages.plugin {
            Some(address) => page_address(&self.server.whole(address), plugin, page),
            None => self.server.panel().to_owned(),
        }
    }

    fn own(&self, page: &str, arguments: Vec<(String, String)>) -> String {
        self.plugins(OWN, &PageTarget { page: page.to_owned(), subject: None, arguments })
    }
}

impl Links for Beside {
    fn url(&self, plugin: &str, target: &Target) -> String {
        match target {
            Target::SignIn => self.server.whole(self.server.sign_in()),
            Target::Overview(account) => self.of_account(self.server.pages.overview.as_ref(), account),
            Target::AccountDetails(account) => self.of_account(self.server.pages.details.as_ref(), account),
            Target::MyAccount => self.page(self.server.pages.account.as_ref()),
            Target::Page(page) => self.plugins(plugin, page),
            Target::Mail(id) => self.own("mail", vec![("mail".to_owned(), id.clone())]),
            Target::EmailSettings => self.own("email-settings", Vec::new()),
        }
    }

    fn home(&self) -> &str {
        self.server.panel()
    }
}

#[cfg(test)]
mod tests {
    use keyturn_host::config::Pages;

    use super::*;

    fn beside(panel: &str) -> Beside {
        let pages = Pages {
            overview: Some("/customer.php?id={id}&kind={realm}".to_owned()),
            plugin: Some("/keyturn.php".to_owned()),
            ..Pages::default()
        };
        let (panel, sign_in) = (Some(panel.to_owned()), Some("/login".to_owned()));
        Beside { server: config::Server { panel, sign_in, pages, ..config::Server::default() } }
    }

    #[test]
    fn what_does_not_begin_with_a_slash_is_below_the_panel() {
        for (panel, address, whole) in [
            ("https://panel.example/panel/", "login", "https://panel.example/panel/login"),
            ("https://panel.example/panel", "login", "https://panel.example/panel/login"),
            (
                "https://panel.example/panel/?from=mail",
                "index.php?do=login",
                "https://panel.example/panel/index.php?do=login",
            ),
            ("https://panel.example", "login", "https://panel.example/login"),
            ("https://panel.example/panel/", "/login", "https://panel.example/login"),
            ("https://panel.example?from=mail", "/login", "https://panel.example/login"),
            ("https://panel.example/panel/", "https://id.example/login", "https://id.example/login"),
            ("/panel/", "login", "/panel/login"),
            ("/", "login", "/login"),
            ("/panel/", "/login", "/login"),
        ] {
            let mut site = beside(panel);
            site.server.sign_in = Some(address.to_owned());
            assert_eq!(site.url("p", &Target::SignIn), whole, "{panel} {address}");
        }
        let mut site = beside("https://panel.example/panel/");
        site.server.pages = Pages { overview: Some("customers/{id}".to_owned()), ..Pages::default() };
        let overview = site.url("p", &Target::Overview("customer:42".to_owned()));
        assert_eq!(overview, "https://panel.example/panel/customers/42");
    }

    #[test]
    fn targets_lead_to_the_panels_own_pages_wherever_link_pages_are() {
        let page = PageTarget {
            page: "reset".to_owned(),
            subject: Some("customer:4&2".to_owned()),
            arguments: vec![("a b".to_owned(), "ü".to_owned())],
        };
        for (panel, origin) in [("/", ""), ("https://panel.example/admin/", "https://panel.example")] {
            let site = beside(panel);
            let url = |target: &Target| site.url("p", target);
            let account = "customer:4&2".to_owned();
            assert_eq!(url(&Target::Overview(account)), format!("{origin}/customer.php?id=4%262&kind=customer"));
            assert_eq!(url(&Target::SignIn), format!("{origin}/login"));
            assert_eq!(url(&Target::MyAccount), panel);
            let address = "/keyturn.php?kt-plugin=p&kt-page=reset&kt-for=customer%3A4%262&a+b=%C3%BC";
            assert_eq!(url(&Target::Page(page.clone())), format!("{origin}{address}"));
            let mail = "/keyturn.php?kt-plugin=host&kt-page=mail&mail=m1";
            assert_eq!(url(&Target::Mail("m1".to_owned())), format!("{origin}{mail}"));
        }
    }
}

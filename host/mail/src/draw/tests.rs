use proptest::prelude::*;

use super::*;

const LINK: &str = "https://panel.northwind.example/reset/7RkTq2vXw9c2QeLm4Zs8Pa1Yd6Fh3Gj5Bn7Cv9Kx0Wq2Er4Ty6Ui8Op";

fn template() -> Template {
    let template: Template = toml::from_str(
        r#"
        variables = { link = "link", until = "time", lasts = "duration", sessions = "number", word = "secret", reason = "text" }
        [texts.en]
        subject = "Choose a new password for {{ brand.name }}"
        preheader = "The link works once, until {{ until }}."
        body = [
            { heading = "Choose a new password" },
            { text = "Hello {{ account.name }}," },
            { text = "Somebody asked for a new password for your account {{ account.login }}, for {{ reason }}. {{ sessions }} sessions. If this was you, choose one here:" },
            { button = ["Choose a new password", "link"] },
            { secret = "word" },
            { text = "The link works once, until {{ until }}, which is {{ lasts }}." },
            { text = "If this wasn't you, do nothing. If it happens again, write to {{ brand.contact }}." },
        ]
        [texts.es]
        subject = "Elige una contraseña nueva para {{ brand.name }}"
        preheader = "Funciona una vez, hasta el {{ until }}."
        body = [
            { heading = "Elige una contraseña nueva" },
            { text = "Hola, {{ account.name }} ({{ account.login }}, {{ account.email }}). {{ reason }} {{ lasts }} {{ sessions }}" },
            { button = ["Elegir", "link"] },
            { secret = "word" },
        ]
        "#,
    )
    .expect("TOML");
    template.check().expect("good");
    template
}

fn values(reason: &str) -> BTreeMap<String, Value> {
    [
        ("link", Value::Link(LINK.to_owned().into())),
        ("until", Value::Time(1_795_528_931_000)),
        ("lasts", Value::Duration(3_600)),
        ("sessions", Value::Number(12_345)),
        ("word", Value::Secret("tavo-meki-rusa-dole-fipa-94".to_owned().into())),
        ("reason", Value::Text(reason.to_owned())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn account(name: &str, login: &str, email: &str) -> Account {
    let mut values = [None, None, None, None, None];
    for (field, value) in [(Field::Name, name), (Field::Login, login), (Field::Email, email)] {
        values[field as usize] = Some(value.to_owned());
    }
    let id = "customer:1".parse().expect("an account");
    Account { id, manager: None, manager_realm: None, values, hash: None }
}

fn drawn(locale: &str, name: &str, reason: &str, masked: bool) -> Drawn {
    let zone = TimeZone::get("Europe/Madrid").expect("zone");
    let context = Context {
        account: Some(&account(name, "marta.vidal", "marta@vidal.example")),
        brand: "Northwind Hosting",
        contact: "help@northwind.example",
        sign_in: "https://panel.example/login",
        time: 1_795_525_331_000,
        origin: "Firefox on Windows, 203.0.113.x",
        locale,
        zone: &zone,
    };
    draw(&template(), &values(reason), &context, masked).expect("drawn")
}

/// The words of a document as somebody reads them, without the preheader.
fn read(html: &str) -> String {
    let (_, body) = html.split_once("<body").expect("a body");
    let (_, seen) = body.split_once("</div>").expect("a preheader");
    let mut text = String::new();
    let mut in_tag = false;
    for c in seen.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

fn facts(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(|word| word.trim_end_matches(':').to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_text_reads_as_in_the_picture() {
    assert_eq!(
        drawn("en", "Marta", "a test", false).text.as_str(),
        format!(
            // Between marta and .vidal there is what keeps mail programs from making a link of a login.
            "Northwind Hosting

CHOOSE A NEW PASSWORD

Hello Marta,

Somebody asked for a new password for your account marta\u{200b}.vidal, for a
test. 12,345 sessions. If this was you, choose one here:

Choose a new password:
{LINK}?lang=en

tavo-meki-rusa-dole-fipa-94

The link works once, until 24 Nov 2026, 15:02 (Madrid time), which is 1
hour.

If this wasn't you, do nothing. If it happens again, write to
help@northwind.example.

Requested on 24 Nov 2026, 14:02 (Madrid time) from Firefox on Windows,
203.0.113.x. We never ask for your password by email.

--
Northwind Hosting
"
        )
    );
}

#[test]
fn a_recipient_reads_his_own_language_with_its_own_times_and_numbers() {
    let drawn = drawn("es-MX", "Marta", "prueba", false);
    assert_eq!(drawn.subject, "Elige una contraseña nueva para Northwind Hosting");
    assert!(drawn.html.contains(">Funciona una vez, hasta el 24 nov 2026, 15:02 (hora de Madrid).</div>"));
    for words in
        ["12.345", "1 hora", "Solicitado el 24 nov 2026, 14:02 (hora de Madrid)", "Nunca pedimos la contraseña"]
    {
        assert!(drawn.text.replace('\n', " ").contains(words), "{}", drawn.text.as_str());
    }
    assert!(drawn.html.contains("<html lang=\"es\">"));
    assert!(
        drawn.text.lines().any(|line| line == format!("{LINK}?lang=es")),
        "the page is read in the mail's language"
    );
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_survives_without_its_sheet() {
    let html = drawn("en", "Marta", "a test", false).html;
    for word in ["<img", "<script", "<table", "<link", "background", "url(", "@import", "@font-face", "var(", "src="] {
        assert!(!html.contains(word), "{word}");
    }
    let addresses: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(addresses, [format!("{LINK}?lang=en"), format!("{LINK}?lang=en")]);
    assert_eq!(html.matches("<h1").count(), 1);
    for word in
        ["color-scheme", "prefers-color-scheme: dark", "max-width:520px", "<title>Choose a new password for Northwind"]
    {
        assert!(html.contains(word), "{word}");
    }
    assert!(html.contains("<bdi><strong>marta\u{200b}.vidal</strong></bdi>"), "{}", html.as_str());
    // Every element that is read has its colour beside it.
    for element in html.split('<').filter(|e| e.starts_with("p ") || e.starts_with("h1 ") || e.starts_with("a ")) {
        assert!(element.contains("style=\"") && element.contains("class=\"kt-"), "{element}");
    }
}

#[test]
fn masked_secrets_are_drawn_as_dots_and_may_be_gone() {
    let zone = TimeZone::UTC;
    let context = Context {
        account: Some(&account("Marta", "marta", "m@x.example")),
        brand: "Northwind",
        contact: "help",
        sign_in: "https://panel.example/login",
        time: 0,
        origin: "",
        locale: "en",
        zone: &zone,
    };
    let mut wiped = values("x");
    wiped.remove("link");
    wiped.remove("word");
    for drawn in [drawn("en", "Marta", "x", true), draw(&template(), &wiped, &context, true).expect("drawn")] {
        for form in [&drawn.text, &drawn.html] {
            assert!(!form.contains("7RkTq") && !form.contains("tavo") && !form.contains("href"), "{}", form.as_str());
            assert!(form.matches("••••").count() >= 2, "{}", form.as_str());
        }
    }
    assert_eq!(draw(&template(), &wiped, &context, false).expect_err("missing").place, "variable link");
}

#[test]
fn a_template_that_greets_an_account_needs_one() {
    let zone = TimeZone::UTC;
    let context = Context {
        account: None,
        brand: "Northwind",
        contact: "help",
        sign_in: "https://panel.example/login",
        time: 0,
        origin: "",
        locale: "en",
        zone: &zone,
    };
    let cause = draw(&template(), &values("x"), &context, false).expect_err("nobody");
    assert_eq!((cause.place.as_str(), cause.locale.as_deref()), ("block 2 (text)", Some("en")), "{cause}");
}

#[test]
fn hostile_values_stay_words() {
    let name = "<b onclick=\"x\">Marta</b>\r\nBcc: thief@else.example\u{202e}\u{fdd1}{{ word }}";
    let drawn = drawn("en", name, "</bdi></p><script>alert(1)</script>&amp;", false);
    assert!(!drawn.html.contains("<script") && !drawn.html.contains("<b "), "{}", drawn.html.as_str());
    assert!(drawn.html.contains("&lt;script&gt;") && drawn.html.contains("&amp;amp;"), "{}", drawn.html.as_str());
    assert!(
        drawn.text.contains("Hello <b onclick=\"x\">Marta</b> Bcc: thief\u{200b}@else\u{200b}.example{{ word }},"),
        "{}",
        drawn.text.as_str()
    );
    for form in [drawn.text.as_str(), drawn.html.as_str()] {
        assert!(!form.contains(['\r', '\u{202e}', '\u{fdd0}', '\u{fdd1}', '\u{fdd2}']), "{form}");
    }
}

#[test]
fn what_somebody_has_chosen_is_no_link() {
    let sent = |name: &str, login: &str, reason: &str| {
        let zone = TimeZone::UTC;
        let context = Context {
            account: Some(&account(name, login, "marta@vidal.example")),
            brand: "Northwind",
            contact: "help@northwind.example",
            sign_in: "https://panel.example/login",
            time: 0,
            origin: "",
            locale: "en",
            zone: &zone,
        };
        draw(&template(), &values(reason), &context, false).expect("drawn")
    };
    for address in [
        "evil.example",
        "www.evil.example/now",
        "https://evil.example",
        "HTTP://user@192.0.2.7:8080/x",
        "//evil.example",
        "help@evil.example",
        "mailto:help@evil.example",
        "evil．example",
        "evil。example",
    ] {
        let drawn = sent(&format!("Visit {address} now"), address, &format!("see {address}"));
        for form in [drawn.text.as_str(), drawn.html.as_str()] {
            let lower = form.to_lowercase();
            for whole in [
                "evil.", "www.", "https:", "http:/", "//evil", "//user", "p@evil", "mailto:", "192.", "evil．",
                "evil。",
            ] {
                let found = lower.match_indices(whole).filter(|(at, _)| !lower[*at..].starts_with("https://panel."));
                assert_eq!(found.count(), 0, "{whole}: {form}");
            }
            // Read as it was written.
            assert_eq!(form.replace('\u{200b}', "").matches(address).count(), 3, "{form}");
            // What the operator has written can be clicked.
            assert!(form.contains("help@northwind.example"), "{form}");
        }
        let (head, _) = drawn.html.split_once("</div>").expect("a preheader");
        assert!(!drawn.subject.contains('\u{200b}') && !head.contains('\u{200b}'));
    }
    // A point that ends a word leads nowhere, and the address that the mail goes to is copied as it is.
    let drawn = sent("Dr. Marta: Vidal S. L.", "marta@vidal.example", "x");
    assert!(drawn.text.contains("Hello Dr. Marta: Vidal S. L.,"), "{}", *drawn.text);
    assert!(drawn.text.replace('\n', " ").contains("account marta@vidal.example,"), "{}", *drawn.text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_and_html_carry_the_same_facts_whatever_the_values(name in ".{0,80}", reason in "\\PC{0,200}", spanish: bool) {
        let locale = if spanish { "es" } else { "en" };
        let (drawn, words) = (drawn(locale, &name, &reason, false), Words::of(locale));
        let mut html = facts(&read(&drawn.html));
        // What only the page needs to say.
        let paste = facts(words.get("mail-paste"));
        let at = html.windows(paste.len()).position(|found| found == paste).expect("there");
        html.drain(at..at + paste.len());
        let mut text = facts(&drawn.text);
        // What only the text needs to say: its address stands once, and the brand once more at its end.
        let signature = facts("--\nNorthwind Hosting");
        text.truncate(text.len() - signature.len());
        prop_assert_eq!(text, html);
    }

    #[test]
    fn nothing_in_a_value_breaks_a_line_wraps_a_link_or_opens_an_element(name in "\\PC*|[<>&\"'\r\n\u{202e}\u{2066}a ]{0,400}") {
        let drawn = drawn("en", &name, &name, false);
        let elements = |html: &str| html.matches('<').count();
        prop_assert_eq!(elements(&drawn.html), elements(&super::tests::drawn("en", "x", "x", false).html));
        let link = format!("{LINK}?lang=en");
        prop_assert!(drawn.text.lines().any(|line| line == link));
        let long = drawn.text.lines().filter(|line| line.chars().count() > 72 && line.contains(' ')).count();
        prop_assert_eq!(long, 0);
        prop_assert!(!drawn.subject.contains(['\r', '\n']));
    }
}

#[test]
fn a_mail_leads_to_the_sign_in_also_where_its_secrets_are_masked() {
    let template: Template = toml::from_str(
        r#"
        variables = { word = "secret" }
        [texts.en]
        subject = "Your password"
        preheader = "It works once."
        body = [{ secret = "word" }, { sign-in = "Sign in to {{ brand.name }}" }, { text = "It works once." }]
        "#,
    )
    .expect("TOML");
    template.check().expect("good");
    let context = Context {
        account: None,
        brand: "Northwind",
        contact: "help",
        sign_in: "https://panel.example/login",
        time: 1_795_525_331_000,
        origin: "",
        locale: "en",
        zone: &TimeZone::UTC,
    };
    for masked in [false, true] {
        let values = [("word".to_owned(), Value::Secret("tavo-meki-rusa".to_owned().into()))].into();
        let drawn = draw(&template, &values, &context, masked).expect("drawn");
        assert!(drawn.text.contains("\n\nSign in to Northwind:\nhttps://panel.example/login\n\nIt works once.\n"));
        assert!(drawn.html.contains("href=\"https://panel.example/login\""));
        assert_eq!(drawn.text.contains("tavo-meki-rusa"), !masked);
    }
}

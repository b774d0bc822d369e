//! What a mail filter makes of drawn mails.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use keyturn_host::mail::Message;
use keyturn_host::mail::draw::{Account, Brand, Context, Request, draw};
use keyturn_host::mail::message::Writer;
use keyturn_host::mail::template::{Template, Value};

use crate::mailbox;

const RESET: &str = r#"
    variables = { link = "link", until = "time" }
    [texts.en]
    subject = "Choose a new password for {{ brand.name }}"
    preheader = "The link works once, until {{ until }}."
    body = [
        { heading = "Choose a new password" },
        { text = "Hello {{ account.name }}," },
        { text = "somebody asked for a new password for your account {{ account.login }}. If it was you, choose one here:" },
        { button = ["Choose a new password", "link"] },
        { text = "The link works once, until {{ until }}." },
        { text = "It was not you? Then do nothing: your password stays as it is. If this happens again, write to {{ brand.contact }}." },
    ]
    [texts.es]
    subject = "Elige una contraseña nueva para {{ brand.name }}"
    preheader = "El enlace funciona una vez, hasta el {{ until }}."
    body = [
        { heading = "Elige una contraseña nueva" },
        { text = "Hola, {{ account.name }}:" },
        { text = "alguien pidió una contraseña nueva para tu cuenta {{ account.login }}. Si fuiste tú, elígela aquí:" },
        { button = ["Elegir una contraseña nueva", "link"] },
        { text = "El enlace funciona una vez, hasta el {{ until }}." },
        { text = "¿No fuiste tú? Entonces no hagas nada: tu contraseña sigue igual. Si vuelve a pasar, escribe a {{ brand.contact }}." },
    ]
"#;

const TEMPORARY: &str = r#"
    variables = { word = "secret", link = "link", lasts = "duration" }
    [texts.en]
    subject = "Your temporary password for {{ brand.name }}"
    preheader = "It works for {{ lasts }}."
    body = [
        { heading = "Your temporary password" },
        { text = "Hello {{ account.name }}," },
        { text = "our support team has reset the password of your account {{ account.login }}. Sign in with this one:" },
        { secret = "word" },
        { button = ["Go to sign in", "link"] },
        { text = "It works for {{ lasts }} and you will choose your own password right after signing in. The old password no longer works." },
        { text = "You did not ask support for this? Write to {{ brand.contact }}." },
    ]
"#;

fn mail(template: &str, locale: &str) -> Message {
    let template: Template = toml::from_str(template).expect("TOML");
    template.check().expect("good");
    let all = [
        ("link", Value::Link("https://panel.northwind.example/reset/7RkTq2vXw9c2QeLm4Zs8Pa".to_owned().into())),
        ("until", Value::Time(1_795_528_931_000)),
        ("word", Value::Secret("tavo-meki-rusa-dole-fipa-94".to_owned().into())),
        ("lasts", Value::Duration(86_400)),
    ];
    let values: BTreeMap<String, Value> =
        all.into_iter().map(|(k, v)| (k.to_owned(), v)).filter(|(k, _)| template.variables.contains_key(k)).collect();
    let zone = jiff::tz::TimeZone::get("Europe/Madrid").expect("zone");
    let context = Context {
        account: Some(Account { name: "Marta", login: "marta.vidal", email: "marta@vidal.example" }),
        brand: Brand { name: "Northwind Hosting", contact: "help@northwind.example" },
        request: Request { time: 1_795_525_331_000, origin: "Firefox on Windows, 203.0.113.x" },
        locale,
        zone: &zone,
    };
    let drawn = draw(&template, &values, &context, false).expect("drawn");
    Message {
        message_id: "0198f2c4@panel.northwind.example".to_owned(),
        from: mailbox("Northwind Hosting", "accounts@northwind.example"),
        reply_to: Some(mailbox("", "help@northwind.example")),
        to: mailbox("Marta Vidal", "marta@vidal.example"),
        date: 1_795_525_331_000,
        locale: drawn.locale,
        subject: drawn.subject,
        text: drawn.text,
        html: drawn.html,
    }
}

#[test]
fn a_mail_filter_finds_nothing_suspicious_in_a_drawn_mail() {
    for (template, locale) in [(RESET, "en"), (RESET, "es"), (TEMPORARY, "en")] {
        let bytes = Writer::default().bytes(&mail(template, locale)).expect("written");
        let report = spamassassin(&bytes);
        let score = report.lines().find(|line| line.starts_with("Content analysis details:")).unwrap_or_default();
        let points = score.split(['(', ' ']).find_map(|word| word.parse::<f32>().ok());
        println!("{locale} {score}");
        assert!(points.is_some_and(|points| points < 1.0), "{report}");
    }
}

fn spamassassin(mail: &[u8]) -> String {
    let mut filter = Command::new("spamassassin")
        .args(["--local", "--test-mode"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs SpamAssassin: apt-get install --no-install-recommends spamassassin (`cargo xtask test` does it)");
    filter.stdin.take().expect("piped").write_all(mail).expect("written");
    let output = filter.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

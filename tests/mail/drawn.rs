//! What a mail filter makes of the plugin's mails, drawn as they go out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keyturn_host::accounts::Account;
use keyturn_host::mail::Message;
use keyturn_host::mail::draw::{Context, draw};
use keyturn_host::mail::message::Writer;
use keyturn_host::mail::template::{Kind, Template, Value};
use keyturn_host::plugin::pack::mails_in;

use super::mailbox;

/// The templates that the plugin ships, with their names.
fn shipped() -> Vec<(String, Template)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/mail");
    let template = |(name, text): (String, String)| {
        let template: Template = toml::from_str(&text).expect("TOML");
        template.check().expect("good");
        (name, template)
    };
    mails_in(&folder).expect("reads").into_iter().map(template).collect()
}

fn mail(template: &Template, locale: &str) -> Message {
    let value = |kind: &Kind| match kind {
        Kind::Text => Value::Text("a reason".to_owned()),
        Kind::Time => Value::Time(1_795_528_931_000),
        Kind::Duration => Value::Duration(86_400),
        Kind::Number => Value::Number(3),
        Kind::Link => Value::Link("https://panel.northwind.example/choose/7RkTq2vXw9c2QeLm4Zs8Pa".to_owned().into()),
        Kind::Secret => Value::Secret("tavo-meki-rusa-dole-fipa-94".to_owned().into()),
    };
    let values: BTreeMap<String, Value> =
        template.variables.iter().map(|(name, kind)| (name.clone(), value(kind))).collect();
    let zone = jiff::tz::TimeZone::get("Europe/Madrid").expect("zone");
    let account = Account {
        id: "customer:1".parse().expect("an account"),
        manager: None,
        manager_realm: None,
        values: [Some("Marta"), Some("marta.vidal"), Some("marta@vidal.example"), None, None]
            .map(|it| it.map(str::to_owned)),
        hash: None,
    };
    let context = Context {
        account: Some(&account),
        brand: "Northwind Hosting",
        contact: "help@northwind.example",
        sign_in: "https://panel.example/login",
        time: 1_795_525_331_000,
        origin: "Firefox on Windows, 203.0.113.x",
        locale,
        zone: &zone,
    };
    let drawn = draw(template, &values, &context, false).expect("drawn");
    Message {
        message_id: "0198f2c4@panel.northwind.example".to_owned(),
        from: mailbox("Northwind Hosting", "accounts@northwind.example"),
        reply_to: Some(mailbox("", "help@northwind.example")),
        to: mailbox("Marta Vidal", "marta@vidal.example"),
        date: 1_795_525_331_000,
        drawn,
    }
}

#[test]
fn a_mail_filter_finds_nothing_suspicious_in_any_mail_that_is_shipped() {
    let templates = shipped();
    assert!(templates.len() >= 8, "{}", templates.len());
    let judged = |name: &str, template: &Template| {
        for locale in template.texts.keys() {
            let bytes = Writer::default().bytes(&mail(template, locale)).expect("written");
            let report = spamassassin(&bytes);
            let score = report.lines().find(|line| line.starts_with("Content analysis details:")).unwrap_or_default();
            let points = score.split(['(', ' ']).find_map(|word| word.parse::<f32>().ok());
            assert!(points.is_some_and(|points| points < 1.0), "{name} {locale}: {report}");
        }
    };
    std::thread::scope(|scope| {
        for (name, template) in &templates {
            scope.spawn(move || judged(name, template));
        }
    });
}

#[test]
fn a_mail_filter_does_find_what_is_suspicious() {
    let mut message = mail(&shipped()[0].1, "en");
    let text = &mut message.drawn.text;
    *text = format!("{}\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n", **text).into();
    let report = spamassassin(&Writer::default().bytes(&message).expect("written"));
    assert!(report.contains("GTUBE"), "{report}");
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

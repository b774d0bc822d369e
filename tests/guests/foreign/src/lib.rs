//! A third party's plugin, written against the contract alone.

#[allow(warnings)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/panel", "../../../wit/ui", "wit"],
        world: "acme:report/plugin",
        generate_all,
    });
}

use bindings::exports::acme::report::report::{Bounds, Guest as Report, Marks, Summary, Trouble, Window};
use bindings::exports::keyturn::ui::views::{Answer, Guest as Views, Input};
use bindings::keyturn::panel::database;
use bindings::keyturn::panel::types::Failure;
use bindings::keyturn::ui::nodes::{Arguments, Column, ColumnKind, Empty, Node, Row, Table, Value, View};

struct Plugin;

fn visits() -> Vec<(String, u64)> {
    let entries = database::scan("visits/", None, 100).unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| {
            let count = entry.value.try_into().map_or(0, u64::from_le_bytes);
            (entry.key.trim_start_matches("visits/").to_owned(), count)
        })
        .collect()
}

impl Report for Plugin {
    fn greet(name: String) -> String {
        format!("Hello, {name}.")
    }

    fn visit(page_name: String) -> Result<u64, Trouble> {
        let key = format!("visits/{page_name}");
        let before = database::get(&key).map_err(|_| Trouble::Closed)?;
        let count = before.and_then(|value| value.try_into().ok()).map_or(0, u64::from_le_bytes) + 1;
        database::put(&key, &count.to_le_bytes(), None).map_err(|_| Trouble::Closed)?;
        Ok(count)
    }

    fn summarise(window: Window, marks: Marks, digest: Vec<u8>, weights: Vec<f32>) -> Result<Summary, Trouble> {
        if let Window::Between(Bounds { low, high }) = window
            && low > high
        {
            return Err(Trouble::TooWide(Bounds { low, high }));
        }
        let total = visits().iter().map(|(_, count)| count).sum();
        let mean = weights.iter().map(|weight| f64::from(*weight)).sum::<f64>() / weights.len().max(1) as f64;
        Ok(Summary { total, mean, marks, digest, note: None, window })
    }
}

fn table() -> Node {
    let column = |label: &str, kind| Column { label: label.to_owned(), kind, low: false };
    Node::Table(Table {
        caption: "Visits by page".to_owned(),
        columns: vec![column("Page", ColumnKind::Text), column("Visits", ColumnKind::Number)],
        rows: visits()
            .into_iter()
            .map(|(page, count)| Row {
                cells: vec![vec![Value::Text(page)], vec![Value::Number(count as i64)]],
                actions: Vec::new(),
            })
            .collect(),
        empty: Empty {
            title: "No visits yet".to_owned(),
            text: vec![Value::Text("They appear here as they come.".to_owned())],
            action: None,
        },
    })
}

impl Views for Plugin {
    fn slot(_: String, subjects: Vec<Option<String>>) -> Result<Vec<Vec<Node>>, Failure> {
        Ok(subjects.iter().map(|_| vec![Node::Heading("Visits".to_owned()), table()]).collect())
    }

    fn page(name: String, _: Option<String>, _: Option<String>, _: Arguments) -> Result<View, Failure> {
        if name != "visits" {
            return Err(Failure::NotFound);
        }
        Ok(View { title: vec![Value::Text("Visits".to_owned())], lead: None, outcome: None, nodes: vec![table()] })
    }

    fn submit(_: String, _: Option<String>, _: Option<String>, _: Vec<(String, Input)>) -> Result<Answer, Failure> {
        Err(Failure::NotFound)
    }
}

bindings::export!(Plugin with_types_in bindings);

//! Tables. On a phone each row is a block with its labels; the roles are written out, because `display` drops them.

use super::nodes::Painter;
use super::{Html, Markup};
use keyturn_contract::keyturn::ui::nodes::{Action, ColumnKind, Empty, Table};
use keyturn_core::words::Words;

/// A table with cells that are already drawn: for the panel's own tables that show a plugin's sentence in a cell.
pub struct Grid<'a> {
    /// For screen readers.
    pub caption: &'a str,
    /// Label, kind, whether it is hidden on narrow screens.
    pub columns: &'a [(&'a str, ColumnKind, bool)],
    /// Cells of each row, and its actions.
    pub rows: &'a [(Vec<Markup>, Markup)],
    /// Shown when there are no rows.
    pub empty: &'a Markup,
}

impl Grid<'_> {
    /// Draws it.
    pub fn draw(&self, words: Words) -> Markup {
        if self.rows.is_empty() {
            return self.empty.clone();
        }
        let mut html = Html::new();
        let acts = self.rows.iter().any(|(_, actions)| !actions.is_empty());
        html.open("table", &[("class", Some("kt-table")), ("role", Some("table"))]);
        html.element("caption", &[("class", Some("kt-hidden"))], self.caption);
        html.open("thead", &[("role", Some("rowgroup"))]).open("tr", &[("role", Some("row"))]);
        for (label, kind, low) in self.columns {
            let class = class(*kind, *low);
            let attributes = [("scope", Some("col")), ("role", Some("columnheader")), ("class", class)];
            html.element("th", &attributes, label);
        }
        if acts {
            html.open(
                "th",
                &[("scope", Some("col")), ("role", Some("columnheader")), ("class", Some("kt-row-actions"))],
            );
            html.element("span", &[("class", Some("kt-hidden"))], words.get("actions")).close("th");
        }
        html.close("tr").close("thead").open("tbody", &[("role", Some("rowgroup"))]);
        for (cells, actions) in self.rows {
            html.open("tr", &[("role", Some("row"))]);
            for (at, (cell, (label, kind, low))) in cells.iter().zip(self.columns).enumerate() {
                let (name, role, scope) = if at == 0 { ("th", "rowheader", Some("row")) } else { ("td", "cell", None) };
                html.open(name, &[("scope", scope), ("role", Some(role)), ("class", class(*kind, *low))]);
                // The header says it to screen readers; on a phone nobody else sees the header.
                if at > 0 && !label.is_empty() && *kind != ColumnKind::State {
                    let attributes = [("class", Some("kt-cell-label")), ("aria-hidden", Some("true"))];
                    html.open("span", &attributes).text(label).text(": ").close("span");
                }
                html.markup(cell).close(name);
            }
            if acts {
                html.open("td", &[("role", Some("cell")), ("class", Some("kt-row-actions"))])
                    .markup(actions)
                    .close("td");
            }
            html.close("tr");
        }
        html.close("tbody").close("table");
        html.done()
    }
}

fn class(kind: ColumnKind, low: bool) -> Option<&'static str> {
    match (kind, low) {
        (ColumnKind::Text, false) => None,
        (ColumnKind::Text, true) => Some("kt-low"),
        (ColumnKind::Number, false) => Some("kt-numbers"),
        (ColumnKind::Number, true) => Some("kt-numbers kt-low"),
        (ColumnKind::Time, false) => Some("kt-times"),
        (ColumnKind::Time, true) => Some("kt-times kt-low"),
        (ColumnKind::State, false) => Some("kt-state"),
        (ColumnKind::State, true) => Some("kt-state kt-low"),
    }
}

impl Painter<'_> {
    /// Draws a table of values.
    pub fn table(&mut self, table: &Table) {
        let columns: Vec<_> =
            table.columns.iter().map(|column| (column.label.as_str(), column.kind, column.low)).collect();
        let rows = table.rows.iter().map(|row| (&row.cells, &row.actions));
        self.grid(&table.caption, &columns, rows, &table.empty, |painter, sentence| painter.cell(sentence));
    }

    /// Draws a table whose cells are drawn by `cell`; each row has its actions.
    pub fn grid<'r, C: 'r>(
        &mut self,
        caption: &str,
        columns: &[(&str, ColumnKind, bool)],
        rows: impl Iterator<Item = (&'r Vec<C>, &'r Vec<Action>)>,
        empty: &Empty,
        cell: impl Fn(&mut Self, &C),
    ) {
        let before = self.html.done();
        let mut drawn = Vec::new();
        for (cells, actions) in rows {
            let cells = cells.iter().map(|one| {
                cell(self, one);
                self.html.done()
            });
            let cells = cells.collect();
            self.row_actions(actions);
            drawn.push((cells, self.html.done()));
        }
        let empty = if drawn.is_empty() { self.empty(empty) } else { Markup::default() };
        let grid = Grid { caption, columns, rows: &drawn, empty: &empty }.draw(self.words);
        self.html.markup(&before).markup(&grid);
    }

    /// Shown in place of a table without rows.
    fn empty(&mut self, empty: &Empty) -> Markup {
        self.html.class("div", "kt-empty").element("p", &[("class", Some("kt-notice-title"))], &empty.title);
        if !empty.text.is_empty() {
            self.paragraph("kt-text", &empty.text);
        }
        if let Some(action) = &empty.action {
            self.actions(std::slice::from_ref(action));
        }
        self.html.close("div").done()
    }
}

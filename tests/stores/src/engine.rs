//! The engines, and what their SQL has different words for.

use keyturn_store::dialect::Dialect;
use keyturn_store_sqlite::Sqlite;

/// An engine that the store runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 1] = [Engine::Sqlite];

    /// Its words in statements over the panel's tables.
    #[must_use]
    pub fn dialect(self) -> &'static dyn Dialect {
        match self {
            Engine::Sqlite => &Sqlite,
        }
    }

    /// Whether each question takes its way over a socket.
    #[must_use]
    pub fn is_server(self) -> bool {
        match self {
            Engine::Sqlite => false,
        }
    }

    /// Whether a text may hold a NUL.
    #[must_use]
    pub fn holds_nul(self) -> bool {
        match self {
            Engine::Sqlite => true,
        }
    }

    /// Types as a panel on this engine has them. `NUMBER` is a primary key that numbers itself, `NAME` text that an index serves,
    /// `MOMENT` a date with its time of day, and `BYTES` what is no text.
    #[must_use]
    pub fn words(self, sql: &str) -> String {
        let words = match self {
            Engine::Sqlite => ["INTEGER PRIMARY KEY", "TEXT", "TEXT", "BLOB"],
        };
        let named = ["NUMBER", "NAME", "MOMENT", "BYTES"];
        named.iter().zip(words).fold(sql.to_owned(), |sql, (name, word)| {
            let parts: Vec<&str> = sql.split(name).collect();
            parts.join(word)
        })
    }

    /// Bytes, as a statement writes them.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> String {
        let hex = keyturn_core::seal::hex(bytes);
        match self {
            Engine::Sqlite => format!("x'{hex}'"),
        }
    }

    /// Text, as a statement writes it.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        match self {
            // Its own parser sees a statement only up to a NUL.
            Engine::Sqlite if text.contains('\0') => format!("CAST({} AS TEXT)", self.bytes(text.as_bytes())),
            _ => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// Rows `n(i)` from 1 to `most`, for a FROM.
    #[must_use]
    pub fn counted(self, most: u32) -> String {
        format!(
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n) AS n"
        )
    }
}

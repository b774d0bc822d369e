//! The file: CSV whose first line names its columns. It is read twice, row by row: first to count.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek as _};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, bail, ensure};
use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::exit::{self, ended};

/// The columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Login,
    Email,
    /// The name of the person or company.
    Name,
    Password,
    Reseller,
    State,
    Language,
}

impl Column {
    /// In the order in which they are listed.
    pub const ALL: [Column; 7] = [
        Column::Login,
        Column::Email,
        Column::Name,
        Column::Password,
        Column::Reseller,
        Column::State,
        Column::Language,
    ];
    /// The first so many are required.
    const NEEDED: usize = 4;

    /// The name in the file's first line.
    pub fn name(self) -> &'static str {
        match self {
            Column::Login => "login",
            Column::Email => "email",
            Column::Name => "name",
            Column::Password => "password",
            Column::Reseller => "reseller",
            Column::State => "state",
            Column::Language => "language",
        }
    }
}

/// The position of each column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    at: [Option<usize>; Column::ALL.len()],
    pub fields: usize,
}

impl Columns {
    /// From the file's first line.
    pub(super) fn named(header: &ByteRecord) -> anyhow::Result<Self> {
        let known = || Column::ALL.map(Column::name).join(", ");
        let mut columns = Self { at: [None; Column::ALL.len()], fields: header.len() };
        for (at, name) in header.iter().enumerate() {
            let name = std::str::from_utf8(name).context("its first line is not UTF-8: save the file as CSV UTF-8")?;
            let column = Column::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(name.trim()));
            let Some(column) = column else {
                // One column with all of them in it.
                if let Some(separator) = [';', '\t', '|'].into_iter().find(|c| header.len() == 1 && name.contains(*c)) {
                    let shown = separator.escape_default();
                    bail!("its columns are separated by “{shown}”: add --separator '{shown}'");
                }
                let name = name.escape_debug();
                bail!("its first line names the column “{name}”, which is unknown; known columns: {}", known());
            };
            ensure!(columns.at[column as usize].is_none(), "its first line names the column “{}” twice", column.name());
            columns.at[column as usize] = Some(at);
        }
        let missing = Column::ALL[..Column::NEEDED].iter().find(|column| columns.at[**column as usize].is_none());
        match missing {
            None => Ok(columns),
            Some(column) => {
                bail!("its first line has no column “{}”; it must be like {}", column.name(), known())
            }
        }
    }

    /// The field of a column; empty if the file doesn't have the column.
    pub fn of<'r>(&self, column: Column, row: &'r ByteRecord) -> &'r [u8] {
        self.at[column as usize].and_then(|at| row.get(at)).unwrap_or_default()
    }
}

/// A file with known columns.
pub struct Table {
    reader: Reader<Guarded>,
    since_row: Rc<Cell<u64>>,
    pub columns: Columns,
    /// Rows after the first line.
    pub rows: u64,
}

/// Bytes of a row. A longer one has an unclosed quote, and would read the rest of the file into memory.
const LONGEST_ROW: u64 = 1 << 20;
const BUFFER: usize = 64 << 10;

impl Table {
    /// Opens it and reads its first line.
    ///
    /// # Errors
    /// If it doesn't exist, can't be read, or its first line has unknown columns.
    pub fn open(path: &Path, separator: u8) -> anyhow::Result<Self> {
        let name = path.display();
        let mut file = match File::open(path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Err(ended(exit::NOT_FOUND, format!("the file {name} doesn't exist")));
            }
            opened => opened.with_context(|| format!("can't read {name}"))?,
        };
        let metadata = file.metadata().with_context(|| format!("can't read {name}"))?;
        ensure!(metadata.is_file(), "{name} is not a regular file, and has to be read twice; save it to a file first");
        let mut start = [0; 2];
        let begun = file.read(&mut start).with_context(|| format!("can't read {name}"))?;
        ensure!(begun > 0, "{name} is empty; its first line must name the columns, such as login,email,name,password");
        ensure!(!matches!(start, [0xFF, 0xFE] | [0xFE, 0xFF]), "{name} is UTF-16: save it as CSV UTF-8");
        file.rewind()?;
        let again = file.try_clone()?;
        let mut counting = Self::begin(file, separator).with_context(|| format!("can't import {name}"))?;
        let (mut rows, mut row) = (0, ByteRecord::new());
        // Errors further on are reported after the rows before them are imported.
        while counting.next(&mut row).unwrap_or(false) {
            rows += 1;
        }
        let mut file = again;
        file.rewind()?;
        Ok(Self { rows, ..Self::begin(file, separator)? })
    }

    fn begin(file: File, separator: u8) -> anyhow::Result<Self> {
        let since_row = Rc::new(Cell::new(0));
        let guarded = Guarded { file, since_row: Rc::clone(&since_row) };
        let mut reader =
            ReaderBuilder::new().delimiter(separator).flexible(true).buffer_capacity(BUFFER).from_reader(guarded);
        let columns = Columns::named(reader.byte_headers()?)?;
        Ok(Self { reader, since_row, columns, rows: 0 })
    }

    /// Reads the next row; answers whether there was one.
    ///
    /// # Errors
    /// If the file can't be read further.
    pub fn next(&mut self, row: &mut ByteRecord) -> anyhow::Result<bool> {
        self.since_row.set(0);
        let line = self.reader.position().line();
        self.reader.read_byte_record(row).with_context(|| format!("can't read the file beyond line {line}"))
    }
}

/// Fails before a row fills the machine's memory.
struct Guarded {
    file: File,
    since_row: Rc<Cell<u64>>,
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_row.get() > LONGEST_ROW {
            return Err(std::io::Error::other("a row is longer than 1 MiB; look for an unclosed quote"));
        }
        let read = self.file.read(buffer)?;
        self.since_row.set(self.since_row.get() + read as u64);
        Ok(read)
    }
}

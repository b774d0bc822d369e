//! What commits touch where locks hold on one node only, as in a cluster. There two transactions meet in what both have written,
//! at their commits. So each writes a row for whatever it has read or writes, also for what is absent.

use std::collections::BTreeSet;

use super::commit::{Commit, Effect, Read};
use super::database::params;
use super::error::StorageError;
use super::store::Rows;

/// A row stays so long after it was touched, in milliseconds: longer than any transaction is under way.
const STAYS: i64 = 3600 * 1000;

impl Rows<'_> {
    /// In one order, so that two on one node do not lock each other out.
    pub fn touch(&self, commit: &Commit) -> Result<(), StorageError> {
        let read = commit.reads.iter().filter_map(|read| match read {
            Read::Data { key, .. } => Some(("data", key.as_str())),
            Read::Account { id, .. } => Some(("account", id.as_str())),
            // Its worker reads nothing that a call writes.
            Read::Mail { .. } => None,
        });
        let written = commit.effects.iter().filter_map(|effect| match effect {
            Effect::Put { key, .. } | Effect::Delete { key } => Some(("data", key.as_str())),
            Effect::Replace { id, .. } => Some(("account", id.as_str())),
            _ => None,
        });
        for (kind, name) in read.chain(written).collect::<BTreeSet<_>>() {
            let whose = if kind == "data" { commit.plugin.as_bytes() } else { b"" };
            // A row that keeps its values is none that others are compared with.
            self.change(
                "INSERT INTO keyturnhost_touched (id, times, at) VALUES (?1, 1, ?2)
                 ON CONFLICT (id) DO UPDATE SET times = keyturnhost_touched.times + 1, at = excluded.at",
                params![self.keys.mac("touched", &[kind.as_bytes(), whose, name.as_bytes()]), commit.now],
            )?;
        }
        Ok(())
    }

    /// Removes at most `most` that nobody touched for some time; answers how many.
    pub fn tidy_touched(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let gone = self.execute(
            "DELETE FROM keyturnhost_touched WHERE id IN (SELECT id FROM (
                SELECT id FROM keyturnhost_touched WHERE at <= ?1 ORDER BY at LIMIT ?2) AS old)",
            params![now.saturating_sub(STAYS), most],
        )?;
        Ok(gone as usize)
    }
}

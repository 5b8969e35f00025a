//! A working set whose rows came from a base: what is derived from them is not there yet.

use crate::{ledger::Ledger, version::Version};

impl Ledger {
    /// Marks everything that is derived from the account's rows to be written at `version`, and all of it, because
    /// nothing says what is there. It must be below every record that will be folded.
    pub fn found(&mut self, version: Version) {
        self.gists.found();
        if self.account_version == Version::NONE && self.cells.is_empty() {
            return;
        }
        for cell in self.cells.values_mut() {
            cell.dirty.replayed = true;
        }
        self.dirty.replayed = true;
        self.touch_all(version);
        self.dirty.touched_at = self.dirty.touched_at.max(Some(version));
        self.dirty.since.get_or_insert(version);
        self.note_account_needs();
    }
}

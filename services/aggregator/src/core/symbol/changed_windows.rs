//! Which windows of a symbol have changes to announce and to write.

use market::Window;

/// The windows with changes, each at most once in each list.
///
/// A window is in a list exactly if its [`WindowChangeFlags`] says so.
#[derive(Debug, Default)]
pub(crate) struct ChangedWindows {
    to_announce: Vec<Window>,
    to_write: Vec<Window>,
}

/// Which lists a window is in, kept with its bar.
#[derive(Debug, Default)]
pub(crate) struct WindowChangeFlags {
    to_announce: bool,
    to_write: bool,
}

impl WindowChangeFlags {
    /// Returns whether the window is still to be announced or to be stored.
    pub(crate) const fn is_in_any_list(&self) -> bool {
        self.to_announce || self.to_write
    }

    /// Clears the flag that marks the window as listed for announcing.
    pub(crate) const fn clear_announce_flag(&mut self) {
        self.to_announce = false;
    }

    /// Clears the flag that marks the window as listed for writing.
    pub(crate) const fn clear_write_flag(&mut self) {
        self.to_write = false;
    }
}

impl ChangedWindows {
    /// Adds a window to both lists.
    pub(crate) fn add(&mut self, window: Window, changes: &mut WindowChangeFlags) {
        if !std::mem::replace(&mut changes.to_announce, true) {
            self.to_announce.push(window);
        }
        if !std::mem::replace(&mut changes.to_write, true) {
            self.to_write.push(window);
        }
    }

    /// Takes the windows to announce, in order; their [`WindowChangeFlags`] are then to be cleared.
    pub(crate) fn take_to_announce(&mut self) -> Vec<Window> {
        let mut windows = std::mem::take(&mut self.to_announce);
        windows.sort_unstable();
        windows
    }

    /// Takes the windows to write; their [`WindowChangeFlags`] are then to be cleared.
    pub(crate) fn take_to_write(&mut self) -> Vec<Window> {
        std::mem::take(&mut self.to_write)
    }

    /// Returns the number of windows to write.
    pub(crate) const fn unwritten_count(&self) -> usize {
        self.to_write.len()
    }
}

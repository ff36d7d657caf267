//! When a request has taken effect, told by the request itself.

use std::cell::Cell;
use std::rc::Rc;

/// Shared by a request, which may go on for long after, and its connection, which starts no other before.
#[derive(Clone, Debug, Default)]
pub struct Effect(Rc<Cell<bool>>);

impl Effect {
    /// Says that what the request changes is changed: others may follow, though it is not answered yet.
    pub fn happened(&self) {
        self.0.set(true);
    }

    /// Whether it has been said.
    pub fn has_happened(&self) -> bool {
        self.0.get()
    }
}

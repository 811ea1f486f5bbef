use std::cell::RefCell;

use crate::{
    diag::{Span, TextMap},
    expr::Template,
};

/// What the deserializer gives to [`Templated`](super::Templated) and [`Located`](super::Located).
pub(super) enum Handed {
    /// What is written in a templated field.
    Template(Template),
    /// Where a located value stands.
    Place(Span, TextMap),
}

thread_local! {
    // serde's data model carries neither expressions nor places, and a visitor knows nothing of the
    // deserializer that calls it. The slot is filled right before a visitor is called and emptied by
    // it: nothing outlives that call.
    static SLOT: RefCell<Option<Handed>> = const { RefCell::new(None) };
}

/// Leaves something for the visitor that is called next.
pub(super) fn give(handed: Handed) {
    SLOT.with_borrow_mut(|slot| *slot = Some(handed));
}

/// Takes what was left; `None` under another deserializer than ours.
pub(super) fn take() -> Option<Handed> {
    SLOT.with_borrow_mut(Option::take)
}

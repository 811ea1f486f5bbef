//! Who did what, and proof that nothing was changed afterwards.

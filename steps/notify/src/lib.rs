//! Steps that tell people.

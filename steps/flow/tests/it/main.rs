//! Real processes under the guard.
mod guard;

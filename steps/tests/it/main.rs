//! Checks of whole files with every kind, and what every kind must do.

mod broken;
mod checking;
mod fuzz;
mod good;
mod kinds;

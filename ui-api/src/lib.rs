//! The millwork command line.

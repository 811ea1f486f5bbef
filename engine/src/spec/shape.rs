//! What a key takes: one description that checking, completion and the JSON Schema share.

/// The keys of one kind of mapping.
#[derive(Debug)]
pub struct Keys {
    /// What messages call such a mapping, such as `a step`.
    pub what: &'static str,
    /// Its name in the JSON Schema.
    pub name: &'static str,
    /// The keys.
    pub list: &'static [KeyDoc],
    /// Other engines' words and ours for them.
    pub foreign: &'static [(&'static str, &'static str)],
}

/// One key.
#[derive(Debug)]
pub struct KeyDoc {
    /// As written.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it takes.
    pub shape: Shape,
    /// What it means, in a line.
    pub doc: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub enum Shape {
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// A number of at least this.
    Int(u32),
    /// A number from 0 to 1.
    Share,
    /// A number.
    Number,
    /// `90s`, `10m`.
    Duration,
    /// `6GiB`.
    Size,
    /// `500k`.
    Count,
    /// An identifier.
    Name,
    /// An expression, bare or in `${{ }}`.
    Expr,
    /// Anything.
    Any,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list.
    List(&'static Shape),
    /// One, or a list.
    OneOrMore(&'static Shape),
    /// A mapping with free keys.
    Map(&'static Shape),
    /// A mapping with fixed keys.
    Keys(&'static Keys),
    /// Either of the two.
    Either(&'static Shape, &'static Shape),
}

/// A key that may be left out.
pub(super) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> KeyDoc {
    KeyDoc { name, required: false, shape, doc }
}

/// A key that must be there.
pub(super) const fn must(name: &'static str, shape: Shape, doc: &'static str) -> KeyDoc {
    KeyDoc { name, required: true, shape, doc }
}

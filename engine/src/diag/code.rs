use std::fmt;

use super::Severity;

/// The page that `millwork explain CODE` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What the problem is, in a line.
    pub title: &'static str,
    /// Why it is one, an example, and the remedy.
    pub text: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal $severity:ident $title:literal $text:literal;)*) => {
        /// A stable name for a kind of problem: never reused, never renumbered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as printed, such as `P0004`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The severity that diagnostics with this code have.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)* }
            }

            /// The code's page.
            pub fn page(self) -> Page {
                match self { $(Code::$name => Page { title: $title, text: $text },)* }
            }
        }
    };
}

// P: the file. E: expressions. T: types and tables. G: the graph. L: lints.
codes! {
    YamlSyntax = "P0001" Error "the file is not YAML"
        "The text breaks YAML's grammar, so nothing in it can be read. The message names the first place where reading stopped; the mistake is there or on the line before.\n\nCommon causes: a tab used for indentation, a missing colon or space after it, an unclosed quote or bracket, or text that is not UTF-8.";
    YamlBudget = "P0002" Error "the file is larger or deeper than a pipeline may be"
        "Reading stops at 64 MiB of text, 64 levels of nesting, and at a bounded number of values, aliases and expanded bytes, so that no file can exhaust memory. Split the pipeline, or move data out of it into files that steps read.";
    DuplicateKey = "P0003" Error "a key is given twice"
        "A mapping holds each key once. YAML readers differ in which of two equal keys wins, so neither is taken. Remove one.";
    UnknownKey = "P0004" Error "a key that means nothing here"
        "Unknown keys are errors, so that a misspelt `retry` cannot be ignored silently. Keys that begin with `x-` are free for your own use, at the top level, for example to hold anchors.";
    MissingKey = "P0005" Error "a required key is missing"
        "The mapping needs the key named in the message.";
    WrongShape = "P0006" Error "a value has the wrong shape"
        "The key takes another kind of value, for example a list where a mapping stands. The message names what is expected and what was found.";
}

impl Code {
    /// Finds a code by its printed form, ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_has_a_page() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} is used twice");
            assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(*code));
            assert!(code.page().text.len() > code.page().title.len() / 2, "{code} has an empty page");
        }
    }
}

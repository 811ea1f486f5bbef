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
    UnknownAnchor = "P0007" Error "an alias without its anchor"
        "`*name` stands for the value that `&name` marked earlier in the same file, and there is none.\n\n  x-base: &base {timeout: 5m}\n  steps:\n    - {id: a, uses: wait, <<: *base}\n\nWrite the anchor before its use, or quote a text that begins with `*`.";
    YamlTag = "P0008" Error "a YAML tag that means nothing here"
        "Only the core tags (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`) are read. A text that begins with `!` is a tag to YAML, so it needs quotes: `pattern: \"!*.tmp\"`.";
    NumberRange = "P0009" Error "a number out of range"
        "Integers have 64 bits, and some keys take a smaller range: `max_attempts` and `max_parallel` begin at 1, `min_success` lies from 0 to 1. An identifier that only looks like a number needs quotes: `account: \"99999999999999999999\"`.";
    UnquotedExpression = "P0010" Error "an expression that YAML reads in another way"
        "Braces inside `{}` or `[]`, ` #` and `: ` have a meaning in YAML, so an expression that meets them needs quotes around the whole value.\n\n  wrong: with: {n: ${{ inputs.n }}}\n  right: with: {n: \"${{ inputs.n }}\"}\n\nQuotes do not change the type: a text that is wholly one `${{ }}` keeps the type of its expression.";
    BadName = "P0011" Error "a name that is none"
        "Ids of steps and names of inputs and outputs are lower-case letters, digits and `_`, and begin with a letter: `[a-z][a-z0-9_]*`. A hyphen would be a minus in expressions.\n\n  wrong: id: load-flights\n  right: id: load_flights";
    DuplicateId = "P0012" Error "two steps have the same id"
        "An id names one step of the whole pipeline, those of `on_failure`, `finally` and bodies included, because `steps.ID` in an expression means exactly one. Rename one of them and what refers to it.";
    BadUnit = "P0013" Error "a number without its unit"
        "A bare number could be seconds or milliseconds, bytes or kilobytes, so durations and sizes carry a unit.\n\n  timeout: 90s     also 10m, 1h30m, PT10M\n  memory: 6GiB     also 512MiB, 10MB\n  tokens: 500k     a bare count is fine: 250";
    BadChoice = "P0014" Error "a value that is not among the choices"
        "The key takes one of a few words, which the message names.\n\n  overlap: skip      # skip | queue | cancel | allow";
    BadVersion = "P0015" Error "a version of the language that is not known"
        "Every pipeline begins with `version: 1`, so that a later version of the language can change a meaning without changing what an old file does.";
    BadType = "P0016" Error "a type that cannot be read"
        "Types are any, null, bool, int, float, string, bytes, date, timestamp, duration, list<T>, map<T>, object{a: T}, table<..> and file; `T?` may be null.\n\n  inputs:\n    airports: {type: list<string>, default: [EWR, JFK]}";
    BadCron = "P0017" Error "a cron expression that cannot be read"
        "Five fields: minute, hour, day of month, month, day of week; 0 and 7 are Sunday. Names, ranges, lists, steps, `L W #` and `@hourly @daily @weekly @monthly @yearly` are understood.\n\n  cron: \"0 2 * * *\"       # every day at 02:00\n  cron: \"*/15 9-17 * * 1-5\"";
    BadZone = "P0018" Error "a time zone that is not known"
        "Zones have IANA names, such as `Europe/Berlin`, `Asia/Ho_Chi_Minh` or `UTC`. Abbreviations such as `CET` or `EST` do not say when clocks change.";
    ConflictingKeys = "P0019" Error "two keys that exclude each other"
        "The message names both. A step has either one kind (`uses:`) or a body (`steps:`); `max_parallel`, `key`, `batch` and `min_success` belong to `for_each`; `for_each` and `repeat` do not go together in one step: put the `repeat` into a body.";
    NotUtf8 = "P0020" Error "the file is not UTF-8"
        "Pipelines are UTF-8 text. The message names the first byte that is not. Save the file as UTF-8 in your editor, or convert it: `iconv -f latin1 -t utf-8 old.yaml > new.yaml`.";
    OnIsTrue = "P0021" Error "`true:` stands where `on:` is meant"
        "Tools that follow YAML 1.1 write the key `on` as `true`. Here it is the word `on`.\n\n  on:\n    schedule: [{cron: \"@daily\"}]";
    EmptyPipeline = "P0022" Error "there is nothing in it"
        "A file without content, a pipeline without steps, or a body without steps does nothing. The least pipeline:\n\n  version: 1\n  name: hello\n  steps:\n    - {id: hi, uses: shell, with: {command: [echo, hi]}}";
    BadHost = "P0023" Error "a permission that cannot be read"
        "`http` lists hosts, without scheme and path: `api.example.com`, `*.example.com`, `localhost:8080`. `files` lists paths relative to the pipeline, with `:rw` behind those that may be written. `env` and `secrets` list names.";
    PlainSecret = "P0024" Error "a secret stands in the file"
        "Files are copied, shared and kept in version control, so they name secrets and never hold them.\n\n  wrong: password: hunter2\n  right: password: \"${{ secrets.DB_PASSWORD }}\"\n\nGive the value through the environment or a file that `secrets:` of millwork.yaml names.";
    CronBothDays = "P0030" Warning "day of month and day of week are both given"
        "When both are given, cron runs on days that match either: `0 0 13 * 5` runs on each 13th and on each Friday. `*/2` counts as given. Leave one of them `*`, or make two schedules if that is what you mean.";
    CronDst = "P0031" Warning "a schedule in the hours that clocks change"
        "Between 01:00 and 03:00 local time an hour is missing on one day of the year and comes twice on another. A schedule there runs once on both days by default: after the gap, and in the first of the two hours. Say so with `dst: {gap: run_after, overlap: once}`, choose `gap: skip` or `overlap: twice`, or move it: `cron: \"30 3 * * *\"`.";
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

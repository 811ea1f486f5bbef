use std::path::Path;

use millwork_engine::model::Fault;

use super::Format;

/// What the libraries put before the cause.
const PREFIXES: &[&str] = &[
    "Csv error: ",
    "Json error: ",
    "Parser error: ",
    "Ipc error: ",
    "Io error: ",
    "Parquet argument error: ",
    "Parquet error: ",
    "Invalid argument error: ",
    "External: ",
    "Arrow: ",
];

/// The cause without the names of the libraries it came through.
pub(super) fn tidy(why: &str) -> &str {
    let mut why = why.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| why.strip_prefix(prefix)) {
        why = rest;
    }
    why
}

/// The fault of a file that cannot be read.
pub(super) fn unreadable(name: &str, why: &str) -> Fault {
    Fault::external("table.unreadable", format!("{name} cannot be read: {why}"))
}

/// The fault of bytes that are not what their format says.
pub(super) fn unparsable(format: Format, name: &str, why: &str) -> Fault {
    let why = tidy(why);
    let rows = || Fault::user("table.parse", format!("{name} does not hold the rows expected: {why}"));
    let damaged = |what: &str| {
        Fault::user("table.parse", format!("{name} cannot be read as {what}: {why}"))
            .help(format!("the file is damaged or not {what}: write it again, or say what it is with `format:`"))
    };
    match format {
        Format::Csv => rows().help(
            "give the columns' types with `schema:`, or the format with `format:`, if they were guessed wrong; or mend \
             the file",
        ),
        Format::Json | Format::Ndjson => rows().help(
            "mend the file, or say its format with `format:` and the columns' types with `schema:` if they were guessed \
             wrong",
        ),
        Format::Parquet => damaged("Parquet"),
        Format::Arrow => damaged("Arrow IPC"),
    }
}

/// The fault of a file whose columns are not those wanted.
pub(crate) fn unfit(message: impl Into<String>) -> Fault {
    Fault::user("table.schema", message)
}

/// A file as messages call it.
pub(crate) fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_that_of_the_format() {
        let parquet = unparsable(Format::Parquet, "`a`", "Parquet argument error: Parquet error: Corrupt footer");
        assert_eq!(parquet.message, "`a` cannot be read as Parquet: Corrupt footer");
        assert!(parquet.help.is_some_and(|help| help.contains("damaged") && !help.contains("schema:")));
        let csv = unparsable(Format::Csv, "`a`", "Csv error: line 3");
        assert_eq!(csv.message, "`a` does not hold the rows expected: line 3");
        assert!(csv.help.is_some_and(|help| help.contains("schema:")));
    }
}

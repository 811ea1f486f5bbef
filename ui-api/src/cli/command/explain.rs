use millwork_engine::{diag::Code, model::Fault};

use crate::cli::{
    Exit,
    output::{Output, Tone},
};

/// The page of a code, or the list of all.
pub(super) fn explain(output: &Output, code: Option<&str>) -> Result<Exit, Fault> {
    let Some(text) = code else {
        let rows: Vec<Vec<String>> =
            Code::ALL.iter().map(|code| vec![code.to_string(), code.page().title.to_owned()]).collect();
        output.table(&["CODE", "PROBLEM"], &rows);
        return Ok(Exit::Ok);
    };
    let code = Code::parse(text).ok_or_else(|| {
        Fault::user("cli.usage", format!("there is no code `{text}`")).help("`millwork explain` lists all codes")
    })?;
    let page = code.page();
    output.result(format!("{}: {}\n", output.paint(Tone::Strong, code), page.title));
    for paragraph in page.text.split('\n') {
        output.result(wrap(paragraph, output.width().min(100)));
    }
    Ok(Exit::Ok)
}

/// Breaks a paragraph between words.
fn wrap(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn paragraphs_are_broken_between_words() {
        for (text, width, expected) in [("a b c", 3, "a b\nc"), ("longword b", 4, "longword\nb"), ("", 9, "")] {
            assert_eq!(super::wrap(text, width), expected);
        }
    }
}

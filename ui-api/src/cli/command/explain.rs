use millwork_engine::{
    diag::{Code, nearest},
    model::{Blame, Fault, FaultPage},
};

use crate::cli::{
    Exit,
    output::{Output, Tone},
    words::wrap,
};

/// The page of a code, or the list of all.
pub(super) fn explain(output: &Output, code: Option<&str>) -> Result<Exit, Fault> {
    match code {
        None => list(output),
        Some(text) => page(output, text)?,
    }
    Ok(Exit::Ok)
}

fn list(output: &Output) {
    let problems = Code::ALL.iter().map(|code| vec![code.to_string(), code.page().title.to_owned()]);
    output.table(&["CODE", "PROBLEM"], &problems.collect::<Vec<_>>());
    output.result("");
    let faults = FaultPage::ALL.iter().map(|page| vec![page.code.to_owned(), page.text.to_owned()]);
    output.table(&["FAULT OF A RUN", ""], &faults.collect::<Vec<_>>());
}

fn page(output: &Output, text: &str) -> Result<(), Fault> {
    let width = output.width().min(100);
    if let Some(code) = Code::parse(text) {
        let page = code.page();
        output.result(format!("{}: {}\n", output.paint(Tone::Strong, code), page.title));
        for paragraph in page.text.split('\n') {
            output.result(wrap(paragraph, width));
        }
        return Ok(());
    }
    let page = FaultPage::of(&text.to_lowercase()).ok_or_else(|| {
        let known = FaultPage::ALL.iter().map(|page| page.code).chain(Code::ALL.iter().map(|code| code.as_str()));
        let help = match nearest(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`millwork explain` lists all codes".to_owned(),
        };
        Fault::user("cli.usage", format!("there is no code `{text}`")).help(help)
    })?;
    output.result(format!("{}: {}\n", output.paint(Tone::Strong, page.code), whose(page.blame)));
    output.result(wrap(page.text, width));
    let retry = match page.blame {
        Blame::External => format!(
            "`retry: {{max_attempts: 3}}` makes another try where that can help; `on: [{}]` in it limits it to this.",
            page.code
        ),
        Blame::User => {
            "Another try gives the same, so `retry` does not make one unless its `on` names the code.".to_owned()
        }
        Blame::Internal => {
            "This is a bug in Millwork, not in the pipeline: please report it with what `millwork why` says.".to_owned()
        }
    };
    output.result(format!("\n{}", wrap(&retry, width)));
    Ok(())
}

fn whose(blame: Blame) -> &'static str {
    match blame {
        Blame::User => "for the author of the pipeline or of its data to mend",
        Blame::External => "something outside: a file, a process, a service, or the machine's limits",
        Blame::Internal => "a bug in Millwork",
    }
}

use std::{fs, path::Path};

use millwork_engine::model::Fault;

use crate::cli::{
    Exit,
    output::{Output, Tone},
};

const PIPELINE: &str = r#"version: 1
name: first
inputs:
  who: {type: string, default: world}
steps:
  - id: greet
    uses: shell
    with: {command: [printf, "hello %s", "${{ inputs.who }}"]}

  - id: polite
    uses: assert
    with:
      that:
        condition: ${{ startsWith(steps.greet.outputs.stdout, 'hello') }}
        message: the greeting is not polite
outputs:
  greeting: ${{ steps.greet.outputs.stdout }}
tests:
  - name: greets by name
    given: {inputs: {who: Ada}}
    expect: {outputs: {greeting: hello Ada}}
"#;

/// Writes a first pipeline; nothing that is there is changed.
pub(super) fn init(output: &Output, folder: &Path) -> Result<Exit, Fault> {
    let failed =
        |e: std::io::Error| Fault::external("init.write", format!("{} cannot be written: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let here = folder == Path::new(".");
    let file = if here { "pipeline.yaml".into() } else { folder.join("pipeline.yaml") };
    if file.exists() {
        return Err(Fault::user("init.exists", format!("{} is there already", file.display()))
            .help("give another folder: `millwork init my_pipeline`"));
    }
    fs::write(&file, PIPELINE).map_err(failed)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, ".millwork/\n").map_err(failed)?;
    }
    output.say(format!("{} {}", output.paint(Tone::Good, "wrote"), file.display()));
    output.say(format!("next: millwork run {}", folder.display()));
    Ok(Exit::Ok)
}

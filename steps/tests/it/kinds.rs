//! Every kind that is registered, under the suite for kinds.

use std::fs;

use millwork_testkit::kind_suite;

#[test]
fn every_kind_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    // The only file that an example names and does not bring along.
    let child = "version: 1\nname: child\ninputs:\n  who: {type: string}\nsteps:\n  - id: greet\n    uses: assert\n    \
                 with: {that: {condition: \"${{ inputs.who != '' }}\"}}\noutputs: {text: \"hello ${{ inputs.who }}\"}\n";
    fs::write(folder.path().join("child.yaml"), child).expect("a file");
    kind_suite::run_all(&millwork_steps::registry(), folder.path());
}

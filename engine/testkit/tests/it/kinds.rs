use millwork_engine::step::Registry;
use millwork_testkit::{kind_suite, script};

#[test]
fn scripted_kinds_conform() {
    let mut registry = Registry::new();
    script::register(&mut registry);
    kind_suite::run_all(&registry, std::path::Path::new("/"));
}

//! No output that is recorded holds a secret.

use super::harness::{Lab, yaml};
use crate::{engine::RunRequest, model::RunStatus};

#[tokio::test]
async fn an_output_with_a_secret_in_it_is_refused_and_nothing_of_it_is_on_disk() {
    for form in ["plain", "base64"] {
        let lab = Lab::new();
        let engine = lab.on_disk().await;
        let text = format!(
            "version: 1\nname: leaky\nsecrets: [TOKEN]\nsteps:\n  - id: leaks\n    uses: act\n    \
             with: {{act: reveal, value: {form}, token: \"${{{{ secrets.TOKEN }}}}\"}}\n"
        );
        let handle = engine.start(yaml(&text), RunRequest::default()).await.expect("starts");
        let summary = handle.ended(false).await.expect("ends");
        let fault = summary.fault.expect("a fault");
        assert_eq!((summary.status, fault.code.as_str()), (RunStatus::Failed, "secret.leak"), "{form}");
        assert_eq!(fault.message, "the output `value` of step `leaks` holds the text of the secret `TOKEN`");
        engine.close().await.expect("closes");
        for file in std::fs::read_dir(&lab.home).expect("a folder").flatten() {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            for needle in [&b"hunter22"[..], b"aHVudGVyMjI"] {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "{form} in {}", file.path().display());
            }
        }
    }
}

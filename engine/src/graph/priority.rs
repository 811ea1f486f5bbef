use super::draft::Draft;

/// Steps on the longest path from each step to an end, itself included.
pub(super) fn longest(drafts: &[Draft], order: &[usize]) -> Vec<u32> {
    let mut longest = vec![1_u32; drafts.len()];
    for at in order.iter().rev() {
        for needed in drafts[*at].needs.keys() {
            longest[*needed] = longest[*needed].max(longest[*at].saturating_add(1));
        }
    }
    longest
}

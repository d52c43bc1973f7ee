//! Paths of names.

use super::{BEHIND_NAMES, encoded_name, workflow_path};

#[test]
fn a_name_that_ends_like_what_is_done_with_one_is_told_from_that() {
    for word in BEHIND_NAMES.iter() {
        assert_eq!(encoded_name(&format!("lab/{word}")), format!("lab%2F{word}"));
        assert_eq!(encoded_name(&format!("orgs/acme/{word}")), format!("orgs/acme%2F{word}"));
        assert_eq!(encoded_name(word), *word);
        assert_eq!(encoded_name(&format!("lab/{word}/deploy")), format!("lab/{word}/deploy"));
    }
    assert_eq!(workflow_path("lab/source").unwrap(), "/workflows/lab%2Fsource");
    assert_eq!(workflow_path("lab/resource").unwrap(), "/workflows/lab/resource");
}

//! What the documentation shows is what the policy reader takes.
#![cfg(all(feature = "yaml", feature = "sql"))]

use hoopcore::Policy;

const POLICY: &str = include_str!("../../docs/policy.md");

/// The texts between fences of one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_policy_of_the_page_is_good() {
    let policies = blocks(POLICY, "yaml");
    assert!(policies.len() >= 5, "the page lost its examples");
    for text in policies {
        let problems = Policy::from_yaml(text).err().map(|errors| errors.problems).unwrap_or_default();
        assert!(problems.is_empty(), "{text}\n{problems:#?}");
    }
}

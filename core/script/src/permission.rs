//! Grants: what a run may do, written `module.verb:scope`. Nothing is allowed that isn't granted.

use windlass_model::{Code, Problem};

/// Caps on what workflows may declare, by folder. Comes from the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Folder pattern (`lab/*`) and the grants that workflows there may declare at most. All matching entries count.
    pub caps: Vec<(String, Vec<String>)>,
    unlimited: bool,
}

impl Policy {
    /// Caps by folder; a workflow in no listed folder may declare nothing.
    pub fn new(caps: Vec<(String, Vec<String>)>) -> Self {
        Self { caps, unlimited: false }
    }

    /// No caps: a workflow's own header decides. For embedding and development.
    pub fn allow_all() -> Self {
        Self { caps: Vec::new(), unlimited: true }
    }

    /// The declared grants that the policy doesn't allow a workflow of this name.
    pub fn exceeding<'a>(&self, workflow: &str, declared: &'a [String]) -> Vec<&'a str> {
        let caps = self.caps_for(workflow);
        declared
            .iter()
            .map(String::as_str)
            .filter(|grant| caps.as_ref().is_some_and(|caps| !caps.iter().any(|cap| includes(cap, grant))))
            .collect()
    }

    /// What remains of the declared grants under the policy: each as it is, or narrowed to the cap.
    pub fn effective(&self, workflow: &str, declared: &[String]) -> Vec<String> {
        let Some(caps) = self.caps_for(workflow) else { return declared.to_vec() };
        let mut kept: Vec<String> = Vec::new();
        for grant in declared {
            if caps.iter().any(|cap| includes(cap, grant)) {
                kept.push(grant.clone());
            } else {
                kept.extend(caps.iter().filter(|cap| includes(grant, cap)).map(|cap| (*cap).to_owned()));
            }
        }
        kept
    }

    fn caps_for(&self, workflow: &str) -> Option<Vec<&str>> {
        if self.unlimited {
            return None;
        }
        let matching = self.caps.iter().filter(|(folder, _)| glob(folder, workflow));
        Some(matching.flat_map(|(_, grants)| grants.iter().map(String::as_str)).collect())
    }
}

/// Whether the grant allows this verb on this scope. A `*` at the end stands for anything; elsewhere it stands for
/// anything without a `/`.
pub fn covers(grant: &str, verb: &str, scope: &str) -> bool {
    grant
        .split_once(':')
        .is_some_and(|(granted_verb, granted_scope)| glob(granted_verb, verb) && glob(granted_scope, scope))
}

/// Whether everything that `inner` allows is allowed by `outer` too.
pub fn includes(outer: &str, inner: &str) -> bool {
    inner.split_once(':').is_some_and(|(verb, scope)| covers(outer, verb, scope))
}

/// What changed between two lists of grants: those that are new, and those that are gone. A grant that another one of
/// the old list includes already isn't new.
pub fn difference(old: &[String], new: &[String]) -> (Vec<String>, Vec<String>) {
    let missing = |from: &[String], to: &[String]| -> Vec<String> {
        from.iter().filter(|grant| !to.iter().any(|other| includes(other, grant))).cloned().collect()
    };
    (missing(new, old), missing(old, new))
}

/// The grant in plain words: `create and remove network devices in lab`. `verb_words` finds a verb's words.
pub fn words(grant: &str, verb_words: impl Fn(&str) -> Option<&'static str>) -> String {
    let Some((verb, scope)) = grant.split_once(':') else { return format!("use `{grant}`") };
    let verb_text = match (verb, verb_words(verb)) {
        ("*", _) => "do anything with".to_owned(),
        (_, Some(words)) => words.to_owned(),
        (verb, None) => match verb.strip_suffix(".*") {
            Some(module) => format!("do anything of module `{module}` with"),
            None => format!("use `{verb}` on"),
        },
    };
    match scope {
        // "look at devices of the lab" names what the scope says which of.
        "*" if verb_text.ends_with(" of the lab") => verb_text.replace(" of the lab", " of any lab"),
        "*" => format!("{verb_text} everything"),
        scope => format!("{verb_text} {scope}"),
    }
}

/// The error of a call that no grant covers.
pub(crate) fn denied(op: &str, verb: &str, scope: Option<&str>) -> Problem {
    let grant = format!("{verb}:{}", scope.unwrap_or("…"));
    Problem::new(Code::PermissionDenied, format!("`{op}` needs the grant `{grant}`, which this run doesn't have"))
        .help(format!(
            "Add \"{grant}\" to `permissions` in the workflow's header, and have the server's policy allow it."
        ))
        .data(serde_json::json!({ "op": op, "grant": grant }))
        .no_effect()
}

/// Whether the grant is written as one: a verb, a colon, a scope.
pub fn is_well_formed(grant: &str) -> bool {
    grant.split_once(':').is_some_and(|(verb, scope)| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._*".contains(&byte);
        !verb.is_empty() && verb.bytes().all(known) && !scope.is_empty()
    })
}

/// Matches a pattern with `*` against text, without backtracking into what is exponential.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) if !prefix.contains('*') => text.starts_with(prefix),
        None if !pattern.contains('*') => pattern == text,
        _ => glob_bytes(pattern.as_bytes(), text.as_bytes()),
    }
}

fn glob_bytes(pattern: &[u8], text: &[u8]) -> bool {
    // The classic two-pointer match: a mismatch goes back to the last `*` only, which is enough because an earlier one
    // could only have taken less.
    let (mut at, mut seen, mut star, mut resume) = (0, 0, None, 0);
    while seen < text.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            if at + 1 == pattern.len() {
                return true;
            }
            star = Some(at);
            resume = seen;
            at += 1;
        } else if at < pattern.len() && pattern[at] == text[seen] {
            at += 1;
            seen += 1;
        } else if let Some(last) = star.filter(|_| text[resume] != b'/') {
            resume += 1;
            seen = resume;
            at = last + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_cover_what_they_say() {
        for (grant, verb, scope, expected) in [
            ("net.write:lab", "net.write", "lab", true),
            ("net.write:lab", "net.write", "lab2", false),
            ("net.write:lab", "net.read", "lab", false),
            ("net.*:lab", "net.read", "lab", true),
            ("*:*", "net.read", "lab", true),
            ("net.write", "net.write", "lab", false),
            ("dns.write:*.omani.works", "dns.write", "a.omani.works", true),
            ("dns.write:*.omani.works", "dns.write", "a.b.omani.works", true),
            ("dns.write:*.omani.works", "dns.write", "omani.works", false),
            ("dns.write:*.omani.works", "dns.write", "evil/x.omani.works", false),
            ("docker.run:image=frr:*", "docker.run", "image=frr:9", true),
            ("http:GET https://api.example.net/v1/*", "http", "GET https://api.example.net/v1/a/b", true),
            ("http:GET https://*.example.net/v1/*", "http", "GET https://evil.net/x.example.net/v1/a", false),
        ] {
            assert_eq!(covers(grant, verb, scope), expected, "{grant} / {verb}:{scope}");
        }
    }

    #[test]
    fn a_policy_caps_by_folder() {
        let policy = Policy::new(vec![("lab/*".into(), vec!["net.*:lab*".into()])]);
        let declared = ["net.write:lab-1".to_owned(), "exec.run:*".to_owned(), "net.*:*".to_owned()];
        assert_eq!(policy.exceeding("lab/x", &declared), ["exec.run:*", "net.*:*"]);
        assert_eq!(policy.effective("lab/x", &declared), ["net.write:lab-1", "net.*:lab*"]);
        assert_eq!(policy.effective("other/x", &declared), Vec::<String>::new());
        assert_eq!(Policy::allow_all().effective("other/x", &declared), declared);
    }

    #[test]
    fn differences_ignore_what_was_included_before() {
        let old = ["net.write:lab*".to_owned(), "kv.read:*".to_owned()];
        let new = ["net.write:lab-1".to_owned(), "exec.run:ls".to_owned()];
        let (widened, dropped) = difference(&old, &new);
        assert_eq!(widened, ["exec.run:ls"]);
        assert_eq!(dropped, ["net.write:lab*", "kv.read:*"]);
        assert_eq!(words("net.write:lab", |_| Some("change networks in")), "change networks in lab");
    }
}

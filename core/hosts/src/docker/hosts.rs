//! Names in nodes: a lab's block of `/etc/hosts`. What else stands in that file stays.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _, net::IpAddr};

use futures_util::{StreamExt, TryStreamExt, stream};
use windlass_model::{Code, Problem};

use super::{
    create::AT_A_TIME,
    fault::Kind,
    inside::{ARCHIVE_BYTES, File, archive, only_file},
    lab::Lab,
};
use crate::lab_names::check_name;

pub const PATH: &str = "/etc/hosts";
/// What a node knows that nobody has told anything.
const OWN: &str =
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
const BEGIN: &str = "# The lab's nodes\n";
const END: &str = "# The lab's nodes end\n";
/// Addresses of all names together.
const ADDRESSES: usize = 4_096;

/// Addresses by name.
pub type Names = BTreeMap<String, Vec<IpAddr>>;

/// Refuses what can't stand there.
pub fn check(names: &Names) -> Result<(), Problem> {
    names.keys().try_for_each(|name| check_name("node", name))?;
    if names.values().map(Vec::len).sum::<usize>() <= ADDRESSES {
        return Ok(());
    }
    Err(Problem::new(Code::LimitExceeded, format!("`hosts` may have at most {ADDRESSES} addresses")).no_effect())
}

/// The file of a node that is made.
pub fn new(names: &Names) -> String {
    told(OWN, names)
}

/// The file with other names in it. Lines of others stay where they are.
fn told(before: &str, names: &Names) -> String {
    let mut rest = Cow::Borrowed(before);
    if let Some((above, below)) = before.split_once(BEGIN)
        && let Some((_, below)) = below.split_once(END)
    {
        rest = format!("{above}{below}").into();
    }
    if names.values().all(Vec::is_empty) {
        return rest.into_owned();
    }
    let mut text = rest.into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(BEGIN);
    for (name, address) in names.iter().flat_map(|(name, all)| all.iter().map(move |address| (name, address))) {
        // Writing to a String doesn't fail.
        let _ = writeln!(text, "{address}\t{name}");
    }
    text.push_str(END);
    text
}

/// Tells nodes that are there the names; four at a time.
pub async fn tell(lab: &Lab<'_>, nodes: &[String], names: &Names) -> Result<(), Problem> {
    check(names)?;
    stream::iter(nodes.iter().map(|node| one(lab, node, names))).buffer_unordered(AT_A_TIME).try_collect().await
}

async fn one(lab: &Lab<'_>, node: &str, names: &Names) -> Result<(), Problem> {
    let failed = || format!("{PATH} in the node {node}");
    let container = lab.container(node).await?;
    let before = match lab.backend().get(&container.id, PATH, ARCHIVE_BYTES).await {
        // What isn't a text file is nothing to keep.
        Ok(packed) => only_file(&packed, PATH).map_or_else(|_| OWN.to_owned(), |(text, _)| text),
        Err(fault) if fault.kind == Kind::Missing => OWN.to_owned(),
        Err(fault) => return Err(fault.problem(failed())),
    };
    let now = told(&before, names);
    if now == before {
        return Ok(());
    }
    let packed = archive(&[File::new(PATH, now.into(), None)?])?;
    lab.backend().put(&container.id, "/", packed).await.map_err(|fault| fault.problem(failed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[(&str, &str)]) -> Names {
        all.iter().map(|(name, address)| ((*name).to_owned(), vec![address.parse().unwrap()])).collect()
    }

    #[test]
    fn the_labs_names_come_and_go_and_what_others_wrote_stays() {
        let first = told(OWN, &names(&[("a", "10.0.0.1"), ("b", "fd00::2")]));
        assert!(first.starts_with(OWN) && first.contains("10.0.0.1\ta\n") && first.contains("fd00::2\tb\n"), "{first}");
        let mine = format!("{first}10.9.9.9 mine");
        let second = told(&mine, &names(&[("c", "10.0.0.3")]));
        assert!(second.contains("10.9.9.9 mine\n") && second.contains("10.0.0.3\tc\n"), "{second}");
        assert!(!second.contains("10.0.0.1"), "{second}");
        assert_eq!(told(&second, &names(&[("c", "10.0.0.3")])), second);
        assert_eq!(told(&second, &Names::new()), format!("{OWN}10.9.9.9 mine\n"));
        assert_eq!(told("", &Names::new()), "");
    }

    #[test]
    fn nothing_but_names_gets_in() {
        assert!(check(&names(&[("a\n10.0.0.1 bank.example", "10.0.0.1")])).is_err());
        assert!(check(&Names::from([("a".to_owned(), vec!["10.0.0.1".parse().unwrap(); ADDRESSES + 1])])).is_err());
    }
}

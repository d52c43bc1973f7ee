//! What an invitation's letter says: as text, and as HTML for those who see it.

use crate::services::Letter;

/// What is said.
pub(super) struct Facts<'a> {
    /// How people call the organisation.
    pub(super) title: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Who invites.
    pub(super) by: &'a str,
    /// What they will be.
    pub(super) role: &'a str,
    /// Where it is accepted.
    pub(super) link: &'a str,
    /// Until when.
    pub(super) until: &'a str,
}

/// The letter to this address.
pub(super) fn write(to: &str, facts: &Facts) -> Letter {
    let Facts { title, name, by, role, link, until } = facts;
    let text = format!(
        "{by} invites you to the organisation {title} ({name}), as {role}.\n\n\
         Accept the invitation here:\n{link}\n\n\
         The link works once, until {until}, and for this e-mail address only.\n\
         If you don't expect this, do nothing: the invitation ends by itself.\n"
    );
    let [title, name, by, role, link, until] = [title, name, by, role, link, until].map(|text| escaped(text));
    let html = format!(
        "<!doctype html><html lang=\"en\"><body style=\"font-family:sans-serif;color:#111;background:#fff\">\
         <p>{by} invites you to the organisation <strong>{title}</strong> ({name}), as {role}.</p>\
         <p><a href=\"{link}\">Accept the invitation</a></p>\
         <p>The link works once, until {until}, and for this e-mail address only.<br>\
         If you don't expect this, do nothing: the invitation ends by itself.</p></body></html>"
    );
    let subject: String = format!("Invitation to {}", facts.title).chars().take(180).collect();
    Letter { to: to.to_owned(), subject, text, html }
}

fn escaped(text: &str) -> String {
    let escape = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_is_text_and_no_markup() {
        let title = "<script>alert('x')</script> & \"co\"";
        let facts =
            Facts { title, name: "acme", by: "ann", role: "viewer", link: "https://x.test/#w", until: "tomorrow" };
        let letter = write("bob@acme.test", &facts);
        assert!(!letter.html.contains("<script>") && letter.html.contains("&lt;script&gt;"), "{}", letter.html);
        assert!(letter.text.contains(title) && letter.text.contains("https://x.test/#w"));
        assert!(letter.html.contains("href=\"https://x.test/#w\""));
    }
}

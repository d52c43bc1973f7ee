//! What `windlass plugin new` writes: a plugin for a registrar that nobody has, which passes the conformance kit as it is.

/// Files of a new plugin, by their names.
pub fn starter(id: &str, author: &str) -> Vec<(String, String)> {
    let quoted = toml::Value::String(author.to_owned()).to_string();
    let texts = [
        ("plugin.toml", include_str!("starter/plugin.toml")),
        ("main.rhai", include_str!("starter/main.rhai")),
        ("fixtures/validate.json", include_str!("starter/validate.json")),
        ("fixtures/validate-invalid_credentials.json", include_str!("starter/wrong-key.json")),
        ("fixtures/list.json", include_str!("starter/list.json")),
        ("fixtures/get.json", include_str!("starter/get.json")),
        ("fixtures/get-domain_not_in_account.json", include_str!("starter/foreign.json")),
        ("fixtures/set.json", include_str!("starter/set.json")),
        ("fixtures/set-insufficient_rights.json", include_str!("starter/read-only.json")),
    ];
    let filled = |text: &str| text.replace("{{id}}", id).replace("\"{{author}}\"", &quoted);
    texts.iter().map(|(name, text)| ((*name).to_owned(), filled(text))).collect()
}

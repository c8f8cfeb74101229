//! What the tests of all forms look at.

use super::ImportedConfig;

/// Users with their common names, as text: `alice=[alice, a-phone] bob=bob`.
pub(super) fn users(imported: &ImportedConfig) -> String {
    let config: toml::Table = imported.config.parse().unwrap();
    let users = config
        .get("api_user")
        .map(|users| users.as_table().unwrap().clone())
        .unwrap_or_default();
    let names = |user: &toml::Value| match &user["client_cn"] {
        toml::Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(toml::Value::as_str).collect();
            format!("[{}]", names.join(", "))
        }
        name => name.as_str().unwrap_or_default().to_owned(),
    };
    users
        .iter()
        .map(|(name, user)| format!("{name}={}", names(user)))
        .collect::<Vec<_>>()
        .join(" ")
}

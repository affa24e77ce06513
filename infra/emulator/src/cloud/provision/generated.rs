//! `GenerateSecretString`: a random password, bare or as a member of a JSON template.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-secretsmanager-secret-generatesecretstring.html>

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::{error::CloudError, random};

/// The recipe, with AWS's defaults.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "CloudFormation's own members"
)]
pub(super) struct GenerateSecretString {
    secret_string_template: Option<String>,
    generate_string_key: Option<String>,
    password_length: usize,
    exclude_characters: String,
    exclude_lowercase: bool,
    exclude_numbers: bool,
    exclude_punctuation: bool,
    exclude_uppercase: bool,
    include_space: bool,
    require_each_included_type: bool,
}

impl Default for GenerateSecretString {
    fn default() -> Self {
        Self {
            secret_string_template: None,
            generate_string_key: None,
            password_length: 32,
            exclude_characters: String::new(),
            exclude_lowercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            exclude_uppercase: false,
            include_space: false,
            require_each_included_type: true,
        }
    }
}

impl GenerateSecretString {
    /// Draws the secret.
    pub(super) fn generate(&self) -> Result<String, CloudError> {
        match (&self.secret_string_template, &self.generate_string_key) {
            (None, None) => self.password(),
            (Some(template), Some(key)) => {
                let mut object: Map<String, Value> =
                    serde_json::from_str(template).map_err(|e| {
                        CloudError::new(format!("SecretStringTemplate is not a JSON object: {e}"))
                    })?;
                object.insert(key.clone(), self.password()?.into());
                Ok(Value::Object(object).to_string())
            }
            _ => Err(CloudError::new(
                "SecretStringTemplate and GenerateStringKey need each other",
            )),
        }
    }

    fn password(&self) -> Result<String, CloudError> {
        let classes = self.classes();
        let alphabet = classes.concat();
        if alphabet.is_empty() || !(classes.len()..=4096).contains(&self.password_length) {
            return Err(CloudError::new(
                "GenerateSecretString leaves no password to draw",
            ));
        }
        loop {
            let password = random::text(&alphabet, self.password_length)
                .map_err(|_| CloudError::new("the operating system gave no random bytes"))?;
            // Drawing again keeps every permitted password equally likely.
            let complete = classes
                .iter()
                .all(|class| password.contains(class.as_slice()));
            if complete || !self.require_each_included_type {
                return Ok(password);
            }
        }
    }

    fn classes(&self) -> Vec<Vec<char>> {
        let included: [(bool, Vec<char>); 5] = [
            (!self.exclude_lowercase, ('a'..='z').collect()),
            (!self.exclude_uppercase, ('A'..='Z').collect()),
            (!self.exclude_numbers, ('0'..='9').collect()),
            (
                !self.exclude_punctuation,
                "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".chars().collect(),
            ),
            (self.include_space, vec![' ']),
        ];
        let excluded = |c: &char| self.exclude_characters.contains(*c);
        let classes = included.into_iter().filter(|(included, _)| *included);
        let classes = classes.map(|(_, class)| {
            class
                .into_iter()
                .filter(|c| !excluded(c))
                .collect::<Vec<_>>()
        });
        classes.filter(|class| !class.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn generate(recipe: Value) -> Result<String, CloudError> {
        serde_json::from_value::<GenerateSecretString>(recipe)
            .unwrap()
            .generate()
    }

    #[test]
    fn a_template_gets_its_member() {
        let secret = generate(json!({
            "SecretStringTemplate": "{\"user\":\"x\"}", "GenerateStringKey": "1",
            "PasswordLength": 64, "ExcludePunctuation": true,
        }));
        let secret: Value = serde_json::from_str(&secret.unwrap()).unwrap();
        let password = secret["1"].as_str().unwrap();
        assert_eq!(secret["user"], "x");
        assert!(password.len() == 64 && password.chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn every_class_appears_and_excluded_characters_do_not() {
        for _ in 0..50 {
            let secret = generate(
                json!({"PasswordLength": 5, "ExcludeCharacters": "abc", "IncludeSpace": true}),
            )
            .unwrap();
            assert!(
                secret.contains(' ') && secret.contains(|c: char| c.is_ascii_punctuation()),
                "{secret}"
            );
            assert!(!secret.contains(['a', 'b', 'c']));
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        assert!(generate(json!({"PasswordLength": 3})).is_err());
        assert!(generate(json!({"SecretStringTemplate": "{}"})).is_err());
        assert!(generate(json!({"SecretStringTemplate": "[]", "GenerateStringKey": "1"})).is_err());
    }
}

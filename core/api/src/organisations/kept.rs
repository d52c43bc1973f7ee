//! What is kept of an organisation beside itself: its places, and how it looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::kept::{Kept, Kind};

/// A named place of an organisation that apps go into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentBody {
    /// Its name, unique in its organisation.
    pub name: String,
    /// The domain that its apps are reached under.
    pub domain: Option<String>,
    /// The rest: what the workflows that fill it need to know.
    pub facts: Value,
    /// The run that has made it.
    pub run: Option<String>,
    /// The step that has made it.
    pub made_by: Option<String>,
}

/// How an organisation looks to people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrandBody {
    /// What stands at the top of its pages.
    pub title: String,
    /// An image: `data:image/png;base64,…`, or an https address.
    pub logo: Option<String>,
    /// Its colours.
    pub colours: Colours,
    /// The brand that a step has replaced, for its undo: its key, and what was there.
    pub replaced: Option<(String, Option<Box<BrandBody>>)>,
}

/// Colours, `#rrggbb`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Colours {
    /// Behind everything; white if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// Text on that; almost black if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Behind buttons, and for links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Text on buttons; white if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_primary: Option<String>,
}

impl Kind for EnvironmentBody {
    const KIND: &'static str = "environment";
}

impl Kind for BrandBody {
    const KIND: &'static str = "brand";
}

/// A place of an organisation; its id is `organisation/name`.
pub type Environment = Kept<EnvironmentBody>;
/// How an organisation looks; its id is the organisation's name.
pub type Brand = Kept<BrandBody>;

//! What tests of this folder share: secrets that are sealed only in name.

use serde_json::Value;
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use crate::services::Secrets;

/// Seals by writing the context in front.
pub struct Plain;

impl Secrets for Plain {
    fn put(&self, _: &Engine, _: &str, _: &str, _: &[String]) -> Result<(), Problem> {
        Ok(())
    }

    fn list(&self) -> Result<Vec<Value>, Problem> {
        Ok(Vec::new())
    }

    fn delete(&self, _: &Engine, _: &str) -> Result<(), Problem> {
        Ok(())
    }

    fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
        work()
    }

    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        Ok(format!("{context}|{plain}"))
    }

    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem> {
        let plain = sealed.strip_prefix(context).and_then(|rest| rest.strip_prefix('|'));
        plain.map(str::to_owned).ok_or_else(|| Problem::new(Code::Storage, "sealed for something else"))
    }

    fn scrub(&self, _: &str, text: &str) -> String {
        text.to_owned()
    }
}

//! Sealing for what is kept in documents (seeds of one-time codes, keys of webhooks): with a key of its own, which is a
//! secret in the vault. So a rotation of the vault's key leaves what is sealed here readable.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use windlass_model::{Code, Problem};
use windlass_script::SecretSource as _;
use zeroize::Zeroizing;

use super::{
    Vault,
    seal::{self, Key},
};

/// The name that the key has in the vault. No script can use it: it may go nowhere. Nobody can set or remove it.
const DOCUMENT_KEY: &str = "windlass.document-key";

impl Vault {
    /// Seals a text; `context` is bound to it.
    pub fn seal_text(&self, context: &str, plain: &str) -> Result<String, Problem> {
        let sealed = seal::seal(&self.document_key()?, context, "", plain)?;
        Ok(BASE64_STANDARD.encode(sealed))
    }

    /// Opens what `seal_text` made with the same context.
    pub fn open_text(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, Problem> {
        let bytes = BASE64_STANDARD
            .decode(sealed)
            .map_err(|_| Problem::new(Code::Storage, format!("what is sealed for {context} is damaged")))?;
        seal::open(&[self.document_key()?], context, "", &bytes)
    }

    fn document_key(&self) -> Result<Key, Problem> {
        let text = match self.get(DOCUMENT_KEY) {
            Err(problem) if problem.code == Code::SecretNotFound => {
                self.make_document_key()?;
                self.get(DOCUMENT_KEY)?
            }
            other => other?,
        };
        let damaged = || Problem::new(Code::Storage, "the key for documents is damaged");
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.as_bytes(), &mut *bytes).map_err(|_| damaged())?;
        Ok(Key { id: *b"document", bytes })
    }

    /// Two processes may need the key first at the same moment: the one that comes second finds the first one's.
    fn make_document_key(&self) -> Result<(), Problem> {
        let _changing = self.making.lock();
        match self.get(DOCUMENT_KEY) {
            Err(problem) if problem.code == Code::SecretNotFound => {
                let fresh: [u8; 32] = rand::random();
                self.keep_own(DOCUMENT_KEY, &Zeroizing::new(hex::encode(fresh)))
            }
            other => other.map(drop),
        }
    }
}

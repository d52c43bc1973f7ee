//! One sealed value: `1 | key id (8) | nonce (24) | ciphertext`, XChaCha20-Poly1305, bound to its name and its policy.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const HEAD: usize = 1 + 8 + 24;

/// A key with the id that sealed values name it by.
#[derive(Clone)]
pub struct Key {
    /// Names the key; not secret.
    pub id: [u8; 8],
    /// The key.
    pub bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    /// A fresh key.
    pub fn generate() -> Self {
        Self { id: rand::random(), bytes: Zeroizing::new(rand::random()) }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

/// Encrypts a value. Its name and policy are authenticated: neither can be exchanged in the database.
pub fn seal(key: &Key, name: &str, policy: &str, value: &str) -> Result<Vec<u8>, Problem> {
    let nonce: [u8; 24] = rand::random();
    let bound = bound_to(name, policy);
    let payload = Payload { msg: value.as_bytes(), aad: &bound };
    let ciphertext = key
        .cipher()
        .encrypt((&nonce).into(), payload)
        .map_err(|_| Problem::new(Code::Internal, format!("the secret `{name}` can't be encrypted")))?;
    Ok([&[FORMAT][..], &key.id, &nonce, &ciphertext].concat())
}

/// Id of the key that a sealed value needs.
pub fn key_id(sealed: &[u8]) -> Option<&[u8]> {
    (sealed.len() > HEAD && sealed[0] == FORMAT).then(|| &sealed[1..9])
}

/// Decrypts a value.
pub fn open(keys: &[Key], name: &str, policy: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Problem> {
    let damaged = || {
        Problem::new(Code::Storage, format!("the secret `{name}` was changed in the database, or isn't for this key"))
            .help(format!("set it again: `windlass secrets set {name}`"))
    };
    let id = key_id(sealed).ok_or_else(damaged)?;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| {
        Problem::new(Code::Storage, format!("the secret `{name}` is encrypted with a key that isn't in the key file"))
            .help("restore `secrets.key` from the backup that belongs to this database")
    })?;
    let nonce: [u8; 24] = sealed[9..HEAD].try_into().map_err(|_| damaged())?;
    let bound = bound_to(name, policy);
    let payload = Payload { msg: &sealed[HEAD..], aad: &bound };
    let plain = Zeroizing::new(key.cipher().decrypt((&nonce).into(), payload).map_err(|_| damaged())?);
    std::str::from_utf8(&plain).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| damaged())
}

fn bound_to(name: &str, policy: &str) -> Vec<u8> {
    [name.as_bytes(), &[0], policy.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_only_as_it_was_put() {
        let (key, other) = (Key::generate(), Key::generate());
        let sealed = seal(&key, "token", "{}", "hunter2").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(&**open(&[other.clone(), key.clone()], "token", "{}", &sealed).unwrap(), "hunter2");
        let open_as = |name: &str, policy: &str, sealed: &[u8]| open(std::slice::from_ref(&key), name, policy, sealed);
        assert!(open_as("other", "{}", &sealed).is_err());
        assert!(open_as("token", "{\"to\":[\"*\"]}", &sealed).is_err());
        assert!(open(&[other], "token", "{}", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open_as("token", "{}", &changed).is_err(), "byte {at}");
        }
        assert!(open_as("token", "{}", &sealed[..20]).is_err());
    }
}

//! Random words that open something, and what is kept of them.

use subtle::ConstantTimeEq as _;

/// 32 random bytes, hex.
pub fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// What is kept of a random word. It has 256 bits of its own: a fast hash is enough.
pub fn hash(word: &str) -> String {
    blake3::hash(word.as_bytes()).to_hex().to_string()
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
pub fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The word that changes have to bring along with a session's cookie: who has the cookie can compute it, who only makes a
/// browser send the cookie can't.
pub fn csrf(cookie: &str) -> String {
    hex::encode(blake3::derive_key("windlass 2026 session csrf", cookie.as_bytes()))
}

/// A password for people to type once: five groups of four letters and digits that can't be mistaken, 100 bits.
pub fn spoken() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let bytes: [u8; 20] = rand::random();
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_fresh_and_compared_whole() {
        assert_ne!(random_hex(), random_hex());
        assert_eq!((random_hex().len(), spoken().len()), (64, 24));
        assert!(same("abc", "abc") && !same("abc", "abd") && !same("abc", "ab"));
        assert!(csrf("a") != csrf("b") && csrf("a") != hash("a"));
    }
}

//! The fingerprint that the provider shows for an SSH key: MD5, as old as it is, over the key's bytes.

use base64::{Engine, engine::general_purpose::STANDARD};

const SHIFTS: [u32; 16] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

/// `b7:2f:…`, or none when that isn't a public key in OpenSSH's form.
pub(super) fn fingerprint(public_key: &str) -> Option<String> {
    let mut words = public_key.split_whitespace();
    let (kind, key) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    // The key's bytes begin with the length and the name of its kind.
    let named = key.get(4..4 + kind.len())? == kind.as_bytes();
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-") || kind.starts_with("sk-");
    (named && known).then(|| md5(&key).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
}

fn md5(data: &[u8]) -> [u8; 16] {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut padded = data.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if (data.len() + 1) % 64 > 56 {
        padded.resize(padded.len() + 64, 0);
    }
    let at = padded.len() - 8;
    padded[at..].copy_from_slice(&(data.len() as u64 * 8).to_le_bytes());
    for block in padded.chunks_exact(64) {
        let word = |index: usize| {
            let at = index * 4;
            u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_u32 {
            let index = step as usize;
            let (mixed, from) = match step / 16 {
                0 => ((b & c) | (!b & d), index),
                1 => ((d & b) | (!d & c), (5 * index + 1) % 16),
                2 => (b ^ c ^ d, (3 * index + 5) % 16),
                _ => (c ^ (b | !d), (7 * index) % 16),
            };
            // The constants are the sines of the steps.
            let sine = (f64::from(step + 1).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mixed).wrapping_add(sine).wrapping_add(word(from));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[index / 16 * 4 + index % 4]));
        }
        for (held, new) in state.iter_mut().zip([a, b, c, d]) {
            *held = held.wrapping_add(new);
        }
    }
    let mut digest = [0; 16];
    for (place, word) in digest.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_known_one() {
        let hex = |data: &[u8]| md5(data).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        let long = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(hex(long), "57edf4a22be3c955ac49da2e2107b67a");
        assert_eq!(hex(&[b'a'; 56]), "3b0c8ac703f828b04c6c197006d17218");
    }

    #[test]
    fn only_keys_have_one() {
        assert!(
            fingerprint("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E me")
                .is_some()
        );
        for bad in ["", "ssh-ed25519", "ssh-ed25519 ???", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCG"] {
            assert_eq!(fingerprint(bad), None, "{bad}");
        }
    }
}

//! Codes: 90 random bits in Crockford's base 32, and two characters by which a mistyped one is known without asking anybody.

use zeroize::Zeroizing;

const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random characters, 5 bits each.
const RANDOM: usize = 18;
/// The greatest prime that two characters can hold: a wrong character, and two that were swapped, always show.
const PRIME: u32 = 1_021;
/// Characters between two hyphens.
const GROUP: usize = 4;
/// Characters of all together.
const LENGTH: usize = RANDOM + 2;

/// A fresh code, grouped: `7KX2-…`.
pub(super) fn fresh() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; RANDOM]>());
    let mut digits: Zeroizing<Vec<u8>> = Zeroizing::new(bytes.iter().map(|byte| byte % 32).collect());
    let check = check(&digits);
    digits.extend([to_digit(check / 32), to_digit(check % 32)]);
    grouped(&digits)
}

fn to_digit(value: u32) -> u8 {
    // Below 32: the prime is below 32 times 32.
    u8::try_from(value).unwrap_or(0)
}

fn check(digits: &[u8]) -> u32 {
    // Two places are left for the sum itself, so that it is another digit of the same number.
    let sum = digits.iter().fold(0, |sum, digit| (sum * 32 + u32::from(*digit)) % PRIME);
    sum * (32 * 32 % PRIME) % PRIME
}

fn grouped(digits: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
    for (index, digit) in digits.iter().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(*digit % 32)]));
    }
    text
}

/// What is looked for when somebody types a text: the code in its one way of writing, whether it can be one at all. Case,
/// hyphens and spaces don't count; `O` is 0, `I` and `L` are 1.
pub(super) fn typed(text: &str) -> (Zeroizing<String>, bool) {
    let mut digits: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(LENGTH));
    for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).take(LENGTH + 1) {
        let letter = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        // Something that is no letter of a code makes the sum of the rest meaningless, and the length wrong.
        if let Some(digit) = LETTERS.iter().position(|known| *known == letter) {
            digits.push(to_digit(u32::try_from(digit).unwrap_or(0)));
        } else {
            digits.truncate(0);
            break;
        }
    }
    let sound = digits.len() == LENGTH && {
        let (random, sum) = digits.split_at(RANDOM);
        check(random) == u32::from(sum[0]) * 32 + u32::from(sum[1])
    };
    (grouped(&digits), sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(text: &str) -> bool {
        typed(text).1
    }

    #[test]
    fn codes_are_random_grouped_and_sound() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(*one, *other);
        assert_eq!((one.len(), one.matches('-').count()), (24, 4));
        assert!(sound(&one) && sound(&other));
        assert!(!sound("") && !sound("AAAA") && !sound(&format!("{}A", *one)) && !sound("käse"));
    }

    #[test]
    fn people_may_write_them_as_they_like() {
        let code = fresh();
        let (kept, _) = typed(&code);
        assert_eq!(*kept, *code);
        for other in [code.to_lowercase(), code.replace('-', ""), code.replace('-', " "), format!(" {} ", *code)] {
            assert_eq!((typed(&other).0.as_str(), typed(&other).1), (code.as_str(), true), "{other}");
        }
        for (from, to) in [('0', 'O'), ('0', 'o'), ('1', 'I'), ('1', 'l')] {
            assert_eq!(*typed(&code.replace(from, &to.to_string())).0, *code);
        }
    }

    /// No wrong character, and no two swapped ones, pass.
    #[test]
    fn every_single_mistake_shows() {
        for _ in 0..20 {
            let code: Vec<u8> = fresh().bytes().filter(|byte| *byte != b'-').collect();
            for place in 0..code.len() {
                for letter in LETTERS.iter().filter(|letter| **letter != code[place]) {
                    let mut wrong = code.clone();
                    wrong[place] = *letter;
                    assert!(!sound(std::str::from_utf8(&wrong).unwrap()), "{place}");
                }
                let mut swapped = code.clone();
                if place + 1 < code.len() && code[place] != code[place + 1] {
                    swapped.swap(place, place + 1);
                    assert!(!sound(std::str::from_utf8(&swapped).unwrap()), "{place}");
                }
            }
        }
    }
}

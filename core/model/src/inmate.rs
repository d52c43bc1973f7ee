//! Which user of a machine the programs of an organisation run as.

/// Users that there are for it, if nothing else is configured.
pub const COUNT: u32 = 1 << 24;

/// Which of so many users an organisation has, by the blake3 of its name. None if there are none, and all share another one.
pub fn place(digest: &[u8; 32], count: u32) -> Option<u32> {
    let (first, _) = digest.split_first_chunk::<8>()?;
    u32::try_from(u64::from_le_bytes(*first).checked_rem(u64::from(count))?).ok()
}

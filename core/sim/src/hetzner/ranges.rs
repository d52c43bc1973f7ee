//! IPv4 ranges of networks, and what firewalls call a range.

use std::net::{IpAddr, Ipv4Addr};

/// `10.0.0.0/16`
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) base: u32,
    pub(super) bits: u8,
}

impl Range {
    /// None unless it is a network's address and a mask of at most 30 bits.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let range = Self { base: address.parse::<Ipv4Addr>().ok()?.to_bits(), bits: bits.parse().ok()? };
        let fits = (8..=32).contains(&range.bits) && range.base & !range.mask() == 0;
        fits.then_some(range)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0)
    }

    pub(super) fn size(self) -> u32 {
        !self.mask()
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.bits <= other.bits && other.base & self.mask() == self.base
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.holds(other) || other.holds(self)
    }

    /// Private ranges, which networks are made of.
    pub(super) fn is_private(self) -> bool {
        let private = [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16)];
        private.iter().any(|(base, bits)| Self { base: *base, bits: *bits }.holds(self))
    }

    pub(super) fn text(self) -> String {
        format!("{}/{}", Ipv4Addr::from_bits(self.base), self.bits)
    }

    /// The first `/24` of this range that touches none of the others.
    pub(super) fn free_24(self, others: &[Self]) -> Option<Self> {
        let mut next = Self { base: self.base, bits: 24.max(self.bits) };
        while self.holds(next) {
            if !others.iter().any(|other| other.overlaps(next)) {
                return Some(next);
            }
            next.base = next.base.checked_add(next.size().checked_add(1)?)?;
        }
        None
    }
}

/// An address in a range, by its distance from the beginning.
pub(super) fn address(range: Range, offset: u32) -> String {
    Ipv4Addr::from_bits(range.base.wrapping_add(offset)).to_string()
}

/// What a firewall's rule may name: `10.0.0.0/8`, `::/0`, without bits behind the mask that don't belong there.
pub(super) fn is_block(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(address)), Ok(bits @ 0..=32)) => {
            address.to_bits() & !u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (Ok(IpAddr::V6(address)), Ok(bits @ 0..=128)) => {
            address.to_bits() & !u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_and_overlap() {
        let range = |text| Range::read(text).unwrap();
        let net = range("10.0.0.0/16");
        assert!(net.holds(range("10.0.1.0/24")) && !net.holds(range("10.1.0.0/24")) && net.is_private());
        assert_eq!(net.free_24(&[range("10.0.0.0/24")]).map(Range::text).as_deref(), Some("10.0.1.0/24"));
        assert_eq!(range("10.0.0.0/24").free_24(&[range("10.0.0.0/25")]), None);
        for bad in ["10.0.0.1/16", "10.0.0.0", "10.0.0.0/4", "x/8", "10.0.0.0/33"] {
            assert!(Range::read(bad).is_none(), "{bad}");
        }
        assert!(is_block("0.0.0.0/0") && is_block("::/0") && is_block("10.0.1.1/32") && !is_block("10.0.1.1/8"));
    }
}

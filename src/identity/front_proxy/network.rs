//! Networks of IP addresses, such as `10.0.0.0/8`. Resolves no names.

use std::net::IpAddr;
use std::str::FromStr;

/// An address and the length of its prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The reason why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither an address nor an address with a prefix length.
    #[error("it is neither an IP address nor a network such as 10.0.0.0/8")]
    NotANetwork,
    /// Bits after the prefix are set, so the text may be a mistake.
    #[error("its address has bits set behind the prefix")]
    BitsBehindPrefix,
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => (
                address,
                Some(bits.parse::<u8>().map_err(|_| BadNetwork::NotANetwork)?),
            ),
            Some(_) => return Err(BadNetwork::NotANetwork),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::NotANetwork)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(BadNetwork::NotANetwork);
        }
        let network = Self { address, bits };
        if network.prefix_of(address) == as_bits(address) {
            Ok(network)
        } else {
            Err(BadNetwork::BitsBehindPrefix)
        }
    }
}

/// The bits of an address, left-aligned.
fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// The bits of an address within the prefix.
    fn prefix_of(self, address: IpAddr) -> u128 {
        let host_bits = u128::MAX.checked_shr(u32::from(self.bits)).unwrap_or(0);
        as_bits(address) & !host_bits
    }

    /// Whether the network contains an address. An IPv4-mapped IPv6 address is treated as the IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && self.prefix_of(address) == as_bits(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_network_holds_what_has_its_prefix() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "a00::"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::1", "1.2.3.4"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(
                network.contains(inside.parse().unwrap()),
                "{network:?} {inside}"
            );
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{network:?} {outside}"
            );
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "lb.example",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(
                bad.parse::<Network>(),
                Err(BadNetwork::NotANetwork),
                "{bad}"
            );
        }
        assert_eq!(
            "10.1.0.0/8".parse::<Network>(),
            Err(BadNetwork::BitsBehindPrefix)
        );
    }

    proptest! {
        #[test]
        fn bits_are_compared_one_by_one(one in any::<u32>(), other in any::<u32>(), bits in 0..=32u8) {
            let prefix = |bit: u8, address: u32| address >> (31 - bit) & 1;
            let base = (0..bits).fold(0u32, |all, bit| all | prefix(bit, one) << (31 - bit));
            let network: Network = format!("{}/{bits}", std::net::Ipv4Addr::from(base)).parse().unwrap();
            let same = (0..bits).all(|bit| prefix(bit, base) == prefix(bit, other));
            prop_assert_eq!(network.contains(IpAddr::V4(other.into())), same);
        }
    }
}

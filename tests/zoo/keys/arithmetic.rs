//! Reads the DER of RSA keys, and signs with them without asking whether that is secure.

/// The numbers of the RSAPrivateKey in a PKCS #8 (RFC 8017 appendix A.1.2), without leading zeros: version, modulus,
/// public exponent, private exponent, two primes, their exponents.
pub(super) fn numbers_of_pkcs8(der: &[u8]) -> Vec<Vec<u8>> {
    let outer = children(content(der));
    let inner = content(outer[2]);
    children(content(inner))
        .into_iter()
        .map(|number| without_zeros(content(number)))
        .collect()
}

pub fn without_zeros(octets: &[u8]) -> Vec<u8> {
    octets
        .iter()
        .copied()
        .skip_while(|octet| *octet == 0)
        .collect()
}

/// Lengths of header and content of the first element.
fn split(octets: &[u8]) -> (usize, usize) {
    match octets[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let digits = usize::from(long & 0x7f);
            let length = octets[2..2 + digits]
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (2 + digits, length)
        }
    }
}

/// Content of the first element.
pub fn content(octets: &[u8]) -> &[u8] {
    let (header, length) = split(octets);
    &octets[header..header + length]
}

/// The elements one after the other.
pub fn children(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        let (header, length) = split(octets);
        let (one, rest) = octets.split_at(header + length);
        all.push(one);
        octets = rest;
    }
    all
}

/// RSASSA-PKCS1-v1_5 without asking whether anybody should (RFC 8017 section 8.2.1).
pub(super) fn raw_signature(modulus: &[u8], exponent: &[u8], digest_info: &[u8]) -> Vec<u8> {
    let padding = vec![0xff; modulus.len() - digest_info.len() - 3];
    let padded = [&[0, 1], &padding[..], &[0], digest_info].concat();
    Montgomery::new(modulus).power(&padded, exponent)
}

/// Arithmetic modulo an odd number, in limbs of 32 bits, the lowest first.
struct Montgomery {
    modulus: Vec<u32>,
    /// -1/modulus modulo 2^32.
    inverse: u32,
}

impl Montgomery {
    fn new(modulus: &[u8]) -> Self {
        let modulus = limbs(modulus, modulus.len().div_ceil(4));
        let mut inverse = 1_u32;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_u32.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        }
        Self {
            modulus,
            inverse: inverse.wrapping_neg(),
        }
    }

    fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8> {
        let size = self.modulus.len();
        // 1 and base, times 2^(32 size), by doubling.
        let (mut one, mut base) = (limbs(&[1], size), limbs(base, size));
        for _ in 0..32 * size {
            one = self.doubled(&one);
            base = self.doubled(&base);
        }
        let mut result = one;
        for bit in exponent
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1))
        {
            result = self.product(&result, &result);
            if bit == 1 {
                result = self.product(&result, &base);
            }
        }
        let result = self.product(&result, &limbs(&[1], size));
        result
            .iter()
            .rev()
            .flat_map(|limb| limb.to_be_bytes())
            .collect()
    }

    fn doubled(&self, number: &[u32]) -> Vec<u32> {
        let mut carry = 0;
        let mut twice: Vec<u32> = Vec::with_capacity(number.len() + 1);
        for limb in number {
            twice.push(limb << 1 | carry);
            carry = limb >> 31;
        }
        twice.push(carry);
        self.reduced(twice)
    }

    /// `a b / 2^(32 size)`.
    fn product(&self, a: &[u32], b: &[u32]) -> Vec<u32> {
        let size = self.modulus.len();
        let mut sum = vec![0_u32; size + 2];
        for limb in a {
            add_multiple(&mut sum, b, *limb);
            let factor = sum[0].wrapping_mul(self.inverse);
            add_multiple(&mut sum, &self.modulus, factor);
            sum.remove(0);
            sum.push(0);
        }
        sum.truncate(size + 1);
        self.reduced(sum)
    }

    /// A number below twice the modulus, of one limb more.
    fn reduced(&self, mut number: Vec<u32>) -> Vec<u32> {
        let size = self.modulus.len();
        let is_less =
            number[size] == 0 && number[..size].iter().rev().lt(self.modulus.iter().rev());
        if !is_less {
            let mut borrow = false;
            for (limb, modulus) in number.iter_mut().zip(&self.modulus) {
                let (less, under) = limb.overflowing_sub(*modulus);
                let (less, again) = less.overflowing_sub(u32::from(borrow));
                (*limb, borrow) = (less, under || again);
            }
        }
        number.truncate(size);
        number
    }
}

/// `sum += number * factor`.
fn add_multiple(sum: &mut [u32], number: &[u32], factor: u32) {
    let mut carry = 0_u64;
    for (at, limb) in sum.iter_mut().enumerate() {
        let product = u64::from(number.get(at).copied().unwrap_or(0)) * u64::from(factor)
            + u64::from(*limb)
            + carry;
        *limb = product as u32;
        carry = product >> 32;
    }
}

fn limbs(octets: &[u8], size: usize) -> Vec<u32> {
    let mut limbs: Vec<u32> = octets
        .rchunks(4)
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |limb, octet| limb << 8 | u32::from(*octet))
        })
        .collect();
    limbs.resize(size, 0);
    limbs
}

//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, SC '11).
//!
//! A number is a function of (seed, replicate, stream, position) and of nothing drawn before it, so that
//! replicates can be made by any thread, in any order, and again.

use std::f64::consts::TAU;

/// Numbers of one replicate: the random effects and the residuals draw from streams of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Residuals = 0,
    RandomEffects = 1,
    /// Responses of families that are not normal: as many numbers a row as it takes.
    Responses = 2,
}

/// 128 random bits.
pub fn philox4x32(
    [mut c0, mut c1, mut c2, mut c3]: [u32; 4],
    [mut k0, mut k1]: [u32; 2],
) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    for _ in 0..10 {
        let ((high0, low0), (high2, low2)) = (product(0xD251_1F53, c0), product(0xCD9E_8D57, c2));
        (c0, c1, c2, c3) = (high2 ^ c1 ^ k0, low2, high0 ^ c3 ^ k1, low0);
        (k0, k1) = (k0.wrapping_add(0x9E37_79B9), k1.wrapping_add(0xBB67_AE85));
    }
    [c0, c1, c2, c3]
}

/// Standard normal numbers `first..` of a replicate's stream; `first` must be even, since they are made
/// in pairs (Box & Muller 1958).
pub fn normals(seed: u64, replicate: u32, stream: Stream, first: usize, out: &mut [f64]) {
    debug_assert!(first.is_multiple_of(2));
    for (pair, out) in out.chunks_mut(2).enumerate() {
        let both = normal_pair(seed, replicate, stream, (first / 2 + pair) as u64);
        out.copy_from_slice(&both[..out.len()]);
    }
}

/// Uniform numbers in (0, 1) of one row, one after the other.
pub fn uniforms(seed: u64, replicate: u32, stream: Stream, row: u32) -> impl FnMut() -> f64 {
    let mut round = 0u32;
    let mut left = None;
    move || {
        left.take().unwrap_or_else(|| {
            let counter = [row, round, replicate, stream as u32];
            let [a, b, c, d] = philox4x32(counter, [seed as u32, (seed >> 32) as u32]);
            round += 1;
            let half = 0.5 / (1u64 << 53) as f64;
            left = Some(unit(c, d) + half);
            unit(a, b) + half
        })
    }
}

/// 53 bits in [0, 1).
fn unit(high: u32, low: u32) -> f64 {
    ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64
}

#[inline]
fn normal_pair(seed: u64, replicate: u32, stream: Stream, pair: u64) -> [f64; 2] {
    let counter = [pair as u32, (pair >> 32) as u32, replicate, stream as u32];
    let [a, b, c, d] = philox4x32(counter, [seed as u32, (seed >> 32) as u32]);
    // The first in (0, 1], so that its logarithm exists.
    let radius = (-2.0 * (unit(a, b) + 1.0 / (1u64 << 53) as f64).ln()).sqrt();
    let (sine, cosine) = (TAU * unit(c, d)).sin_cos();
    [radius * cosine, radius * sine]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kat_vectors` of the authors' Random123 library.
    #[test]
    fn known_answers() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let answers = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [!0; 4],
                [!0; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                pi,
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in answers {
            assert_eq!(philox4x32(counter, key), answer);
        }
    }

    #[test]
    fn normal_moments() {
        let mut z = vec![0.0; 1 << 20];
        normals(1, 2, Stream::Residuals, 0, &mut z);
        let moment = |power: i32| z.iter().map(|z| z.powi(power)).sum::<f64>() / z.len() as f64;
        // Six standard errors each.
        for (power, value, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let error = 6.0 * f64::sqrt(variance / z.len() as f64);
            assert!((moment(power) - value).abs() < error, "moment {power}");
        }
    }

    #[test]
    fn uniform_numbers_of_a_row() {
        let mut next = uniforms(7, 3, Stream::Responses, 11);
        let row: Vec<f64> = (0..10_000).map(|_| next()).collect();
        assert!(row.iter().all(|u| *u > 0.0 && *u < 1.0));
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        assert!((mean - 0.5).abs() < 6.0 * f64::sqrt(1.0 / 12.0 / row.len() as f64));
        let mut again = uniforms(7, 3, Stream::Responses, 11);
        assert!(row.iter().all(|u| *u == again()));
        assert_ne!(row[0], uniforms(7, 3, Stream::Responses, 12)());
    }

    #[test]
    fn a_number_depends_on_its_place_alone() {
        let (mut all, mut late) = (vec![0.0; 101], vec![0.0; 51]);
        normals(7, 3, Stream::Residuals, 0, &mut all);
        normals(7, 3, Stream::Residuals, 50, &mut late);
        assert_eq!(all[50..], late);
        let mut other = vec![0.0; 101];
        normals(7, 3, Stream::RandomEffects, 0, &mut other);
        assert!(all.iter().zip(&other).all(|(a, b)| a != b));
    }
}

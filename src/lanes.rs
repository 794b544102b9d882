//! Products and updates of long columns, eight numbers side by side.
//!
//! Sums run in eight lanes that are added in one order, so that they are the same bits on any machine and
//! for any width of its registers.

use pulp::{Arch, Simd, WithSimd};

/// Numbers side by side.
const LANES: usize = 8;
/// Shorter columns are not worth the choice of registers.
const SHORT: usize = 16;

/// x'y.
#[inline]
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    match x.len() < SHORT {
        true => x.iter().zip(y).map(|(x, y)| x * y).sum(),
        false => Arch::new().dispatch(Dot { x, y }),
    }
}

/// Σ w x y.
#[inline]
pub fn weighted_dot(w: &[f64], x: &[f64], y: &[f64]) -> f64 {
    match x.len() < SHORT {
        true => w.iter().zip(x).zip(y).map(|((w, x), y)| w * x * y).sum(),
        false => Arch::new().dispatch(WeightedDot { w, x, y }),
    }
}

/// out += a x.
#[inline]
pub fn add_scaled(out: &mut [f64], a: f64, x: &[f64]) {
    match x.len() < SHORT {
        true => out.iter_mut().zip(x).for_each(|(out, x)| *out += a * x),
        false => Arch::new().dispatch(AddScaled { out, a, x }),
    }
}

/// out += a x y.
#[inline]
pub fn add_product(out: &mut [f64], a: f64, x: &[f64], y: &[f64]) {
    match x.len() < SHORT {
        true => {
            let rows = out.iter_mut().zip(x).zip(y);
            rows.for_each(|((out, x), y)| *out += a * x * y);
        }
        false => Arch::new().dispatch(AddProduct { out, a, x, y }),
    }
}

struct Dot<'a> {
    x: &'a [f64],
    y: &'a [f64],
}

impl WithSimd for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let ((x, left), (y, right)) = (self.x.as_chunks::<LANES>(), self.y.as_chunks::<LANES>());
        let mut sums = [0.0; LANES];
        for (x, y) in x.iter().zip(y) {
            (0..LANES).for_each(|l| sums[l] += x[l] * y[l]);
        }
        let rest: f64 = left.iter().zip(right).map(|(x, y)| x * y).sum();
        sums.iter().sum::<f64>() + rest
    }
}

struct WeightedDot<'a> {
    w: &'a [f64],
    x: &'a [f64],
    y: &'a [f64],
}

impl WithSimd for WeightedDot<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let ((w, last), (x, left)) = (self.w.as_chunks::<LANES>(), self.x.as_chunks::<LANES>());
        let (y, right) = self.y.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for ((w, x), y) in w.iter().zip(x).zip(y) {
            (0..LANES).for_each(|l| sums[l] += w[l] * x[l] * y[l]);
        }
        let rest = last.iter().zip(left).zip(right);
        sums.iter().sum::<f64>() + rest.map(|((w, x), y)| w * x * y).sum::<f64>()
    }
}

struct AddScaled<'a> {
    out: &'a mut [f64],
    a: f64,
    x: &'a [f64],
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.out.iter_mut().zip(self.x);
        rows.for_each(|(out, x)| *out += self.a * x);
    }
}

struct AddProduct<'a> {
    out: &'a mut [f64],
    a: f64,
    x: &'a [f64],
    y: &'a [f64],
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.out.iter_mut().zip(self.x).zip(self.y);
        rows.for_each(|((out, x), y)| *out += self.a * x * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_any_length() {
        for n in [0, 1, 7, 15, 16, 17, 64, 1001] {
            let x: Vec<f64> = (0..n).map(|i| f64::from(i) - 3.0).collect();
            let y: Vec<f64> = (0..n).map(|i| 2.0 + f64::from(i % 5)).collect();
            let exact: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            assert_eq!(dot(&x, &y), exact);
            let squares: f64 = x.iter().zip(&y).map(|(x, y)| x * y * y).sum();
            assert_eq!(weighted_dot(&x, &y, &y), squares);
            let mut out = y.clone();
            add_scaled(&mut out, 2.0, &x);
            add_product(&mut out, -1.0, &x, &y);
            let expected = |i: usize| y[i] + 2.0 * x[i] - x[i] * y[i];
            assert!((0..n as usize).all(|i| out[i] == expected(i)));
        }
    }
}

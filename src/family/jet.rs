//! A function's value and its first three derivatives: [f, f', f'', f'''].

pub type Jet = [f64; 4];

/// f ∘ g, where `outer` holds f and its derivatives at g. Products start with f's derivatives: where
/// those are zero, however large g's are, the result is zero.
#[inline(always)]
pub fn compose(outer: &Jet, inner: &Jet) -> Jet {
    let [_, g1, g2, g3] = *inner;
    [
        outer[0],
        outer[1] * g1,
        outer[2] * g1 * g1 + outer[1] * g2,
        outer[3] * g1 * g1 * g1 + 3.0 * outer[2] * g1 * g2 + outer[1] * g3,
    ]
}

/// The sum of two functions.
#[inline(always)]
pub fn sum(a: &Jet, b: &Jet) -> Jet {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

/// x ↦ f(−x), from f's derivatives at −x.
#[inline(always)]
pub fn mirrored([f0, f1, f2, f3]: Jet) -> Jet {
    [f0, -f1, f2, -f3]
}

/// log |f|, from f itself.
#[inline(always)]
pub fn log_of(value: f64, [f0, f1, f2, f3]: Jet) -> Jet {
    let (r1, r2, r3) = (f1 / f0, f2 / f0, f3 / f0);
    [
        value,
        r1,
        r2 - r1 * r1,
        r3 - 3.0 * r1 * r2 + 2.0 * r1 * r1 * r1,
    ]
}

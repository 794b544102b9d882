//! Buffers that start on a cache line, so that vectorised kernels split them alike in every run.

use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; 8]);

/// A vector of doubles on a cache line.
#[derive(Clone, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        Aligned {
            lines: vec![Line([0.0; 8]); len.div_ceil(8)],
            len,
        }
    }

    /// Make room for `len` numbers; the contents are arbitrary afterwards.
    pub fn reserve(&mut self, len: usize) {
        if len > self.lines.len() * 8 {
            self.lines.resize(len.div_ceil(8), Line([0.0; 8]));
        }
        self.len = self.len.max(len);
    }
}

impl Deref for Aligned {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        // SAFETY: `lines` holds at least `len` doubles.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f64] {
        // SAFETY: `lines` holds at least `len` doubles.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

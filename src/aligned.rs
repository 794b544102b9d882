//! Buffers that start on a cache line, so that vectorised kernels split them alike in every run.

use std::alloc::{alloc_zeroed, handle_alloc_error, Layout};
use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; 8]);

/// Lines of zeros, from pages that the system hands out zeroed.
fn zeroed(lines: usize) -> Vec<Line> {
    if lines == 0 {
        return Vec::new();
    }
    let Ok(layout) = Layout::array::<Line>(lines) else {
        handle_alloc_error(Layout::new::<Line>());
    };
    // SAFETY: the layout is that of a vector of this capacity, and zero bytes are zeros.
    unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Vec::from_raw_parts(start.cast(), lines, lines)
    }
}

/// A vector of doubles on a cache line.
#[derive(Clone, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        Aligned {
            lines: zeroed(len.div_ceil(8)),
            len,
        }
    }

    /// Make room for `len` numbers; the contents are arbitrary afterwards.
    pub fn reserve(&mut self, len: usize) {
        if len > self.lines.len() * 8 {
            self.lines = zeroed(len.div_ceil(8));
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

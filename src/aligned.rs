//! Buffers that start on a cache line, so that vectorised kernels split them alike in every run.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
const LINE: usize = 64;
/// Doubles in it.
const DOUBLES: usize = LINE / size_of::<f64>();

/// A vector of doubles on a cache line. The line is found inside an ordinary zeroed vector: an aligned
/// allocation would be cleared by hand, and large ones are better left to the system's zero pages.
#[derive(Default)]
pub struct Aligned {
    buffer: Vec<f64>,
    offset: usize,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Aligned::default();
        }
        let buffer = vec![0.0; len + DOUBLES - 1];
        advise_huge(&buffer);
        let past = buffer.as_ptr() as usize % LINE / size_of::<f64>();
        Aligned {
            offset: (DOUBLES - past) % DOUBLES,
            buffer,
            len,
        }
    }

    /// Make room for `len` numbers; the contents are arbitrary afterwards.
    pub fn reserve(&mut self, len: usize) {
        if len > self.len {
            *self = Aligned::zeros(len);
        }
    }
}

/// Ask for huge pages: gigabytes of small ones take seconds to map and to give back.
#[cfg(target_os = "linux")]
fn advise_huge(buffer: &[f64]) {
    const PAGE: usize = 1 << 21;
    let bytes = std::mem::size_of_val(buffer);
    let start = (buffer.as_ptr() as usize).next_multiple_of(PAGE);
    let end = buffer.as_ptr() as usize + bytes;
    if end > start + PAGE {
        // SAFETY: the range lies inside the buffer, and the call only gives advice.
        unsafe {
            libc::madvise(
                start as *mut libc::c_void,
                (end - start) / PAGE * PAGE,
                libc::MADV_HUGEPAGE,
            )
        };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_: &[f64]) {}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Aligned::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Aligned {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.buffer[self.offset..self.offset + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.buffer[self.offset..self.offset + self.len]
    }
}

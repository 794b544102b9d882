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

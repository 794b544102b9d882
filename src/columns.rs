//! Column recipes: how a model-matrix column is made from a row, so that X and Z are never stored.
//!
//! A column is a product of numeric sources (views on the caller's columns) and coded sources (a
//! table looked up by a factor's code); the empty product is the intercept.

use std::any::Any;
use std::sync::Arc;

/// A strided column that somebody else owns; `keep` holds the owner alive.
#[derive(Clone)]
pub struct Column {
    start: *const f64,
    stride: isize,
    len: usize,
    _keep: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the memory is only read, and `keep` holds it alive.
unsafe impl Send for Column {}
unsafe impl Sync for Column {}

impl Column {
    /// A view on `len` numbers, `stride` elements apart.
    ///
    /// # Safety
    /// `start` must stay valid for `len` strided reads while `keep` lives.
    pub unsafe fn view(
        start: *const f64,
        stride: isize,
        len: usize,
        keep: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Column {
            start,
            stride,
            len,
            _keep: keep,
        }
    }

    /// `len` times the same number.
    pub fn constant(value: f64, len: usize) -> Self {
        let owner = Arc::new(value);
        let start: *const f64 = &*owner;
        // SAFETY: the number is owned by `keep` and never changed; a stride of 0 reads nothing else.
        unsafe { Column::view(start, 0, len, owner) }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn get(&self, row: usize) -> f64 {
        debug_assert!(row < self.len);
        // SAFETY: `row < len`, checked when the table was made.
        unsafe { *self.start.offset(row as isize * self.stride) }
    }
}

impl From<Vec<f64>> for Column {
    fn from(values: Vec<f64>) -> Self {
        let owner = Arc::new(values);
        // SAFETY: the vector is owned by `keep` and never changed.
        unsafe { Column::view(owner.as_ptr(), 1, owner.len(), owner.clone()) }
    }
}

/// A column of factor codes; −1 stands for no level.
#[derive(Clone)]
pub struct Codes {
    start: *const i32,
    len: usize,
    _keep: Arc<dyn Any + Send + Sync>,
}

// SAFETY: as for `Column`.
unsafe impl Send for Codes {}
unsafe impl Sync for Codes {}

impl Codes {
    /// A view on `len` contiguous codes.
    ///
    /// # Safety
    /// `start` must stay valid for `len` reads while `keep` lives.
    pub unsafe fn view(start: *const i32, len: usize, keep: Arc<dyn Any + Send + Sync>) -> Self {
        Codes {
            start,
            len,
            _keep: keep,
        }
    }

    pub fn as_slice(&self) -> &[i32] {
        // SAFETY: promised by whoever made the view.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl From<Vec<i32>> for Codes {
    fn from(values: Vec<i32>) -> Self {
        let owner = Arc::new(values);
        // SAFETY: the vector is owned by `keep` and never changed.
        unsafe { Codes::view(owner.as_ptr(), owner.len(), owner.clone()) }
    }
}

/// Product of numeric and coded sources; empty = the constant 1.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    pub numeric: Vec<usize>,
    pub coded: Vec<(usize, Vec<f64>)>,
}

impl Recipe {
    pub fn is_constant(&self) -> bool {
        self.numeric.is_empty() && self.coded.is_empty()
    }
}

/// The caller's columns and which of their rows are used.
#[derive(Clone)]
pub struct Table {
    pub rows: Option<Arc<Vec<u32>>>,
    pub n_table: usize,
    pub numeric: Vec<Column>,
    pub codes: Vec<Codes>,
    pub response: Option<Column>,
    pub weights: Option<Column>,
    pub offset: Option<Column>,
    /// Binomial denominators.
    pub sizes: Option<Column>,
}

impl Table {
    /// Rows used.
    pub fn n(&self) -> usize {
        self.rows.as_ref().map_or(self.n_table, |rows| rows.len())
    }

    /// Place in the caller's table of used row `i`.
    #[inline]
    pub fn place(&self, i: usize) -> usize {
        match &self.rows {
            Some(rows) => rows[i] as usize,
            None => i,
        }
    }

    /// Value of a recipe at table row `row`; a code of −1 gives NaN.
    #[inline]
    pub fn value(&self, recipe: &Recipe, row: usize) -> f64 {
        let mut product = 1.0;
        for &source in &recipe.numeric {
            product *= self.numeric[source].get(row);
        }
        for (source, table) in &recipe.coded {
            let code = self.codes[*source].as_slice()[row];
            product *= usize::try_from(code)
                .ok()
                .and_then(|code| table.get(code))
                .copied()
                .unwrap_or(f64::NAN);
        }
        product
    }

    /// Fill `out[i * stride]` with the recipe at used rows `first..first + count`.
    pub fn fill(
        &self,
        recipe: &Recipe,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) {
        match (recipe.numeric.as_slice(), recipe.coded.as_slice()) {
            ([], []) => (0..count).for_each(|i| out[i * stride] = 1.0),
            ([source], []) => {
                let column = &self.numeric[*source];
                (0..count).for_each(|i| out[i * stride] = column.get(self.place(first + i)));
            }
            _ => {
                (0..count).for_each(|i| out[i * stride] = self.value(recipe, self.place(first + i)))
            }
        }
    }

    /// Response less offset at table row `row`.
    #[inline]
    pub fn target(&self, row: usize) -> f64 {
        let y = self.response.as_ref().map_or(f64::NAN, |y| y.get(row));
        y - self.offset.as_ref().map_or(0.0, |offset| offset.get(row))
    }

    /// Prior weight at table row `row`.
    #[inline]
    pub fn weight(&self, row: usize) -> f64 {
        self.weights
            .as_ref()
            .map_or(1.0, |weights| weights.get(row))
    }
}

/// One grouping factor.
#[derive(Clone)]
pub struct Grouping {
    pub codes: Codes,
    pub levels: usize,
}

/// One random-effects term as the formula gives it.
#[derive(Clone)]
pub struct RandomTerm {
    pub grouping: usize,
    pub columns: Vec<Recipe>,
}

/// Everything a linear mixed model is made of: what `Design` in Python holds.
#[derive(Clone)]
pub struct Design {
    pub table: Table,
    pub fixed: Vec<Recipe>,
    /// γ with Xγ = 1, if the constant lies in the span of X by construction.
    pub constant: Option<Vec<f64>>,
    pub groupings: Vec<Grouping>,
    pub terms: Vec<RandomTerm>,
}

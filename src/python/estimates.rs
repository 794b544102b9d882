//! What every kind of fit tells Python in the same words.

/// Getters of a class that holds `design` and `fit`: the numbers named, and the estimates.
macro_rules! estimates {
    ($class:ident; $($name:ident: $kind:ty),* $(,)?) => {
        #[pymethods]
        impl $class {
            $(#[getter]
            fn $name(&self) -> $kind {
                self.fit.$name
            })*

            #[getter]
            fn n(&self) -> usize {
                self.fit.system.n
            }

            #[getter]
            fn rank(&self) -> usize {
                self.fit.system.rank()
            }

            #[getter]
            fn dropped(&self) -> Vec<usize> {
                self.fit.system.dropped.clone()
            }

            #[getter]
            fn theta<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
                PyArray1::from_slice(py, &self.fit.theta)
            }

            #[getter]
            fn beta<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
                PyArray1::from_slice(py, &self.fit.beta)
            }

            #[getter]
            fn multipliers<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
                PyArray1::from_slice(py, &self.fit.multipliers)
            }

            /// Conditional modes, per term (levels, q).
            #[getter]
            fn modes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f64>>>> {
                let terms = self.design.terms.iter().zip(&self.fit.modes);
                terms
                    .map(|(term, modes)| {
                        let levels = self.design.groupings[term.grouping].levels;
                        PyArray1::from_slice(py, modes).reshape([levels, term.columns.len()])
                    })
                    .collect()
            }

            #[getter]
            fn reason(&self) -> &'static str {
                self.fit.reason.text()
            }

            #[getter]
            fn converged(&self) -> bool {
                let negative = self.fit.multipliers.iter().any(|&value| value < 0.0);
                self.fit.reason.converged() && !negative
            }

            #[getter]
            fn messages(&self) -> Vec<String> {
                self.fit.messages.clone()
            }

            #[getter]
            fn optimizer(&self) -> &'static str {
                self.fit.optimizer.name()
            }
        }
    };
}

pub(super) use estimates;

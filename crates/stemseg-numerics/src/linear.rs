//! Decompositions of matrices of double precision, and what is solved by them.

use faer::linalg::solvers::{Llt, SolveLstsq};
use faer::prelude::Solve;
use faer::{MatRef, Side};

pub use faer::Mat;

/// Eigenvectors of a symmetric `matrix`, in columns, and eigenvalues, falling; only its lower
/// triangle is read. Nothing where the iteration does not end, as with values that are not finite.
pub fn eigen(matrix: &Mat<f64>) -> Option<(Mat<f64>, Vec<f64>)> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let p = matrix.nrows();
    let vectors = Mat::from_fn(p, p, |i, j| eigen.U()[(i, p - 1 - j)]);
    Some((vectors, (0..p).rev().map(|i| eigen.S()[i]).collect()))
}

/// The product of two matrices.
///
/// # Panics
/// For shapes that have none.
pub fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    left * right
}

/// `sides' matrix sides`.
///
/// # Panics
/// For shapes that have no product.
pub fn between(matrix: &Mat<f64>, sides: &Mat<f64>) -> Mat<f64> {
    sides.transpose() * matrix * sides
}

/// `matrix = L L'`, for one that is symmetric and positive definite.
#[derive(Debug, Clone)]
pub struct Cholesky(Llt<f64>);

impl Cholesky {
    /// From the lower triangle of `matrix`; nothing where that is not positive definite.
    pub fn new(matrix: &Mat<f64>) -> Option<Self> {
        matrix.llt(Side::Lower).ok().map(Self)
    }

    /// A value of the diagonal of `L`.
    ///
    /// # Panics
    /// Beyond the last.
    pub fn pivot(&self, at: usize) -> f64 {
        self.0.L()[(at, at)]
    }

    /// The solution of `matrix x = right`.
    ///
    /// # Panics
    /// For a right side that is not as long as the matrix.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = Mat::from_fn(right.len(), 1, |i, _| right[i]);
        self.0.solve_in_place(&mut solution);
        (0..right.len()).map(|i| solution[(i, 0)]).collect()
    }
}

/// The solution of `matrix x = right` for each column of `right`, by triangular factors of the
/// square `matrix` with rows exchanged; not finite where it is singular.
///
/// # Panics
/// For a matrix that is not square, or a right side of other length.
pub fn solve(matrix: &Mat<f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    matrix.partial_piv_lu().solve(right)
}

/// What makes the sum of squares of `matrix x - right` least, for a `matrix` of no fewer rows than
/// columns, by orthogonal factors.
///
/// # Panics
/// For a right side that is not as long as the matrix has rows.
pub fn least_squares(matrix: &Mat<f64>, right: &[f64]) -> Vec<f64> {
    let column = Mat::from_fn(right.len(), 1, |i, _| right[i]);
    let solution = matrix.qr().solve_lstsq(&column);
    (0..matrix.ncols()).map(|j| solution[(j, 0)]).collect()
}

//! The equation of motion of a segmented film: arrays in, equation out.
//!
//! [`find()`] takes a [`Film`] of memberships and gives the partial differential equation
//! `Phi_t = f(Phi, Phi_x, Phi_y, Phi_xx, Phi_xy, Phi_yy)` that its boundaries obey, x counting
//! columns and y rows. Derivatives are taken in weak form: integrals of the film against
//! derivatives of smooth bumps (Messenger and Bortz, J. Comput. Phys. 443 (2021) 110525). Terms are
//! chosen by best subsets and blocks that are held out. [`phase_field`] simulates films with known
//! equations.
//!
//! ```
//! use stemseg_dynamics::phase_field::{Equation, Settings, simulate};
//! use stemseg_dynamics::{Film, Options, Verdict, find};
//!
//! let settings = Settings::new(Equation::Advection { x: 1.5, y: 0.5 });
//! let film = Film::new(simulate(&settings)?, None)?;
//! let found = find(&film, &Options::default(), &|| false)?;
//! assert_eq!(found.answer.verdict, Verdict::Equation);
//! // Phi_t = -1.500 Phi_x - 0.500 Phi_y
//! let coefficients = found.answer.written.terms.iter().map(|term| term.coefficient);
//! assert!(coefficients.zip([-1.5, -0.5]).all(|(found, known)| (found - known).abs() < 1e-3));
//! # Ok::<(), stemseg_dynamics::Error>(())
//! ```

mod answer;
mod bump;
mod equation;
mod error;
mod film;
mod find;
mod forward;
mod front;
pub mod phase_field;
mod random;
mod regression;
mod strong;
pub mod term;
mod weak;

pub use self::answer::{
    Answer, Candidate, Coefficient, Forward, Found, SecondWay, Units, Verdict, Written,
};
pub use self::equation::{Options, find};
pub use self::error::{Error, Result};
pub use self::film::Film;
pub use self::front::{Along, Front};
pub use self::weak::Scale;

/// Frames that a film must have.
pub const LEAST_FRAMES: usize = 5;

//! The kernels for a quarter of the disc: what every backend multiplies by.
//!
//! Kernels are even or odd under a change of sign of the rows, and of the columns,
//! so the four pixels that mirrors bring together are added and subtracted first.

use super::Family;

/// Positions of a quarter of the disc that a first mean is taken from, at most.
const FIRST: usize = 16;

/// Kernels that are even or odd alike.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Class {
    /// Channels of the maps.
    pub(crate) channels: Vec<usize>,
    /// `[channels][positions]`.
    pub(crate) weights: Vec<f32>,
}

/// Positions and weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Folded {
    /// Rows and columns, not negative, of the pixels of a quarter of the disc.
    pub(crate) quarter: Vec<[usize; 2]>,
    /// By sign under a change of sign of the rows, then of the columns: even and
    /// even, even and odd, odd and even, odd and odd.
    pub(crate) classes: [Class; 4],
}

impl Family {
    /// Of each kernel, the channels of its real part and of its imaginary one, if
    /// it has any, in maps of all of them.
    pub(crate) fn parts(&self) -> Vec<(usize, Option<usize>)> {
        let mut channels = 0..;
        let mut next = || channels.next().unwrap_or(usize::MAX);
        let orders = self.orders.iter().flat_map(|&m| std::iter::repeat_n(m, self.rings));
        orders.map(|order| (next(), (order > 0).then(&mut next))).collect()
    }

    /// Channels of maps of all real and imaginary parts.
    pub(crate) fn part_count(&self) -> usize {
        self.parts().iter().map(|(_, im)| 1 + usize::from(im.is_some())).sum()
    }

    /// The kernels folded.
    pub(crate) fn folded(&self) -> Folded {
        let radius = self.radius;
        let all = (0..=radius).flat_map(|r| (0..=radius).map(move |c| [r, c]));
        let quarter: Vec<[usize; 2]> =
            all.filter(|&[r, c]| self.in_disc(r as isize, c as isize)).collect();
        let mut classes: [Class; 4] = Default::default();
        let mut add = |class: usize, channel: usize, weights: &ndarray::Array2<f64>| {
            let weight = |&[r, c]: &[usize; 2]| {
                // A pixel on an axis is folded onto itself.
                let times = [r, c].iter().filter(|&&v| v == 0).count() as i32;
                (weights[(radius + r, radius + c)] * 0.5_f64.powi(times)) as f32
            };
            classes[class].channels.push(channel);
            classes[class].weights.extend(quarter.iter().map(weight));
        };
        for (kernel, (re, im)) in self.kernels().iter().zip(self.parts()) {
            let odd = kernel.order % 2;
            add(odd, re, &kernel.re);
            im.into_iter().for_each(|im| add(3 - odd, im, &kernel.im));
        }
        Folded { quarter, classes }
    }

    /// Every how many positions of a quarter of the disc give a first mean of it, about which a
    /// device takes sums: the pixels that mirrors bring to those.
    pub(crate) fn first_step(&self) -> usize {
        let quarter = (0..=self.radius).map(|r| self.reach(r) + 1).sum::<usize>();
        quarter.div_ceil(FIRST)
    }

    /// Half the width of the disc `r` rows from its centre.
    pub(crate) fn reach(&self, r: usize) -> usize {
        (self.radius * self.radius - r * r).isqrt()
    }
}

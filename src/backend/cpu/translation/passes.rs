//! Which sums of products are formed: one for `t` and `-t` together where the
//! grid allows it.

use std::collections::HashMap;

use crate::descriptor::translation::Translation;

/// Translations that go through the kernel together, at most.
pub(super) const GROUP: usize = 3;

/// One sum of products over the sites, which fills one channel or two: since
/// `rho_{-t}(x + t) = rho_t(x)`, the scores of `t` at the sites displaced by
/// `-t` are those of `-t` at the sites.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pass {
    pub(super) t: Translation,
    pub(super) channel: usize,
    pub(super) mirror: Option<Mirror>,
}

/// The channel of `-t`, and `t` in sites.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mirror {
    pub(super) channel: usize,
    /// Downwards, not negative.
    pub(super) rows: usize,
    /// To the right.
    pub(super) cols: isize,
}

impl Pass {
    /// Rows of sites above a tile that the pass needs.
    pub(super) fn up(&self) -> usize {
        self.mirror.map_or(0, |m| m.rows)
    }

    /// Columns of sites to the left of a tile that it needs.
    pub(super) fn left(&self) -> usize {
        self.mirror.map_or(0, |m| m.cols.max(0) as usize)
    }

    /// Columns of sites to the right of a tile that it needs.
    pub(super) fn right(&self) -> usize {
        self.mirror.map_or(0, |m| (-m.cols).max(0) as usize)
    }
}

/// The passes for `translations`, in groups that share their rows; the identity
/// needs none.
pub(super) fn passes(translations: &[Translation], stride: usize) -> Vec<Vec<Pass>> {
    let mut channels: HashMap<[i32; 2], usize> = HashMap::new();
    for (channel, t) in translations.iter().enumerate() {
        channels.entry([t.rows, t.cols]).or_insert(channel);
    }
    let stride = stride as i32;
    let mut mirrored = vec![false; translations.len()];
    let mut all = Vec::new();
    // Passes with a mirror first: each takes a channel off those that are left.
    for (channel, &t) in translations.iter().enumerate() {
        let forward = [t.rows, t.cols] > [0, 0];
        let on_grid = t.rows % stride == 0 && t.cols % stride == 0;
        let opposite = channels.get(&[-t.rows, -t.cols]).filter(|_| forward && on_grid);
        let Some(&opposite) = opposite.filter(|&&c| !mirrored[c]) else { continue };
        mirrored[channel] = true;
        mirrored[opposite] = true;
        let (rows, cols) = ((t.rows / stride) as usize, (t.cols / stride) as isize);
        all.push(Pass { t, channel, mirror: Some(Mirror { channel: opposite, rows, cols }) });
    }
    for (channel, &t) in translations.iter().enumerate() {
        if !mirrored[channel] && [t.rows, t.cols] != [0, 0] {
            all.push(Pass { t, channel, mirror: None });
        }
    }
    all.sort_by_key(|pass| (pass.mirror.is_none(), pass.t.rows, pass.t.cols));
    all.chunk_by(|a, b| (a.mirror.is_none(), a.t.rows) == (b.mirror.is_none(), b.t.rows))
        .flat_map(|row| row.chunks(GROUP).map(<[Pass]>::to_vec))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(half: i32, step: usize) -> Vec<Translation> {
        let axis = move || (-half..=half).step_by(step);
        axis().flat_map(|rows| axis().map(move |cols| Translation { rows, cols })).collect()
    }

    /// Channels that the passes fill, in order.
    fn filled(translations: &[Translation], stride: usize) -> Vec<usize> {
        let groups = passes(translations, stride);
        let of = |p: &Pass| [Some(p.channel), p.mirror.map(|m| m.channel)];
        let mut channels: Vec<usize> = groups.iter().flatten().flat_map(of).flatten().collect();
        channels.sort_unstable();
        channels
    }

    #[test]
    fn every_channel_but_the_identity_is_filled_once() {
        for (half, step, stride) in [(20, 5, 5), (20, 5, 4), (6, 3, 2), (4, 1, 1)] {
            let translations = grid(half, step);
            let identity = translations.iter().position(|t| t.rows == 0 && t.cols == 0);
            let others: Vec<usize> =
                (0..translations.len()).filter(|&c| Some(c) != identity).collect();
            assert_eq!(filled(&translations, stride), others, "{half} {step} {stride}");
        }
        let repeated =
            [[0, 5], [0, -5], [0, 5], [5, 1]].map(|[rows, cols]| Translation { rows, cols });
        assert_eq!(filled(&repeated, 5), [0, 1, 2, 3]);
    }

    #[test]
    fn pairs_are_taken_together_where_the_stride_divides_them() {
        let pairs = |stride| {
            let groups = passes(&grid(20, 5), stride);
            groups.iter().flatten().filter(|p| p.mirror.is_some()).count()
        };
        assert_eq!((pairs(5), pairs(1)), (40, 40));
        assert_eq!(pairs(4), 4, "only those of 0 and 20 px");
    }

    #[test]
    fn a_group_shares_its_rows() {
        for group in passes(&grid(6, 2), 2) {
            assert!(group.len() <= GROUP);
            assert!(group.iter().all(|p| (p.t.rows, p.up()) == (group[0].t.rows, group[0].up())));
        }
    }
}

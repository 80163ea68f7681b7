use super::cells::nearest;
use super::*;
use crate::descriptor::{FamilyParams, translation};
use crate::plan::{Outline, Params, Plan};
use crate::sites::Extent;

/// 20 x 30 px, sites at 3, 7, 11, 15 (rows) and 3, 7, ..., 23 (columns).
fn plan(border: Border, order: Order, mask: Option<&ArcArray2<bool>>) -> Plan {
    let translation = translation::Params {
        patch: Extent::square(2),
        window: Extent::square(1),
        ..Default::default()
    };
    let families = vec![FamilyParams::Translation(translation)];
    let params = Params { families, stride: 4, border, order, ..Default::default() };
    Plan::new(params, Outline::new((20, 30), 1.0).without(mask.cloned())).unwrap()
}

fn label_map(
    clusters_of_sites: &[u32],
    clusters: usize,
    plan: &Plan,
    absent: Option<&ArcArray2<bool>>,
) -> LabelMap {
    let numbering = Numbering::Order(plan.params().order);
    LabelMap::new(clusters_of_sites, clusters, plan.canvas(&numbering, absent))
}

#[test]
fn a_given_numbering_stays_whatever_the_sizes() {
    let plan = plan(Border::Nearest, Order::Size, None);
    let clusters: Vec<u32> = (0..24).map(|i| u32::from(i < 6)).collect();
    let numbering = Numbering::Given(vec![2, 3, 1]);
    let map = LabelMap::new(&clusters, 3, plan.canvas(&numbering, None));
    assert_eq!((map.pixels()[(0, 0)], map.pixels()[(19, 29)]), (3, 2));
    let pixels: Vec<(u16, u64)> = map.areas.iter().map(|area| (area.label, area.pixels)).collect();
    assert_eq!(pixels, [(1, 0), (2, 420), (3, 180)]);
}

#[test]
fn pixels_half_way_belong_to_the_lower_site() {
    let rows = nearest(20, (1.0, 3, 4), 4, Border::Nearest);
    let expected = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3];
    assert_eq!(rows, expected.map(Some));
    let odd = nearest(9, (1.0, 1, 3), 3, Border::Nearest);
    assert_eq!(odd, [0, 0, 0, 1, 1, 1, 2, 2, 2].map(Some));
}

#[test]
fn blank_leaves_what_lies_outside_the_cells() {
    let rows = nearest(20, (1.0, 3, 4), 4, Border::Blank);
    let labelled: Vec<bool> = rows.iter().map(Option::is_some).collect();
    let expected: Vec<bool> = (0..20).map(|x| (2..=17).contains(&x)).collect();
    assert_eq!(labelled, expected);
}

#[test]
fn the_largest_pattern_is_one_and_pystem_turns_the_order_round() {
    let plan_by_size = plan(Border::Nearest, Order::Size, None);
    let sites: Vec<u32> =
        (0..plan_by_size.sites().grid().len()).map(|i| u32::from(i >= 6)).collect();
    let map = label_map(&sites, 2, &plan_by_size, None);
    assert_eq!((map.pixels()[(0, 0)], map.pixels()[(19, 29)]), (2, 1));
    assert!(map.areas[0].pixels > map.areas[1].pixels);
    assert_eq!(map.areas.iter().map(|a| a.pixels).sum::<u64>(), 600);
    let reverse = label_map(&sites, 2, &plan(Border::Nearest, Order::Pystem, None), None);
    assert_eq!((reverse.pixels()[(0, 0)], reverse.pixels()[(19, 29)]), (1, 2));
    assert!(reverse.areas[0].pixels < reverse.areas[1].pixels);
}

#[test]
fn means_weigh_sites_by_their_pixels() {
    let plan = plan(Border::Nearest, Order::Size, None);
    // 4 x 6 sites; those of the first row are label 2.
    let clusters: Vec<u32> = (0..24).map(|i| u32::from(i < 6)).collect();
    let map = label_map(&clusters, 2, &plan, None);
    let values: Vec<f32> = (0..24).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect();
    let means = map.means(&values);
    // The first site has 6 x 6 of the 6 x 30 pixels of its row.
    assert!(means[0] == 0.0 && (means[1] - 36.0 / 180.0).abs() < 1e-12, "{means:?}");
}

#[test]
fn masked_pixels_have_no_label_and_their_neighbours_have_one() {
    let mask = Array2::from_shape_fn((20, 30), |(r, c)| r < 4 && c < 4).into_shared();
    let plan = plan(Border::Nearest, Order::Size, Some(&mask));
    assert_eq!(plan.sites().active_count(), plan.sites().grid().len() - 1);
    let map = label_map(&vec![0; plan.sites().active_count()], 1, &plan, Some(&mask));
    assert_eq!(map.sites[(0, 0)], UNLABELLED);
    let pixels = map.pixels();
    assert!(pixels.indexed_iter().all(|(at, &l)| (l == UNLABELLED) == mask[at]));
    assert_eq!(map.areas[0].pixels, 600 - 16);
    let mut weighed = 0;
    let spread = map.spread(&vec![0.5; plan.sites().active_count()]);
    spread.by_site(|value, count| weighed += if value == 0.5 { count } else { 0 });
    assert_eq!(weighed, 600 - 16);
    assert_eq!(rows::collect(&spread)[(3, 3)], 0.0);
    assert_eq!(map.means(&vec![0.5; plan.sites().active_count()]), [0.5]);
}

#[test]
fn given_labels_go_to_pixels_sites_areas_and_confidence() {
    let plan = plan(Border::Nearest, Order::Size, None);
    let clusters: Vec<u32> = (0..24).map(|i| u32::from(i < 6)).collect();
    let mut map = label_map(&clusters, 2, &plan, None);
    let before = map.pixels();
    assert_eq!((before[(0, 0)], before[(19, 29)]), (2, 1));
    // The whole of the first site's pixels, and part of a row that is no site's middle.
    let corner = (0..6).map(|row| LabelRun { row, cols: 0..6, label: 1 });
    let line = LabelRun { row: 19, cols: 20..30, label: 2 };
    map.give(corner.chain([line]).collect());
    let after = map.pixels();
    for ((r, c), &label) in after.indexed_iter() {
        let expected = match (r, c) {
            (..6, ..6) => 1,
            (19, 20..) => 2,
            at => before[at],
        };
        assert_eq!(label, expected, "{r} {c}");
    }
    assert_eq!((map.sites[(0, 0)], map.sites[(0, 1)], map.sites[(3, 5)]), (1, 2, 1));
    for area in &map.areas {
        let pixels = after.iter().filter(|&&label| label == area.label).count();
        assert_eq!(area.pixels, pixels as u64);
    }
    let sure = rows::collect(&map.confidence(&[0.9; 24]));
    assert_eq!((sure[(0, 0)], sure[(0, 6)], sure[(19, 25)]), (0.0, 0.9, 0.0));
}

#[test]
fn given_labels_have_the_membership_in_their_pattern() {
    let plan = plan(Border::Nearest, Order::Size, None);
    // Far apart on the left, near each other on the right.
    let scores = Array2::from_shape_fn((3, 24), |(k, i)| match (k, i % 6) {
        (0, _) => 0.0,
        (1, ..2) => -2000.0,
        (1, _) => -1.0,
        _ => -3.0,
    });
    let canvas = plan.canvas(&Numbering::Order(Order::Size), None);
    let off = Smoothing { sigma: 0.0, core: 0.0, slack: 0.0 };
    let mut map = LabelMap::of_scores(scores.view(), (off, 0.0), canvas, |_| Mixing::none());
    let soft = map.memberships_of_row(10).unwrap();
    let (label, other) = (map.pixels()[(10, 29)], 1 + map.pixels()[(10, 29)]);
    assert_eq!(label, 1);
    map.give(vec![LabelRun { row: 10, cols: 0..30, label: other }]);
    let sites = map.memberships().unwrap();
    let mut sure = vec![0.0; 30];
    map.confidence(&sites).fill(10, &mut sure);
    for (col, sure) in sure.iter().enumerate() {
        assert!((sure - soft[(usize::from(other) - 1, col)]).abs() < 1e-6, "{col} {sure}");
    }
    assert!(sure[0] == 0.0 && sure[29] > 0.2, "{sure:?}");
}

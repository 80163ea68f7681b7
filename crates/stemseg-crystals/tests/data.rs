//! Lattices of the shared simulated images against the parameters that they were made with.
#![allow(missing_docs, reason = "tests explain themselves")]

use libtest_mimic::{Arguments, Failed, Trial};
use ndarray::Array2;
use stemseg_crystals::{Cell, Crystals, LatticeType};
use stemseg_regions::Regions;
use stemseg_testing::data;

fn main() {
    let arguments = Arguments::from_args();
    let trials = data::needs_shared("data::shared", trials);
    libtest_mimic::run(&arguments, trials).exit();
}

/// Lengths of the two shortest vectors, px, and the angle between them, degrees.
type Truth = [f64; 3];

/// Images, and what each label has; nothing where the labels' crystals are no lattice of their own.
const IMAGES: [(&str, &[Option<Truth>]); 12] = [
    ("b_square_hexagonal", &[Some([12.0, 12.0, 90.0]), Some([12.895, 12.895, 120.0])]),
    ("b_rectangular_oblique", &[Some([12.364, 15.0, 90.0]), Some([13.0, 15.0, 108.0])]),
    ("c_p4mm_p4", &[Some([30.0, 30.0, 90.0]), Some([30.0, 30.0, 90.0])]),
    ("c_p2mm_p2", &[Some([19.0, 26.0, 90.0]), Some([19.0, 26.0, 90.0])]),
    ("c_p31m_p3m1", &[Some([28.0, 28.0, 120.0]), Some([28.0, 28.0, 120.0])]),
    ("c_homometric_p3m1_p6mm", &[Some([27.0, 27.0, 120.0]), Some([27.0, 27.0, 120.0])]),
    ("d_chiral_mirror_domains", &[Some([30.0, 30.0, 90.0]), Some([30.0, 30.0, 90.0])]),
    ("d_inversion_domains_mos2", &[Some([20.0, 20.0, 120.0]), Some([20.0, 20.0, 120.0])]),
    ("f_L12_precipitates", &[Some([11.0, 11.0, 90.0]), Some([22.0, 22.0, 90.0])]),
    ("g_crystal_amorphous_vacuum", &[Some([13.0, 13.0, 120.0]), None, None]),
    ("i_pm_pg", &[Some([26.0, 30.0, 90.0]), Some([26.0, 30.0, 90.0])]),
    ("h_polycrystal_6", &[Some(FCC); 6]),
];

/// fcc along [110] with a lattice parameter of 18 px.
const FCC: Truth = [11.0227, 11.0227, 109.471];

fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = IMAGES
        .into_iter()
        .map(|(name, truth)| Trial::test(format!("data::{name}"), move || cells(name, truth)))
        .collect();
    trials.push(Trial::test("data::misorientations_of_a_polycrystal", misorientations));
    trials.push(Trial::test("data::a_twin_is_a_mirror_image", twin));
    trials
}

fn found(name: &str) -> Result<Crystals, Failed> {
    let place = data::shared().join("data/sim");
    let image = data::micrograph(&place.join(format!("{name}_mid.npy")))?;
    let labels = data::load2(&place.join(format!("{name}_labels.npy")))?;
    let labels: Array2<u16> = labels.mapv(|label| label as u16 + 1);
    let regions = Regions::new(&labels.view(), None, None);
    Ok(Crystals::new(image.pixels(), &regions, None))
}

fn cells(name: &str, truth: &[Option<Truth>]) -> Result<(), Failed> {
    for (pattern, truth) in found(name)?.patterns.iter().zip(truth) {
        let label = pattern.label;
        match (&pattern.found, truth) {
            (Ok(common), Some(truth)) => close(&common.cell, *truth, label)?,
            (Err(_), None) => {}
            (found, _) => return Err(format!("label {label}: {found:?}").into()),
        }
    }
    Ok(())
}

/// Lengths within 0.2 %, angles within a tenth of a degree, or what the displaced rows of a small grain
/// leave of it: two and a half errors.
fn close(cell: &Cell, [a, b, gamma]: Truth, label: u16) -> Result<(), Failed> {
    let [first, second] = cell.lengths_px.map(|length| length.value);
    let right = (first / a - 1.0).abs() < 2e-3
        && (second / b - 1.0).abs() < 2e-3
        && (cell.gamma_deg.value - gamma).abs() < 0.1_f64.max(2.5 * cell.gamma_deg.error);
    if right {
        Ok(())
    } else {
        Err(format!("label {label}: {cell:?} for {a}, {b}, {gamma}").into())
    }
}

/// Grains at 35, 125, 65, 95, 155 and 5 degrees.
fn misorientations() -> Result<(), Failed> {
    const ANGLES: [f64; 6] = [35.0, 125.0, 65.0, 95.0, 155.0, 5.0];
    let crystals = found("h_polycrystal_6")?;
    let mut pairs = 0;
    for (labels, interface) in &crystals.interfaces {
        let relation = interface.relation.as_ref().ok_or("both grains have a lattice")?;
        let [one, other] = labels.map(|label| ANGLES[usize::from(label) - 1]);
        let apart = (other - one).rem_euclid(180.0);
        let expected = apart.min(180.0 - apart);
        let bound = 0.1_f64.max(2.5 * relation.misorientation_deg_error);
        if (relation.misorientation_deg - expected).abs() > bound {
            return Err(format!("{labels:?}: {relation:?} for {expected}").into());
        }
        pairs += 1;
    }
    if pairs < 6 { Err(format!("{pairs} pairs").into()) } else { Ok(()) }
}

/// A lamella of 11 layers of fcc along [110], turned by 70.53 degrees about [110].
fn twin() -> Result<(), Failed> {
    let crystals = found("e_twin_stacking_fault")?;
    let interface = &crystals.interfaces[&[1, 2]];
    let relation = interface.relation.as_ref().ok_or("both sides have a lattice")?;
    let types = [0, 1].map(|i| crystals.patterns[i].found.as_ref().map(|c| c.cell.lattice_type));
    if types != [Ok(LatticeType::CentredRectangular); 2] {
        return Err(format!("{types:?}").into());
    }
    if (relation.misorientation_deg - 70.529).abs() > 0.1 {
        return Err(format!("{relation:?}").into());
    }
    // The layers are 8 degrees down from the right, and their normal 82 degrees up.
    let normal = interface.normal_deg.ok_or("the boundary is a plane")?;
    let planes = interface.planes.ok_or("in terms of both")?;
    if (normal - 82.0).abs() > 1.0 {
        return Err(format!("{normal}: {planes:?}").into());
    }
    Ok(())
}

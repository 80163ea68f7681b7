//! Probe.
#![allow(missing_docs, clippy::print_stdout)]
use stemseg_regions::Regions;
use stemseg_crystals::Crystals;

#[test]
#[ignore]
fn probe() {
    let names = std::env::var("PROBE").unwrap_or("a_tilt_gb_fcc110".into());
    let level = std::env::var("LEVEL").unwrap_or("_mid".into());
    let folder = std::env::var("FOLDER").unwrap_or("sim".into());
    for name in names.split(',') {
        let place = stemseg_testing::data::shared().join("data").join(&folder);
        let image = stemseg_testing::data::micrograph(&place.join(format!("{name}{level}.npy"))).unwrap();
        let l = if folder == "sim" { "_labels" } else { ".labels" };
        let labels = stemseg_testing::data::load2(&place.join(format!("{name}{l}.npy"))).unwrap();
        let labels = labels.mapv(|v| if v == 255.0 { 0 } else { v as u16 + 1 });
        let regions = Regions::new(&labels.view(), None, None);
        let t = std::time::Instant::now();
        let crystals = Crystals::new(image.pixels(), &regions, None);
        println!("{name} {:?}", t.elapsed());
        for (region, found) in regions.all().iter().zip(&crystals.regions) {
            if region.area_px < 400 { continue }
            match found {
                Ok(l) => {
                    let [a, b] = l.cell.lengths_px;
                    println!("  label {} area {} {:?} a {:.4}±{:.4} b {:.4}±{:.4} g {:.3}±{:.3} o {:.3}±{:.3} dep {:.4} refl {} share {:.3} cells {:.0} cols {:?} conv {:?}", region.label, region.area_px, l.cell.lattice_type, a.value, a.error, b.value, b.error, l.cell.gamma_deg.value, l.cell.gamma_deg.error, l.cell.orientation_deg.value, l.cell.orientation_deg.error, l.cell.departure, l.reflections, l.share, l.cells, l.average.columns(), l.cell.conventional_px().map(|v| v.map(|v| v[0].hypot(v[1]))));
                }
                Err(e) => println!("  label {} area {} {:?}", region.label, region.area_px, e),
            }
        }
    }
}

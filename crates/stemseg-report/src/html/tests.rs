use std::path::PathBuf;

use ndarray::Array2;

use super::*;
use crate::maps;
use crate::summary::{Checksummed, Input};
use stemseg::backend::cpu::Cpu;
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::image::micrograph::{Micrograph as Image, NonFinite, PixelSize};
use stemseg::image::sampling::Sampling;
use stemseg::pipeline::Also;
use stemseg::plan::{Labels, Params, Plan};
use stemseg::progress::Silent;
use stemseg::remarks::{Code, Remarks, Warning};
use stemseg::sites::Extent;

/// A result with all that its page is made of.
pub(super) struct Made {
    summary: Summary,
    pub(super) found: Segmentation,
    micrograph: Micrograph,
    pictures: Pictures,
}

/// Rows of atoms on the left and columns on the right, in `clusters` patterns.
pub(super) fn made(name: &str, clusters: usize, pixel_size: Option<PixelSize>) -> Made {
    made_under(None, name, clusters, pixel_size)
}

/// The same with a mask.
fn made_under(
    mask: Option<Array2<bool>>,
    name: &str,
    clusters: usize,
    pixel_size: Option<PixelSize>,
) -> Made {
    let pixels = Array2::from_shape_fn((90, 140), |(row, col)| {
        let along = if col < 70 { row } else { col };
        (along as f64 * std::f64::consts::TAU / 6.0).cos() as f32
    });
    let image = Image::new(pixels.view(), mask, NonFinite::Fail).unwrap();
    let image = image.with_pixel_size(pixel_size);
    let translation = translation::Params {
        patch: Extent::square(8),
        window: Extent::square(6),
        ..Default::default()
    };
    let params = Params {
        families: vec![FamilyParams::Translation(translation)],
        stride: 2,
        clusters: vec![clusters],
        ..Default::default()
    };
    let backend = Cpu::new();
    let plan = Plan::new(params, &image).unwrap();
    let also = Also { channel_maps: true, ..Default::default() };
    let found = stemseg::pipeline::segment(&image, plan, &backend, &Silent, also).unwrap();
    let result = &found.results[0];
    let names = found.plan.channel_names();
    let channels = maps::channels(&found.channel_maps[0], &names, result.separability.view());
    let micrograph = Micrograph::new(image.pixels(), &maps::features(&found), pixel_size);
    let pictures = Pictures::new(&found, result, &channels);
    let device: &DeviceInfo = backend.device();
    let mut remarks = Remarks::default();
    remarks.note("a <note> & more");
    remarks.warn(Warning::new(Code::NoLattice, "a <warning>"));
    let summary = Summary::new(input(name, pixel_size), device, &found, result, remarks);
    Made { summary, found, micrograph, pictures }
}

fn input(name: &str, pixel_size_nm: Option<PixelSize>) -> Input {
    Input {
        path: PathBuf::from("folder").join(name),
        format: "npy",
        shape: [90, 140],
        dtype: "float32".into(),
        image: None,
        frame: None,
        roi: None,
        mask: None,
        mask_inverted: false,
        masked: 0,
        non_finite: Default::default(),
        outliers: Default::default(),
        pixel_size_nm,
        mask_sha256: None,
        sha256: "0123abcd".into(),
        sha256_of: Checksummed::Files,
    }
}

impl Made {
    pub(super) fn page(&self, command: &[&str]) -> String {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        page(Content {
            summary: &self.summary,
            found: &self.found,
            patterns: &self.found.results[0],
            micrograph: &self.micrograph,
            pictures: &self.pictures,
            command: &command,
        })
    }
}

/// What stands between `before` and `after`, each time.
pub(super) fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    let parts = text.split(before).skip(1);
    parts.map(|part| part.split_once(after).unwrap().0).collect()
}

/// The part of a page that is the section of this name.
fn section<'t>(page: &'t str, name: &str) -> &'t str {
    between(page, &format!("<section id=\"{name}\""), "</section>")[0]
}

#[test]
fn what_comes_from_outside_is_escaped() {
    let name = "<b>&\"x.tif";
    let page = made(name, 2, None).page(&["stemseg", "segment", name, "$(echo 'no')"]);
    assert!(!page.contains("<b>"));
    assert!(page.contains("<h1><bdi>&lt;b&gt;&amp;&quot;x.tif</bdi></h1>"));
    assert!(page.contains("<title>&lt;b&gt;&amp;&quot;x.tif – 2 patterns</title>"));
    assert!(page.contains("a &lt;note&gt; &amp; more"));
    // The shell would take the command as it was given.
    let command = between(&page, "<pre class=\"command\"><code>", "</code>")[0];
    let command = ["<span>", "</span>", "<bdi>", "</bdi>"]
        .iter()
        .fold(command.to_owned(), |command, tag| command.replace(tag, ""));
    let command = command.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let words = shlex::split(&command.replace("&amp;", "&")).unwrap();
    assert_eq!(words, ["stemseg", "segment", name, "$(echo 'no')"]);
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = made("image.npy", 3, None).page(&["stemseg"]);
    for source in between(&page, "src=\"", "\"") {
        assert!(source.starts_with("data:image/"), "{:.40}", source);
    }
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("://") && !elsewhere.contains("@import"));
    assert!(between(&page, "href=\"", "\"").iter().all(|href| *href == "data:,"));
}

#[test]
fn the_policy_allows_the_one_script() {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let page = made("image.npy", 2, None).page(&["stemseg"]);
    let scripts = between(&page, "<script>", "</script>");
    assert_eq!(scripts.len(), 1);
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(scripts[0]));
    assert!(page.contains(&format!("script-src 'sha256-{digest}'")));
}

#[test]
fn the_table_has_each_label_with_its_area() {
    let made = made("image.npy", 3, Some(PixelSize { rows: 0.02, cols: 0.02 }));
    let page = made.page(&["stemseg"]);
    let labels = section(&page, "labels");
    assert_eq!(between(labels, "<tr>", "</tr>").len(), 1 + 3, "a head and three labels");
    for label in &made.summary.labels {
        let share = format!("{:.1} %", 100.0 * label.area.fraction);
        let nm2 = label.calibrated().unwrap().typeset();
        for text in [share, nm2] {
            assert!(labels.contains(&format!("<td class=\"number\">{text}</td>")), "{text}");
        }
    }
    let sum: f64 = made.summary.labels.iter().map(|label| label.area_nm2.unwrap()).sum();
    assert!((sum - 90.0 * 140.0 * 0.0004).abs() < 1e-9);
}

#[test]
fn a_paper_is_told_what_was_done() {
    let size = Some(PixelSize { rows: 0.02, cols: 0.02 });
    let mut made = made("image.npy", 2, size);
    let methods = |made: &Made| section(&made.page(&[]), "methods").to_owned();
    let text = methods(&made);
    let sites = made.summary.descriptors.sites;
    let channels = made.summary.descriptors.channels;
    for words in [
        "90 × 140 px, 0.02000 nm a pixel".to_owned(),
        format!("{channels} channels of translation were computed"),
        "grouped into 2 patterns, the number of which was given, by k-means (best of 10 starts, seed 0)".to_owned(),
        "Each pixel has the label of the nearest site.".to_owned(),
        "[1] without training".to_owned(),
        "Microscopy and Microanalysis".to_owned(),
    ] {
        assert!(text.contains(&words), "{words}: {text}");
    }
    assert!(text.contains(&crate::number::count(sites as u64)), "{text}");
    assert!(!text.contains("resampled") && !text.contains("given to neighbours"));
    made.summary.least_region_px = Some(50.0);
    made.summary.parameters.labels = Labels::Interpolated { smooth: 2.0, least_confidence: 0.5 };
    made.summary.parameters.sampling = Some(Sampling { period: 6.0, target: 14.0 });
    let text = methods(&made);
    for words in ["strength 2.00", "below 0.500", "6.00 px, became 14.0 px", "less than 50.00 px"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn lengths_without_a_pixel_size_are_in_px() {
    let page = made("image.npy", 2, None).page(&["stemseg"]);
    assert!(!page.contains("nm²") && !page.contains("class=\"scale\""));
    let calibrated = made("image.npy", 2, Some(PixelSize { rows: 0.02, cols: 0.02 }));
    let page = calibrated.page(&["stemseg"]);
    // 140 px are 2.8 nm; a bar of 0.5 nm is 17.857 % of them.
    let scale = between(&page, "<div class=\"scale\" ", "</div>")[0];
    assert_eq!(scale, "style=\"width:17.857%\"><span>0.5 nm</span>");
    let length = calibrated.summary.boundaries[0].boundary;
    assert!((length.length_nm.unwrap() - 0.02 * length.length_px).abs() < 1e-9);
}

#[test]
fn the_boundary_is_as_long_as_the_sites_are_high() {
    let made = made("image.npy", 2, None);
    let [boundary] = made.summary.boundaries.as_slice() else { panic!("one boundary") };
    let boundary = boundary.boundary;
    let height =
        (made.found.plan.sites().grid().count.rows * made.found.plan.sites().grid().stride) as f64;
    assert!((boundary.length_px / height - 1.0).abs() < 0.06, "{boundary:?} for {height}");
    assert!(section(&made.page(&[]), "boundaries").contains("Length / px"));
}

#[test]
fn one_pattern_has_no_boundaries_and_no_separating_channels() {
    let page = made("image.npy", 1, None).page(&["stemseg"]);
    assert!(page.contains("<p class=\"what\">1 pattern</p>"));
    assert!(!page.contains("id=\"boundaries\"") && !page.contains("id=\"channels\""));
    assert!(page.contains("id=\"features\"") && page.contains("id=\"run\""));
}

#[test]
fn the_plots_show_the_data() {
    let made = made("image.npy", 2, None);
    let page = made.page(&["stemseg"]);
    let plots = between(&page, "<svg ", "</svg>");
    assert_eq!(plots.len(), 3);
    let count = |plot: &str, shape: &str| plot.matches(shape).count();
    // One bar for each component, those that are kept in the accent's colour.
    let (scree, scatter, translations) = (plots[0], plots[1], plots[2]);
    let shares = &made.found.pca.report.scree;
    assert_eq!((shares.len(), count(scree, "<rect")), (20, 20));
    assert_eq!(count(scree, "fill=\"#040404\""), made.found.features.ncols());
    assert_eq!(count(scree, "<circle"), 20);
    // A dot for each site, and a ring on paper for each centroid.
    assert_eq!(count(scatter, "<circle"), made.found.features.nrows() + 2 * 2);
    for label in 1..=2 {
        let [r, g, b] = crate::colours::colour(label);
        let dots = format!("opacity=\"0.6\" fill=\"#{r:02X}{g:02X}{b:02X}\"");
        let of_label = made.found.results[0].map.sites.iter().filter(|&&l| usize::from(l) == label);
        assert_eq!(count(scatter, &dots), of_label.count(), "label {label}");
    }
    // A cell for each translation, and a frame.
    assert_eq!(count(translations, "<rect"), made.found.plan.channels());
    assert_eq!(count(translations, "stroke=\"#1B1D21\""), 1);
    assert_eq!(count(translations, "#FDE725"), 2, "the best and its opposite");
}

#[test]
fn the_scree_is_the_variance_explained() {
    let made = made("image.npy", 2, None);
    let page = made.page(&["stemseg"]);
    let heights: Vec<f64> = between(between(&page, "<svg ", "</svg>")[0], "<rect ", "/>")
        .iter()
        .map(|rect| between(rect, "height=\"", "\"")[0].parse().unwrap())
        .collect();
    let shares = &made.found.pca.report.scree;
    // Within a pixel of the plot.
    for (height, share) in heights.iter().zip(shares) {
        assert!((height - heights[0] * share / shares[0]).abs() <= 2.0, "{height} for {share}");
    }
}

#[test]
fn a_translation_is_listed_with_its_opposite() {
    let page = made("image.npy", 2, Some(PixelSize { rows: 0.5, cols: 0.5 })).page(&["stemseg"]);
    let listed = between(section(&page, "channels"), "<li><span>", "</span>");
    assert_eq!(listed.len(), 10);
    assert!(listed[0].starts_with("± ("), "{}", listed[0]);
    let shifts: std::collections::HashSet<(i32, i32)> = listed
        .iter()
        .map(|name| {
            let shift = between(name, "(", ")")[0].replace('\u{2212}', "-");
            let shift = shift.split_once(", ").unwrap();
            let (row, col): (i32, i32) = (shift.0.parse().unwrap(), shift.1.parse().unwrap());
            let nm = 0.5 * f64::from(row).hypot(f64::from(col));
            let words = format!(" px, {} nm", crate::number::significant(nm, 3));
            assert!(name.ends_with(&words), "{name}: {words}");
            (row, col).max((-row, -col))
        })
        .collect();
    assert_eq!(shifts.len(), 10, "each once");
}

#[test]
fn maps_are_the_features_and_the_channels() {
    let made = made("image.npy", 2, None);
    let page = made.page(&["stemseg"]);
    let maps = |name| between(section(&page, name), "<figure class=\"map\">", "</figure>").len();
    assert_eq!(maps("labels"), 1);
    assert_eq!(maps("features"), 5);
    assert!((1..=6).contains(&maps("channels")));
}

#[test]
fn layers_have_the_colours_of_the_labels() {
    let made = made("image.npy", 2, None);
    let tint = crate::embed::tests::decode(&made.pictures.tint).into_rgb8();
    assert_eq!(tint.dimensions(), (140, 90));
    let labels = made.found.results[0].map.pixels();
    for (x, y, pixel) in tint.enumerate_pixels() {
        let label = labels[(y as usize, x as usize)];
        assert_eq!(pixel.0, crate::colours::colour(usize::from(label)));
    }
    let lines = crate::embed::tests::decode(&made.pictures.lines).into_rgba8();
    let drawn = lines.pixels().filter(|p| p.0[3] > 0).count();
    assert!(drawn > 100 && drawn < lines.pixels().count() / 20, "{drawn}");
}

#[test]
fn masked_sites_are_blank_in_every_map_and_not_in_the_plots() {
    let mask = Array2::from_shape_fn((90, 140), |(row, col)| row < 40 && col < 40);
    let made = made_under(Some(mask), "image.npy", 2, None);
    let count = made.found.plan.sites().grid().count;
    let maps = made.micrograph.features.iter().chain(&made.pictures.channels);
    for map in maps.chain([&made.pictures.confidence]) {
        let picture = crate::embed::tests::decode(&map.uri).into_rgba8();
        assert_eq!(picture.dimensions(), (count.cols as u32, count.rows as u32));
        for (i, pixel) in picture.pixels().enumerate() {
            assert_eq!(pixel.0[3] > 0, made.found.plan.sites().is_active(i), "site {i}");
        }
    }
    let page = made.page(&[]);
    let dots = between(&page, "<svg ", "</svg>")[1].matches("opacity=\"0.6\"").count();
    assert_eq!(dots, made.found.plan.sites().active_count());
    assert!(section(&page, "labels").contains("none"), "the masked area");
}

#[test]
fn a_feature_that_does_not_vary_has_an_axis() {
    for value in [0.0, -3e4] {
        let mut made = made("image.npy", 2, None);
        made.found.features.column_mut(1).fill(value);
        let page = made.page(&[]);
        let scatter = between(&page, "<svg ", "</svg>")[1];
        let dots = scatter.matches("opacity=\"0.6\"").count();
        assert_eq!(dots, made.found.features.nrows());
        assert!(scatter.matches("<text").count() >= 6, "numbers along the axes");
    }
}

#[test]
fn the_index_leads_to_each_result() {
    let (two, three) = (made("<i>.npy", 2, None), made("<i>.npy", 3, None));
    let entry = |made: &'_ Made| format!("k{}/report.html", made.summary.kmeans.clusters);
    let entries = [
        Entry { summary: &two.summary, pictures: &two.pictures, page: entry(&two) },
        Entry { summary: &three.summary, pictures: &three.pictures, page: entry(&three) },
    ];
    let page = index(&two.micrograph, &entries);
    assert_eq!(
        between(&page, "<a class=\"card\" href=\"", "\""),
        ["k2/report.html", "k3/report.html"]
    );
    assert!(page.contains("<h1><bdi>&lt;i&gt;.npy</bdi></h1>") && page.contains("2, 3 patterns"));
    assert_eq!(page.matches("data:image/jpeg").count(), 1, "the micrograph once");
    let widths = |card: &str| {
        between(between(card, "<div class=\"areas\">", "</div>")[0], "width:", "%").len()
    };
    let cards: Vec<usize> =
        between(&page, "<a class=\"card\"", "</a>").into_iter().map(widths).collect();
    assert_eq!(cards, [2, 3]);
}

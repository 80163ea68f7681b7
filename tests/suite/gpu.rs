//! Corner cases of the GPU backend alone: little memory, changed kernels, the
//! cache of pipelines.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::Error;
use stemseg::Plan;
use stemseg::backend::gpu::{Gpu, Options, Shaders};
use stemseg::backend::{Backend, Step};
use stemseg::descriptor::{Translation, translation};
use stemseg::plan::Components;
use stemseg::reduce::pca::{Moments, Pca};
use stemseg::sites::Extent;

use crate::borders::{masked, wide};
use crate::contract::{
    assignment, check_definition, describe, family, moments_and_features, noise, tiles,
    without_sites,
};
use crate::families::{
    CORNERS, about_flat, bright_centres, corner, default_symmetries, glides, lonely_spots,
    many_ranks, many_rings, pooled_plan, powers_that_overflow, small_symmetries,
    small_windows_of_spectra, spots,
};
use crate::steps::{one_after_another, some_sites};
use crate::verify::mutated;
use stemseg_testing::devices::{self, Devices};
use stemseg_testing::wrong::shows_wrong_value;

/// A check that a changed kernel must fail.
type Check = fn(&dyn Backend) -> Result<(), Failed>;

/// Shader, what is changed, and the check that must show it.
const MUTATIONS: [(&str, &str, &str, Check); 78] = [
    ("assign", "atomicAdd(&moved, 1u)", "atomicAdd(&moved, 2u)", assignment),
    ("assign", "first + 5u", "first + 6u", assignment),
    ("cluster_sums", "return 1.0", "return 1.01", assignment),
    ("cluster_sums", "p += params.segments", "p += params.segments + 1u", assignment),
    ("cluster_sums", "s < params.segments", "s + 1u < params.segments", assignment),
    ("cluster_sums", "let first_column = group.z", "let first_column = 0u", assignment),
    ("centroids", "cluster % 8u", "0u", one_after_another),
    ("centroids", "cluster / 8u", "0u", one_after_another),
    ("centroids", "at += params.clusters * columns", "at += columns", one_after_another),
    ("centroids", "let feature = own % params.features", "let feature = 0u", one_after_another),
    ("project", "site = list[place]", "site = min(list[place], place)", some_sites),
    ("intensity", "left + chunk + c,", "left + c,", intensity_corners),
    ("intensity", "let start = max(own, chunk)", "let start = own", intensity_corners),
    ("intensity", "own + params.width, min(", "own + params.width, max(", intensity_corners),
    ("intensity", "(here - 1u) * params.stride", "here - 1u", intensity_corners),
    ("intensity", "off = means[c - chunk] - mean", "off = means[c - chunk]", intensity_corners),
    ("harmonic", "two = site(row, col + THREADS)", "two = site(row, col)", harmonic_corners),
    ("harmonic", "col = group.x * 2u * THREADS", "col = group.x * THREADS", harmonic_corners),
    ("harmonic", "NONE: u32 = 0xffffffffu", "NONE: u32 = 0u", harmonic_corners),
    ("harmonic", "min(col, params.cols - 1u)", "min(col, params.cols - 2u)", harmonic_corners),
    ("harmonic", "found.offset = sum / count", "found.offset = 0.0", bright_centres),
    ("harmonic", "let each = share(d)", "let each = 1.0", harmonic_corners),
    ("harmonic", "norm < params.flat", "norm < 0.1 * params.flat", about_flat),
    ("maximum", "max(own.x, chunk)", "chunk", spots),
    ("maximum", "min(own.y, beyond)", "beyond", spots),
    ("maximum", "columns[col - chunk]);", "columns[col - start]);", spots),
    ("maximum", "min(chunk + COLUMNS, end)", "min(chunk + COLUMNS - 1u, end)", spots),
    ("maximum", "params.site_cols) - 1u", "params.site_cols) - 2u", harmonic_corners),
    ("maximum", "row < rows.y", "row + 1u < rows.y", harmonic_corners),
    ("power_mean", "max(own.x, chunk)", "max(own.x + 1u, chunk)", lonely_spots),
    ("power_mean", "min(own.y, beyond)", "min(own.y - 1u, beyond)", lonely_spots),
    ("power_mean", "inner < rows.y", "inner + 1u < rows.y", power_mean_corners),
    ("power_mean", "w *= counts[at]", "w *= 1.0 + 0.0 * counts[at]", masked_power_means),
    ("power_mean", "params.inner_left + col", "col", power_mean_corners),
    ("centred", "merged(all, along(", "(along(", centred_corners),
    ("centred", "max(local, chunk)", "max(local + 1u, chunk)", centred_corners),
    ("centred", "all.n >= params.least", "all.n >= 0.0", masked_pairs),
    ("centred_cells", "select(1.0, 0.5, half)", "1.0", centred_corners),
    ("centred_cells", "any(at < vec2<i32>(0)) ||", "", centred_corners),
    ("centred_cells", "63 * STRIDE + SIDE", "SIDE", centred_corners),
    ("centred_cells", "low >= vec2<i32>(0)", "low >= vec2<i32>(-99)", centred_corners),
    ("centred_cells", "return MASKED == 0u &&", "return", masked_pairs),
    ("centred_cells", "both += weighted.x", "both += 1.01 * weighted.x", wide_pairs),
    ("centred_cells", "MASKED == 0u {", "true {", masked_pairs),
    ("power_spectrum", "share(pixel) * share(line)", "share(line)", spectra),
    ("power_spectrum", "min(PARTS, params.threads)", "PARTS - 1u", spectra),
    ("power_spectrum", "8u * (eight - slice)", "8u * eight", spectra),
    ("power_spectrum", "first * params.long_eights +", "", spectra),
    ("power_spectrum", "col = (group % params.across)", "col = group", spectra),
    ("power_spectrum", "put(to.y, site, power.x)", "put(to.y, site, power.y)", spectra),
    ("power_spectrum", "params.short - block)", "1u)", spectra),
    ("power_spectrum", "vec2<f32>(LARGEST)", "vec2<f32>(1.0)", powers_that_overflow),
    ("fold", "params.fresh == 0u", "params.fresh == 2u", moments_and_features),
    ("moments", "params.masked == 0u", "params.masked == 1u", moments_and_features),
    ("moments", "piece + PIECE, part.y", "piece + PIECE - 1u, part.y", moments_and_features),
    ("translation", "params.begins == 0u", "params.begins == 2u", several_slabs),
    ("translation", "params.ends == 0u", "params.ends == 2u", several_slabs),
    ("polar", "coefficient(first + step)", "0.0", small_symmetries),
    ("polar", "STARTS: u32 = 16u", "STARTS: u32 = 2u", small_symmetries),
    ("polar", "2u * x == block.step", "false", default_symmetries),
    ("polar", "own < params.blocks", "own < 2u", default_symmetries),
    ("glide", "2u * i + 1u, row", "2u * i, row", glides),
    ("glide", "(turn + ANGLES", "(turn + 1u + ANGLES", glides),
    ("glide", "(step + 1u) * RINGS", "step * RINGS", glides),
    ("glide", "moves[step].cols", "0", glides),
    ("glide", "return 0.0;", "return 1.0;", glides),
    ("glide", "maps[i * size + site] = 0.0", "maps[i * size + site] = 1.0", glides),
    ("glide", "i += FOLDED", "i += 2u * FOLDED", glides),
    ("glide", "i < FOLDED", "i + 1u < FOLDED", glides),
    ("glide", "+ col - SIDE / 2u", "+ col - SIDE / 2u + 1u", glides),
    ("glide", "vec2<f32>(0.0, squares(local))", "vec2<f32>(0.0, 1.0)", glides),
    ("glide", "params.first_part + group.z", "group.z", glides),
    ("rank_pooling", "equal > written", "equal > 0u", many_ranks),
    ("rank_pooling", "var count = 1u", "var count = 16u", many_ranks),
    ("rank_pooling", "if rank < count", "if true", many_ranks),
    ("rank_pooling", "own.y, chunk_end", "own.y, chunk_end - 1u", many_ranks),
    ("repair", "own % tile.cols", "0u", step_in_columns),
    ("repair", "+ group.y * count", "", step_in_columns),
];

const PIPELINE_CACHE: wgpu::Features = wgpu::Features::PIPELINE_CACHE;

/// Multiply-adds of a dispatch of which even small images need many.
const SHORT: u64 = 1 << 17;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut with = |name: &str, options: Options, test: fn(&Gpu, &Gpu) -> Result<(), Failed>| {
        trials.push(devices.adapter_trial(&format!("gpu::{name}"), move |adapter| {
            test(devices::shared(adapter)?, &devices::open(adapter, options.clone())?)
        }));
    };
    let tiny = Options { binding_limit: Some(300_000), ..Default::default() };
    with("tiny_bindings_change_nothing", tiny, tiny_bindings_change_nothing);
    let tiny = Options { binding_limit: Some(1_000_000), ..Default::default() };
    with("tiny_bindings_change_no_pooled_score", tiny, tiny_bindings_change_no_pooled_score);
    let short = Options { work_per_dispatch: Some(SHORT), ..Default::default() };
    with("short_dispatches_change_nothing", short, short_dispatches_change_nothing);
    let hopeless = Options { binding_limit: Some(1000), ..Default::default() };
    with("too_little_is_an_error", hopeless, too_little_is_an_error);
    let cramped = Options { workgroup_memory: Some(3 << 10), ..Default::default() };
    with("little_workgroup_memory_is_enough", cramped, little_workgroup_memory_is_enough);
    // Rings in two parts, and squares that do not fit.
    let two_parts = Options { workgroup_memory: Some(6300), ..Default::default() };
    with("few_rings_at_a_time", two_parts, |_, gpu| many_rings(gpu));
    let few = Options { binding_limit: Some(100_000), ..Default::default() };
    with("few_pairs_at_a_time", few, |_, gpu| masked(gpu, "centred-translation"));
    let spilt = Options {
        workgroup_memory: Some(3 << 10),
        binding_limit: Some(300_000),
        ..Default::default()
    };
    with("squares_outside_of_workgroups", spilt, |_, gpu| {
        default_symmetries(gpu)?;
        glides(gpu)?;
        many_rings(gpu)
    });
    for (i, (shader, from, to, check)) in MUTATIONS.into_iter().enumerate() {
        let name = format!("gpu::mutation_{i}_of_{shader}_shows");
        let options = move || cramped_with(mutated(shader, from, to));
        trials.push(devices.gpu_trial_with(&name, options, move |gpu| {
            let shown = shows_wrong_value(check(gpu));
            shown.map_err(|why| format!("'{to}': {}", why.message().unwrap_or_default()).into())
        }));
    }
    trials.push(devices.gpu_trial_with(
        "gpu::unchanged_shaders_pass_the_checks_of_mutations",
        || cramped_with(Shaders::default()),
        unchanged_shaders_pass,
    ));
    trials.push(cache_trial(devices));
    trials
}

/// Memory little enough for several slabs, and several dispatches.
fn cramped_with(shaders: Shaders) -> Options {
    Options {
        shaders,
        workgroup_memory: Some(3 << 10),
        work_per_dispatch: Some(SHORT),
        ..Default::default()
    }
}

/// What shows a changed shader is the change.
fn unchanged_shaders_pass(gpu: &Gpu) -> Result<(), Failed> {
    let mut done: Vec<Check> = Vec::new();
    for (shader, _, to, check) in MUTATIONS {
        if done.iter().any(|other| std::ptr::fn_addr_eq(*other, check)) {
            continue;
        }
        done.push(check);
        check(gpu).map_err(|failed| {
            let why = failed.message().unwrap_or_default();
            Failed::from(format!("the check of '{to}' in {shader}.wgsl without it: {why}"))
        })?;
    }
    Ok(())
}

/// Ignored, with the reason, where the adapter keeps no pipelines.
fn cache_trial(devices: &Devices) -> Trial {
    let trial =
        devices.adapter_trial("gpu::pipelines_are_kept_on_disk", pipelines_are_kept_on_disk);
    match devices {
        Devices::Adapter(adapter) if !adapter.features().contains(PIPELINE_CACHE) => {
            trial.with_ignored_flag(true).with_kind("the adapter keeps no pipelines")
        }
        _ => trial,
    }
}

/// A plan of many tiles, some of whose sites are not segmented, and its image.
fn masked_tiles() -> Result<(Array2<f32>, Plan), Failed> {
    let (image, plan) = tiles((470, 300), 5)?;
    let plan = without_sites(&plan, |i, j| (i + 3 * j) % 7 == 0)?;
    Ok((image, plan))
}

fn tiny_bindings_change_nothing(whole: &Gpu, tiny: &Gpu) -> Result<(), Failed> {
    let (image, plan) = masked_tiles()?;
    if tiny.band_rows(&plan, u64::MAX)? >= plan.sites().grid().count.rows {
        return Err("the limit does not force a second band".into());
    }
    match same_results(whole, tiny, &image, &plan)? {
        true => Ok(()),
        false => Err("tiny bindings change descriptors, moments, features or labels".into()),
    }
}

/// What pooled families and translations give, however it is parted.
fn short_dispatches_change_nothing(whole: &Gpu, short: &Gpu) -> Result<(), Failed> {
    let (image, plan) = masked_tiles()?;
    if !same_results(whole, short, &image, &plan)? {
        return Err("short dispatches change descriptors, moments, features or labels".into());
    }
    let (micrograph, plan) = pooled_plan()?;
    let image = micrograph.standardised()?;
    let run = |gpu: &Gpu| describe(gpu, image, &plan, usize::MAX);
    match run(whole)? == run(short)? {
        true => Ok(()),
        false => Err("short dispatches change pooled scores".into()),
    }
}

/// Whether both give the same descriptors, moments, features and labels, bit for bit.
fn same_results(a: &Gpu, b: &Gpu, image: &Array2<f32>, plan: &Plan) -> Result<bool, Failed> {
    let run = |gpu: &Gpu| -> Result<(Array2<f32>, Moments, Array2<f32>), Failed> {
        let bands = plan.sites().bands(gpu.band_rows(plan, u64::MAX)?);
        let mut session = gpu.upload(image.view(), plan)?;
        bands.iter().try_for_each(|band| session.accumulate(band))?;
        let moments = session.moments()?;
        let pca = Pca::new(&moments, Components::Count(3))?;
        bands.iter().try_for_each(|band| session.project(band, &pca))?;
        Ok((describe(gpu, image.view(), plan, usize::MAX)?, moments, session.features()?))
    };
    let points = Array2::from_shape_fn((60_000, 5), |(i, f)| ((i * 31 + f * 7) % 1009) as f32);
    let assign = |gpu: &Gpu| -> Result<Vec<(Vec<u32>, Step)>, Failed> {
        let mut assigner = gpu.assigner(points.view())?;
        let mut step = |clusters: usize| -> Result<_, Failed> {
            let (mut labels, mut distances) = (vec![0; 60_000], vec![0.0; 60_000]);
            let step = assigner.step(points.slice(s![..clusters, ..]))?;
            assigner.labels(&mut labels, &mut distances)?;
            Ok((labels, step))
        };
        Ok(vec![step(7)?, step(7)?, step(11)?])
    };
    Ok(run(a)? == run(b)? && assign(a)? == assign(b)?)
}

fn tiny_bindings_change_no_pooled_score(whole: &Gpu, tiny: &Gpu) -> Result<(), Failed> {
    let (micrograph, plan) = pooled_plan()?;
    let image = micrograph.standardised()?;
    let rows = tiny.band_rows(&plan, u64::MAX)?;
    if rows >= plan.sites().grid().count.rows {
        return Err("the limit does not force a second band".into());
    }
    match describe(whole, image, &plan, usize::MAX)? == describe(tiny, image, &plan, rows)? {
        true => Ok(()),
        false => Err("tiny bindings change descriptors".into()),
    }
}

fn too_little_is_an_error(_: &Gpu, hopeless: &Gpu) -> Result<(), Failed> {
    let (_, plan) = tiles((60, 60), 5)?;
    match hopeless.band_rows(&plan, u64::MAX) {
        Err(Error::Device { reason, .. }) if reason.contains("binds 1000") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn little_workgroup_memory_is_enough(_: &Gpu, cramped: &Gpu) -> Result<(), Failed> {
    several_slabs(cramped)?;
    step_in_columns(cramped)?;
    small_windows_of_spectra(cramped)?;
    assignment(cramped)
}

/// Patches that 3 KiB of workgroup memory hold in one, two and three slabs, with
/// and without a part of a block left.
fn several_slabs(backend: &dyn Backend) -> Result<(), Failed> {
    let shift = |rows, cols| Translation { rows, cols };
    let list = vec![shift(-3, 2), shift(0, 0), shift(1, 5), shift(2, -7), shift(0, 1)];
    for (patch, stride) in [(20, 5), (20, 1), (30, 1), (45, 2), (40, 1)] {
        let patch = Extent { rows: 6, cols: patch };
        let list = Some(list.clone());
        let params = translation::Params { patch, list, ..Default::default() };
        let image = noise((40, 180), patch.cols as u64);
        check_definition(backend, &family(params, stride), &image, false)?;
    }
    Ok(())
}

fn corners(backend: &dyn Backend, name: &'static str) -> Result<(), Failed> {
    (0..CORNERS.len() as u64).try_for_each(|case| corner(backend, name, case))
}

fn intensity_corners(backend: &dyn Backend) -> Result<(), Failed> {
    corners(backend, "intensity")
}

fn harmonic_corners(backend: &dyn Backend) -> Result<(), Failed> {
    corners(backend, "harmonic")
}

fn centred_corners(backend: &dyn Backend) -> Result<(), Failed> {
    corners(backend, "centred-translation")
}

fn power_mean_corners(backend: &dyn Backend) -> Result<(), Failed> {
    corners(backend, "power-mean")
}

fn masked_pairs(backend: &dyn Backend) -> Result<(), Failed> {
    masked(backend, "centred-translation").and_then(|()| wide(backend, "centred-translation", true))
}

fn wide_pairs(backend: &dyn Backend) -> Result<(), Failed> {
    wide(backend, "centred-translation", false)
}

fn masked_power_means(backend: &dyn Backend) -> Result<(), Failed> {
    masked(backend, "power-mean")
}

fn spectra(backend: &dyn Backend) -> Result<(), Failed> {
    corners(backend, "power-spectrum").and(small_windows_of_spectra(backend))
}

/// A step that tiles of f32 sums cannot do.
fn step_in_columns(backend: &dyn Backend) -> Result<(), Failed> {
    let mut image = noise((90, 110), 4);
    image.slice_mut(s![.., 51..]).mapv_inplace(|v| v + 900.0);
    let params = translation::Params {
        patch: Extent::square(6),
        window: Extent::square(7),
        max_points: 9,
        list: None,
    };
    check_definition(backend, &family(params, 3), &image, false)
}

fn pipelines_are_kept_on_disk(adapter: &wgpu::Adapter) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("pipelines");
    let open = || {
        let pipeline_cache = Some(cache.clone());
        Gpu::with_options(adapter, Options { pipeline_cache, ..Default::default() })
    };
    drop(open()?);
    let files = || -> Result<Vec<_>, Failed> {
        Ok(std::fs::read_dir(&cache)?.collect::<Result<Vec<_>, _>>()?)
    };
    let [file] = &files()?[..] else { return Err("one file is not what was written".into()) };
    let written = std::fs::read(file.path())?;
    assignment(&open()?)?;
    // Neither rubbish nor a file cut short may do harm.
    for rubbish in [&b"rubbish"[..], &written[..written.len() / 2]] {
        std::fs::write(file.path(), rubbish)?;
        assignment(&open()?)?;
    }
    // A folder that cannot be made is not a reason to fail.
    std::fs::remove_dir_all(&cache)?;
    std::fs::write(&cache, "a file")?;
    assignment(&open()?)
}

//! Checks of the shaders that need no GPU: they validate, each graphics interface
//! has a translation of them, host structs have the layout that the shader
//! declares, each launcher binds what it reads, and none takes more workgroup
//! memory than every device has.

use std::mem::{offset_of, size_of};

use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner};
use stemseg::backend::gpu::{
    Shaders, assign, centred, centroids, cluster_sums, fold, glide, harmonic, intensity, maximum,
    moments, pixels, polar, power_mean, power_spectrum, project, rank_pooling, repair,
    spline_square, translation,
};

/// Workgroup memory of every device, bytes.
const WORKGROUP_MEMORY: u32 = 16 << 10;

fn parse(name: &str, source: &str) -> Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let (plain, info) = process_overrides(&module, &info, None, &Default::default())
        .unwrap_or_else(|e| panic!("{name}: {e:?}"));
    naga::back::msl::write_string(&plain, &info, &Default::default(), &Default::default())
        .unwrap_or_else(|e| panic!("{name} for Metal: {e:?}"));
    let (mut text, options) = (String::new(), Default::default());
    let pipeline = Default::default();
    naga::back::hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&plain, &info, None)
        .unwrap_or_else(|e| panic!("{name} for DX12: {e:?}"));
    let shared = workgroup_memory(&plain);
    assert!(shared <= WORKGROUP_MEMORY, "{name} takes {shared} bytes of workgroup memory");
    module
}

/// Bytes of the shader's workgroup variables, its constants at their defaults.
fn workgroup_memory(module: &Module) -> u32 {
    let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
    shared.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx())).sum()
}

/// Size of a struct of the shader, and `(name, offset)` of its members.
fn layout(module: &Module, name: &str) -> (usize, Vec<(String, usize)>) {
    let found = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name));
    let (_, ty) = found.unwrap_or_else(|| panic!("the shader has no struct {name}"));
    let TypeInner::Struct { members, span } = &ty.inner else { panic!("{name} is no struct") };
    let member = |m: &naga::StructMember| (m.name.clone().unwrap_or_default(), m.offset as usize);
    (*span as usize, members.iter().map(member).collect())
}

macro_rules! assert_layout {
    ($module:expr, $shader:literal, $host:ty { $($field:ident),* }) => {{
        let (size, members) = layout(&$module, $shader);
        assert_eq!(size, size_of::<$host>(), "size of {}", $shader);
        let host = vec![$((stringify!($field).to_owned(), offset_of!($host, $field))),*];
        assert_eq!(members, host, "members of {}", $shader);
    }};
}

/// Bindings of group 0 must run from 0 without a gap, since launchers pass buffers in
/// that order; the ledger's stands beyond.
fn assert_bindings(module: &Module, count: u32) {
    assert_eq!(bindings(module), (0..count).chain([15]).collect::<Vec<_>>());
}

fn assert_entry(module: &Module, name: &str) {
    let names: Vec<&str> = module.entry_points.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, [name]);
}

/// Bindings of group 0, sorted.
fn bindings(module: &Module) -> Vec<u32> {
    let bound = module.global_variables.iter().filter_map(|(_, v)| v.binding);
    let mut bindings: Vec<u32> = bound
        .map(|b| {
            assert_eq!(b.group, 0);
            b.binding
        })
        .collect();
    bindings.sort_unstable();
    bindings
}

/// What holds for any shader, so for those of a family that is added too.
#[test]
fn every_shader_has_an_entry_of_its_name_and_bindings_without_gaps() {
    let shaders = Shaders::default();
    for name in shaders.names() {
        let module = parse(name, &shaders[name]);
        assert_entry(&module, name);
        let count = bindings(&module).len() as u32 - 1;
        assert_bindings(&module, count);
    }
}

#[test]
fn translation_shader() {
    let module = parse("translation", &Shaders::default()["translation"]);
    assert_layout!(
        module,
        "Params",
        translation::Params {
            first_row,
            pitch,
            top,
            left,
            stride,
            height,
            whole,
            rest,
            fold,
            begins,
            ends,
            norm_first,
            norm_line,
            sites,
            site_cols,
            first_site_row,
            first_tile,
            first_four,
            translations,
            first_channel,
            patch_pixels
        }
    );
    assert_layout!(
        module,
        "Tile",
        translation::GpuTile { first_row, first_col, rows, cols, centre }
    );
    assert_bindings(&module, 7);
    assert_entry(&module, "translation");
}

/// The struct that kernels share which read single pixels.
fn assert_image(module: &Module) {
    assert_layout!(module, "Image", pixels::Image { first_row, line, pitch, unused });
}

#[test]
fn intensity_shader() {
    let module = parse("intensity", &Shaders::default()["intensity"]);
    assert_image(&module);
    assert_layout!(
        module,
        "Params",
        intensity::Params {
            image,
            half_rows,
            half_cols,
            height,
            width,
            top,
            left,
            stride,
            sites,
            site_cols,
            first_site_row,
            first_row,
            first_channel
        }
    );
    assert_bindings(&module, 3);
    assert_entry(&module, "intensity");
}

#[test]
fn harmonic_shader() {
    let module = parse("harmonic", &Shaders::default()["harmonic"]);
    assert_image(&module);
    assert_layout!(
        module,
        "Params",
        harmonic::Params {
            image,
            top,
            left,
            stride,
            first_inner_row,
            rows,
            cols,
            first_row,
            positions,
            step,
            pixels,
            flat
        }
    );
    assert_bindings(&module, 6);
    assert_entry(&module, "harmonic");
}

#[test]
fn maximum_shader() {
    let module = parse("maximum", &Shaders::default()["maximum"]);
    assert_layout!(module, "Params", maximum::Params { rows, cols, sites, site_cols, first_row });
    assert_layout!(module, "Phases", maximum::Phases { cos, sin, re, im, channel, count });
    assert_bindings(&module, 6);
    assert_entry(&module, "maximum");
}

#[test]
fn power_mean_shader() {
    let module = parse("power_mean", &Shaders::default()["power_mean"]);
    assert_layout!(
        module,
        "Params",
        power_mean::Params {
            rows,
            cols,
            sites,
            site_cols,
            first_row,
            top,
            left,
            stride,
            inner_top,
            inner_left,
            inner_stride
        }
    );
    assert_layout!(module, "Phases", maximum::Phases { cos, sin, re, im, channel, count });
    assert_bindings(&module, 8);
    assert_entry(&module, "power_mean");
}

#[test]
fn centred_shaders() {
    let module = parse("centred_cells", &Shaders::default()["centred_cells"]);
    assert_image(&module);
    assert_layout!(
        module,
        "Params",
        centred::CellParams {
            image,
            height,
            width,
            top,
            left,
            rows,
            cols,
            first_row,
            first_half,
            mask_words
        }
    );
    assert_bindings(&module, 6);
    assert_entry(&module, "centred_cells");
    let module = parse("centred", &Shaders::default()["centred"]);
    assert_layout!(
        module,
        "Params",
        centred::Params {
            rows,
            cols,
            around,
            sites,
            site_cols,
            first_row,
            first_channel,
            floor,
            least
        }
    );
    assert_bindings(&module, 5);
    assert_entry(&module, "centred");
}

/// The struct that kernels share which sample squares.
fn assert_inner(module: &Module) {
    assert_image(module);
    assert_layout!(
        module,
        "Inner",
        spline_square::Inner {
            image,
            top,
            left,
            stride,
            first_inner_row,
            rows,
            cols,
            first_row,
            first_col
        }
    );
}

#[test]
fn polar_shader() {
    let module = parse("polar", &Shaders::default()["polar"]);
    assert_inner(&module);
    assert_layout!(module, "Params", polar::Params { inner, blocks, scores, entries, norm });
    assert_layout!(module, "Block", polar::Block { step, first, mirrored, unused });
    assert_layout!(module, "Entry", polar::Entry { sum, weight });
    assert_bindings(&module, 8);
    assert_entry(&module, "polar");
}

#[test]
fn glide_shader() {
    let module = parse("glide", &Shaders::default()["glide"]);
    assert_inner(&module);
    assert_layout!(
        module,
        "Params",
        glide::Params { inner, norm_row, norm_cols, glides, at_once, first_part }
    );
    assert_layout!(module, "Move", glide::Move { rows, cols, turn, unused });
    assert_bindings(&module, 7);
    assert_entry(&module, "glide");
}

#[test]
fn pooling_shader() {
    let module = parse("rank_pooling", &Shaders::default()["rank_pooling"]);
    assert_layout!(
        module,
        "Params",
        rank_pooling::Params {
            rows,
            cols,
            sites,
            site_cols,
            first_row,
            first_group,
            first_score,
            scores,
            map,
            channel,
            first_rank,
            ranks
        }
    );
    assert_bindings(&module, 5);
    assert_entry(&module, "rank_pooling");
}

#[test]
fn power_spectrum_shader() {
    let module = parse("power_spectrum", &Shaders::default()["power_spectrum"]);
    assert_layout!(
        module,
        "Params",
        power_spectrum::Params {
            origin,
            below,
            sites,
            site_cols,
            across,
            first_group,
            at_once,
            threads,
            memory,
            long,
            short,
            long_eights,
            short_eights,
            whole,
            lines,
            pixels,
            pitch,
            eights,
            sums_at,
            sums_pitch,
            first_channel,
            logarithm,
            area,
            scale,
            most
        }
    );
    assert_bindings(&module, 7);
    assert_entry(&module, "power_spectrum");
}

#[test]
fn moments_shader() {
    let module = parse("moments", &Shaders::default()["moments"]);
    assert_eq!(u64::from(workgroup_memory(&module)), moments::SHARED);
    assert_layout!(module, "Params", moments::Params { sites, channels, first_part, masked });
    assert_bindings(&module, 5);
    assert_entry(&module, "moments");
}

#[test]
fn project_shader() {
    let module = parse("project", &Shaders::default()["project"]);
    assert_layout!(
        module,
        "Params",
        project::Params { sites, channels, features, groups_per_row, first_group, count }
    );
    assert_bindings(&module, 6);
    assert_entry(&module, "project");
}

#[test]
fn assign_shader() {
    let module = parse("assign", &Shaders::default()["assign"]);
    assert_layout!(
        module,
        "Params",
        assign::Params {
            points,
            features,
            clusters,
            first_point,
            end_point,
            groups_per_row,
            piece
        }
    );
    assert_bindings(&module, 6);
    assert_entry(&module, "assign");
}

#[test]
fn cluster_sums_shader() {
    let module = parse("cluster_sums", &Shaders::default()["cluster_sums"]);
    assert_layout!(
        module,
        "Params",
        cluster_sums::Params {
            points,
            features,
            clusters,
            first_point,
            chunk,
            range,
            width,
            segments
        }
    );
    assert_bindings(&module, 4);
    assert_entry(&module, "cluster_sums");
}

#[test]
fn centroids_shader() {
    let module = parse("centroids", &Shaders::default()["centroids"]);
    assert_layout!(module, "Params", centroids::Params { features, clusters, totals, first });
    assert_bindings(&module, 3);
    assert_entry(&module, "centroids");
}

#[test]
fn fold_shader() {
    let module = parse("fold", &Shaders::default()["fold"]);
    assert_layout!(
        module,
        "Params",
        fold::Params { entries, first_part, parts, fresh, groups_per_row }
    );
    assert_bindings(&module, 3);
    assert_entry(&module, "fold");
}

#[test]
fn repair_shader() {
    let module = parse("repair", &Shaders::default()["repair"]);
    assert_layout!(
        module,
        "Params",
        repair::Params { sites, site_cols, first_site_row, first_channel }
    );
    assert_layout!(
        module,
        "Tile",
        repair::GpuTile { first_row, first_col, rows, cols, first_score }
    );
    assert_bindings(&module, 4);
    assert_entry(&module, "repair");
}

// Power mean of the projections of harmonics on each phase in a site's window:
//
//   (sum over inner sites of w max(0, cos(q) re(a) - sin(q) im(a))^8 / sum of w)^(1/8)
//
// A workgroup takes 64 neighbouring sites of a row, and up to four phases, one in each
// lane of its vectors. Its threads sum down the window's rows, 256 inner columns at a
// time; then each thread sums the columns of its window. All threads meet at two
// barriers for each 256 columns.
//
// Dispatch: (site columns / 64, site rows, fours of phases). Launcher:
// src/backend/gpu/power_mean.rs. Twin: src/backend/cpu/power_mean.rs.
//
// Work per site and four of phases, at a window of h x w inner sites that stand g to a
// site's stride: (g + w / 64) h loads of 8 bytes, 12 with a mask, from the cache and 7 operations of
// four, w multiply-adds of four; 16 bytes written.

struct Params {
    // Inner rows and columns of the maps.
    rows: u32,
    cols: u32,
    // Sites of the band, in a row of it.
    sites: u32,
    site_cols: u32,
    // First site row of this dispatch, counted from the band's.
    first_row: u32,
    // Pixel row and column of the band's first site, distance of sites.
    top: u32,
    left: u32,
    stride: u32,
    // The same of the inner sites of the maps.
    inner_top: u32,
    inner_left: u32,
    inner_stride: u32,
}

// Up to four phases of one kernel.
struct Phases {
    cos: vec4<f32>,
    sin: vec4<f32>,
    // Channels of the real and the imaginary part in the maps.
    re: u32,
    im: u32,
    // First channel of the descriptors, and how many.
    channel: u32,
    count: u32,
}

// Whether there are inner sites that do not count.
override MASKED: u32 = 0u;

const SITES: u32 = 64u;
const COLUMNS: u32 = 256u;
// This many times as large, f32 holds the eighth power of all that counts.
const SCALE: f32 = 256.0;

@group(0) @binding(0) var<uniform> params: Params;
// [channel][inner row][col].
@group(0) @binding(1) var<storage, read> maps: array<f32>;
// First inner row and one beyond the last of each site row of the band; columns of
// each site column.
@group(0) @binding(2) var<storage, read> row_windows: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> col_windows: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> phases: array<Phases>;
// By distance along an axis, px.
@group(0) @binding(5) var<storage, read> weights: array<f32>;
// [inner row][col], 1 for inner sites that count, else 0; not read where all do.
@group(0) @binding(6) var<storage, read> counts: array<f32>;
// [D][sites of the band].
@group(0) @binding(7) var<storage, read_write> descriptors: array<f32>;

// Sums down the window's rows, by column: of powers, and of weights.
var<workgroup> columns: array<vec4<f32>, COLUMNS>;
var<workgroup> norms: array<f32, COLUMNS>;

// Weight of an inner site so far along an axis from a site.
fn weight(inner: u32, site: u32) -> f32 {
    return weights[max(inner, site) - min(inner, site)];
}

@compute @workgroup_size(64)
fn power_mean(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let phase = phases[group.z];
    let row = params.first_row + group.y;
    let first = group.x * SITES;
    let last = min(first + SITES, params.site_cols) - 1u;
    let works = first + local <= last;
    let rows = row_windows[row];
    let own = col_windows[min(first + local, last)];
    let start = col_windows[first].x;
    let end = col_windows[last].y;
    let site_row = params.top + row * params.stride;
    let site_col = params.left + min(first + local, last) * params.stride;
    let size = params.rows * params.cols;

    var sum = vec4<f32>(0.0);
    var norm = 0.0;
    for (var chunk = start; chunk < end; chunk += COLUMNS) {
        let beyond = min(chunk + COLUMNS, end);
        // The readers of the columns before are done.
        workgroupBarrier();
        for (var col = chunk + local; col < beyond; col += SITES) {
            var down = vec4<f32>(0.0);
            var down_norm = 0.0;
            for (var inner = rows.x; inner < rows.y; inner++) {
                let at = inner * params.cols + col;
                let re = maps[phase.re * size + at];
                let im = maps[phase.im * size + at];
                let inner_row = params.inner_top + inner * params.inner_stride;
                var w = weight(inner_row, site_row);
                if MASKED == 1u {
                    w *= counts[at];
                }
                let projection = SCALE * max(vec4<f32>(0.0), phase.cos * re - phase.sin * im);
                let square = projection * projection;
                let fourth = square * square;
                down += w * (fourth * fourth);
                down_norm += w;
            }
            columns[col - chunk] = down;
            norms[col - chunk] = down_norm;
        }
        workgroupBarrier();
        for (var col = max(own.x, chunk); col < min(own.y, beyond); col++) {
            let w = weight(params.inner_left + col * params.inner_stride, site_col);
            sum += w * columns[col - chunk];
            norm += w * norms[col - chunk];
        }
    }
    if works {
        var mean = vec4<f32>(0.0);
        if norm > 0.0 {
            mean = sqrt(sqrt(sqrt(sum / norm))) / SCALE;
        }
        let site = row * params.site_cols + first + local;
        for (var i = 0u; i < phase.count; i++) {
            descriptors[(phase.channel + i) * params.sites + site] = mean[i];
        }
    }
}

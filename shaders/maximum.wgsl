// The largest projection of harmonics on each phase in a site's window:
//
//   max over inner sites of cos(q) re(a) - sin(q) im(a)
//
// A workgroup takes 64 neighbouring sites of a row, and up to four phases, one in
// each lane of its vectors. Its threads find the largest values down the window's
// rows, 256 inner columns at a time; then each thread takes the largest of the
// columns of its window. All threads meet at two barriers for each 256 columns.
//
// Dispatch: (site columns / 64, site rows, fours of phases). Launcher:
// src/backend/gpu/maximum.rs. Twin: src/backend/cpu/maximum.rs.
//
// Work per site and four of phases, at a window of h x w inner sites that stand
// g to a site's stride: (g + w / 64) h loads of 8 bytes from the cache and twice
// as many multiply-adds and maxima of four, w maxima of four; 16 bytes written.

struct Params {
    // Inner rows and columns of the maps.
    rows: u32,
    cols: u32,
    // Sites of the band, in a row of it.
    sites: u32,
    site_cols: u32,
    // First site row of this dispatch, counted from the band's.
    first_row: u32,
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

const SITES: u32 = 64u;
const COLUMNS: u32 = 256u;
// Less than any projection of a correlation.
const LEAST: f32 = -3.0e38;

@group(0) @binding(0) var<uniform> params: Params;
// [channel][inner row][col].
@group(0) @binding(1) var<storage, read> maps: array<f32>;
// First inner row and one beyond the last of each site row of the band; columns of
// each site column.
@group(0) @binding(2) var<storage, read> row_windows: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> col_windows: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> phases: array<Phases>;
// [D][sites of the band].
@group(0) @binding(5) var<storage, read_write> descriptors: array<f32>;

// Largest values down the window's rows, by column.
var<workgroup> columns: array<vec4<f32>, COLUMNS>;

// Largest projections of an inner column in `rows`.
fn column(rows: vec2<u32>, col: u32, phase: Phases) -> vec4<f32> {
    let size = params.rows * params.cols;
    var best = vec4<f32>(LEAST);
    for (var row = rows.x; row < rows.y; row++) {
        let at = row * params.cols + col;
        let re = maps[phase.re * size + at];
        let im = maps[phase.im * size + at];
        best = max(best, phase.cos * re - phase.sin * im);
    }
    return best;
}

@compute @workgroup_size(64)
fn maximum(
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

    var best = vec4<f32>(LEAST);
    for (var chunk = start; chunk < end; chunk += COLUMNS) {
        let beyond = min(chunk + COLUMNS, end);
        // The readers of the columns before are done.
        workgroupBarrier();
        for (var col = chunk + local; col < beyond; col += SITES) {
            columns[col - chunk] = column(rows, col, phase);
        }
        workgroupBarrier();
        for (var col = max(own.x, chunk); col < min(own.y, beyond); col++) {
            best = max(best, columns[col - chunk]);
        }
    }
    if works {
        let site = row * params.site_cols + first + local;
        for (var i = 0u; i < phase.count; i++) {
            descriptors[(phase.channel + i) * params.sites + site] = best[i];
        }
    }
}

// Local correlation of centred pairs: cells merged under a Gaussian window.
//
//   score = cov(a, b) / sqrt((var(a) + floor) (var(b) + floor))
//
// A workgroup takes 64 neighbouring sites of a row and one translation. Its threads
// merge the cells down the window's rows, 256 columns of cells at a time; then each
// thread merges the columns of its window. Every step finds the mean first and then the
// products of what is off it (Chan, Golub and LeVeque 1983), so that nothing is lost
// where the mean is large. All threads meet at two barriers for each 256 columns.
//
// Dispatch: (site columns / 64, site rows, translations). Launcher:
// src/backend/gpu/centred.rs. Twin: src/backend/cpu/centred.rs.
//
// Work per site and translation, at windows of w x w cells: (1 + w / 64) w + w merges of
// about 25 flops, the first of which load 16 + 24 bytes from the cache; 4 bytes written.

struct Params {
    // Cells of the band.
    rows: u32,
    cols: u32,
    // Cells around a site along an axis.
    around: u32,
    // Sites of the band, in a row of it.
    sites: u32,
    site_cols: u32,
    // First site row of this dispatch, counted from the band's, its first channel.
    first_row: u32,
    first_channel: u32,
    // Added to each variance.
    floor: f32,
    // Least weight of a score.
    least: f32,
}

// What is known of several pixels: weight, means, and sums of the products of what they
// are off them.
struct Part {
    n: f32,
    mean: vec2<f32>,
    squares: vec2<f32>,
    both: f32,
}

const SITES: u32 = 64u;
const COLUMNS: u32 = 256u;

@group(0) @binding(0) var<uniform> params: Params;
// [translation of this dispatch][cell row][col], as centred_cells.wgsl writes them.
@group(0) @binding(1) var<storage, read> means: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> products: array<vec2<f32>>;
// Weights of cells by distance.
@group(0) @binding(3) var<storage, read> taps: array<f32>;
// [D][sites of the band].
@group(0) @binding(4) var<storage, read_write> descriptors: array<f32>;

// Columns of cells, as `means` and `products`.
var<workgroup> column_means: array<vec4<f32>, COLUMNS>;
var<workgroup> column_products: array<vec2<f32>, COLUMNS>;

// The cells of column `col` in the window of site row `row`.
fn column(row: u32, col: u32, translation: u32) -> Part {
    let start = (translation * params.rows + row) * params.cols + col;
    var part = Part(0.0, vec2<f32>(0.0), vec2<f32>(0.0), 0.0);
    for (var tap = 0u; tap <= 2u * params.around; tap++) {
        let cell = means[start + tap * params.cols];
        let weight = cell.x * taps[max(tap, params.around) - min(tap, params.around)];
        part.n += weight;
        part.mean += weight * cell.yz;
    }
    if part.n > 0.0 {
        part.mean /= part.n;
    }
    for (var tap = 0u; tap <= 2u * params.around; tap++) {
        let cell = means[start + tap * params.cols];
        let product = products[start + tap * params.cols];
        let weight = taps[max(tap, params.around) - min(tap, params.around)];
        let off = cell.yz - part.mean;
        let weighted = weight * cell.x * off;
        part.squares += weight * vec2<f32>(cell.w, product.y) + weighted * off;
        part.both += weight * product.x + weighted.x * off.y;
    }
    return part;
}

// The columns from `start` to `end` of those that are here, `chunk` being the first, in
// the window that begins at `own`.
fn along(start: u32, end: u32, chunk: u32, own: u32) -> Part {
    let middle = own + params.around;
    var part = Part(0.0, vec2<f32>(0.0), vec2<f32>(0.0), 0.0);
    for (var c = start; c < end; c++) {
        let found = column_means[c - chunk];
        let weight = found.x * taps[max(c, middle) - min(c, middle)];
        part.n += weight;
        part.mean += weight * found.yz;
    }
    if part.n > 0.0 {
        part.mean /= part.n;
    }
    for (var c = start; c < end; c++) {
        let found = column_means[c - chunk];
        let product = column_products[c - chunk];
        let weight = taps[max(c, middle) - min(c, middle)];
        let off = found.yz - part.mean;
        let weighted = weight * found.x * off;
        part.squares += weight * vec2<f32>(found.w, product.y) + weighted * off;
        part.both += weight * product.x + weighted.x * off.y;
    }
    return part;
}

// Both parts together.
fn merged(a: Part, b: Part) -> Part {
    let n = a.n + b.n;
    if !(n > 0.0) {
        return a;
    }
    let off = b.mean - a.mean;
    let share = b.n / n;
    let weighted = a.n * share * off;
    return Part(
        n,
        a.mean + share * off,
        a.squares + b.squares + weighted * off,
        a.both + b.both + weighted.x * off.y,
    );
}

@compute @workgroup_size(64)
fn centred(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let first = group.x * SITES;
    let works = first + local < params.site_cols;
    // Columns of cells, counted from the first of the first site's window.
    let columns = min(SITES, params.site_cols - first) + 2u * params.around;

    var all = Part(0.0, vec2<f32>(0.0), vec2<f32>(0.0), 0.0);
    for (var chunk = 0u; chunk < columns; chunk += COLUMNS) {
        let beyond = min(chunk + COLUMNS, columns);
        // The readers of the columns before are done.
        workgroupBarrier();
        for (var c = chunk + local; c < beyond; c += SITES) {
            let found = column(row, first + c, group.z);
            column_means[c - chunk] = vec4<f32>(found.n, found.mean, found.squares.x);
            column_products[c - chunk] = vec2<f32>(found.both, found.squares.y);
        }
        workgroupBarrier();
        // The part of the own window that is here.
        let start = max(local, chunk);
        let end = min(local + 2u * params.around + 1u, beyond);
        if works && start < end {
            all = merged(all, along(start, end, chunk, local));
        }
    }
    if works {
        let variances = all.squares + params.floor * all.n;
        var score = 0.0;
        if all.n >= params.least {
            score = all.both / sqrt(variances.x * variances.y);
        }
        let site = row * params.site_cols + first + local;
        descriptors[(params.first_channel + group.z) * params.sites + site] = score;
    }
}

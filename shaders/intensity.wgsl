// Mean and standard deviation of the patch around each site.
//
// A workgroup takes 64 neighbouring sites of a row. Its threads find mean and sum
// of squares about it of each pixel column over the patch's rows, 256 columns at
// a time; then each thread puts the columns of its patch together:
//
//   mean = mean of the columns' means
//   n var = sum of squares + height * sum of (column's mean - mean)^2
//
// in two sweeps, so that nothing is lost where the mean is large. All threads
// meet at two barriers for each 256 columns.
//
// Dispatch: (site columns / 64, site rows). Launcher:
// src/backend/gpu/intensity.rs. Twin: src/backend/cpu/intensity.rs.
//
// Work per site: 4 height (stride + width / 64) additions and as many loads of 4
// bytes from the cache, 3 width additions; 8 bytes written.

struct Params {
    image: Image,
    // Half size and full size of the patch, px.
    half_rows: u32,
    half_cols: u32,
    height: u32,
    width: u32,
    // Row and column of the image's first site, distance of sites, px.
    top: u32,
    left: u32,
    stride: u32,
    // Sites of the band, in a row of it, its first site row.
    sites: u32,
    site_cols: u32,
    first_site_row: u32,
    // First site row of this dispatch, counted from the band's.
    first_row: u32,
    // First channel of the family.
    first_channel: u32,
}

const SITES: u32 = 64u;
const COLUMNS: u32 = 256u;

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// [D][sites of the band].
@group(0) @binding(2) var<storage, read_write> descriptors: array<f32>;

// Of each column: mean about `centre`, sum of squares about the mean.
var<workgroup> means: array<f32, COLUMNS>;
var<workgroup> squares: array<f32, COLUMNS>;

fn load(row: u32, col: u32) -> f32 {
    return image[place(params.image, row, col)];
}

// Mean about `centre`, and sum of squares, of the patch's rows of a column.
fn column(row: u32, col: u32, centre: f32) -> vec2<f32> {
    var sum = 0.0;
    for (var r = 0u; r < params.height; r++) {
        sum += load(row + r, col) - centre;
    }
    let mean = sum / f32(params.height);
    var square = 0.0;
    for (var r = 0u; r < params.height; r++) {
        let off = load(row + r, col) - centre - mean;
        square += off * off;
    }
    return vec2<f32>(mean, square);
}

@compute @workgroup_size(64)
fn intensity(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let first = group.x * SITES;
    let works = first + local < params.site_cols;
    let here = min(SITES, params.site_cols - first);
    // The patches of these sites: top left pixel, and columns together.
    let top = params.top + (params.first_site_row + row) * params.stride - params.half_rows;
    let left = params.left + first * params.stride - params.half_cols;
    let columns = (here - 1u) * params.stride + params.width;
    let centre = load(top + params.half_rows, left + columns / 2u);

    let own = local * params.stride;
    var mean = 0.0;
    var square = 0.0;
    for (var sweep = 0u; sweep < 2u; sweep++) {
        for (var chunk = 0u; chunk < columns; chunk += COLUMNS) {
            // The readers of the columns before are done.
            workgroupBarrier();
            for (var c = local; c < min(COLUMNS, columns - chunk); c += SITES) {
                let found = column(top, left + chunk + c, centre);
                means[c] = found.x;
                squares[c] = found.y;
            }
            workgroupBarrier();
            // The part of the own patch that is here.
            let start = max(own, chunk);
            let end = min(own + params.width, min(chunk + COLUMNS, columns));
            for (var c = start; works && c < end; c++) {
                if sweep == 0u {
                    mean += means[c - chunk];
                } else {
                    let off = means[c - chunk] - mean;
                    square += squares[c - chunk] + f32(params.height) * off * off;
                }
            }
        }
        if sweep == 0u {
            mean /= f32(params.width);
        }
    }
    if works {
        let site = row * params.site_cols + first + local;
        let at = params.first_channel * params.sites + site;
        descriptors[at] = centre + mean;
        descriptors[at + params.sites] = sqrt(square / f32(params.height * params.width));
    }
}

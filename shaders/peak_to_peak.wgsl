// Largest pixel minus smallest of the patch around each site.
//
// A thread takes a site and looks at every pixel of its patch.
//
// Dispatch: (site columns / 64, site rows). Launcher: src/backend/gpu/peak_to_peak.rs. Twin:
// src/backend/cpu/peak_to_peak.rs.
//
// Work per site: 2 height width comparisons and height width loads of 4 bytes from the
// cache; 4 bytes written.

struct Params {
    image: Image,
    // Full size of the patch, px.
    height: u32,
    width: u32,
    // Row and column of the first pixel of the band's first patch, distance of sites, px.
    top: u32,
    left: u32,
    stride: u32,
    // Sites of the band, and in a row of it.
    sites: u32,
    site_cols: u32,
    // First site row of this dispatch, counted from the band's.
    first_row: u32,
    // Channel of the family.
    channel: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// [D][sites of the band].
@group(0) @binding(2) var<storage, read_write> descriptors: array<f32>;

@compute @workgroup_size(64)
fn peak_to_peak(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let col = group.x * 64u + local;
    if col >= params.site_cols {
        return;
    }
    let row = params.first_row + group.y;
    let top = params.top + row * params.stride;
    let left = params.left + col * params.stride;
    var low = image[place(params.image, top, left)];
    var high = low;
    for (var r = 0u; r < params.height; r++) {
        for (var c = 0u; c < params.width; c++) {
            let pixel = image[place(params.image, top + r, left + c)];
            low = min(low, pixel);
            high = max(high, pixel);
        }
    }
    descriptors[params.channel * params.sites + row * params.site_cols + col] = high - low;
}

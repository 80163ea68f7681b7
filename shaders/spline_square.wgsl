// Squares around inner sites: from pixels to spline coefficients to samples on rings.
// Stands after pixels.wgsl, before each kernel that samples squares.
//
// A workgroup works on one square at a time. Its pixels, their mean taken off,
// become the coefficients of cubic B-splines by a recursion down the columns and
// one along the rows, a thread to a line, each forwards and backwards; ends are
// mirrored (src/descriptor/spline.rs, except for the factor of 6 along each axis,
// which no score keeps). One mirrored coefficient is added all around, so that the
// 4 x 4 of every sample are there. Coefficients are kept in workgroup memory, or in
// a slot of `slots` where they do not fit.

// Threads of a workgroup.
override THREADS: u32 = 128u;
// Full size of the square, px, and of that with mirrored coefficients.
override SIDE: u32 = 41u;
override WIDTH: u32 = 43u;
// Rings, and samples of a ring.
override RINGS: u32 = 20u;
override ANGLES: u32 = 60u;
// Whether coefficients and samples are kept in slots.
override SPILLS: bool = false;
// Coefficients in workgroup memory: WIDTH x WIDTH, or 1 where they are in slots.
override SQUARE: u32 = 1849u;
// Values of `samples`, 1 or more.
override SAMPLES: u32 = 1200u;
// Values of a slot: coefficients, then samples.
override SLOT: u32 = 0u;

// The pole of the cubic B-spline, sqrt(3) - 2.
const POLE: f32 = -0.2679491924311227;
// Weight of the last two values with which the backward recursion begins.
const END: f32 = POLE / (POLE * POLE - 1.0);
// Values with which the forward recursion begins; POLE^16 is below any rounding.
const STARTS: u32 = 16u;

struct Inner {
    image: Image,
    // Row and column of the image's first inner site, px, and their distance.
    top: u32,
    left: u32,
    stride: u32,
    // First inner row of the maps; inner rows and columns of the maps.
    first_inner_row: u32,
    rows: u32,
    cols: u32,
    // First row and column of this dispatch, counted from the maps'.
    first_row: u32,
    first_col: u32,
}

// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Mean of the square minus its centre, 1 / sqrt(n var) (0: flat).
@group(0) @binding(2) var<storage, read> norms: array<vec2<f32>>;
// Samples, ring by ring, those of a few rings in any order: place of the first of
// 4 x 4 coefficients; ring and angle, 16 bits each; bits of the fractions of a pixel
// by which the sample lies beyond the second row and column.
@group(0) @binding(3) var<storage, read> taps: array<vec4<u32>>;
// [workgroup][SLOT].
@group(0) @binding(4) var<storage, read_write> slots: array<f32>;

// Coefficients, [WIDTH][WIDTH].
var<workgroup> square: array<f32, SQUARE>;
// Samples times the radius of their ring, [ring][angle], unless they are in slots.
var<workgroup> samples: array<f32, SAMPLES>;
// First value of the own slot.
var<private> slot: u32;

fn coefficient(at: u32) -> f32 {
    if SPILLS {
        return slots[slot + at];
    }
    return square[at];
}

fn keep(at: u32, value: f32) {
    if SPILLS {
        slots[slot + at] = value;
    } else {
        square[at] = value;
    }
}

// All threads meet; what they kept may be read.
fn meet() {
    storageBarrier();
    workgroupBarrier();
}

// Where value `i` of a line stands that is mirrored about its ends.
fn mirrored(i: u32) -> u32 {
    let k = i % (2u * SIDE - 2u);
    return min(k, 2u * SIDE - 2u - k);
}

// The recursion backwards over a line whose values are `step` apart; then its
// mirrored ends.
fn backwards(first: u32, step: u32) {
    let last = first + (SIDE - 1u) * step;
    var value = END * (coefficient(last) + POLE * coefficient(last - step));
    keep(last, value);
    for (var at = last; at > first; at -= step) {
        value = POLE * (value - coefficient(at - step));
        keep(at - step, value);
    }
    keep(first - step, coefficient(first + step));
    keep(last + step, coefficient(last - step));
}

// A column of pixels from place `start` on, less `mean` about `centre`.
fn column(first: u32, start: u32, line: u32, centre: f32, mean: f32) {
    var value = 0.0;
    for (var i = STARTS; i > 0u; i--) {
        value = image[start + mirrored(i - 1u) * line] - centre - mean + POLE * value;
    }
    keep(first, value);
    for (var k = 1u; k < SIDE; k++) {
        value = image[start + k * line] - centre - mean + POLE * value;
        keep(first + k * WIDTH, value);
    }
    backwards(first, WIDTH);
}

fn row(first: u32) {
    var value = 0.0;
    for (var i = STARTS; i > 0u; i--) {
        value = coefficient(first + mirrored(i - 1u)) + POLE * value;
    }
    keep(first, value);
    for (var k = 1u; k < SIDE; k++) {
        value = coefficient(first + k) + POLE * value;
        keep(first + k, value);
    }
    backwards(first, 1u);
}

// Fills the square around the pixel at `centre_row`, `centre_col`; all threads meet.
fn fill(pixels: Image, centre_row: u32, centre_col: u32, mean: f32, local: u32) {
    let centre = image[place(pixels, centre_row, centre_col)];
    for (var c = local; c < SIDE; c += THREADS) {
        let start = place(pixels, centre_row - SIDE / 2u, centre_col - SIDE / 2u + c);
        column(WIDTH + 1u + c, start, pixels.line, centre, mean);
    }
    meet();
    // The mirrored rows too.
    for (var r = local; r < WIDTH; r += THREADS) {
        row(r * WIDTH + 1u);
    }
    meet();
}

// Weights of four coefficients for a value `t` (0 to 1) beyond the second.
fn weights(t: f32) -> vec4<f32> {
    let u = 1.0 - t;
    let near = 2.0 / 3.0 - 0.5 * t * t * (2.0 - t);
    let far = 2.0 / 3.0 - 0.5 * u * u * (2.0 - u);
    return vec4<f32>(u * u * u / 6.0, near, far, t * t * t / 6.0);
}

fn along(at: u32, weights: vec4<f32>) -> f32 {
    let sum = weights.x * coefficient(at) + weights.y * coefficient(at + 1u);
    return sum + weights.z * coefficient(at + 2u) + weights.w * coefficient(at + 3u);
}

// The sample at `tap`.
fn value(tap: vec4<u32>) -> f32 {
    let down = weights(bitcast<f32>(tap.z));
    let right = weights(bitcast<f32>(tap.w));
    let sum = down.x * along(tap.x, right) + down.y * along(tap.x + WIDTH, right);
    return sum + down.z * along(tap.x + 2u * WIDTH, right)
        + down.w * along(tap.x + 3u * WIDTH, right);
}

// Radius of ring `k`, px: the weight of its samples.
fn radius(k: u32) -> f32 {
    return 1.0 + f32(k * (SIDE - 3u)) / f32(2u * RINGS);
}

fn sample(at: u32) -> f32 {
    if SPILLS {
        return slots[slot + WIDTH * WIDTH + at];
    }
    return samples[at];
}

// Takes the samples of `rings` rings from `first` on.
fn take(first: u32, rings: u32, local: u32) {
    for (var i = local; i < rings * ANGLES; i += THREADS) {
        let tap = taps[first * ANGLES + i];
        let ring = tap.y >> 16u;
        let at = (ring - first) * ANGLES + (tap.y & 0xffffu);
        let weighted = radius(ring) * value(tap);
        if SPILLS {
            slots[slot + WIDTH * WIDTH + at] = weighted;
        } else {
            samples[at] = weighted;
        }
    }
}

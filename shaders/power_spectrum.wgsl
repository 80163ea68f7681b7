// Power spectra of the windows around sites: |F[w (I - mean)]|^2, or ln(. + 1).
//
// Places are counted from the window's centre, which changes no amplitude. The
// four pixels that mirrors bring together are added and subtracted first, so that
// a quarter of the window remains with four values each: even along both axes,
// odd along the long one, odd along the short one, odd along both. Cosines take the
// even parts, sines the odd ones; the tables hold the tapers too. With a for the
// long axis, b for the short one, and the four sums x, y, z, w of a frequency,
//
//   |F(a, b)|^2 = (x - w)^2 + (y + z)^2,   |F(a, -b)|^2 = (x + w)^2 + (y - z)^2
//
// A workgroup takes some neighbouring sites of a row, each with as many threads. A
// thread takes a line of the window and eight frequencies along it, whose 32 sums
// stay in registers; then a frequency of the lines and eight across them. The
// lines' sums go over the window where workgroup memory holds it whole; else the
// window comes in tiles, again for each slice of the frequencies of the long axis.
// All threads meet at four barriers, or at two for each tile and two for each block
// of lines and slice.
//
// Dispatch: (1, workgroups of all sites in rows). Launcher:
// src/backend/gpu/power_spectrum.rs. Twin: src/backend/cpu/power_spectrum.rs.
//
// Work per site, at l x s pixels of a quarter of the window: 4 l s (l + s)
// multiply-adds that count, with frequencies rounded up to eights (74,000 at 41 x 41
// px, 85,000 with the rounding), and 12 l s additions; per 32 multiply-adds of a
// thread, 16 bytes of sums from workgroup memory and 64 of tables, which many threads
// read at once. 4 l s loads of pixels from the cache, as many again for each slice
// where the window comes in tiles. 4 bytes written for each channel. Arithmetic and
// loads bound large windows alike, writing small ones.

struct Params {
    // Place of the first pixel of the first site's window; values from there to the
    // site below.
    origin: u32,
    below: u32,
    // Sites of the band, in a row of it.
    sites: u32,
    site_cols: u32,
    // Workgroups of a row of sites, the first of this dispatch.
    across: u32,
    first_group: u32,
    // Sites of a workgroup, threads of a site, vectors of workgroup memory of a site.
    at_once: u32,
    threads: u32,
    memory: u32,
    // Pixels of a quarter of the window on the axes, frequencies in eights.
    long: u32,
    short: u32,
    long_eights: u32,
    short_eights: u32,
    // 1 where workgroup memory holds the whole of it.
    whole: u32,
    // A tile of it: lines, pixels of a line, from a line to the next.
    lines: u32,
    pixels: u32,
    pitch: u32,
    // A slice of the lines' sums: eights of frequencies, where it begins, from a line
    // to the next.
    eights: u32,
    sums_at: u32,
    sums_pitch: u32,
    // First channel of the family.
    first_channel: u32,
    // 1 for logarithms.
    logarithm: u32,
    // Pixels of the window.
    area: f32,
    // Square of the image's standard deviation, and what overflows with it.
    scale: f32,
    most: f32,
}

const THREADS: u32 = 128u;
// Partial sums of a site that are added at last.
const PARTS: u32 = 8u;
const LARGEST: f32 = 3.4028234e38;
// No channel.
const NONE: u32 = 0xffffffffu;
// Vectors of workgroup memory.
override MEMORY: u32 = 992u;

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Places of the pixels so far before and so far after the centre, counted from the
// window's first pixel: along the long axis, then along the short one.
@group(0) @binding(2) var<storage, read> offsets: array<vec2<u32>>;
// [pixel][frequency / 2], cosine and sine of two frequencies, times the taper; half
// of that for the centre, which is folded onto itself.
@group(0) @binding(3) var<storage, read> long_table: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> short_table: array<vec4<f32>>;
// [frequency of the short axis][of the long one]: up to two channels of (a, b) and
// up to two of (a, -b).
@group(0) @binding(5) var<storage, read> channels: array<vec4<u32>>;
// [D][sites of the band].
@group(0) @binding(6) var<storage, read_write> descriptors: array<f32>;

// Of each site: the window, or a tile of it, and the sums of its lines.
var<workgroup> folded: array<vec4<f32>, MEMORY>;
var<workgroup> partial: array<f32, THREADS>;

// Sums of eight frequencies.
alias Sums = array<vec4<f32>, 8>;

// A thread's part of a workgroup: its site, which thread of the site's it is, and
// whether there is anything to do.
struct Part {
    site: u32,
    own: u32,
    works: bool,
    // Place of the window's first pixel; the pixel in its centre.
    first: u32,
    centre: f32,
    // The site's workgroup memory, and its place among the sites.
    memory: u32,
    lane: u32,
}

fn part_of(group: u32, local: u32) -> Part {
    let row = group / params.across;
    let lane = local % params.at_once;
    let own = local / params.at_once;
    let col = (group % params.across) * params.at_once + lane;
    let works = own < params.threads && col < params.site_cols;
    let first = params.origin + row * params.below + min(col, params.site_cols - 1u);
    let centre = image[first + offsets[0].x + offsets[params.long].x];
    let site = row * params.site_cols + col;
    return Part(site, own, works, first, centre, lane * params.memory, lane);
}

// The four pixels about the centre that mirrors bring to a place.
fn fold(part: Part, pixel: u32, line: u32) -> vec4<f32> {
    let along = offsets[pixel];
    let across = offsets[params.long + line];
    let above_left = image[part.first + across.x + along.x] - part.centre;
    let above_right = image[part.first + across.x + along.y] - part.centre;
    let below_left = image[part.first + across.y + along.x] - part.centre;
    let below_right = image[part.first + across.y + along.y] - part.centre;
    let above = vec2<f32>(above_right + above_left, above_right - above_left);
    let below = vec2<f32>(below_right + below_left, below_right - below_left);
    return vec4<f32>(below + above, below - above);
}

// How many times a place is one of the window's: those on an axis are folded twice.
fn share(place: u32) -> f32 {
    return select(1.0, 0.5, place == 0u);
}

// This thread's share of the sum of the window about its centre. Keeps the window
// where there is room for all of it.
fn own_sum(part: Part) -> f32 {
    var sum = 0.0;
    var pixel = part.own % params.long;
    var line = part.own / params.long;
    while part.works && line < params.short {
        let value = fold(part, pixel, line);
        sum += share(pixel) * share(line) * value.x;
        if params.whole == 1u {
            folded[part.memory + line * params.pitch + pixel] = value;
        }
        pixel += params.threads % params.long;
        line += params.threads / params.long;
        if pixel >= params.long {
            pixel -= params.long;
            line++;
        }
    }
    return sum;
}

// The sum of what the threads of a site have, for all of them.
fn total(part: Part, local: u32, own: f32) -> f32 {
    partial[local] = own;
    workgroupBarrier();
    var sum = 0.0;
    if part.own < PARTS {
        for (var t = part.own; t < params.threads; t += PARTS) {
            sum += partial[t * params.at_once + part.lane];
        }
    }
    workgroupBarrier();
    partial[local] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var t = 0u; t < min(PARTS, params.threads); t++) {
        sum += partial[t * params.at_once + part.lane];
    }
    return sum;
}

// Keeps the tile of `count` pixels of `lines` lines that begins at a place.
fn keep_tile(part: Part, pixel: u32, line: u32, count: u32, lines: u32) {
    for (var p = part.own; part.works && p < count * lines; p += params.threads) {
        let value = fold(part, pixel + p % count, line + p / count);
        folded[part.memory + (p / count) * params.pitch + p % count] = value;
    }
}

// Adds the products of `count` pixels, from `begin` on, with eight frequencies along
// the long axis, from `table` on.
fn along(sums: Sums, begin: u32, count: u32, table: u32, four_means: f32) -> Sums {
    var next = sums;
    var at = table;
    for (var p = 0u; p < count; p++) {
        var x = folded[begin + p];
        x.x -= four_means;
        let t = long_table[at];
        let u = long_table[at + 1u];
        let v = long_table[at + 2u];
        let w = long_table[at + 3u];
        next[0] += t.xyxy * x;
        next[1] += t.zwzw * x;
        next[2] += u.xyxy * x;
        next[3] += u.zwzw * x;
        next[4] += v.xyxy * x;
        next[5] += v.zwzw * x;
        next[6] += w.xyxy * x;
        next[7] += w.zwzw * x;
        at += params.long_eights * 4u;
    }
    return next;
}

// The products of the sums of all lines, from `begin` on, with eight frequencies
// along the short axis, from `table` on.
fn across(begin: u32, table: u32) -> Sums {
    var sums = Sums();
    var at = table;
    for (var line = 0u; line < params.short; line++) {
        let x = folded[begin + line * params.sums_pitch];
        let t = short_table[at];
        let u = short_table[at + 1u];
        let v = short_table[at + 2u];
        let w = short_table[at + 3u];
        sums[0] += t.xxyy * x;
        sums[1] += t.zzww * x;
        sums[2] += u.xxyy * x;
        sums[3] += u.zzww * x;
        sums[4] += v.xxyy * x;
        sums[5] += v.zzww * x;
        sums[6] += w.xxyy * x;
        sums[7] += w.zzww * x;
        at += params.short_eights * 4u;
    }
    return sums;
}

// Keeps the sums of a line for `count` frequencies that there are.
fn keep_sums(at: u32, count: u32, sums: Sums) {
    keep(at, 0u, count, sums[0]);
    keep(at, 1u, count, sums[1]);
    keep(at, 2u, count, sums[2]);
    keep(at, 3u, count, sums[3]);
    keep(at, 4u, count, sums[4]);
    keep(at, 5u, count, sums[5]);
    keep(at, 6u, count, sums[6]);
    keep(at, 7u, count, sums[7]);
}

fn keep(at: u32, i: u32, count: u32, sum: vec4<f32>) {
    if i < count {
        folded[at + i] = sum;
    }
}

// Stores the powers of frequency `a` with those from `b` on.
fn store(site: u32, a: u32, b: u32, sums: Sums) {
    finish(site, a, b, sums[0]);
    finish(site, a, b + 1u, sums[1]);
    finish(site, a, b + 2u, sums[2]);
    finish(site, a, b + 3u, sums[3]);
    finish(site, a, b + 4u, sums[4]);
    finish(site, a, b + 5u, sums[5]);
    finish(site, a, b + 6u, sums[6]);
    finish(site, a, b + 7u, sums[7]);
}

// Stores the powers of (a, b) and (a, -b).
fn finish(site: u32, a: u32, b: u32, sums: vec4<f32>) {
    if b >= params.short {
        return;
    }
    let same = vec2<f32>(sums.x - sums.w, sums.y + sums.z);
    let opposite = vec2<f32>(sums.x + sums.w, sums.y - sums.z);
    var power = vec2<f32>(dot(same, same), dot(opposite, opposite));
    // What overflows stays finite.
    let scaled = min(power, vec2<f32>(params.most)) * params.scale;
    power = select(scaled, vec2<f32>(LARGEST), power > vec2<f32>(params.most));
    if params.logarithm == 1u {
        power = log(power + 1.0);
    }
    let to = channels[b * params.long + a];
    put(to.x, site, power.x);
    put(to.y, site, power.x);
    put(to.z, site, power.y);
    put(to.w, site, power.y);
}

fn put(channel: u32, site: u32, value: f32) {
    if channel != NONE {
        descriptors[(params.first_channel + channel) * params.sites + site] = value;
    }
}

@compute @workgroup_size(128)
fn power_spectrum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let part = part_of(params.first_group + group.y, local);
    let four_means = 4.0 * total(part, local, own_sum(part)) / params.area;
    let line = part.own % params.lines;
    let all_sums = part.memory + params.sums_at;
    for (var slice = 0u; slice < params.long_eights; slice += params.eights) {
        let end = min(slice + params.eights, params.long_eights);
        let eight = slice + part.own / params.lines;
        for (var block = 0u; block < params.short; block += params.lines) {
            let busy = part.works && eight < end && block + line < params.short;
            var sums = Sums();
            for (var first = 0u; first < params.long; first += params.pixels) {
                let count = min(params.pixels, params.long - first);
                if params.whole == 0u {
                    // The readers of the tile before are done.
                    workgroupBarrier();
                    keep_tile(part, first, block, count, min(params.lines, params.short - block));
                    workgroupBarrier();
                }
                let table = (first * params.long_eights + eight) * 4u;
                let begin = part.memory + line * params.pitch;
                sums = along(sums, begin, select(0u, count, busy), table, four_means);
            }
            // The readers of the window, which sums may go over, are done.
            workgroupBarrier();
            let to = all_sums + (block + line) * params.sums_pitch + 8u * (eight - slice);
            keep_sums(to, select(0u, min(8u, params.long - 8u * eight), busy), sums);
        }
        workgroupBarrier();
        let count = min(8u * end, params.long) - 8u * slice;
        let tasks = select(0u, count * params.short_eights, part.works);
        for (var task = part.own; task < tasks; task += params.threads) {
            let a = task % count;
            let eight = task / count;
            store(part.site, 8u * slice + a, 8u * eight, across(all_sums + a, eight * 4u));
        }
    }
}

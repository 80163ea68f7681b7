// The image on the device; stands before each kernel that reads single pixels.

// Number of stride phases that rows are cut by, px; 1 where pixels stand in their order. A
// constant, since a division by what is not known takes longer than a load.
override PHASES: u32 = 1u;

struct Image {
    // First pixel row that is there.
    first_row: u32,
    // Values of a row, and of one stride phase of it.
    line: u32,
    pitch: u32,
    unused: u32,
}

// Place of a pixel in [pixel rows][stride phase][pitch].
fn place(image: Image, row: u32, col: u32) -> u32 {
    let start = (row - image.first_row) * image.line;
    if PHASES == 1u {
        return start + col;
    }
    return start + (col % PHASES) * image.pitch + col / PHASES;
}

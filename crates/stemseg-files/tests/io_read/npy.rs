//! npy and npz.

use std::io::Write;

use ndarray::Array2;
use stemseg_files::read::{Frame, Pixels, list, read, read_frame};

use crate::files::{Element, Folder, bytes, for_every_element, image, npy, samples, stored_zip};
use crate::{assert_every_cut_refused, assert_refused};

fn code<T: Element>(big_endian: bool) -> String {
    format!("'{}{}'", if big_endian { '>' } else { '<' }, T::CODE)
}

/// A 3 x 4 image in either order, both byte orders and all versions.
fn check_element<T: Element>(folder: &Folder)
where
    Pixels: From<Array2<T>>,
{
    let rows = samples::<T>(0, 12);
    let by_column: Vec<T> = (0..12).map(|i| rows[i % 3 * 4 + i / 3]).collect();
    for (version, fortran, big_endian) in
        [(1, false, false), (2, false, true), (3, true, false), (1, true, true)]
    {
        let stored = if fortran { &by_column } else { &rows };
        let data = bytes(stored, big_endian);
        let file = npy(version, &code::<T>(big_endian), fortran, "(3, 4)", &data);
        let path = folder.file("image", &file);
        let loaded = read(&path, None).unwrap();
        let case = (T::CODE, version, fortran, big_endian);
        assert_eq!(loaded.pixels, image(3, 4, rows.clone()), "{case:?}");
        let (_, entries) = list(&path).unwrap();
        assert_eq!(entries[0].dtype, loaded.pixels.dtype(), "{case:?}");
        assert_eq!(entries[0].shape, [3, 4], "{case:?}");
    }
}

#[test]
fn every_element_type_order_and_byte_order() {
    let folder = Folder::new();
    for_every_element!(check_element(&folder));
}

#[test]
fn complex_numbers_become_their_modulus() {
    let folder = Folder::new();
    // Frame f, row r, column c of 2 x 2 x 3 has the modulus 5 (1 + 6 f + 3 r + c).
    let number = |f: usize, r: usize, c: usize| (1 + 6 * f + 3 * r + c) as f64;
    let by_row = (0..12).map(|i| number(i / 6, i / 3 % 2, i % 3));
    let by_column = (0..12).map(|i| number(i % 2, i / 2 % 2, i / 4));
    let parts = |n: f64| [3.0 * n, -4.0 * n];
    let stored = [by_row.flat_map(parts).collect::<Vec<_>>(), by_column.flat_map(parts).collect()];
    let moduli = |f| Array2::from_shape_fn((2, 3), |(r, c)| 5.0 * number(f, r, c));
    for (fortran, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
        let double = &stored[usize::from(fortran)];
        let single: Vec<f32> = double.iter().map(|&part| part as f32).collect();
        let order = if big_endian { '>' } else { '<' };
        let wide = (format!("'{order}c16'"), bytes(double, big_endian));
        let narrow = (format!("'{order}c8'"), bytes(&single, big_endian));
        for (descr, data) in [wide, narrow] {
            let path = folder.file("a.npy", &npy(1, &descr, fortran, "(2, 2, 3)", &data));
            for frame in [0, 1] {
                let loaded = read_frame(&path, None, Some(Frame::Number(frame))).unwrap();
                assert_eq!(loaded.pixels.to_f64(), moduli(frame), "{descr} {fortran} {frame}");
                assert!(loaded.notes.iter().any(|note| note.contains("modulus")));
            }
        }
    }
    // A single image, and one in an archive that is cut off.
    let half = bytes(&stored[0][..12], false);
    let single = npy(1, "'<c16'", false, "(2, 3)", &half);
    assert_eq!(read(&folder.file("a.npy", &single), None).unwrap().pixels.to_f64(), moduli(0));
    assert_eq!(
        read(&folder.file("a.npz", &stored_zip(&[("a.npy", single.clone())])), None)
            .unwrap()
            .pixels,
        moduli(0).into()
    );
    assert_every_cut_refused(&folder, &single);
}

#[test]
fn booleans_become_bytes() {
    let folder = Folder::new();
    let path = folder.file("mask.npy", &npy(1, "'|b1'", true, "(2, 2)", &[0, 1, 1, 1]));
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.pixels, image(2, 2, vec![0_u8, 1, 1, 1]));
    assert_eq!(loaded.entry.dtype, "bool");
    let Pixels::U8(array) = loaded.pixels else { unreachable!() };
    assert!(array.is_standard_layout(), "column-major files become row-major");
}

#[test]
fn headers_of_other_writers_are_read() {
    let folder = Folder::new();
    let header = b"{\"shape\": (2L, 1L), \"fortran_order\":False,\"descr\":\"|u1\"}";
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header);
    file.extend([7, 9]);
    let loaded = read(&folder.file("a.npy", &file), None).unwrap();
    assert_eq!(loaded.pixels, image(2, 1, vec![7_u8, 9]));
}

#[test]
fn a_stack_gives_the_frame_that_is_asked_for() {
    let folder = Folder::new();
    let frames = samples::<i16>(0, 60);
    let mut by_column = vec![0; 60];
    for (i, &value) in frames.iter().enumerate() {
        let (frame, row, col) = (i / 12, i / 4 % 3, i % 4);
        by_column[frame + 5 * (row + 3 * col)] = value;
    }
    for (fortran, stored) in [(false, &frames), (true, &by_column)] {
        let file = npy(1, "'>i2'", fortran, "(5, 3, 4)", &bytes(stored, true));
        let path = folder.file("stack.npy", &file);
        assert_eq!(list(&path).unwrap().1[0].frames(), Some(5));
        for frame in 0..5 {
            let loaded = read_frame(&path, None, Some(Frame::Number(frame))).unwrap();
            let expected = image(3, 4, frames[12 * frame..][..12].to_vec());
            assert_eq!(loaded.pixels, expected, "fortran {fortran}, frame {frame}");
            assert_eq!(loaded.entry.shape, [3, 4]);
            assert_eq!(loaded.entry.name, format!("frame {frame}"));
        }
        let first = read(&path, None).unwrap();
        assert_eq!(first.pixels, image(3, 4, frames[..12].to_vec()));
        assert!(first.notes[0].contains("stack of 5 frames, of which frame 0"), "{first:?}");
        let beyond = read_frame(&path, Some(0), Some(Frame::Number(5))).unwrap_err().to_string();
        assert!(beyond.contains("frame = 5") && beyond.contains("0 to 4"), "{beyond}");
        assert_refused(&path, Some(1), &["image = 1", "one stack, number 0", "frame = N"]);
        let mean = read_frame(&path, None, Some(Frame::Mean)).unwrap();
        let of = |i: usize| {
            (0..5).map(|frame: usize| f64::from(frames[12 * frame + i])).sum::<f64>() / 5.0
        };
        assert_eq!(mean.pixels, image(3, 4, (0..12).map(of).collect::<Vec<f64>>()));
        assert_eq!((mean.frame, &*mean.entry.name), (Some(Frame::Mean), "mean"));
    }
}

/// A sparse file: only with a seek is its last frame there at once, and within
/// the memory.
#[test]
#[cfg(unix)]
fn a_frame_of_a_huge_stack_is_read_alone() {
    let folder = Folder::new();
    let head = npy(1, "'<u2'", false, "(33554432, 32, 64)", &[]);
    let path = folder.file("huge.npy", &head);
    let last = samples::<u16>(0, 2048);
    let size = head.len() as u64 + 33_554_432 * 4096;
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(size - 4096)).unwrap();
    file.write_all(&bytes(&last, false)).unwrap();
    let frame = read_frame(&path, None, Some(Frame::Number(33_554_431)));
    assert_eq!(frame.unwrap().pixels, image(32, 64, last));
}

#[test]
fn other_numbers_of_dimensions_are_refused() {
    let folder = Folder::new();
    for (shape, listed) in [("()", "[]"), ("(6,)", "[6]"), ("(1, 2, 3, 1)", "[1, 2, 3, 1]")] {
        let path = folder.file("a.npy", &npy(1, "'|u1'", false, shape, &[0; 6]));
        let words = [&*format!("has shape {listed}; a micrograph has two dimensions"), "save"];
        assert_refused(&path, None, &words);
        assert_refused(&path, Some(0), &words);
    }
    let path = folder.file("a.npy", &npy(1, "'|u1'", false, "(0, 4, 4)", &[]));
    assert_refused(&path, None, &["stack without frames"]);
}

#[test]
fn elements_that_are_no_pixels_are_refused() {
    let folder = Folder::new();
    for (descr, named, advice) in [
        ("'<f16'", "float128", "float64"),
        ("'<U5'", "<U5", "integers or floats"),
        ("'|S3'", "|S3", "integers or floats"),
        ("'|O'", "|O", "integers or floats"),
        ("'<M8[s]'", "<M8[s]", "integers or floats"),
        ("[('shape', '<f4'), ('b', '<i2')]", "structured", "integers or floats"),
    ] {
        let path = folder.file("a.npy", &npy(1, descr, false, "(2, 2)", &[0; 80]));
        assert_refused(&path, None, &[named, "not pixel values", advice]);
        assert_eq!(list(&path).unwrap().1[0].shape, [2, 2], "{descr}");
    }
}

#[test]
fn colour_becomes_luma() {
    let folder = Folder::new();
    let mut data = vec![0_u8; 4 * 5 * 3];
    data[..6].copy_from_slice(&[255, 0, 0, 10, 20, 30]);
    let path = folder.file("rgb.npy", &npy(1, "'|u1'", false, "(4, 5, 3)", &data));
    let loaded = read(&path, None).unwrap();
    assert!(loaded.entry.colour);
    assert!(loaded.notes[0].contains("luma (Rec. 709)"), "{:?}", loaded.notes);
    let Pixels::F32(luma) = loaded.pixels else { panic!("{:?}", loaded.pixels.dtype()) };
    assert_eq!(luma.dim(), (4, 5));
    assert_eq!(luma[(0, 0)], (255.0 * 0.2126) as f32);
    assert!((luma[(0, 1)] - (2.126 + 14.304 + 2.166)).abs() < 1e-6);
    assert_eq!(luma[(0, 2)], 0.0);

    // Other element types and thin images are stacks.
    let stack = npy(1, "'<i4'", false, "(4, 5, 3)", &[0; 240]);
    assert_eq!(list(&folder.file("f.npy", &stack)).unwrap().1[0].frames(), Some(4));
    let stack = npy(1, "'|u1'", false, "(3, 5, 3)", &[0; 45]);
    assert_eq!(list(&folder.file("u.npy", &stack)).unwrap().1[0].frames(), Some(3));
}

#[test]
fn equal_channels_stay_exact() {
    let folder = Folder::new();
    let grey = samples::<u16>(0, 25);
    // Column-major: a whole plane per channel, and an alpha plane to ignore.
    let planes = [&grey[..], &grey, &grey, &[7; 25]].concat();
    let file = npy(1, "'<u2'", true, "(5, 5, 4)", &bytes(&planes, false));
    let loaded = read(&folder.file("grey.npy", &file), None).unwrap();
    let transposed = (0..25).map(|i| grey[i % 5 * 5 + i / 5]).collect();
    assert_eq!(loaded.pixels, image::<u16>(5, 5, transposed));
    assert!(loaded.notes.iter().any(|note| note.contains("equal")), "{:?}", loaded.notes);
    assert!(loaded.notes.iter().any(|note| note.contains("alpha")), "{:?}", loaded.notes);
}

#[test]
fn an_archive_lists_its_arrays_in_order() {
    let folder = Folder::new();
    let stack = samples::<u8>(0, 24);
    let members = [
        ("x.npy", npy(1, "'<f8'", false, "(2,)", &[0; 16])),
        ("words.npy", npy(1, "'|S1'", false, "(2, 2)", &[65; 4])),
        ("readme.txt", b"not an array".to_vec()),
        ("stack.npy", npy(1, "'|u1'", false, "(4, 2, 3)", &stack)),
        ("image.npy", npy(1, "'>u2'", false, "(2, 2)", &bytes(&[1_u16, 2, 3, 400], true))),
    ];
    let path = folder.file("several.npz", &stored_zip(&members));
    let (format, entries) = list(&path).unwrap();
    assert_eq!(format, "npz");
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["x", "words", "stack", "image"]);

    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.pixels, image(2, 2, vec![1_u16, 2, 3, 400]));
    let note = &loaded.notes[0];
    assert!(note.contains("4 images") && note.contains("number 3 (image)"), "{note}");
    assert!(note.contains("image = N"), "{note}");
    assert_eq!(read(&path, Some(3)).unwrap().pixels, loaded.pixels);
    assert!(read(&path, Some(3)).unwrap().notes.is_empty());
    let frame = read_frame(&path, Some(2), Some(Frame::Number(2))).unwrap();
    assert_eq!(frame.pixels, image(2, 3, stack[12..18].to_vec()));
    assert_eq!(frame.entry.name, "stack frame 2");
    assert_refused(&path, Some(0), &["\"x\" has shape [2]"]);
    assert_refused(&path, Some(1), &["|S1 elements"]);
    assert_refused(&path, Some(4), &["4 images", "0 to 3"]);
}

#[test]
fn compressed_archives_are_read() {
    let folder = Folder::new();
    let path = folder.path("compressed.npz");
    let values = vec![0.25_f64; 64 * 32];
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    archive.start_file("image.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&npy(1, "'<f8'", false, "(64, 32)", &bytes(&values, false))).unwrap();
    archive.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 1000, "it was not compressed");
    assert_eq!(read(&path, None).unwrap().pixels, image(64, 32, values));
}

/// numpy packs with deflate alone; other programs may not.
#[test]
fn archives_that_are_packed_otherwise_are_named() {
    let folder = Folder::new();
    let mut archive = stored_zip(&[("a.npy", small(&[7; 6]))]);
    // The method stands in the local header and in the directory.
    let directory = archive.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
    for (method, said) in [(14, "supported: 14"), (12, "supported: 12"), (93, "supported: 93")] {
        archive[8] = method;
        archive[directory + 10] = method;
        let path = folder.file("packed.npz", &archive);
        assert_refused(&path, None, &["zip archive of a kind", said, "deflate"]);
    }
    archive[8] = 0;
    archive[directory + 10] = 0;
    assert_eq!(read(&folder.file("a.npz", &archive), None).unwrap().pixels.shape(), (2, 3));
    // A bit says that it is encrypted.
    archive[6] |= 1;
    archive[directory + 8] |= 1;
    assert_refused(&folder.file("locked.npz", &archive), None, &["kind", "without a password"]);
}

/// A member whose content is not that of its checksum.
#[test]
fn archives_with_a_wrong_checksum_are_refused() {
    let folder = Folder::new();
    let mut archive = stored_zip(&[("a.npy", small(&[7, 8, 9, 10, 11, 12]))]);
    let place = archive.windows(6).position(|at| at == [7, 8, 9, 10, 11, 12]).unwrap();
    archive[place] = 6;
    assert_refused(&folder.file("a.npz", &archive), None, &["damaged"]);
}

/// Frames that are interleaved, more of them than are read at once.
#[test]
fn a_large_stack_by_columns_gives_the_frame_that_is_asked_for() {
    let folder = Folder::new();
    let (frames, rows, cols) = (7, 131, 97);
    let frame_of = |i: usize| i % frames;
    let stored: Vec<u16> =
        (0..frames * rows * cols).map(|i| (i * 31 + frame_of(i)) as u16).collect();
    let file = npy(1, "'>u2'", true, "(7, 131, 97)", &bytes(&stored, true));
    let path = folder.file("stack.npy", &file);
    for frame in [0, 3, 6] {
        let loaded = read_frame(&path, None, Some(Frame::Number(frame))).unwrap();
        let at = |i: usize| stored[frame + frames * (i / cols + rows * (i % cols))];
        assert_eq!(loaded.pixels, image(rows, cols, (0..rows * cols).map(at).collect()), "{frame}");
    }
}

fn small(values: &[u8; 6]) -> Vec<u8> {
    npy(1, "'|u1'", false, "(2, 3)", values)
}

#[test]
fn archives_without_arrays_are_refused() {
    let folder = Folder::new();
    let path = folder.file("a.npz", &stored_zip(&[("a.txt", b"text".to_vec())]));
    assert_refused(&path, None, &["without any .npy array", "unpack"]);
    assert_refused(&folder.file("b.npz", &stored_zip(&[])), None, &["without any .npy array"]);
    let fake = stored_zip(&[("a.npy", b"not an array".to_vec())]);
    assert_refused(&folder.file("c.npz", &fake), None, &["damaged"]);
}

#[test]
fn truncated_files_are_refused() {
    let folder = Folder::new();
    let file = npy(1, "'<f4'", false, "(3, 4)", &bytes(&samples::<f32>(0, 12), false));
    assert_every_cut_refused(&folder, &file);
    assert_every_cut_refused(&folder, &stored_zip(&[("a.npy", file.clone())]));
    let short = folder.file("short.npy", &file[..file.len() - 1]);
    assert_refused(&short, None, &["declares 48 bytes", "truncated", "again"]);
    let head = folder.file("head.npy", &file[..20]);
    assert_refused(&head, None, &["truncated", "again"]);
}

#[test]
fn absurd_headers_give_an_error() {
    let folder = Folder::new();
    for shape in [
        "(1000000000, 1000000000)",
        "(1099511627776, 1099511627776)",
        "(4294967296, 4294967296, 4)",
        "(18446744073709551615, 1)",
        "(18446744073709551616, 1)",
        "(0, 9223372036854775808, 4)",
        "(-1, 4)",
        "(2, 3",
        "2",
    ] {
        let file = npy(1, "'<f8'", false, shape, &[0; 64]);
        for image in [None, Some(0), Some(usize::MAX)] {
            assert!(read(&folder.file("a.npy", &file), image).is_err(), "{shape} {image:?}");
            let zip = stored_zip(&[("a.npy", file.clone())]);
            assert!(read(&folder.file("a.npz", &zip), image).is_err(), "{shape} {image:?}");
        }
    }
    let endless = npy(1, "'|u1'", false, "(18446744073709551615, 1, 1)", &[0]);
    let good = npy(1, "'|u1'", false, "(1, 1)", &[5]);
    let members = [("a.npy", endless.clone()), ("b.npy", endless), ("c.npy", good)];
    let path = folder.file("endless.npz", &stored_zip(&members));
    assert_eq!(read(&path, None).unwrap().pixels, image(1, 1, vec![5_u8]));
    assert_refused(&path, Some(0), &["declares 18446744073709551615 bytes"]);

    let mut nested = b"\x93NUMPY\x02\x00".to_vec();
    nested.extend(50_000_u32.to_le_bytes());
    nested.extend([b'('; 50_000]);
    assert_refused(&folder.file("nested.npy", &nested), None, &["malformed header"]);
    assert_refused(
        &folder.file("long.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
        None,
        &["a header of 4294967295 bytes"],
    );
    assert_refused(&folder.file("v9.npy", b"\x93NUMPY\x09\x00\x01\x00"), None, &["npy version 9"]);
}

#[test]
fn one_channel_is_grey() {
    let folder = Folder::new();
    for fortran in [false, true] {
        let path = folder.file(
            "a.npy",
            &npy(1, "'<f4'", fortran, "(2, 3, 1)", &bytes(&samples::<f32>(0, 6), false)),
        );
        let loaded = read(&path, None).unwrap();
        assert_eq!(loaded.entry.shape, [2, 3]);
        assert!(!loaded.entry.colour && loaded.frame.is_none() && loaded.notes.is_empty());
        let expected = match fortran {
            false => image(2, 3, samples::<f32>(0, 6)),
            true => {
                Array2::from_shape_vec((3, 2), samples::<f32>(0, 6)).unwrap().reversed_axes().into()
            }
        };
        assert_eq!(loaded.pixels, expected);
    }
}

#[test]
fn colours_of_floats_become_luma() {
    let folder = Folder::new();
    let mut values = vec![0.5_f64; 5 * 6 * 3];
    values[0..3].copy_from_slice(&[1.0, -2.0, 4.0]);
    let path = folder.file("a.npy", &npy(1, "'<f8'", false, "(5, 6, 3)", &bytes(&values, false)));
    let loaded = read(&path, None).unwrap();
    assert!(loaded.entry.colour && loaded.notes == ["colour was reduced to its luma (Rec. 709)"]);
    let luma = (0.2126 - 2.0 * 0.7152 + 4.0 * 0.0722) as f32;
    assert_eq!(loaded.pixels.to_f64()[(0, 0)], f64::from(luma));
}

/// Nothing names the axes of an array: a short last one is that of frames, or of
/// channels, but read as `[frames, rows, cols]` it would be the columns.
#[test]
fn a_short_last_axis_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let file = |shape: &[usize]| {
        let listed = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let data = vec![7; 2 * shape.iter().product::<usize>()];
        folder.file("a.npy", &npy(1, "'<u2'", false, &format!("({listed})"), &data))
    };
    for shape in [[32, 40, 8], [40, 32, 2], [24, 24, 12], [64, 64, 5]] {
        let words =
            ["last axis is the short one", "save it as [frames, rows, cols]", "numpy.moveaxis"];
        assert_refused(&file(&shape), None, &words);
    }
    for shape in [[8, 32, 40], [500, 16, 16], [24, 24, 13], [40, 32, 9], [2, 5, 3], [100, 64, 17]] {
        assert_eq!(
            read(&file(&shape), None).unwrap().pixels.shape(),
            (shape[1], shape[2]),
            "{shape:?}"
        );
    }
}

#[test]
fn what_an_archive_says_of_its_members_is_bounded_by_the_file() {
    let folder = Folder::new();
    // A header longer than any, and more axes.
    let long = npy(2, "'<u2'", false, &format!("(2, 2){}", " ".repeat(100_000)), &[0; 8]);
    assert_refused(&folder.file("a.npy", &long), None, &["a header of"]);
    let axes = "1, ".repeat(65);
    let many = npy(1, "'<u2'", false, &format!("({axes})"), &[0; 8]);
    assert_refused(&folder.file("b.npy", &many), None, &["malformed header"]);
    // A stored member that says that it is larger than the file.
    let member = npy(1, "'<u2'", false, "(60000, 60000)", &[0; 8]);
    let mut zip = stored_zip(&[("x.npy", member.clone())]);
    let length = (member.len() as u32).to_le_bytes();
    let places: Vec<usize> = (0..zip.len() - 4).filter(|&i| zip[i..i + 4] == length).collect();
    for place in places {
        zip[place..place + 4].copy_from_slice(&u32::MAX.wrapping_sub(1).to_le_bytes());
    }
    assert!(read(&folder.file("c.npz", &zip), None).is_err());
}

#[test]
fn a_file_that_changes_between_its_header_and_its_pixels_is_noticed() {
    let folder = Folder::new();
    let bytes = npy(1, "'|u1'", false, "(40, 50)", &[7; 2000]);
    let path = folder.file("image.npy", &bytes);
    let mut file = stemseg_files::read::ImageFile::open(&path).unwrap();
    file.load(0, 0).unwrap();
    std::fs::write(&path, [&bytes[..], &[7]].concat()).unwrap();
    let error = file.load(0, 0).unwrap_err().to_string();
    assert!(error.contains("image.npy: changed while it was read"), "{error}");
}

//! TIFF: what descriptions say of channels, frames and pixels.

use stemseg_files::read::{Frame, list, read, read_frame};

use crate::assert_refused;
use crate::files::{Folder, Page, Value, bytes, image, samples, tiff};

/// Pages of 2 x 3 pixels, the first with a description; page `p` holds `100 * p + i`.
fn pages(count: u16, description: &str) -> Vec<Page> {
    let page = |number: u16| {
        let values: Vec<u16> = (0..6).map(|i| 100 * number + i).collect();
        Page::grey(2, 3, 16, 1, bytes(&values, false))
    };
    let mut pages: Vec<Page> = (0..count).map(page).collect();
    pages[0] = pages[0].clone().text(270, description);
    pages
}

fn ome(pixels: &str, inside: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06' \
         UUID='urn:uuid:1'><Image ID='Image:0' Name='x'>\n<Pixels\n{pixels}>{inside}</Pixels></Image></OME>"
    )
}

const TWO_CHANNELS: &str = "<Channel Name='BF &amp; ABF'/><Channel Name=\"HAADF\"></Channel>";

/// The number of the page that each frame of each image was on.
fn found(folder: &Folder, pages: &[Page]) -> Vec<(String, Vec<f64>)> {
    let path = folder.file("a.tif", &tiff(false, false, pages));
    let (_, entries) = list(&path).unwrap();
    let frames = |(image, entry): (usize, &stemseg_files::read::Entry)| {
        let pages = (0..entry.frames().unwrap_or(1))
            .map(|frame| {
                let loaded = read_frame(&path, Some(image), Some(Frame::Number(frame))).unwrap();
                loaded.pixels.to_f64()[(0, 0)] / 100.0
            })
            .collect();
        (entry.name.clone(), pages)
    };
    entries.iter().enumerate().map(frames).collect()
}

#[test]
fn ome_channels_are_images_and_other_axes_frames() {
    let folder = Folder::new();
    for (order, channels) in [
        ("XYCZT", [[0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]]),
        ("XYZCT", [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]),
        ("XYZTC", [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
    ] {
        let sizes = format!("DimensionOrder='{order}' SizeC='2' SizeZ='2' SizeT='2'");
        let images = found(&folder, &pages(8, &ome(&sizes, TWO_CHANNELS)));
        let expected = [
            ("BF & ABF".to_owned(), channels[0].to_vec()),
            ("HAADF".to_owned(), channels[1].to_vec()),
        ];
        assert_eq!(images, expected, "{order}");
        let mean = read_frame(&folder.path("a.tif"), None, Some(Frame::Mean)).unwrap();
        assert_eq!(mean.image, 1, "{order}: HAADF");
        let pages = channels[1].iter().sum::<f64>() / 4.0;
        assert_eq!(mean.pixels.to_f64()[(0, 0)], 100.0 * pages, "{order}");
    }
}

#[test]
fn ome_says_which_page_is_which_plane() {
    let folder = Folder::new();
    let sizes = "DimensionOrder='XYCZT' SizeC='2' SizeT='2'";
    let data = "<TiffData FirstC='1' FirstT='1' IFD='0'/><TiffData FirstC='1' IFD='1'/>\
                <TiffData IFD='2' PlaneCount='1'/><TiffData FirstT='1' IFD='3'/>";
    let images = found(&folder, &pages(4, &ome(sizes, data)));
    let expected =
        [("channel 1".to_owned(), vec![1.0, 0.0]), ("channel 0".to_owned(), vec![2.0, 3.0])];
    assert_eq!(images, expected);
    // Of a set of files each holds its own.
    let elsewhere = "<Channel Name='BF'/><Channel Name='HAADF'/>\
        <TiffData FirstC='0' IFD='0'><UUID FileName='b.tif'>urn:uuid:2</UUID></TiffData>\
        <TiffData FirstC='1' IFD='0'><UUID FileName='a.tif'>urn:uuid:1</UUID></TiffData>";
    let images = found(&folder, &pages(1, &ome("SizeC='2'", elsewhere)));
    assert_eq!(images, [("HAADF".to_owned(), vec![0.0])]);
    // More planes than pages, and fewer.
    let images = found(&folder, &pages(3, &ome("SizeC='4' SizeT='1000000'", "<TiffData/>")));
    assert_eq!(
        images.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["channel 0", "channel 1", "channel 2"]
    );
    let images = found(&folder, &pages(3, &ome("SizeC='2'", "<TiffData IFD='0' PlaneCount='2'/>")));
    assert_eq!(images[2], ("page 2".to_owned(), vec![2.0]));
}

#[test]
fn ome_xml_in_every_spelling() {
    let folder = Folder::new();
    let size = |pixels: &str| {
        let path = folder.file("a.tif", &tiff(false, false, &pages(1, &ome(pixels, ""))));
        let loaded = read(&path, None).unwrap();
        (loaded.entry.pixel_size().map(|size| (size.rows, size.cols)), loaded.notes)
    };
    let near = |found: Option<(f64, f64)>, rows: f64, cols: f64| {
        found.is_some_and(|(r, c)| (r / rows - 1.0).abs() < 1e-9 && (c / cols - 1.0).abs() < 1e-9)
    };
    for (unit, step) in [
        ("nm", "0.012"),
        ("pm", "12"),
        ("cm", "1.2e-9"),
        ("&#xC5;", "0.12"),
        ("&#181;m", " 1.2e-5 "),
        ("\u{3bc}m", "1.2E-5"),
    ] {
        let pixels = format!(
            "\tPhysicalSizeX = \"{step}\"\r\n PhysicalSizeXUnit='{unit}' PhysicalSizeYUnit=\"{unit}\"\nPhysicalSizeY= '{step}'"
        );
        let (found, notes) = size(&pixels);
        assert!(near(found, 0.012, 0.012) && notes.is_empty(), "{unit}: {found:?} {notes:?}");
    }
    // Without a unit, and of one axis alone.
    let (found, notes) = size("PhysicalSizeX='1.2e-5'");
    assert!(near(found, 0.012, 0.012), "{found:?}");
    assert!(notes[0].contains("along x alone"), "{notes:?}");
    let (found, _) = size(
        "PhysicalSizeX='1' PhysicalSizeY='1' PhysicalSizeXUnit='pixel' PhysicalSizeYUnit='pixel'",
    );
    assert_eq!(found, None);
}

#[test]
fn broken_and_hostile_xml_is_said_and_does_no_harm() {
    let folder = Folder::new();
    let notes = |xml: String| {
        let path = folder.file("a.tif", &tiff(false, false, &pages(2, &xml)));
        let loaded = read(&path, None).unwrap();
        assert_eq!(loaded.entry.pixel_size(), None, "{xml:.80}");
        loaded.notes
    };
    let cut = ome("SizeC='2'", TWO_CHANNELS);
    let said = notes(cut[..cut.len() - 9].replace("</Image", "</Imag"));
    assert!(said.iter().any(|note| note.contains("OME-XML cannot be read")), "{said:?}");
    // A billion laughs: entities of the text itself are never unpacked.
    let mut bomb = String::from("<!DOCTYPE OME [<!ENTITY a0 'ha'>");
    for level in 1..12 {
        let inside = format!("&a{};", level - 1).repeat(10);
        bomb += &format!("<!ENTITY a{level} '{inside}'>");
    }
    bomb += "]><OME><Image><Pixels PhysicalSizeX='&a11;' SizeC='2'/></Image></OME>";
    notes(bomb);
    // More attributes, channels, runs and elements within each other than ever are.
    let attributes: String = (0..20_000).map(|i| format!(" a{i}='{i}'")).collect();
    notes(ome(&attributes, ""));
    notes(ome("SizeC='4000000000'", &"<TiffData IFD='0' PlaneCount='4000000000'/>".repeat(5000)));
    notes(format!("<OME>{}", "<Image>".repeat(50_000)));
}

fn imagej(count: usize, more: &str) -> String {
    format!("ImageJ=1.54f\nimages={count}\n{more}unit=nm\n")
}

#[test]
fn imagej_channels_are_images() {
    let folder = Folder::new();
    let images = found(&folder, &pages(6, &imagej(6, "channels=2\nframes=3\nhyperstack=true\n")));
    let expected = [
        ("channel 0".to_owned(), vec![0.0, 2.0, 4.0]),
        ("channel 1".to_owned(), vec![1.0, 3.0, 5.0]),
    ];
    assert_eq!(images, expected);
    let images = found(&folder, &pages(3, &imagej(3, "slices=3\n")));
    assert_eq!(images, [(String::new(), vec![0.0, 1.0, 2.0])]);
}

#[test]
fn imagej_channels_behind_one_directory() {
    let folder = Folder::new();
    let values: Vec<u16> = (0..36).map(|i| 100 * (i / 6) + i % 6).collect();
    let mut page = Page::grey(2, 3, 16, 1, bytes(&values[..6], false))
        .text(270, imagej(6, "channels=3\nslices=2\n"));
    page.pieces[0] = bytes(&values[..6], false);
    let mut file = tiff(false, false, &[page]);
    file.extend(bytes(&values[6..], false));
    let path = folder.file("a.tif", &file);
    let (_, entries) = list(&path).unwrap();
    assert_eq!(
        entries.iter().map(|entry| &*entry.name).collect::<Vec<_>>(),
        ["channel 0", "channel 1", "channel 2"]
    );
    assert_eq!(entries[2].shape, [2, 2, 3]);
    let last = read_frame(&path, Some(2), Some(Frame::Number(1))).unwrap();
    assert_eq!(last.pixels, image(2, 3, values[30..].to_vec()));
}

#[test]
fn imagej_labels_name_channels() {
    let folder = Folder::new();
    for big_endian in [false, true] {
        let number =
            |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let utf16 = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        let (bf, haadf) = (utf16("BF"), utf16("HAADF\nmore"));
        let info = utf16("anything");
        let word = |text: &[u8; 4]| number(u32::from_be_bytes(*text));
        let header = [word(b"IJIJ"), word(b"info"), number(1), word(b"labl"), number(2)].concat();
        let lengths = [header.len(), info.len(), bf.len(), haadf.len()].map(|length| length as u32);
        let data = [header, info, bf, haadf].concat();
        let mut all = pages(2, &imagej(2, "channels=2\n"));
        if big_endian {
            for page in &mut all {
                page.pieces[0].chunks_exact_mut(2).for_each(<[u8]>::reverse);
            }
        }
        all[0] = all[0]
            .clone()
            .with(50838, Value::Long(lengths.to_vec()))
            .with(50839, Value::Text(data.clone()));
        let path = folder.file("a.tif", &tiff(big_endian, false, &all));
        let loaded = read(&path, None).unwrap();
        assert_eq!((loaded.image, &*loaded.entry.name), (1, "HAADF"), "{big_endian}");
        // Lengths that are not there leave numbers.
        all[0] = all[0].clone().with(50838, Value::Long(vec![lengths[0], u32::MAX, 1, 1]));
        let path = folder.file("b.tif", &tiff(big_endian, false, &all));
        assert_eq!(list(&path).unwrap().1[1].name, "channel 1");
    }
}

#[test]
fn frames_that_imagej_speaks_of_but_are_not_there() {
    let folder = Folder::new();
    let path = folder.file("a.tif", &tiff(false, false, &pages(1, &imagej(5, "slices=5\n"))));
    let loaded = read(&path, None).unwrap();
    assert!(loaded.entry.is_image() && loaded.frame.is_none(), "{:?}", loaded.entry);
    assert!(loaded.notes[0].contains("5 images, but the file holds 1"), "{:?}", loaded.notes);
    let path = folder.file("b.tif", &tiff(false, false, &pages(3, &imagej(5, ""))));
    let loaded = read(&path, None).unwrap();
    assert_eq!(list(&path).unwrap().1[0].frames(), Some(3));
    assert!(loaded.notes.iter().any(|note| note.contains("holds 3")), "{:?}", loaded.notes);
    // There are no more channels than pages.
    let many = imagej(70_000, "channels=70000\n");
    let path = folder.file("c.tif", &tiff(false, false, &pages(3, &many)));
    assert_eq!(list(&path).unwrap().1[0].name, "channel 0");
}

#[test]
fn the_largest_page_is_taken() {
    let folder = Folder::new();
    let small = Page::grey(4, 4, 16, 1, bytes(&samples::<u16>(0, 16), false));
    let large = Page::grey(20, 30, 8, 1, bytes(&samples::<u8>(0, 600), false));
    let path = folder.file("a.tif", &tiff(false, false, &[small, large]));
    let loaded = read(&path, None).unwrap();
    assert_eq!((loaded.image, loaded.pixels.shape()), (1, (20, 30)));
    assert!(loaded.notes[0].contains("2 images, of which number 1"), "{:?}", loaded.notes);
}

#[test]
fn directories_that_share_a_long_value_are_refused() {
    let folder = Folder::new();
    // Every page names the same 60 kB of description.
    let long = "x".repeat(60_000);
    let mut file = tiff(false, false, &pages(1, &long));
    let first = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let entries = usize::from(u16::from_le_bytes(file[first..first + 2].try_into().unwrap()));
    let length = 2 + 12 * entries + 4;
    let directory = file[first..first + length].to_vec();
    let mut link = first + length - 4;
    for _ in 0..3000 {
        let place = (file.len() as u32).to_le_bytes();
        file[link..link + 4].copy_from_slice(&place);
        file.extend(&directory);
        link = file.len() - 4;
    }
    assert_refused(&folder.file("a.tif", &file), None, &["is damaged", "over and over"]);
}

//! The page over all images of a run.

use super::tests::between;
use super::{Card, ContactSheet, HEAD, contact_sheet, is_contact_sheet};
use crate::thumbnail::Thumbnail;

fn done(name: &str) -> Card {
    Card {
        name: name.to_owned(),
        folder: "day1".to_owned(),
        status: "done".to_owned(),
        message: String::new(),
        patterns: "2 (chosen)".to_owned(),
        areas: vec![0.7, 0.25],
        confidence: Some(0.9561),
        shape: Some((90, 100)),
        warnings: Vec::new(),
        picture: Some(Thumbnail { shape: (30, 40), uri: "data:image/png;base64,AAAA".to_owned() }),
        page: Some("a%20b.stemseg/report.html".to_owned()),
    }
}

fn failed(message: &str) -> Card {
    Card {
        status: "failed".to_owned(),
        message: message.to_owned(),
        patterns: String::new(),
        areas: Vec::new(),
        confidence: None,
        shape: None,
        picture: None,
        page: None,
        ..done("bad.npy")
    }
}

fn page(cards: Vec<Card>) -> String {
    let counts = [("done", 2), ("failed", 1), ("kept", 0)];
    let about =
        ContactSheet { name: "r & d", cards: cards.len(), counts: &counts, table: "summary.csv" };
    let mut page = Vec::new();
    contact_sheet(&mut page, &about, cards.into_iter()).unwrap();
    String::from_utf8(page).unwrap()
}

fn cards(page: &str) -> Vec<&str> {
    between(page, "<article class=\"card", "</article>")
}

#[test]
fn each_card_says_what_became_of_its_image() {
    let warned = Card {
        warnings: vec![["no-gap".to_owned(), "close <together>".to_owned()]],
        status: "kept".to_owned(),
        ..done("c.tif")
    };
    let page = page(vec![done("a b.tif"), failed("it is <empty>"), warned]);
    let cards = cards(&page);
    assert_eq!(cards.len(), 3);
    for words in [
        "<a class=\"small\" href=\"a%20b.stemseg/report.html\"",
        "<img src=\"data:image/png;base64,AAAA\" width=\"40\" height=\"30\"",
        "<h2><bdi>a b.tif</bdi></h2>",
        "<bdi>day1</bdi>",
        "<dd><bdi>2 (chosen)</bdi></dd>",
        "<dd><bdi>0.956</bdi></dd>",
        "90 × 100 px",
        "title=\"2: 25.0 %\" style=\"width:25.000%;",
        "</span> 70.0 %",
    ] {
        assert!(cards[0].contains(words), "{words}: {}", cards[0]);
    }
    let [r, g, b] = crate::colours::colour(2);
    assert!(cards[0].contains(&format!("width:25.000%;background:rgb({r} {g} {b})")));
    assert!(cards[0].starts_with("\">") && !cards[0].contains("state"), "{}", cards[0]);
    // A failure is marked, and leads nowhere.
    assert!(cards[1].starts_with(" noted\">"), "{}", cards[1]);
    assert!(cards[1].contains("<p class=\"state failed\">failed</p>"));
    assert!(cards[1].contains("<bdi>it is &lt;empty&gt;</bdi>") && cards[1].contains("no picture"));
    for word in ["href", "<img", "patterns", "confidence", "areas"] {
        assert!(!cards[1].contains(word), "{word}: {}", cards[1]);
    }
    assert!(cards[2].starts_with(" noted\">"), "{}", cards[2]);
    assert!(cards[2].contains("<p class=\"state\">kept</p>"));
    assert!(cards[2].contains("Warning: no-gap") && cards[2].contains("close &lt;together&gt;"));
    // What there is none of is not counted.
    let facts = between(&page, "<dl class=\"facts\">", "</dl>")[0];
    assert_eq!(between(facts, "<dt>", "</dt>"), ["done", "failed"]);
    assert!(page.contains("<h1><bdi>r &amp; d</bdi></h1>") && page.contains("3 results"));
    assert!(page.contains("href=\"summary.csv\""));
}

#[test]
fn many_labels_are_in_the_bar_alone() {
    let page = page(vec![Card { areas: vec![0.1; 9], ..done("a.tif") }]);
    let card = cards(&page)[0];
    assert_eq!(between(card, "<div class=\"areas\">", "</div>")[0].matches("width:").count(), 9);
    assert_eq!(card.matches("class=\"chip\"").count(), 6);
    assert!(card.contains("and 3 more"));
}

#[test]
fn it_loads_nothing_from_elsewhere_and_needs_no_script() {
    let page = page(vec![done("a.tif"), failed("x")]);
    assert!(!page.contains("://") && !page.contains("loading=\"lazy\""));
    for source in between(&page, "src=\"", "\"") {
        assert!(source.starts_with("data:image/"), "{source:.40}");
    }
    // The page's one script is that of the reports.
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("img-src data:"));
}

#[test]
fn it_is_told_from_other_pages_by_its_beginning() {
    let page = page(vec![done("a.tif")]);
    assert!(is_contact_sheet(page.as_bytes()) && is_contact_sheet(&page.as_bytes()[..HEAD]));
    for other in ["", "<!DOCTYPE html><html lang=\"en\"><head><title>mine</title>"] {
        assert!(!is_contact_sheet(other.as_bytes()));
    }
    // A page that quotes one further down is another.
    let quoting = format!("{}{page}", " ".repeat(HEAD));
    assert!(!is_contact_sheet(quoting.as_bytes()));
}

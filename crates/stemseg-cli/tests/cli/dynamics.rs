//! `stemseg simulate film` and `stemseg dynamics`: files, messages, exit codes.

use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::job::stemseg;
use stemseg_testing::place::Place;

fn film(place: &Place, arguments: &[&str]) {
    stemseg(place)
        .args(["simulate", "film", "--out", "film", "--equation"])
        .args(arguments)
        .assert()
        .success();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_film_gives_its_equation() {
    let place = Place::empty();
    film(
        &place,
        &["advection", "--velocity", "1.2,-0.6", "--size", "96x128", "--soft-noise", "0.3"],
    );
    stemseg(&place)
        .args(["dynamics", "film/film.npy", "--pixel-size", "0.02nm", "--frame-interval", "0.5"])
        .assert()
        .success()
        .stdout(contains("Phi_t = -1.").and(contains("(px, frames)")).and(contains("(nm, s)")))
        .stderr(contains("note: a boundary that keeps its shape"));
    let folder = place.path("film/film.dynamics");
    for name in ["equation.txt", "equation.tex", "report.html", "simulated.npy", "summary.json"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    let found = json(&folder.join("equation.json"));
    assert_eq!(found["verdict"], "equation");
    assert_eq!(found["units"], "px, frames");
    let terms = found["terms"].as_array().unwrap();
    assert_eq!(terms.len(), 2);
    assert_eq!(terms[0]["term"], "Phi_x");
    let x = terms[0]["coefficient"].as_f64().unwrap();
    assert!((x + 1.2).abs() < 0.06, "{x}");
    assert!(terms[0]["std"].as_f64().unwrap() > 0.0);
    let in_nm = found["other_units"]["terms"][0]["coefficient"].as_f64().unwrap();
    assert!((in_nm / x - 0.02 / 0.5).abs() < 1e-9, "{in_nm}");
    assert!(found["error"].as_f64().unwrap() < found["zero_model_error"].as_f64().unwrap());
    assert!(found["pareto"].as_array().unwrap().len() > 2);
    let tex = std::fs::read_to_string(folder.join("equation.tex")).unwrap();
    assert!(tex.contains(r"\Phi_{t} = -1."), "{tex}");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("Choice of the terms") && page.contains("simulation, frame 39"));
}

#[test]
fn an_array_is_a_film_of_a_line() {
    let place = Place::empty();
    film(&place, &["travelling-wave", "--noise", "0.02", "--seed", "1"]);
    let output = stemseg(&place)
        .args([
            "dynamics",
            "film/film.npy",
            "--dx",
            "1",
            "--dt",
            "0.02",
            "--json",
            "--out",
            "a/b",
            "--quiet",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &summary["dynamics"];
    assert_eq!(found, &json(&place.path("a/b/equation.json")));
    assert_eq!(found["units"], "units of dx, units of dt");
    let right = [("Phi_xx", 10.0), ("Phi^3", -1.0), ("Phi^2", 1.9), ("Phi", -0.9)];
    let terms = found["terms"].as_array().unwrap();
    assert_eq!(terms.len(), right.len(), "{terms:?}");
    for (term, value) in right {
        let got = terms.iter().find(|c| c["term"] == term).unwrap();
        let got = got["coefficient"].as_f64().unwrap();
        assert!((got / value - 1.0).abs() < 0.05, "{term}: {got}");
    }
    assert_eq!(found["other_units"]["units"], "px, frames");
}

#[test]
fn a_result_is_replaced_only_by_force() {
    let place = Place::empty();
    film(&place, &["diffusion", "--size", "64", "--frames", "20"]);
    let run =
        |more: &[&str]| stemseg(&place).args(["dynamics", "film/film.npy"]).args(more).assert();
    run(&[]).success().stdout(contains("Phi_xx").and(contains("Phi_yy")));
    run(&[])
        .code(2)
        .stdout("")
        .stderr(contains("film.dynamics exists already").and(contains("--force")));
    run(&["--force", "--quiet"]).success().stdout("").stderr("");
}

#[test]
fn what_is_no_film_is_refused() {
    let place = Place::empty();
    film(&place, &["diffusion", "--size", "32", "--frames", "20"]);
    let refused = |more: &[&str], words: &str| {
        stemseg(&place)
            .arg("dynamics")
            .args(more)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(words));
    };
    refused(&["nothing.npy"], "nothing.npy");
    refused(&["film/film.npy", "--dx", "1"], "dx = given");
    refused(&["film/film.npy", "--terms", "Phi_z"], "there is no term \"Phi_z\"");
    refused(&["film/film.npy", "--frame-interval", "0"], "give a number above 0");
    refused(&["film/film.npy", "--label", "3"], "holds no labels");
    refused(&["film/film.png"], "film.png: a picture is no film");
    assert!(!place.path("film/film.dynamics").exists());
    let image = ndarray::Array2::<f32>::zeros((4, 32));
    stemseg_files::write::write_npy(&place.path("short.npy"), image.view()).unwrap();
    refused(&["short.npy"], "short.npy: the film has 4 frames; 5 or more are needed");
}

#[test]
fn options_of_films_belong_to_films() {
    let place = Place::empty();
    let refused = |arguments: &[&str], words: &str| {
        stemseg(&place)
            .arg("simulate")
            .args(arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(words));
    };
    refused(&["film", "--noise", "0.1"], "only films with an --equation have it");
    refused(&["film", "--equation", "diffusion", "--drift", "3"], "do not have it");
    refused(&["film", "--format", "tiff"], "films are written as npy");
    refused(&["film", "--frames", "1"], "give 2 to 1000000 frames");
    refused(&["twins", "--frames", "9"], "only the scene film has it");
    refused(
        &["film", "--equation", "diffusion", "--velocity", "1,1"],
        "this equation has no such coefficient",
    );
    refused(&["film", "--equation", "diffusion", "--frames", "3"], "give 5 frames or more");
}

#[test]
fn memberships_in_several_patterns_are_a_film_of_one_of_them() {
    let place = Place::empty();
    // A slanted front in noise; a third pattern that stays.
    let mut state = 5_u64;
    let film = ndarray::Array4::from_shape_fn((24, 3, 64, 80), |(t, k, r, c)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let noise = 0.02 * ((state >> 40) as f64 / (1 << 24) as f64 - 0.5);
        let (r, c) = (r as f64, c as f64);
        let bend = 4.0 * (r / 10.0).sin();
        let front = 0.5 - 0.5 * ((c - 25.0 - bend - 0.8 * t as f64) / 3.0).tanh();
        [0.1, 0.9 * front, 0.9 - 0.9 * front][k] as f32 + noise as f32
    });
    stemseg_files::write::write_npy(&place.path("memberships.npy"), film.view()).unwrap();
    stemseg(&place)
        .args(["dynamics", "memberships.npy"])
        .assert()
        .success()
        .stderr(contains("Phi is the membership in pattern 2, which changes most"));
    let velocity = |folder: &str| {
        let found = json(&place.path(folder).join("equation.json"));
        let terms = found["terms"].as_array().unwrap();
        let of = |term: &&Value| term["term"] == "Phi_x";
        terms.iter().find(of).unwrap()["coefficient"].as_f64().unwrap()
    };
    assert!((velocity("memberships.dynamics") + 0.8).abs() < 0.04);
    // The pattern that it grows into moves as fast.
    stemseg(&place)
        .args(["dynamics", "memberships.npy", "--label", "3", "--out", "third"])
        .assert()
        .success()
        .stderr(contains("which changes most").not());
    assert!((velocity("third") + 0.8).abs() < 0.04);
    stemseg(&place)
        .args(["dynamics", "memberships.npy", "--label", "4", "--out", "fourth"])
        .assert()
        .code(2)
        .stderr(contains("label = 4").and(contains("give 1 to 3")));
    assert!(!place.path("fourth").exists());
}

"""Equations of motion."""

import json
import subprocess
import sys

import numpy as np
import pytest

import stemseg


def carried(velocity=(1.2, 0.5), frames=24):
    """A wavy boundary that moves by this along x and y in each frame."""
    t, y, x = np.ogrid[:frames, :64, :80]
    front = 25 + 5 * np.sin((y - velocity[1] * t) / 9) + velocity[0] * t
    return 0.5 - 0.5 * np.tanh((x - front) / 4)


def test_a_carried_boundary_has_its_velocity():
    noise = np.random.default_rng(1).normal(0, 0.01, (24, 64, 80))
    found = stemseg.dynamics(carried() + noise)
    assert found.verdict == "equation" and {term.term for term in found.terms} == {"Phi_x", "Phi_y"}
    assert abs(found["Phi_x"].coefficient + 1.2) < 0.03 and abs(found["Phi_y"].coefficient + 0.5) < 0.03
    assert found["Phi_x"].kept == 1 and found.simulated.shape == (24, 64, 80)
    assert found._repr_latex_().startswith(r"$\Phi_{t} = ") and str(found).endswith("(px, frames)")
    with pytest.raises(KeyError, match="Phi_x"):
        found["Phi_xx"]


def test_one_of_several_patterns_and_units():
    film = carried((0.8, 0.0))
    several = np.stack([np.full_like(film, 0.1), 0.9 * film, 0.9 - 0.9 * film], axis=1)
    found = stemseg.dynamics(several, pixel_size=0.02, frame_interval=0.5)
    assert abs(found["Phi_x"].coefficient + 0.8) < 0.02
    other = found.summary["other_units"]
    assert other["units"] == "nm, s" and abs(other["terms"][0]["coefficient"] + 0.032) < 1e-3
    third = stemseg.dynamics(several, label=3)
    assert abs(third["Phi_x"].coefficient + 0.8) < 0.02
    with pytest.raises(ValueError, match="give 1 to 3"):
        stemseg.dynamics(several, label=4)


def test_the_command_says_the_same(tmp_path):
    np.save(tmp_path / "film.npy", carried().astype(np.float32))
    found = stemseg.dynamics(tmp_path / "film.npy")
    command = [sys.executable, "-m", "stemseg", "dynamics", "film.npy", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(ran.stdout)["dynamics"]["terms"] == found.summary["terms"]


def test_nothing_moves_and_lines():
    rng = np.random.default_rng(3)
    still = np.broadcast_to(carried()[0], (12, 64, 80)) + rng.normal(0, 0.02, (12, 64, 80))
    found = stemseg.dynamics(still)
    assert found.verdict == "nothing-moves" and found.terms == () and str(found).startswith("nothing moves")
    t, x = np.ogrid[:60, :200]
    wave = 0.5 - 0.5 * np.tanh((x - 40 - 0.6 * t) / 5)
    line = stemseg.dynamics(wave, dx=2.0, dt=0.1, terms=["Phi_x", "Phi_xx"])
    assert abs(line["Phi_x"].coefficient + 12) < 0.3 and "dx" in line.units


@pytest.mark.parametrize(
    "film, keywords, words",
    [
        (np.zeros((4, 32, 32)), {}, "the film has 4 frames"),
        (np.zeros((9, 8, 32)), {}, "give 16 px or more"),
        (np.zeros(9), {}, "film of 1 axes"),
        (np.zeros((2, 3, 4, 5, 6)), {}, "film of 5 axes"),
        (carried(), {"terms": ["Phi_z"]}, "there is no term"),
        (carried(), {"dx": 1.0}, "only u"),
        (carried()[:, 0], {"pixel_size": 1.0}, "give dx and dt"),
        (carried(), {"frame_interval": 0}, "give a number above 0"),
    ],
)
def test_bad_input(film, keywords, words):
    with pytest.raises(ValueError, match=words):
        stemseg.dynamics(film, **keywords)


def test_what_is_no_number_is_no_film():
    with pytest.raises(TypeError, match="complex128"):
        stemseg.dynamics(np.zeros((9, 32, 32), complex))

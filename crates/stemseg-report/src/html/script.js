"use strict";
// A film's slider shows one of its frames; without a script all are there, one below the other.
for (const film of document.querySelectorAll(".film")) {
  const frames = film.querySelectorAll("figure");
  const slider = film.querySelector("input");
  const set = () => frames.forEach((frame, i) => (frame.hidden = i !== Number(slider.value)));
  slider.addEventListener("input", set);
  slider.hidden = false;
  set();
}
// Two sliders: each writes its value where the styles look for it. All else on the
// page is done without a script.
for (const viewer of document.querySelectorAll(".viewer")) {
  const follow = (selector, name) => {
    const slider = viewer.querySelector(selector);
    const set = () => viewer.style.setProperty(name, slider.value + "%");
    slider.addEventListener("input", set);
    set(); // Browsers keep a slider's place when a page is loaded again.
  };
  follow(".divide", "--divide");
  follow(".strength", "--strength");
}

"use strict";
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

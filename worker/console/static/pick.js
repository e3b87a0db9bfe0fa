// A box that ticks all rows of a page, shown only where this script runs, and how many are ticked.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("[data-picks]")) {
    const all = form.querySelector("[data-pick-all]");
    if (!all) continue;
    all.hidden = false;
    const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
    const box = all.querySelector("input");
    const place = form.querySelector("[data-ticked]");
    const show = () => {
      const count = boxes.filter((each) => each.checked).length;
      box.checked = count === boxes.length;
      place.textContent = count ? say("ticked", { count }) : "";
    };
    form.addEventListener("change", (event) => {
      if (event.target === box) for (const each of boxes) each.checked = box.checked;
      show();
    });
    window.addEventListener("pageshow", show);  // Back brings the ticks again
  }
});
